# SPDX-License-Identifier: Apache-2.0
"""KV version 2 sentence by sentence: what test_kv.py does not ask."""
import datetime
import uuid

import pytest

MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def kv(c):
    path = "kv2-" + uuid.uuid4().hex[:12]
    assert c.post("sys/mounts/" + path, {"type": "kv-v2"}).status == 204
    return path


def put(c, kv, path, data, **options):
    return c.post(f"{kv}/data/{path}", {"data": data} | ({"options": options} if options else {}))


def moment(text):
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00"))


def lifetime(data):
    """Seconds from creation to deletion_time, or None."""
    meta = data.get("metadata", data)
    return meta["deletion_time"] and round((moment(meta["deletion_time"]) - moment(meta["created_time"])).total_seconds())


@pytest.mark.parametrize("config, key, seconds", [
    ("0s", "0s", ""), ("1h", "0s", 3600), ("0s", "2h", 7200), ("1h", "2h", 3600), ("2h", "1h", 3600), ("1h", "-1s", ""),
    ("0s", "-1s", ""), (3600, "90m", 3600)])
def test_delete_version_after(c, kv, config, key, seconds):
    assert c.post(f"{kv}/config", {"delete_version_after": config}).status == 204
    assert c.post(f"{kv}/metadata/x", {"delete_version_after": key}).status == 204
    w = put(c, kv, "x", {"n": 1})
    assert lifetime(w.data) == seconds
    r = c.get(f"{kv}/data/x")
    assert r.status == 200 and r.data["data"] == {"n": 1}, "not deleted before its time"
    assert lifetime(r.data) == seconds and r.data["metadata"]["destroyed"] is False
    c.post(f"{kv}/config", {"delete_version_after": "1s"})
    assert lifetime(c.get(f"{kv}/data/x").data) == seconds, "computed when it was written"


def test_durations_come_back_as_go_writes_them(c, kv):
    assert c.get(f"{kv}/config").data == {"max_versions": 0, "cas_required": False, "delete_version_after": "0s"}
    assert c.post(f"{kv}/config", {"delete_version_after": "3h25m19s"}).status == 204
    assert c.post(f"{kv}/config", {"max_versions": "7"}).status == 204, "a subset"
    assert c.get(f"{kv}/config").data == {"max_versions": 7, "cas_required": False, "delete_version_after": "3h25m19s"}
    assert c.post(f"{kv}/metadata/x", {"delete_version_after": 90}).status == 204
    assert c.get(f"{kv}/metadata/x").data["delete_version_after"] == "1m30s"


def test_metadata_alone_makes_a_key(c, kv):
    assert c.post(f"{kv}/metadata/x", {"custom_metadata": {"a": "b"}}).status == 204
    m = c.get(f"{kv}/metadata/x").data
    assert (m["current_version"], m["versions"], m["oldest_version"]) == (0, {}, 0)
    assert (c.get(f"{kv}/data/x").status, c.get(f"{kv}/data/x").json) == (404, {"errors": []})
    assert c.list(f"{kv}/metadata").data == {"keys": ["x"]}
    r = c.request("PATCH", f"{kv}/data/x", {"data": {"n": 1}}, headers=MERGE)
    assert (r.status, r.json) == (404, {"errors": []})
    w = put(c, kv, "x", {"n": 1}, cas=0)
    assert w.status == 200 and w.data["custom_metadata"] == {"a": "b"}


@pytest.mark.parametrize("key, config, kept", [(0, 0, 10), (3, 0, 3), (0, 3, 3), (2, 4, 4), (4, 2, 4)])
def test_the_larger_max_versions_holds(c, kv, key, config, kept):
    c.post(f"{kv}/config", {"max_versions": config})
    c.post(f"{kv}/metadata/x", {"max_versions": key})
    for n in range(1, 13):
        put(c, kv, "x", {"n": n})
    m = c.get(f"{kv}/metadata/x").data
    assert list(m["versions"]) == [str(n) for n in range(13 - kept, 13)]
    assert (m["oldest_version"], m["current_version"]) == (13 - kept, 12)
    for op in ("delete", "undelete", "destroy"):
        assert c.post(f"{kv}/{op}/x", {"versions": [1]}).status == 204, "a version that is gone is passed over"
    assert list(c.get(f"{kv}/metadata/x").data["versions"]) == list(m["versions"])


def test_cas_required_texts(c, kv):
    c.post(f"{kv}/config", {"cas_required": True})
    r = put(c, kv, "x", {"n": 1})
    assert (r.status, r.errors) == (400, ["check-and-set parameter required for this call"])
    assert put(c, kv, "x", {"n": 1}, cas=0).status == 200
    for cas in ("one", 1.5, True, []):
        r = put(c, kv, "x", {"n": 2}, cas=cas)
        assert (r.status, r.errors) == (400, ["error parsing check-and-set parameter"])
    c.delete(f"{kv}/data/x")
    assert put(c, kv, "x", {"n": 2}, cas=0).errors == ["check-and-set parameter did not match the current version"]
    assert put(c, kv, "x", {"n": 2}, cas=1).data["version"] == 2


def test_patch_of_what_is_gone(c, kv):
    put(c, kv, "x", {"n": 1})
    c.delete(f"{kv}/data/x")
    r = c.request("PATCH", f"{kv}/data/x", {"data": {"m": 2}}, headers=MERGE)
    assert r.status == 404 and r.data["data"] is None and r.data["metadata"]["version"] == 1
    c.post(f"{kv}/destroy/x", {"versions": ["1"]})
    r = c.request("PATCH", f"{kv}/data/x", {"data": {"m": 2}}, headers=MERGE)
    assert r.status == 404 and r.data["metadata"]["destroyed"] is True
    r = c.get(f"{kv}/data/x")
    assert r.status == 404 and r.data["data"] is None and r.data["metadata"]["destroyed"] is True
    assert r.json["request_id"] and r.json["warnings"] is None, "a whole envelope"


def test_destroyed_is_final(c, kv):
    put(c, kv, "x", {"n": 1})
    put(c, kv, "x", {"n": 2})
    assert c.request("PUT", f"{kv}/destroy/x", {"versions": "1"}).status == 204
    assert c.post(f"{kv}/undelete/x", {"versions": [1]}).status == 204
    assert c.get(f"{kv}/data/x?version=1").status == 404
    assert c.get(f"{kv}/metadata/x").data["versions"]["1"]["destroyed"] is True
    for op, text in (("delete", "No version number provided"), ("undelete", "No version number provided"),
                     ("destroy", "no version number provided")):
        for body in ({}, {"versions": []}, {"versions": ""}):
            r = c.post(f"{kv}/{op}/x", body)
            assert (r.status, r.errors) == (400, [text])
        assert c.post(f"{kv}/{op}/none", {"versions": [1]}).status == 204


def test_subkeys_of_deep_values(c, kv):
    put(c, kv, "x", {"a": {"b": {"c": {"d": 1}}}, "e": [1, 2], "f": {}, "g": None})
    whole = {"a": {"b": {"c": {"d": None}}}, "e": None, "f": None, "g": None}
    for query, want in (("", whole), ("?depth=0", whole), ("?depth=2", {"a": {"b": None}, "e": None, "f": None, "g": None}),
                        ("?depth=99", whole), ("?version=1", whole)):
        r = c.get(f"{kv}/subkeys/x{query}")
        assert r.status == 200 and r.data["subkeys"] == want
    assert c.get(f"{kv}/subkeys/x?version=2").status == 404
    c.post(f"{kv}/destroy/x", {"versions": [1]})
    r = c.get(f"{kv}/subkeys/x")
    assert r.status == 404 and r.data["subkeys"] is None and r.data["metadata"]["destroyed"] is True


def test_list_in_pages(c, kv):
    for name in ("a", "b", "b/x", "c", "d"):
        put(c, kv, name, {})
    keys = ["a", "b", "b/", "c", "d"]
    for query, want in (("", keys), ("limit=2", keys[:2]), ("after=b", keys[2:]), ("after=b/", keys[3:]),
                        ("after=a&limit=2", keys[1:3]), ("after=bb", keys[3:]), ("limit=0", keys), ("limit=-1", keys)):
        assert c.list(f"{kv}/metadata?{query}").data == {"keys": want}, query
    r = c.list(f"{kv}/metadata?after=d")
    assert (r.status, r.json) == (404, {"errors": []})
    assert c.list(f"{kv}/metadata?limit=x").status == 400


def test_hints_for_version_1_paths(c, kv):
    hint = ("Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. "
            "If using the Vault CLI, use 'vault kv {}' for this operation.")
    for method, verb in (("GET", "get"), ("POST", "put"), ("DELETE", "delete"), ("LIST", "list")):
        r = c.request(method, f"{kv}/app/db", {"a": 1} if method == "POST" else None)
        assert r.status == 404 and r.json["warnings"] == [hint.format(verb)] and r.json["data"] is None, method
        assert "errors" not in r.json
    for method in ("GET", "POST", "DELETE"):
        if method == "POST":
            continue
        r = c.request(method, f"{kv}/")
        assert (r.status, r.errors) == (404, ["Non-listing operations on the root of a K/V v2 mount are not supported."])


def test_what_the_path_says_wins(c):
    r = c.post("secret/data/p", {"data": {}, "path": "other", "zz": 1, "aa": 2})
    assert r.json["warnings"] == [
        "Endpoint ignored these unrecognized parameters: [aa zz]",
        "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [path]"]
    assert c.get("secret/data/other").status == 404
