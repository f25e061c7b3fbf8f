# SPDX-License-Identifier: Apache-2.0
"""Real databases, a real agent, and a client that logs in with what its agent delivers while the
credential is rotated: without one failed login where old and new value overlap, and with a gap of
known length where they cannot."""
import collections
import contextlib
import json
import os
import pathlib
import random
import signal
import subprocess
import threading
import time
import uuid

import pytest

from databases import MariaDB, Postgres, Redis
from vaultd import wait_for

ROTATIONS = 50
FEW = 10
KILLS = 200 if os.environ.get("VAULT_TEST_SLOW") else 8


class Consumer(threading.Thread):
    """A program that reads its files and logs in, ten times a second, as one that opens a connection
    for each piece of work does."""

    def __init__(self, agent, login):
        super().__init__(daemon=True)
        self.agent, self.login = agent, login
        self.tries = self.failures = 0
        self.gaps = []  # seconds from the first failure to the next success
        self.values = set()
        self.over = threading.Event()

    def credential(self):
        """Both files of one generation: the directory is looked up once."""
        while True:
            where = pathlib.Path(os.path.realpath(self.agent.file("db", "password"))).parent
            try:
                return (where / "username").read_text(), (where / "password").read_text()
            except FileNotFoundError:
                continue  # the next one has taken its place

    def run(self):
        failed_at = None
        while not self.over.wait(0.1):
            # What is in place while the login runs may be newer than what was read: no program can
            # do better than to read and to use.
            username, password = self.credential()
            began = time.monotonic()
            ok = self.login(username, password)
            self.tries += 1
            self.values.add(password)
            if not ok:
                self.failures += 1
                failed_at = failed_at or began
            elif failed_at is not None:
                self.gaps.append(time.monotonic() - failed_at)
                failed_at = None

    def stop(self):
        self.over.set()
        self.join()


class Setting:
    """A target, a secret with a rule, a host that holds it."""

    def __init__(self, server, make_agent, db, rotator, config, accounts, strategy, first, **rule):
        self.server, self.db = server, db
        self.client = server.client()
        self.key = f"rot/{uuid.uuid4().hex[:8]}"
        self.path = f"secret/{self.key}"
        self.target = f"t-{uuid.uuid4().hex[:8]}"
        server.put(self.key, {"username": accounts[0], "password": first})
        r = self.client.post(f"sys/rotation/targets/{self.target}",
                             {"rotator": rotator, "config": config, "admin": db.admin})
        assert r.status == 204, r
        r = self.client.post(f"sys/rotation/config/{self.path}",
                             {"target": self.target, "strategy": strategy, "accounts": accounts, "field": "password", **rule})
        assert r.status == 204, r
        role, host = f"r-{uuid.uuid4().hex[:6]}", f"h-{uuid.uuid4().hex[:6]}"
        added = server.add_host(host, [self.path], role=role)
        self.agent = make_agent(server, host, [dict(path=self.path, field=f, binding="db", name=f)
                                               for f in ("username", "password")])
        self.agent.join(added["join_token"])
        self.agent.start()
        self.agent.wait_content("db", "password", first)

    def rotate(self, **body):
        r = self.client.post(f"sys/rotation/rotate/{self.path}", body)
        assert r.status == 200, r
        return r.data

    def current(self):
        return self.server.read(self.key)

    def status(self):
        return self.client.get(f"sys/rotation/status/{self.path}").data["last"]

    def works(self):
        c = self.current()
        return self.db.can_login(c["username"], c["password"])

    def forgive(self):
        """As an operator who has looked at what went wrong: the budget of failed logins is whole again."""
        r = self.client.post(f"sys/rotation/targets/{self.target}", {"verify": False, "admin": self.db.admin})
        assert r.status == 204, r


def address(db, **more):
    return {"host": db.host, "port": db.port, **more}


@pytest.fixture(scope="module")
def postgres():
    with Postgres() as db:
        yield db


@pytest.fixture(scope="module")
def mariadb():
    with MariaDB() as db:
        yield db


@pytest.fixture(scope="module")
def redis():
    with Redis() as db:
        yield db


def pg_accounts(db, n):
    names = [f"app_{uuid.uuid4().hex[:6]}" for _ in range(n)]
    for name in names:
        db.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'first-value'")
    return names


def pg_setting(server, make_agent, db, strategy, **rule):
    accounts = pg_accounts(db, 2 if strategy == "dual_user" else 1)
    return Setting(server, make_agent, db, "postgres", address(db, database="postgres", sslmode="disable"), accounts,
                   strategy, "first-value", **rule)


def through_rotations(setting, count):
    consumer = Consumer(setting.agent, setting.db.can_login)
    consumer.start()
    seen = set()
    for _ in range(count):
        doc = setting.rotate(timeout="30s")
        assert doc["state"] == "converged", doc
        assert doc["holders_applied"] == 1, doc
        seen.add(setting.current()["password"])
        time.sleep(0.05)
    wait_for("the client to have used the last value", lambda: setting.current()["password"] in consumer.values)
    consumer.stop()
    assert len(seen) == count
    assert setting.works()
    return consumer


def test_postgres_dual_user_without_a_failed_login(server, make_agent, postgres):
    setting = pg_setting(server, make_agent, postgres, "dual_user", grace="1s")
    consumer = through_rotations_with_grace(setting, ROTATIONS)
    assert consumer.failures == 0, (consumer.failures, consumer.tries)
    assert consumer.tries >= ROTATIONS


def through_rotations_with_grace(setting, count):
    """The old value lives for its grace, which is what a login under way needs; the next rotation
    waits for its end."""
    consumer = Consumer(setting.agent, setting.db.can_login)
    consumer.start()
    for _ in range(count):
        doc = setting.rotate(timeout="30s")
        assert doc["state"] in ("retiring", "converged"), doc
        wait_for("the old value to be retired", lambda: setting.status()["state"] == "converged")
    consumer.stop()
    assert setting.works()
    return consumer


def test_redis_dual_key_without_a_failed_login(server, make_agent, redis):
    name = f"app_{uuid.uuid4().hex[:6]}"
    redis.cli("ACL", "SETUSER", name, "on", ">first-value", "~*", "+@all")
    setting = Setting(server, make_agent, redis, "redis", address(redis), [name], "dual_key", "first-value", grace="500ms")
    consumer = through_rotations_with_grace(setting, ROTATIONS)
    assert consumer.failures == 0, (consumer.failures, consumer.tries)
    # Redis keeps as many passwords as it is given: only the current one is left.
    assert not redis.can_login(name, "first-value")


def test_postgres_single_has_a_short_gap(server, make_agent, postgres, record_property):
    setting = pg_setting(server, make_agent, postgres, "single")
    consumer = through_rotations(setting, ROTATIONS)
    record_property("failures", consumer.failures)
    record_property("longest gap in seconds", max(consumer.gaps, default=0))
    print(f"single: {consumer.failures} of {consumer.tries} logins failed, gaps {[round(g, 3) for g in consumer.gaps]}")
    # It always ends: nobody is left with a dead value.
    assert consumer.failures < consumer.tries


def test_mariadb_dual_user(server, make_agent, mariadb):
    accounts = [f"app_{uuid.uuid4().hex[:6]}" for _ in range(2)]
    for a in accounts:
        mariadb.sql(f"CREATE USER '{a}'@'%' IDENTIFIED BY 'first-value'")
    setting = Setting(server, make_agent, mariadb, "mysql", address(mariadb), accounts, "dual_user", "first-value", grace="500ms")
    consumer = through_rotations_with_grace(setting, FEW)
    assert consumer.failures == 0, (consumer.failures, consumer.tries)


def test_the_old_value_of_a_leak_is_dead_at_once(server, make_agent, postgres):
    setting = pg_setting(server, make_agent, postgres, "dual_user", grace="24h")
    old = setting.current()
    doc = setting.rotate(leaked=True)
    assert doc["state"] == "converged" and doc["cause"] == "leak", doc
    assert not postgres.can_login(old["username"], old["password"])
    assert setting.works()


def test_values_are_in_no_log_of_either_side(server, make_agent, postgres):
    setting = pg_setting(server, make_agent, postgres, "dual_user", grace=0)
    values = [setting.current()["password"]]
    for _ in range(3):
        setting.rotate()
        values.append(setting.current()["password"])
    logs = server.log() + setting.agent.log()
    assert not [v for v in [*values[1:], postgres.admin["password"]] if v in logs]
    # log_statement=all: what the database logs holds a verifier, not the value
    assert not [v for v in values[1:] if v in postgres.log()]


def test_the_target_is_gone_for_a_while(server, make_agent, postgres):
    setting = pg_setting(server, make_agent, postgres, "single")
    before = setting.current()
    postgres.kill()
    try:
        doc = setting.rotate(wait=False)
        wait_for("it to be tried", lambda: setting.status()["tries"] > 0)
        assert setting.status()["state"] == "setting"
        assert setting.current() == before
    finally:
        postgres.start()
    wait_for("it to end", lambda: setting.status()["ended"], seconds=60)
    assert setting.status()["state"] == "converged", setting.status()
    assert doc["attempt_id"] == setting.status()["attempt_id"]
    assert setting.works()


@pytest.mark.parametrize("role", ["core", "rotate"])
def test_a_role_is_killed_during_rotations(own_server, make_agent, postgres, role):
    """Wherever it dies: one state, one valid value, and the vault has it."""
    setting = pg_setting(own_server, make_agent, postgres, "single")
    for i in range(2):  # a third would be one too many for the supervisor
        setting.client.post(f"sys/rotation/rotate/{setting.path}", {"wait": False})
        time.sleep(0.01 + 0.02 * i)
        own_server.kill_role(role)
        if role == "core":
            own_server.wait_sealed()
            own_server.unseal()
            own_server.wait_unsealed()
            setting.client = own_server.client()
        wait_for("the rotation to end", lambda: setting.status()["ended"], seconds=60)
        assert setting.works(), setting.status()
        assert json.dumps(setting.status()).find(setting.current()["password"]) < 0


def rotators_of(server):
    """Process ids of rotators that run: they are children of rotate."""
    found = []
    for pid in server.roles().get("rotate", []):
        out = subprocess.run(["pgrep", "-P", str(pid)], text=True, capture_output=True, check=False).stdout
        found += [int(p) for p in out.split()]
    return found


def kill_something(server, db, what):
    """At whatever moment of a rotation this is."""
    if what == "rotator":
        for pid in rotators_of(server):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
    elif what == "target":
        db.restart(kill=True)
    else:
        everyone = [pid for pids in server.roles().values() for pid in pids]
        server.stop(signal.SIGKILL)
        wait_for("all its processes to end", lambda: not any(os.path.exists(f"/proc/{pid}") for pid in everyone))
        server.start()
        server.unseal()


@pytest.mark.timeout(180 + 20 * KILLS)
@pytest.mark.parametrize("strategy", ["single", "dual_user"])
def test_kills_at_any_moment_lose_no_value(own_server, make_agent, strategy):
    """Whatever is killed whenever: the rotation ends by itself, what is served works, and what was
    served before does not, but where an attempt failed and nothing has changed."""
    seed = random.randrange(1 << 30)
    dice, ends = random.Random(seed), collections.Counter()
    with Postgres() as db:
        setting = pg_setting(own_server, make_agent, db, strategy, grace=0)
        for i in range(KILLS):
            setting.forgive()  # each may cost a login; a third one of ten minutes would be waited for
            old = setting.current()
            setting.client.post(f"sys/rotation/rotate/{setting.path}", {"wait": False})
            time.sleep(dice.uniform(0, 0.15))
            victim = dice.choice(["rotator", "target", "vaultd"])
            kill_something(own_server, db, victim)
            setting.client = own_server.client()
            wait_for(f"rotation {i} of seed {seed} to end: {setting.status()}", lambda: setting.status()["ended"], seconds=90)
            status, new = setting.status(), setting.current()
            assert setting.works(), (seed, i, status)
            if status["state"] in ("converged", "late"):
                assert new != old, (seed, i, status)
                assert not db.can_login(old["username"], old["password"]), (seed, i, status)
            else:
                assert new == old, (seed, i, status)
            ends[victim, status["state"]] += 1
    print(f"{strategy}, seed {seed}:", *(f"{n} x {victim}: {state};" for (victim, state), n in sorted(ends.items())))


def test_a_target_that_does_not_answer_holds_nobody_up(server, make_agent):
    with Postgres() as db:
        setting = pg_setting(server, make_agent, db, "single")
        before = setting.current()
        # a short patience, so that the test need not have a long one
        assert setting.client.post(f"sys/rotation/targets/{setting.target}", {"timeout": "1s", "verify": False, "admin": db.admin}).status == 204
        db.pause()
        try:
            setting.rotate(wait=False)
            wait_for("it to be tried again", lambda: setting.status()["tries"] > 1, seconds=30)
            assert setting.current() == before
        finally:
            db.resume()
        wait_for("it to end", lambda: setting.status()["ended"], seconds=60)
        assert setting.status()["state"] == "converged", setting.status()
        assert setting.works()


def test_an_administrator_who_is_refused_is_not_tried_again(server, make_agent):
    with Postgres() as db:
        setting = pg_setting(server, make_agent, db, "dual_user", grace=0)
        db.sql(f"ALTER ROLE {db.admin['username']} PASSWORD 'another-one-by-hand'")
        doc = setting.rotate()
        assert doc["state"] == "held", doc
        assert setting.works()
        refused = db.log().count("password authentication failed")
        assert refused <= 3, refused
        time.sleep(1)
        assert db.log().count("password authentication failed") == refused
        fresh = dict(db.admin, password="another-one-by-hand")
        assert setting.client.post(f"sys/rotation/targets/{setting.target}", {"admin": fresh}).status == 204
        assert setting.client.post(f"sys/rotation/resume/{setting.path}").status == 200
        wait_for("it to end", lambda: setting.status()["ended"], seconds=30)
        assert setting.status()["state"] == "converged", setting.status()
        assert setting.works()


def test_two_starts_at_once(server, make_agent, postgres):
    setting = pg_setting(server, make_agent, postgres, "dual_user", grace=0)
    version = setting.client.get(f"secret/data/{setting.key}").data["metadata"]["version"]
    results = []

    def rotate():
        results.append(server.ctl("rotate", setting.path, check=False))

    threads = [threading.Thread(target=rotate) for _ in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    ended = sorted(r.returncode for r in results)
    now = setting.client.get(f"secret/data/{setting.key}").data["metadata"]["version"]
    # One after the other, or one of them is told of the other.
    assert (ended, now) in (([0, 3], version + 1), ([0, 0], version + 2)), [r.stderr for r in results]
    assert all("under way" in r.stderr for r in results if r.returncode)
    assert setting.works()
