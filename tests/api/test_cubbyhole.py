# SPDX-License-Identifier: Apache-2.0
"""Cubbyhole: what a token keeps for itself."""
import pytest


@pytest.fixture
def new(server, c):
    """Clients, each with a token of its own."""
    made = []

    def make(**body):
        auth = c.post("auth/token/create", {"policies": ["default"]} | body).json["auth"]
        client = server.client(token=auth["client_token"])
        client.accessor = auth["accessor"]
        made.append(client)
        return client
    yield make
    for client in made:
        client.close()


def test_own_values(new):
    mine = new()
    r = mine.post("cubbyhole/a/b", {"k": "v", "ttl": "1h"})
    assert (r.status, r.raw) == (204, b"")
    r = mine.get("cubbyhole/a/b")
    assert r.data == {"k": "v", "ttl": "1h"}
    assert (r.json["lease_duration"], r.json["mount_type"], r.json["lease_id"]) == (0, "cubbyhole", "")
    assert mine.post("cubbyhole/a/b", {"k": "w"}).status == 204
    assert mine.get("cubbyhole/a/b").data == {"k": "w"}
    assert mine.post("cubbyhole/c", {"x": 1}).status == 204
    assert mine.list("cubbyhole").data == {"keys": ["a/", "c"]}
    assert mine.list("cubbyhole/a/").data == {"keys": ["b"]}
    assert mine.delete("cubbyhole/a/b").status == 204
    assert (mine.get("cubbyhole/a/b").status, mine.get("cubbyhole/a/b").json) == (404, {"errors": []})
    assert mine.list("cubbyhole").data == {"keys": ["c"]}
    r = mine.post("cubbyhole/d", {})
    assert (r.status, r.errors) == (400, ["missing data fields"])
    assert mine.request("PATCH", "cubbyhole/c", {"a": 1},
                        headers={"Content-Type": "application/merge-patch+json"}).status in (403, 405)


def test_nobody_elses(c, new):
    mine, other = new(), new()
    assert mine.post("cubbyhole/x", {"mine": True}).status == 204
    for stranger in (other, c):
        assert stranger.get("cubbyhole/x").status == 404
        assert stranger.list("cubbyhole").status == 404
        assert stranger.post("cubbyhole/x", {"mine": False}).status == 204
        assert stranger.delete("cubbyhole/x").status == 204
    assert mine.get("cubbyhole/x").data == {"mine": True}


def test_not_even_by_a_child_or_its_renewed_parent(server, new):
    mine = new(policies=["root"])
    mine.post("cubbyhole/x", {"n": 1})
    child = server.client(token=mine.post("auth/token/create", {"ttl": "1h"}).json["auth"]["client_token"])
    assert child.get("cubbyhole/x").status == 404
    child.close()


def test_a_policy_can_forbid_it(server, c):
    c.post("sys/policies/acl/nothing-kept", {"policy": 'path "cubbyhole/*" { capabilities = ["deny"] }'})
    token = c.post("auth/token/create", {"policies": ["nothing-kept"]}).json["auth"]["client_token"]
    mine = server.client(token=token)
    assert mine.post("cubbyhole/x", {"n": 1}).status == 403
    mine.close()


def test_cannot_be_unmounted_or_covered(c):
    assert c.delete("sys/mounts/cubbyhole").status == 400
    assert c.post("sys/mounts/cubbyhole/x", {"type": "kv"}).status == 403
    assert c.get("sys/mounts").data["cubbyhole/"]["local"] is True


def test_not_of_a_batch_token(server, c):
    auth = c.post("auth/token/create", {"policies": ["default"], "type": "batch", "ttl": "1h"}).json["auth"]
    mine = server.client(token=auth["client_token"])
    for method, path in (("GET", "cubbyhole/x"), ("POST", "cubbyhole/x"), ("LIST", "cubbyhole"), ("DELETE", "cubbyhole/x")):
        r = mine.request(method, path, {"a": 1} if method == "POST" else None)
        assert (r.status, r.errors) == (400, ["cubbyhole operations are only supported by 'service' type tokens"]), method
    mine.close()
