# SPDX-License-Identifier: Apache-2.0
"""SCAN, the list of all that is below, and listings with metadata: both are OpenBao's."""
import uuid

import pytest

PATHS = ["a", "a/b", "a/b/c", "a/b/d", "a/z", "top", "w/x/y/z"]


@pytest.fixture(scope="module", params=["kv-v2", "kv-v1", "cubbyhole"])
def tree(request, server):
    """Where names are asked for, and PATHS below it."""
    c = server.client()
    mount = "scan-" + uuid.uuid4().hex[:12]
    if request.param == "cubbyhole":
        mount = "cubbyhole"
    else:
        assert c.post("sys/mounts/" + mount, {"type": request.param}).status == 204
    for p in PATHS:
        where = f"{mount}/data/{p}" if request.param == "kv-v2" else f"{mount}/{p}"
        assert c.post(where, {"data": {"k": "v"}}).status in (200, 204)
    return mount + ("/metadata" if request.param == "kv-v2" else "")


def scan(c, path, **kw):
    return c.request("SCAN", path, **kw)


def test_all_that_is_below(c, tree):
    assert scan(c, tree).data == {"keys": PATHS}
    assert scan(c, tree + "/").data == c.get(tree + "?scan=true").data == {"keys": PATHS}
    assert scan(c, tree + "/a").data == {"keys": ["b", "b/c", "b/d", "z"]}
    assert scan(c, tree + "/a/b/").data == {"keys": ["c", "d"]}
    assert scan(c, tree + "/w").data == {"keys": ["x/y/z"]}
    for nothing in ("/top", "/none", "/a/b/c"):
        r = scan(c, tree + nothing)
        assert (r.status, r.json) == (404, {"errors": []})
    assert scan(c, tree + "?after=a/b/c&limit=2").data == {"keys": ["a/b/d", "a/z"]}
    assert c.list(tree).data == {"keys": ["a", "a/", "top", "w/"]}


def test_a_capability_of_its_own(c, tree):
    def may(capability, path=None):
        name = "scan-" + uuid.uuid4().hex[:8]
        text = f'path "{path or tree + "/*"}" {{ capabilities = ["{capability}"] }}'
        assert c.post("sys/policies/acl/" + name, {"policy": text}).status == 204
        return c.post("auth/token/create", {"policies": [name]}).json["auth"]["client_token"]
    if tree == "cubbyhole":
        pytest.skip("every token has its own")
    lister, scanner = may("list"), may("scan")
    assert (c.list(tree, token=lister).status, scan(c, tree, token=lister).status) == (200, 403)
    assert (c.list(tree, token=scanner).status, scan(c, tree, token=scanner).status) == (403, 200)
    assert c.get(tree + "?scan=true", token=lister).status == 403
    exact = may("scan", tree)
    assert scan(c, tree, token=exact).status == 200, "the rule may leave the slash out"
    assert scan(c, tree + "/a", token=exact).status == 403
    r = c.post("sys/capabilities-self", {"paths": [tree + "/a"]}, token=scanner)
    assert r.data[tree + "/a"] == ["scan"]


def test_details(c):
    kv = "det-" + uuid.uuid4().hex[:12]
    assert c.post("sys/mounts/" + kv, {"type": "kv-v2"}).status == 204
    for p in PATHS:
        assert c.post(f"{kv}/data/{p}", {"data": {}}).status == 200
    assert c.post(f"{kv}/data/top", {"data": {"n": 2}}).status == 200
    assert c.post(f"{kv}/metadata/top", {"custom_metadata": {"who": "me"}, "delete_version_after": "3h"}).status == 204
    one = {p: c.get(f"{kv}/metadata/{p}").data for p in PATHS}
    assert len(one["top"]["versions"]) == 2
    at = f"{kv}/detailed-metadata"
    assert c.list(at).data == {"keys": ["a", "a/", "top", "w/"], "key_info": {"a": one["a"], "a/": {}, "top": one["top"], "w/": {}}}
    assert scan(c, at).data == {"keys": PATHS, "key_info": one}
    assert scan(c, at + "/a/b").data == {"keys": ["c", "d"], "key_info": {"c": one["a/b/c"], "d": one["a/b/d"]}}
    assert c.list(at + "?after=a&limit=2").data == {"keys": ["a/", "top"], "key_info": {"a/": {}, "top": one["top"]}}
    assert c.list(at + "/none").status == scan(c, at + "/none").status == 404
    assert c.get(at + "/top").status == 405
    limited = f'path "{kv}/metadata/*" {{ capabilities = ["list", "scan", "read"] }}'
    assert c.post("sys/policies/acl/" + kv, {"policy": limited}).status == 204
    token = c.post("auth/token/create", {"policies": [kv]}).json["auth"]["client_token"]
    assert c.list(at, token=token).status == scan(c, at, token=token).status == 403
    assert c.list(f"{kv}/metadata", token=token).status == scan(c, f"{kv}/metadata", token=token).status == 200


def test_wrong_paths_of_version_2(c):
    r = scan(c, "secret/some/where")
    assert r.status == 404 and "vault kv scan" in r.json["warnings"][0]


def test_recorded_as_what_it_is(c, server):
    server.put("scanned/x", {"k": "v"})
    assert scan(c, "secret/metadata/scanned").status == 200
    found = c.get("sys/audit-log/records?operation=scan&path=secret/metadata/scanned/").data["records"]
    assert found and found[0]["operation"] == "scan"


def test_help_and_openapi_name_it(c):
    assert "SCAN" in c.get("secret/metadata/x?help=1").json["help"]
    doc = c.get("sys/internal/specs/openapi").json
    names = {p["name"] for p in doc["paths"]["/secret/metadata/{path}/"]["get"]["parameters"]}
    assert {"list", "scan"} <= names
