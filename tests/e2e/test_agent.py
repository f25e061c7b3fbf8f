# SPDX-License-Identifier: Apache-2.0
"""vault-agent against vaultd: what readers of its files see, and what stops it from starting."""
import json
import os
import subprocess
import threading

import pytest

import vaultd
from vaultd import wait_for

FILES = [{"path": "secret/app/db", "field": "password", "binding": "db", "name": "password", "mode": "0440"},
         {"path": "secret/app/db", "field": "user", "binding": "db", "name": "user", "mode": "0400"}]


@pytest.fixture
def web(own_server, make_agent):
    """A server with a secret and an agent that delivers it."""
    s = own_server
    s.put("app/db", {"user": "u", "password": "one"})
    a = make_agent(s, "web1", FILES)
    a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
    a.start()
    a.wait_content("db", "password", "one")
    return s, a


def host(s, name="web1"):
    return s.client().get("sys/hosts/" + name).data


def restart(a):
    a.start()
    wait_for("the agent's status", a.status)


def test_a_change_arrives_and_readers_never_see_a_mixture(web):
    s, a = web
    stop, bad = threading.Event(), []

    def reader():
        # "..data" names the generation: what is reached through it belongs together.
        while not stop.is_set():
            try:
                d = os.open(a.run_dir / "db" / "..data", os.O_RDONLY | os.O_DIRECTORY)
            except FileNotFoundError:
                bad.append("missing")
                return
            try:
                texts = []
                for n in ("user", "password"):
                    fd = os.open(n, os.O_RDONLY, dir_fd=d)
                    texts.append(os.read(fd, 100).decode())
                    os.close(fd)
                if texts != ["u", "one"] and texts[0] != texts[1]:
                    bad.append(texts)
            except FileNotFoundError:
                pass  # the generation was wiped after its grace while its directory was open
            finally:
                os.close(d)

    t = threading.Thread(target=reader)
    t.start()
    try:
        for i in range(10):
            s.put("app/db", {"user": f"v{i}", "password": f"v{i}"})
            a.wait_content("db", "password", f"v{i}")
    finally:
        stop.set()
        t.join()
    assert not bad


def test_one_connection(web):
    """The watch's: what leads to files and acknowledgements goes over it as well."""
    s, a = web
    wait_for("the second connection's end", lambda: a.connections() == 1)
    opened = set()
    for i in range(5):
        s.put("app/db", {"user": "u", "password": f"value {i}"})
        opened.add(a.connections())
        while a.content("db", "password") != f"value {i}":
            opened.add(a.connections())
        wait_for("the acknowledgement", lambda v=i + 2: host(s)["leases"][0]["applied"] == v)
    assert opened == {1}, opened


def test_previous_generation_is_kept_for_a_grace_and_then_goes(own_server, make_agent):
    s = own_server
    s.put("app/db", {"user": "u", "password": "one"})
    a = make_agent(s, "web1", FILES)
    a.extra = {"grace": "1s"}
    a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
    a.start()
    a.wait_content("db", "password", "one")
    held = os.open(a.file("db", "password"), os.O_RDONLY)
    try:
        s.put("app/db", {"user": "u", "password": "two"})
        a.wait_content("db", "password", "two")
        wait_for("the old generation to go", lambda: not any(
            p.is_file() and p.read_text() == "one" for p in list(a.run_dir.rglob("password")) if p.exists()))
        assert os.pread(held, 100, 0) == b"one", "who reads the old file may finish"
    finally:
        os.close(held)
    assert a.content("db", "password") == "two"


def test_schedule_rotates_by_itself(web):
    s, a = web
    s.ctl("rotation", "set", "secret/app/db", "--field", "password", "--every", "2s")
    seen = {a.content("db", "password")}

    def two_more():
        seen.add(a.content("db", "password"))
        return len(seen) >= 3
    wait_for("two scheduled rotations", two_more)
    s.ctl("rotation", "set", "secret/app/db", "--every", "0")
    recs = s.client().get("sys/audit-log/records?limit=200").data["records"]
    assert any(r["actor"] != "root" and "rotat" in json.dumps(r) for r in recs), "a scheduled rotation is recorded"



def test_a_destroyed_secret_leaves_the_file_alone_until_revoked(web):
    s, a = web
    s.client().delete("secret/data/app/db")
    s.put("app/db", {"user": "u", "password": "again"})
    a.wait_content("db", "password", "again")


def test_server_killed_while_the_agent_runs(web):
    s, a = web
    s.kill_role("core")
    s.wait_sealed()
    s.unseal()
    s.put("app/db", {"user": "u", "password": "after"})
    a.wait_content("db", "password", "after")


def test_agent_started_while_the_server_is_down_and_then_sealed(web):
    s, a = web
    a.stop()
    s.stop()
    restart(a)
    assert a.content("db", "password") == "one"
    s.start()
    assert a.status()
    s.unseal()
    s.put("app/db", {"user": "u", "password": "open again"})
    a.wait_content("db", "password", "open again")


def test_join_refuses_the_wrong_server_key(own_server, make_agent):
    s = own_server
    token = s.add_host("web1", ["secret/app/*"])["join_token"]
    a = make_agent(s, "web1", FILES)
    a.write_config()
    p = subprocess.run([vaultd.BIN / "vault-agent", "join", "--config", a.config, "--server", s.url, "--hosts-server",
                        s.hosts_url, "--pin", "sha256//" + vaultd.b64(bytes(32))], input=token, text=True,
                       capture_output=True, timeout=60, check=False)
    assert p.returncode != 0 and token not in p.stderr
    assert host(s)["state"] == "pending", "the token never left"
    a.join(token)


def test_status(web):
    s, a = web
    status = wait_for("a status that knows all", lambda: (st := a.status()) and st["checkpoint_size"] and st)
    assert (status["host"], status["state"], status["alarm"], status["disbelieved"]) == ("web1", "connected", "", 0)
    assert host(s)["state"] == "active"
    text = json.dumps(status)
    assert "secret/app/db" in text
    assert '"one"' not in text, "status never shows a value"
    p = subprocess.run([vaultd.BIN / "vault-agent", "status", "--config", a.config], capture_output=True, text=True,
                       timeout=30, check=False)
    assert p.returncode == 0 and "secret/app/db" in p.stdout
    assert a.socket.stat().st_mode & 0o007 == 0
    a.stop()
    p = subprocess.run([vaultd.BIN / "vault-agent", "status", "--config", a.config], capture_output=True, text=True,
                       timeout=30, check=False)
    assert p.returncode != 0 and p.stderr



@pytest.mark.parametrize("line, text", [
    ("server: ftp://x", "https://"), ("server: http://10.0.0.1:8200", "loopback"), ("colour: red", "colour"),
    ("grace: soon", "grace"), ("files: 7", "files"),
    ("files:\n  - {path: secret/a, field: f, binding: ../x, name: y}", "binding"),
    ("files:\n  - {path: secret/a, field: f, binding: b, name: a/b}", "name"),
    ("files:\n  - {path: secret/../a, field: f, binding: b}", "path"),
    ('files:\n  - {path: secret/a, field: f, binding: b, mode: "7777"}', "mode"),
    ("files:\n  - {path: secret/a, field: f, binding: b, owner: no-such-user}", "no-such-user"),
    ("files:\n  - {path: secret/a, field: f, binding: b, name: x}\n  - {path: secret/b, field: f, binding: b, name: x}",
     "twice"),
])
def test_bad_configuration(tmp_path, line, text):
    f = tmp_path / "agent.yaml"
    base = "" if line.startswith("server") else "server: https://127.0.0.1:1\n"
    f.write_text(f"{base}state_dir: {tmp_path}/s\nrun_dir: {tmp_path}/r\n{line}\n")
    p = subprocess.run([vaultd.BIN / "vault-agent", "run", "--config", f], capture_output=True, text=True, timeout=30,
                       check=False)
    assert p.returncode == 2, p
    assert text in p.stderr and "agent.yaml" in p.stderr, p.stderr
    assert len(p.stderr.strip().splitlines()) == 1, p.stderr


def test_agent_with_an_unjoined_state(own_server, make_agent):
    a = make_agent(own_server, "web1", FILES)
    a.write_config()
    a.start()
    assert a.proc.wait(30) != 0
    a.proc = None
    assert "join" in a.log()
