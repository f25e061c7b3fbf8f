# SPDX-License-Identifier: Apache-2.0
"""The disk is full while a password of a real database is rotated: what the target has by then is
known to the vault, and the rotation goes on when there is space again."""
import contextlib
import errno
import os
import random
import subprocess
import time

import pytest

import vaultd
from databases import Postgres
from test_rotation import Consumer, pg_setting
from vaultd import wait_for

ROUNDS = 40 if os.environ.get("VAULT_TEST_SLOW") else 6
REFUSED = 20  # requests in a row: none has found the last free page

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")


class SmallDisk:
    """A server whose data is on a file system of its own, which can be filled."""

    def __init__(self, tmp):
        self.server = vaultd.Server(tmp)
        self.dir = self.server.data_dir
        self.ballast = self.dir / "ballast"

    def __enter__(self):
        self.dir.mkdir(mode=0o700)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700,size=24m", "none", self.dir], check=True)
        self.server.start()
        self.server.init()
        return self

    def __exit__(self, *exc):
        with contextlib.suppress(FileNotFoundError):
            self.free()
        if self.server.proc is not None:
            self.server.stop()
        subprocess.run(["umount", self.dir], check=True)

    def fill(self):
        with open(self.ballast, "ab", buffering=0) as f:
            for size in (1 << 20, 4096):
                try:
                    while f.write(b"x" * size) == size:
                        pass
                except OSError as e:
                    assert e.errno == errno.ENOSPC

    def free(self):
        self.ballast.unlink()

    def fill_until_refused(self, client):
        """The log of the database may have room for some more."""
        self.fill()
        row = 0
        for _ in range(5000):
            row = 0 if client.post("secret/data/filler", {"data": {"x": "y" * 20000}}).status == 200 else row + 1
            if row == REFUSED:
                return
        raise AssertionError("the disk does not get full")


@pytest.fixture
def disk(tmp_path):
    with SmallDisk(tmp_path) as d:
        yield d


@pytest.fixture
def postgres():
    with Postgres() as db:
        yield db


@pytest.mark.parametrize("strategy", ["single", "dual_user"])
def test_no_space_for_what_the_target_says(disk, make_agent, postgres, strategy):
    setting = pg_setting(disk.server, make_agent, postgres, strategy, grace=0)
    old, asked = setting.current(), postgres.log().count("ALTER ROLE")
    consumer = Consumer(setting.agent, postgres.can_login)
    postgres.pause()
    try:
        attempt = setting.rotate(wait=False)["attempt_id"]
        wait_for("the value to be on its way", lambda: setting.status()["state"] == "setting")
        disk.fill_until_refused(setting.client)
    finally:
        postgres.resume()
    wait_for("the target to have the new value", lambda: postgres.log().count("ALTER ROLE") > asked)
    if strategy == "dual_user":
        consumer.start()  # the old value works for as long as the new one cannot be published
        wait_for("some logins", lambda: consumer.tries >= 5)
    assert setting.client.post("secret/data/filler", {"data": {"x": "y"}}).status == 503
    assert setting.agent.file("db", "password").read_text() == old["password"]
    disk.free()
    wait_for("it to end", lambda: (setting.status() or {}).get("ended"), seconds=120)
    last, new = setting.status(), setting.current()
    assert (last["state"], last["attempt_id"]) == ("converged", attempt), last
    assert new["password"] != old["password"] and setting.works()
    assert not postgres.can_login(old["username"], old["password"])
    assert setting.agent.file("db", "password").read_text() == new["password"]
    if strategy == "dual_user":
        wait_for("the client to use the new value", lambda: new["password"] in consumer.values)
        consumer.stop()
        assert consumer.failures == 0, (consumer.failures, consumer.tries)


@pytest.mark.parametrize("strategy", ["single", "dual_user"])
def test_full_at_any_moment(disk, make_agent, postgres, strategy):
    """A rotation that cannot begin has changed nothing; one that has begun ends."""
    seed = random.randrange(1 << 30)
    dice = random.Random(seed)
    setting = pg_setting(disk.server, make_agent, postgres, strategy, grace=0)
    for i in range(ROUNDS):
        old = setting.current()
        begun = setting.client.post(f"sys/rotation/rotate/{setting.path}", {"wait": False}).status
        assert begun == 200
        time.sleep(dice.uniform(0, 0.08))
        disk.fill_until_refused(setting.client)
        time.sleep(dice.uniform(0, 1))
        disk.free()
        wait_for(f"rotation {i} of seed {seed} to end", lambda: (setting.status() or {}).get("ended"), seconds=120)
        status, new = setting.status(), setting.current()
        assert setting.works(), (seed, i, status)
        assert status["state"] in ("converged", "late"), (seed, i, status)
        assert new != old, (seed, i, status)
        assert not postgres.can_login(old["username"], old["password"]), (seed, i, status)
    assert "storage_full" in disk.server.log()
