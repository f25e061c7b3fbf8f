# SPDX-License-Identifier: Apache-2.0
"""KV version 1, and its way to version 2."""
import json
import uuid

import pytest

import vaultd

MONTH = 2764800
UPGRADED = ("Upgrading mount from version 1 to version 2. This mount will be unavailable for a brief period and will "
            "resume service shortly.")
BUSY = ("Upgrading from non-versioned to versioned data. This backend will be unavailable for a brief period and will "
        "resume service shortly.")


@pytest.fixture
def kv(c):
    path = "kv1-" + uuid.uuid4().hex[:12]
    assert c.post("sys/mounts/" + path, {"type": "kv", "options": {"version": "1"}}).status == 204
    return path


def test_write_read_delete(c, kv):
    r = c.post(f"{kv}/app/db", {"user": "u", "n": 1, "deep": {"a": [1, None]}})
    assert (r.status, r.raw) == (204, b"")
    r = c.get(f"{kv}/app/db")
    assert r.status == 200 and r.json["mount_type"] == "kv"
    assert r.data == {"user": "u", "n": 1, "deep": {"a": [1, None]}}
    assert (r.json["lease_id"], r.json["renewable"], r.json["lease_duration"], r.json["auth"], r.json["warnings"]) == \
        ("", False, MONTH, None, None)
    assert c.request("PUT", f"{kv}/app/db", {"other": "x"}).status == 204
    assert c.get(f"{kv}/app/db").data == {"other": "x"}, "replaced as a whole"
    r = c.delete(f"{kv}/app/db")
    assert (r.status, r.raw) == (204, b"")
    r = c.get(f"{kv}/app/db")
    assert (r.status, r.json) == (404, {"errors": []})
    assert c.delete(f"{kv}/app/db").status == 204, "also when there is none"


def test_what_is_refused(c, kv):
    for body in ({}, None):
        r = c.post(f"{kv}/empty", body)
        assert (r.status, r.errors) == (400, ["missing data fields"])
    assert c.get(f"{kv}/empty").status == 404
    r = c.request("PATCH", f"{kv}/x", {"a": 1}, headers={"Content-Type": "application/merge-patch+json"})
    assert (r.status, r.errors) == (405, ["1 error occurred:\n\t* unsupported operation\n\n"])
    assert c.get(kv).status == 404
    r = c.post(f"{kv}/", {"a": 1})
    assert (r.status, r.errors) == (400, ["cannot write to a path ending in '/'"])
    assert c.post(f"{kv}/big", {"v": "x" * (600 * 1024)}).status == 413


def test_numbers_come_back_as_they_went_in(c, kv):
    text = '{"big":9223372036854775807,"more":123456789012345678901234567890,"dec":1.10,"exp":1e3,"neg":-0}'
    assert c.request("POST", f"{kv}/n", raw=text.encode()).status == 204
    raw = c.get(f"{kv}/n").raw.decode()
    for part in json.loads(text, parse_int=str, parse_float=str).items():
        assert f'"{part[0]}":{part[1]}' in raw


@pytest.mark.parametrize("body, seconds", [
    ({"ttl": 60}, 60), ({"ttl": "60"}, 60), ({"ttl": "2h"}, 7200), ({"lease": "10m"}, 600), ({"ttl": "1m", "lease": "2m"}, 60),
    ({"ttl": "soon"}, MONTH), ({"ttl": 0}, MONTH), ({"ttl": -5}, MONTH), ({"ttl": ["x"]}, MONTH), ({"ttl": "40d"}, MONTH),
    ({"x": 1}, MONTH)])
def test_lease_duration(c, kv, body, seconds):
    assert c.post(f"{kv}/ttl", body).status == 204
    r = c.get(f"{kv}/ttl")
    assert r.json["lease_duration"] == seconds and r.data == body


def test_lease_duration_of_a_tuned_mount(c, kv):
    c.post(f"{kv}/a", {"x": 1})
    c.post(f"{kv}/b", {"ttl": "2h"})
    assert c.post(f"sys/mounts/{kv}/tune", {"default_lease_ttl": "5m", "max_lease_ttl": "1h"}).status == 204
    assert c.get(f"{kv}/a").json["lease_duration"] == 300
    assert c.get(f"{kv}/b").json["lease_duration"] == 3600


def test_list_one_level(c, kv):
    for path in ("a", "a/b", "a/c/d", "z", "B"):
        assert c.post(f"{kv}/{path}", {"x": 1}).status == 204
    assert c.list(kv).data == {"keys": ["B", "a", "a/", "z"]}
    assert c.get(f"{kv}/?list=true").data == {"keys": ["B", "a", "a/", "z"]}
    assert c.list(f"{kv}/a").data == {"keys": ["b", "c/"]}
    assert c.list(f"{kv}/a/").data == {"keys": ["b", "c/"]}
    assert (c.list(f"{kv}/none").status, c.list(f"{kv}/none").json) == (404, {"errors": []})
    c.delete(f"{kv}/a/c/d")
    assert c.list(f"{kv}/a").data == {"keys": ["b"]}
    c.delete(f"{kv}/a/b")
    assert c.list(kv).data == {"keys": ["B", "a", "z"]}


def test_create_is_not_update(server, c, kv):
    c.post("sys/policies/acl/" + kv, {"policy": f'path "{kv}/*" {{ capabilities = ["create", "read"] }}'})
    mine = server.client(token=c.post("auth/token/create", {"policies": [kv]}).json["auth"]["client_token"])
    assert mine.post(f"{kv}/one", {"a": 1}).status == 204
    assert mine.post(f"{kv}/one", {"a": 2}).status == 403
    assert mine.get(f"{kv}/one").data == {"a": 1}
    assert mine.list(kv).status == 403
    mine.close()


def test_upgrade_with_data(own_server):
    """Everything is there afterwards, as version 1; nothing is served meanwhile."""
    c = own_server.client()
    c.post("sys/mounts/up", {"type": "kv"})
    want = {f"{d}k{i}": {"i": i, "in": d} for d in ("", "a/", "a/b/", "c/") for i in range(60)}
    for path, data in want.items():
        assert c.post("up/" + path, data).status == 204
    c.post("sys/mounts/other", {"type": "kv"})
    c.post("other/k1", {"of": "another mount"})
    r = c.post("sys/mounts/up/tune", {"options": {"version": "2"}})
    assert r.status == 200 and r.json["warnings"] == [UPGRADED]
    assert c.get("sys/mounts/up").data["options"] == {"version": "2"}
    seen = set()

    def upgraded():
        r = c.get("up/data/k0")
        if r.status == 400:
            seen.add(tuple(r.errors))
        return r.status == 200
    vaultd.wait_for("the upgrade", upgraded)
    assert seen <= {(BUSY,)}
    for path, data in want.items():
        r = c.get("up/data/" + path)
        assert r.data["data"] == data and r.data["metadata"]["version"] == 1
    assert c.list("up/metadata").data["keys"] == sorted(["a/", "c/"] + [f"k{i}" for i in range(60)])
    assert c.post("up/data/k0", {"data": {"n": 2}, "options": {"cas": 1}}).data["version"] == 2
    assert c.get("other/k1").data == {"of": "another mount"}
    own_server.stop()
    own_server.start()
    own_server.unseal()
    assert own_server.client().get("up/data/a/b/k59").data["data"] == {"i": 59, "in": "a/b/"}


def test_rotation_is_of_version_2(c, kv):
    c.post(f"{kv}/app", {"password": "x"})
    r = c.post(f"sys/rotation/rotate/{kv}/app", {})
    assert r.status == 400 and "is not below a KV mount" in r.errors[0]
