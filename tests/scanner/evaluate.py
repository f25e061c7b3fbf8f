#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Run the scanner on the corpus and compare what it says with the labels.

    evaluate.py [--keep DIRECTORY] VAULTCTL

Prints precision, recall per grade, what was missed and what was reported for no reason.
The exit status is 1 if a figure is below its threshold.
"""

import argparse
import collections
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
LEAST = {"all": 0.90, "easy": 0.97, "hard": 0.70}
PRECISION = 0.95


def scan(command, top):
    """{file: {line: rule}} of the scanner's JSON Lines."""
    run = subprocess.run([*command, str(top)], capture_output=True, text=True, check=False)
    found = collections.defaultdict(dict)
    for line in run.stdout.splitlines():
        record = json.loads(line)
        if "file" not in record or "line" not in record:
            continue
        path = pathlib.PurePosixPath(record["file"].split("!")[0])
        path = path.relative_to(top) if path.is_absolute() else path
        found[str(path)][record["line"]] = record.get("rule", "")
    if run.returncode not in (0, 1):
        sys.exit(f"{command[0]} ended with {run.returncode}: {run.stderr.strip()}")
    return found


def compare(labels, found):
    """Hits per (grade, family), what was missed, and what was reported beside it."""
    hits, missed = collections.defaultdict(list), []
    covered = collections.defaultdict(set)
    for label in labels:
        first, last = label["lines"]
        lines = set(range(first, last + 1))
        covered[label["file"]] |= lines
        hit = bool(lines & set(found.get(label["file"], ())))
        hits[label["grade"], label["family"]].append(hit)
        if not hit:
            missed.append(label)
    wrong = [(file, line, rule) for file, lines in found.items()
             for line, rule in lines.items() if file not in covered]
    return hits, missed, wrong


def rate(hits, grade=None):
    flat = [h for (g, _), hs in hits.items() for h in hs if grade in (None, g)]
    return sum(flat) / len(flat)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--keep", type=pathlib.Path)
    parser.add_argument("vaultctl")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        top = (args.keep or pathlib.Path(scratch)).resolve()
        subprocess.run([sys.executable, HERE / "corpus.py", top], check=True)
        labels = [json.loads(line) for line in (top / "labels.jsonl").read_text().splitlines()]
        (top / "labels.jsonl").unlink()
        found = scan([args.vaultctl, "scan", "fs", "-format=jsonl"], top)
        if args.keep:
            (top / "labels.jsonl").write_text("".join(json.dumps(l) + "\n" for l in labels))
        lookalikes = sum(1 for file in found if "lookalike-" in file)
        negatives = len(list(top.iterdir())) - len(labels)
    hits, missed, wrong = compare(labels, found)
    true = sum(sum(h) for h in hits.values())
    figures = {"all": rate(hits), **{g: rate(hits, g) for g in ("easy", "medium", "hard")}}
    wrong_files = len({file for file, _, _ in wrong})
    precision = true / (true + wrong_files) if true else 0.0
    print(f"{len(labels)} secrets of {len({f for _, f in hits})} families, {negatives} negatives")
    print("recall " + ", ".join(f"{k} {v:.3f}" for k, v in figures.items()))
    print(f"precision {precision:.3f} ({wrong_files} negatives reported), "
          f"look-alikes {lookalikes}")
    for label in missed:
        print(f"missed {label['grade']} {label['family']} in {label['file']}:{label['lines'][0]}")
    for file, line, rule in wrong:
        print(f"wrong {file}:{line} {rule}")
    failed = (precision < PRECISION or lookalikes > 0
              or any(figures[grade] < least for grade, least in LEAST.items()))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
