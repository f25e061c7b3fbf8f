# SPDX-License-Identifier: Apache-2.0
"""hvac and KV version 2."""
import hvac.exceptions
import pytest

MOUNT = "secret"


@pytest.fixture
def kv(hv):
    return hv.secrets.kv.v2


def put(kv, path, *secrets):
    for secret in secrets:
        version = kv.create_or_update_secret(path=path, secret=secret, mount_point=MOUNT)["data"]["version"]
    return version


def read(kv, path, version=None):
    return kv.read_secret_version(path=path, version=version, raise_on_deleted_version=True, mount_point=MOUNT)


def test_write_and_read(kv, name):
    written = kv.create_or_update_secret(path=name, secret={"k": "v"})
    assert written["data"] | {"created_time": ""} == {
        "version": 1, "created_time": "", "deletion_time": "", "destroyed": False, "custom_metadata": None}
    got = read(kv, name)
    assert got["data"]["data"] == {"k": "v"}
    assert got["data"]["metadata"] == written["data"]
    assert (got["lease_id"], got["lease_duration"], got["renewable"]) == ("", 0, False)


def test_values_come_back_as_they_were(kv, name):
    secret = {"big": 2**63 - 1, "beyond": 2**70, "decimal": 0.1, "zero": 0, "yes": True, "no": False, "none": None,
              "text": "ünï ✓ \u0000\n\"\\", "list": [1, "two", [3]], "map": {"a": {"b": {}}}, "": "empty name"}
    put(kv, name, secret)
    assert read(kv, name)["data"]["data"] == secret


def test_versions(kv, name):
    put(kv, name, {"n": 1}, {"n": 2}, {"n": 3})
    assert read(kv, name)["data"]["data"] == {"n": 3}
    assert read(kv, name, 2)["data"]["data"] == {"n": 2}
    assert read(kv, name, 0)["data"]["data"] == {"n": 3}
    with pytest.raises(hvac.exceptions.InvalidPath):
        read(kv, name, 4)


@pytest.mark.parametrize("stored, cas, accepted", [(0, 0, True), (1, 0, False), (1, 1, True), (2, 1, False), (0, 1, False)])
def test_check_and_set(kv, name, stored, cas, accepted):
    for n in range(stored):
        put(kv, name, {"n": n})
    if accepted:
        assert kv.create_or_update_secret(path=name, secret={}, cas=cas)["data"]["version"] == stored + 1
        return
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        kv.create_or_update_secret(path=name, secret={}, cas=cas)
    assert e.value.errors == ["check-and-set parameter did not match the current version"]


def test_patch(kv, name):
    put(kv, name, {"keep": 1, "change": 1})
    assert kv.patch(path=name, secret={"change": 2, "add": 3})["data"]["version"] == 2
    assert read(kv, name)["data"]["data"] == {"keep": 1, "change": 2, "add": 3}
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.patch(path=name + "-none", secret={"a": 1})


def test_patch_of_a_deleted_secret(kv, name):
    put(kv, name, {"n": 1})
    kv.delete_latest_version_of_secret(path=name)
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.patch(path=name, secret={"a": 1})


def test_delete_and_undelete(kv, name):
    put(kv, name, {"n": 1}, {"n": 2})
    assert kv.delete_latest_version_of_secret(path=name).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath) as e:
        read(kv, name)
    assert e.value.json["data"]["data"] is None
    assert e.value.json["data"]["metadata"]["deletion_time"]
    deleted = kv.read_secret_version(path=name, raise_on_deleted_version=False)
    assert deleted["data"]["data"] is None and deleted["data"]["metadata"]["version"] == 2
    assert read(kv, name, 1)["data"]["data"] == {"n": 1}
    assert kv.undelete_secret_versions(path=name, versions=[2]).status_code == 204
    assert read(kv, name)["data"]["data"] == {"n": 2}


def test_delete_several_versions(kv, name):
    put(kv, name, *({"n": n} for n in range(1, 6)))
    assert kv.delete_secret_versions(path=name, versions=[1, 3, "5"]).status_code == 204
    versions = kv.read_secret_metadata(path=name)["data"]["versions"]
    assert [v for v in sorted(versions) if versions[v]["deletion_time"]] == ["1", "3", "5"]
    kv.undelete_secret_versions(path=name, versions=[1, 5])
    versions = kv.read_secret_metadata(path=name)["data"]["versions"]
    assert [v for v in sorted(versions) if versions[v]["deletion_time"]] == ["3"]


def test_destroy(kv, name):
    put(kv, name, {"n": 1}, {"n": 2})
    assert kv.destroy_secret_versions(path=name, versions=[1]).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath) as e:
        read(kv, name, 1)
    assert e.value.json["data"]["metadata"]["destroyed"] is True
    kv.undelete_secret_versions(path=name, versions=[1])
    with pytest.raises(hvac.exceptions.InvalidPath):
        read(kv, name, 1)
    assert read(kv, name)["data"]["data"] == {"n": 2}


@pytest.mark.parametrize("operation", ["delete_secret_versions", "undelete_secret_versions", "destroy_secret_versions"])
def test_versions_of_nothing(kv, name, operation):
    assert getattr(kv, operation)(path=name, versions=[1, 2]).status_code == 204


def test_list(kv, name):
    put(kv, f"{name}/b", {})
    put(kv, f"{name}/b/c", {})
    put(kv, f"{name}/a", {})
    assert kv.list_secrets(path=name)["data"]["keys"] == ["a", "b", "b/"]
    assert kv.list_secrets(path=name + "/")["data"]["keys"] == ["a", "b", "b/"]
    assert name + "/" in kv.list_secrets(path="")["data"]["keys"]
    with pytest.raises(hvac.exceptions.InvalidPath) as e:
        kv.list_secrets(path=name + "/none")
    assert e.value.json == {"errors": []}


def test_list_with_get(server, connect, kv, name):
    """strict_http: for proxies that let no LIST through."""
    put(kv, f"{name}/a", {})
    strict = connect(server.root, strict_http=True)
    assert strict.secrets.kv.v2.list_secrets(path=name)["data"]["keys"] == ["a"]


def test_metadata(kv, name):
    put(kv, name, {"n": 1})
    assert kv.update_metadata(path=name, max_versions=3, cas_required=True, delete_version_after="3h25m19s",
                              custom_metadata={"owner": "web"}).status_code == 204
    m = kv.read_secret_metadata(path=name)["data"]
    assert (m["max_versions"], m["cas_required"], m["delete_version_after"]) == (3, True, "3h25m19s")
    assert m["custom_metadata"] == {"owner": "web"}
    assert (m["current_version"], m["oldest_version"]) == (1, 0)
    assert set(m["versions"]["1"]) == {"created_time", "deletion_time", "destroyed"}
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        put(kv, name, {"n": 2})
    assert e.value.errors == ["check-and-set parameter required for this call"]


def test_versions_are_trimmed(kv, name):
    kv.update_metadata(path=name, max_versions=2)
    put(kv, name, *({"n": n} for n in range(1, 5)))
    m = kv.read_secret_metadata(path=name)["data"]
    assert sorted(m["versions"]) == ["3", "4"] and m["oldest_version"] == 3
    with pytest.raises(hvac.exceptions.InvalidPath):
        read(kv, name, 2)


def test_custom_metadata_shows_with_the_secret(kv, name):
    kv.update_metadata(path=name, custom_metadata={"a": "b"})
    put(kv, name, {})
    assert read(kv, name)["data"]["metadata"]["custom_metadata"] == {"a": "b"}


def test_bad_custom_metadata(kv, name):
    with pytest.raises(hvac.exceptions.InvalidRequest):
        kv.update_metadata(path=name, custom_metadata={"k": "x" * 513})


def test_delete_everything(kv, name):
    put(kv, name, {"n": 1}, {"n": 2})
    assert kv.delete_metadata_and_all_versions(path=name).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath):
        kv.read_secret_metadata(path=name)
    assert kv.delete_metadata_and_all_versions(path=name).status_code == 204


def test_the_generic_methods(hv, name):
    """What people wrote before hvac knew engines."""
    assert hv.write_data(f"secret/data/{name}", data={"data": {"a": 1}})["data"]["version"] == 1
    assert hv.read(f"secret/data/{name}")["data"]["data"] == {"a": 1}
    assert hv.read("secret/data/none") is None, "hvac makes None of 404"
    assert name in hv.list("secret/metadata")["data"]["keys"]
    assert hv.list("secret/metadata/none") is None
    hv.delete(f"secret/data/{name}")
    assert hv.read(f"secret/data/{name}") is None


def test_a_version_1_path(hv, kv, name):
    put(kv, name, {})
    with pytest.raises(hvac.exceptions.InvalidPath) as e:
        hv.secrets.kv.v1.read_secret(path=name, mount_point="secret")
    assert e.value.json["warnings"][0].startswith("Invalid path for a versioned K/V secrets engine.")


def test_config_of_the_mount(hv, name):
    hv.sys.enable_secrets_engine("kv", path=name, options={"version": "2"})
    kv = hv.secrets.kv.v2
    assert kv.read_configuration(mount_point=name)["data"] == {
        "max_versions": 0, "cas_required": False, "delete_version_after": "0s"}
    assert kv.configure(max_versions=4, cas_required=True, delete_version_after="1h", mount_point=name).status_code == 204
    assert kv.read_configuration(mount_point=name)["data"] == {
        "max_versions": 4, "cas_required": True, "delete_version_after": "1h0m0s"}
    with pytest.raises(hvac.exceptions.InvalidRequest):
        kv.create_or_update_secret(path="x", secret={}, mount_point=name)
    written = kv.create_or_update_secret(path="x", secret={}, cas=0, mount_point=name)
    assert written["data"]["deletion_time"], "the mount's delete_version_after"
    hv.sys.disable_secrets_engine(name)
