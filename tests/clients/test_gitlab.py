# SPDX-License-Identifier: Apache-2.0
"""The scanner's report for GitLab by a schema of what GitLab requires: it refuses reports that are not as its own is."""
import copy
import json
import os
import subprocess

import pytest

from images import Image, Layer, docker_save
from reports import HERE, check, report
from scanning import token

SCHEMA = HERE / "gitlab_schema.json"


def valid(*args):
    text = report("gitlab", *args)
    r = check(SCHEMA, text)
    assert r.returncode == 0, r.stderr.decode()
    doc = json.loads(text)
    ids = [v["id"] for v in doc["vulnerabilities"]]
    assert len(set(ids)) == len(ids), ids
    return doc


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    for name in ("plain", "<img src=x>&'\".txt", "\x1b[2J\u202e", "\xff"):
        (folder / name).write_text(f"x = {token(name)} <b>\u202e\nx = {token(name)} <b>\u202e\n")
    (folder / "damaged.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03broken")
    return folder


def test_of_a_tree(tree):
    doc = valid("fs", tree, "--show-filtered")
    assert len(doc["vulnerabilities"]) == 8 and doc["scan"]["status"] == "failure"
    assert "damaged.gz" in doc["scan"]["messages"][0]["value"]


def test_the_check_refuses_what_gitlab_does(tree):
    doc = json.loads(report("gitlab", "fs", tree))

    def refused(change):
        other = copy.deepcopy(doc)
        change(other)
        return check(SCHEMA, json.dumps(other).encode()).returncode == 1

    assert not refused(lambda d: None)
    assert refused(lambda d: d["scan"].pop("analyzer"))
    assert refused(lambda d: d["scan"].update(end_time="2026-01-01T00:00:00Z"))
    assert refused(lambda d: d["vulnerabilities"][0]["location"].pop("commit"))
    assert refused(lambda d: d["vulnerabilities"][1].update(severity="high"))
    assert refused(lambda d: d["vulnerabilities"][1].update(identifiers=[]))
    assert refused(lambda d: d["vulnerabilities"][1]["details"]["channel"].pop("name"))


def test_of_an_image_and_of_nothing(tmp_path):
    image = Image([Layer().file("gone", f"x = {token('g')}\n".encode()), Layer().gone("gone")], {"Env": [f"T={token('e')}"]})
    doc = valid("image", docker_save(tmp_path / "i.tar", [("leaky:1", image)]))
    assert {v["details"].get("visibility", {}).get("value") for v in doc["vulnerabilities"]} == {None, "deleted"}
    (tmp_path / "empty").write_text("nothing\n")
    doc = valid("fs", tmp_path / "empty")
    assert doc["vulnerabilities"] == [] and doc["scan"]["status"] == "success"


def test_of_a_history(tmp_path):
    def git(*args):
        subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *args], cwd=tmp_path, check=True,
                       capture_output=True, env={"PATH": os.environ["PATH"], "HOME": str(tmp_path)})

    git("init", "-q")
    (tmp_path / "f").write_text(f"x = {token('f')}\n")
    git("add", ".")
    git("commit", "-qm", "m")
    shas = {v["location"]["commit"]["sha"] for v in valid("git", tmp_path)["vulnerabilities"]}
    assert {len(s) for s in shas} == {7, 40}, "as it is, and as it was"
