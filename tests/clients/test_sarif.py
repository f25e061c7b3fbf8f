# SPDX-License-Identifier: Apache-2.0
"""The scanner's SARIF by the schema of the standard."""
import json
import os
import pathlib
import subprocess

import pytest

from images import Image, Layer, docker_save
from scanning import token
from vaultd import BIN, DEADLINE

HERE = pathlib.Path(__file__).resolve().parent
MODULES = HERE.parent.parent / "build/clients/node_modules"


def sarif(*args):
    r = subprocess.run([str(BIN / "vaultctl"), "scan", *map(str, args), "-format=sarif"], capture_output=True, check=False,
                       timeout=DEADLINE * 4, stdin=subprocess.DEVNULL, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    assert r.returncode in (0, 1, 4), r
    return r.stdout


def check(text):
    return subprocess.run(["node", str(HERE / "sarif_check.js")], input=text, capture_output=True, check=False,
                          timeout=DEADLINE, env={"PATH": os.environ["PATH"], "NODE_PATH": str(MODULES)})


def valid(text):
    r = check(text)
    assert r.returncode == 0, r.stderr.decode()
    return json.loads(text)["runs"][0]


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    for name in ("plain", "<img src=x>&'\".txt", "a b:c%2F?#.txt", "\x1b[2J\u202e", "\xff"):
        (folder / name).write_text(f"x = {token(name)} <b>\u202e\ny = {token('two')} # gitleaks:allow\n\npassword: changeme\n")
    (folder / "damaged.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03broken")
    return folder


def test_the_check_refuses_what_is_none(tree):
    doc = json.loads(sarif("fs", tree))
    doc["runs"][0]["results"][0]["level"] = "terrible"
    assert check(json.dumps(doc).encode()).returncode == 1


def test_of_a_tree(tree):
    run = valid(sarif("fs", tree))
    assert len(run["results"]) == 5 and not run["invocations"][0]["executionSuccessful"]
    assert "damaged.gz" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    rules = [r["id"] for r in run["tool"]["driver"]["rules"]]
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in run["results"])
    assert all(r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("file:///") for r in run["results"])


def test_relative_paths_of_a_tree_are_those_of_a_repository(tree):
    r = subprocess.run([str(BIN / "vaultctl"), "scan", "fs", "tree/plain", "-format=sarif"], capture_output=True, check=False,
                       cwd=tree.parent, timeout=DEADLINE, env={"PATH": os.environ["PATH"], "HOME": "/nonexistent"})
    where = valid(r.stdout)["results"][0]["locations"][0]["physicalLocation"]
    assert where["artifactLocation"] == {"uri": "tree/plain", "uriBaseId": "SRCROOT"}
    assert where["region"]["startLine"] == 1


def test_with_what_was_filtered_and_a_baseline(tree, tmp_path):
    base = tmp_path / "base"
    run = valid(sarif("fs", tree, "--show-filtered", f"--write-baseline={base}"))
    kinds = {(r.get("kind"), r.get("suppressions", [{}])[0].get("kind")) for r in run["results"]}
    assert kinds == {(None, None), (None, "inSource"), ("notApplicable", None)}, kinds
    assert all(r["fingerprints"] for r in run["results"])
    run = valid(sarif("fs", tree, "--show-filtered", f"--baseline={base}"))
    assert all("suppressions" in r or r["kind"] == "notApplicable" for r in run["results"])


def test_of_an_image_and_of_nothing(tmp_path):
    image = Image([Layer().file("gone", f"x = {token('g')}\n".encode()), Layer().gone("gone")], {"Env": [f"T={token('e')}"]})
    run = valid(sarif("image", docker_save(tmp_path / "i.tar", [("leaky:1", image)])))
    assert {r["properties"].get("visibility") for r in run["results"]} == {None, "deleted"}
    assert valid(sarif("fs", HERE / "vaultd.js"))["results"] == []
