# SPDX-License-Identifier: Apache-2.0
"""45: every route there is, asked by everybody in every way: one record of each request, and no more."""
import pathlib
import re

import pytest

import vaultd
from seclib import Elsewhere, audit_size, policy, records, token

CORE = pathlib.Path(__file__).resolve().parents[2] / "server/core"
ROW = re.compile(r'^\s*\{\s*"([\w-]+)",\s*((?:M_\w+[ |]*)+),\s*"([^"]+)",\s*([\w| \n\t]+),', re.M)
# Where the mounts of a type are; None: a mount in passing.
MOUNTS = {"kv": "secret", "kv1": "v1", "kv_upgrade": None, "cubbyhole": "cubbyhole", "identity": "identity", "system": "sys",
          "token": "auth/token", "host": "auth/host", "userpass": "auth/userpass", "approle": "auth/approle", "cert": "auth/cert",
          "database": "database"}
ENABLED = {"auth/userpass": "userpass", "auth/approle": "approle", "auth/cert": "cert"}
JSON = {"Content-Type": "application/json"}
MERGE = {"Content-Type": "application/merge-patch+json"}


def table():
    """(method, path, flags) of all routes, out of the tables that vaultd is built from."""
    for f in sorted(CORE.rglob("*.c")):
        for mount, methods, pattern, flags in ROW.findall(f.read_text()):
            if MOUNTS[mount] is None:
                continue
            path = MOUNTS[mount] + "/" + re.sub(r"[*:]\w+", "app", pattern)
            for m in re.findall(r"M_(\w+)", methods):
                yield m, path, flags


TABLE = sorted(set(table()))


@pytest.fixture(scope="module")
def callers(server):
    """Tokens by who has them; a root token for each route, since some routes end it."""
    c = server.client()
    for path, kind in ENABLED.items():
        assert c.post(f"sys/{path}", {"type": kind}).status == 204
    assert c.post("sys/mounts/database", {"type": "database"}).status == 204
    assert c.post("sys/mounts/v1", {"type": "kv", "options": {"version": "1"}}).status in (200, 204)
    policy(c, "nothing", 'path "secret/none" { capabilities = ["read"] }')
    yield {"nothing allowed": token(c, "nothing")["client_token"], "no token": None, "unknown": "own-unknown",
           "malformed": "vlt_s_" + "0" * 49}
    c.close()


def ways(method):
    """Bodies that core gets to see."""
    yield b"{}" if method in ("POST", "PATCH") else None
    if method in ("POST", "PATCH"):
        yield b'{"colour": ["none"], "data": {"k": "v"}, "path": "app", "ttl": -1}'


def ask(server, port, method, path, tok, body):
    """One request from an address of its own; the id of the reply, if it has one."""
    client = Elsewhere("127.0.0.1", port, server.tls, tok)
    r = client.request(method, path, raw=body, headers=MERGE if method == "PATCH" else JSON)
    client.close()
    assert r.status != 500, (method, path, body, r)
    return (r.json or {}).get("request_id") if r.raw else None


def by_all(server, callers, method, path, flags):
    """Ask as everybody; the root token last, since what it asks for is done."""
    ports = (server.port, server.hosts_port) if "R_HOSTS" in flags else (server.port,)
    for who in (*callers, "root"):
        for port in ports:
            for body in ways(method):
                tok = token(server.client(), "root")["client_token"] if who == "root" else callers[who]
                yield ask(server, port, method, path, tok, body)
                if path == "sys/seal" and who == "root":
                    server.unseal()


def test_the_table_is_all_there():
    types = {m for f in CORE.rglob("api_*.c") for m in re.findall(r'^\s*\{\s*"([\w-]+)",\s*M_', f.read_text(), re.M)}
    assert len(TABLE) > 120 and types <= set(MOUNTS)
    for mount in filter(None, (MOUNTS[t] for t in types)):
        assert any(path.startswith(mount + "/") for _, path, _ in TABLE), mount


@pytest.mark.parametrize("method, path, flags", TABLE, ids=[f"{m} {p}" for m, p, _ in TABLE])
def test_one_record_each(server, c, callers, method, path, flags):
    since = audit_size(c)
    given = list(by_all(server, callers, method, path, flags))
    mine = [r for r in records(c, since) if r["remote"].startswith("127.77.")]
    assert all(r["path"].rstrip("/") == path for r in mine), mine
    assert len(mine) == len(given), [(r["path"], r["outcome"], r["error"]) for r in mine]
    assert len({r["remote"] for r in mine}) == len(mine), "two records of one request"
    assert len({r["request_id"] for r in mine}) == len(mine)
    for one in filter(None, given):
        assert sum(r["request_id"] == one for r in mine) == 1


def test_what_net_refuses_is_counted(server, c):
    """A body that cannot be parsed and a HEAD get no record of their own, but none is lost."""
    since, stranger = audit_size(c), Elsewhere("127.0.0.1", server.port, server.tls, None)
    broken = [(m, path) for m, path, flags in TABLE if m in ("POST", "PATCH") and "R_HOSTS" not in flags]
    for method, path in broken:
        r = stranger.request(method, path, raw=b'{"broken": ', headers=MERGE if method == "PATCH" else JSON)
        assert r.status == 400, (method, path, r)
    heads = [path for m, path, flags in TABLE if m == "GET" and "R_HOSTS" not in flags]
    for path in heads:
        assert stranger.request("HEAD", path).status == 405, path

    def counted():
        log = [r for r in records(c, since) if r["remote"].startswith("127.77.")]
        assert all(r["operation"] == "aggregate" for r in log), log
        return sum(r["note"]["count"] for r in log) == len(broken) + len(heads)
    vaultd.wait_for("all refusals in the log", counted)
