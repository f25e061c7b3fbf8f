# SPDX-License-Identifier: Apache-2.0
"""Targets that say no, and limits that are kept: what real targets saw of it is counted."""
import collections
import json
import pathlib
import re
import uuid

import pytest

from databases import MariaDB, Postgres
from keyservice import KeyService, user_config
from vaultd import BIN, wait_for

VALUES = 3  # that a target may refuse
SHORT, LONG = 24, 48


class PickyService(KeyService):
    """Takes no password below a length, and says which it was, as some do."""

    min_length = LONG - 8

    def __init__(self):
        super().__init__()
        self.offered, self.refused_logins = [], 0

    def basic(self, h):
        user = super().basic(h)
        self.refused_logins += user is None and h.headers.get("Authorization", "").startswith("Basic ")
        return user

    def password(self, name, h, body):
        new = json.loads(body)["password"]
        self.offered.append(new)
        if len(new) < self.min_length:
            return 422, {"error": {"message": f"'{new}' has less than {self.min_length} characters"}}
        return super().password(name, h, body)


class PickyMariaDB(MariaDB):
    """Passwords are judged by Debian's simple_password_check."""

    plugin = pathlib.Path("/usr/lib/mysql/plugin/simple_password_check.so")
    available = MariaDB.available and plugin.exists()

    def start(self):
        first = not self.prepared
        super().start()
        if first:
            self.sql("INSTALL SONAME 'simple_password_check'; SET GLOBAL simple_password_check_other_characters = 0; "
                     f"SET GLOBAL simple_password_check_minimal_length = {LONG - 8}")
        return self


class Rule:
    """A secret with a rule for one account of a target."""

    def __init__(self, server, rotator, config, admin, account, strategy="single", **rule):
        self.server, self.c = server, server.client()
        self.key, self.target = f"faults/{uuid.uuid4().hex[:8]}", f"t-{uuid.uuid4().hex[:8]}"
        self.path = f"secret/{self.key}"
        server.put(self.key, {"username": account, "password": "First-Value-0"})
        r = self.c.post(f"sys/rotation/targets/{self.target}", {"rotator": rotator, "config": config, "admin": admin})
        assert r.status == 204, r
        self.write(target=self.target, strategy=strategy, accounts=[account], field="password", **rule)

    def write(self, **rule):
        r = self.c.post(f"sys/rotation/config/{self.path}", rule)
        assert r.status == 204, r

    def rotate(self, **body):
        r = self.c.post(f"sys/rotation/rotate/{self.path}", body)
        assert r.status == 200, r
        wait_for("it to end", lambda: self.status()["ended"] or self.status()["state"] == "held", seconds=60)
        return self.status()

    def status(self):
        return self.c.get(f"sys/rotation/status/{self.path}").data["last"]

    def current(self):
        return self.server.read(self.key)

    def audited(self):
        """What the audit log says of its rotations: the text, and (state, outcome), oldest first."""
        r = self.c.get("sys/audit-log/records?operation=rotate&limit=1000")
        mine = [x for x in r.data["records"] if x["path"].endswith(self.path) and (x["note"] or {}).get("state")]
        return r.raw.decode(), [(x["note"]["state"], x["outcome"]) for x in sorted(mine, key=lambda x: x["index"])]


def through_a_refusal(rule, server, works, offered, refused_logins):
    """Refused, unharmed, silent; and done when the policy is another."""
    before = rule.current()
    last = rule.rotate()
    assert last["state"] == "failed" and last["next_ms"] == 0, last
    assert len(offered()) == len(set(offered())) == VALUES, "so many values, each of them once"
    assert rule.current() == before and works(before)
    assert refused_logins() <= 1, "the account is not locked by it"
    assert last["error"] and "\n" not in last["error"], last
    text, states = rule.audited()
    assert states[-1] == ("failed", "error") and states.count(("failed", "error")) == 1, states
    for value in offered():
        assert value not in last["error"] and value not in text and value not in server.log()
    rule.write(length=LONG)
    last = rule.rotate()
    assert last["state"] == "converged" and last["error"] == "", last
    assert len(offered()) == VALUES + 1, "it was tried by nobody meanwhile"
    now = rule.current()
    assert len(now["password"]) == LONG and works(now) and not works(before)
    assert rule.audited()[1][-1] == ("converged", "ok")


@pytest.mark.skipif(not PickyMariaDB.available, reason="MariaDB with simple_password_check is not installed")
def test_a_database_refuses_the_value(server):
    with PickyMariaDB() as db:
        db.sql("SET GLOBAL simple_password_check_minimal_length = 8; CREATE USER 'app'@'%' IDENTIFIED BY 'First-Value-0'; "
               f"SET GLOBAL simple_password_check_minimal_length = {LONG - 8}")
        rule = Rule(server, "mysql", {"host": db.host, "port": db.port}, db.admin, "app", length=SHORT)
        through_a_refusal(rule, server, lambda c: db.can_login(**c),
                          lambda: re.findall(r"SET PASSWORD FOR 'app'@'%' = PASSWORD\('([^']*)'\)", db.queries()),
                          lambda: db.queries().count("Access denied for user 'app'"))


@pytest.mark.skipif(not (BIN / "vault-rotator-http").exists(), reason="vault-rotator-http is not built")
def test_a_service_refuses_the_value(server):
    with PickyService() as service:
        service.users["app"] = "First-Value-0"
        rule = Rule(server, "http", user_config(service), {"token": service.token}, "app", length=SHORT)
        through_a_refusal(rule, server, lambda c: service.users[c["username"]] == c["password"],
                          lambda: service.offered, lambda: service.refused_logins)


# ---- a budget of failed logins that is spent ----

BUDGET = 3


@pytest.mark.skipif(not Postgres.available, reason="PostgreSQL is not installed")
def test_a_target_that_refuses_its_administrator_is_left_alone(server):
    """Three logins fail; then nobody knocks, and everybody is told why and until when."""
    with Postgres() as db:
        db.sql("CREATE ROLE app LOGIN PASSWORD 'First-Value-0'; CREATE ROLE boss SUPERUSER LOGIN PASSWORD 'boss-1'")
        rule = Rule(server, "postgres", {"host": db.host, "port": db.port, "database": "postgres", "sslmode": "disable"},
                    {"username": "boss", "password": "boss-1"}, "app")
        db.sql("ALTER ROLE boss PASSWORD 'boss-2'")
        before, denied = rule.current(), lambda: db.log().count('password authentication failed')
        r = rule.c.post(f"sys/rotation/rotate/{rule.path}", {"wait": False})
        assert r.status == 200, r
        for _ in range(2 * BUDGET):  # an operator who does not give up
            wait_for("the target to be asked or left alone",
                     lambda: rule.status()["left_alone_until_ms"] or rule.status()["state"] in ("held", "failed"))
            if rule.status()["left_alone_until_ms"]:
                break
            verb = "resume" if rule.status()["state"] == "held" else "rotate"
            assert rule.c.post(f"sys/rotation/{verb}/{rule.path}", {"wait": False}).status == 200
        last = rule.status()
        assert last["left_alone_until_ms"] == last["next_ms"] > last["started_ms"] and not last["ended"], last
        assert denied() == BUDGET
        shown = server.ctl("rotation", "status", rule.path, fmt="table").stdout
        assert "target_left_alone_until" in shown and last["error"][:30] in shown, shown
        assert rule.c.post(f"sys/rotation/targets/{rule.target}/check", {}).status == 429
        assert denied() == BUDGET and rule.current() == before and db.can_login(**before)
        # Whoever says anew who the administrator is has done something about it.
        mended = {"rotator": "postgres", "admin": {"username": "boss", "password": "boss-2"},
                  "config": {"host": db.host, "port": db.port, "database": "postgres", "sslmode": "disable"}}
        r = rule.c.post(f"sys/rotation/targets/{rule.target}", mended)
        assert r.status == 429 and "without verification" in r.errors[0], r
        assert rule.status()["left_alone_until_ms"] == last["left_alone_until_ms"]
        r = rule.c.post(f"sys/rotation/targets/{rule.target}", {**mended, "verify": False})
        assert r.status == 204, r
        wait_for("it to end", lambda: rule.status()["ended"], seconds=60)
        assert rule.status()["state"] == "converged" and rule.status()["left_alone_until_ms"] == 0, rule.status()
        assert db.can_login(**rule.current()) and not db.can_login(**before)
