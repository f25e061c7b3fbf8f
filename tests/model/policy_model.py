#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random policies and requests: our decisions against the model's, one by one.

    policy_model.py PROGRAM [SEED [REQUESTS]]

The alphabet is small, so that rules overlap, repeat and contradict one another."""
import json
import pathlib
import random
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import policymodel as model  # noqa: E402

ASKS = 4
NAMES = ["x", "y", "z", "X", "Y"]
WORDS = ["a", "b", "ab", "", "a b", "ü"]
TYPES = ["string", "strings", "int", "bool", "any"]
SCALARS = ["a", "b", "A", "ab", "a,b", "b, a", "", "1", "05", "true", True, False, None, 1, 5, 0,
           "1.0", "a,", ",a", "dev,root"]
NUMBERS = ["1", "1.0", "10e-1", "5", "0.5e1", "-0", "0", "0.0", "0e5", "1e400", "10e399", "123456789012345678901234567890", "5.00"]
PATTERNS = ["a*", "*a", "*a*", "*", "**", "A", "*B", "dev*", "root*"]


def path(r, pattern):
    parts = [r.choice(WORDS[:5] + ["+", "+"] if pattern else WORDS) for _ in range(r.randint(1, 4))]
    if r.random() < 0.03:
        parts[-1] = "ü" if not pattern else "a+"
    text = "/".join(parts)
    if pattern and r.random() < 0.35 and not text.endswith("+"):
        text += "*"
    return text.lstrip("/") if pattern else text


def scalar(r):
    if r.random() < 0.2:
        return model.number(r.choice(NUMBERS))
    return r.choice(SCALARS)


def value(r, depth=0, pool=()):
    if pool and r.random() < 0.4:
        return near(r, r.choice(pool))
    kind = r.random()
    if depth < 2 and kind < 0.15:
        return [value(r, depth + 1) for _ in range(r.randint(0, 3))]
    if depth < 2 and kind < 0.2:
        return {k: value(r, depth + 1) for k in r.sample(NAMES, r.randint(0, 2))}
    return scalar(r)


def near(r, v):
    """A value that one of a policy's is equal to, or nearly."""
    text = model.text_of(v)
    if isinstance(v, dict) and len(v) == 2:
        (a, x), (b, y) = v.items()
        return r.choice([{b: y, a: x}, {a: y, b: x}, {a: x}])
    if text is None or r.random() < 0.5:
        return v
    if isinstance(v, model.Number) and r.random() < 0.7:
        return model.number(r.choice(NUMBERS))
    if isinstance(v, bool):
        return r.choice([text, int(v), str(int(v))])
    return r.choice([text.strip("*"), text.upper(), [v], text.strip("*") + ",a"])


def pattern_value(r, json_form):
    v = r.choice(PATTERNS) if r.random() < 0.4 else value(r)
    return v if json_form else without_null(v)


def without_null(v):
    """HCL has no null."""
    if isinstance(v, list):
        return [without_null(x) for x in v]
    if isinstance(v, dict):
        return {k: without_null(x) for k, x in v.items()}
    return "null" if v is None else v


def constraint(r, json_form):
    names = r.sample(NAMES[:3] + ["X"] * (r.random() < 0.3) + ["*"] * (r.random() < 0.3), r.randint(0, 3))
    return {n: [pattern_value(r, json_form) for _ in range(r.randint(0, 3))] for n in names}


def block(r, json_form, patterns):
    caps = r.sample(list(model.CAPABILITIES)[:-1], r.randint(0, 7))
    if r.random() < 0.06:
        caps.append("deny")
    # The same pattern again and again, in other policies too.
    b = {"path": r.choice(patterns), "caps": caps}
    if r.random() < 0.3:
        b["allowed"] = constraint(r, json_form)
    if r.random() < 0.25:
        b["denied"] = constraint(r, json_form)
    if r.random() < 0.15:
        b["required"] = r.sample(NAMES, r.randint(0, 2))
    if r.random() < 0.12:
        b["min"] = r.choice([0, 1, 5, 10])
    if r.random() < 0.12:
        b["max"] = max(r.choice([0, 5, 10, 60]), b.get("min", 0))
    return b


def written(v, assign):
    """A value as text; numbers as they were written."""
    if isinstance(v, model.Number):
        return v.text
    if isinstance(v, list):
        return "[" + ", ".join(written(x, assign) for x in v) + "]"
    if isinstance(v, dict):
        return "{" + ", ".join(json.dumps(k) + assign + written(x, assign) for k, x in v.items()) + "}"
    return json.dumps(v)


def members(b, r):
    out = [("capabilities", b["caps"])]
    for key, name in (("allowed", "allowed_parameters"), ("denied", "denied_parameters"),
                      ("required", "required_parameters")):
        if key in b:
            out.append((name, b[key]))
    for key in ("min", "max"):
        if key in b:
            out.append((f"{key}_wrapping_ttl", r.choice([b[key], f"{b[key]}s", f"{b[key] * 1000}ms"])))
    r.shuffle(out)
    return out


def as_hcl(blocks, r):
    out = []
    for b in blocks:
        inner = "\n".join(f"  {k} = {written(v, ' = ')}" for k, v in members(b, r))
        lead = "/" if r.random() < 0.1 else ""
        out.append(f"path {json.dumps(lead + b['path'])} {{ # {k_comment(r)}\n{inner}\n}}\n")
    return "".join(out)


def k_comment(r):
    return r.choice(["", "}", '"', "deny"])


def as_json(blocks, r):
    maps = ["{" + json.dumps(b["path"]) + ": {" + ", ".join(
        json.dumps(k) + ": " + written(v, ": ") for k, v in members(b, r)) + "}}" for b in blocks]
    return '{"path": [' + ", ".join(maps) + "]}"


def question(r, pool):
    op = r.choice(model.OPERATIONS)
    where = path(r, False)
    if op in ("list", "scan") and not where.endswith("/"):
        where += "/"
    return {"path": where, "op": op, "sudo": r.random() < 0.1,
            "params": {k: value(r, 0, pool) for k in r.sample(NAMES, r.choice([0, 1, 1, 2, 3]))},
            "fields": {k: r.choice(TYPES) for k in r.sample(NAMES[:3], r.randint(0, 3))},
            "wrap": r.choice([0, 0, 1, 5, 7, 10, 60, 100])}


def case(r):
    patterns = [path(r, True) for _ in range(r.randint(1, 6))]
    policies, texts = [], []
    for _ in range(r.choice([1, 1, 2, 2, 3, 5])):
        json_form = r.random() < 0.3
        blocks = [block(r, json_form, patterns) for _ in range(r.randint(1, 5))]
        policies.append(blocks)
        texts.append((as_json if json_form else as_hcl)(blocks, r))
    pool = [v for p in policies for b in p for m in (b.get("allowed", {}), b.get("denied", {}))
            for values in m.values() for v in values]
    asks = [question(r, pool) for _ in range(ASKS)]
    # Half of the questions are about something a rule was written for.
    for ask in asks[::2]:
        where = r.choice(patterns).replace("+", r.choice(["a", "b", ""])).rstrip("*")
        ask["path"] = where + ("/" if ask["op"] in ("list", "scan") and not where.endswith("/") else "")
    return policies, texts, asks


def line(texts, asks):
    def one(a):
        return written({**a, "wrap": a["wrap"] * 1000}, ": ")
    return '{"policies": ' + json.dumps(texts) + ', "asks": [' + ", ".join(map(one, asks)) + "]}\n"


def compare(program, seed, requests):
    r = random.Random(seed)
    cases = [case(r) for _ in range(requests // ASKS)]
    done = subprocess.run([program], input="".join(line(t, a) for _, t, a in cases), text=True, check=True,
                          stdout=subprocess.PIPE)
    seen = {True: 0, False: 0}
    replies = done.stdout.splitlines()
    assert len(replies) == len(cases), f"{len(replies)} replies to {len(cases)} cases"
    for (policies, texts, asks), reply in zip(cases, replies):
        want = [model.decide(policies, a) for a in asks]
        got = reply.split()
        if got != [f"{caps}:{int(ok)}" for caps, ok in want]:
            print(f"seed {seed}: they differ", *texts, sep="\n")
            for a, w, g in zip(asks, want, got):
                print(f"{line([], [a]).strip()}\n  model {w}, ours {g}")
            print(reply)
            return None
        for _, ok in want:
            seen[ok] += 1
    return seen


def main():
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20260927
    requests = int(sys.argv[3]) if len(sys.argv) > 3 else 100_000
    print(f"policy model: seed {seed}, {requests} requests", flush=True)
    step, total = 10_000, {True: 0, False: 0}
    for k in range(0, requests, step):
        seen = compare(sys.argv[1], seed + k, min(step, requests - k))
        if seen is None:
            return 1
        total = {x: total[x] + seen[x] for x in total}
    print(f"permitted {total[True]}, refused {total[False]}")
    # A generator that permits next to nothing compares nothing.
    return 0 if total[True] > requests // 20 and total[False] > requests // 20 else 1


if __name__ == "__main__":
    sys.exit(main())
