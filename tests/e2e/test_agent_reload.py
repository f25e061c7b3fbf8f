# SPDX-License-Identifier: Apache-2.0
"""The agent's settings while it runs: SIGHUP takes them over as a whole, or not at all; check says beforehand."""
import json
import os
import signal
import stat
import subprocess

import pytest

from vaultd import BIN, wait_for

PW = {"path": "secret/app/db", "binding": "app", "field": "password"}
ENV = {"path": "secret/app/db", "binding": "app", "name": "db.env", "format": "env"}
KEY = {"path": "secret/app/key", "binding": "other", "field": "key"}


@pytest.fixture
def place(own_server, make_agent):
    s = own_server
    s.put("app/db", {"user": "u", "password": "p1"})
    s.put("app/key", {"key": "k1"})
    a = make_agent(s, "web1", [PW, KEY])
    a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
    a.start()
    a.wait_content("app", "password", "p1")
    a.wait_content("other", "key", "k1")
    return s, a


def hup(a, files, **extra):
    a.files = files
    a.extra.update(extra)
    a.write_config()
    a.proc.send_signal(signal.SIGHUP)


def settings_error(a):
    """By its socket: the file may be no good."""
    p = subprocess.run([str(BIN / "vault-agent"), "status", "--socket", str(a.socket), "--format", "json"], text=True,
                       capture_output=True, timeout=30, check=True)
    return json.loads(p.stdout)["settings_error"]


def check(a):
    return subprocess.run([str(BIN / "vault-agent"), "check", "--config", str(a.config)], text=True,
                          capture_output=True, timeout=30)


def test_other_files_are_taken_over(place):
    s, a = place
    hup(a, [{**PW, "mode": "0440", "name": "pw"}, ENV])
    a.wait_content("app", "db.env", "password=p1\nuser=u\n")
    assert a.content("app", "pw") == "p1"
    assert stat.S_IMODE(os.stat(a.file("app", "pw")).st_mode) == 0o440
    assert a.content("app", "password") is None, "nobody wants it any more"
    assert not (a.run_dir / "other").exists()
    wait_for("the lease to be given up", lambda: [x["path"] for x in s.client().list("sys/vault-leases")
             .data["key_info"].values() if x["state"] != "wiped"] == ["secret/app/db"])
    s.put("app/db", {"user": "u", "password": "p2"})
    a.wait_content("app", "pw", "p2")
    assert settings_error(a) == ""
    # The same again changes nothing.
    before = os.readlink(a.run_dir / "app" / "..data")
    a.proc.send_signal(signal.SIGHUP)
    wait_for("it", lambda: a.log().count("took the settings over") == 2)
    assert os.readlink(a.run_dir / "app" / "..data") == before
    # Another mode alone is another file.
    hup(a, [{**PW, "name": "pw"}, ENV])
    wait_for("the mode", lambda: stat.S_IMODE(os.stat(a.file("app", "pw")).st_mode) == 0o400)
    assert a.content("app", "pw") == "p2"


BAD = {
    "a mistake": ([{**PW, "mod": "0440"}], {}, "mod"),
    "no such owner": ([{**PW, "owner": "nobody-of-that-name"}], {}, "there is no user"),
    "what was opened at the start": ([ENV], {"tmpfs_size": "1m"}, "tmpfs_size cannot change while the agent runs"),
    "what was locked": ([ENV], {"require_sandbox": "true"}, "require_sandbox cannot change while the agent runs"),
    "a command that was not there": (
        [ENV], {"bindings": "[{name: app, reload: exec, command: [/bin/true]}]"},
        "binding 'app': a command cannot be added while the agent runs"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_wrong_changes_nothing(place, name):
    s, a = place
    files, extra, why = BAD[name]
    hup(a, files, **extra)
    wait_for("an error", lambda: why in settings_error(a))
    assert "the settings are as they were" in a.log()
    s.put("app/db", {"user": "u", "password": "p2"})
    a.wait_content("app", "password", "p2")
    assert a.content("app", "db.env") is None and a.content("other", "key") == "k1"
    a.extra.clear()
    hup(a, [PW, ENV, KEY])
    a.wait_content("app", "db.env", "password=p2\nuser=u\n")
    assert settings_error(a) == ""


def test_check_says_beforehand(place):
    _, a = place
    p = check(a)
    assert (p.returncode, p.stdout, p.stderr) == (0, "2 files in 2 bindings, made of 2 secrets\n", "")
    a.files = [{**PW, "mod": "0440"}]
    a.write_config()
    p = check(a)
    assert p.returncode == 2 and p.stdout == "" and "mod" in p.stderr and "agent.yaml:" in p.stderr
