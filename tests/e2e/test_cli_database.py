# SPDX-License-Identifier: Apache-2.0
"""vaultctl database: connections, accounts for a while, and accounts that are there."""
import pytest

import faketarget
import vaultd

ADMIN = "the-admin-password"


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("ctl")
    target = faketarget.FakeTarget(tmp, {"admin": ADMIN, "svc": "first-value"})
    (tmp / "server").mkdir()
    server = vaultd.Server(tmp / "server", config={"rotators": target.config})
    server.target = target
    server.start()
    server.init()
    assert server.client().post("sys/mounts/database", {"type": "database"}).status == 204
    server.ctl("database", "config-write", "db", "--plugin-name", "fake", "--allowed-roles", "*", "--username", "admin",
               "host=db.example", stdin=ADMIN + "\n")
    yield server
    server.stop()
    target.close()


def test_connections(env, tmp_path):
    assert env.ctl("database", "configs", fmt="table").stdout.split() == ["db"]
    shown = env.ctl_json("database", "config", "db")["data"]
    assert shown["connection_details"] == {"host": "db.example", "username": "admin"}
    (tmp_path / "pw").write_text("wrong\n")
    bad = env.ctl("database", "config-write", "bad", "--plugin-name", "fake", "--username", "admin", "--password", str(tmp_path / "pw"),
                  check=False)
    assert bad.returncode != 0 and "error verifying connection" in bad.stderr and "wrong" not in bad.stderr
    env.ctl("database", "config-write", "two", "--plugin-name", "fake", "--no-verify")
    env.ctl("database", "config-delete", "two", "--yes")
    env.ctl("database", "reset", "db")


def test_accounts_for_a_while(env):
    env.ctl("database", "role-write", "app", "--db-name", "db", "--creation-statements", "CREATE {{name}}, {{password}}",
            "--default-ttl", "1h")
    assert env.ctl("database", "roles", fmt="table").stdout.split() == ["app"]
    assert env.ctl_json("database", "role", "app")["data"]["creation_statements"] == ["CREATE {{name}}, {{password}}"]
    doc = env.ctl_json("database", "creds", "app")
    assert env.target.accounts[doc["data"]["username"]] == doc["data"]["password"]
    lines = dict(line.split(None, 1) for line in env.ctl("database", "creds", "app", fmt="table").stdout.splitlines())
    assert env.target.accounts[lines["username"]] == lines["password"]
    assert lines["lease_id"].startswith("database/creds/app/")
    raw = dict(line.split(None, 1) for line in env.ctl("read", "database/creds/app", fmt="table").stdout.splitlines())
    assert raw["lease_id"].startswith("database/creds/app/") and raw["lease_duration"] == lines["lease_duration"]
    assert env.ctl("database", "creds", "none", check=False).stderr.count("unknown role: none") == 1
    env.ctl("database", "role-delete", "app", "--yes")


def test_accounts_that_are_there(env):
    env.ctl("database", "static-role-write", "svc", "--db-name", "db", "--username", "svc", "--rotation-period", "1h")
    assert env.ctl("database", "static-roles", fmt="table").stdout.split() == ["svc"]
    assert env.ctl_json("database", "static-role", "svc")["data"]["rotation_period"] == 3600
    first = env.ctl_json("database", "static-creds", "svc")["data"]["password"]
    assert env.target.accounts["svc"] == first != "first-value"
    env.ctl("database", "rotate", "svc")
    second = env.ctl_json("database", "static-creds", "svc")["data"]["password"]
    assert env.target.accounts["svc"] == second != first
    env.ctl("rotate", "database/static-creds/svc")
    assert env.target.accounts["svc"] not in (first, second)
    env.ctl("database", "static-role-delete", "svc", "--yes")


def test_the_administrator(env):
    env.ctl("database", "rotate-root", "db", "--yes")
    assert env.target.accounts["admin"] != ADMIN
    env.ctl("database", "config-write", "db", "timeout_note=5")
