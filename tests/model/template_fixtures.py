#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Templates of tests/fixtures/template: what our engine makes of them.

    template_fixtures.py PROGRAM

equal/ is what consul-template wrote, byte for byte; refused/ and failing/ have the message
that is expected at load and when it runs.
"""
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "template"


def expected(path):
    if path.parent.name == "equal":
        return "ok " + path.with_suffix(".out").read_bytes().hex()
    kind = path.parent.name
    return f"{kind.replace('failing', 'failed')} {path.stem}:{path.with_suffix('.err').read_text().rstrip()}"


def main(program):
    templates = sorted(HERE.glob("*/*.tmpl"))
    lines = [json.dumps({"name": p.stem, "text": p.read_bytes().decode()}) + "\n" for p in templates]
    asked = subprocess.run([program, HERE / "world.json"], input="".join(lines), capture_output=True,
                           text=True, timeout=120)
    answers = asked.stdout.splitlines()
    assert asked.returncode == 0 and len(answers) == len(templates), asked.stderr
    wrong = 0
    for path, answer in zip(templates, answers):
        want = expected(path)
        if answer != want:
            wrong += 1
            print(f"{path.parent.name}/{path.name}\n  want {want}\n  got  {answer}")
    counts = {kind: sum(p.parent.name == kind for p in templates) for kind in ("equal", "refused", "failing")}
    print(f"{counts}: {wrong} wrong")
    assert counts["equal"] >= 40, "fixtures are missing"
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
