# SPDX-License-Identifier: Apache-2.0
"""A step of the demo: an image that leaks in a layer below and in its environment, and a process whose environment
leaks. Each leak holds a token of somebody else's, and a value that the vault itself keeps."""
import json
import secrets
import subprocess

import dockerd
import images
from demo_lib import ctl, demand, say
from scanning import token
from vaultd import wait_for

PATH, TAG, FILE = "secret/app/db", "leaky:1", "root/.git-credentials"


class Leaks:
    def __init__(self):
        self.github = token(secrets.token_hex(8))
        self.stripe = "sk_" + "live_" + secrets.token_hex(12)
        self.own = ctl("kv", "get", "-field", "password", PATH).strip()

    def file(self):
        return f"https://deploy:{self.github}@github.com\n"

    def env(self):
        return {"STRIPE_KEY": self.stripe, "DATABASE_URL": f"postgres://orders:{self.own}@db/orders"}

    def shown(self, text):
        return [value for value in (self.github, self.stripe, self.own) if value in text]


def build(engine, work, leaks):
    """The name to scan, and how to reach it."""
    folder = work / "leaky"
    folder.mkdir()
    (folder / "credentials").write_text(leaks.file())
    env = "".join(f"ENV {name}={value}\n" for name, value in leaks.env().items())
    (folder / "Dockerfile").write_text(
        f"FROM {dockerd.IMAGE}\nCOPY credentials /{FILE}\nRUN [\"/bin/busybox\", \"rm\", \"/{FILE}\"]\n{env}")
    engine.cli("build", "-q", "-t", TAG, "--network", "none", folder)
    return TAG, [f"--docker-socket={engine.socket}"]


def archive(work, leaks):
    """The same without an Engine, as `docker save` would write it."""
    image = images.Image([images.Layer().file(FILE, leaks.file().encode()), images.Layer().gone(FILE)],
                         {"Env": [f"{name}={value}" for name, value in leaks.env().items()]})
    return images.docker_save(work / "leaky.tar", [(TAG, image)]), []


def scan(what, target, *options):
    ctl("scan", what, target, *options, show=True, status=1)
    text = ctl("scan", what, target, *options, "--format=jsonl", status=1)
    rows = [json.loads(line) for line in text.splitlines()]
    demand(rows[-1]["complete"], "something was not scanned")
    return text, [r for r in rows if r["type"] == "finding"]


def show_image(engine, work, leaks):
    if engine is None:
        say("skipped: docker build; the image's archive is made by the demo itself")
    target, options = build(engine, work, leaks) if engine else archive(work, leaks)
    text, found = scan("image", target, *options)
    deleted = [f for f in found if f["file"] == FILE and f["visibility"] == "deleted"]
    demand(deleted, "the token in the deleted file was not found")
    demand(any(f["channel"] == "env" and f["rule"].startswith("stripe") for f in found), "the key in ENV was not found")
    demand({f.get("secret") for f in found if f["rule"] == "vault-secret"} == {PATH}, "the vault's own secret was not named")
    demand(not leaks.shown(text), "a report has a secret in it")


def show_process(leaks):
    with subprocess.Popen(["/bin/sleep", "1000"], env=leaks.env()) as child:
        try:
            wait_for("it to run", lambda: b"sleep" in open(f"/proc/{child.pid}/cmdline", "rb").read())
            text, found = scan("env", child.pid)
        finally:
            child.kill()
    demand({f["channel"] for f in found} == {"proc-environ"}, "what was found is not in the environment")
    demand(any(f["rule"].startswith("stripe") for f in found), "the key in the environment was not found")
    demand({f.get("secret") for f in found if f["rule"] == "vault-secret"} == {PATH}, "the vault's own secret was not named")
    demand(not leaks.shown(text), "a report has a secret in it")


def show(engine, work):
    leaks = Leaks()
    show_image(engine, work, leaks)
    say("the file was removed in a later layer, and whoever has the image has it: the scan says so")
    show_process(leaks)
    say(f"both leaks hold the value that the vault keeps at {PATH}, and only the vault could say that")
