# SPDX-License-Identifier: Apache-2.0
"""reload: exec against the real vaultd: a command on the host is told of each generation, and its word is what the vault
hears."""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

import pytest

import vaultd
from vaultd import wait_for

PATH = "secret/app/db"
FILES = [{"path": PATH, "field": "password", "binding": "app", "name": "password", "mode": "0444"}]
# What it saw, then what the test wants of it: to wait, to fail, to hang.
SCRIPT = """#!/bin/sh
read up rest < /proc/uptime
value=$(cat "$VAULT_DIR/password")
echo "$$ $VAULT_BINDING $VAULT_VERSION $up $value" >> {dir}/told
[ ! -p {dir}/gate ] || read line < {dir}/gate
[ ! -e {dir}/hang ] || {{ trap '' TERM; rm {dir}/hang; while :; do sleep 1; done; }}
[ ! -e {dir}/good ] || [ "$value" = "$(cat {dir}/good)" ] || {{ echo "$value is bad"; exit 7; }}
"""


class App:
    """What the command does, and what it has seen."""

    def __init__(self, tmp):
        self.dir = tmp / "app"
        self.dir.mkdir(mode=0o777)
        self.dir.chmod(0o777)
        self.script = self.dir / "reload"
        self.script.write_text(SCRIPT.format(dir=self.dir))
        self.script.chmod(0o755)

    def told(self):
        """[(pid, binding, generation, uptime, value)]"""
        try:
            return [line.split() for line in (self.dir / "told").read_text().splitlines()]
        except FileNotFoundError:
            return []

    def values(self):
        return [t[4] for t in self.told()]

    def wait_told(self, n):
        return wait_for(f"the command to run {n} times", lambda: len(self.told()) >= n and self.told())

    def close_gate(self):
        os.mkfifo(self.dir / "gate")

    def open_gate(self):
        gate = self.dir / "gate"
        fd = os.open(gate, os.O_RDWR)
        gate.unlink()
        os.write(fd, b"\n" * 100)
        return fd

    def only_good(self, value):
        (self.dir / "good").write_text(value)

    def hang(self):
        (self.dir / "hang").touch()


@pytest.fixture
def app():
    with tempfile.TemporaryDirectory() as tmp:
        os.chmod(tmp, 0o755)
        yield App(pathlib.Path(tmp))


@pytest.fixture
def web(own_server, make_agent, app):
    """A server with a secret that can be rotated, an agent, a command; the value that is in place."""
    def make(**binding):
        s = own_server
        s.put("app/db", {"password": "one"})
        s.ctl("rotation", "set", PATH, "--field", "password", "--timeout", "20s")
        a = make_agent(s, "web1", FILES)
        a.run_dir.chmod(0o711)
        row = {"name": "app", "reload": "exec", "command": [str(app.script)], "debounce": "0s", "min_interval": "0s",
               "timeout": "25s", **binding}
        a.extra = {"bindings": json.dumps([row])}
        a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
        a.start()
        wait_for("the first value to be applied:\n" + a.log(), lambda: state(s) == ("applied", 1))
        return s, a
    return make


def state(s):
    """What the host said last of the secret, as 'vaultctl where' tells it."""
    rows = s.client().get(f"sys/hosts/where/{PATH}").data["hosts"]
    return (rows[0]["state"], rows[0]["fetched"]) if rows else None


def binding(a):
    return a.status()["bindings"][0]


def begin(s):
    return subprocess.Popen([str(vaultd.BIN / "vaultctl"), "rotate", PATH], stdout=subprocess.PIPE,
                            stderr=subprocess.STDOUT, text=True,
                            env={"PATH": os.environ["PATH"], "HOME": str(s.tmp), "VAULT_ADDR": s.url,
                                 "VAULT_PIN": s.pin, "VAULT_TOKEN": s.root})


def test_a_rotation_ends_when_the_command_has_succeeded(web, app):
    s, a = web()
    assert app.values() == ["one"]
    app.close_gate()
    rotate = begin(s)
    told = app.wait_told(2)
    wait_for("the files to be acknowledged", lambda: state(s) == ("delivered", 2))
    value = s.read("app/db")["password"]
    assert told[1][1:3] == ["app", "2"] and told[1][4] == value == a.content("app", "password")
    assert binding(a)["state"] == "applying" and rotate.poll() is None, "nobody has said that it is applied"
    gate = app.open_gate()
    out, _ = rotate.communicate(timeout=60)
    os.close(gate)
    assert rotate.returncode == 0, out
    assert state(s) == ("applied", 2)
    b = binding(a)
    assert b["state"] == "rest" and b["generation"] == 2 and b["rejected"] == 0
    assert b["containers"][0]["state"] == "applied" and a.status()["commands"]["alive"]
    table = subprocess.run([str(vaultd.BIN / "vault-agent"), "status", "--config", str(a.config)], text=True,
                           capture_output=True, timeout=30).stdout
    assert "app      rest       exec            2  -\n  command: applied, generation 2" in table, table
    assert value not in a.log(), "a value is in nobody's log"


def test_a_command_that_fails_brings_the_value_before_back(web, app):
    s, a = web()
    app.only_good("one")
    p = s.ctl("rotate", PATH, check=False, fmt="")
    value = s.read("app/db")["password"]
    assert p.returncode == 21, p
    assert "rejected" in p.stdout and "the command: exit status 7" in p.stdout, p.stdout
    assert a.content("app", "password") == "one"
    # Four tries with the new value; then it was told that the old one is back.
    assert app.values() == ["one", value, value, value, value, "one"]
    b = binding(a)
    assert b["state"] == "rest" and b["generation"] == 1 and b["rejected"] == 2
    assert b["why"].startswith("the command: exit status 7, said ")
    assert value not in a.log()
    status = s.client().get(f"sys/rotation/status/{PATH}").data
    assert "late" in json.dumps(status), "policy wait: the old value stays valid"
    # What was rejected is not tried again by itself; a newer version is.
    app.only_good("three")
    s.put("app/db", {"password": "three"})
    wait_for("the newer version", lambda: state(s) == ("applied", 3))
    assert a.content("app", "password") == "three" and binding(a)["rejected"] == 0


def test_what_was_rejected_stays_rejected_when_the_agent_starts_again(web, app):
    s, a = web()
    app.only_good("one")
    assert s.ctl("rotate", PATH, check=False).returncode == 21
    n = len(app.told())
    a.stop()
    a.start()
    wait_for("the agent", lambda: a.status() and a.status()["connected"])
    assert a.content("app", "password") == "one" and state(s)[0] == "rejected"
    assert binding(a)["rejected"] == 2 and len(app.told()) == n, "nobody has to be told anything"


def test_a_command_that_hangs(web, app):
    s, a = web(timeout="1s")
    app.hang()
    p = s.ctl("rotate", PATH, check=False, fmt="")
    assert p.returncode == 21 and "the command: it did not end in 1000 ms" in p.stdout, p
    told = app.told()
    assert [t[4] for t in told] == ["one", s.read("app/db")["password"], "one"]
    assert not os.path.exists(f"/proc/{told[1][0]}"), "it was ended"
    assert a.content("app", "password") == "one"


def test_keep_leaves_the_new_value(web, app):
    s, a = web(on_unhealthy="keep")
    app.only_good("one")
    p = s.ctl("rotate", PATH, check=False, fmt="")
    assert p.returncode == 21 and "exit status 7" in p.stdout, p
    assert a.content("app", "password") == s.read("app/db")["password"]
    assert binding(a)["generation"] == 2 and binding(a)["rejected"] == 2


def test_kill_9_in_the_middle_of_a_round(web, app):
    s, a = web()
    app.close_gate()
    rotate = begin(s)
    told = app.wait_told(2)
    a.stop(signal.SIGKILL)
    wait_for("the command to end with the agent", lambda: not os.path.exists(f"/proc/{told[1][0]}"))
    assert rotate.poll() is None
    a.start()
    told = app.wait_told(3)
    assert told[2][2:3] + told[2][4:] == told[1][2:3] + told[1][4:], "the same generation is judged again"
    wait_for("the agent to say what is in place", lambda: state(s) == ("delivered", 2))
    gate = app.open_gate()
    assert rotate.communicate(timeout=60) and rotate.returncode == 0
    os.close(gate)
    assert state(s) == ("applied", 2)


def test_kill_9_keeps_the_way_back(web, app):
    s, a = web()
    app.close_gate()
    rotate = begin(s)
    app.wait_told(2)
    app.only_good("one")
    a.stop(signal.SIGKILL)
    a.start()
    app.wait_told(3)
    os.close(app.open_gate())
    out, _ = rotate.communicate(timeout=60)
    assert rotate.returncode == 21 and "exit status 7" in out, out
    assert a.content("app", "password") == "one"


def test_changes_that_come_together_are_one_reload(web, app):
    s, a = web(debounce="1s", min_interval="3s")
    for i in range(5):
        s.put("app/db", {"password": f"v{i}"})
    wait_for("the last", lambda: state(s) == ("applied", 6))
    told = app.told()
    assert told[-1][4] == "v4" and len(told) <= 3, "not one for each"
    ups = [float(t[3]) for t in told]
    assert all(b - a >= 2.9 for a, b in zip(ups, ups[1:])), "nobody is told twice within min_interval"


def test_as_another_user(web, app):
    if os.geteuid() != 0:
        pytest.skip("only root becomes somebody else")
    app.script.write_text(app.script.read_text() + f"id -u > {app.dir}/user\n")
    web(run_as="nobody")
    assert (app.dir / "user").read_text() == "65534\n"


def test_the_agent_survives_the_process_that_runs_commands(web, app):
    s, a = web()
    kids = subprocess.run(["pgrep", "-P", str(a.proc.pid)], capture_output=True, text=True).stdout.split()
    assert len(kids) == 1
    os.kill(int(kids[0]), signal.SIGKILL)
    p = s.ctl("rotate", PATH, check=False, fmt="")
    assert p.returncode == 21 and "the process that runs commands has gone" in p.stdout, p
    assert a.proc.poll() is None and a.content("app", "password") == "one"
    assert a.status()["commands"]["alive"] is False
    # Started again it can, and a new version is judged.
    a.stop()
    a.start()
    s.put("app/db", {"password": "three"})
    wait_for("the newer version", lambda: state(s) == ("applied", 3))
    assert app.values()[-1] == "three"


def test_a_revoked_lease_ends_what_is_open(web, app):
    s, a = web()
    app.close_gate()
    rotate = begin(s)
    app.wait_told(2)
    s.ctl("host", "revoke", "web1", "--yes")
    wait_for("the files to go", lambda: a.content("app", "password") is None)
    os.close(app.open_gate())
    rotate.communicate(timeout=60)
    assert a.content("app", "password") is None, "nothing is put back"


def keep_more(web_files, a):
    """More files than the fixture's, taken over while the agent runs."""
    a.files = web_files
    a.write_config()
    a.proc.send_signal(signal.SIGHUP)


def test_a_secret_that_is_revoked_keeps_nobody_from_hearing_of_another(web, app):
    """Both are in one binding, and the round that is open is for the one that stays."""
    s, a = web()
    s.put("app/other", {"key": "k"})
    keep_more([*FILES, {"path": "secret/app/other", "field": "key", "binding": "app", "mode": "0444"}], a)
    a.wait_content("app", "key", "k")
    app.wait_told(2)
    wait_for("the round with both", lambda: binding(a)["state"] == "rest")
    app.close_gate()
    rotate = begin(s)
    app.wait_told(3)
    wait_for("the files to be acknowledged", lambda: state(s) == ("delivered", 2))
    assert s.client().delete("secret/metadata/app/other").status == 204
    wait_for("the other file to go", lambda: a.content("app", "key") is None)
    gate = app.open_gate()
    out, _ = rotate.communicate(timeout=60)
    os.close(gate)
    assert rotate.returncode == 0, out
    assert state(s) == ("applied", 2) and binding(a)["state"] == "rest"


def test_a_binding_that_goes_keeps_nobody_from_hearing_of_others(web, app):
    """The secret is in two; the one with the open round is taken out of the settings."""
    s, a = web()
    keep_more([*FILES, {**FILES[0], "binding": "quiet"}], a)
    a.wait_content("quiet", "password", "one")
    app.close_gate()
    rotate = begin(s)
    app.wait_told(2)
    wait_for("the files to be acknowledged", lambda: state(s) == ("delivered", 2))
    a.extra = {}
    keep_more([{**FILES[0], "binding": "quiet"}], a)
    wait_for("the binding to go", lambda: not (a.run_dir / "app").exists())
    out, _ = rotate.communicate(timeout=60)
    os.close(app.open_gate())
    assert rotate.returncode == 0, out
    assert state(s) == ("applied", 2)


NOBODY = 65534


@pytest.fixture
def unprivileged(own_server, app):
    """An agent that is nobody from the start, and may read and write what it needs."""
    base = pathlib.Path(tempfile.mkdtemp(prefix="vault-nobody-"))
    base.chmod(0o755)
    own_server.put("app/db", {"password": "one"})
    own_server.ctl("rotation", "set", PATH, "--field", "password", "--timeout", "20s")
    a = vaultd.Agent(base, own_server, "web1", FILES)
    a.user = NOBODY
    for path in (a.tmp, a.run_dir):
        os.chown(path, NOBODY, NOBODY)

    def start(**binding):
        a.extra = {"bindings": json.dumps([{"name": "app", "reload": "exec", "command": [str(app.script)], "debounce": "0s",
                                            "min_interval": "0s", "timeout": "25s", **binding}])}
        a.join(own_server.add_host("web1", ["secret/app/*"])["join_token"])
        return a.start()
    try:
        yield own_server, a, start
    finally:
        a.clean()
        shutil.rmtree(base)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_an_agent_that_is_not_root_runs_commands_as_itself(unprivileged, app):
    s, a, start = unprivileged
    start()
    told = app.wait_told(1)
    assert told[0][4] == "one" and (app.dir / "told").stat().st_uid == NOBODY
    wait_for("the first value to be applied", lambda: state(s) == ("applied", 1))
    assert (a.run_dir / "app/password").stat().st_uid == NOBODY
    rotate = begin(s)
    out, _ = rotate.communicate(timeout=60)
    assert rotate.returncode == 0, out
    assert state(s) == ("applied", 2) and app.values()[-1] == s.read("app/db")["password"]
    app.only_good(app.values()[-1])
    s.put("app/db", {"password": "bad"})
    wait_for("the way back", lambda: state(s)[0] == "rejected")
    assert a.content("app", "password") == app.values()[1], "the value before"


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user")
def test_an_agent_that_is_not_root_runs_nothing_as_another(unprivileged, app):
    s, a, start = unprivileged
    with pytest.raises(AssertionError, match="only root can run a command as 'root'"):
        start(run_as="root")
