# SPDX-License-Identifier: Apache-2.0
"""21, 22, 25: a revoked host stays out, a join token works once, a failure changes nothing."""
import collections
import os
import signal
import sqlite3
import threading

import pytest

import vaultd
from hostkey import HostKey, pin_of
from seclib import audit_size, records


@pytest.fixture
def joined(server, c, request):
    name = "h-" + request.node.name.translate({ord(x): "-" for x in "_[]"}).strip("-")
    added = server.add_host(name, ["secret/h/*"])
    key = HostKey()
    r = key.join(c, added["join_token"], pin_of(server))
    assert r.status == 200, r
    key.name = name
    return key


def test_a_host_logs_in(server, c, joined):
    r = joined.login(c, pin_of(server))
    assert r.status == 200, r
    assert c.get("sys/agent/sync", token=r.json["auth"]["client_token"]).status == 200


def kill_all(server):
    """The supervisor and all roles at once, with nothing in between to write."""
    pids = [p for role in server.roles().values() for p in role]
    for pid in [server.proc.pid, *pids]:
        os.kill(pid, signal.SIGKILL)
    server.proc.wait(30)
    server.proc = None
    vaultd.wait_for("the roles to be gone", lambda: not any(alive(p) for p in pids))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_21_revoked_before_kill(own_server):
    s = own_server
    pin, c = pin_of(s), s.client()
    s.put("h/a", {"k": "v"})
    added = s.add_host("h21", ["secret/h/*"])
    key = HostKey()
    assert key.join(c, added["join_token"], pin).status == 200
    tok = key.login(c, pin).json["auth"]["client_token"]
    assert c.get("sys/agent/sync", token=tok).status == 200
    assert c.post("sys/hosts/h21/revoke", {}).status in (200, 204)
    kill_all(s)
    s.start()
    s.unseal()
    c = s.client()
    for path in ("sys/agent/leases", "sys/agent/fetch", "sys/agent/ack"):
        assert c.post(path, {}, token=tok).status == 403, path
    r = c.get("sys/agent/sync", token=tok)
    assert r.status == 403 or "orders" in str(r.json) or "wipe" in str(r.json), r
    assert c.get("secret/data/h/a", token=tok).status == 403
    r = key.login(c, pin)
    assert r.status == 403, r
    assert key.join(c, added["join_token"], pin).status == 400, "and does not join again"


def test_22_parallel_joins(server, c):
    added, pin = server.add_host("h22", ["secret/h/*"]), pin_of(server)
    start, replies = threading.Barrier(20), []

    def join():
        mine = [(HostKey(), server.client()) for _ in range(5)]
        start.wait()
        for key, client in mine:
            replies.append((key.join(client, added["join_token"], pin), key))
            client.close()

    since = audit_size(c)
    threads = [threading.Thread(target=join) for _ in range(20)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert collections.Counter(r.status for r, _ in replies) == {200: 1, 400: 99}
    (winner,) = [key for r, key in replies if r.status == 200]
    log = [r for r in records(c, since) if r["path"] == "auth/host/join"]
    assert sum(r["status"] == 200 for r in log) == 1
    alarms = [r for r in log if r["status"] == 400 and (r["note"] or {}).get("alarm")]
    assert alarms and all(r["actor"] == "h22" for r in alarms)
    assert "alarm" in str(c.get("sys/hosts/h22").data)
    again = winner.join(c, added["join_token"], pin)
    assert again.status == 200 and again.data["host_id"] == winner.host_id, "a lost reply is given again"
    assert winner.login(c, pin).status == 200


def rows(server):
    """Rows of each kind; read beside the server, which holds the file: from a copy."""
    server.stop()
    with sqlite3.connect(server.data_dir / "vault.db") as db:
        counts = dict(db.execute("SELECT kind, count(*) FROM object GROUP BY kind").fetchall())
        counts["payload"] = db.execute("SELECT count(*) FROM payload").fetchone()[0]
    db.close()
    return counts


def test_25_failures_leave_nothing(own_server):
    s = own_server
    pin = pin_of(s)
    added = s.add_host("h25", ["secret/h/*"])
    other = s.add_host("h25b", ["secret/h/*"])
    key = HostKey()
    assert key.join(s.client(), other["join_token"], pin).status == 200
    before = rows(s)
    s.start()
    s.unseal()
    c, stranger = s.client(token=None), HostKey()
    body = stranger.join_body(added["join_token"], pin)
    wrong = [dict(body, mac=vaultd.b64(bytes(32))), dict(body, join_id="00" * 16), dict(body, sign_key=vaultd.b64(bytes(32))),
             dict(body, box_key=vaultd.b64(bytes(32))), dict(body, sign_key="x"), dict(body, agent_version="\n"), {},
             stranger.join_body(added["join_token"], bytes(32)[:31] + b"x"), stranger.join_body("vlt_j_" + "0" * 49, pin)]
    for b in wrong:
        assert c.post("auth/host/join", b).status == 400, b
    nonce = os.urandom(32)
    stranger.host_id, stranger.vault_id, stranger.generation = key.host_id, key.vault_id, key.generation
    assert stranger.login(c, pin).status == 403, "another key"
    assert key.login(c, pin, nonce=nonce).status == 403, "a nonce of nobody"
    assert key.login(c, b"x" * 32).status == 403, "another server"
    assert key.login(c, pin, signature=vaultd.b64(bytes(64))).status == 403
    assert key.login(c, pin, generation=-1).status == 400
    for token in ("x", "vlt_s_" + "0" * 49):
        assert c.post("auth/token/create", {}, token=token).status == 403
        assert c.post("auth/token/renew-self", {}, token=token).status == 403
        assert c.post("sys/agent/leases", {"paths": ["secret/h/a"]}, token=token).status == 403
    assert rows(s) == before
    s.start()
    s.unseal()
    assert key.login(s.client(), pin).status == 200, "the host was not harmed"


def test_25_failed_approle_logins_leave_nothing(own_server):
    s = own_server
    c = s.client()
    assert c.post("sys/auth/approle", {"type": "approle"}).status == 204
    assert c.post("auth/approle/role/r", {"role_id": "r", "token_type": "service"}).status == 204
    good = c.post("auth/approle/role/r/secret-id", {"num_uses": 2, "cidr_list": "192.0.2.0/24"}).data["secret_id"]
    assert c.post("auth/approle/role/admin", {"role_id": "admin", "token_policies": "root"}).status == 204
    rooted = c.post("auth/approle/role/admin/secret-id", {"num_uses": 1}).data["secret_id"]
    before = rows(s)
    s.start()
    s.unseal()
    c = s.client()
    for body in ({}, {"role_id": "r"}, {"role_id": "r", "secret_id": "x"}, {"role_id": "none", "secret_id": good},
                 {"role_id": "r", "secret_id": good}, {"role_id": "r", "secret_id": rooted},
                 {"role_id": "admin", "secret_id": rooted}, {"role_id": "r", "secret_id": good * 500},
                 {"role_id": ["r"], "secret_id": good}):
        for _ in range(5):
            r = c.post("auth/approle/login", body, token=None)
            assert r.status in (400, 403), (body, r)
    assert rows(s) == before
    s.start()
    s.unseal()
    look = s.client().post("auth/approle/role/r/secret-id/lookup", {"secret_id": good})
    assert look.data["secret_id_num_uses"] == 2, "a refusal is no use"
