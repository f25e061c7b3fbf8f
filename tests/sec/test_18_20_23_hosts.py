# SPDX-License-Identifier: Apache-2.0
"""18, 20, 23: who is no host gets nowhere, hosts cannot act for each other, and a join claims nothing but its keys.

Hosts have keys of their own instead of client certificates: docs/host-protocol.md."""
import base64
import os

import pytest

import hostwire
import vaultd
from seclib import audit_size, records


def alarms(c, name):
    return [a["kind"] for a in c.get("sys/hosts/" + name).data["alarms"]]


@pytest.fixture(scope="module")
def pair(server):
    server.put("h/one", {"password": "for A"})
    return [hostwire.joined(server, n, ["secret/h/*"]) for n in ("h18a", "h18b")]


# ---- 18 ----

@pytest.mark.parametrize("token", [None, "", "nonsense", "vlt_s_" + "A" * 40, "h18a"])
def test_18_no_token_of_a_host(server, pair, token):
    c = server.hosts_client(token)
    for ask, path in ((c.post, "sys/agent/watch"), (c.get, "sys/agent/sync"), (c.get, "sys/agent/consistency?from=0")):
        r = ask(path)
        assert r.status in (401, 403, 404), (path, r)
        assert "statement" not in str(r.json)


def test_18_a_user_is_no_host(server, pair):
    """Not even root: what a host is told is sealed to it and says its name."""
    c = server.client()
    assert c.get("sys/agent/sync").status == 403
    assert server.hosts_client(server.root).post("sys/agent/watch", {"wait": 0}).status == 403
    for path in ("leases", "fetch", "renew", "ack", "release", "report", "cosign", "bind"):
        assert c.post("sys/agent/" + path, {"statement": "", "paths": ["secret/h/one"], "nonce": "00" * 32}).status == 403


def test_18_a_rogue_key(server, c, pair):
    """It knows the host's id and generation, and signs with a key of its own."""
    real, _ = pair
    rogue = hostwire.Host(server)
    rogue.host_id, rogue.vault_id, rogue.order_pk, rogue.generation = real.host_id, real.vault_id, real.order_pk, real.generation
    before, since = c.get("sys/hosts/h18a").data, audit_size(c)
    for _ in range(3):
        r = rogue.login()
        assert r.status == 403 and r.errors == ["login refused"]
    nobody = hostwire.Host(server)
    nobody.host_id, nobody.vault_id, nobody.order_pk = os.urandom(16), real.vault_id, real.order_pk
    r = nobody.c.post("auth/host/login", nobody.login_body(os.urandom(32)))
    assert r.status == 403 and r.errors == ["login refused"], "the same words"
    after = c.get("sys/hosts/h18a").data
    assert after["generation"] == before["generation"] and after["alarms"] == []
    assert real.c.get("sys/agent/sync").status == 200, "its token lives"
    seen = [(x["path"], x["status"]) for x in records(c, since)]
    assert ("auth/host/login", 200) not in seen, "refusals may be one record for many"


def test_18_a_signature_is_of_one_challenge(server, pair):
    real, _ = pair
    body = real.login_body(real.challenge())
    other = real.login_body(real.challenge())
    assert real.c.post("auth/host/login", {**body, "signature": other["signature"]}).status == 403
    assert real.c.post("auth/host/login", {**body, "nonce": base64.b64encode(os.urandom(32)).decode()}).status == 403
    assert real.login().status == 200


# ---- 20 ----

def test_20_a_lease_is_of_its_host(server, c, pair):
    a, b = pair
    assert a.login().status == 200 and b.login().status == 200
    (lease,) = a.lease("secret/h/one")
    assert a.fetch(lease["lease_id"])[0]["sealed"]
    assert a.ack(lease["lease_id"], lease["version"]).status == 204
    for reply in (b.c.post("sys/agent/fetch", {"leases": [lease["lease_id"]]}),
                  b.c.post("sys/agent/renew", {"leases": [lease["lease_id"]]})):
        items = reply.data.get("items") or reply.data["leases"]
        assert all("sealed" not in i and "ttl_ms" not in i and i["error"] for i in items), items
    b.c.post("sys/agent/release", {"rev": 1 << 40, "leases": [lease["lease_id"]]})
    b.ack(lease["lease_id"], lease["version"] + 7, "wiped")
    info = next(iter(c.list("sys/vault-leases?host=h18a").data["key_info"].values()))
    assert info["applied"] == lease["version"] and info["state"] == "applied"


def test_20_a_stolen_token_opens_nothing(server, pair):
    """What A's token fetches is sealed to A; what B signs is not A's word."""
    a, b = pair
    (lease,) = a.lease("secret/h/one")
    thief = server.client(a.token)
    assert thief.post("sys/agent/fetch", {"leases": [lease["lease_id"]], "nonce": "11" * 32}).status == 400
    asked = base64.b64encode(a.says("fetch", {"leases": [lease["lease_id"]]}, b"1" * 32)).decode()
    r = thief.post("sys/agent/fetch", {"statement": asked})
    sealed = base64.b64decode(r.data["items"][0]["sealed"])
    assert b"for A" not in sealed
    assert hostwire.open_box(sealed, b.key, "fetch") is None
    assert b"for A" in hostwire.open_box(sealed, a.key, "fetch")
    for op, data in (("ack", {"acks": []}), ("release", {"rev": 1 << 40, "leases": [lease["lease_id"]]}), ("report", {"boot_ms": 1}),
                     ("cosign", {}), ("rekey", {})):
        said = base64.b64encode(b.says(op, data)).decode()
        path = "auth/host/rekey" if op == "rekey" else "sys/agent/" + op
        assert thief.post(path, {"statement": said}).status == 400, op
    assert a.fetch(lease["lease_id"])[0]["sealed"], "A keeps its lease"


def test_20_what_passes_through_the_network_process_is_of_no_other_use(server, c, pair):
    """Words of the vault, or of the host in another session or on another matter, are not the host's acknowledgement."""
    a, b = pair
    a.login()
    (lease,) = a.lease("secret/h/one")
    ack = {"acks": [{"lease_id": lease["lease_id"], "version": lease["version"], "rev": 1 << 40, "state": "wiped"}]}
    net = server.client(a.token)
    theirs = base64.b64decode(net.get(f"sys/agent/sync?nonce={'22' * 32}").data["statement"])
    body = hostwire.open_box(theirs, a.key, "sync")
    before = a.says("ack", ack)
    a.login()
    good = a.says("ack", ack)
    net, watch = server.client(a.token), server.hosts_client(a.token)
    for why, said in {"the vault's": theirs, "the vault's, on that": hostwire.make_box(body, a.key, "ack", hostwire.VAULT),
                      "sent back": hostwire.make_box(hostwire.open_box(good, a.key, "ack", hostwire.HOST), a.key, "ack",
                                                     hostwire.VAULT),
                      "of the session before": before, "another matter": a.says("release", ack), "of another host": b.says("ack", ack),
                      "no key": hostwire.make_box(hostwire.open_box(good, a.key, "ack", hostwire.HOST), bytes(32), "ack"),
                      "the token for a key": hostwire.make_box(hostwire.open_box(good, a.key, "ack", hostwire.HOST),
                                                               a.token.encode()[:32], "ack"),
                      "cut": good[:-1], "longer": good + b"\0", "empty": b"", "nonce alone": good[:24], "tag alone": good[:40],
                      "signed": a.sign(b"vault/agent-statement/v1\0" + good) + good}.items():
        assert net.post("sys/agent/ack", {"statement": base64.b64encode(said).decode()}).status == 400, why
        r = watch.post("sys/agent/watch", {"statement": base64.b64encode(said).decode(), "wait": 0})
        assert r.status == 400, why
    info = next(iter(c.list("sys/vault-leases?host=h18a").data["key_info"].values()))
    assert info["state"] != "wiped"
    assert net.post("sys/agent/ack", {"statement": base64.b64encode(good).decode()}).status == 204


def test_20_a_session_key_is_in_no_answer(server, pair):
    """What a login brings is sealed: whoever carries the answers has the token alone, and another login another key."""
    a, _ = pair
    keys = set()
    for _ in range(2):
        r = a.c.client.post("auth/host/login", a.login_body(a.challenge()))
        assert r.status == 200
        statement = base64.b64decode(r.data["statement"])
        said = hostwire.decode(statement[64:])
        key = hostwire.open_sealed(said["data"]["session"], a.box_pk, a.box_sk)
        assert key is not None and key not in statement and base64.b64encode(key).decode() not in str(r.json)
        assert key.hex() not in str(r.json)
        a.generation = said["generation"]
        a.token = a.c.token = r.json["auth"]["client_token"]
        a.key = key
        keys.add(key)
    assert len(keys) == 2


# ---- 23 ----

def test_23_a_join_claims_nothing_but_its_keys(server, c):
    """Name, role and rights come from the token; other members of the request are ignored or refused."""
    added = server.add_host("h23", ["secret/h23/*"])
    h = hostwire.Host(server)
    body = {**h.join_body(added["join_token"]), "name": "admin", "host_id": "00" * 16, "role": "root", "roles": ["root"],
            "policies": ["root"], "generation": 99, "paths": ["*"], "ca": True, "sans": ["DNS:vault"], "order_key": "AAAA"}
    r = h.c.client.post("auth/host/join", body)
    if r.status == 400:
        r = h.c.client.post("auth/host/join", h.join_body(added["join_token"]))
    assert r.status == 200
    d = hostwire.joined_answer(added["join_token"], base64.b64decode(body["mac"]), r.data)
    assert d["name"] == "h23" and d["host_id"] != "00" * 16 and d["generation"] == 0
    shown = c.get("sys/hosts/h23").data
    assert shown["role"] == "web" or shown.get("roles") == ["web"], shown
    assert c.get("sys/hosts/admin").status == 404


@pytest.mark.parametrize("bad", ["mac", "sign_key", "box_key", "short", "zero", "swapped"])
def test_23_a_join_that_proves_nothing(server, c, bad):
    name = "h23" + bad.replace("_", "")
    added = server.add_host(name, ["secret/h23/*"])
    h, other = hostwire.Host(server), hostwire.Host(server)
    body = h.join_body(added["join_token"])
    body = {"mac": {**body, "mac": base64.b64encode(bytes(32)).decode()},
            "sign_key": {**body, "sign_key": base64.b64encode(other.sign_pk).decode()},
            "box_key": {**body, "box_key": base64.b64encode(other.box_pk).decode()},
            "short": {**body, "sign_key": base64.b64encode(bytes(16)).decode()},
            "zero": {**body, "box_key": base64.b64encode(bytes(32)).decode()},
            "swapped": {**body, "sign_key": body["box_key"], "box_key": body["sign_key"]}}[bad]
    r = h.c.client.post("auth/host/join", body)
    assert r.status in (400, 403), r
    assert c.get("sys/hosts/" + name).data["state"] == "pending"
    assert h.join(added["join_token"]).status == 200, "the token is as good as before"
