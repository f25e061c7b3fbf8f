# SPDX-License-Identifier: Apache-2.0
"""What the steps of the demo that are written in Python share: vaultctl as a person would use it, and demands.

VAULT_ADDR, VAULT_PIN and VAULT_TOKEN say where the vault is."""
import json
import pathlib
import shlex
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
from vaultd import BIN  # noqa: E402


def say(*lines):
    print(*lines, sep="\n", flush=True)


def step(what):
    say(f"\n\033[1m== {what}\033[0m")


def demand(truth, what):
    if not truth:
        sys.exit(f"demo: {what}")


def ctl(*args, stdin="", status=0, show=False):
    """What vaultctl says; it has to end with this status."""
    if show:
        say(f"$ vaultctl {shlex.join(map(str, args))}")
    p = subprocess.run([BIN / "vaultctl", *map(str, args)], input=stdin, capture_output=True, text=True, check=False,
                       timeout=120)
    if show and p.stdout + p.stderr:
        say((p.stdout + p.stderr).rstrip())
    demand(p.returncode == status, f"vaultctl {' '.join(map(str, args))} ended with {p.returncode}: {p.stderr}")
    return p.stdout


def ctl_json(*args):
    return json.loads(ctl(*args, "-format=json"))["data"]
