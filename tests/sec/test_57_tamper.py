# SPDX-License-Identifier: Apache-2.0
"""57: rows that were changed behind vaultd's back are refused or reported, never served as something else."""
import shutil
import sqlite3

import pytest

import vaultd

VALUES = {"t/a": {"k": "value of a, 1"}, "t/b": {"k": "value of b, 1"}}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    """A stopped vault; what a secret's rows were before its last write is kept beside it."""
    s = vaultd.Server(tmp_path_factory.mktemp("base"))
    s.start()
    s.init()
    for path, value in VALUES.items():
        s.put(path, value)
    c = s.client()
    r = c.post("auth/token/create", {"policies": ["root"], "ttl": "24h"})
    s.revoked = r.json["auth"]["client_token"]
    s.added = s.add_host("h57", ["secret/t/*"])
    s.stop()
    shutil.copytree(s.data_dir, s.tmp / "before")
    s.start()
    s.unseal()
    c = s.client()
    assert c.post("auth/token/revoke", {"token": s.revoked}).status == 204
    assert c.post("sys/hosts/h57/revoke", {}).status in (200, 204)
    s.put("t/a", {"k": "value of a, 2"})
    s.stop()
    return s


@pytest.fixture
def copy(base, tmp_path):
    s = vaultd.Server(tmp_path)
    shutil.copytree(base.data_dir, s.data_dir)
    s.data_dir.chmod(0o700)
    s.root, s.shares, s.threshold = base.root, base.shares, 1
    yield s
    if s.proc is not None:
        s.stop()


def open_db(path):
    db = sqlite3.connect(path)
    db.isolation_level = None
    return db


def edit(s, fn):
    db = open_db(s.data_dir / "vault.db")
    try:
        db.execute("BEGIN")
        result = fn(db)
        db.execute("COMMIT")
        return result
    finally:
        db.close()


ALLOWED = {"t/a": [{"k": "value of a, 2"}], "t/b": [{"k": "value of b, 1"}]}


def what_happens(s, old=None):
    """'refused to start', 'refused to unseal', or which reads were refused; a wrong value fails the test."""
    try:
        s.start()
    except AssertionError:
        s.proc.wait(30)
        s.proc = None
        return "refused to start"
    c = s.client(token=None)
    r = c.post("sys/unseal", {"key": s.shares[0]})
    if r.status != 200 or r.json["sealed"]:
        return "refused to unseal"
    s.wait_unsealed()
    c, refused = s.client(), []
    for path, allowed in ALLOWED.items():
        r = c.get(f"secret/data/{path}")
        if r.status == 200:
            assert r.data["data"] in [*allowed, old], (path, r)
        else:
            assert r.status in (403, 404, 500), r
            assert b"value of" not in r.raw
            refused.append((path, r.status))
    return refused


def reported(s):
    return "altered outside of vaultd" in s.log() or "does not open" in s.log() or "integrity" in s.log()


def detected(s):
    """It shows at once, or the background check reports it."""
    outcome = what_happens(s)
    if outcome:
        return outcome
    vaultd.wait_for("a report in the log", lambda: reported(s), 20)
    return "reported"


def rollback_reported(s):
    """A row of before is genuine by itself: the check of the state as a whole has to say so."""
    if what_happens(s, old={"k": "value of a, 1"}) in ("refused to start", "refused to unseal"):
        return
    vaultd.wait_for("a report in the log", lambda: reported(s), 10)


def kinds(s):
    return edit(s, lambda db: [k for (k,) in db.execute("SELECT DISTINCT kind FROM object ORDER BY kind")])


def test_untouched(copy):
    assert what_happens(copy) == []
    assert not reported(copy)
    assert copy.client().get("auth/token/lookup-self").status == 200


@pytest.mark.parametrize("column", ["sealed", "wrapped"])
def test_swapped_payloads(copy, column):
    def swap(db):
        rows = db.execute(f"SELECT rowid, {column} FROM payload ORDER BY rowid").fetchall()
        assert len(rows) == 3
        for (at, _), (_, blob) in zip(rows, rows[1:] + rows[:1]):
            db.execute(f"UPDATE payload SET {column} = ? WHERE rowid = ?", (blob, at))
    edit(copy, swap)
    assert detected(copy)


def test_swapped_payload_rows(copy):
    """Both columns at once: a whole version under another secret's name."""
    def swap(db):
        rows = db.execute("SELECT rowid, wrapped, sealed FROM payload ORDER BY rowid").fetchall()
        for (at, _, _), (_, w, p) in zip(rows, rows[1:] + rows[:1]):
            db.execute("UPDATE payload SET wrapped = ?, sealed = ? WHERE rowid = ?", (w, p, at))
    edit(copy, swap)
    assert detected(copy)


@pytest.mark.parametrize("table, column", [("payload", "sealed"), ("payload", "wrapped"), ("object", "sealed")])
@pytest.mark.parametrize("at", [0, 8, 30, -1])
def test_flipped_bit(copy, table, column, at):
    def flip(db):
        for row, blob in db.execute(f"SELECT rowid, {column} FROM {table}").fetchall():
            blob = bytearray(blob)
            blob[at % len(blob)] ^= 4
            db.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ?", (bytes(blob), row))
    edit(copy, flip)
    assert detected(copy)


def test_flipped_bit_of_each_kind(copy):
    """One row at a time, of every kind of object."""
    pristine = copy.data_dir.with_name("pristine")
    shutil.copytree(copy.data_dir, pristine)
    for kind in kinds(copy):
        shutil.rmtree(copy.data_dir)
        shutil.copytree(pristine, copy.data_dir)
        copy.log_path.write_text("")

        def flip(db, kind=kind):
            row, blob = db.execute("SELECT rowid, sealed FROM object WHERE kind = ? ORDER BY rowid LIMIT 1", (kind,)).fetchone()
            blob = bytearray(blob)
            blob[len(blob) // 2] ^= 1
            db.execute("UPDATE object SET sealed = ? WHERE rowid = ?", (bytes(blob), row))
        edit(copy, flip)
        assert detected(copy), kind
        if copy.proc is not None:
            copy.stop()


def test_swapped_objects_of_one_kind(copy):
    def swap(db):
        for (kind,) in db.execute("SELECT kind FROM object GROUP BY kind HAVING count(*) > 1").fetchall():
            rows = db.execute("SELECT rowid, sealed FROM object WHERE kind = ? ORDER BY rowid", (kind,)).fetchall()
            for (at, _), (_, blob) in zip(rows, rows[1:] + rows[:1]):
                db.execute("UPDATE object SET sealed = ? WHERE rowid = ?", (blob, at))
    edit(copy, swap)
    assert detected(copy)


def old_rows(base, table):
    db = open_db(base.tmp / "before" / "vault.db")
    rows = db.execute(f"SELECT * FROM {table}").fetchall()
    db.close()
    return rows


def restore(copy, base, table, keep=lambda row: True):
    rows = [r for r in old_rows(base, table) if keep(r)]
    marks = ",".join("?" * len(rows[0]))
    edit(copy, lambda db: db.executemany(f"INSERT OR REPLACE INTO {table} VALUES ({marks})", rows))


def consistency_kind(base):
    """The kind of the one row that changes with every batch: the sealed head of the state MAC."""
    return {r[0] for r in old_rows(base, "object") if r[1] == b"state"}


def test_old_rows_restored(base, copy):
    """All rows of objects but the head: the token and the host that were revoked would be back."""
    heads = consistency_kind(base)
    restore(copy, base, "object", lambda r: r[0] not in heads)
    rollback_reported(copy)


def test_old_rows_restored_with_their_head(base, copy):
    """The whole table of an earlier time does not fit the audit log."""
    restore(copy, base, "object")
    restore(copy, base, "payload")
    rollback_reported(copy)


def replace(copy, base, *tables):
    edit(copy, lambda db: [db.execute(f"DELETE FROM {t}") for t in tables])
    for t in tables:
        restore(copy, base, t)


def test_both_tables_rolled_back_as_a_whole(base, copy):
    """Everything of before, head included, beside the audit log of now: the log's signed head names another state."""
    replace(copy, base, "object", "payload")
    assert what_happens(copy) == "refused to unseal"
    assert "not those that the audit log ends with" in copy.log()


def test_rolled_back_with_the_signed_heads(base, copy):
    """The heads of before fit the rows of before, but not the records of now."""
    replace(copy, base, "object", "payload", "checkpoint")
    assert what_happens(copy) == "refused to unseal"
    assert "is not covered by the signed head" in copy.log()


def test_an_older_head_under_the_newest_size(base, copy):
    """A signed head says itself how many records it covers."""
    def swap(db):
        (size,) = db.execute("SELECT max(size) FROM checkpoint").fetchone()
        db.execute("DELETE FROM checkpoint")
        db.execute("INSERT INTO checkpoint VALUES (?, ?)", (size, max(old_rows(base, "checkpoint"))[1]))
    replace(copy, base, "object", "payload")
    edit(copy, swap)
    assert what_happens(copy) == "refused to unseal"


def test_deleted_rows(copy):
    edit(copy, lambda db: db.execute("DELETE FROM payload WHERE rowid = (SELECT max(rowid) FROM payload)"))
    assert detected(copy)


def test_deleted_head(copy):
    edit(copy, lambda db: db.execute("DELETE FROM object WHERE id = ?", (b"state",)))
    assert detected(copy)


@pytest.mark.parametrize("column, value", [("version", "version + 1"), ("due", "1"), ("parent", "id"),
                                           ("tag", "NULL")])
def test_changed_plain_columns(copy, column, value):
    edit(copy, lambda db: db.execute(f"UPDATE object SET {column} = {value} WHERE {column} IS NOT NULL AND id <> ?", (b"state",)))
    assert detected(copy)


def test_a_row_that_does_not_open_keeps_the_old_key(copy):
    """A new key term seals all rows anew but the damaged one, and the key that it may still need is not destroyed."""
    def flip(db):
        row, blob = db.execute("SELECT rowid, wrapped FROM payload ORDER BY rowid LIMIT 1").fetchone()
        db.execute("UPDATE payload SET wrapped = ? WHERE rowid = ?", (blob[:40] + bytes([blob[40] ^ 1]) + blob[41:], row))
    edit(copy, flip)
    assert what_happens(copy) in ([], [("t/a", 500)], [("t/b", 500)])
    c = copy.client()
    assert c.post("sys/rotate").status == 204
    vaultd.wait_for("the end of the walk", lambda: "the keys of older terms are kept" in copy.log())
    assert "a row was not sealed anew" in copy.log()
    assert c.get("sys/key-status").data["term"] == 2
    assert c.get("auth/token/lookup-self").status == 200
    copy.stop()
    terms = edit(copy, lambda db: [blob[7] for (blob,) in db.execute("SELECT wrapped FROM payload")])
    assert sorted(terms) == [1] + [2] * (len(terms) - 1), "the damaged row alone is of the old term"
