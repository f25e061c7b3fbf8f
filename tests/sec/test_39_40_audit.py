# SPDX-License-Identifier: Apache-2.0
"""39, 40: what is changed, removed, moved or cut in the audit log is found, and the first bad record is named."""
import base64
import json
import shutil
import sqlite3

import pytest

import vaultd

COUNT = 60


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """A stopped server's file, an export, the key, and checkpoints kept on the way."""
    tmp = tmp_path_factory.mktemp("log")
    s = vaultd.Server(tmp)
    s.start()
    s.init()
    for i in range(COUNT // 2):
        s.put(f"log/{i}", {"n": i})
    s.key = s.ctl("audit", "checkpoint", "--key", fmt=None).stdout.strip()
    s.old, s.new, s.export = tmp / "old", tmp / "new", tmp / "export"
    s.ctl("audit", "checkpoint", s.old)
    for i in range(COUNT // 2):
        s.put(f"log/{i}", {"n": -i})
    s.ctl("audit", "checkpoint", s.new)
    s.ctl("audit", "export", s.export)
    s.stop()
    return s


def verify(log, *args):
    p = log.ctl("audit", "verify", "--key", log.key, *args, check=False, token=None)
    return p.returncode, json.loads(p.stdout) if p.stdout.startswith("{") else p.stderr


@pytest.fixture
def db(log, tmp_path):
    """A copy to be changed."""
    assert not (log.data_dir / "vault.db-wal").exists() or not (log.data_dir / "vault.db-wal").stat().st_size
    path = tmp_path / "vault.db"
    shutil.copy(log.data_dir / "vault.db", path)
    return path


def change(path, *statements):
    db = sqlite3.connect(path)
    with db:
        for sql, *args in statements:
            db.execute(sql, args)
    db.close()


def column(path, name, idx):
    db = sqlite3.connect(path)
    value = db.execute(f"SELECT {name} FROM audit WHERE idx = ?", (idx,)).fetchone()[0]
    db.close()
    return value


def flipped(data, at):
    data = bytearray(data)
    data[at % len(data)] ^= 1
    return bytes(data)


def test_whole(log, db):
    for source in (["--export", log.export], ["--db", db]):
        rc, report = verify(log, *source)
        assert rc == 0 and report["verified"] and report["records"] >= COUNT, report
        assert report["end_proven"] is False
    rc, report = verify(log, "--export", log.export, "--checkpoint", log.new)
    assert rc == 0 and report["verified"]


@pytest.mark.parametrize("idx", [0, 1, 17, COUNT - 1])
@pytest.mark.parametrize("name", ["envelope", "digest", "leaf"])
def test_39_flip(log, db, idx, name):
    for at in (0, -1):
        change(db, (f"UPDATE audit SET {name} = ? WHERE idx = ?", flipped(column(db, name, idx), at), idx))
        rc, report = verify(log, "--db", db)
        assert (rc, report["verified"], report["bad_record"]) == (22, False, idx), report
        change(db, (f"UPDATE audit SET {name} = ? WHERE idx = ?", flipped(column(db, name, idx), at), idx))
    assert verify(log, "--db", db)[0] == 0


def test_39_delete(log, db):
    change(db, ("DELETE FROM audit WHERE idx = 11",))
    rc, report = verify(log, "--db", db)
    assert (rc, report["fault"], report["bad_record"]) == (22, "missing", 11)


def test_39_delete_and_close_the_gap(log, db):
    change(db, ("DELETE FROM audit WHERE idx = 11",), ("UPDATE audit SET idx = -idx WHERE idx > 11",),
           ("UPDATE audit SET idx = -idx - 1 WHERE idx < 0",))
    rc, report = verify(log, "--db", db)
    assert (rc, report["bad_record"]) == (22, 11), report


def test_39_reorder(log, db):
    change(db, ("UPDATE audit SET idx = -1 WHERE idx = 20",), ("UPDATE audit SET idx = 20 WHERE idx = 21",),
           ("UPDATE audit SET idx = 21 WHERE idx = -1",))
    rc, report = verify(log, "--db", db)
    assert (rc, report["bad_record"]) == (22, 20), report


def test_39_duplicate(log, db):
    change(db, ("UPDATE audit SET idx = -idx WHERE idx > 30",), ("UPDATE audit SET idx = -idx + 1 WHERE idx < 0",),
           ("INSERT INTO audit SELECT 31, leaf, digest, envelope FROM audit WHERE idx = 30",))
    rc, report = verify(log, "--db", db)
    assert (rc, report["bad_record"]) == (22, 31), report


def test_39_append(log, db):
    change(db, ("INSERT INTO audit SELECT (SELECT max(idx) + 1 FROM audit), leaf, digest, envelope FROM audit WHERE idx = 5",))
    rc, report = verify(log, "--db", db)
    assert (rc, report["verified"]) == (22, False), report


def export_lines(log):
    return log.export.read_text().splitlines()


def verify_lines(log, tmp_path, lines, *args):
    path = tmp_path / "export"
    path.write_text("\n".join(lines) + "\n")
    return verify(log, "--export", path, *args)


@pytest.mark.parametrize("member", ["commit", "envelope", "leaf", "record", "salt"])
def test_39_flip_in_an_export(log, tmp_path, member):
    lines = export_lines(log)
    entry = json.loads(lines[1 + 23])
    entry[member] = vaultd.b64(flipped(base64.b64decode(entry[member]), 3))
    lines[1 + 23] = json.dumps(entry)
    rc, report = verify_lines(log, tmp_path, lines)
    assert (rc, report["bad_record"]) == (22, 23), report


def test_39_every_record_of_an_export(log, tmp_path):
    lines = export_lines(log)
    for idx in range(0, len(lines) - 2, 5):
        entry = json.loads(lines[1 + idx])
        entry["record"] = vaultd.b64(flipped(base64.b64decode(entry["record"]), idx))
        rc, report = verify_lines(log, tmp_path, [*lines[:1 + idx], json.dumps(entry), *lines[2 + idx:]])
        assert (rc, report["bad_record"]) == (22, idx), report


def test_40_cut_is_found_by_a_kept_checkpoint(log, db):
    end = int(log.new.read_text().splitlines()[1])
    change(db, ("DELETE FROM audit WHERE idx >= ?", end - 3), ("DELETE FROM checkpoint WHERE size > ?", end - 3))
    rc, report = verify(log, "--db", db, "--checkpoint", log.new)
    assert (rc, report["verified"]) == (22, False), report
    rc, report = verify(log, "--db", db)
    assert rc == 22 or report["end_proven"] is False, "and without one the end is called unproven"


def test_40_cut_without_touching_the_heads(log, db):
    change(db, ("DELETE FROM audit WHERE idx >= (SELECT max(idx) - 2 FROM audit)",))
    rc, report = verify(log, "--db", db)
    assert (rc, report["verified"]) == (22, False), report


def test_40_cut_export(log, tmp_path):
    lines = export_lines(log)
    rc, report = verify_lines(log, tmp_path, lines[:-4] + lines[-1:])
    assert (rc, report["verified"]) == (22, False), report


def test_40_another_history(log, tmp_path):
    """A log of the same length by another vault, under its own key or under ours."""
    s = vaultd.Server(tmp_path)
    s.start()
    s.init()
    for i in range(COUNT + 5):
        s.put(f"x/{i}", {"n": i})
    s.ctl("audit", "export", tmp_path / "export")
    key = s.ctl("audit", "checkpoint", "--key", fmt=None).stdout.strip()
    s.stop()
    p = s.ctl("audit", "verify", "--export", tmp_path / "export", "--key", key, check=False, token=None)
    assert p.returncode == 0
    assert verify(log, "--export", tmp_path / "export")[0] in (3, 22)
    p = s.ctl("audit", "verify", "--export", tmp_path / "export", "--key", key, "--checkpoint", log.old, check=False, token=None)
    assert p.returncode in (3, 22)


def test_40_forged_checkpoint(log, tmp_path):
    note = log.new.read_text().splitlines()
    for lines in ([note[0], str(int(note[1]) - 1), *note[2:]], [note[0], note[1], vaultd.b64(bytes(32)), *note[3:]],
                  [*note[:4], note[4][:-8] + "AAAAAAA="]):
        forged = tmp_path / "forged"
        forged.write_text("\n".join(lines) + "\n")
        assert verify(log, "--export", log.export, "--checkpoint", forged)[0] in (3, 22)
