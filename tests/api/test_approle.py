# SPDX-License-Identifier: Apache-2.0
"""auth/approle: roles and their fields, secret ids, logins."""
import json
import re

import pytest

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
TOKEN_FIELDS = {"token_ttl": 0, "token_max_ttl": 0, "token_explicit_max_ttl": 0, "token_period": 0, "token_num_uses": 0,
                "token_policies": [], "token_bound_cidrs": [], "token_no_default_policy": False,
                "token_strictly_bind_ip": False, "token_type": "default"}
EMPTY = {"bind_secret_id": True, "secret_id_bound_cidrs": None, "secret_id_num_uses": 0, "secret_id_ttl": 0,
         "local_secret_ids": False, **TOKEN_FIELDS}
INVALID = ["invalid role or secret ID"]


@pytest.fixture(scope="module", autouse=True)
def mounted(server):
    c = server.client()
    assert c.post("sys/auth/approle", {"type": "approle"}).status == 204
    c.close()


@pytest.fixture
def role(c):
    made = []

    def make(name, **fields):
        r = c.post(f"auth/approle/role/{name}", fields)
        assert r.status == 204, r
        made.append(name)
        return c.get(f"auth/approle/role/{name}/role-id").data["role_id"]
    yield make
    for name in made:
        c.delete(f"auth/approle/role/{name}")


def secret(c, name, **fields):
    r = c.post(f"auth/approle/role/{name}/secret-id", fields)
    assert r.status == 200, r
    return r.data


def login(c, role_id, secret_id, **more):
    return c.post("auth/approle/login", {"role_id": role_id, "secret_id": secret_id, **more}, token=None)


def test_role_lifecycle(c, role):
    assert c.list("auth/approle/role").status == 404
    assert c.get("auth/approle/role/web").errors == []
    role("Web")
    assert c.get("auth/approle/role/web").data == EMPTY
    role("web", token_policies="b,a", token_ttl="1h", secret_id_bound_cidrs=["127.0.0.0/8"], secret_id_num_uses=5)
    role("web", secret_id_ttl="10m")
    want = {**EMPTY, "token_policies": ["a", "b"], "token_ttl": 3600, "secret_id_bound_cidrs": ["127.0.0.0/8"],
            "secret_id_num_uses": 5, "secret_id_ttl": 600}
    assert c.get("auth/approle/role/web").data == want
    role("web", policies="c", period="5m")
    assert c.get("auth/approle/role/web").data == \
        {**want, "token_policies": ["c"], "policies": ["c"], "token_period": 300, "period": 300}
    assert c.list("auth/approle/role").data == {"keys": ["web"]}
    for _ in range(2):
        assert c.delete("auth/approle/role/web").status == 204
    assert c.get("auth/approle/role/web").status == 404


@pytest.mark.parametrize("fields, error", [
    ({"bind_secret_id": False}, "at least one constraint should be enabled on the role"),
    ({"token_ttl": 5, "token_max_ttl": 4}, "'token_ttl' cannot be greater than 'token_max_ttl'"),
    ({"secret_id_num_uses": -1}, "secret_id_num_uses cannot be negative"),
    ({"secret_id_ttl": "-1s"}, "secret_id_ttl cannot be negative"),
    ({"secret_id_bound_cidrs": "x"}, "secret_id_bound_cidrs: not an address or a block of addresses"),
])
def test_role_refusals(c, fields, error):
    r = c.post("auth/approle/role/bad", fields)
    assert (r.status, r.errors) == (400, [error])
    assert c.get("auth/approle/role/bad").status == 404


def test_local_secret_ids(c, role):
    role("local", local_secret_ids=True)
    assert c.get("auth/approle/role/local/local-secret-ids").data == {"local_secret_ids": True}
    role("local", local_secret_ids=True)
    r = c.post("auth/approle/role/local", {"local_secret_ids": False})
    assert (r.status, r.errors) == (400, ["local_secret_ids can only be modified during role creation"])
    assert c.post("auth/approle/role/local/local-secret-ids", {}).status == 405


@pytest.mark.parametrize("path, name, value, shown, reset", [
    ("policies", "token_policies", "x,y", ["x", "y"], []),
    ("secret-id-num-uses", "secret_id_num_uses", 4, 4, 0),
    ("secret-id-ttl", "secret_id_ttl", "1h", 3600, 0),
    ("token-ttl", "token_ttl", "1h", 3600, 0),
    ("token-max-ttl", "token_max_ttl", "2h", 7200, 0),
    ("token-num-uses", "token_num_uses", "3", 3, 0),
    ("period", "token_period", "1h", 3600, 0),
    ("bind-secret-id", "bind_secret_id", True, True, True),
    ("secret-id-bound-cidrs", "secret_id_bound_cidrs", "10.0.0.0/8", ["10.0.0.0/8"], None),
    ("bound-cidr-list", "bound_cidr_list", "10.0.0.0/8", ["10.0.0.0/8"], []),
    ("token-bound-cidrs", "token_bound_cidrs", ["10.0.0.1/32"], ["10.0.0.1"], []),
])
def test_fields(c, role, path, name, value, shown, reset):
    role("field")
    at = f"auth/approle/role/field/{path}"
    assert c.get(at).data == {name: reset}
    assert c.post(at, {name: value}).status == 204
    assert c.get(at).data == {name: shown}
    if name != "bound_cidr_list":
        assert c.get("auth/approle/role/field").data[name] == shown
    assert c.post(at, {}).errors == [f"missing {name}"]
    assert c.delete(at).status == 204
    assert c.get(at).data == {name: reset}
    for r in (c.get(at.replace("field", "none")), c.post(at.replace("field", "none"), {name: value}),
              c.delete(at.replace("field", "none"))):
        assert (r.status, r.errors) == (404, ['role "none" does not exist'])


def test_old_names_of_fields(c, role):
    role("old")
    assert c.post("auth/approle/role/old/policies", {"policies": "p"}).status == 204
    assert c.get("auth/approle/role/old/policies").data == {"token_policies": ["p"], "policies": ["p"]}
    assert c.post("auth/approle/role/old/period", {"period": 60}).status == 204
    assert c.get("auth/approle/role/old/period").data == {"token_period": 60, "period": 60}


def test_role_ids(c, role):
    first = role("ida")
    assert UUID.match(first)
    assert c.post("auth/approle/role/ida/role-id", {"role_id": "my-id"}).status == 204
    assert c.get("auth/approle/role/ida/role-id").data == {"role_id": "my-id"}
    assert login(c, first, secret(c, "ida")["secret_id"]).errors == INVALID
    role("idb")
    for r in (c.post("auth/approle/role/idb/role-id", {"role_id": "my-id"}),
              c.post("auth/approle/role/idc", {"role_id": "my-id"})):
        assert (r.status, r.errors) == (400, ["role_id is in use by another role"])
    assert c.post("auth/approle/role/idb/role-id", {}).errors == ["missing role_id"]


def test_secret_id_shape_and_lookup(c, role):
    role("s", secret_id_num_uses=5, secret_id_ttl="1h")
    d = secret(c, "s", metadata=json.dumps({"who": "ci"}), num_uses=2, ttl="10m", cidr_list="127.0.0.0/8")
    assert set(d) == {"secret_id", "secret_id_accessor", "secret_id_num_uses", "secret_id_ttl"}
    assert UUID.match(d["secret_id"]) and UUID.match(d["secret_id_accessor"])
    assert (d["secret_id_num_uses"], d["secret_id_ttl"]) == (2, 600)
    for path, body in (("secret-id", {"secret_id": d["secret_id"]}),
                       ("secret-id-accessor", {"secret_id_accessor": d["secret_id_accessor"]})):
        look = c.post(f"auth/approle/role/s/{path}/lookup", body).data
        assert {k: look[k] for k in look if not k.endswith("_time")} == {
            "secret_id_accessor": d["secret_id_accessor"], "secret_id_num_uses": 2, "secret_id_ttl": 600,
            "metadata": {"who": "ci"}, "cidr_list": ["127.0.0.0/8"], "token_bound_cidrs": []}
        assert all(RFC3339.match(look[k]) for k in ("creation_time", "expiration_time", "last_updated_time"))
    role("ever")
    d = secret(c, "ever")
    look = c.post("auth/approle/role/ever/secret-id/lookup", {"secret_id": d["secret_id"]}).data
    assert (look["expiration_time"], look["metadata"]) == ("0001-01-01T00:00:00Z", {})


@pytest.mark.parametrize("fields, error", [
    ({"num_uses": 6}, "num_uses cannot be higher than the role's secret_id_num_uses"),
    ({"num_uses": 0}, "num_uses cannot be higher than the role's secret_id_num_uses"),
    ({"ttl": "2h"}, "ttl cannot be longer than the role's secret_id_ttl"),
    ({"ttl": 0}, "ttl cannot be longer than the role's secret_id_ttl"),
    ({"metadata": "{"}, "failed to parse metadata: an object of strings is needed"),
])
def test_secret_id_refusals(c, role, fields, error):
    role("s", secret_id_num_uses=5, secret_id_ttl="1h")
    r = c.post("auth/approle/role/s/secret-id", fields)
    assert (r.status, r.errors) == (400, [error])
    assert c.list("auth/approle/role/s/secret-id").status == 404


def test_secret_ids_are_listed_and_destroyed(c, role):
    role("d")
    role("e")
    made = [secret(c, "d") for _ in range(4)]
    assert c.list("auth/approle/role/d/secret-id").data["keys"] == sorted(m["secret_id_accessor"] for m in made)
    at = "auth/approle/role/d"
    assert c.post(f"{at}/secret-id/destroy", {"secret_id": made[0]["secret_id"]}).status == 204
    assert c.delete(f"{at}/secret-id/destroy?secret_id={made[1]['secret_id']}").status == 204
    accessor = {"secret_id_accessor": made[2]["secret_id_accessor"]}
    missing = ['failed to find accessor entry for secret_id_accessor: "%s"' % made[2]["secret_id_accessor"]]
    r = c.post("auth/approle/role/e/secret-id-accessor/destroy", accessor)
    assert (r.status, r.errors) == (404, missing), "it is another role's"
    assert c.post(f"{at}/secret-id-accessor/destroy", accessor).status == 204
    for way in ("lookup", "destroy"):
        r = c.post(f"{at}/secret-id-accessor/{way}", accessor)
        assert (r.status, r.errors) == (404, missing)
        assert c.post(f"{at}/secret-id/{way}", {"secret_id": made[0]["secret_id"]}).status == 204, "unknown"
        assert c.post(f"{at}/secret-id/{way}", {}).errors == ["missing secret_id"]
    assert c.list(f"{at}/secret-id").data["keys"] == [made[3]["secret_id_accessor"]]
    r = c.post("auth/approle/role/none/secret-id", {})
    assert (r.status, r.errors) == (404, ['role "none" does not exist'])
    assert c.post("auth/approle/tidy/secret-id").status == 204


def test_custom_secret_ids(c, role):
    role_id = role("cust")
    at = "auth/approle/role/cust/custom-secret-id"
    assert c.post(at, {"secret_id": "chosen by us"}).data["secret_id"] == "chosen by us"
    r = c.post(at, {"secret_id": "chosen by us"})
    assert (r.status, r.errors) == (400, ["SecretID is already registered"])
    assert c.post(at, {}).errors == ["missing secret_id"]
    assert login(c, role_id, "chosen by us").status == 200


def test_login(c, role):
    role_id = role("app", token_policies=["reader"], token_ttl="30m", token_max_ttl="1h", token_num_uses=9)
    d = secret(c, "app", metadata='{"env":"prod"}')
    for method in ("POST", "PUT"):
        r = c.request(method, "auth/approle/login", {"role_id": role_id, "secret_id": d["secret_id"]}, token=None)
        assert r.status == 200 and r.json["mount_type"] == "approle" and r.json["data"] is None
    a = r.json["auth"]
    assert (a["policies"], a["token_policies"], a["lease_duration"], a["renewable"], a["orphan"], a["num_uses"]) == \
        (["default", "reader"], ["default", "reader"], 1800, True, True, 9)
    assert a["metadata"] == {"role_name": "app", "env": "prod"}
    look = c.get("auth/token/lookup-self", token=a["client_token"]).data
    assert (look["path"], look["display_name"], look["meta"], look["num_uses"]) == \
        ("auth/approle/login", "approle", a["metadata"], 8)
    r = c.post("auth/token/renew-self", {"increment": "5h"}, token=a["client_token"])
    assert r.json["auth"]["lease_duration"] <= 3600 and r.json["warnings"]
    for body, error in (({}, "missing role_id"), ({"role_id": role_id}, "missing secret_id"),
                        ({"role_id": "nobody"}, "missing secret_id")):
        r = c.post("auth/approle/login", body, token=None)
        assert (r.status, r.errors) == (400, [error])


def test_renewal_ends_with_the_role(c, role):
    role_id = role("gone", token_ttl="1h")
    tok = login(c, role_id, secret(c, "gone")["secret_id"]).json["auth"]["client_token"]
    c.delete("auth/approle/role/gone")
    r = c.post("auth/token/renew-self", {}, token=tok)
    assert (r.status, r.errors) == (400, ['role "gone" does not exist during renewal'])


def test_leases_of_logins(c, role):
    role_id = role("leased")
    tok = login(c, role_id, secret(c, "leased")["secret_id"]).json["auth"]["client_token"]
    [name] = [k for k in c.list("sys/leases/lookup/auth/approle/login").data["keys"]][:1]
    assert c.post("sys/leases/lookup", {"lease_id": f"auth/approle/login/{name}"}).data["ttl"] > 0
    assert c.post("sys/leases/revoke-prefix/auth/approle").status == 204
    assert c.get("auth/token/lookup-self", token=tok).status == 403


def test_mount_settings_count(c, role):
    assert c.post("sys/auth/approle/tune", {"max_lease_ttl": "2h", "default_lease_ttl": "20m"}).status == 204
    role_id = role("tuned")
    s = secret(c, "tuned", ttl="30h")
    assert s["secret_id_ttl"] == 7200
    assert login(c, role_id, s["secret_id"]).json["auth"]["lease_duration"] == 1200
    role("tuned", token_ttl="9h")
    r = login(c, role_id, s["secret_id"])
    assert r.json["auth"]["lease_duration"] == 7200
    c.post("sys/auth/approle/tune", {"token_type": "batch"})
    assert login(c, role_id, s["secret_id"]).json["auth"]["token_type"] == "batch"
    c.post("sys/auth/approle/tune", {"token_type": "default-service", "max_lease_ttl": 0, "default_lease_ttl": 0})
