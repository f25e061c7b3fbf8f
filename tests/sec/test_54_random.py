# SPDX-License-Identifier: Apache-2.0
"""54: random requests by the schema of every route, and against it: no crash, no 5xx."""
import concurrent.futures
import json
import os
import pathlib
import random
import re
import urllib.parse

import pytest

import vaultd
from test_29_31_36_seal import table

CLIENTS = 8
SKIP = re.compile(r"sys/(seal|step-down)$|auth/token/revoke-self$")
FIELD = re.compile(r"^    (\w+) \((\w+)\): ", re.M)
NAMES = ["app", "a", "b-1", "Upper", "root", "default", "x" * 128, "x" * 200, "with space", "..", ".", "%", "é", "\u202e", "a/b",
         "a/b/c", "*", "+", "sys", "00" * 16, "zz", "a,b", "a=b", "-1", "0", "null", "{}", '"', "\\", "'; DROP TABLE object; --"]
NUMBERS = ["0", "1", "-1", "7", "4294967296", "9223372036854775807", "9223372036854775808", "-9223372036854775809", "1e400",
           "1.5", "0.1e-7", "100000", '"12"', '"x"', '""']
DURATIONS = ["0", "1", "-1", "60", '"5m"', '"1h30m"', '"-5s"', '"9999999h"', '"x"', '""', '"2d"', "1e18", '"system"', "99999999999"]
RULES = ['path "a" { capabilities = ["read"] }', 'path "+/b*" { capabilities = ["deny", "sudo"] }', "path", "{", "", "path \"a\" {}" * 50]


def text(rng):
    return rng.choice([rng.choice(NAMES), rng.choice(RULES), "v" * rng.randrange(3000), "".join(chr(rng.randrange(1, 0x2500)) for _ in range(9))])


def value(rng, kind, depth=0):
    """JSON of a field of that kind; one in six is of another."""
    if rng.random() < 1 / 6 or kind == "any":
        kind = rng.choice(["string", "int", "bool", "duration", "strings", "object", "null"])
    if kind == "int":
        return rng.choice(NUMBERS)
    if kind == "bool":
        return rng.choice(["true", "false", '"true"', "1", '"no"', "2"])
    if kind == "duration":
        return rng.choice(DURATIONS)
    if kind == "null":
        return "null"
    if kind == "strings":
        return json.dumps([text(rng) for _ in range(rng.randrange(5))]) if rng.random() < 0.8 else json.dumps(text(rng))
    if kind == "object":
        if depth > 3:
            return "{}"
        members = {rng.choice(NAMES): value(rng, "any", depth + 1) for _ in range(rng.randrange(4))}
        return "{" + ",".join(json.dumps(k) + ":" + v for k, v in members.items()) + "}"
    return json.dumps(text(rng))


def body(rng, fields):
    chosen = {n: value(rng, k) for n, k in fields if rng.random() < 0.6}
    if rng.random() < 0.1:
        chosen["unheard_of"] = value(rng, "any")
    return "{" + ",".join(json.dumps(k) + ":" + v for k, v in chosen.items()) + "}"


def place(rng, path):
    """The path of a row, another name in place of each parameter."""
    segments = [urllib.parse.quote(rng.choice(NAMES), safe="/" if rng.random() < 0.3 else "") if s == "app" else s for s in path.split("/")]
    return "/".join(segments)


def query(rng, fields):
    pairs = [(n, json.loads(v) if v[0] == '"' else v) for n, v in ((n, value(rng, k)) for n, k in fields) if rng.random() < 0.5]
    return "?" + urllib.parse.urlencode(pairs) if pairs else ""


def schema(server, root):
    c, out = server.client(), []
    for method, path, _ in table(root):
        if SKIP.search(path):
            continue
        r = c.get(urllib.parse.quote(path) + "?help=1")
        found = FIELD.findall(r.json["help"]) if r.status == 200 else []
        out.append((method, path, found))
    return out


def bombard(server, root, total, seed, backups=1000):
    """Sends ${total} requests and counts the answers by status; only so many of them take a backup."""
    rng = random.Random(seed)
    routes = schema(server, root)
    assert len(routes) > 80 and sum(bool(f) for _, _, f in routes) > 30
    c = server.client()
    seen = {}
    for i in range(total):
        method, path, fields = rng.choice(routes)
        if (method, path) == ("POST", "sys/backup"):
            if backups == 0:
                continue
            backups -= 1
        target, raw = place(rng, path), None
        if method in ("POST", "PATCH"):
            raw = body(rng, fields).encode()
        else:
            target += query(rng, fields)
        h = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
        try:
            r = c.request(method, target, raw=raw, headers=h)
        except TimeoutError:
            continue  # it waits for something
        except OSError as e:
            raise AssertionError((seed, i, method, target, raw)) from e
        assert r.status < 500 or (r.status == 503 and "passwords" in r.raw.decode()), (seed, i, method, target, raw, r)
        seen[r.status] = seen.get(r.status, 0) + 1
    return seen


@pytest.fixture
def impatient(monkeypatch):
    connect = vaultd.Client._connect

    def short(self):
        conn = connect(self)
        conn.timeout = 10
        return conn
    monkeypatch.setattr(vaultd.Client, "_connect", short)


def root_of(config):
    path = pathlib.Path(config.rootpath)
    return path.parent if (path / "sec").exists() else path


def test_short(own_server, pytestconfig, impatient):
    before = own_server.roles()
    seen = bombard(own_server, root_of(pytestconfig), 1500, 54)
    assert seen.get(200, 0) + seen.get(204, 0) > 100 and seen.get(400, 0) > 100, seen
    assert own_server.roles() == before


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_long(own_server, pytestconfig, impatient):
    """With another seed each time; a failure names it."""
    before = own_server.roles()
    seed = int(os.environ.get("VAULT_TEST_SEED", random.randrange(1 << 30)))
    root = root_of(pytestconfig)
    # Each backup has all that was left behind so far, and there is one at a time.
    with concurrent.futures.ThreadPoolExecutor(CLIENTS) as pool:
        for done in [pool.submit(bombard, own_server, root, 1_000_000 // CLIENTS, seed + i, 0 if i else 20) for i in range(CLIENTS)]:
            done.result()
    assert own_server.roles() == before
