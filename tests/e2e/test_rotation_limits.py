# SPDX-License-Identifier: Apache-2.0
"""Many schedules of many targets come due at once: how many rotators run at a time, and how many
rotations begin in a minute, also when core ends meanwhile. Real rotators, counted where they are."""
import datetime
import os
import threading
import uuid

import pytest

from keyservice import KeyService, user_config
from vaultd import BIN, wait_for

RUNNING = 8
STARTS = 20
MINUTE_MS = 60_000
MANY = 26

pytestmark = pytest.mark.skipif(not (BIN / "vault-rotator-http").exists(), reason="vault-rotator-http is not built")


class BusyService(KeyService):
    """Lets nobody go who changes a password, until the test does."""

    def __init__(self):
        super().__init__()
        self.counting = threading.Lock()
        self.waiting, self.is_open = [], False
        self.inside = self.most = self.came = 0

    def handle(self, h):
        """A PUT gives an account its new password."""
        if h.command != "PUT":
            return super().handle(h)
        go = threading.Event()
        with self.counting:
            self.inside += 1
            self.came += 1
            self.most = max(self.most, self.inside)
            self.waiting.append(go)
        if not self.is_open:
            go.wait()
        with self.counting:  # before it is told, since the next one may come then
            self.inside -= 1
        return super().handle(h)

    def let_go(self):
        """Whoever has waited longest."""
        with self.counting:
            self.waiting.pop(0).set()

    def open(self):
        self.is_open = True
        while self.waiting:
            self.let_go()


def rotators_of(server):
    """Processes of rotators that are alive."""
    found = set()
    for pid in server.roles()["rotate"]:
        with open(f"/proc/{pid}/task/{pid}/children") as f:
            found |= {p for p in f.read().split() if os.path.exists(f"/proc/{p}/exe")}
    return found


class Many:
    """Secrets, each with an account and a target of its own, that are all due at one moment."""

    def __init__(self, server, service, seconds):
        self.server, self.c = server, server.client()
        self.name = f"limits-{uuid.uuid4().hex[:6]}"
        due = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
        anchor = due.isoformat(timespec="seconds").replace("+00:00", "Z")
        for i in range(MANY):
            key, account = f"{self.name}/{i}", f"{self.name}-{i}"
            service.users[account] = "First-Value-0"
            server.put(key, {"username": account, "password": "First-Value-0"})
            r = self.c.post(f"sys/rotation/targets/{account}", {"rotator": "http", "config": user_config(service),
                                                                "admin": {"token": service.token}})
            assert r.status == 204, r
            r = self.c.post(f"sys/rotation/config/secret/{key}",
                            {"target": account, "strategy": "single", "accounts": [account], "field": "password",
                             "every": "1d", "anchor": anchor, "window": "1h", "jitter": "none"})
            assert r.status == 204, r

    def attempts(self):
        every = self.c.list("sys/rotation/attempts")
        rows = (every.data or {}).get("key_info", {}).values() if every.status == 200 else []
        return [a for a in rows if self.name in a["path"]]

    def done(self):
        return sum(a["state"] == "converged" for a in self.attempts())

    def begun(self):
        return sorted(a["started_ms"] for a in self.attempts())


@pytest.mark.timeout(300)
def test_eight_at_a_time_and_twenty_a_minute(own_server):
    server = own_server
    with BusyService() as service:
        many = Many(server, service, 10)
        wait_for("as many rotations as may be", lambda: service.inside == RUNNING, seconds=60)
        assert len(many.attempts()) == RUNNING
        wait_for("one rotator for each", lambda: len(rotators_of(server)) == RUNNING)  # former ones may be ending
        for n in range(RUNNING + 1, STARTS + 1):  # who is done makes room for one
            service.let_go()
            wait_for(f"rotation {n}", lambda: service.came == n, seconds=60)
            assert len(many.attempts()) == n
            wait_for("one rotator for each", lambda: len(rotators_of(server)) == RUNNING)
        service.open()
        wait_for("all that have begun to end", lambda: many.done() == STARTS, seconds=60)
        server.kill_role("core")
        server.wait_sealed()
        server.unseal()
        many.c = server.client()
        wait_for("the others", lambda: many.done() == MANY, seconds=150)
        begun = many.begun()
        assert service.most == RUNNING and service.came == len(begun) == MANY
        assert all(b - a >= MINUTE_MS for a, b in zip(begun, begun[STARTS:])), begun
        for i in range(MANY):
            now = server.read(f"{many.name}/{i}")
            assert service.users[now["username"]] == now["password"] != "First-Value-0"
