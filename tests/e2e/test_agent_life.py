# SPDX-License-Identifier: Apache-2.0
"""vault-agent on a host's terms: files, rotation, revocation, crashes of either side."""
import json
import os
import pwd
import shutil
import signal
import subprocess
import uuid

import pytest

import hostwire
from vaultd import wait_for


def name_for(prefix="h"):
    return f"{prefix}-{uuid.uuid4().hex[:8]}"


def file_of(path, field="password", **more):
    return {"path": path, "field": field, "binding": "db", "name": field, **more}


class Place:
    """A secret, a role of its own, and hosts that hold it."""

    def __init__(self, server, make_agent):
        self.server, self.make_agent = server, make_agent
        self.key = f"place/{uuid.uuid4().hex[:8]}"
        self.path = f"secret/{self.key}"
        self.role = name_for("role")
        server.put(self.key, {"password": "first-value", "user": "app"})

    def host(self, files=None, start=True):
        name = name_for()
        added = self.server.add_host(name, [self.path], role=self.role)
        agent = self.make_agent(self.server, name, files or [file_of(self.path)])
        agent.join(added["join_token"])
        agent.join_token = added["join_token"]
        if start:
            agent.start()
            agent.wait_content("db", "password", self.server.read(self.key)["password"])
        return agent

    def rule(self):
        self.server.ctl("rotation", "set", self.path, "--field", "password", "--length", "40")

    def leases(self, agent):
        return self.server.client().list(f"sys/vault-leases?path={self.path}&host={agent.name}").data["keys"]

    def rotate(self, *args, **kw):
        return self.server.ctl("rotate", self.path, *args, **kw)

    def converged(self):
        """Every lease holder has applied the current version, by the server's account."""
        want = self.server.client().get(f"secret/data/{self.key}").data["metadata"]["version"]
        info = self.server.client().list(f"sys/vault-leases?path={self.path}").data["key_info"]
        return bool(info) and all(row["applied"] == want for row in info.values())


@pytest.fixture
def place(server, make_agent):
    return Place(server, make_agent)


@pytest.fixture
def own_place(own_server, make_agent):
    return Place(own_server, make_agent)


def show(server, name):
    return server.client().get(f"sys/hosts/{name}").data


def test_join_delivers_with_mode_owner_and_tmpfs(place):
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    agent = place.host([file_of(place.path, mode="0440"),
                        file_of(place.path, "user", mode="0444", owner=user)])
    agent.wait_content("db", "user", "app")
    st = os.stat(agent.file("db", "password"))
    assert st.st_mode & 0o7777 == 0o440
    assert st.st_uid == os.geteuid()
    st = os.stat(agent.file("db", "user"))
    assert st.st_mode & 0o7777 == 0o444
    assert st.st_uid == pwd.getpwnam(user).pw_uid
    kind = subprocess.run(["stat", "-f", "-L", "-c", "%T", str(agent.file("db", "password"))],
                          text=True, capture_output=True, check=True).stdout.strip()
    assert kind == "tmpfs"
    # What is kept on disk is the identity, for its owner alone, and no value.
    for f in agent.state_dir.rglob("*"):
        if f.is_file():
            assert f.stat().st_mode & 0o077 == 0, f
            assert b"first-value" not in f.read_bytes(), f



def test_rotate_converges_on_all_hosts(place):
    agents = [place.host() for _ in range(3)]
    place.rule()
    doc = json.loads(place.rotate("--timeout", "60s").stdout)["data"]
    assert doc["state"] == "converged"
    assert {h["host"] for h in doc["holders"]} == {a.name for a in agents}
    assert all(h["state"] == "applied" and not h["late"] for h in doc["holders"])
    value = place.server.read(place.key)["password"]
    assert len(value) == 40 and value != "first-value"
    # The command has returned: no waiting here.
    assert [a.content("db", "password") for a in agents] == [value] * 3
    assert place.server.read(place.key)["user"] == "app"
    assert value not in json.dumps(doc)


def test_a_stopped_agent_is_named_late(place):
    quick, slow = place.host(), place.host()
    place.rule()
    wait_for("both to have applied", place.converged)
    os.kill(slow.proc.pid, signal.SIGSTOP)
    try:
        p = place.rotate("--timeout", "2s", check=False)
        assert p.returncode == 21, (p.stdout, p.stderr)
        assert slow.name in p.stderr and quick.name not in p.stderr
        doc = json.loads(p.stdout)["data"]
        assert {h["host"]: h["late"] for h in doc["holders"]} == {quick.name: False, slow.name: True}
        value = place.server.read(place.key)["password"]
        assert quick.content("db", "password") == value
        assert slow.content("db", "password") == "first-value"
    finally:
        os.kill(slow.proc.pid, signal.SIGCONT)
    slow.wait_content("db", "password", value)


def test_a_killed_agent_is_named_late_in_the_table_too(place):
    agent = place.host()
    place.rule()
    wait_for("it to have applied", place.converged)
    agent.stop(signal.SIGKILL)
    p = place.rotate("--timeout", "2s", check=False, fmt=None)
    assert p.returncode == 21, (p.stdout, p.stderr)
    assert agent.name in p.stdout and agent.name in p.stderr
    assert "1 of 1 holders have not applied" in p.stderr
    agent.start()
    agent.wait_content("db", "password", place.server.read(place.key)["password"])


def test_rotate_without_a_holder_converges_at_once(place):
    place.rule()
    p = place.rotate("--timeout", "2s", fmt=None)
    assert "No host holds this secret." in p.stdout
    assert place.server.read(place.key)["password"] != "first-value"


def test_revoking_the_host_wipes_its_files(place):
    agent, other = place.host(), place.host()
    p = place.server.ctl("host", "revoke", agent.name, check=False)
    assert p.returncode == 2 and "--yes" in p.stderr
    held = os.open(agent.file("db", "password"), os.O_RDONLY)
    try:
        place.server.ctl("host", "revoke", agent.name, "--yes")
        wait_for("the files to go", lambda: not agent.file("db", "password").exists())
        assert b"first-value" not in os.pread(held, 100, 0), "the bytes are overwritten, not only unlinked"
    finally:
        os.close(held)
    assert [f for f in agent.run_dir.rglob("*") if f.is_file()] == []
    assert show(place.server, agent.name)["state"] == "revoked"
    assert other.content("db", "password") == "first-value"
    # Nothing comes back to it.
    place.server.put(place.key, {"password": "after", "user": "app"})
    other.wait_content("db", "password", "after")
    assert not agent.file("db", "password").exists()


def test_revoking_a_lease_wipes_the_file(place):
    agent, other = place.host(), place.host()
    lease, = place.leases(agent)
    place.server.ctl("lease", "revoke", lease)
    wait_for("the file to go", lambda: not agent.file("db", "password").exists())
    assert other.content("db", "password") == "first-value"
    assert show(place.server, agent.name)["state"] == "active"


def test_agent_keeps_files_over_kill_9_and_restart(place):
    agent = place.host()
    inode = os.stat(agent.file("db", "password")).st_ino
    agent.stop(signal.SIGKILL)
    assert agent.content("db", "password") == "first-value"
    agent.start()
    wait_for("the agent's status", agent.status)
    wait_for("convergence", place.converged)
    assert agent.content("db", "password") == "first-value"
    assert os.stat(agent.file("db", "password")).st_ino == inode
    proc = agent.proc
    agent.stop()
    assert proc.returncode == 0
    assert agent.content("db", "password") == "first-value"


def test_a_change_while_the_agent_was_dead_arrives(place):
    agent = place.host()
    agent.stop(signal.SIGKILL)
    place.server.put(place.key, {"password": "meanwhile", "user": "app"})
    agent.start()
    agent.wait_content("db", "password", "meanwhile")


def test_a_revocation_while_the_agent_was_dead_is_carried_out_later(place):
    agent = place.host()
    agent.stop(signal.SIGKILL)
    place.server.ctl("host", "revoke", agent.name, "--yes")
    assert agent.content("db", "password") == "first-value"
    agent.start()
    wait_for("the files to go", lambda: not agent.file("db", "password").exists())


def test_a_used_join_token_is_refused(place, make_agent):
    agent = place.host()
    thief = make_agent(place.server, agent.name + "-thief", [file_of(place.path)])
    p = thief.join(agent.join_token, check=False)
    assert p.returncode != 0
    assert agent.join_token not in p.stdout + p.stderr
    assert [f for f in thief.state_dir.rglob("*") if f.is_file()] == []
    alarms = show(place.server, agent.name)["alarms"]
    assert [a["kind"] for a in alarms] == ["join token used again"]
    assert agent.content("db", "password") == "first-value"


def test_a_made_up_join_token_is_refused(place, make_agent):
    agent = make_agent(place.server, name_for(), [file_of(place.path)])
    p = agent.join("vlt_j_nonsense", check=False)
    assert p.returncode == 3 and "that is no join token" in p.stderr


def test_joining_twice_needs_force(place):
    agent = place.host()
    p = agent.join(agent.join_token, check=False)
    assert p.returncode == 6 and "has joined already" in p.stderr


MAGIC = b"vault-agent identity 1\n"


def test_a_join_by_force_that_was_killed_is_finished_at_the_next_start(place, own_server):
    """Of the vault before are a log and versions; they must not be held against another."""
    agent = place.host()
    place.server.put(place.key, {"password": "second", "user": "app"})
    agent.wait_content("db", "password", "second")
    agent.stop()
    kept = {f: (agent.state_dir / f).read_bytes() for f in ("floor", "checkpoint")}
    agent.server = own_server
    own_server.put(place.key, {"password": "of another vault"})
    agent.join(own_server.add_host(agent.name, [place.path])["join_token"], force=True)
    assert not any((agent.state_dir / f).exists() for f in kept)
    # As it was when the new identity was on disk, and nothing else was done.
    identity = hostwire.decode((agent.state_dir / "identity").read_bytes()[len(MAGIC):])
    (agent.state_dir / "identity").write_bytes(MAGIC + hostwire.encode({**identity, "fresh": True}))
    for name, content in kept.items():
        (agent.state_dir / name).write_bytes(content)
    agent.start()
    agent.wait_content("db", "password", "of another vault")
    assert agent.status()["alarm"] == ""
    assert "fresh" not in hostwire.decode((agent.state_dir / "identity").read_bytes()[len(MAGIC):])


def test_a_copied_identity_raises_an_alarm(place, make_agent):
    agent = place.host(start=False)
    clone = make_agent(place.server, agent.name + "-clone", [file_of(place.path)])
    clone.write_config()
    shutil.copytree(agent.state_dir, clone.state_dir)
    agent.start()
    agent.wait_content("db", "password", "first-value")
    wait_for("its own word", place.converged)
    clone.start()
    alarms = wait_for("the alarm", lambda: show(place.server, agent.name)["alarms"])
    assert alarms[0]["kind"] == "two agents with one identity"
    wait_for("the first agent to say so", lambda: agent.status().get("alarm") == alarms[0]["kind"])
    assert clone.content("db", "password") is None
    assert agent.content("db", "password") == "first-value"
    p = place.server.ctl("host", "list", fmt=None)
    row = next(line for line in p.stdout.splitlines() if line.startswith(agent.name + " "))
    assert row.split()[-1] != "0"


def test_a_host_gets_only_what_its_role_allows(place):
    place.server.put(place.key + "-other", {"password": "not-for-it"})
    agent = place.host([file_of(place.path),
                        {"path": place.path + "-other", "field": "password", "binding": "x", "name": "p"}])
    wait_for("convergence", place.converged)
    place.server.put(place.key, {"password": "next", "user": "app"})
    agent.wait_content("db", "password", "next")
    assert agent.content("x", "p") is None


def test_server_restart_while_the_agent_runs(own_place):
    server = own_place.server
    agent = own_place.host()
    own_place.rule()
    assert server.stop() == 0
    assert agent.content("db", "password") == "first-value"
    server.start()
    assert agent.content("db", "password") == "first-value"
    server.unseal()
    server.put(own_place.key, {"password": "after-restart", "user": "app"})
    agent.wait_content("db", "password", "after-restart", 90)
    wait_for("convergence", own_place.converged)
    doc = json.loads(own_place.rotate("--timeout", "60s").stdout)["data"]
    assert doc["state"] == "converged"
    assert agent.content("db", "password") == server.read(own_place.key)["password"]
