# SPDX-License-Identifier: Apache-2.0
"""sys/audit-log and sys/backup: what they return, checked by code of the test's own."""
import base64
import hashlib
import json

import pytest

import merkle


@pytest.fixture(scope="module", autouse=True)
def traffic(server):
    c = server.client()
    for i in range(20):
        server.put(f"t/{i % 3}", {"n": i})
        c.get("secret/data/t/none")
        c.get("secret/data/t/1", token="nobody")
    c.close()


def entries(c):
    out, at, note = [], 0, None
    while at is not None:
        d = c.get(f"sys/audit-log/export?from={at}&limit=50").data
        out += d["entries"]
        note, at = d["checkpoint"], d["next"]
    return out, note


def records(c, query=""):
    return c.get("sys/audit-log/records?" + query).data["records"]


def test_leaves_and_root(c):
    got, note = entries(c)
    assert [e["index"] for e in got] == list(range(len(got)))
    leaves = [merkle.leaf(e) for e in got]
    assert leaves == [base64.b64decode(e["leaf"]) for e in got]
    size, root = merkle.checkpoint(note)
    assert size <= len(leaves) and merkle.root(leaves[:size]) == root


def test_checkpoint(c):
    d = c.get("sys/audit-log/checkpoint").data
    assert merkle.checkpoint(d["checkpoint"])[0] == d["size"]
    assert d["checkpoint"].startswith("vaultd/audit/") and "\n\n— vaultd/audit/" in d["checkpoint"]
    assert d["public_key"].startswith(d["checkpoint"].split("\n")[0] + "+")


def test_inclusion_proofs(c):
    got, _ = entries(c)
    leaves = [merkle.leaf(e) for e in got]
    for index in (0, 1, 7, 31, 32, len(leaves) - 1):
        for size in (index + 1, len(leaves)):
            d = c.get(f"sys/audit-log/proof?index={index}&size={size}").data
            assert [base64.b64decode(p) for p in d["proof"]] == merkle.inclusion(leaves[:size], index), (index, size)
            assert base64.b64decode(d["leaf"]) == leaves[index]


def test_consistency_proofs(c):
    got, _ = entries(c)
    leaves = [merkle.leaf(e) for e in got]
    n = len(leaves)
    for a, b in ((1, 2), (1, n), (2, 3), (7, 32), (8, 33), (31, n), (n - 1, n), (n, n)):
        d = c.get(f"sys/audit-log/consistency?from={a}&to={b}").data
        assert [base64.b64decode(p) for p in d["proof"]] == merkle.consistency(leaves[:b], a), (a, b)


@pytest.mark.parametrize("query", ["proof", "proof?index=x", "proof?index=-1", "proof?index=999999", "proof?index=5&size=3",
                                   "consistency?from=9&to=3", "consistency?from=1&to=999999", "export?limit=0",
                                   "export?limit=1001", "records?limit=x", "records?since=yesterday", "records?order=odd"])
def test_refusals(c, query):
    assert c.get("sys/audit-log/" + query).status == 400


def test_records_have_what_happened(c, server):
    r = c.post("secret/data/t/new", {"data": {"secret-value": 1}})
    (rec,) = [x for x in records(c, "limit=5") if x["request_id"] == r.json["request_id"]]
    assert (rec["actor"], rec["actor_type"], rec["operation"], rec["path"], rec["outcome"], rec["status"], rec["remote"]) == \
        ("root", "token", "create", "secret/data/t/new", "ok", 200, "127.0.0.1")
    assert rec["note"]["version"] == 1
    assert rec["accessor"] and server.root not in json.dumps(rec) and "secret-value" not in json.dumps(rec)


def test_filters(c):
    denied = records(c, "outcome=denied&limit=1000")
    assert len(denied) >= 5 and {x["outcome"] for x in denied} == {"denied"}
    assert {x["path"] for x in records(c, "path=secret/data/t/1&limit=1000")} == {"secret/data/t/1"}
    assert {x["operation"] for x in records(c, "operation=create&limit=1000")} == {"create"}
    assert {x["actor"] for x in records(c, "actor=root&limit=1000")} == {"root"}
    assert c.get("sys/audit-log/records?actor=nobody-at-all").status in (200, 404)
    newest = records(c, "limit=10")
    assert [x["index"] for x in newest] == sorted((x["index"] for x in newest), reverse=True)
    assert [x["index"] for x in records(c, "order=oldest&limit=3")] == [0, 1, 2]
    assert [x["index"] for x in records(c, "from=4&to=7&order=oldest")] == [4, 5, 6]
    assert records(c, f"since={newest[5]['time_ms']}&until={newest[0]['time_ms']}&limit=1000")
    assert all(newest[5]["time_ms"] <= x["time_ms"] < newest[0]["time_ms"] for x in
               records(c, f"since={newest[5]['time_ms']}&until={newest[0]['time_ms']}&limit=1000"))


def test_pages_join_up(c):
    want = [x["index"] for x in records(c, "path=secret/data/t&limit=1000")]
    got, cursor = [], None
    while True:
        d = c.get("sys/audit-log/records?path=secret/data/t&limit=7" + (f"&cursor={cursor}" if cursor is not None else "")).data
        got += [x["index"] for x in d["records"]]
        cursor = d["next"]
        if cursor is None:
            break
    assert got == want


def test_searches_are_recorded_too(c):
    r = c.get("sys/audit-log/records?limit=1")
    again = records(c, "limit=3")
    assert r.json["request_id"] in [x["request_id"] for x in again]


def test_needs_a_policy(c):
    t = c.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    for p in ("audit-log/checkpoint", "audit-log/records", "audit-log/export", "backup/data?name=x"):
        assert c.get("sys/" + p, token=t).status == 403
    assert c.post("sys/backup", {}, token=t).status == 403


def test_backup(c):
    d = c.post("sys/backup", {}).data
    assert d["file"] == "backups/" + d["name"]
    assert d["name"] in c.list("sys/backup").data["keys"]
    data, offset = b"", 0
    while True:
        part = c.get(f"sys/backup/data?name={d['name']}&offset={offset}&length=30000").data
        data += base64.b64decode(part["bytes"])
        offset = len(data)
        if part["eof"]:
            break
    assert len(data) == d["size"] and hashlib.sha256(data).hexdigest() == d["sha256"]
    assert data[4096:4112] == b"SQLite format 3\0"
    assert c.get(f"sys/backup/data?name={d['name']}&offset={len(data)}").data["bytes"] == ""


@pytest.mark.parametrize("name", ["", "none.vbk", "../vault.db", "../../etc/passwd", "/etc/passwd", "vault.db", "."])
def test_backup_names_stay_inside(c, name):
    r = c.get("sys/backup/data?name=" + name)
    assert r.status in (400, 404), r
