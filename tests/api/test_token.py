# SPDX-License-Identifier: Apache-2.0
"""auth/token: create, look up, renew, revoke; uses, periods, limits."""
import re

import pytest

import vaultd

DENIED = "1 error occurred:\n\t* permission denied\n\n"
AUTH_KEYS = {"client_token", "accessor", "policies", "token_policies", "metadata", "lease_duration", "renewable",
             "entity_id", "token_type", "orphan", "mfa_requirement", "num_uses"}
LOOKUP_KEYS = {"id", "accessor", "policies", "path", "meta", "display_name", "num_uses", "orphan", "creation_time",
               "creation_ttl", "expire_time", "ttl", "explicit_max_ttl", "entity_id", "type", "renewable",
               "issue_time"}
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def create(c, **body):
    kw = {"token": body.pop("_token")} if "_token" in body else {}
    r = c.post("auth/token/create", body, **kw)
    assert r.status == 200, r
    return r.json["auth"]


def lookup(c, token):
    return c.get("auth/token/lookup-self", token=token)


@pytest.fixture(scope="module", autouse=True)
def policies(server):
    c = server.client()
    for name, text in {
        "child": 'path "auth/token/create" { capabilities = ["update"] }\n'
                 'path "auth/token/create-orphan" { capabilities = ["update"] }\n'
                 'path "auth/token/lookup" { capabilities = ["update"] }',
        "reader": 'path "secret/data/r/*" { capabilities = ["read"] }',
    }.items():
        assert c.post(f"sys/policies/acl/{name}", {"policy": text}).status == 204
    c.close()


def test_create_shape(c):
    r = c.post("auth/token/create", {"policies": ["reader"], "ttl": "1h", "meta": {"who": "me"},
                                     "display_name": "ci job"})
    assert r.status == 200 and r.json["data"] is None
    assert r.json["mount_type"] == "token"
    assert (r.json["lease_id"], r.json["lease_duration"], r.json["renewable"]) == ("", 0, False)
    a = r.json["auth"]
    assert set(a) == AUTH_KEYS
    assert re.fullmatch(r"vlt_s_[0-9A-Za-z]{49}", a["client_token"])
    assert a["policies"] == a["token_policies"] == ["default", "reader"]
    assert (a["metadata"], a["lease_duration"], a["renewable"], a["token_type"], a["orphan"], a["num_uses"]) == \
        ({"who": "me"}, 3600, True, "service", False, 0)
    d = lookup(c, a["client_token"]).data
    assert set(d) == LOOKUP_KEYS
    assert (d["id"], d["accessor"], d["display_name"], d["path"]) == \
        (a["client_token"], a["accessor"], "token-ci-job", "auth/token/create")
    assert (d["creation_ttl"], d["explicit_max_ttl"], d["type"], d["meta"]) == (3600, 0, "service", {"who": "me"})
    assert 3590 < d["ttl"] <= 3600
    assert RFC3339.match(d["expire_time"]) and RFC3339.match(d["issue_time"])


def test_root_lookup(c, server):
    d = lookup(c, server.root).data
    assert (d["policies"], d["ttl"], d["expire_time"], d["orphan"], d["meta"], d["display_name"], d["path"]) == \
        (["root"], 0, None, True, None, "root", "auth/token/root")
    assert d["renewable"] is False


def test_lookup_ways(c):
    a = create(c, policies=["reader"])
    for r in (c.post("auth/token/lookup", {"token": a["client_token"]}),
              c.get("auth/token/lookup?token=" + a["client_token"])):
        assert r.status == 200 and r.data["id"] == a["client_token"]
    r = c.post("auth/token/lookup-accessor", {"accessor": a["accessor"]})
    assert r.data["id"] == "" and r.data["accessor"] == a["accessor"]
    r = c.post("auth/token/lookup", {"token": "vlt_s_" + "x" * 49})
    assert (r.status, r.errors) == (403, ["bad token"])
    r = c.post("auth/token/lookup-accessor", {"accessor": "nothing"})
    assert (r.status, r.errors) == (400, ["invalid accessor"])


def test_no_token_and_bad_token(c):
    for token in (None, "vlt_s_" + "0" * 49, "s.12345", "x"):
        r = lookup(c, token)
        assert r.status == 403 and "permission denied" in r.errors[0], token


def test_default_policy_of_children(c):
    assert create(c, policies=["reader"], no_default_policy=True)["policies"] == ["reader"]
    assert create(c)["policies"] == ["root"]
    parent = create(c, policies=["child"], no_default_policy=True)["client_token"]
    assert create(c, _token=parent)["policies"] == ["child"]


def test_subset_rule(c):
    parent = create(c, policies=["child", "reader"])["client_token"]
    assert create(c, policies=["reader"], _token=parent)["policies"] == ["default", "reader"]
    r = c.post("auth/token/create", {"policies": ["other"]}, token=parent)
    assert (r.status, r.errors) == (400, ["child policies must be subset of parent"])
    r = c.post("auth/token/create", {"policies": ["root"]}, token=parent)
    assert r.status == 400


@pytest.mark.parametrize("body, text", [
    ({"no_parent": True}, "root or sudo privileges required to create orphan token"),
    ({"id": "mine"}, "root or sudo privileges required to specify token id"),
    ({"period": "1h"}, "root or sudo privileges required to create periodic token"),
])
def test_sudo_fields(c, body, text):
    parent = create(c, policies=["child"])["client_token"]
    r = c.post("auth/token/create", body, token=parent)
    assert (r.status, r.errors) == (400, [text])


@pytest.mark.parametrize("body, text", [
    ({"type": "batch"}, "batch"),
    ({"type": "odd"}, "invalid 'token_type' value"),
    ({"ttl": "-1h"}, ""),
    ({"ttl": "1x"}, 'for field "ttl"'),
    ({"num_uses": -1}, ""),
    ({"explicit_max_ttl": -3}, ""),
    ({"period": "-1s"}, ""),
    ({"id": "a.b"}, "custom token ID"),
    ({"policies": ["a b/c"]}, ""),
    ({"meta": "no map"}, "meta"),
])
def test_refused_fields(c, body, text):
    r = c.post("auth/token/create", body)
    assert r.status == 400 and text in r.errors[0], r


def test_given_id(c):
    a = create(c, id="my-own-token", policies=["reader"], ttl="1m")
    assert a["client_token"] == "my-own-token"
    assert lookup(c, "my-own-token").status == 200
    r = c.post("auth/token/create", {"id": "my-own-token"})
    assert (r.status, r.errors) == (400, ["cannot create a token with a duplicate ID"])
    assert c.post("auth/token/revoke", {"token": "my-own-token"}).status == 204


def test_warnings(c):
    r = c.post("auth/token/create", {"policies": ["never-written"], "ttl": 60, "colour": 1, "size": 2})
    assert r.status == 200
    warnings = "\n".join(r.json["warnings"])
    assert 'Policy "never-written" does not exist' in warnings
    assert "Endpoint ignored these unrecognized parameters: [colour size]" in warnings
    assert c.post("auth/token/create", {"ttl": 60}).json["warnings"] is None


def test_no_body_stays_no_body(c):
    """An unknown field is warned of where there is an answer to warn in."""
    a = create(c, ttl=60)
    assert c.post("auth/token/revoke", {"token": a["client_token"], "why": "x"}).status == 204
    r = c.post("sys/policies/acl/UPPER", {"policy": 'path "x" { capabilities = ["read"] }', "why": "x"})
    assert r.status == 200 and r.data is None
    assert r.json["warnings"] == ["policy name was converted to upper",
                                  "Endpoint ignored these unrecognized parameters: [why]"]


@pytest.mark.parametrize("given, seconds", [
    (90, 90), ("90", 90), ("1h30m", 5400), ("1.5h", 5400), ("2d", 172800), ("90s", 90), ("", None)])
def test_durations(c, given, seconds):
    a = create(c, policies=["reader"], ttl=given)
    if seconds is None:
        assert a["lease_duration"] == 2764800
    else:
        assert a["lease_duration"] == seconds


@pytest.mark.parametrize("path, field", [
    ("auth/token/create", "ttl"), ("auth/token/create", "explicit_max_ttl"), ("auth/token/create", "period"),
    ("auth/token/roles/long", "token_period"), ("sys/auth/token/tune", "max_lease_ttl")])
def test_durations_that_no_time_can_have(c, path, field):
    assert c.post(path, {field: 9223372036854775}).status == 400
    assert c.post(path, {field: "9223372036854775s"}).status == 400


def test_weak_typing(c):
    a = create(c, policies="reader, default", num_uses="3", renewable="false")
    assert a["policies"] == ["default", "reader"]
    assert (a["num_uses"], a["renewable"]) == (3, False)


def test_num_uses_counts_denied_requests_too(c):
    token = create(c, policies=["reader"], num_uses=3)["client_token"]
    assert lookup(c, token).data["num_uses"] == 2
    assert c.get("secret/data/not-mine", token=token).status == 403
    assert c.post("auth/token/lookup", {"token": token}).data["num_uses"] == 1, "being looked up is no use"
    assert lookup(c, token).status == 200
    assert lookup(c, token).status == 403


def test_limited_token_makes_no_children(c):
    token = create(c, policies=["child"], num_uses=5)["client_token"]
    r = c.post("auth/token/create", {}, token=token)
    assert (r.status, r.errors) == (400, ["restricted use token cannot generate child tokens"])


def test_renew(c):
    a = create(c, policies=["reader"], ttl="1h")
    r = c.post("auth/token/renew-self", {"increment": "2h"}, token=a["client_token"])
    assert r.status == 200 and r.json["auth"]["lease_duration"] == 7200
    r = c.post("auth/token/renew", {"token": a["client_token"], "increment": 600})
    assert r.json["auth"]["lease_duration"] == 600 and r.json["auth"]["client_token"] == a["client_token"]
    r = c.post("auth/token/renew-accessor", {"accessor": a["accessor"], "increment": 700})
    assert r.json["auth"]["lease_duration"] == 700 and r.json["auth"]["client_token"] == ""
    d = lookup(c, a["client_token"]).data
    assert d["last_renewal_time"] > 0 and RFC3339.match(d["last_renewal"])


def test_not_renewable(c, server):
    token = create(c, policies=["reader"], renewable=False, ttl="1h")["client_token"]
    for t in (token, server.root):
        r = c.post("auth/token/renew-self", {}, token=t)
        assert r.status == 400 and "lease is not renewable" in r.errors[0]
    r = c.post("auth/token/renew", {"token": "vlt_s_" + "0" * 49})
    assert r.status in (400, 403) and "token" in r.errors[0]
    assert c.post("auth/token/renew-accessor", {"accessor": "x"}).errors == ["invalid accessor"]


def test_explicit_max_caps(c):
    r = c.post("auth/token/create", {"policies": ["reader"], "ttl": "2h", "explicit_max_ttl": "1h"})
    assert r.json["auth"]["lease_duration"] == 3600
    token = r.json["auth"]["client_token"]
    r = c.post("auth/token/renew-self", {"increment": "5h"}, token=token)
    assert r.status == 200 and 3500 < r.json["auth"]["lease_duration"] <= 3600
    assert r.json["warnings"]
    assert lookup(c, token).data["explicit_max_ttl"] == 3600


def test_period_renews_to_period(c):
    a = create(c, policies=["reader"], period="30m")
    assert a["lease_duration"] == 1800
    r = c.post("auth/token/renew-self", {"increment": "9h"}, token=a["client_token"])
    assert r.json["auth"]["lease_duration"] == 1800
    assert lookup(c, a["client_token"]).data["period"] == 1800


def test_revocation_takes_descendants(c):
    a = create(c, policies=["child"])
    b = create(c, _token=a["client_token"])
    d = create(c, _token=b["client_token"])
    orphan = c.post("auth/token/create-orphan", {}, token=a["client_token"]).json["auth"]
    assert orphan["orphan"] is True and d["orphan"] is False
    assert c.post("auth/token/revoke", {"token": a["client_token"]}).status == 204
    for t in (a, b, d):
        assert lookup(c, t["client_token"]).status == 403
    assert lookup(c, orphan["client_token"]).status == 200


def test_revoke_orphan_keeps_children(c):
    a = create(c, policies=["child"])
    b = create(c, _token=a["client_token"])
    assert c.post("auth/token/revoke-orphan", {"token": a["client_token"]}).status == 204
    assert lookup(c, a["client_token"]).status == 403
    d = lookup(c, b["client_token"])
    assert d.status == 200 and d.data["orphan"] is True
    r = c.post("auth/token/revoke-orphan", {"token": a["client_token"]})
    assert (r.status, r.errors) == (400, ["token to revoke not found"])


def test_revoke_ways(c):
    a, b, d = create(c, ttl=60), create(c, ttl=60), create(c, ttl=60)
    assert c.post("auth/token/revoke-self", token=a["client_token"]).status == 204
    assert c.request("PUT", "auth/token/revoke-accessor", {"accessor": b["accessor"]}).status == 204
    assert c.request("PUT", "auth/token/revoke", {"token": d["client_token"]}).status == 204
    for t in (a, b, d):
        assert lookup(c, t["client_token"]).status == 403
    r = c.post("auth/token/revoke-accessor", {"accessor": b["accessor"]})
    assert (r.status, r.errors) == (400, ["invalid accessor"])
    assert c.post("auth/token/revoke", {"token": d["client_token"]}).status == 204


def test_accessors(c):
    a = create(c, policies=["reader"], ttl=60)
    for r in (c.list("auth/token/accessors"), c.get("auth/token/accessors?list=true")):
        assert r.status == 200 and a["accessor"] in r.data["keys"]
    r = c.list("auth/token/accessors", token=a["client_token"])
    assert (r.status, r.errors) == (403, [DENIED])
    c.post("auth/token/revoke-accessor", {"accessor": a["accessor"]})
    assert a["accessor"] not in c.list("auth/token/accessors").data["keys"]


def test_short_ttl_ends(c):
    token = create(c, policies=["reader"], ttl=1)["client_token"]
    vaultd.wait_for("the token to expire", lambda: lookup(c, token).status == 403)
