# SPDX-License-Identifier: Apache-2.0
"""No room on the file system of the files, in bytes or in inodes: what is in place stays whole, and it goes on later."""
import errno
import itertools
import os
import signal
import subprocess
import time

import pytest

from liar import Liar
from vaultd import wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
serial = itertools.count(1)
FILES = [{"path": "secret/app/db", "binding": "app", "name": "db.json", "format": "json"},
         {"path": "secret/app/db", "binding": "app", "field": "password"},
         {"path": "secret/app/key", "binding": "other", "field": "key"},
         {"path": "secret/app/tick", "binding": "tick", "field": "n"}]


def value(n):
    return {"password": f"p{n}", "more": str(n) * 20000}


class Filler:
    """Whoever else uses the file system up."""

    def __init__(self, run_dir, kind):
        self.dir, self.kind, self.files = run_dir / "filler", kind, []

    def fill(self):
        self.dir.mkdir(exist_ok=True)
        size = 1 << 16 if self.kind == "bytes" else 0
        try:
            while True:
                path = self.dir / str(len(self.files))
                path.touch()
                self.files.append(path)
                while size >= 1 << 12:
                    try:
                        with open(path, "ab", buffering=0) as f:
                            f.write(b"x" * size)
                    except OSError as e:
                        if e.errno != errno.ENOSPC:
                            raise
                        size //= 2
                if self.kind == "bytes":
                    return
        except OSError as e:
            if e.errno != errno.ENOSPC:
                raise

    def empty(self):
        for path in self.files:
            path.unlink()
        self.files.clear()


@pytest.fixture(params=["bytes", "inodes"])
def place(request, own_server, make_agent):
    s = own_server
    s.put("app/db", value(1))
    s.put("app/key", {"key": "k1"})
    s.put("app/tick", {"n": 0})
    net = Liar(s)  # an honest one: it counts
    a = make_agent(net, "web1", FILES)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0711,size=256k,nr_inodes=64", "none", a.run_dir], check=True)
    try:
        # What failed for want of room is tried again with a heartbeat.
        a.extra.update(tmpfs="existing", grace="1s", heartbeat="2s")
        a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
        a.start()
        a.wait_content("app", "password", "p1")
        a.wait_content("other", "key", "k1")
        yield s, a, net, Filler(a.run_dir, request.param)
    finally:
        a.stop(signal.SIGKILL)
        subprocess.run(["umount", a.run_dir], check=True)
        net.stop()


def secret(a, path):
    (row,) = [row for row in a.status()["secrets"] if row["path"] == path]
    return row


def whole(a, n):
    """Both files of one generation, and nothing left over of another."""
    assert (a.content("app", "password"), len(a.content("app", "db.json"))) == (f"p{n}", 20000 + len('{"more":"","password":"p1"}'))
    current = os.readlink(a.run_dir / "app" / "..data")
    assert sorted(p.name for p in (a.run_dir / "app").iterdir() if p.name.startswith("..")) == ["..data", current]


def metric(a, name):
    p = subprocess.run(["curl", "-sS", "--unix-socket", a.socket, "http://agent/metrics"], text=True,
                       capture_output=True, timeout=30, check=True)
    (value,) = [line.rsplit(" ", 1)[1] for line in p.stdout.splitlines() if line.startswith(f"vault_agent_{name} ")]
    return int(value)


def tick(s):
    s.put("app/tick", {"n": next(serial)})
    time.sleep(1)


def states(s):
    return {row["path"]: (row["state"], row["applied"])
            for row in s.client().list("sys/vault-leases").data["key_info"].values()}


@pytest.mark.parametrize("place", ["bytes"], indirect=True)
def test_a_file_system_that_is_read_only_for_a_while(place):
    """What is in place stays; the value is put there when that is possible again."""
    s, a, _, _ = place
    subprocess.run(["mount", "-o", "remount,ro", a.run_dir], check=True)
    try:
        s.put("app/db", value(2))
        wait_for("the error", lambda: "Read-only file system" in secret(a, "secret/app/db")["error"])
        whole(a, 1)
    finally:
        subprocess.run(["mount", "-o", "remount,rw", a.run_dir], check=True)
    wait_for("the new one", lambda: a.content("app", "password") == "p2" or tick(s))
    wait_for("the vault to hear", lambda: states(s)["secret/app/db"] == ("applied", 2))
    wait_for("the old one to go", lambda: len([p for p in (a.run_dir / "app").iterdir() if p.name.startswith("..g")]) == 1)
    whole(a, 2)


def test_a_full_file_system_keeps_the_old_and_goes_on(place):
    s, a, net, filler = place
    filler.fill()
    s.put("app/db", value(2))
    wait_for("the rejection", lambda: secret(a, "secret/app/db")["state"] == "rejected")
    row = secret(a, "secret/app/db")
    assert "No space left on device" in row["error"] and (row["version"], row["applied"]) == (2, 1)
    assert metric(a, "secrets_unplaced") == 1
    assert a.log().count("No space left on device") == 1, "one line for the change of state"
    whole(a, 1)
    wait_for("the vault to hear", lambda: states(s)["secret/app/db"] == ("rejected", 1))
    # However often it is tried again, it is said once.
    fetched, said = (len(net.replies(f"sys/agent/{what}")) for what in ("fetch", "ack"))
    wait_for("more tries", lambda: len(net.replies("sys/agent/fetch")) > fetched + 2)
    assert len(net.replies("sys/agent/ack")) == said and a.log().count("No space left on device") == 1
    # It stays so across a restart, and what is revoked goes all the same.
    a.stop(signal.SIGKILL)
    a.start()
    wait_for("the rejection again", lambda: (a.status() or {}).get("connected") and
             "No space left on device" in secret(a, "secret/app/db")["error"])
    whole(a, 1)
    s.client().delete("secret/metadata/app/key")
    wait_for("the wipe", lambda: a.content("other", "key") is None)
    filler.fill()
    filler.empty()
    # However much else happens.
    wait_for("the new one", lambda: a.content("app", "password") == "p2" or tick(s))
    wait_for("the vault to hear", lambda: states(s)["secret/app/db"] == ("applied", 2))
    assert secret(a, "secret/app/db")["error"] == "" and metric(a, "secrets_unplaced") == 0
    wait_for("the old one to go", lambda: len([p for p in (a.run_dir / "app").iterdir()
                                               if p.name.startswith("..g")]) == 1)
    whole(a, 2)
