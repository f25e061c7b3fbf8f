# SPDX-License-Identifier: Apache-2.0
"""Ten thousand schedules of real accounts that are all due at one moment: who waits costs little."""

import dataclasses
import time

import schedules
import steady
from databases import Redis

SECONDS = 150  # two and a half minutes of the paced beginning
TARGETS = 50  # all at one Redis
MINUTE_MS = 60_000
FIRST = "the-first"

available = Redis.available


class Crowded(Redis):
    """With as many accounts as there are schedules."""

    def prepare(self):
        super().prepare()
        with self.acl_file.open("a") as f:
            f.writelines(f"user due-{i:05} on >{FIRST} ~* +ping\n" for i in range(schedules.SCHEDULES))


@dataclasses.dataclass
class Result:
    before: list  # milliseconds that reads took, sorted
    during: list
    begun: int
    most_a_minute: int  # in whatever minute
    most_at_once: int
    unlike: int  # that did not end well


def _fill(server, db):
    conn = schedules.connection(server)
    for i in range(TARGETS):
        schedules.post(conn, server, f"sys/rotation/targets/due-{i}",
                        {"rotator": "redis", "config": {"host": db.host, "port": db.port}, "admin": db.admin})
    for i in range(schedules.SCHEDULES):
        schedules.post(conn, server, f"secret/data/due/{i:05}", {"data": {"username": f"due-{i:05}", "password": FIRST}})


def _schedule(server, slot):
    conn = schedules.connection(server)
    rule = {"strategy": "single", "field": "password", "cron": f"{slot.minute} {slot.hour} * * *", "window": "12h", "jitter": "none"}
    for i in range(schedules.SCHEDULES):
        schedules.post(conn, server, f"sys/rotation/config/secret/due/{i:05}",
                        {**rule, "target": f"due-{i % TARGETS}", "accounts": [f"due-{i:05}"]})


def _most(spans):
    """How many of them, from and to, overlap at most."""
    edges = sorted([(a, 1) for a, _ in spans] + [(b, -1) for _, b in spans])  # an end comes first
    most = now = 0
    for _, step in edges:
        now += step
        most = max(most, now)
    return most


def measure(server):
    with Crowded() as db:
        start = time.monotonic()
        _fill(server, db)
        slot = schedules.minute_after(3 * (time.monotonic() - start) + schedules.BEFORE_S)
        _schedule(server, slot)
        before = steady.reads(server, schedules.READ, schedules.RATE, schedules.BEFORE_S)
        assert time.time() < slot.timestamp(), "they were due before the measurement"
        time.sleep(slot.timestamp() - time.time())
        during = steady.reads(server, schedules.READ, schedules.RATE, SECONDS)
        rows = server.client().list("sys/rotation/attempts").data["key_info"].values()
        over = [a for a in rows if a["ended"]]
        begun = [a["started_ms"] for a in rows]
        return Result(before, during, len(begun), _most([(at, at + MINUTE_MS) for at in begun]),
                      _most([(a["started_ms"], a["started_ms"] + a["took_ms"]) for a in over]),
                      sum(a["state"] != "converged" for a in over))
