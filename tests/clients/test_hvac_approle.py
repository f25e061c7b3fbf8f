# SPDX-License-Identifier: Apache-2.0
"""hvac and AppRole."""
import hvac.exceptions
import pytest

from hvaclib import client_of


@pytest.fixture(scope="module", autouse=True)
def enabled(server):
    client_of(server).sys.enable_auth_method("approle")
    client_of(server).sys.enable_auth_method("approle", path="other/apps")


@pytest.fixture
def approle(hv):
    return hv.auth.approle


@pytest.fixture
def role(approle, name):
    approle.create_or_update_approle(name, token_policies=["web"], token_ttl="20m", token_max_ttl="1h")
    return name


def credentials(approle, role, **options):
    return {"role_id": approle.read_role_id(role)["data"]["role_id"],
            "secret_id": approle.generate_secret_id(role, **options)["data"]["secret_id"]}


def test_role(approle, name):
    assert approle.create_or_update_approle(
        name, bind_secret_id=True, secret_id_num_uses=3, secret_id_ttl="10m", token_ttl="20m", token_max_ttl="1h",
        token_policies=["app", "web"], token_bound_cidrs=["127.0.0.0/8"], token_explicit_max_ttl="2h",
        token_no_default_policy=True, token_num_uses=5, token_period="0", token_type="service").status_code == 204
    role = approle.read_role(name)["data"]
    assert role | {
        "bind_secret_id": True, "secret_id_num_uses": 3, "secret_id_ttl": 600, "token_ttl": 1200,
        "token_max_ttl": 3600, "token_policies": ["app", "web"], "token_bound_cidrs": ["127.0.0.0/8"],
        "token_explicit_max_ttl": 7200, "token_no_default_policy": True, "token_num_uses": 5, "token_period": 0,
        "token_type": "service", "local_secret_ids": False} == role
    assert "role_id" not in role
    assert name in approle.list_roles()["data"]["keys"]
    assert approle.create_or_update_approle(name, token_ttl="30m").status_code == 204
    assert approle.read_role(name)["data"] == role | {"token_ttl": 1800}, "a write merges"
    assert approle.delete_role(name).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath):
        approle.read_role(name)


def test_login(approle, connect, role):
    client = connect()
    auth = client.auth.approle.login(**credentials(approle, role, metadata={"host": "a"}))["auth"]
    assert auth["policies"] == ["default", "web"]
    assert (auth["lease_duration"], auth["renewable"], auth["orphan"]) == (1200, True, True)
    assert auth["metadata"] == {"role_name": role, "host": "a"}
    assert client.token == auth["client_token"] and client.is_authenticated()
    data = client.auth.token.lookup_self()["data"]
    assert (data["path"], data["display_name"], data["orphan"]) == ("auth/approle/login", "approle", True)
    assert client.auth.token.renew_self()["auth"]["lease_duration"] == 1200


@pytest.mark.parametrize("wrong", ["role_id", "secret_id"])
def test_wrong_credentials(approle, connect, role, wrong):
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        connect().auth.approle.login(**credentials(approle, role) | {wrong: "guess"})
    assert e.value.errors == ["invalid role or secret ID"]


def test_missing_secret_id(approle, connect, role):
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        connect().auth.approle.login(role_id=approle.read_role_id(role)["data"]["role_id"])
    assert e.value.errors == ["missing secret_id"]


def test_role_id(approle, connect, role):
    assert approle.update_role_id(role, f"id-of-{role}").status_code == 204
    assert approle.read_role_id(role)["data"] == {"role_id": f"id-of-{role}"}
    secret_id = approle.generate_secret_id(role)["data"]["secret_id"]
    assert connect().auth.approle.login(role_id=f"id-of-{role}", secret_id=secret_id)["auth"]["client_token"]


def test_secret_id(approle, role):
    got = approle.generate_secret_id(role, metadata={"a": "b"}, cidr_list=["127.0.0.1/32"],
                                     token_bound_cidrs=["127.0.0.1/32"])["data"]
    assert set(got) == {"secret_id", "secret_id_accessor", "secret_id_ttl", "secret_id_num_uses"}
    seen = approle.read_secret_id(role, got["secret_id"])["data"]
    assert seen["metadata"] == {"a": "b"} and seen["secret_id_accessor"] == got["secret_id_accessor"]
    assert seen["cidr_list"] == ["127.0.0.1/32"] and seen["secret_id_num_uses"] == 0
    assert approle.list_secret_id_accessors(role)["data"]["keys"] == [got["secret_id_accessor"]]
    assert approle.read_secret_id_accessor(role, got["secret_id_accessor"])["data"] == seen
    assert approle.destroy_secret_id(role, got["secret_id"]).status_code == 204
    assert approle.read_secret_id(role, got["secret_id"]).status_code == 204, "an unknown one: no answer"


def test_secret_id_accessor(approle, connect, role):
    login = {"role_id": approle.read_role_id(role)["data"]["role_id"]}
    got = approle.generate_secret_id(role)["data"]
    assert approle.destroy_secret_id_accessor(role, got["secret_id_accessor"]).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidRequest):
        connect().auth.approle.login(**login, secret_id=got["secret_id"])
    with pytest.raises(hvac.exceptions.InvalidPath) as e:
        approle.read_secret_id_accessor(role, got["secret_id_accessor"])
    assert "failed to find accessor entry for secret_id_accessor" in e.value.errors[0]


def test_custom_secret_id(approle, connect, role):
    got = approle.create_custom_secret_id(role, f"chosen-{role}")["data"]
    assert got["secret_id"] == f"chosen-{role}"
    role_id = approle.read_role_id(role)["data"]["role_id"]
    assert connect().auth.approle.login(role_id=role_id, secret_id=f"chosen-{role}")["auth"]["client_token"]


def test_secret_id_is_used_up(approle, connect, role):
    approle.create_or_update_approle(role, secret_id_num_uses=1)
    login = credentials(approle, role)
    connect().auth.approle.login(**login)
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        connect().auth.approle.login(**login)
    assert e.value.errors == ["invalid role or secret ID"]


def test_wrapped_secret_id(approle, hv, role):
    """How an orchestrator hands a secret ID to the machine that it starts."""
    info = approle.generate_secret_id(role, wrap_ttl="120s")["wrap_info"]
    assert (info["ttl"], info["creation_path"]) == (120, f"auth/approle/role/{role}/secret-id")
    got = hv.sys.unwrap(info["token"])["data"]
    assert got["secret_id_accessor"] == info["wrapped_accessor"]
    assert approle.read_secret_id(role, got["secret_id"])["data"]["secret_id_accessor"] == got["secret_id_accessor"]


def test_a_deleted_role_renews_nothing(approle, connect, role):
    client = connect()
    client.auth.approle.login(**credentials(approle, role))
    approle.delete_role(role)
    with pytest.raises(hvac.exceptions.VaultError):
        client.auth.token.renew_self()


def test_another_mount(approle, connect, name):
    at = {"mount_point": "other/apps"}
    approle.create_or_update_approle(name, token_policies=["web"], **at)
    role_id = approle.read_role_id(name, **at)["data"]["role_id"]
    secret_id = approle.generate_secret_id(name, **at)["data"]["secret_id"]
    client = connect()
    client.auth.approle.login(role_id=role_id, secret_id=secret_id, **at)
    assert client.auth.token.lookup_self()["data"]["path"] == "auth/other/apps/login"
    with pytest.raises(hvac.exceptions.InvalidRequest):
        client.auth.approle.login(role_id=role_id, secret_id=secret_id)


def test_missing_role(approle, name):
    with pytest.raises(hvac.exceptions.InvalidPath) as e:
        approle.read_role_id(name)
    assert e.value.errors == [f'role "{name}" does not exist']
