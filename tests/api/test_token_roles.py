# SPDX-License-Identifier: Apache-2.0
"""auth/token/roles, auth/token/create/:role and batch tokens."""
import re

import pytest

DENIED = "1 error occurred:\n\t* permission denied\n\n"
EMPTY = {"allowed_policies": [], "disallowed_policies": [], "allowed_policies_glob": [], "disallowed_policies_glob": [],
         "allowed_entity_aliases": [], "orphan": False, "renewable": True, "path_suffix": "", "period": 0,
         "explicit_max_ttl": 0, "token_period": 0, "token_explicit_max_ttl": 0, "token_num_uses": 0,
         "token_bound_cidrs": [], "token_no_default_policy": False, "token_strictly_bind_ip": False,
         "token_type": "default-service"}


def role(c, name, **fields):
    r = c.post(f"auth/token/roles/{name}", fields)
    assert r.status == 204, r


def create(c, path="", token="", **body):
    return c.post("auth/token/create" + path, body, token=token)


@pytest.fixture(scope="module", autouse=True)
def policies(server):
    c = server.client()
    text = 'path "auth/token/create*" { capabilities = ["update"] }\n'
    assert c.post("sys/policies/acl/maker", {"policy": text}).status == 204
    c.close()


@pytest.fixture
def maker(c):
    return create(c, policies=["maker"]).json["auth"]["client_token"]


def test_role_lifecycle(c):
    assert (c.list("auth/token/roles").status, c.get("auth/token/roles/life").status) == (404, 404)
    role(c, "life")
    assert c.get("auth/token/roles/life").data == {"name": "life", **EMPTY}
    role(c, "life", allowed_policies="a,b", period="1h", orphan="true")
    role(c, "life", token_num_uses=7)
    d = c.get("auth/token/roles/life").data
    assert d == {"name": "life", **EMPTY, "allowed_policies": ["a", "b"], "period": 3600, "token_period": 3600,
                 "orphan": True, "token_num_uses": 7}
    assert c.list("auth/token/roles").data == {"keys": ["life"]}
    assert c.get("auth/token/roles?list=true").data == {"keys": ["life"]}
    for _ in range(2):
        assert c.delete("auth/token/roles/life").status == 204
    assert c.list("auth/token/roles").status == 404


def test_creating_a_role_needs_create_changing_it_update(c):
    c.post("sys/policies/acl/updater", {"policy": 'path "auth/token/roles/*" { capabilities = ["update"] }'})
    tok = create(c, policies=["updater"]).json["auth"]["client_token"]
    assert c.post("auth/token/roles/fresh", {}, token=tok).errors == [DENIED]
    role(c, "fresh")
    assert c.post("auth/token/roles/fresh", {}, token=tok).status == 204
    c.delete("auth/token/roles/fresh")


def test_thousands_of_roles_are_listed(c):
    names = [f"many-{i:04}" for i in range(600)]
    for n in names:
        role(c, n)
    assert c.list("auth/token/roles").data["keys"] == names
    for n in names:
        c.delete(f"auth/token/roles/{n}")


@pytest.mark.parametrize("fields, error", [
    ({"token_period": -1}, "'token_period' cannot be negative"),
    ({"token_type": "batch", "token_num_uses": 1},
     "'token_type' cannot be 'batch' or 'default_batch' when set to generate tokens with limited use count"),
    ({"token_type": "x"}, "invalid 'token_type' value \"x\""),
    ({"token_bound_cidrs": "nowhere"}, "token_bound_cidrs: not an address or a block of addresses"),
    ({"orphan": "perhaps"}, 'Field validation failed: error converting input for field "orphan": expected bool'),
])
def test_role_refusals(c, fields, error):
    r = c.post("auth/token/roles/bad", fields)
    assert (r.status, r.errors) == (400, [error])
    assert c.get("auth/token/roles/bad").status == 404


def test_create_through_a_role(c, maker):
    role(c, "web", allowed_policies=["reader"], allowed_policies_glob=["dev-*"], disallowed_policies=["dev-root"],
         path_suffix="ci", token_explicit_max_ttl="2h")
    r = create(c, "/web", maker)
    assert r.status == 200 and r.json["auth"]["policies"] == ["default", "reader"]
    tok = r.json["auth"]["client_token"]
    d = c.get("auth/token/lookup-self", token=tok).data
    assert (d["path"], d["role"], d["explicit_max_ttl"], d["creation_ttl"]) == \
        ("auth/token/create/web/ci", "web", 7200, 7200)
    assert create(c, "/web", maker, policies=["dev-1"]).json["auth"]["policies"] == ["default", "dev-1"]
    assert create(c, "/web", maker, policies=["dev-root"]).errors == ['token policy "dev-root" is disallowed by this role']
    assert create(c, "/web", maker, policies=["root"]).status == 400
    assert create(c, "/nobody", maker).errors == ["unknown role nobody"]
    r = create(c, "/web", maker, name="x", role_name="y")
    assert r.json["warnings"] and "Endpoint ignored these unrecognized parameters: [name role_name]" in r.json["warnings"]


def test_bound_to_addresses(c, maker):
    role(c, "far", token_bound_cidrs=["192.0.2.0/24"])
    role(c, "near", token_bound_cidrs=["127.0.0.0/8"])
    far = create(c, "/far", maker).json["auth"]["client_token"]
    near = create(c, "/near", maker).json["auth"]["client_token"]
    r = c.get("auth/token/lookup-self", token=far)
    assert (r.status, r.errors) == (403, ["permission denied"])
    assert c.get("auth/token/lookup-self", token=near).data["bound_cidrs"] == ["127.0.0.0/8"]
    assert c.post("auth/token/lookup", {"token": far}).data["bound_cidrs"] == ["192.0.2.0/24"]


def test_batch_tokens(c, maker):
    r = create(c, "", maker, type="batch", ttl="1h", meta={"k": "v"})
    a = r.json["auth"]
    assert re.fullmatch(r"vlt_b_[A-Za-z0-9_-]+", a["client_token"]) and len(a["client_token"]) <= 1024
    assert (a["token_type"], a["accessor"], a["renewable"], a["lease_duration"], a["num_uses"], a["orphan"]) == \
        ("batch", "", False, 3600, 0, False)
    tok = a["client_token"]
    d = c.get("auth/token/lookup-self", token=tok).data
    assert (d["type"], d["meta"], d["policies"], d["id"]) == ("batch", {"k": "v"}, ["default", "maker"], tok)
    for call, error in [(("auth/token/renew", {"token": tok}), "batch tokens cannot be renewed"),
                        (("auth/token/revoke", {"token": tok}), "batch tokens cannot be revoked"),
                        (("auth/token/create", {"type": "batch", "policies": ["p"], "num_uses": 1}),
                         'batch tokens cannot have "num_uses" set')]:
        r = c.post(*call)
        assert (r.status, r.errors) == (400, [error])
    assert create(c, "", tok).errors == ["batch tokens cannot create more tokens"]
    assert tok not in str(c.list("auth/token/accessors").json)
    assert c.post("auth/token/revoke", {"token": maker}).status == 204
    assert c.get("auth/token/lookup-self", token=tok).errors == ["permission denied"]


def test_tidy(c):
    assert c.post("auth/token/tidy").status == 204
