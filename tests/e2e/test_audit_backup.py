# SPDX-License-Identifier: Apache-2.0
"""The audit log and backups: searched, exported, verified; damaged in every way, and found out."""
import base64
import contextlib
import hashlib
import json
import re
import shutil
import sqlite3
import time

import pytest

import vaultd

BACKUP_HEADER = 4096


def lines(p):
    return [json.loads(line) for line in p.stdout.splitlines()]


@contextlib.contextmanager
def serving(tmp):
    """A server that ends with the block, however that ends."""
    s = vaultd.Server(tmp)
    try:
        yield s
    finally:
        if s.proc is not None:
            s.stop()


class Trail:
    """A server with some history, and what an auditor kept of it."""

    def __init__(self, s, tmp):
        self.server = s
        s.start()
        s.init()
        s.ctl("policy", "write", "reader", "-",
              stdin='path "secret/data/app/*" { capabilities = ["read"] }')
        self.reader = s.ctl_json("token", "create", "-policy", "reader")["auth"]["client_token"]
        for i in range(12):
            s.put(f"app/{i}", {"v": f"canary-{i}"})
        reader = s.client(self.reader)
        assert reader.get("secret/data/app/3").status == 200
        assert reader.get("secret/data/private/x").status == 403
        assert reader.get("secret/data/app/none").status == 404
        self.key = s.ctl("audit", "checkpoint", "--key").stdout.strip()
        self.key_file = tmp / "key"
        self.key_file.write_text(self.key + "\n")
        self.early = tmp / "early"
        s.ctl("audit", "checkpoint", self.early)
        self.backup = tmp / "vault.vbk"
        s.ctl("backup", self.backup)
        for i in range(6):
            s.put(f"late/{i}", {"v": str(i)})
        self.kept = tmp / "kept"
        s.ctl("audit", "checkpoint", self.kept)
        self.export = tmp / "audit.jsonl"
        s.ctl("audit", "export", self.export)

    def size(self, note):
        return int(note.read_text().splitlines()[1])


@pytest.fixture(scope="module")
def trail(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("trail")
    (tmp / "origin").mkdir()
    with serving(tmp / "origin") as s:
        yield Trail(s, tmp)


def verify(trail, *args, check=False, key=None, fmt="json"):
    return trail.server.ctl("audit", "verify", "--key", key or trail.key, *args, check=check, fmt=fmt)


# ---- list ----

def test_list_shows_newest_first_and_oldest_on_demand(trail):
    newest = lines(trail.server.ctl("audit", "list", "--limit", "5"))
    oldest = lines(trail.server.ctl("audit", "list", "--limit", "5", "--oldest"))
    assert [r["index"] for r in oldest] == [0, 1, 2, 3, 4]
    assert [r["index"] for r in newest] == list(range(newest[0]["index"], newest[0]["index"] - 5, -1))


def test_list_limit_0_is_all_and_without_holes(trail):
    indices = [r["index"] for r in lines(trail.server.ctl("audit", "list", "--limit", "0", "--oldest"))]
    assert indices == list(range(len(indices))) and len(indices) > trail.size(trail.early)


def test_list_filters_by_path_operation_and_outcome(trail):
    ctl = trail.server.ctl
    records = lines(ctl("audit", "list", "--limit", "0", "--path", "secret/data/app"))
    assert len(records) >= 14
    assert all(r["path"].startswith("secret/data/app") for r in records)
    denied = lines(ctl("audit", "list", "--path", "secret/data/private", "--outcome", "denied"))
    assert [r["path"] for r in denied] == ["secret/data/private/x"]
    assert lines(ctl("audit", "list", "--path", "secret/data/private", "--outcome", "ok")) == []
    reads = lines(ctl("audit", "list", "--limit", "0", "--path", "secret/data/app", "--operation", "read"))
    assert reads and all(r["operation"] == "read" for r in reads)


def test_list_filters_by_actor(trail):
    denied, = lines(trail.server.ctl("audit", "list", "--path", "secret/data/private"))
    by_actor = lines(trail.server.ctl("audit", "list", "--limit", "0", "--actor", denied["actor"]))
    assert denied["index"] in [r["index"] for r in by_actor]
    assert all(r["actor"] == denied["actor"] for r in by_actor)
    assert lines(trail.server.ctl("audit", "list", "--actor", "nobody-of-that-name")) == []


def test_list_filters_by_time(trail):
    assert lines(trail.server.ctl("audit", "list", "--since", "1h", "--path", "secret/data/late"))
    assert lines(trail.server.ctl("audit", "list", "--until", "1h")) == []
    assert lines(trail.server.ctl("audit", "list", "--since",
                                  time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() + 3600)))) == []
    p = trail.server.ctl("audit", "list", "--since", "yesterday", check=False)
    assert p.returncode == 2 and "-since wants a time" in p.stderr


def test_list_as_a_table(trail):
    p = trail.server.ctl("audit", "list", "--path", "secret/data/private", fmt="table")
    head, row = p.stdout.splitlines()
    assert head.split() == ["INDEX", "TIME", "ACTOR", "REMOTE", "OPERATION", "PATH", "OUTCOME"]
    assert "secret/data/private/x" in row


def test_no_value_and_no_token_is_in_the_log(trail):
    everything = trail.server.ctl("audit", "list", "--limit", "0").stdout.encode()
    for line in trail.export.read_text().splitlines():
        everything += line.encode() + base64.b64decode(json.loads(line).get("record", ""))
    assert b"secret/data/app/3" in everything
    assert b"canary-" not in everything
    assert trail.reader.encode() not in everything and trail.server.root.encode() not in everything


# ---- verify: good ----

def test_verify_of_the_export_and_of_the_server(trail):
    for args in (("--export", trail.export), ()):
        doc = json.loads(verify(trail, *args, check=True).stdout)
        assert doc["verified"] is True and doc["end_proven"] is False
        doc = json.loads(verify(trail, *args, "--checkpoint", trail.kept, check=True).stdout)
        assert doc["verified"] is True and doc["end_proven"] is True
        assert doc["records"] >= doc["kept_checkpoint"] == trail.size(trail.kept)


def test_verify_with_a_key_file_and_in_words(trail):
    p = trail.server.ctl("audit", "verify", "--key-file", trail.key_file, "--export", trail.export, fmt=None)
    assert p.stdout.startswith("Verified: ") and "The end is unproven" in p.stdout
    p = trail.server.ctl("audit", "verify", "--export", trail.export, check=False)
    assert p.returncode == 2


def test_verify_of_an_export_needs_no_server_and_no_token(trail):
    p = trail.server.ctl("audit", "verify", "--key", trail.key, "--export", trail.export, token=None,
                         env={"VAULT_ADDR": "https://127.0.0.1:1"})
    assert json.loads(p.stdout)["verified"] is True


def test_verify_with_a_foreign_key_fails(trail, tmp_path):
    with serving(tmp_path) as other:
        other.start()
        other.init()
        key = other.ctl("audit", "checkpoint", "--key").stdout.strip()
    assert verify(trail, "--export", trail.export, key=key).returncode == 22


def test_verify_refuses_the_database_of_a_running_server(trail):
    p = verify(trail, "--db", trail.server.data_dir / "vault.db")
    assert p.returncode == 14, (p.stdout, p.stderr)


# ---- verify: a stopped server's database, damaged ----

def open_like(trail, s):
    """Start a restored vault and unseal it with the shares of the original."""
    s.start()
    s.shares, s.threshold, s.root = trail.server.shares, trail.server.threshold, trail.server.root
    assert s.client(token=None).get("sys/seal-status").json["sealed"] is True
    s.unseal()


@pytest.fixture(scope="module")
def image(trail, tmp_path_factory):
    """The database of a restored vault that has been stopped: what tests may damage copies of."""
    tmp = tmp_path_factory.mktemp("image")
    kept = tmp / "kept"
    with serving(tmp) as s:
        trail.server.ctl("restore", trail.backup, "--data-dir", s.data_dir)
        open_like(trail, s)
        s.put("restored", {"v": "here"})
        s.ctl("audit", "checkpoint", kept)
        assert s.stop() == 0
    return s.data_dir / "vault.db", kept


@pytest.fixture
def db(image, tmp_path):
    """A copy of the image with its write-ahead log folded in."""
    path = tmp_path / "vault.db"
    for end in ("", "-wal"):
        source = image[0].with_name(image[0].name + end)
        if source.exists():
            shutil.copyfile(source, str(path) + end)
    run(path, "PRAGMA journal_mode = DELETE")
    return path


def run(path, *statements):
    with contextlib.closing(sqlite3.connect(path)) as c:
        for sql, *params in (s if isinstance(s, tuple) else (s,) for s in statements):
            c.execute(sql, params)
        c.commit()


def ask(path, sql, *params):
    with contextlib.closing(sqlite3.connect(path)) as c:
        return c.execute(sql, params).fetchall()


def faulty(trail, path, *args):
    p = verify(trail, "--db", path, *args)
    assert p.returncode == 22, (p.stdout, p.stderr)
    doc = json.loads(p.stdout)
    assert doc["verified"] is False
    words = verify(trail, "--db", path, *args, fmt=None)
    assert words.returncode == 22 and words.stdout.startswith("NOT VERIFIED: ")
    assert doc["text"] in words.stdout
    return doc


def export_line(trail, index):
    line = trail.export.read_text().splitlines()[index + 1]
    assert json.loads(line)["index"] == index
    return line


def faulty_export(trail, tmp_path, change):
    bad = tmp_path / "bad.jsonl"
    bad.write_text("\n".join(change(trail.export.read_text().splitlines())) + "\n")
    p = verify(trail, "--export", bad)
    assert p.returncode == 22, (p.stdout, p.stderr)
    return json.loads(p.stdout)


def names(doc, index):
    return doc["bad_record"] == index and re.search(rf"\brecord {index}\b", doc["text"])


def test_an_untouched_database_verifies(trail, image, db):
    for path in (image[0], db):
        doc = json.loads(verify(trail, "--db", path, "--checkpoint", image[1], check=True).stdout)
        assert doc["verified"] is True and doc["end_proven"] is True


@pytest.mark.parametrize("column", ["envelope", "digest", "leaf"])
def test_a_flipped_byte_is_found_and_its_record_named(trail, db, column):
    (blob,), = ask(db, f"SELECT {column} FROM audit WHERE idx = 7")
    half = len(blob) // 2
    changed = blob[:half] + bytes([blob[half] ^ 1]) + blob[half + 1:]
    run(db, (f"UPDATE audit SET {column} = ? WHERE idx = 7", changed))
    doc = faulty(trail, db)
    assert doc["fault"] == "changed" and names(doc, 7), doc


def test_a_deleted_record_is_named(trail, db):
    run(db, "DELETE FROM audit WHERE idx = 9")
    doc = faulty(trail, db)
    assert doc["fault"] == "missing" and names(doc, 9), doc


def test_a_deleted_record_with_the_rest_moved_up_is_named(trail, db):
    run(db, "DELETE FROM audit WHERE idx = 9", "UPDATE audit SET idx = -idx WHERE idx > 9",
        "UPDATE audit SET idx = -idx - 1 WHERE idx < 0")
    doc = faulty(trail, db)
    assert names(doc, 9), doc


def test_two_records_swapped_are_named(trail, db):
    run(db, "UPDATE audit SET idx = -1 WHERE idx = 5", "UPDATE audit SET idx = 5 WHERE idx = 8",
        "UPDATE audit SET idx = 8 WHERE idx = -1")
    doc = faulty(trail, db)
    assert names(doc, 5), doc


def test_a_record_put_in_twice_is_named(trail, db):
    (top,), = ask(db, "SELECT max(idx) FROM audit")
    run(db, "UPDATE audit SET idx = -idx WHERE idx > 6", "UPDATE audit SET idx = -idx + 1 WHERE idx < 0",
        "INSERT INTO audit SELECT 7, leaf, digest, envelope FROM audit WHERE idx = 6")
    assert ask(db, "SELECT max(idx) FROM audit") == [(top + 1,)]
    doc = faulty(trail, db)
    assert doc["fault"] == "inserted" and names(doc, 7), doc


def test_a_record_forged_with_its_leaf_is_bounded_by_signed_heads(trail, db):
    """Whoever recomputes the leaf hash still cannot sign: the verifier names the range."""
    (digest, envelope), = ask(db, "SELECT digest, envelope FROM audit WHERE idx = 7")
    envelope = envelope[:-1] + bytes([envelope[-1] ^ 1])
    leaf = hashlib.sha256(b"\0" + (7).to_bytes(8, "big") + digest + envelope).digest()
    run(db, ("UPDATE audit SET envelope = ?, leaf = ? WHERE idx = 7", envelope, leaf))
    doc = faulty(trail, db)
    assert doc["fault"] == "somewhere" and doc["first_possible"] <= 7 <= doc["bad_record"], doc


def test_a_damaged_signed_head_is_found(trail, db):
    (size, note), = ask(db, "SELECT size, note FROM checkpoint ORDER BY size LIMIT 1")
    run(db, ("UPDATE checkpoint SET note = ? WHERE size = ?", note[:-10] + b"AAAA" + note[-6:], size))
    assert faulty(trail, db)["fault"] == "signed_head"


def test_records_cut_behind_the_newest_head_are_missing(trail, db):
    (top,), = ask(db, "SELECT max(size) FROM checkpoint")
    run(db, ("DELETE FROM audit WHERE idx >= ?", top - 2))
    doc = faulty(trail, db)
    assert doc["fault"] == "missing" and names(doc, top - 2), doc


def test_truncation_with_its_heads_shows_only_against_a_kept_checkpoint(trail, image, db):
    heads = [size for size, in ask(db, "SELECT size FROM checkpoint ORDER BY size")]
    assert len(heads) > 2
    cut = heads[-3]
    run(db, ("DELETE FROM checkpoint WHERE size > ?", cut), ("DELETE FROM audit WHERE idx >= ?", cut))
    doc = json.loads(verify(trail, "--db", db, check=True).stdout)
    assert doc["records"] == cut and doc["end_proven"] is False
    doc = faulty(trail, db, "--checkpoint", image[1])
    assert doc["fault"] == "cut" and doc["bad_record"] == cut, doc


def test_another_history_shows_against_a_kept_checkpoint(trail, image):
    """The restored vault went on in its own way: the original's newest head does not fit it."""
    doc = faulty(trail, image[0], "--checkpoint", trail.kept)
    assert doc["fault"] in ("other_history", "cut"), doc


@pytest.mark.parametrize("member", ["commit", "envelope", "leaf", "record", "salt"])
def test_a_damaged_export_is_found_and_its_record_named(trail, tmp_path, member):
    doc = json.loads(export_line(trail, 7))
    raw = bytearray(base64.b64decode(doc[member]))
    raw[len(raw) // 2] ^= 1
    doc[member] = vaultd.b64(bytes(raw))
    doc = faulty_export(trail, tmp_path, lambda lines: lines[:8] + [json.dumps(doc)] + lines[9:])
    assert doc["fault"] == "changed" and names(doc, 7), doc


def test_records_missing_from_an_export_or_out_of_order_are_found(trail, tmp_path):
    doc = faulty_export(trail, tmp_path, lambda lines: lines[:8] + lines[9:])
    assert doc["fault"] == "missing" and names(doc, 7), doc
    doc = faulty_export(trail, tmp_path, lambda lines: lines[:8] + [lines[9], lines[8]] + lines[10:])
    assert names(doc, 7), doc


# ---- backups ----

def test_backup_verifies_with_and_without_the_key(trail):
    p = trail.server.ctl("verify-backup", trail.backup)
    assert "good: schema " in p.stdout and "give --key" in p.stdout
    p = trail.server.ctl("verify-backup", trail.backup, "--key-file", trail.key_file)
    assert "signed by the given key" in p.stdout
    doc = json.loads(verify(trail, "--backup", trail.backup, "--checkpoint", trail.early, check=True).stdout)
    assert doc["verified"] is True and doc["end_proven"] is True


def test_backup_is_private_shows_no_value_and_is_never_overwritten(trail):
    assert trail.backup.stat().st_mode & 0o077 == 0
    raw = trail.backup.read_bytes()
    for secret in (b"canary-", b"private/x", trail.reader.encode(), trail.server.root.encode()):
        assert secret not in raw
    p = trail.server.ctl("backup", trail.backup, check=False)
    assert p.returncode == 2 and "exists already" in p.stderr
    assert trail.backup.read_bytes() == raw


@pytest.mark.parametrize("damage, said", [
    (lambda raw: raw[:20] + bytes([raw[20] ^ 1]) + raw[21:], "header"),
    (lambda raw: raw[:BACKUP_HEADER + 9000] + bytes([raw[BACKUP_HEADER + 9000] ^ 1]) + raw[BACKUP_HEADER + 9001:],
     "its image does not have the digest"),
    (lambda raw: raw[:-4096], "its end is missing"),
    (lambda raw: raw + b"\0", "it is too long"),
])
def test_a_damaged_backup_is_refused_everywhere(trail, tmp_path, damage, said):
    bad = tmp_path / "bad.vbk"
    bad.write_bytes(damage(trail.backup.read_bytes()))
    p = trail.server.ctl("verify-backup", bad, "--key", trail.key, check=False)
    assert p.returncode == 22 and said in p.stderr, p.stderr
    p = trail.server.ctl("restore", bad, "--data-dir", tmp_path / "data", check=False)
    assert p.returncode == 22 and said in p.stderr, p.stderr
    assert not (tmp_path / "data" / "vault.db").exists()


def test_what_is_no_backup_is_refused(trail, tmp_path):
    (tmp_path / "text").write_text("no backup at all\n" * 1000)
    p = trail.server.ctl("verify-backup", tmp_path / "text", check=False)
    assert p.returncode == 3 and "this is not a backup of vaultd" in p.stderr
    assert trail.server.ctl("verify-backup", tmp_path / "none", check=False).returncode == 5


def test_restore_brings_back_secrets_and_ends_tokens(trail, tmp_path):
    with serving(tmp_path) as s:
        trail.server.ctl("restore", trail.backup, "--data-dir", s.data_dir)
        assert (s.data_dir / "vault.db").stat().st_mode & 0o077 == 0
        open_like(trail, s)
        assert s.read("app/5") == {"v": "canary-5"}
        assert s.client().get("secret/data/late/1").status == 404
        assert s.client(trail.reader).get("secret/data/app/3").status == 403
        records = lines(s.ctl("audit", "list", "--limit", "0", "--oldest"))
        assert [r["index"] for r in records] == list(range(len(records)))
        doc = json.loads(s.ctl("audit", "verify", "--key", trail.key, "--checkpoint", trail.early).stdout)
        assert doc["verified"] is True
        assert s.stop() == 0


def test_rolling_back_needs_to_be_accepted(trail, image, tmp_path):
    """A database that is newer than the backup is not replaced by mistake."""
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    for end in ("", "-wal"):
        source = image[0].with_name(image[0].name + end)
        if source.exists():
            shutil.copyfile(source, data / source.name)
    (records,), = ask(data / "vault.db", "SELECT count(*) FROM audit")
    p = trail.server.ctl("restore", trail.backup, "--data-dir", data, check=False)
    assert p.returncode == 6 and "--accept-rollback" in p.stderr, p.stderr
    assert ask(data / "vault.db", "SELECT count(*) FROM audit") == [(records,)]
    trail.server.ctl("restore", trail.backup, "--data-dir", data, "--accept-rollback")
    assert ask(data / "vault.db", "SELECT count(*) FROM audit")[0][0] < records
    with serving(tmp_path) as s:
        open_like(trail, s)
        assert s.read("app/5") == {"v": "canary-5"}
        assert s.client().get("secret/data/restored").status == 404
        assert "rollback" in s.ctl("audit", "list", "--limit", "0").stdout
        assert s.stop() == 0


def test_restore_onto_a_running_server_is_refused(trail):
    p = trail.server.ctl("restore", trail.backup, "--data-dir", trail.server.data_dir, "--accept-rollback",
                         check=False)
    assert p.returncode == 14 and "in use" in p.stderr, (p.returncode, p.stderr)
    assert trail.server.read("late/1") == {"v": "1"}
