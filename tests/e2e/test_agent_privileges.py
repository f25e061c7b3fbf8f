# SPDX-License-Identifier: Apache-2.0
"""What the agent and the process that runs its commands may still do once they run, as the kernel tells it."""
import json
import os
import pathlib
import re
import subprocess

import pytest

from vaultd import SANITIZED, wait_for

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root has something to give up")

CHOWN, DAC_OVERRIDE, FOWNER, KILL, SETGID, SETUID = (1 << n for n in (0, 1, 3, 5, 6, 7))
VALUE = "canary-5f1d8c0e7a"
FILES = [{"path": "secret/app/db", "field": "password", "binding": "app", "name": "password", "owner": "nobody",
          "mode": "0400"},
         {"path": "secret/app/other", "field": "key", "binding": "app", "name": "key", "owner": "nobody"}]


@pytest.fixture
def agent(own_server, make_agent):
    def make(**extra):
        s = own_server
        s.put("app/db", {"password": VALUE})
        s.put("app/other", {"key": "k1"})
        a = make_agent(s, "web1", FILES)
        a.extra = {"bindings": json.dumps([{"name": "app", "reload": "exec", "command": ["/bin/true"],
                                            "run_as": "nobody", "debounce": "0s", "min_interval": "0s"}]), **extra}
        a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
        a.start()
        a.wait_content("app", "password", VALUE)
        return a
    return make


def missing(a):
    """What the sandbox could not do here."""
    return wait_for("the status", a.status)["not_enforced"]


def status(pid):
    text = pathlib.Path(f"/proc/{pid}/status").read_text()
    return dict(re.findall(r"^(\w+):\s+(.*)$", text, re.M))


def capabilities(pid):
    st = status(pid)
    assert int(st["CapInh"], 16) == 0 and int(st["CapAmb"], 16) == 0
    assert st["CapPrm"] == st["CapEff"]
    assert int(st["CapBnd"], 16) & int(st["CapEff"], 16) == int(st["CapBnd"], 16), "none can come back"
    return int(st["CapEff"], 16)


def hook_of(a):
    kids = subprocess.run(["pgrep", "-P", str(a.proc.pid)], capture_output=True, text=True).stdout.split()
    assert len(kids) == 1, kids
    return int(kids[0])


def test_no_capability_but_those_of_owners(agent):
    a = agent()
    assert missing(a) == [] or SANITIZED, "nothing is left out on this machine"
    assert capabilities(a.proc.pid) == CHOWN | FOWNER
    assert capabilities(hook_of(a)) == KILL | SETGID | SETUID
    for pid in (a.proc.pid, hook_of(a)):
        st = status(pid)
        assert st["NoNewPrivs"] == "1"
        assert st["Seccomp"] == "2" or SANITIZED
        assert re.search(r"Max core file size\s+0\s+0\s", pathlib.Path(f"/proc/{pid}/limits").read_text())


def test_dac_override_where_it_is_configured(agent):
    assert capabilities(agent(dac_override="true").proc.pid) == CHOWN | FOWNER | DAC_OVERRIDE


def test_files_of_others_without_the_right_to_read_them(agent, own_server):
    a = agent()
    s = own_server
    s.put("app/db", {"password": "two"})
    a.wait_content("app", "password", "two")
    assert a.content("app", "key") == "k1", "carried over"
    assert (a.run_dir / "app/key").stat().st_uid == 65534
    a.stop()
    a.start()
    before = wait_for("the agent", lambda: (a.status() or {}).get("connected") and a.status())["deliveries"]
    assert before == 0, "what is in place was known to be good"
    s.put("app/other", {"key": "k2"})
    a.wait_content("app", "key", "k2")
    assert a.content("app", "password") == "two"
    held = os.open(a.run_dir / "app/password", os.O_RDONLY)
    s.ctl("host", "revoke", "web1", "--yes")
    wait_for("the files to go", lambda: a.content("app", "password") is None and a.content("app", "key") is None)
    assert os.pread(held, 100, 0) == b"", "overwritten for those who have it open"
    os.close(held)


def test_what_runs_commands_knows_no_secret(agent):
    a = agent()
    hook = hook_of(a)
    links = {int(fd): os.readlink(f"/proc/{hook}/fd/{fd}") for fd in os.listdir(f"/proc/{hook}/fd")}
    kinds = sorted(link.split(":")[0] for fd, link in links.items() if fd > 2)
    assert kinds == [f"/proc/{hook}/task/{hook}/children", "anon_inode", "socket"], links
    maps = pathlib.Path(f"/proc/{hook}/maps").read_text()
    assert "secretmem" not in maps, "key memory is shared with children"
    secrets = [VALUE.encode(), *keys(a)]
    with open(f"/proc/{hook}/mem", "rb") as mem:
        for start, end in re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", maps, re.M):
            start, end = int(start, 16), int(end, 16)
            mem.seek(start)
            try:
                piece = mem.read(end - start)
            except OSError:
                continue
            for s in secrets:
                assert s not in piece
    for name in ("cmdline", "environ"):
        assert VALUE not in pathlib.Path(f"/proc/{hook}/{name}").read_text(errors="replace")


def keys(a):
    """The secret halves of the identity."""
    text = (a.state_dir / "identity").read_bytes()
    found = re.findall(rb"(?s)(?:sign_sk\x05\0\0\0\x40|box_sk\x05\0\0\0\x20)(.{32})", text)
    assert len(found) == 2, "the identity is kept in another form"
    return found
