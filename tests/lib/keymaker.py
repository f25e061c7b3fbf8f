#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""A rotator whose target makes the values: a directory with one file per key, called as the attempt
that made it.  It keeps docs/rotators.md; tests break it in one place each.

config: {"directory": "/srv/keys", "account": "app"}; admin: {"token": "…"}; "unreachable" is a directory
that is not there, and from one with a fifo "hang" nothing comes.
"""
import json
import os
import secrets
import sys


def reply(status="ok", **members):
    print(json.dumps({"v": 1, "status": status, **members}))
    sys.exit(0)


def fail(cls, message):
    reply("error", **{"class": cls, "message": message})


def fields(which):
    return (request.get(which) or {}).get("fields") or {}


def stored(name):
    with open(os.path.join(directory, name), encoding="ascii") as f:
        return f.read()


def names():
    hang = os.path.join(directory, "hang")
    if os.path.exists(hang):
        open(hang, encoding="ascii")  # pylint: disable=consider-using-with,unspecified-encoding
    return [n for n in os.listdir(directory) if not n.startswith(".")]


def holder_of(value):
    """The name of the file with this key; None if there is none."""
    return next((n for n in names() if value and stored(n) == value), None)


def verdict(which):
    if "key" not in fields(which):
        return "unknown"
    return "valid" if holder_of(fields(which)["key"]) else "invalid"


def describe():
    reply(describe={"strategies": ["dual_key"], "overlap": True, "needs_admin": True,
                    "ops": ["describe", "probe", "create", "test", "retire", "login"]})


def probe():
    reply(probe={w: verdict(w) for w in ("current", "pending", "previous") if request.get(w)})


def create():
    names()
    key = secrets.token_hex(20)
    new = os.path.join(directory, f".{attempt}")
    with open(new, "w", encoding="ascii") as f:
        f.write(key)
    os.replace(new, os.path.join(directory, attempt))
    reply(fields={"username": request["config"]["account"], "key": key, "key_id": attempt})


def test():
    if verdict("pending") != "valid":
        fail("permanent", "the key opens nothing")
    reply()


def retire():
    old = holder_of(fields("previous").get("key"))
    if old is None:
        reply("noop")
    if old == holder_of(fields("current").get("key")):
        fail("permanent", "the key is in use")
    os.unlink(os.path.join(directory, old))
    reply()


def login():
    if request["admin"].get("token") != "admin-token":
        fail("auth", "the token is refused")
    reply()


STEPS = {"describe": describe, "probe": probe, "create": create, "test": test, "retire": retire, "login": login}

try:
    request = json.loads(sys.stdin.buffer.read(262144))
    op, attempt = request["op"], request["attempt"]
    step = STEPS[op]
    ok = request["v"] == 1 and len(attempt) == 32 and (op == "describe" or os.path.isabs(request["config"]["directory"]))
except (ValueError, KeyError, TypeError):
    ok = False
if not ok:
    fail("permanent", "not a request")
try:
    directory = request["config"].get("directory", "")
    step()
except OSError as e:
    fail("retryable", f"the directory: {e.strerror}")
