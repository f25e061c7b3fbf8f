# SPDX-License-Identifier: Apache-2.0
"""hvac and the system backend of a running vaultd."""
import re

import hvac.exceptions
import pytest
import vaultd

RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


@pytest.fixture
def sys(hv):
    return hv.sys


# --- state of the server ----------------------------------------------------------------


def test_health(sys):
    body = sys.read_health_status(method="GET")
    assert (body["initialized"], body["sealed"], body["standby"]) == (True, False, False)
    assert re.fullmatch(r"1\.\d+\.\d+", body["version"]), "Terraform compares it"
    assert sys.read_health_status().status_code == 200
    assert sys.read_health_status(active_code=299, method="GET").status_code == 299


def test_seal_status(hv, sys):
    body = sys.read_seal_status()
    assert body["type"] == "shamir" and body["sealed"] is False and body["initialized"] is True
    assert (body["t"], body["n"], body["progress"], body["nonce"]) == (1, 1, 0, "")
    assert sys.is_initialized() and not sys.is_sealed()
    assert hv.seal_status["sealed"] is False


def test_leader(hv, sys):
    assert sys.read_leader_status()["ha_enabled"] is False
    assert hv.ha_status["ha_enabled"] is False


def test_key_status_and_rotate(sys):
    before = sys.get_encryption_key_status()
    assert before["term"] == before["data"]["term"] >= 1
    assert RFC3339.match(before["install_time"])
    assert sys.rotate_encryption_key().status_code == 204
    assert sys.get_encryption_key_status()["term"] == before["term"] + 1


def test_metrics(hv):
    body = hv.adapter.get("/v1/sys/metrics")
    assert set(body) >= {"Timestamp", "Gauges", "Points", "Counters", "Samples"}
    text = hv.adapter.get("/v1/sys/metrics", params={"format": "prometheus"}).text
    assert "# TYPE " in text


def test_openapi(hv):
    doc = hv.adapter.get("/v1/sys/internal/specs/openapi")
    assert doc["openapi"].startswith("3.0.")
    assert "/secret/data/{path}" in doc["paths"] or "/{secret_mount_path}/data/{path}" in doc["paths"]


# --- mounts -----------------------------------------------------------------------------


def test_mounts(sys, name):
    assert sys.enable_secrets_engine("kv", path=name, description="mine", options={"version": "2"},
                                     config={"default_lease_ttl": "1h", "max_lease_ttl": "2h"}).status_code == 204
    listed = sys.list_mounted_secrets_engines()
    assert listed["data"][name + "/"] == listed[name + "/"], "old clients read the top level"
    entry = listed["data"][name + "/"]
    assert (entry["type"], entry["description"], entry["options"]) == ("kv", "mine", {"version": "2"})
    assert entry["config"]["default_lease_ttl"] == 3600 and entry["config"]["max_lease_ttl"] == 7200
    assert {"cubbyhole/", "sys/"} <= set(listed["data"])
    assert sys.retrieve_mount_option(name, "version") == "2"
    assert sys.disable_secrets_engine(name).status_code == 204
    assert name + "/" not in sys.list_mounted_secrets_engines()["data"]
    assert sys.disable_secrets_engine(name).status_code == 204


def test_tune(sys, name):
    sys.enable_secrets_engine("kv", path=name)
    tune = sys.read_mount_configuration(name)["data"]
    assert (tune["default_lease_ttl"], tune["max_lease_ttl"], tune["force_no_cache"]) == (2764800, 2764800, False)
    assert sys.tune_mount_configuration(name, default_lease_ttl="30m", max_lease_ttl="1h", description="new",
                                        listing_visibility="unauth").status_code == 204
    tune = sys.read_mount_configuration(name)["data"]
    assert (tune["default_lease_ttl"], tune["max_lease_ttl"]) == (1800, 3600)
    assert (tune["description"], tune["listing_visibility"]) == ("new", "unauth")
    sys.tune_mount_configuration(name, default_lease_ttl="system", max_lease_ttl="system")
    assert sys.read_mount_configuration(name)["data"]["max_lease_ttl"] == 2764800


def test_a_mount_in_the_way(sys, name):
    sys.enable_secrets_engine("kv", path=name)
    with pytest.raises(hvac.exceptions.VaultError) as e:
        sys.enable_secrets_engine("kv", path=name)
    assert "path is already in use at" in e.value.errors[0]


def test_unknown_engine(sys, name):
    with pytest.raises(hvac.exceptions.InvalidRequest):
        sys.enable_secrets_engine("nonsense", path=name)
    with pytest.raises(hvac.exceptions.InvalidRequest):
        sys.read_mount_configuration(name)


def test_move(hv, sys, name):
    sys.enable_secrets_engine("kv", path=f"{name}/from", options={"version": "2"})
    hv.secrets.kv.v2.create_or_update_secret(path="a", secret={"k": "v"}, mount_point=f"{name}/from")
    migration = sys.move_backend(f"{name}/from", f"{name}/to")["data"]["migration_id"]

    def moved():
        info = hv.adapter.get(f"/v1/sys/remount/status/{migration}")["data"]["migration_info"]
        assert (info["source_mount"], info["target_mount"]) == (f"{name}/from/", f"{name}/to/")
        assert info["status"] in ("in-progress", "success")
        return info["status"] == "success"

    vaultd.wait_for("the mount to have moved", moved)
    assert hv.secrets.kv.v2.read_secret_version(path="a", mount_point=f"{name}/to", raise_on_deleted_version=True)[
        "data"]["data"] == {"k": "v"}
    with pytest.raises(hvac.exceptions.InvalidPath):
        hv.secrets.kv.v2.read_secret_version(path="a", mount_point=f"{name}/from", raise_on_deleted_version=True)


# --- auth methods -----------------------------------------------------------------------


def test_auth_methods(sys, name):
    assert sys.enable_auth_method("userpass", path=name, description="people").status_code == 204
    listed = sys.list_auth_methods()
    assert listed["data"][name + "/"] == listed[name + "/"]
    assert (listed[name + "/"]["type"], listed[name + "/"]["description"]) == ("userpass", "people")
    assert listed["data"]["token/"]["type"] == "token"
    assert sys.read_auth_method_tuning(name)["data"]["default_lease_ttl"] == 2764800
    assert sys.tune_auth_method(name, default_lease_ttl="10m", description="other").status_code == 204
    tune = sys.read_auth_method_tuning(name)["data"]
    assert (tune["default_lease_ttl"], tune["description"]) == (600, "other")
    assert sys.disable_auth_method(name).status_code == 204
    assert name + "/" not in sys.list_auth_methods()["data"]


def test_unknown_auth_method(sys, name):
    with pytest.raises(hvac.exceptions.InvalidRequest):
        sys.enable_auth_method("nonsense", path=name)


# --- policies ---------------------------------------------------------------------------

RULES = 'path "secret/data/app/*" {\n  capabilities = ["read", "list"]\n}\n'


@pytest.mark.parametrize("text", [RULES, {"path": {"secret/data/app/*": {"capabilities": ["read", "list"]}}}])
def test_policies(hv, sys, connect, name, text):
    """Both the old endpoint and the new one, with HCL and with JSON."""
    assert sys.create_or_update_policy(name, policy=text).status_code == 204
    assert sys.create_or_update_acl_policy(name + "-new", policy=text).status_code == 204
    assert {name, name + "-new", "default", "root"} <= set(sys.list_policies()["data"]["policies"])
    assert {name, name + "-new"} <= set(sys.list_policies()["policies"])
    assert {name, name + "-new"} <= set(sys.list_acl_policies()["data"]["keys"])
    old, new = sys.read_policy(name), sys.read_acl_policy(name + "-new")
    assert old["data"]["rules"] == old["rules"] == new["data"]["policy"]
    assert old["data"]["name"] == name
    hv.secrets.kv.v2.create_or_update_secret(path=f"app/{name}", secret={"k": "v"})
    for policy in (name, name + "-new"):
        own = connect(hv.auth.token.create(policies=[policy])["auth"]["client_token"])
        assert own.secrets.kv.v2.read_secret_version(path=f"app/{name}", raise_on_deleted_version=True)
        with pytest.raises(hvac.exceptions.Forbidden):
            own.secrets.kv.v2.create_or_update_secret(path=f"app/{name}", secret={})
    assert sys.delete_policy(name).status_code == 204
    assert sys.delete_acl_policy(name + "-new").status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath):
        sys.read_acl_policy(name + "-new")


def test_a_changed_policy_holds_at_once(hv, sys, connect, name):
    sys.create_or_update_policy(name, policy=RULES)
    hv.secrets.kv.v2.create_or_update_secret(path=f"app/{name}", secret={"k": "v"})
    own = connect(hv.auth.token.create(policies=[name])["auth"]["client_token"]).secrets.kv.v2
    assert own.read_secret_version(path=f"app/{name}", raise_on_deleted_version=True)
    sys.create_or_update_policy(name, policy='path "nowhere" { capabilities = ["read"] }')
    with pytest.raises(hvac.exceptions.Forbidden):
        own.read_secret_version(path=f"app/{name}", raise_on_deleted_version=True)


def test_bad_policy(sys, name):
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        sys.create_or_update_policy(name, policy='path "x" { capabilities = ["reed"] }')
    assert e.value.errors[0].startswith("failed to parse policy: ")


@pytest.mark.parametrize("policy", ["root", "default"])
def test_built_in_policies_stay(sys, policy):
    with pytest.raises(hvac.exceptions.InvalidRequest):
        sys.delete_policy(policy)


def test_capabilities(hv, sys, name):
    sys.create_or_update_policy(name, policy=RULES)
    auth = hv.auth.token.create(policies=[name])["auth"]
    for who in ({"token": auth["client_token"]}, {"accessor": auth["accessor"]}):
        got = sys.get_capabilities(paths=["secret/data/app/x", "secret/data/other"], **who)
        assert got["data"]["secret/data/app/x"] == got["secret/data/app/x"] == ["list", "read"]
        assert got["data"]["secret/data/other"] == ["deny"]
    assert sys.get_capabilities(paths=["a"])["capabilities"] == ["root"]


# --- wrapping ---------------------------------------------------------------------------


def test_wrap_and_unwrap(hv, sys):
    info = sys.wrap({"secret": "s", "n": 1}, ttl=60)["wrap_info"]
    assert (info["ttl"], info["creation_path"]) == (60, "sys/wrapping/wrap")
    assert sys.unwrap(info["token"])["data"] == {"secret": "s", "n": 1}
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        sys.unwrap(info["token"])
    assert e.value.errors == ["wrapping token is not valid or does not exist"]


def test_unwrap_with_the_token_itself(hv, sys, connect):
    info = sys.wrap({"k": "v"}, ttl="2m")["wrap_info"]
    assert connect(info["token"]).sys.unwrap()["data"] == {"k": "v"}


def test_a_wrapped_read(hv, sys, name):
    hv.secrets.kv.v2.create_or_update_secret(path=name, secret={"k": "v"})
    wrapped = hv.adapter.get(f"/v1/secret/data/{name}", wrap_ttl="5m")
    assert wrapped["data"] is None and wrapped["wrap_info"]["creation_path"] == f"secret/data/{name}"
    look = hv.adapter.post("/v1/sys/wrapping/lookup", json={"token": wrapped["wrap_info"]["token"]})["data"]
    assert look["creation_ttl"] == 300 and look["creation_path"] == f"secret/data/{name}"
    again = hv.adapter.post("/v1/sys/wrapping/rewrap", json={"token": wrapped["wrap_info"]["token"]})["wrap_info"]
    with pytest.raises(hvac.exceptions.InvalidRequest):
        sys.unwrap(wrapped["wrap_info"]["token"])
    assert sys.unwrap(again["token"])["data"]["data"] == {"k": "v"}


# --- leases -----------------------------------------------------------------------------


def test_unknown_leases(sys):
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        sys.read_lease("secret/none/abc")
    assert e.value.errors == ["invalid lease"]
    with pytest.raises(hvac.exceptions.InvalidRequest):
        sys.renew_lease("secret/none/abc")
    assert sys.revoke_lease("secret/none/abc").status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath):
        sys.list_leases("secret/none/")


def test_leases_of_tokens(hv, sys, connect, name):
    """A login makes a lease, as every client that cleans up after itself expects."""
    sys.enable_auth_method("userpass", path=name)
    users = hv.auth.userpass
    users.create_or_update_user("u", password="p", mount_point=name)
    client = connect()
    client.auth.userpass.login("u", "p", mount_point=name)
    prefix = f"auth/{name}/login/u"
    keys = sys.list_leases(prefix)["data"]["keys"]
    assert len(keys) == 1
    lease = sys.read_lease(f"{prefix}/{keys[0]}")["data"]
    assert lease["id"] == f"{prefix}/{keys[0]}" and lease["renewable"] is True and lease["ttl"] > 0
    assert RFC3339.match(lease["issue_time"]) and RFC3339.match(lease["expire_time"])
    assert sys.revoke_prefix(f"auth/{name}").status_code == 204
    assert not client.is_authenticated()


def test_revoke_force(sys, name):
    assert sys.revoke_force(f"secret/{name}").status_code == 204


# --- audit ------------------------------------------------------------------------------


def test_audit(sys):
    listed = sys.list_enabled_audit_devices()
    assert listed["data"], "the log of vaultd itself"
    for path, device in listed["data"].items():
        assert listed[path] == device and path.endswith("/")
        assert {"type", "description", "options", "path", "local"} <= set(device)


def test_audit_hash(sys):
    path = next(iter(sys.list_enabled_audit_devices()["data"])).rstrip("/")
    got = sys.calculate_hash(path, "value")
    assert got["hash"] == got["data"]["hash"]
    assert re.fullmatch(r"hmac-sha256:[0-9a-f]{64}", got["hash"])
    assert sys.calculate_hash(path, "value")["hash"] == got["hash"] != sys.calculate_hash(path, "other")["hash"]
    with pytest.raises(hvac.exceptions.InvalidRequest):
        sys.calculate_hash("none", "value")


def test_no_audit_to_a_path_chosen_over_the_api(sys, tmp_path):
    with pytest.raises(hvac.exceptions.VaultError):
        sys.enable_audit_device("file", path="mine", options={"file_path": str(tmp_path / "log")})
    assert not (tmp_path / "log").exists()
