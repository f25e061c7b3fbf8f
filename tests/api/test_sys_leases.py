# SPDX-License-Identifier: Apache-2.0
"""sys/leases: what clients see and end of the leases of tokens."""
import re

import pytest

import vaultd

DENIED = "1 error occurred:\n\t* permission denied\n\n"
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def create(c, path="auth/token/create", **body):
    r = c.post(path, {"policies": ["default"], **body})
    assert r.status == 200, r
    return r.json["auth"]


def leases_of(c, prefix):
    r = c.list(f"sys/leases/lookup/{prefix}")
    return r.data["keys"] if r.status == 200 else []


def alive(c, auth):
    return c.get("auth/token/lookup-self", token=auth["client_token"]).status == 200


@pytest.fixture
def role(c):
    """A token role of its own: a prefix that no other test has leases below."""
    made = []

    def make(name, **fields):
        assert c.post(f"auth/token/roles/{name}", fields).status == 204
        made.append(name)
        return f"auth/token/create/{name}"
    yield make
    for name in made:
        c.delete(f"auth/token/roles/{name}")


def test_lookup(c, role):
    path = role("look")
    a = create(c, path, ttl="1h")
    [name] = leases_of(c, path)
    assert re.fullmatch(r"h[0-9a-f]{64}", name)
    for method in ("POST", "PUT"):
        d = c.request(method, "sys/leases/lookup", {"lease_id": f"{path}/{name}"}).data
        assert set(d) == {"id", "issue_time", "expire_time", "last_renewal", "renewable", "ttl"}
        assert (d["id"], d["last_renewal"], d["renewable"]) == (f"{path}/{name}", None, True)
        assert 3500 < d["ttl"] <= 3600 and RFC3339.match(d["issue_time"]) and RFC3339.match(d["expire_time"])
    c.post("auth/token/renew", {"token": a["client_token"]})
    assert RFC3339.match(c.post("sys/leases/lookup", {"lease_id": f"{path}/{name}"}).data["last_renewal"])
    assert c.post("sys/leases/lookup", {}).errors == ["lease_id must be specified"]
    for bad in ("x", f"{path}/h00", f"auth/token/create/other/{name}", f"{path}/{name}0", f"{path}/" + name.upper()):
        r = c.post("sys/leases/lookup", {"lease_id": bad})
        assert (r.status, r.errors) == (400, ["invalid lease"]), bad


def test_listing_shows_one_level(c, role):
    role("list", path_suffix="a")
    create(c, "auth/token/create/list")
    create(c, "auth/token/create/list")
    assert "auth/" in leases_of(c, "")
    assert "list/" in leases_of(c, "auth/token/create")
    assert leases_of(c, "auth/token/create/list") == ["a/"]
    assert len(leases_of(c, "auth/token/create/list/a")) == 2
    assert c.list("sys/leases/lookup/no/such").status == 404
    assert c.list("sys/leases/lookup/auth/token/create/lis").status == 404
    tok = create(c)["client_token"]
    r = c.list("sys/leases/lookup/auth", token=tok)
    assert (r.status, r.errors) == (403, [DENIED])


@pytest.mark.parametrize("path", ["sys/leases/renew", "sys/renew"])
def test_tokens_are_renewed_elsewhere(c, role, path):
    at = role("renew")
    create(c, at)
    lease = f"{at}/{leases_of(c, at)[0]}"
    error = ["tokens cannot be renewed through this endpoint"]
    assert c.request("PUT", path, {"lease_id": lease, "increment": 60}).errors == error
    assert c.post(f"{path}/{lease}").errors == error
    assert c.post(path, {}).errors == ["lease_id must be specified"]
    assert c.post(path, {"lease_id": "database/creds/x/y"}).errors == ["lease not found"]
    c.post(f"sys/leases/revoke-prefix/{at}")


@pytest.mark.parametrize("way", ["sys/leases/revoke", "sys/revoke"])
@pytest.mark.parametrize("in_path", [False, True])
def test_revoke(c, role, way, in_path):
    at = role("revoke")
    a = create(c, at)
    lease = f"{at}/{leases_of(c, at)[0]}"
    for _ in range(2):
        r = c.request("PUT", f"{way}/{lease}") if in_path else c.request("PUT", way, {"lease_id": lease, "sync": True})
        assert r.status == 204, r
        assert not alive(c, a)
    assert leases_of(c, at) == []


@pytest.mark.parametrize("way", ["sys/leases/revoke-prefix", "sys/revoke-prefix", "sys/leases/revoke-force",
                                 "sys/revoke-force"])
def test_revoke_prefix(c, role, way):
    at, near = role("pre"), role("prefix")
    mine, other = [create(c, at) for _ in range(3)], create(c, near)
    assert c.request("PUT", f"{way}/{at}", {"sync": True}).status == 204
    assert not any(alive(c, a) for a in mine) and alive(c, other)
    assert c.request("PUT", f"{way}/{at}").status == 204, "nothing there is no error"
    r = c.post(f"{way}/{at}", token=create(c)["client_token"])
    assert (r.status, r.errors) == (403, [DENIED])
    assert c.post(way).status == 404


def test_revoke_prefix_takes_thousands_and_their_children(server, c, role):
    at = role("crowd", allowed_policies=["crowd"])
    c.post("sys/policies/acl/crowd", {"policy": 'path "auth/token/create" { capabilities = ["update"] }'})
    parents = [c.post(at, {}).json["auth"] for _ in range(300)]
    child = c.post("auth/token/create", {}, token=parents[7]["client_token"]).json["auth"]
    root_like = c.post("auth/token/create", {}).json["auth"]
    assert c.post(f"sys/leases/revoke-prefix/{at}").status == 204
    assert not any(alive(c, a) for a in [*parents[::50], parents[7], child])
    assert alive(c, root_like) and leases_of(c, at) == []


def test_who_revokes_a_prefix_of_his_own_is_answered(c, role):
    at = role("self")
    c.post("sys/policies/acl/reaper", {"policy": 'path "sys/leases/revoke-prefix/*" { capabilities = ["update", "sudo"] }'})
    me = create(c, at, policies=["reaper"])
    assert c.post(f"sys/leases/revoke-prefix/{at}", token=me["client_token"]).status == 204
    assert not alive(c, me)


def test_count_and_tidy(c):
    assert c.get("sys/leases/count?type=irrevocable").data == {"lease_count": 0, "counts": {}}
    assert c.get("sys/leases/count?type=x").status == 400
    assert c.post("sys/leases/tidy").status == 204


def test_expired_leases_are_gone(c, role):
    at = role("brief")
    create(c, at, ttl=1)
    lease = f"{at}/{leases_of(c, at)[0]}"
    vaultd.wait_for("the lease's end", lambda: leases_of(c, at) == [])
    assert c.post("sys/leases/lookup", {"lease_id": lease}).errors == ["invalid lease"]
    assert c.post("sys/leases/renew", {"lease_id": lease}).errors == ["lease not found"]
