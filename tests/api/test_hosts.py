# SPDX-License-Identifier: Apache-2.0
"""Hosts, leases and rotation over HTTP, with an agent's side played by the test."""
import base64
import itertools
import re
import threading

import pytest

import hostwire
import merkle
import vaultd

serial = itertools.count()


@pytest.fixture
def name():
    return f"host{next(serial)}"


@pytest.fixture
def path(server, name):
    server.put(f"app/{name}", {"user": "u", "password": "first"})
    return f"secret/app/{name}"


@pytest.fixture
def host(server, name):
    return hostwire.joined(server, name, ["secret/app/*"])


def show(c, name):
    r = c.get("sys/hosts/" + name)
    assert r.status == 200, r
    return r.data


def all_leaves(c):
    out, at = [], 0
    while at is not None:
        d = c.get(f"sys/audit-log/export?from={at}").data
        out += [merkle.leaf(e) for e in d["entries"]]
        at = d["next"]
    return out


def test_roles(c):
    assert c.post("sys/hosts/roles/db", {"paths": ["secret/db/*", "secret/one"], "ttl": "12h",
                                         "description": "the databases"}).status == 204
    r = c.get("sys/hosts/roles/db")
    assert r.data == {"name": "db", "paths": ["secret/db/*", "secret/one"], "ttl": 43200,
                      "description": "the databases"}
    assert "db" in c.list("sys/hosts/roles").data["keys"]
    assert c.delete("sys/hosts/roles/db").status == 204
    assert c.delete("sys/hosts/roles/db").status == 204
    assert c.get("sys/hosts/roles/db").status == 404


@pytest.mark.parametrize("body", [
    {}, {"paths": []}, {"paths": ["*"]}, {"paths": ["secret/*/x"]}, {"paths": ["nomount/x"]}, {"paths": ["sys/x"]},
    {"paths": ["secret/a/../b"]}, {"paths": ["secret/a//b"]}, {"paths": ["secret/a"], "ttl": "0s"},
    {"paths": ["secret/a"], "ttl": "500d"}])
def test_role_refusals(c, body):
    r = c.post("sys/hosts/roles/bad", body)
    assert r.status == 400, r
    assert c.get("sys/hosts/roles/bad").status == 404


def test_add_and_join(c, server, name):
    d = server.add_host(name, ["secret/app/*"])
    assert set(d) == {"name", "host_id", "join_token", "expires", "server_pins"}
    assert re.fullmatch(r"vlt_j_[0-9A-Za-z]{49}", d["join_token"])
    assert server.pin in d["server_pins"]
    assert show(c, name)["state"] == "pending"
    h = hostwire.Host(server)
    r = h.join(d["join_token"])
    assert r.status == 200 and r.data["host_id"] == d["host_id"] and r.data["name"] == name
    assert r.data["audit_key"] and server.pin in r.data["pins"]
    assert show(c, name)["state"] == "active"
    r = c.list("sys/hosts")
    assert name in r.data["keys"] and r.data["key_info"][name]["role"] == "web"
    again = c.post("sys/hosts/add", {"name": name, "role": "web"})
    assert again.status in (400, 409) and "has joined already" in again.errors[0]


@pytest.mark.parametrize("body", [
    {}, {"name": "x"}, {"name": "x", "role": "none-such"}, {"name": "roles", "role": "web"},
    {"name": "a/b", "role": "web"}, {"name": "../x", "role": "web"}, {"name": "x y", "role": "web"},
    {"name": "x", "role": "web", "ttl": "2d"}, {"name": "x" * 129, "role": "web"}])
def test_add_refusals(c, server, body):
    server.client().post("sys/hosts/roles/web", {"paths": ["secret/app/*"]})
    assert c.post("sys/hosts/add", body).status == 400


def test_login_and_its_token(server, host, name):
    assert host.generation == 1
    r = host.c.get("sys/agent/sync")
    assert r.status == 200 and r.data["leases"] == []
    for p in ("secret/data/app/x", "sys/hosts", "sys/vaultd/status"):
        assert host.c.get(p).status == 403, p
    r = server.client().get("sys/agent/sync")
    assert r.status == 403, "an operator is no host"
    assert host.login().data["generation"] == 2


def test_login_refusals(server, host):
    other = hostwire.Host(server)
    nonce = host.challenge()
    assert host.c.post("auth/host/login", host.login_body(nonce, key=other)).status == 403
    bad = bytearray(nonce)
    bad[20] ^= 1
    assert host.c.post("auth/host/login", host.login_body(bytes(bad))).status == 403
    body = host.login_body(nonce)
    body["host_id"] = "00" * 16
    assert host.c.post("auth/host/login", body).status == 403
    assert host.c.post("auth/host/login", host.login_body(nonce)).status == 200
    r = host.c.post("auth/host/login", host.login_body(nonce, generation=2))
    assert r.status == 403 and "answered already" in r.errors[0]
    assert host.c.post("auth/host/login", {"host_id": "zz"}).status == 400


def test_lost_login_replies_may_be_repeated_until_the_host_has_spoken(server, host, name):
    lost = [host.login(keep=False).json["auth"]["client_token"] for _ in range(4)]
    assert host.login().status == 200
    assert all(server.client(t).get("sys/agent/sync").status == 403 for t in lost), "tokens that were lost are dead"
    assert show(server.client(), name)["alarms"] == []
    assert host.speaks()
    r = host.login(generation=host.generation - 1, keep=False)
    assert r.status == 403
    assert [a["kind"] for a in show(server.client(), name)["alarms"]] == ["two agents with one identity"]


def test_lease_fetch_ack_renew_release(c, server, host, name, path):
    (lease,) = host.lease(path)
    assert set(lease) >= {"path", "lease_id", "version", "ttl_ms"} and lease["version"] == 1
    assert host.lease(path)[0]["lease_id"] == lease["lease_id"], "the same lease again"
    (item,) = host.fetch(lease["lease_id"])
    assert item["version"] == 1
    said = host.value(item)
    assert said["data"] == {"user": "u", "password": "first"} and said["path"] == path
    assert host.ack(lease["lease_id"], 1).status == 204
    info = c.list("sys/vault-leases?host=" + name).data["key_info"][lease["lease_id"]]
    assert (info["path"], info["host"], info["version"], info["applied"], info["state"]) == \
        (path, name, 1, 1, "applied")
    assert lease["lease_id"] in c.list("sys/vault-leases?path=" + path).data["keys"]
    (again,) = host.c.post("sys/agent/renew", {"leases": [lease["lease_id"]]}).data["leases"]
    assert again["ttl_ms"] > 0
    assert host.c.post("sys/agent/release", {"rev": 1 << 40, "leases": [lease["lease_id"]]}).status == 204
    assert "error" in host.fetch(lease["lease_id"])[0]


def test_many_with_long_names_at_once(c, server, host):
    """More than one run takes: of so large a request the first one's memory is not kept."""
    paths = [f"secret/app/{'long' * 20}/{i:03d}" for i in range(200)]
    for i, path in enumerate(paths):
        assert c.post(path.replace("secret/", "secret/data/", 1), {"data": {"n": i}}).status == 200
    leases = host.lease(*paths)
    assert [x["path"] for x in leases] == paths
    ids = [x["lease_id"] for x in leases]
    assert [host.value(x)["data"]["n"] for x in host.fetch(*ids)] == list(range(200))
    r = host.c.post("sys/agent/renew", {"leases": ids + ["0" * 400] * 20})
    assert [x["lease_id"] for x in r.data["leases"]] == ids + ["0" * 400] * 20
    assert [x.get("error") for x in r.data["leases"]] == [None] * 200 + ["no such lease"] * 20


def test_role_limits_leases(server, host):
    server.put("other/x", {"a": 1})
    good, other, none = host.lease("secret/app/none", "secret/other/x", "secret/../x")
    assert all("error" in x for x in (good, other, none))
    assert "error" in host.fetch("00" * 16)[0]


def test_a_lease_by_the_path_that_clients_read(server, host, path):
    mount, rest = path.split("/", 1)
    (lease,) = host.lease(path)
    assert "asked" not in lease
    for written in f"/v1/{mount}/data/{rest}", f"/v1/{path}":
        (again,) = host.lease(written)
        assert (again["lease_id"], again["path"], again["asked"]) == (lease["lease_id"], path, written)
    said = host.value(host.fetch(lease["lease_id"])[0])
    read = server.client().get(f"{mount}/data/{rest}").data
    assert (said["data"], said["metadata"]) == (read["data"], read["metadata"])
    bad = [f"{mount}/data/{rest}", "/v1/", "/v1//x", f"/v1/{mount}/data/../{rest}",
           f"/v1/{mount}/metadata/{rest}", "/v1/sys/health", "/v1/nomount/x", f"v1/{mount}/data/{rest}"]
    for item, written in zip(host.lease(*bad), bad):
        assert item["path"] == written and "error" in item


def test_foreign_leases_are_out_of_reach(server, host, path):
    (lease,) = host.lease(path)
    thief = hostwire.joined(server, f"thief{next(serial)}", ["secret/none/*"], role="none")
    assert "error" in thief.fetch(lease["lease_id"])[0]
    assert "error" in thief.c.post("sys/agent/renew", {"leases": [lease["lease_id"]]}).data["leases"][0]
    thief.c.post("sys/agent/release", {"rev": 1 << 40, "leases": [lease["lease_id"]]})
    assert "sealed" in host.fetch(lease["lease_id"])[0], "still there"


def test_watch_reports_changes(server, host, path):
    (lease,) = host.lease(path)
    w = host.watcher()
    first = w.get("sys/agent/watch?since=0&wait=5")
    rev = first.data["rev"]
    out = []
    t = threading.Thread(target=lambda: out.append(w.get(f"sys/agent/watch?since={rev}&wait=50")))
    t.start()
    server.put(path.removeprefix("secret/"), {"password": "second"})
    t.join(vaultd.DEADLINE)
    (event,) = out[0].data["events"]
    assert (event["lease_id"], event["version"], event["op"]) == (lease["lease_id"], 2, "update")
    assert host.value(host.fetch(lease["lease_id"])[0])["data"] == {"password": "second"}


def watch_records(c, host, since):
    log = c.get(f"sys/audit-log/records?from={since}&order=oldest&limit=200").data["records"]
    return [(r["operation"], r["outcome"], r["note"] or {}) for r in log if r["path"] == "sys/agent/watch"]


def log_size(c):
    return c.get("sys/audit-log/checkpoint").data["size"]


def test_watch_brings_small_values(c, server, host, path):
    (lease,) = host.lease(path)
    w, since = host.watcher(), log_size(c)
    r = w.get("sys/agent/watch?since=0&wait=0&values=16384")
    assert r.data["since"] == 0
    (item,) = r.data["items"]
    assert (item["lease_id"], item["version"]) == (lease["lease_id"], 1)
    said = host.value(item, w)
    assert said["data"] == {"user": "u", "password": "first"} and (said["path"], said["version"]) == (path, 1)
    ((_, outcome, note),) = watch_records(c, host, since)
    assert outcome == "ok" and note["done"] == [path + "@1"], "who got which version is in the log"
    assert host.ack(lease["lease_id"], 1).status == 204
    assert next(iter(c.list("sys/vault-leases?host=" + host.name).data["key_info"].values()))["applied"] == 1
    for few in ("", "&values=0", "&values=100"):
        since = log_size(c)
        r = w.get("sys/agent/watch?since=0&wait=0" + few)
        assert len(r.data["events"]) == 1 and "items" not in r.data, few
        ((_, _, note),) = watch_records(c, host, since)
        assert "done" not in note
    assert w.get("sys/agent/watch?since=0&wait=0&values=-1").status == 400


def test_watch_brings_no_large_values(c, server, host, path):
    host.lease(path)
    server.put(path.removeprefix("secret/"), {"password": "x" * 17000})
    w, since = host.watcher(), log_size(c)
    r = w.get("sys/agent/watch?since=0&wait=0&values=1000000")
    assert r.data["events"][0]["version"] == 2 and "items" not in r.data
    assert "done" not in watch_records(c, host, since)[0][2], "nobody was given anything"
    (lease,) = host.lease(path)
    assert host.ack(lease["lease_id"], 2).status == 204
    assert next(iter(c.list("sys/vault-leases?host=" + host.name).data["key_info"].values()))["applied"] == 0, "nor has it"


def test_watch_opens_few_values(c, server, host, name):
    """What does not fit was opened, too: 16 of them are enough for one answer."""
    large = {f"secret/app/{name}-l{i}" for i in range(20)}
    small = {f"secret/app/{name}-s{i}" for i in range(20)}
    for p in large | small:
        server.put(p.removeprefix("secret/"), {"password": "x" * (17000 if p in large else 1)})
    host.lease(*large, *small)
    w = host.watcher()
    r = w.get("sys/agent/watch?since=0&wait=0&values=16384")
    assert len(r.data["events"]) == 40
    opened = r.data["events"][:16]
    assert [i["lease_id"] for i in r.data.get("items", [])] == [e["lease_id"] for e in opened if e["path"] in small]


def test_watch_brings_what_a_fetch_would(c, server, host, path, name):
    """Nothing of a lease that ended or that the role gave up."""
    host.lease(path)
    w = host.watcher()
    assert c.post("sys/hosts/roles/web", {"paths": ["secret/other/*"]}).status == 204
    try:
        r = w.get("sys/agent/watch?since=0&wait=0&values=16384")
        assert "items" not in r.data
    finally:
        assert c.post("sys/hosts/roles/web", {"paths": ["secret/app/*"]}).status == 204


def test_acks_ride_with_a_watch(c, server, host, path):
    (lease,) = host.lease(path)
    w = host.watcher()
    r = w.get("sys/agent/watch?since=0&wait=0&values=16384")
    rev, since, out = r.data["rev"], log_size(c), []

    def info():
        return next(iter(c.list("sys/vault-leases?host=" + host.name).data["key_info"].values()))

    assert info()["applied"] == 0
    t = threading.Thread(target=lambda: out.append(w.request("POST", f"sys/agent/watch?since={rev}&wait=50&values=16384",
                                                             host.riding(lease["lease_id"], 1))))
    t.start()
    vaultd.wait_for("the acknowledgement", lambda: info()["applied"] == 1)
    ((operation, outcome, note),) = watch_records(c, host, since)
    assert (operation, outcome, note) == ("watch-start", "ok", {"acks": 1}), "heard before the wait, and in the log"
    assert not out
    server.put(path.removeprefix("secret/"), {"password": "second"})
    t.join(vaultd.DEADLINE)
    assert host.value(out[0].data["items"][0], w)["data"] == {"password": "second"}
    since = log_size(c)
    r = w.request("POST", "sys/agent/watch?since=0&wait=0", host.riding(lease["lease_id"], 2))
    assert r.status == 200 and info()["applied"] == 2
    assert watch_records(c, host, since)[0][2]["acks"] == 1, "one that need not wait is one record"


def test_acks_that_ride_have_an_end(host, path):
    (lease,) = host.lease(path)
    long = {"statement": hostwire._b64(host.says("ack", host.acked(lease["lease_id"], 1, junk="x" * 400000)))}
    assert len(long["statement"]) > 512 * 1024
    r = host.watcher().request("POST", "sys/agent/watch?since=0&wait=0", long)
    assert r.status == 400 and "at most 524288 bytes" in r.json["errors"][0]
    assert host.c.client.post("sys/agent/ack", long).status == 204, "what is long goes another way"


def test_acks_that_ride_end_a_rotation(c, server, host, path):
    (lease,) = host.lease(path)
    w = host.watcher()
    host.fetch(lease["lease_id"])
    host.ack(lease["lease_id"], 1)
    rev = w.get("sys/agent/watch?since=0&wait=0").data["rev"]
    assert c.post("sys/rotation/config/" + path, {"field": "password"}).status == 204
    out = []
    t = threading.Thread(target=lambda: out.append(server.client().post("sys/rotation/rotate/" + path, {"timeout": "60s"})))
    t.start()
    r = w.get(f"sys/agent/watch?since={rev}&wait=50&values=16384")
    assert r.data["items"][0]["version"] == 2 and not out
    w.request("POST", f"sys/agent/watch?since={r.data['rev']}&wait=0", host.riding(lease["lease_id"], 2))
    t.join(vaultd.DEADLINE)
    assert out[0].data["state"] == "converged" and out[0].data["version"] == 2


def test_watch_times_out_empty(server, host):
    w = host.watcher()
    rev = w.get("sys/agent/watch?since=0&wait=0").data["rev"]
    r = w.get(f"sys/agent/watch?since={rev}&wait=1")
    assert r.status == 200 and r.data["events"] == []


def test_revoked_lease(c, server, host, path):
    (lease,) = host.lease(path)
    assert c.post("sys/vault-leases/revoke", {"lease_id": lease["lease_id"]}).status == 204
    assert "error" in host.fetch(lease["lease_id"])[0]
    assert "error" in host.lease(path)[0], "an operator's revocation lasts"
    assert c.post("sys/vault-leases/revoke", {"lease_id": "00" * 16}).status == 400
    assert c.post("sys/vault-leases/revoke", {}).status == 400


def test_revoked_host_gets_a_signed_order(c, host, name):
    assert c.post(f"sys/hosts/{name}/revoke").status == 204
    assert host.c.get("sys/agent/sync").status == 403
    r = host.login(keep=False)
    assert r.status == 403 and "revoked" in r.errors[0]
    order = r.json["data"]["order"]
    assert order["op"] == "wipe" and order["host_id"] == host.host_id.hex() and host.order_is_signed(order)
    assert show(c, name)["state"] == "revoked"
    assert c.post("sys/hosts/none-such/revoke").status == 404


def test_pins(c, server):
    r = c.get("sys/hosts/pins")
    assert server.pin in r.data["pins"] and r.data["next"] is None
    pin = "sha256//" + base64.b64encode(b"n" * 32).decode()
    assert c.post("sys/hosts/pins", {"next": pin}).data["next"] == pin
    assert c.get("sys/hosts/pins").data["next"] == pin
    for bad in ("sha256//x", "", base64.b64encode(b"n" * 32).decode()):
        assert c.post("sys/hosts/pins", {"next": bad}).status == 400


def test_consistency(host):
    r = host.c.get("sys/agent/consistency?from=1")
    assert r.status == 200 and r.data["checkpoint"] and isinstance(r.data["proof"], list) and r.data["from"] == 1


def test_a_heartbeat_proves_that_the_log_goes_on(c, server, host):
    """Checked with the tree of the log itself, exported."""
    size, _ = merkle.checkpoint(host.c.get("sys/agent/consistency?from=1").data["checkpoint"])
    w = host.watcher()
    rev = w.get("sys/agent/watch?since=0&wait=0").data["rev"]
    r = w.get(f"sys/agent/watch?since={rev}&wait=1&from={size}")
    assert (r.data["events"], r.data["rev"]) == ([], rev) and "generation" in r.data, "signed"
    now, root = merkle.checkpoint(r.data["checkpoint"])
    assert now > size, "the watch itself was recorded"
    leaves = all_leaves(c)
    assert root == merkle.root(leaves[:now])
    assert r.data["proof"] == merkle.consistency(leaves[:now], size) and r.data["from"] == size
    quiet = w.get(f"sys/agent/watch?since={rev}&wait=0&from=0").data
    assert "generation" not in quiet and "proof" not in quiet, "nothing to prove: no signature"
    assert w.get(f"sys/agent/watch?since={rev}&wait=0&from={now + 1000}").data["proof"] == [], "the vault's word that it has less"
    for bad in ("-1", "x"):
        assert w.get(f"sys/agent/watch?since={rev}&wait=0&from={bad}").status == 400


# ---- rotation ----


def test_rotation_rule(c, server, path):
    u = "sys/rotation/config/" + path
    assert c.get(u).status == 404
    assert c.post(u, {"field": "password", "length": 40, "classes": ["lower", "digit"]}).status == 204
    d = c.get(u).data
    assert (d["field"], d["length"], d["classes"]) == ("password", 40, ["lower", "digit"])
    assert c.post(u, {"length": 20}).status == 204
    assert c.get(u).data["length"] == 20 and c.get(u).data["field"] == "password", "merged"
    assert path in c.list("sys/rotation/config").data["keys"]
    for bad in ({"length": 0}, {"length": 100000}, {"classes": ["vowels"]}, {"every": "0.5s"}, {"timeout": "1ms"},
                {"alphabet": "ab", "classes": ["lower"]}):
        assert c.post(u, bad).status == 400, bad
    assert c.post("sys/rotation/config/secret/app/none", {"field": "x"}).status == 400
    assert c.delete(u).status == 204
    assert c.get(u).status == 404


def test_rotate_without_holders(c, server, path):
    r = c.post("sys/rotation/rotate/" + path, {"timeout": "5s"})
    assert r.status == 200, r
    d = r.data
    assert (d["path"], d["version"], d["previous_version"], d["state"], d["holders"]) == (path, 2, 1, "converged", [])
    new = server.read(path.removeprefix("secret/"))
    assert new["user"] == "u" and new["password"] != "first" and len(new["password"]) == 32
    assert c.get("sys/rotation/attempts/" + d["attempt_id"]).data["state"] == "converged"
    assert d["attempt_id"] in c.list("sys/rotation/attempts").data["keys"]
    assert c.get("sys/rotation/status/" + path).data["last"]["version"] == 2


def test_rotate_needs_to_know_the_field(c, server):
    server.put("two", {"a": "1", "b": "2"})
    r = c.post("sys/rotation/rotate/secret/two", {})
    assert r.status == 400 and "rotation set" in r.errors[0]
    server.put("single", {"key": "1"})
    assert c.post("sys/rotation/rotate/secret/single", {}).status == 200
    assert c.post("sys/rotation/rotate/secret/none", {}).status == 400
    assert c.post("sys/rotation/rotate/nomount/x", {}).status in (400, 404)
    assert c.get("sys/rotation/attempts/" + "0" * 32).status == 404
    assert c.get("sys/rotation/attempts/xyz").status == 400


def test_rotate_waits_for_the_holder(c, server, host, name, path):
    (lease,) = host.lease(path)
    host.fetch(lease["lease_id"])
    host.ack(lease["lease_id"], 1)
    out = []
    t = threading.Thread(target=lambda: out.append(server.client().post("sys/rotation/rotate/" + path, {})))
    t.start()
    vaultd.wait_for("version 2", lambda: server.client().get(f"secret/data/app/{name}").data["metadata"]["version"] == 2)
    host.ack(lease["lease_id"], 2)
    assert not out, "nobody can have applied what nobody fetched"
    host.fetch(lease["lease_id"])
    assert host.ack(lease["lease_id"], 2, "delivered").status == 204
    assert not out
    assert host.ack(lease["lease_id"], 2).status == 204
    t.join(vaultd.DEADLINE)
    d = out[0].data
    assert d["state"] == "converged"
    (h,) = d["holders"]
    assert (h["host"], h["version"], h["late"]) == (name, 2, False) and h["applied_ms"] >= 0


def test_late_holder_is_named(c, host, name, path):
    (lease,) = host.lease(path)
    host.ack(lease["lease_id"], 1)
    d = c.post("sys/rotation/rotate/" + path, {"timeout": "300ms"}).data
    assert d["state"] == "late"
    assert [(h["host"], h["late"]) for h in d["holders"]] == [(name, True)]


def test_a_rotation_that_waits_is_wrapped(c, host, path):
    (lease,) = host.lease(path)
    host.ack(lease["lease_id"], 1)
    r = c.post("sys/rotation/rotate/" + path, {"timeout": "300ms"}, headers={"X-Vault-Wrap-TTL": "60"})
    assert r.status == 200 and r.data is None, r
    assert r.json["wrap_info"]["creation_path"] == "sys/rotation/rotate/" + path
    assert c.post("sys/wrapping/unwrap", {"token": r.json["wrap_info"]["token"]}).data["state"] == "late"


def test_rotate_without_waiting(c, host, path):
    (lease,) = host.lease(path)
    host.ack(lease["lease_id"], 1)
    d = c.post("sys/rotation/rotate/" + path, {"wait": False}).data
    assert d["state"] == "published"
    host.fetch(lease["lease_id"])
    host.ack(lease["lease_id"], 2)
    vaultd.wait_for("convergence",
                    lambda: c.get("sys/rotation/attempts/" + d["attempt_id"]).data["state"] == "converged")


def test_plain_readers_are_listed(c, server, path):
    c.post("sys/policies/acl/plain", {"policy": 'path "secret/data/app/*" { capabilities = ["read"] }'})
    t = c.post("auth/token/create", {"policies": ["plain"], "display_name": "batch-job"}).json["auth"]["client_token"]
    assert c.get(path.replace("secret/", "secret/data/"), token=t).status == 200
    d = c.post("sys/rotation/rotate/" + path, {}).data
    assert any("batch-job" in str(r) for r in d["untracked_readers"]), d
