# SPDX-License-Identifier: Apache-2.0
"""The life of a host's identity: new keys whatever happens on the way, storage, and who may end it."""
import os
import shutil
import signal
import subprocess

import pytest

import hostwire
import vaultd
from liar import Liar, Reply
from vaultd import wait_for

FILES = [{"path": "secret/app/db", "field": "password", "binding": "db", "name": "password"}]
MAGIC = b"vault-agent identity 1\n"


class Scene:
    """A server, somebody before it who can keep back what passes, and an agent."""

    def __init__(self, server, make_agent):
        self.server, self.net = server, Liar(server)
        server.put("app/db", {"password": "one"})
        self.agent = make_agent(self.net, "web1", FILES)
        self.agent.extra = {"bindings": '[{name: "db", cache: "encrypted"}]'}
        self.added = server.add_host("web1", ["secret/app/*"])

    def run(self):
        self.agent.join(self.added["join_token"])
        self.agent.start()
        self.agent.wait_content("db", "password", "one")
        wait_for("the cache", lambda: list((self.agent.state_dir / "cache").glob("?" * 32)))
        return self

    def identity(self):
        raw = (self.agent.state_dir / "identity").read_bytes()
        assert raw.startswith(MAGIC)
        return hostwire.decode(raw[len(MAGIC):])

    def store(self, identity):
        (self.agent.state_dir / "identity").write_bytes(MAGIC + hostwire.encode(identity))

    def show(self):
        return self.server.client().get("sys/hosts/web1").data

    def ask(self):
        return subprocess.run([vaultd.BIN / "vault-agent", "rekey", "--config", self.agent.config], text=True,
                              capture_output=True, timeout=90, check=False)

    def want(self):
        """Ask for new keys, and do not wait."""
        return subprocess.Popen([vaultd.BIN / "vault-agent", "rekey", "--config", self.agent.config],
                                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def changes_arrive(self, value):
        self.server.put("app/db", {"password": value})
        self.agent.wait_content("db", "password", value, 60)

    def has_new_keys(self, old):
        """In use on both sides, the old ones forgotten, and nobody is alarmed."""
        def done():
            i = self.identity()
            return i["sign_pk"] != old["sign_pk"] and "next" not in i and "last_box_sk" not in i and i
        new = wait_for(f"new keys\n{self.agent.log()[-1500:]}", done, 60)
        assert new["box_pk"] != old["box_pk"] and new["digest_key"] == old["digest_key"]
        wait_for("the vault to know", lambda: self.show()["rekey_pending"] is False)
        assert self.show()["alarms"] == []
        return new

    def boot_without_the_vault(self, value):
        assert self.agent.status(), "it is done with the delivery"
        self.agent.stop(signal.SIGKILL)
        self.net.answer = lambda path, _: Reply(503, {"errors": ["away"]})
        shutil.rmtree(self.agent.run_dir)
        self.agent.run_dir.mkdir()
        self.agent.start()
        self.agent.wait_content("db", "password", value)


@pytest.fixture
def scene(own_server, make_agent):
    s = Scene(own_server, make_agent)
    yield s
    s.agent.stop()
    s.net.stop()


def test_new_keys_on_request(scene):
    scene.run()
    old, inode = scene.identity(), os.stat(scene.agent.file("db", "password")).st_ino
    p = scene.ask()
    assert p.returncode == 0 and p.stdout.startswith("new keys since 20"), (p.stdout, p.stderr)
    scene.has_new_keys(old)
    assert os.stat(scene.agent.file("db", "password")).st_ino == inode, "files are not touched"
    scene.changes_arrive("two")
    scene.agent.stop()
    scene.agent.start()
    scene.changes_arrive("three")
    scene.boot_without_the_vault("three")


def test_new_keys_when_the_old_ones_are_old(scene):
    scene.run()
    scene.agent.stop()
    old = scene.identity()
    month = 30 * 86400 * 1000
    scene.store({**old, "keys_since": old["keys_since"] - month * 11 // 10 - 60000})
    scene.agent.start()
    scene.has_new_keys(old)
    scene.changes_arrive("two")


def test_an_identity_of_a_former_version_is_taken(scene):
    scene.run()
    scene.agent.stop()
    old = scene.identity()
    scene.store({k: v for k, v in old.items() if k not in ("keys_since", "digest_key")})
    inode = os.stat(scene.agent.file("db", "password")).st_ino
    scene.agent.start()
    wait_for("a connection", lambda: (s := scene.agent.status()) and s["connected"])
    assert os.stat(scene.agent.file("db", "password")).st_ino == inode
    scene.changes_arrive("two")
    assert scene.identity()["sign_pk"] == old["sign_pk"], "no reason for new keys yet"


# Where the agent is killed, and what it finds when it comes back.
STEPS = {
    "made, nothing said": ("auth/host/rekey", "before"),
    "announced, not heard": ("auth/host/rekey", "after"),
    "challenge asked": ("auth/host/challenge", "before"),
    "login sent, not arrived": ("auth/host/login", "before"),
    "login done, not heard": ("auth/host/login", "after"),
    "first word with new keys": ("sys/agent/sync", "before"),
}


@pytest.mark.parametrize("step", STEPS)
def test_killed_at_every_step(scene, step):
    path, when = STEPS[step]
    scene.run()
    old, reached = scene.identity(), []

    def kill(*_):
        if path != _[0] or reached:
            return None
        reached.append(path)
        scene.agent.proc.kill()
        scene.agent.proc.wait(30)
        return Reply(503, {"errors": ["late"]})

    if when == "before":
        scene.net.answer = kill
    else:
        scene.net.lie = kill
    client = scene.want()
    wait_for(f"'{step}'", lambda: reached)
    client.wait(90)
    scene.net.honest()
    scene.agent.proc = None
    known = scene.identity()
    assert "next" in known or known["sign_pk"] != old["sign_pk"], "what is said is on disk"
    scene.agent.start()
    scene.has_new_keys(old)
    scene.changes_arrive("two")
    scene.boot_without_the_vault("two")


def test_replies_that_get_lost(scene):
    """The same without a kill: the network process answers with errors at each step, once."""
    scene.run()
    old, lost = scene.identity(), set()

    def lose(path, *_):
        if path in lost or path not in ("auth/host/rekey", "auth/host/login", "sys/agent/sync"):
            return None
        lost.add(path)
        return Reply(503, {"errors": ["late"]})

    scene.net.lie = lose
    assert scene.ask().returncode == 0, scene.agent.log()[-2000:]
    assert len(lost) == 3
    scene.has_new_keys(old)
    scene.changes_arrive("two")


def test_a_refusal_by_somebody_else_does_not_look_like_a_clone(scene):
    """A proxy refuses logins: the agent does not fall back to keys that were cut."""
    scene.run()
    old = scene.identity()
    refused = []

    def answer(path, _):
        if path == "auth/host/login" and len(refused) < 3:
            refused.append(path)
            return Reply(403, {"errors": ["blocked by policy"]})
        return None

    scene.net.answer = answer
    assert scene.ask().returncode == 0
    scene.has_new_keys(old)
    assert len(refused) == 3


def test_a_vault_that_refuses_new_keys_changes_nothing(scene):
    scene.run()
    old = scene.identity()
    scene.net.answer = lambda path, _: Reply(400, {"errors": ["rekey: no"]}) if path == "auth/host/rekey" else None
    client = scene.want()
    wait_for("the refusal", lambda: "new keys were refused" in scene.agent.log())
    client.kill()
    client.wait()
    wait_for("them to go", lambda: "next" not in scene.identity())
    assert scene.identity()["sign_pk"] == old["sign_pk"]
    scene.changes_arrive("two")


def test_a_copy_from_before_is_found(scene, make_agent):
    scene.run()
    scene.agent.stop()
    clone = make_agent(scene.net, "clone", FILES)
    clone.write_config()
    shutil.copytree(scene.agent.state_dir, clone.state_dir)
    scene.agent.start()
    wait_for("a connection", lambda: (s := scene.agent.status()) and s["connected"])
    assert scene.ask().returncode == 0
    clone.start()
    alarms = wait_for("the alarm", lambda: scene.show()["alarms"])
    assert alarms[0]["kind"] == "two agents with one identity"
    scene.changes_arrive("two")
    assert clone.content("db", "password") is None


# ---- kept apart from the disk ----

def test_the_identity_is_sealed_by_a_credential(scene, tmp_path, monkeypatch):
    """In the clear first; sealed when the unit has a credential, whatever happens to the keys."""
    scene.run()
    scene.agent.stop()
    plain = scene.identity()
    creds = tmp_path / "creds"
    creds.mkdir()
    (creds / "vault-agent.key").write_bytes(os.urandom(32))
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(creds))
    scene.agent.start()
    wait_for("a connection", lambda: (s := scene.agent.status()) and s["connected"])
    file = scene.agent.state_dir / "identity"
    assert scene.ask().returncode == 0
    scene.boot_without_the_vault("one")
    scene.agent.stop()
    raw = file.read_bytes()  # not before: the new keys are stored more than once
    assert raw.startswith(b"vault-agent identity sealed 1\n") and plain["box_sk"] not in raw and b"web1" not in raw
    for content in (None, os.urandom(32), b"short"):
        if content is None:
            monkeypatch.delenv("CREDENTIALS_DIRECTORY")
        else:
            monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(creds))
            (creds / "vault-agent.key").write_bytes(content)
        p = subprocess.run([vaultd.BIN / "vault-agent", "run", "--config", scene.agent.config], text=True,
                           capture_output=True, timeout=30, check=False)
        assert p.returncode != 0 and "vault-agent.key" in p.stderr and file.read_bytes() == raw, p.stderr
    assert scene.agent.content("db", "password") == "one", "nothing is touched"


# ---- a fleet is not wiped by accident ----

@pytest.mark.parametrize("reply", [
    Reply(403, {"errors": ["permission denied"]}), Reply(404, {"errors": []}), Reply(200, {}), Reply(200, None),
    Reply(200, {"data": {}}), Reply(200, {"data": {"leases": [], "events": [], "rev": 9, "pins": []}}), Reply(401, None),
    Reply(403, {"errors": ["the host was revoked"], "data": {"order": {"op": "wipe", "generation": 1, "signature": "AA=="}}}),
    Reply(400, {"errors": ["login refused"]}), Reply(410, {"errors": ["gone"]}), Reply(500, {"errors": ["x"]}),
], ids=lambda r: f"{r.status}-{'none' if r.doc is None else '-'.join(r.doc) or 'empty'}")
def test_a_misconfigured_server_wipes_nothing(scene, reply):
    """Whatever a proxy, another server or an empty database answers: files stay until the vault itself says so."""
    scene.agent.lied_to = True
    scene.run()
    asked = []
    scene.net.answer = lambda path, _: asked.append(path) or reply
    scene.server.put("app/db", {"password": "two"})
    wait_for("it to be offline", lambda: (s := scene.agent.status()) and s["state"] != "connected", 90)
    assert len(asked) < 500, "it does not spin"
    scene.agent.stop(signal.SIGKILL)
    scene.agent.start()
    wait_for("some attempts", lambda: (s := scene.agent.status()) and s["error"])
    st = scene.agent.status()
    assert scene.agent.content("db", "password") in ("one", "two") and st["wipes"] == 0 and st["state"] != "revoked", st
    assert list((scene.agent.state_dir / "cache").glob("?" * 32))
    scene.net.honest()
    scene.agent.wait_content("db", "password", "two", 90)


def test_a_server_with_another_key_wipes_nothing(own_server, make_agent, tmp_path):
    s = own_server
    s.put("app/db", {"password": "one"})
    a = make_agent(s, "web1", FILES)
    a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
    a.start()
    a.wait_content("db", "password", "one")
    s.stop()
    (tmp_path / "other").mkdir()
    other = vaultd.Server(tmp_path / "other")
    other.port, other.hosts_port = s.port, s.hosts_port
    other.start()
    try:
        other.init()
        st = wait_for("the refusal", lambda: (x := a.status()) and x["state"] == "offline" and "key" in x["error"] and x, 60)
        assert a.content("db", "password") == "one" and st["wipes"] == 0
    finally:
        other.stop()
    s.start()
    s.unseal()
    s.put("app/db", {"password": "two"})
    a.wait_content("db", "password", "two", 90)


def test_metrics(scene):
    def metrics():
        p = subprocess.run(["curl", "-sS", "--unix-socket", scene.agent.socket, "http://agent/metrics"], text=True,
                           capture_output=True, timeout=30, check=True)
        return dict(line.rsplit(" ", 1) for line in p.stdout.splitlines() if not line.startswith("#")), p.stdout
    scene.run()
    scene.changes_arrive("two")
    m, text = metrics()
    assert m["vault_agent_connected"] == "1" and m["vault_agent_alarm"] == "0"
    assert m['vault_agent_secrets{state="applied"}'] == "1"
    assert m['vault_agent_binding_version{binding="db"}'] == "2"
    assert 0 <= float(m['vault_agent_binding_age_seconds{binding="db"}']) < 60
    assert m["vault_agent_deliver_seconds_count"] == m['vault_agent_deliver_seconds_bucket{le="+Inf"}'] == "2"
    assert float(m["vault_agent_deliver_seconds_sum"]) < 60
    assert 1 << 20 < int(m["vault_agent_rss_bytes"]) < 1 << 27
    assert "two" not in text and "app/db" not in text
    for name in {k.split("{")[0] for k in m}:
        base = name.removesuffix("_bucket").removesuffix("_sum").removesuffix("_count")
        assert f"# TYPE {base} " in text and f"# HELP {base} " in text, name
    scene.server.client().delete("secret/data/app/db")
    wait_for("the wipe", lambda: metrics()[0]["vault_agent_wipes_total"] == "1")
    scene.net.answer = lambda path, _: Reply(503, {"errors": ["away"]})
    wait_for("it to be lost", lambda: metrics()[0]["vault_agent_connected"] == "0", 90)
