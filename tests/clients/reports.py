# SPDX-License-Identifier: Apache-2.0
"""Reports of the scanner, and the validator of JSON schemas that comes with node's packages."""
import os
import pathlib
import subprocess

from vaultd import BIN, DEADLINE

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE.parent.parent / "build/clients/node_modules"


def report(form, *args, cwd=None):
    r = subprocess.run([str(BIN / "vaultctl"), "scan", *map(str, args), f"-format={form}"], capture_output=True, check=False,
                       cwd=cwd, timeout=DEADLINE * 4, stdin=subprocess.DEVNULL,
                       env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    assert r.returncode in (0, 1, 4), r
    return r.stdout


def check(schema, text):
    return subprocess.run(["node", str(HERE / "schema_check.js"), str(schema)], input=text, capture_output=True, check=False,
                          timeout=DEADLINE, env={"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES)})
