# SPDX-License-Identifier: Apache-2.0
"""hvac and token authentication."""
import hvac.exceptions
import pytest


@pytest.fixture
def tokens(hv):
    return hv.auth.token


def new(tokens, **options):
    return tokens.create(**options)["auth"]


def test_create_and_look_up(tokens, connect):
    auth = new(tokens, policies=["web"], ttl="1h", meta={"who": "me"}, display_name="ci job")
    assert auth["policies"] == auth["token_policies"] == ["default", "web"]
    assert (auth["lease_duration"], auth["renewable"], auth["metadata"]) == (3600, True, {"who": "me"})
    assert (auth["token_type"], auth["orphan"], auth["num_uses"], auth["mfa_requirement"]) == ("service", False, 0, None)
    data = tokens.lookup(auth["client_token"])["data"]
    assert (data["id"], data["accessor"]) == (auth["client_token"], auth["accessor"])
    assert (data["display_name"], data["path"], data["type"]) == ("token-ci-job", "auth/token/create", "service")
    assert 3590 < data["ttl"] <= data["creation_ttl"] == 3600
    own = connect(auth["client_token"])
    assert own.auth.token.lookup_self()["data"]["accessor"] == auth["accessor"]
    assert own.is_authenticated()


def test_unknown_policy_warns(tokens):
    got = tokens.create(policies=["nobody-wrote-this"])
    assert got["warnings"] == ['Policy "nobody-wrote-this" does not exist']


def test_is_authenticated(connect, server):
    assert connect(server.root).is_authenticated()
    assert not connect("").is_authenticated()
    assert not connect("hvs.nonsense").is_authenticated()


def test_root_never_expires(hv):
    data = hv.auth.token.lookup_self()["data"]
    assert (data["ttl"], data["expire_time"], data["policies"], data["renewable"]) == (0, None, ["root"], False)


def test_accessor(tokens):
    auth = new(tokens, ttl="1h")
    data = tokens.lookup_accessor(auth["accessor"])["data"]
    assert data["id"] == "" and data["accessor"] == auth["accessor"]
    assert auth["accessor"] in tokens.list_accessors()["data"]["keys"]
    renewed = tokens.renew_accessor(auth["accessor"], increment="30m")["auth"]
    assert renewed["lease_duration"] == 1800 and renewed["client_token"] == ""
    assert tokens.revoke_accessor(auth["accessor"]).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        tokens.lookup_accessor(auth["accessor"])
    assert e.value.errors == ["invalid accessor"]
    with pytest.raises(hvac.exceptions.InvalidRequest):
        tokens.revoke_accessor(auth["accessor"])


def test_renew(tokens, connect):
    auth = new(tokens, ttl="1h")
    assert tokens.renew(auth["client_token"], increment="2h")["auth"]["lease_duration"] == 7200
    own = connect(auth["client_token"])
    renewed = own.auth.token.renew_self(increment=600)["auth"]
    assert (renewed["lease_duration"], renewed["client_token"]) == (600, auth["client_token"])
    fixed = new(tokens, ttl="1h", renewable=False)
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        tokens.renew(fixed["client_token"])
    assert e.value.errors == ["lease is not renewable"]


def test_periodic(tokens):
    auth = new(tokens, period="30m")
    assert auth["lease_duration"] == 1800
    assert tokens.renew(auth["client_token"], increment="5h")["auth"]["lease_duration"] == 1800
    assert tokens.lookup(auth["client_token"])["data"]["period"] == 1800


def test_explicit_max_ttl(tokens):
    auth = new(tokens, ttl="1h", explicit_max_ttl="2h")
    renewed = tokens.renew(auth["client_token"], increment="10h")
    assert 7190 < renewed["auth"]["lease_duration"] <= 7200
    assert "exceeded the effective max_ttl" in renewed["warnings"][0]


def test_given_id(tokens, name):
    assert new(tokens, id=f"my-own-{name}")["client_token"] == f"my-own-{name}"
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        new(tokens, id=f"my-own-{name}")
    assert "cannot create a token with a duplicate ID" in e.value.errors[0]


def test_num_uses(tokens, connect):
    own = connect(new(tokens, num_uses=2, policies=["default"])["client_token"])
    assert own.auth.token.lookup_self()["data"]["num_uses"] == 1
    own.auth.token.lookup_self()
    with pytest.raises(hvac.exceptions.Forbidden):
        own.auth.token.lookup_self()


def test_children_die_with_their_parent(tokens, connect):
    parent = new(tokens, ttl="1h", policies=["root"])
    child = new(connect(parent["client_token"]).auth.token, policies=["default"])
    orphan = connect(parent["client_token"]).auth.token.create_orphan(policies=["default"])["auth"]
    assert (child["orphan"], orphan["orphan"]) == (False, True)
    assert tokens.revoke(parent["client_token"]).status_code == 204
    with pytest.raises(hvac.exceptions.Forbidden) as e:
        tokens.lookup(child["client_token"])
    assert e.value.errors == ["bad token"]
    assert tokens.lookup(orphan["client_token"])["data"]["orphan"] is True


def test_revoke_and_orphan_children(tokens, connect):
    parent = new(tokens, ttl="1h", policies=["root"])
    child = new(connect(parent["client_token"]).auth.token, policies=["default"])
    assert tokens.revoke_and_orphan_children(parent["client_token"]).status_code == 204
    assert tokens.lookup(child["client_token"])["data"]["orphan"] is True
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        tokens.revoke_and_orphan_children(parent["client_token"])
    assert e.value.errors == ["token to revoke not found"]


def test_revoke_self_and_logout(tokens, connect):
    own = connect(new(tokens, policies=["default"])["client_token"])
    assert own.auth.token.revoke_self().status_code == 204
    assert not own.is_authenticated()
    other = connect(new(tokens, policies=["default"])["client_token"])
    other.logout(revoke_token=True)
    assert other.token is None


def test_revoking_an_unknown_token_is_no_error(tokens):
    assert tokens.revoke("hvs.nobody").status_code == 204


def test_batch(tokens, connect):
    auth = new(tokens, type="batch", ttl="10m", policies=["default"])
    assert (auth["token_type"], auth["accessor"], auth["renewable"]) == ("batch", "", False)
    own = connect(auth["client_token"])
    assert own.auth.token.lookup_self()["data"]["type"] == "batch"
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        own.auth.token.renew_self()
    assert e.value.errors == ["batch tokens cannot be renewed"]
    with pytest.raises(hvac.exceptions.InvalidRequest):
        own.write_data("cubbyhole/x", data={"a": 1})


def test_wrapped(tokens, hv):
    wrapped = tokens.create(policies=["default"], wrap_ttl="60s")
    assert wrapped["auth"] is None and wrapped["wrap_info"]["ttl"] == 60
    auth = hv.sys.unwrap(wrapped["wrap_info"]["token"])["auth"]
    assert auth["accessor"] == wrapped["wrap_info"]["wrapped_accessor"]
    assert tokens.lookup(auth["client_token"])["data"]["policies"] == ["default"]


def test_roles(tokens, name):
    assert tokens.create_or_update_role(name, allowed_policies=["web", "app"], orphan=True, token_period="1h",
                                        path_suffix="sub").status_code == 204
    role = tokens.read_role(name)["data"]
    assert role["allowed_policies"] == ["app", "web"] and role["orphan"] is True
    assert (role["token_period"], role["period"], role["path_suffix"], role["name"]) == (3600, 3600, "sub", name)
    assert role["token_type"] == "default-service" and role["disallowed_policies"] == []
    assert name in tokens.list_roles()["data"]["keys"]
    auth = new(tokens, role_name=name, policies=["web"])
    assert auth["orphan"] is True and auth["lease_duration"] == 3600
    assert tokens.lookup(auth["client_token"])["data"] | {"role": name, "path": f"auth/token/create/{name}/sub"} == \
        tokens.lookup(auth["client_token"])["data"]
    with pytest.raises(hvac.exceptions.InvalidRequest):
        new(tokens, role_name=name, policies=["other"])
    assert tokens.delete_role(name).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath):
        tokens.read_role(name)
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        new(tokens, role_name=name)
    assert e.value.errors == [f"unknown role {name}"]


def test_tidy(tokens):
    assert tokens.tidy().status_code in (202, 204)
