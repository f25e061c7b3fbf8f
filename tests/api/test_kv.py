# SPDX-License-Identifier: Apache-2.0
"""KV version 2 at secret/."""
import concurrent.futures
import json
import os
import re

import pytest

MERGE = {"Content-Type": "application/merge-patch+json"}
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def put(c, path, data, **options):
    body = {"data": data}
    if options:
        body["options"] = options
    return c.post("secret/data/" + path, body)


def get(c, path, version=None):
    return c.get(f"secret/data/{path}" + (f"?version={version}" if version is not None else ""))


def meta(c, path):
    return c.get("secret/metadata/" + path)


def patch(c, path, data, **options):
    return c.request("PATCH", "secret/data/" + path, {"data": data, "options": options or None}, headers=MERGE)


def test_first_write_and_read(c):
    r = put(c, "one", {"user": "u", "n": 1})
    assert r.status == 200 and r.json["mount_type"] == "kv"
    assert set(r.data) == {"created_time", "custom_metadata", "deletion_time", "destroyed", "version"}
    assert (r.data["version"], r.data["custom_metadata"], r.data["deletion_time"], r.data["destroyed"]) == \
        (1, None, "", False)
    assert RFC3339.match(r.data["created_time"])
    g = get(c, "one")
    assert g.data == {"data": {"user": "u", "n": 1}, "metadata": r.data}
    assert (g.json["lease_id"], g.json["lease_duration"], g.json["renewable"], g.json["auth"],
            g.json["wrap_info"], g.json["warnings"]) == ("", 0, False, None, None, None)
    assert get(c, "one", 0).data == g.data


def test_versions(c):
    for n in range(1, 4):
        assert put(c, "v", {"n": n}).data["version"] == n
    assert [get(c, "v", n).data["data"]["n"] for n in (1, 2, 3, 0, None)] == [1, 2, 3, 3, 3]
    assert (get(c, "v", 4).status, get(c, "v", 4).json) == (404, {"errors": []})
    assert get(c, "v", "x").status == 400
    assert get(c, "v", -1).status in (400, 404)


def test_missing_is_a_bare_404(c):
    r = get(c, "never/written")
    assert (r.status, r.json) == (404, {"errors": []})
    assert (meta(c, "never/written").status, meta(c, "never/written").json) == (404, {"errors": []})


def test_data_is_required_but_may_be_empty(c):
    r = c.post("secret/data/empty", {})
    assert r.status == 400 and "no data provided" in r.errors[0]
    r = c.post("secret/data/empty", {"data": {}, "options": None})
    assert r.status == 200
    assert get(c, "empty").data["data"] == {}
    r = c.post("secret/data/empty", {"data": "text"})
    assert r.status == 400


def test_cas(c):
    assert put(c, "cas", {"n": 1}, cas=0).status == 200
    r = put(c, "cas", {"n": 2}, cas=0)
    assert (r.status, r.errors) == (400, ["check-and-set parameter did not match the current version"])
    assert put(c, "cas", {"n": 2}, cas="1").data["version"] == 2
    assert put(c, "cas", {"n": 2}, cas=1).status == 400
    assert put(c, "cas", {"n": 2}, cas="x").errors[0].startswith("error parsing check-and-set parameter")
    assert c.delete("secret/data/cas").status == 204
    assert put(c, "cas", {"n": 3}, cas=0).status == 400, "a deleted version still counts"
    assert put(c, "cas", {"n": 3}, cas=2).data["version"] == 3
    assert get(c, "cas").data["data"] == {"n": 3}


def test_cas_required(c):
    assert c.post("secret/metadata/strict", {"cas_required": True}).status == 204
    r = put(c, "strict", {"n": 1})
    assert (r.status, r.errors) == (400, ["check-and-set parameter required for this call"])
    assert put(c, "strict", {"n": 1}, cas=0).status == 200, "a key with metadata only is at version 0"
    assert c.post("secret/config", {"cas_required": True}).status == 204
    try:
        assert put(c, "any", {"n": 1}).status == 400
    finally:
        assert c.post("secret/config", {"cas_required": False}).status == 204
    assert put(c, "any", {"n": 1}).status == 200


def test_config(c):
    assert c.get("secret/config").data == {"max_versions": 0, "cas_required": False, "delete_version_after": "0s"}
    assert c.post("secret/config", {"max_versions": 3, "delete_version_after": "3h25m19s"}).status == 204
    assert c.get("secret/config").data == \
        {"max_versions": 3, "cas_required": False, "delete_version_after": "3h25m19s"}
    put(c, "cfg", {})
    r = get(c, "cfg")
    assert r.status == 200 and RFC3339.match(r.data["metadata"]["deletion_time"]), "it lies in the future"
    assert c.post("secret/config", {"max_versions": 0, "delete_version_after": "0s"}).status == 204


def test_delete_undelete_destroy(c):
    for n in (1, 2, 3):
        put(c, "dud", {"n": n})
    assert c.delete("secret/data/dud").status == 204
    r = get(c, "dud")
    assert r.status == 404 and r.data["data"] is None
    m = r.data["metadata"]
    assert (m["version"], m["destroyed"]) == (3, False) and RFC3339.match(m["deletion_time"])
    assert r.json["mount_type"] == "kv" and r.json["request_id"]
    assert get(c, "dud", 2).status == 200
    assert c.post("secret/delete/dud", {"versions": ["1", 2]}).status == 204
    assert get(c, "dud", 1).status == get(c, "dud", 2).status == 404
    assert c.request("PUT", "secret/undelete/dud", {"versions": [2, 3]}).status == 204
    assert get(c, "dud", 2).data["data"] == {"n": 2}
    assert get(c, "dud").data["metadata"]["deletion_time"] == ""
    assert c.request("PUT", "secret/destroy/dud", {"versions": "2"}).status == 204
    r = get(c, "dud", 2)
    assert r.status == 404 and r.data["data"] is None and r.data["metadata"]["destroyed"] is True
    assert c.post("secret/undelete/dud", {"versions": [2]}).status == 204
    assert get(c, "dud", 2).status == 404, "destroyed is final"
    versions = meta(c, "dud").data["versions"]
    assert [(v["destroyed"], v["deletion_time"] != "") for _, v in sorted(versions.items())] == \
        [(False, True), (True, False), (False, False)]


def test_deletes_of_nothing(c):
    assert c.delete("secret/data/nothing-here").status == 204
    assert c.delete("secret/metadata/nothing-here").status == 204
    for verb in ("delete", "undelete", "destroy"):
        assert c.post(f"secret/{verb}/nothing-here", {"versions": [1]}).status == 204
        r = c.post(f"secret/{verb}/one", {})
        assert r.status == 400 and r.errors[0].lower() == "no version number provided"
        assert c.post(f"secret/{verb}/one", {"versions": ["x"]}).status == 400
    assert meta(c, "nothing-here").status == 404


def test_metadata(c):
    put(c, "m", {"n": 1})
    put(c, "m", {"n": 2})
    r = meta(c, "m")
    assert set(r.data) == {"cas_required", "created_time", "current_version", "custom_metadata",
                           "delete_version_after", "max_versions", "oldest_version", "updated_time", "versions"}
    assert (r.data["current_version"], r.data["oldest_version"], r.data["max_versions"],
            r.data["delete_version_after"], r.data["custom_metadata"]) == (2, 0, 0, "0s", None)
    assert set(r.data["versions"]) == {"1", "2"}
    assert set(r.data["versions"]["1"]) == {"created_time", "deletion_time", "destroyed"}
    assert c.post("secret/metadata/m", {"custom_metadata": {"owner": "ops", "x": "y"}}).status == 204
    assert meta(c, "m").data["custom_metadata"] == {"owner": "ops", "x": "y"}
    assert get(c, "m").data["metadata"]["custom_metadata"] == {"owner": "ops", "x": "y"}
    r = c.request("PATCH", "secret/metadata/m", {"custom_metadata": {"x": None, "z": "1"}}, headers=MERGE)
    assert r.status == 204
    assert meta(c, "m").data["custom_metadata"] == {"owner": "ops", "z": "1"}
    assert c.request("PUT", "secret/metadata/m", {"custom_metadata": {"only": "1"}}).status == 204
    assert meta(c, "m").data["custom_metadata"] == {"only": "1"}
    assert c.request("PATCH", "secret/metadata/none", {"max_versions": 2}, headers=MERGE).status == 404
    assert c.delete("secret/metadata/m").status == 204
    assert get(c, "m").status == meta(c, "m").status == 404
    assert put(c, "m", {"n": 1}).data["version"] == 1


@pytest.mark.parametrize("custom", [
    {"k" * 129: "v"}, {"k": "v" * 513}, {"": "v"}, {f"k{i}": "v" for i in range(65)}, {"k": "\u0007"},
])
def test_custom_metadata_limits(c, custom):
    r = c.post("secret/metadata/cm", {"custom_metadata": custom})
    assert r.status == 400 and r.errors[0].startswith("custom_metadata validation failed"), r


def test_retention(c):
    for n in range(1, 13):
        put(c, "keep", {"n": n})
    m = meta(c, "keep").data
    assert m["oldest_version"] == 3 and set(m["versions"]) == {str(n) for n in range(3, 13)}
    assert (get(c, "keep", 2).status, get(c, "keep", 2).json) == (404, {"errors": []})
    assert c.post("secret/metadata/keep", {"max_versions": 2}).status == 204
    put(c, "keep", {"n": 13})
    assert set(meta(c, "keep").data["versions"]) == {"12", "13"}


def test_list(c):
    for p in ("l/a", "l/a/x", "l/b/deep/er", "l/C", "l/%C3%BC"):
        put(c, p, {})
    for r in (c.list("secret/metadata/l"), c.list("secret/metadata/l/"), c.get("secret/metadata/l?list=true"),
              c.get("secret/metadata/l/?list=1")):
        assert r.status == 200 and r.data["keys"] == ["C", "a", "a/", "b/", "ü"]
    assert c.list("secret/metadata/l/b").data["keys"] == ["deep/"]
    r = c.list("secret/metadata/l/none")
    assert (r.status, r.json) == (404, {"errors": []})
    c.delete("secret/data/l/C")
    assert "C" in c.list("secret/metadata/l").data["keys"], "deleted keys are listed"
    c.delete("secret/metadata/l/C")
    assert "C" not in c.list("secret/metadata/l").data["keys"]
    c.delete("secret/metadata/l/b/deep/er")
    assert "b/" not in c.list("secret/metadata/l").data["keys"], "folders vanish with their last key"
    assert "l/" in c.list("secret/metadata").data["keys"]


def test_list_of_thousands_of_names(c, server):
    names = [f"n{i:04}" for i in range(2300)]

    def writer(mine):
        own = server.client()
        return all(put(own, f"many/{n}", {}).status == 200 for n in mine)

    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        assert all(pool.map(writer, [names[i::16] for i in range(16)]))
    r = c.list("secret/metadata/many")
    assert r.status == 200 and r.data["keys"] == names


def test_patch(c):
    put(c, "p", {"a": 1, "b": {"c": 1, "d": 2}, "e": [1, 2]})
    r = patch(c, "p", {"a": None, "b": {"c": 3}, "e": [9], "f": {"g": None, "h": 1}})
    assert r.status == 200 and r.data["version"] == 2
    assert get(c, "p").data["data"] == {"b": {"c": 3, "d": 2}, "e": [9], "f": {"h": 1}}
    assert patch(c, "p", {"x": 1}, cas=1).status == 400
    assert patch(c, "p", {"x": 1}, cas=2).status == 200
    assert patch(c, "none", {"x": 1}).status == 404
    c.delete("secret/data/p")
    r = patch(c, "p", {"x": 1})
    assert r.status == 404 and r.data["metadata"]["deletion_time"] != ""


def test_patch_content_type(c):
    put(c, "pt", {"a": 1})
    body = {"data": {"b": 2}}
    r = c.request("PATCH", "secret/data/pt", body, headers={"Content-Type": "application/json"})
    assert (r.status, r.errors) == (
        415, ["PATCH requires Content-Type of application/merge-patch+json, provided application/json"])
    assert c.request("PATCH", "secret/data/pt", body).status == 400
    r = c.request("PATCH", "secret/data/pt", body,
                  headers={"content-type": "application/merge-patch+json; charset=utf-8"})
    assert r.status == 200


NUMBERS = ["0", "-0", "1", "-1", "9007199254740993", "18446744073709551616", "123456789012345678901234567890",
           "0.1", "0.10", "1.0", "-12.50", "1e3", "1E+3", "1e400", "1e-400", "3.141592653589793238462643383279",
           "-99999999999999999999.99999999999999999999"]


@pytest.mark.parametrize("number", NUMBERS)
def test_numbers_come_back_as_they_were(c, number):
    raw = b'{"data":{"n":%s,"list":[%s,{"x":%s}]}}' % ((number.encode(),) * 3)
    assert c.post("secret/data/num", raw=raw).status == 200
    got = get(c, "num").raw.replace(b" ", b"").decode()
    assert f'"n":{number},' in got
    assert f'"list":[{number},{{"x":{number}}}]' in got


def test_numbers_survive_a_patch(c):
    c.post("secret/data/num2", raw=b'{"data":{"n":18446744073709551616.10,"m":1}}')
    c.request("PATCH", "secret/data/num2", raw=b'{"data":{"m":1e400}}', headers=MERGE)
    got = get(c, "num2").raw.decode()
    assert '"n":18446744073709551616.10' in got and '"m":1e400' in got


def test_strings_come_back_as_they_were(c):
    data = {"ctl": "\u0001\t\n\r\u0000x", "quote": '"\\/', "é": "日本語 🔑 \u2028", "": "empty key", "nest": [[[]], {}, None, True]}
    assert put(c, "str", data).status == 200
    assert get(c, "str").data["data"] == data
    raw = b'{"data":{"s":"\\ud83d\\udd11\\u00e9\\u002f"}}'
    assert c.post("secret/data/str", raw=raw).status == 200
    assert get(c, "str").data["data"] == {"s": "🔑é/"}


def test_big_values(c):
    value = os.urandom(256 * 1024 - 100).hex()
    assert put(c, "big", {"v": value}).status == 200
    assert get(c, "big").data["data"] == {"v": value}
    r = put(c, "big", {"v": "x" * (512 * 1024 + 1)})
    assert r.status in (400, 413), r
    r = c.post("secret/data/big", raw=json.dumps({"data": {"v": "x" * 1100000}}).encode())
    assert (r.status, r.errors) == (413, ["http: request body too large"])
    assert get(c, "big").data["metadata"]["version"] == 1


def test_subkeys(c):
    put(c, "sub", {"a": 1, "b": {"c": {"d": "x"}}})
    r = c.get("secret/subkeys/sub")
    assert r.data["subkeys"] == {"a": None, "b": {"c": {"d": None}}} and r.data["metadata"]["version"] == 1
    assert c.get("secret/subkeys/sub?depth=1").data["subkeys"] == {"a": None, "b": None}
    c.delete("secret/data/sub")
    r = c.get("secret/subkeys/sub")
    assert r.status == 404 and r.data["subkeys"] is None and r.data["metadata"]["deletion_time"]


def test_version_1_paths_explain_themselves(c):
    for r in (c.get("secret/one"), c.post("secret/one", {"a": 1})):
        assert r.status == 404 and "Invalid path for a versioned K/V secrets engine" in r.json["warnings"][0]
    r = c.get("secret/")
    assert r.status == 404
    assert "Non-listing operations on the root of a K/V v2 mount are not supported." in r.raw.decode()


def test_preflight_and_mounts(c):
    r = c.get("sys/internal/ui/mounts/secret/data/one")
    assert r.status == 200
    assert r.data["path"] == "secret/" and r.data["options"]["version"] == "2" and r.data["type"] == "kv"
    r = c.get("sys/mounts")
    assert r.json["secret/"] == r.data["secret/"] and r.data["secret/"]["options"] == {"version": "2"}


def test_paths_keep_case_and_may_be_both(c):
    put(c, "case/A", {"x": "upper"})
    put(c, "case/a", {"x": "lower"})
    put(c, "case", {"x": "folder"})
    assert [get(c, p).data["data"]["x"] for p in ("case/A", "case/a", "case")] == ["upper", "lower", "folder"]


def test_unknown_fields_warn(c):
    r = c.post("secret/data/warn", {"data": {}, "extra": 1})
    assert r.status == 200
    assert r.json["warnings"] == ["Endpoint ignored these unrecognized parameters: [extra]"]


@pytest.mark.parametrize("path", ["secret/config", "secret/metadata/long"])
def test_durations_end_where_nanoseconds_do(c, path):
    """A longer one would wrap around into the past: the version would be gone at once."""
    for seconds in (9223372037, 9223372036854775, -9223372037):
        assert c.post(path, {"delete_version_after": seconds}).status == 400
    try:
        assert c.post(path, {"delete_version_after": 9223372036}).status == 204
        put(c, "long", {"x": 1})
        r = get(c, "long")
        assert r.status == 200 and r.data["metadata"]["deletion_time"] > "2300"
    finally:
        assert c.post(path, {"delete_version_after": 0}).status == 204


def test_versions_at_a_time(c):
    put(c, "at-a-time", {"x": 1})
    for versions in (list(range(1001)), ",".join("1" * 1001)):
        r = c.post("secret/destroy/at-a-time", {"versions": versions})
        assert (r.status, r.errors) == (400, ["versions: at most 1000 at a time"])
    assert get(c, "at-a-time").status == 200
