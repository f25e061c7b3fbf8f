# SPDX-License-Identifier: Apache-2.0
"""The policy language's meaning, written down a second time: which rule applies, how
policies merge, what passes.  Slow and plain on purpose; it shares nothing with the server.

A policy is a list of blocks: {"path", "caps", and optionally "allowed", "denied" (name ->
list of values), "required" (names), "min", "max" (seconds)}.
"""
import decimal

OPERATIONS = ("read", "list", "create", "update", "patch", "delete", "scan")
CAPABILITIES = {"create": 1, "read": 2, "update": 4, "patch": 8, "delete": 16, "list": 32, "sudo": 64, "scan": 256, "deny": 128}


# --- which rule ---

def segments(pattern):
    return (pattern[:-1] if pattern.endswith("*") else pattern).split("/")


def pluses(pattern):
    return segments(pattern).count("+")


def first_wildcard(pattern):
    at = 0
    for part in segments(pattern):
        if part == "+":
            return at
        at += len(part.encode()) + 1
    return at - 1


def matches(pattern, path):
    star = pattern.endswith("*")
    if not pluses(pattern):
        return path.startswith(pattern[:-1]) if star else path == pattern
    want, have = segments(pattern), path.split("/")
    if len(have) < len(want) or (len(have) > len(want) and not star):
        return False
    for i, (w, h) in enumerate(zip(want, have)):
        if star and i == len(want) - 1:
            if not h.startswith(w):
                return False
        elif w not in ("+", h):
            return False
    return True


def rank(pattern):
    star = pattern.endswith("*")
    text = pattern[:-1] if star else pattern
    return first_wildcard(pattern), not star, -pluses(pattern), len(text.encode()), text.encode()


def choose(patterns, path, is_list):
    """The one pattern that applies, or None."""
    paths = [path, path[:-1]] if is_list and path.endswith("/") else [path]
    exact = [p for p in patterns if not pluses(p) and not p.endswith("*")]
    for p in paths:
        if p in exact:
            return p
    for p in paths:
        prefixes = [x for x in patterns if not pluses(x) and x.endswith("*") and matches(x, p)]
        found = sorted(prefixes, key=len)[-1:] + [x for x in patterns if pluses(x) and matches(x, p)]
        if found:
            return max(found, key=rank)
    return None


# --- merging ---

def merge_lists(maps):
    """Union of keys and of values; an empty list of values is "any" and absorbs."""
    out = {}
    for m in maps:
        for key, values in m.items():
            key = fold(key)
            if key in out and (out[key] == [] or values == []):
                out[key] = []
            else:
                out[key] = out.get(key, []) + values
    return out


def smallest(blocks, key):
    return min((b[key] for b in blocks if b.get(key)), default=0)


# --- values ---

def fold(s):
    return "".join(chr(ord(c) + 32) if "A" <= c <= "Z" else c for c in s)


def same(x, y):
    if isinstance(x, bool) or isinstance(y, bool):
        return isinstance(x, bool) and isinstance(y, bool) and x == y
    if isinstance(x, (int, decimal.Decimal)) and isinstance(y, (int, decimal.Decimal)):
        return decimal.Decimal(x) == decimal.Decimal(y)
    if type(x) is not type(y):
        return False
    if isinstance(x, list):
        return len(x) == len(y) and all(map(same, x, y))
    if isinstance(x, dict):
        return x.keys() == y.keys() and all(same(x[k], y[k]) for k in x)
    return x == y


def glob(pattern, text):
    start, end = pattern.startswith("*") and len(pattern) > 1, pattern.endswith("*")
    inner = pattern[1 if start else 0:len(pattern) - 1 if end else None]
    if start and end:
        return inner in text
    if start:
        return text.endswith(inner)
    return text.startswith(inner) if end else text == inner


def fits(pattern, value):
    if isinstance(pattern, str) and isinstance(value, str):
        return glob(pattern, value)
    return same(pattern, value)


def text_of(v):
    if isinstance(v, bool):
        return "true" if v else "false"
    if isinstance(v, Number):
        return v.text
    if isinstance(v, int):
        return str(v)
    return v if isinstance(v, str) else None


class Number(decimal.Decimal):
    """A number that remembers how it was written."""
    text = ""


def number(text):
    n = Number(text)
    n.text = text
    return n


def whole(v):
    text = text_of(v) if not isinstance(v, bool) else None
    digits = text[1:] if text and text.startswith("-") else text
    return int(text) if digits and digits.isascii() and digits.isdigit() else None


def truth(v):
    if isinstance(v, bool):
        return v
    text = text_of(v)
    return {"1": True, "0": False, **({"true": True, "false": False} if isinstance(v, str) else {})}.get(text)


def reads_as(pattern, value):
    """Would a handler that is generous about types take one for the other?"""
    if fits(pattern, value):
        return True
    text = text_of(value)
    if isinstance(pattern, str) and text is not None and glob(fold(pattern), fold(text)):
        return True
    if whole(pattern) is not None and whole(pattern) == whole(value):
        return True
    return isinstance(pattern, bool) and truth(value) == pattern


def items(text):
    parts = text.split(",")
    return [p.strip(" \t") for p in (parts[:-1] if parts[-1] == "" else parts)]


def is_denied(patterns, value, kind):
    if kind is None:
        return any(fits(p, value) for p in patterns)
    candidates = [value]
    if isinstance(value, list):
        candidates += value
    if kind == "strings" and isinstance(value, str):
        candidates += items(value)
    return any(reads_as(p, v) for p in patterns for v in candidates)


def is_allowed(patterns, value, kind):
    if patterns == []:
        return True
    if not any(fits(p, value) for p in patterns):
        return False
    if kind == "strings" and isinstance(value, str) and "," in value:
        return all(any(fits(p, v) for p in patterns) for v in items(value) if v)
    return True


def parameters_pass(blocks, params, fields):
    # Handlers read fields in lower case: another spelling is a field that they ignore.
    if any(fold(name) not in params for b in blocks for name in b.get("required", [])):
        return False
    denied = merge_lists([b["denied"] for b in blocks if "denied" in b])
    allowed = merge_lists([b["allowed"] for b in blocks if "allowed" in b])
    kinds = {fold(k): kind for k, kind in fields.items()}
    for key, value in params.items():
        key = fold(key)
        kind = kinds.get(key)
        if "*" in denied:
            return False
        if key in denied and (denied[key] == [] or is_denied(denied[key], value, kind)):
            return False
        if not allowed:
            continue
        if key not in allowed:
            if "*" not in allowed:
                return False
        elif not is_allowed(allowed[key], value, kind):
            return False
    return True


# --- the whole ---

def wrapping_passes(blocks, wrap):
    low, high = smallest(blocks, "min"), smallest(blocks, "max")
    if not low and not high:
        return True
    if not wrap or wrap < low:
        return False
    return not high or (wrap <= high and low <= high)


def decide(policies, ask):
    """(capabilities as a number, permitted?)"""
    blocks = [b for p in policies for b in p]
    chosen = choose({b["path"] for b in blocks}, ask["path"], ask["op"] in ("list", "scan"))
    mine = [b for b in blocks if b["path"] == chosen]
    caps = set().union(*(b["caps"] for b in mine))
    if "deny" in caps or not caps:
        return CAPABILITIES["deny"], False
    bits = sum(CAPABILITIES[c] for c in caps)
    if ask["op"] not in caps or (ask["sudo"] and "sudo" not in caps):
        return bits, False
    if not wrapping_passes(mine, ask["wrap"]):
        return bits, False
    if ask["op"] in ("create", "update", "patch") and not parameters_pass(mine, ask["params"], ask["fields"]):
        return bits, False
    return bits, True
