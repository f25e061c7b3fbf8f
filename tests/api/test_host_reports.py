# SPDX-License-Identifier: Apache-2.0
"""What agents report of themselves, and where a secret is."""
import base64
import itertools
import json

import pytest

import hostwire

serial = itertools.count()
GOOD = {"rev": 7, "lag_ms": 12, "stale": 1, "last_error": "the vault is away"}


@pytest.fixture
def name():
    return f"report{next(serial)}"


@pytest.fixture
def path(server, name):
    server.put(f"app/{name}", {"password": "first"})
    return f"secret/app/{name}"


@pytest.fixture
def host(server, name):
    return hostwire.joined(server, name, ["secret/app/*"])


def summary(c, name):
    return c.list("sys/hosts").data["key_info"][name]


def secrets(path, *containers):
    return [{"path": path, "containers": [{"id": i, "name": "c-" + i, "version": v, "state": s} for i, v, s in containers]}]


def where(c, path):
    r = c.get("sys/hosts/where/" + path)
    assert r.status == 200, r
    return {h["host"]: h for h in r.data["hosts"]}


def test_a_report_is_shown(c, host, name):
    before = summary(c, name)
    assert [before[k] for k in ("reported", "lag_ms", "stale", "last_error")] == [None] * 4
    assert host.report(1000, **GOOD).status == 204
    for d in (summary(c, name), c.get("sys/hosts/" + name).data):
        assert (d["lag_ms"], d["stale"], d["last_error"], d["agent_version"]) == (12, 1, "the vault is away", "test")
        assert d["reported"]
    host.report(2000, rev=8, lag_ms=0, stale=0, last_error="", agent_version="9.9")
    d = summary(c, name)
    assert (d["lag_ms"], d["stale"], d["last_error"], d["agent_version"]) == (0, 0, "", "9.9")


def test_an_old_report_says_nothing_new(c, server, host, name):
    host.report(2000, lag_ms=5)
    old = base64.b64encode(host.says("report", {"boot_ms": 1000, "lag_ms": 99})).decode()
    for _ in range(2):
        assert host.c.client.post("sys/agent/report", {"statement": old}).status == 204
    assert summary(c, name)["lag_ms"] == 5
    before = host.token
    assert host.login().status == 200
    assert server.client(before).post("sys/agent/report", {"statement": old}).status == 204, "of the login before"
    assert host.c.client.post("sys/agent/report", {"statement": old}).status == 400, "of another session"
    assert summary(c, name)["lag_ms"] == 5
    assert host.report(10, lag_ms=6).status == 204 and summary(c, name)["lag_ms"] == 6, "a host that was started again"
    assert host.login().status == 200
    assert host.c.client.post("sys/agent/report", {"statement": old}).status == 400


def test_only_the_host_says_it(server, host, name):
    other = hostwire.joined(server, name + "x", ["secret/app/*"])
    said = base64.b64encode(other.says("report", {"boot_ms": 1, **GOOD})).decode()
    assert host.c.client.post("sys/agent/report", {"statement": said}).status == 400
    ack = base64.b64encode(host.says("ack", {"boot_ms": 1, **GOOD})).decode()
    assert host.c.client.post("sys/agent/report", {"statement": ack}).status == 400
    assert host.c.client.post("sys/agent/report", {"boot_ms": 1, **GOOD}).status == 400
    assert server.client().post("sys/agent/report", {"statement": said}).status == 403


@pytest.mark.parametrize("change", [
    {"lag_ms": -1}, {"lag_ms": "1"}, {"stale": []}, {"rev": {}}, {"last_error": "x" * 257}, {"last_error": "a\nb"},
    {"agent_version": "x" * 65}, {"secrets": {}}, {"secrets": [1]}, {"secrets": [{}]}, {"secrets": [{"path": "a/b", "containers": 1}]},
    {"secrets": secrets("a/b", ("", 1, "applied"))}, {"secrets": secrets("a/b", ("x", 1, "s" * 33))},
    {"secrets": secrets("a/b", ("x", -1, "applied"))}, {"secrets": secrets("a/b", ("x\x1b", 1, "applied"))},
    {"secrets": [{"path": "a/b", "containers": [{"id": "x"}] * 2049}]}, {"secrets": [{"path": "a/b"}] * 1001}])
def test_what_is_no_report(c, host, name, change):
    assert host.report(1, **{**GOOD, **change}).status == 400
    assert summary(c, name)["reported"] is None


def test_where(c, server, host, name, path):
    assert c.get("sys/hosts/where/" + path).data == {"path": path, "hosts": []}
    second = hostwire.joined(server, name + "b", ["secret/app/*"])
    (lease,), (other,) = host.lease(path), second.lease(path)
    for h, x in ((host, lease), (second, other)):
        h.fetch(x["lease_id"])
    host.ack(lease["lease_id"], 1)
    second.ack(other["lease_id"], 1, "rejected", detail="unhealthy")
    host.report(1, secrets=secrets(path, ("a", 1, "applied"), ("b", 1, "delivered")) + secrets("secret/app/else", ("a", 9, "applied")))
    d = where(c, path)
    assert set(d) == {name, name + "b"}
    assert [(d[name][k]) for k in ("version", "fetched", "current", "state", "detail")] == [1, 1, 1, "applied", ""]
    assert [(x["id"], x["name"], x["version"], x["state"]) for x in d[name]["containers"]] == \
        [("a", "c-a", 1, "applied"), ("b", "c-b", 1, "delivered")]
    assert d[name]["reported"] and d[name]["since"]
    d = d[name + "b"]
    assert (d["version"], d["state"], d["detail"], d["containers"], d["reported"]) == (0, "rejected", "unhealthy", [], None)


def test_since_stays_while_nothing_changes(c, host, name, path):
    """That it moves with a change is tested where the clock is the test's (test_host_report.c)."""
    (lease,) = host.lease(path)
    host.fetch(lease["lease_id"])
    host.ack(lease["lease_id"], 1)
    host.report(1, secrets=secrets(path, ("a", 1, "applied"), ("b", 1, "applied")))
    first = where(c, path)[name]
    host.c.post("sys/agent/renew", {"leases": [lease["lease_id"]]})
    host.report(2, secrets=secrets("secret/app/new") + secrets(path, ("b", 1, "applied"), ("a", 2, "delivered")))
    again = where(c, path)[name]
    assert again["since"] == first["since"], "a renewal is no change"
    old, new = ({x["id"]: x["since"] for x in d["containers"]} for d in (first, again))
    assert new["b"] == old["b"]


def test_whoever_has_nothing_any_more_is_not_named(c, host, name, path):
    (lease,) = host.lease(path)
    c.post("sys/vault-leases/revoke", {"lease_id": lease["lease_id"]})
    assert where(c, path)[name]["state"] == "revoked", "it may have it still"
    assert host.ack(lease["lease_id"], 0, "wiped").status == 204
    assert where(c, path) == {}


def test_many_holders(c, server, path, name):
    for i in range(17):
        h = hostwire.joined(server, f"{name}-{i}", ["secret/app/*"])
        h.lease(path)
    assert len(where(c, path)) == 17, "more than one slice"


def test_policy_and_paths(c, server, path):
    c.post("sys/policies/acl/whereabouts", {"policy": 'path "sys/hosts/where/secret/app/*" { capabilities = ["read"] }'})
    mine = server.client(c.post("auth/token/create", {"policies": ["whereabouts"]}).json["auth"]["client_token"])
    assert mine.get("sys/hosts/where/" + path).status == 200
    assert mine.get("sys/hosts/where/secret/other/x").status == 403 and mine.list("sys/hosts").status == 403
    assert c.get("sys/hosts/where/nomount/x").status == 400
    assert c.post("sys/hosts/add", {"name": "where", "role": "web"}).status == 400


def test_vaultctl(server, host, name, path):
    (lease,) = host.lease(path)
    host.fetch(lease["lease_id"])
    host.ack(lease["lease_id"], 1)
    host.report(1, **GOOD, secrets=secrets(path, ("a", 1, "applied")))
    rows = [x.split() for x in server.ctl("where", path, fmt="table").stdout.splitlines()]
    assert rows[0] == ["HOST", "CONTAINER", "VERSION", "STATE", "SINCE"]
    assert [(x[0], x[-4], x[-3], x[-2]) for x in rows[2:]] == [(name, "c-a", "1", "applied")] and rows[1][0] == name
    assert json.loads(server.ctl("where", path).stdout)["data"]["hosts"][0]["host"] == name
    line = next(x for x in server.ctl("host", "list", fmt="table").stdout.splitlines() if x.startswith(name + " "))
    assert "the vault is away" in line and " 12 " in line
