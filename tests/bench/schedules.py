# SPDX-License-Identifier: Apache-2.0
"""Ten thousand schedules that come due in one window, and one credential that many hosts hold."""

import collections
import dataclasses
import datetime
import http.client
import json
import ssl
import time

import steady
import vaultd
from databases import Postgres

SCHEDULES = 10_000
WINDOW_S = 120  # half of it is the spread
RATE = 500  # reads a second meanwhile
BEFORE_S = 10
READ = "secret/data/bench/0000"
AGENTS = 100
ROTATIONS = 10


@dataclasses.dataclass
class Result:
    before: list  # milliseconds that reads took, sorted
    during: list
    per_tenth: list  # rotations that began in each tenth of the spread
    late_ms: list  # of each from its moment, sorted
    unlike: int  # that did not end well


def post(conn, server, path, body):
    conn.request("POST", f"/v1/{path}", json.dumps(body), {"X-Vault-Token": server.root})
    r = conn.getresponse()
    data = r.read()
    assert r.status in (200, 204), (path, r.status, data)


def connection(server):
    if not server.tls:
        return http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return http.client.HTTPSConnection("127.0.0.1", server.port, timeout=30, context=context)


def minute_after(seconds):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
    return (at + datetime.timedelta(minutes=1)).replace(second=0, microsecond=0)


def _fill(server):
    conn = connection(server)
    for i in range(SCHEDULES):
        post(conn, server, f"secret/data/due/{i:05}", {"data": {"password": "the first"}})


def _schedule(server, slot):
    conn = connection(server)
    rule = {"cron": f"{slot.minute} {slot.hour} * * *", "window": f"{WINDOW_S}s", "jitter": "auto"}
    for i in range(SCHEDULES):
        post(conn, server, f"sys/rotation/config/secret/due/{i:05}", rule)


def _planned(server):
    """Moments at which they are to run, by path, in milliseconds."""
    info = server.client().list("sys/rotation/config").data["key_info"]
    return {path: datetime.datetime.fromisoformat(row["next"].replace("Z", "+00:00")).timestamp() * 1000
            for path, row in info.items() if row["next"]}


def measure(server):
    _fill(server)
    start = time.monotonic()
    _schedule(server, minute_after(3600))  # to learn how long that takes
    slot = minute_after(2 * (time.monotonic() - start) + BEFORE_S)
    _schedule(server, slot)
    planned = _planned(server)
    assert len(planned) == SCHEDULES, len(planned)
    before = steady.reads(server, READ, RATE, BEFORE_S)
    time.sleep(max(0.0, slot.timestamp() - time.time()))
    during = steady.reads(server, READ, RATE, WINDOW_S // 2 + 2)
    attempts = server.client().list("sys/rotation/attempts").data["key_info"].values()
    began = {a["path"]: a["started_ms"] for a in attempts}
    tenths = collections.Counter(int((ms - slot.timestamp() * 1000) / (WINDOW_S / 2 * 100)) for ms in began.values())
    return Result(before, during, [tenths[i] for i in range(10)],
                  sorted(began.get(p, planned[p] + 1e9) - planned[p] for p in planned),
                  sum(a["state"] != "converged" for a in attempts))


def p99(sorted_ms):
    return sorted_ms[int(len(sorted_ms) * 0.99)]


# --- one credential that a hundred hosts hold ---


def holders(server, tmp):
    """Milliseconds that each rotation of one PostgreSQL password took, request to reply."""
    agents, c = [], server.client()
    with Postgres() as db:
        db.sql("CREATE ROLE app_a LOGIN PASSWORD 'the first'; CREATE ROLE app_b LOGIN")
        server.put("pg", {"username": "app_a", "password": "the first"})
        config = {"host": db.host, "port": db.port, "database": "postgres", "sslmode": "disable"}
        r = c.post("sys/rotation/targets/pg", {"rotator": "postgres", "config": config, "admin": db.admin})
        assert r.status == 204, r
        r = c.post("sys/rotation/config/secret/pg", {"target": "pg", "strategy": "dual_user", "field": "password",
                                                     "accounts": ["app_a", "app_b"], "grace": 0})
        assert r.status == 204, r
        try:
            for i in range(AGENTS):
                name = f"many{i}"
                a = vaultd.Agent(tmp, server, name, [dict(path="secret/pg", field=f, binding="pg", name=f)
                                                     for f in ("username", "password")])
                agents.append(a)
                a.join(server.add_host(name, ["secret/pg"], role="many")["join_token"])
                a.start()
            for a in agents:
                a.wait_content("pg", "password", "the first")
            return sorted(_rotate(server, agents) for _ in range(ROTATIONS))
        finally:
            for a in agents:
                a.clean()


def _rotate(server, agents):
    start = time.monotonic()
    r = server.client().post("sys/rotation/rotate/secret/pg", {"timeout": "30s"})
    took = (time.monotonic() - start) * 1000
    assert r.status == 200 and r.data["state"] == "converged", r
    assert r.data["holders_applied"] == len(agents), r.data
    want = server.read("pg")["password"]
    assert all(a.content("pg", "password") == want for a in agents)
    return took
