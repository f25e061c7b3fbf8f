# SPDX-License-Identifier: Apache-2.0
"""10: an accessor says nothing outside of the role and the mount that it belongs to."""
import pytest

from seclib import policy, token

MISSING = 'failed to find accessor entry for secret_id_accessor: "%s"'


@pytest.fixture(scope="module", autouse=True)
def mounts(server):
    c = server.client()
    for name in ("one", "two"):
        assert c.post(f"sys/auth/{name}", {"type": "approle"}).status == 204
        for role in ("web", "db"):
            assert c.post(f"auth/{name}/role/{role}", {"role_id": f"{name}-{role}"}).status == 204
    c.close()


def secret(c, mount, role):
    r = c.post(f"auth/{mount}/role/{role}/secret-id", {})
    assert r.status == 200, r
    return r.data


def login(c, mount, role_id, secret_id):
    return c.post(f"auth/{mount}/login", {"role_id": role_id, "secret_id": secret_id}, token=None)


@pytest.mark.parametrize("mount, role", [("one", "db"), ("two", "web"), ("two", "db")])
def test_a_secret_id_of_another_scope(c, mount, role):
    mine = secret(c, "one", "web")
    body = {"secret_id_accessor": mine["secret_id_accessor"]}
    for way in ("lookup", "destroy"):
        r = c.post(f"auth/{mount}/role/{role}/secret-id-accessor/{way}", body)
        assert (r.status, r.errors) == (404, [MISSING % mine["secret_id_accessor"]])
        assert c.post(f"auth/{mount}/role/{role}/secret-id/{way}", {"secret_id": mine["secret_id"]}).status == 204
    assert login(c, mount, f"{mount}-{role}", mine["secret_id"]).errors == ["invalid role or secret ID"]
    assert login(c, mount, "one-web", mine["secret_id"]).status == (200 if mount == "one" else 400)
    assert login(c, "one", "one-web", mine["secret_id"]).status == 200


def test_a_policy_for_one_role_reaches_no_other(c):
    policy(c, "web10", 'path "auth/one/role/web/*" { capabilities = ["update", "read", "delete", "list"] }')
    me = token(c, "web10")["client_token"]
    other = secret(c, "one", "db")
    body = {"secret_id_accessor": other["secret_id_accessor"]}
    assert c.post("auth/one/role/db/secret-id-accessor/destroy", body, token=me).status == 403
    assert c.post("auth/one/role/web/secret-id-accessor/destroy", body, token=me).status == 404
    assert login(c, "one", "one-db", other["secret_id"]).status == 200


@pytest.mark.parametrize("way", ["renew-accessor", "revoke-accessor", "lookup-accessor"])
def test_a_token_by_its_accessor(c, way):
    """Who may not call it learns nothing, not even whether the accessor is one."""
    nobody = token(c, "default")["client_token"]
    other = token(c, "default", ttl=600)
    refused = [c.post(f"auth/token/{way}", {"accessor": a}, token=nobody) for a in (other["accessor"], "nonsense")]
    assert {(r.status, tuple(r.errors)) for r in refused} == {(403, ("1 error occurred:\n\t* permission denied\n\n",))}
    assert c.get("auth/token/lookup-self", token=other["client_token"]).data["ttl"] > 500


def test_leases_of_another_scope(c):
    policy(c, "leases10", 'path "sys/leases/revoke-prefix/auth/one/*" { capabilities = ["update", "sudo"] }')
    me = token(c, "leases10")["client_token"]
    mine = login(c, "one", "one-web", secret(c, "one", "web")["secret_id"]).json["auth"]
    other = login(c, "two", "two-web", secret(c, "two", "web")["secret_id"]).json["auth"]
    for prefix in ("auth/two/login", "auth", "auth/one", "auth/token"):
        assert c.post(f"sys/leases/revoke-prefix/{prefix}", token=me).status == 403
    assert c.post("sys/leases/revoke-prefix/auth/one/login", token=me).status == 204
    assert c.get("auth/token/lookup-self", token=mine["client_token"]).status == 403
    assert c.get("auth/token/lookup-self", token=other["client_token"]).status == 200
