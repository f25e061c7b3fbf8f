# SPDX-License-Identifier: Apache-2.0
"""28: what is wrapped comes out once, to whoever is first; used and unknown look alike.
(That database and keyring do not open it is tests/unit/core/test_wrap.c.)"""
import concurrent.futures
import contextlib
import sqlite3
import threading

import pytest

from seclib import audit_size, elsewhere, records

WRAP = {"X-Vault-Wrap-TTL": "60"}
PARALLEL = 50


def wrapped(c):
    r = c.post("sys/wrapping/wrap", {"k": "once"}, headers=WRAP)
    assert r.status == 200, r
    return r.json["wrap_info"]["token"]


@pytest.mark.parametrize("form", ["body", "own", "mixed", "rewrap"])
def test_one_of_many_wins(server, c, form):
    token = wrapped(c)
    start = threading.Barrier(PARALLEL)

    def ask(i):
        mine = server.client()
        start.wait()
        path = "sys/wrapping/rewrap" if form == "rewrap" and i % 2 else "sys/wrapping/unwrap"
        if form == "body" or (form in ("mixed", "rewrap") and i % 3 == 0):
            r = mine.post(path, {"token": token})
        else:
            r = mine.post(path, token=token)
        mine.close()
        return r

    with concurrent.futures.ThreadPoolExecutor(PARALLEL) as pool:
        replies = list(pool.map(ask, range(PARALLEL)))
    won = [r for r in replies if r.status == 200]
    assert len(won) == 1, [r.status for r in replies]
    assert all(r.status == 400 for r in replies if r is not won[0])
    if won[0].json["wrap_info"]:
        won[0] = c.post("sys/wrapping/unwrap", token=won[0].json["wrap_info"]["token"])
    assert won[0].data == {"k": "once"}


def same_but_for_dates(r):
    return r.status, r.raw, sorted((k, v) for k, v in r.headers.items() if k != "date")


def test_used_and_unknown_look_alike(c):
    used = wrapped(c)
    assert c.post("sys/wrapping/unwrap", token=used).status == 200
    revoked = wrapped(c)
    assert c.post("auth/token/revoke", {"token": revoked}).status == 204
    burnt = wrapped(c)
    assert c.get("secret/data/x", token=burnt).status == 403
    typo = used[:-1] + ("a" if used[-1] != "a" else "b")
    never = "vlt_w_" + "0" * 49
    for path in ("lookup", "unwrap", "rewrap"):
        seen = set()
        for token in (used, revoked, burnt, typo, never, "x"):
            for r in (c.post("sys/wrapping/" + path, {"token": token}), c.post("sys/wrapping/" + path, token=token)):
                seen.add(str(same_but_for_dates(r)))
        assert len(seen) == 1, seen


def test_failed_unwraps_leave_no_rows(own_server):
    c = own_server.client()
    token = wrapped(c)

    def rows():
        with contextlib.closing(sqlite3.connect(own_server.data_dir / "vault.db")) as db:
            return db.execute("SELECT kind, count(*) FROM object GROUP BY kind").fetchall()

    own_server.stop()
    before = rows()
    own_server.start()
    own_server.unseal()
    c = own_server.client()
    stranger = elsewhere(own_server)
    for bad in ("x", "vlt_w_" + "0" * 49, token[:-1]):
        for path in ("unwrap", "rewrap", "lookup"):
            assert stranger.post("sys/wrapping/" + path, {"token": bad}).status == 400
            assert c.post("sys/wrapping/" + path, {"token": bad}).status == 400
    for path in ("secret/data/none", "auth/token/lookup", "sys/none"):
        assert c.get(path, headers=WRAP).status in (400, 404)
        assert stranger.get(path, headers=WRAP).status == 403
    own_server.stop()
    assert rows() == before
    own_server.start()
    own_server.unseal()
    assert own_server.client().post("sys/wrapping/unwrap", token=token).data == {"k": "once"}


def test_one_record_each_and_nothing_secret(c):
    since = audit_size(c)
    token = wrapped(c)
    c.post("sys/wrapping/lookup", {"token": token})
    c.post("sys/wrapping/unwrap", {"token": token})
    c.post("sys/wrapping/unwrap", {"token": token})
    log = [r for r in records(c, since) if r["path"].startswith("sys/wrapping")]
    assert [(r["path"], r["outcome"]) for r in log] == [("sys/wrapping/wrap", "ok"), ("sys/wrapping/lookup", "ok"),
                                                        ("sys/wrapping/unwrap", "ok"), ("sys/wrapping/unwrap", "error")]
    assert token not in str(log) and "once" not in str(log)


def test_the_header_tells_strangers_nothing(server):
    stranger = elsewhere(server)
    for path in ("secret/data/x", "secret/nothing", "sys/mounts", "sys/none", "none/x"):
        r = stranger.get(path, headers=WRAP)
        assert (r.status, r.errors) == (403, ["permission denied"]), path
