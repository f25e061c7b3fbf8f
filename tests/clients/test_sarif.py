# SPDX-License-Identifier: Apache-2.0
"""The scanner's SARIF by the schema of the standard."""
import json

import pytest

from images import Image, Layer, docker_save
from reports import HERE, MODULES, check, report
from scanning import token

SCHEMA = MODULES / "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"


def sarif(*args, **kw):
    return report("sarif", *args, **kw)


def valid(text):
    r = check(SCHEMA, text)
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
    assert check(SCHEMA, json.dumps(doc).encode()).returncode == 1


def test_of_a_tree(tree):
    run = valid(sarif("fs", tree))
    assert len(run["results"]) == 5 and not run["invocations"][0]["executionSuccessful"]
    assert "damaged.gz" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    rules = [r["id"] for r in run["tool"]["driver"]["rules"]]
    assert all(rules[r["ruleIndex"]] == r["ruleId"] for r in run["results"])
    assert all(r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"].startswith("file:///") for r in run["results"])


def test_relative_paths_of_a_tree_are_those_of_a_repository(tree):
    text = sarif("fs", "tree/plain", cwd=tree.parent)
    where = valid(text)["results"][0]["locations"][0]["physicalLocation"]
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
