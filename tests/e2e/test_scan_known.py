# SPDX-License-Identifier: Apache-2.0
"""vaultctl scan recognises the vault's own secrets, names them to who may read them, and has them rotated."""
import base64
import json
import os
import pathlib
import subprocess

import pytest

import vaultd
from vaultd import wait_for

VALUE = "q7RkT2mZxV9bL4nWc8YpD3fHs6JgA1eU"


@pytest.fixture(scope="module")
def filled(server):
    server.put("team/db", {"password": VALUE, "user": "app"})
    server.put("team/old", {"key": "1" + VALUE[1:]})
    server.put("team/old", {"key": "2" + VALUE[1:]})
    server.client().post("sys/policies/acl/scan", {"policy": 'path "sys/leaks/*" { capabilities = ["update"] }'})
    return server


def scan(server, *args, status=None, **kw):
    p = server.ctl("scan", *args, "--format=jsonl", check=False, fmt="", **kw)
    rows = [json.loads(line) for line in p.stdout.splitlines()]
    assert status is None or p.returncode == status, (p.returncode, p.stdout, p.stderr)
    return [r for r in rows if r.get("rule") == "vault-secret"], p


def test_named_by_path(filled, tmp_path):
    (tmp_path / "a.txt").write_text(f"nothing\nhere it is: xx{VALUE}yy\n")
    found, p = scan(filled, "fs", tmp_path, status=1)
    assert len(found) == 1
    f = found[0]
    assert (f["secret"], f["version"], f["field"], f["state"]) == ("secret/team/db", 1, "password", "current")
    assert (f["line"], f["severity"], f["file"]) == (2, "critical", str(tmp_path / "a.txt"))
    assert VALUE not in p.stdout + p.stderr and VALUE[:8] not in p.stdout


@pytest.mark.parametrize("encode", [
    lambda v: base64.b64encode(b"{" + v + b"}"), lambda v: base64.b64encode(b"abc" + v), lambda v: v.hex().encode(),
    lambda v: v.decode().encode("utf-16"), lambda v: b"x" * 700000 + v, lambda v: b"\0\1\2" * 100 + v + b"\0",
])
def test_encoded_and_hidden(filled, tmp_path, encode):
    (tmp_path / "a").write_bytes(encode(VALUE.encode()))
    found, p = scan(filled, "fs", tmp_path)
    assert [f["secret"] for f in found] == ["secret/team/db"], (p.stdout, p.stderr)


def test_an_old_version_matters_less(filled, tmp_path):
    (tmp_path / "a").write_text("1" + VALUE[1:])
    found, _ = scan(filled, "fs", tmp_path, status=1)
    assert [(f["secret"], f["version"], f["state"], f["severity"]) for f in found] == [
        ("secret/team/old", 1, "old", "low")]


def test_no_name_for_who_may_not_read_it(filled, tmp_path):
    (tmp_path / "a").write_text(VALUE)
    token = filled.client().post("auth/token/create", {"policies": ["scan"]}).json["auth"]["client_token"]
    found, p = scan(filled, "fs", tmp_path, token=token, status=1)
    assert len(found) == 1 and "secret" not in found[0] and "team" not in p.stdout


def test_without_a_token_or_the_right_to_a_pack(filled, tmp_path):
    (tmp_path / "a").write_text(f"xx{VALUE}yy")
    assert scan(filled, "fs", tmp_path, token=None)[0] == []
    c = filled.client()
    token = c.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    found, p = scan(filled, "fs", tmp_path, token=token, status=0)
    assert found == [] and "not looked for:" in p.stderr and "permission denied" in p.stderr
    found, p = scan(filled, "fs", tmp_path, "--known", token=token, status=3)
    assert "permission denied" in p.stderr and p.stdout == ""
    assert scan(filled, "fs", tmp_path, "--known", token=None, status=2)
    assert scan(filled, "fs", tmp_path, "--known", "--no-known", status=2)
    assert scan(filled, "fs", tmp_path, "--no-known", status=0)[0] == []


def test_found_and_rotated(filled, tmp_path):
    value = "W" + VALUE[1:]
    filled.put("team/leaky", {"password": value})
    (tmp_path / "a").write_text(f"a={value}\nb={value}\n")
    found, p = scan(filled, "fs", tmp_path, "--rotate", status=1)
    assert len(found) == 2 and "secret/team/leaky: rotated: version 2" in p.stderr, p.stderr
    assert filled.read("team/leaky")["password"] != value
    found, p = scan(filled, "fs", tmp_path, "--rotate", status=1)
    assert {f["state"] for f in found} == {"old"} and "rotated" not in p.stderr, "what is old is not rotated again"
    assert filled.read("team/leaky")["password"] not in p.stdout


def test_in_the_environment_of_a_process(filled, tmp_path):
    child = subprocess.Popen(["/bin/sleep", "60"], env={"DB": VALUE})
    try:
        found, _ = scan(filled, "env", child.pid, status=1)
        assert [(f["secret"], f["channel"]) for f in found] == [("secret/team/db", "proc-environ")]
    finally:
        child.kill()
        child.wait()


def test_nothing_that_scans_has_the_token(filled, tmp_path):
    """The token is in the process that asks the vault, and in none that parses."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "VAULT_ADDR": filled.url, "VAULT_TOKEN": filled.root}
    if filled.tls:
        env["VAULT_PIN"] = filled.pin
    with open(tmp_path / "out", "wb") as out:
        p = subprocess.Popen([str(vaultd.BIN / "vaultctl"), "scan", "fs", "-", "--known", "--workers=1"], env=env,
                             stdin=subprocess.PIPE, stdout=out, stderr=out)
    try:
        def children():
            return pathlib.Path(f"/proc/{p.pid}/task/{p.pid}/children").read_text().split()
        wait_for("the workers", lambda: len(children()) >= 2)
        p.stdin.write(VALUE.encode())
        p.stdin.flush()
        holders = []
        for pid in [p.pid, *children()]:
            with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
                for m in maps:
                    span, perms = m.split()[:2]
                    if "w" not in perms or "[v" in m:
                        continue
                    a, b = (int(x, 16) for x in span.split("-"))
                    mem.seek(a)
                    try:
                        if filled.root.encode() in mem.read(b - a):
                            holders.append(int(pid))
                    except OSError:
                        pass
        assert p.pid not in holders and len(set(holders)) <= 1, (p.pid, holders, children())
    finally:
        p.stdin.close()
        p.wait(60)


def test_only_by_name_is_it_left_out(filled, tmp_path):
    """A pattern says what a tree holds, not that a living secret may lie in it."""
    tree, base, ignore = tmp_path / "tree", tmp_path / "base.json", tmp_path / "tree/.vaultscanignore"
    tree.mkdir()
    (tree / "a").write_text(f"xx{VALUE}yy")
    ignore.write_text("*\n!.vaultscanignore\nrule:vault-secret\n")
    found, _ = scan(filled, "fs", tree, f"--write-baseline={base}", status=1)
    assert [f["secret"] for f in found] == ["secret/team/db"]
    assert "team" not in base.read_text() and VALUE[:8] not in base.read_text()
    found_then, _ = scan(filled, "fs", tree, f"--baseline={base}", "--show-filtered", status=0)
    assert [(f["type"], f["reason"]) for f in found_then] == [("filtered", "baseline")]
    ignore.write_text(f"finding:{found[0]['id']}\n")
    found, _ = scan(filled, "fs", tree, "--show-filtered", status=0)
    assert [(f["reason"], f["filtered_by"]) for f in found] == [("suppressed", f"{ignore}:1")]
