# SPDX-License-Identifier: Apache-2.0
"""hvac, KV version 1 and the cubbyhole."""
import hvac.exceptions
import pytest

from hvaclib import client_of


@pytest.fixture(scope="module")
def mount(server):
    client_of(server).sys.enable_secrets_engine("kv", path="old/kv", options={"version": "1"})
    return "old/kv"


@pytest.fixture
def kv(hv):
    return hv.secrets.kv.v1


def test_write_and_read(kv, mount, name):
    secret = {"k": "v", "n": 2**63 - 1, "list": [1, None, {"a": 0.5}]}
    assert kv.create_or_update_secret(path=name, secret=secret, mount_point=mount).status_code == 204
    got = kv.read_secret(path=name, mount_point=mount)
    assert got["data"] == secret
    assert (got["lease_id"], got["renewable"], got["lease_duration"]) == ("", False, 2764800)


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_overwrites_as_a_whole(kv, mount, name, method):
    kv.create_or_update_secret(path=name, secret={"a": 1}, method=method, mount_point=mount)
    kv.create_or_update_secret(path=name, secret={"b": 2}, method=method, mount_point=mount)
    assert kv.read_secret(path=name, mount_point=mount)["data"] == {"b": 2}


@pytest.mark.parametrize("ttl, seconds", [("1h", 3600), (90, 90), ("2m30s", 150)])
def test_ttl_is_the_lease_duration(kv, mount, name, ttl, seconds):
    kv.create_or_update_secret(path=name, secret={"ttl": ttl}, mount_point=mount)
    got = kv.read_secret(path=name, mount_point=mount)
    assert (got["lease_duration"], got["data"]) == (seconds, {"ttl": ttl})


def test_an_empty_secret(kv, mount, name):
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        kv.create_or_update_secret(path=name, secret={}, method="POST", mount_point=mount)
    assert "missing data fields" in e.value.errors[0]


def test_list(kv, mount, name):
    for path in ("a", "b/c", "b"):
        kv.create_or_update_secret(path=f"{name}/{path}", secret={"x": 1}, mount_point=mount)
    assert kv.list_secrets(path=name, mount_point=mount)["data"]["keys"] == ["a", "b", "b/"]
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.list_secrets(path=name + "/none", mount_point=mount)


def test_delete(kv, mount, name):
    kv.create_or_update_secret(path=name, secret={"x": 1}, mount_point=mount)
    for _ in range(2):
        assert kv.delete_secret(path=name, mount_point=mount).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath) as e:
        kv.read_secret(path=name, mount_point=mount)
    assert e.value.json == {"errors": []}


def test_upgrade_to_version_2(hv, name):
    hv.sys.enable_secrets_engine("kv", path=name, options={"version": "1"})
    hv.secrets.kv.v1.create_or_update_secret(path="a/b", secret={"k": "v"}, mount_point=name)
    tuned = hv.sys.tune_mount_configuration(path=name, options={"version": "2"})
    assert "Upgrading mount from version 1 to version 2" in tuned["warnings"][0]
    assert hv.secrets.kv.v2.read_secret_version(path="a/b", mount_point=name, raise_on_deleted_version=True)[
        "data"]["data"] == {"k": "v"}
    assert hv.sys.retrieve_mount_option(name, "version") == "2"


def test_cubbyhole(hv, connect, name):
    token = hv.auth.token.create(policies=["default"])["auth"]["client_token"]
    own = connect(token)
    assert own.write_data(f"cubbyhole/{name}/a", data={"k": "v"}).status_code == 204
    got = own.read(f"cubbyhole/{name}/a")
    assert (got["data"], got["lease_duration"]) == ({"k": "v"}, 0)
    assert own.list(f"cubbyhole/{name}")["data"]["keys"] == ["a"]
    assert hv.read(f"cubbyhole/{name}/a") is None, "not even root sees another's"
    own.delete(f"cubbyhole/{name}/a")
    assert own.read(f"cubbyhole/{name}/a") is None
