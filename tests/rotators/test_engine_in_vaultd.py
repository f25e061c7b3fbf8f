# SPDX-License-Identifier: Apache-2.0
"""The database secrets engine on real databases: accounts with an end, static roles, root."""
import pytest

from databases import MariaDB, Postgres, Redis
from rotator import new_password
from vaultd import wait_for

PG = "CREATE ROLE \"{{name}}\" WITH LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';" \
     "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";"
MY = "CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; GRANT SELECT ON *.* TO '{{name}}'@'%';"
KINDS = {
    "postgresql": (Postgres, lambda db: {"connection_url": f"postgresql://{{{{username}}}}:{{{{password}}}}@{db.host}:{db.port}/postgres"}, PG),
    "mysql": (MariaDB, lambda db: {"connection_url": f"{{{{username}}}}:{{{{password}}}}@tcp({db.host}:{db.port})/"}, MY),
    "redis": (Redis, lambda db: {"host": db.host, "port": db.port}, '["~*", "+@read"]'),
}


@pytest.fixture(scope="module")
def mounted(server):
    c = server.client()
    assert c.post("sys/mounts/database", {"type": "database"}).status == 204
    yield c
    c.close()


@pytest.fixture(scope="module", params=KINDS)
def engine(request, mounted):
    """A connection of each kind: (client, its name, server)."""
    c = mounted
    kind, config, statement = KINDS[request.param]
    if not kind.available:
        pytest.skip(f"{request.param} is not installed")
    with kind() as db:
        r = c.post(f"database/config/{request.param}", {
            "plugin_name": f"{request.param}-database-plugin", "allowed_roles": ["*"], **config(db), **db.admin})
        assert r.status in (200, 204), r
        r = c.post(f"database/roles/{request.param}", {
            "db_name": request.param, "creation_statements": [statement], "default_ttl": "1h", "max_ttl": "2h"})
        assert r.status == 204, r
        yield c, request.param, db


def test_accounts_under_leases(engine):
    c, name, db = engine
    first, second = (c.get(f"database/creds/{name}") for _ in range(2))
    assert first.status == second.status == 200, (first, second)
    for r in (first, second):
        assert db.can_login(r.data["username"], r.data["password"]), r.data["username"]
    assert first.data["username"] != second.data["username"]
    r = c.post("sys/leases/renew", {"lease_id": first.json["lease_id"], "increment": 5400})
    assert r.status == 200 and r.json["lease_duration"] == 5400, r
    assert db.can_login(**first.data)
    assert c.post("sys/leases/revoke", {"lease_id": first.json["lease_id"], "sync": True}).status == 204
    wait_for("the account to go", lambda: not db.can_login(**first.data))
    assert db.can_login(**second.data)
    assert c.post(f"sys/leases/revoke-prefix/database/creds/{name}", {"sync": True}).status == 204
    wait_for("the other one to go", lambda: not db.can_login(**second.data))


def test_static_roles(engine):
    c, name, db = engine
    user, password = f"static_{name}", new_password()
    if name == "postgresql":
        db.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    elif name == "mysql":
        db.sql(f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'")
    else:
        db.cli("ACL", "SETUSER", user, "on", ">" + password, "+ping")
    r = c.post(f"database/static-roles/{user}", {"db_name": name, "username": user, "rotation_period": "1h"})
    assert r.status == 204, r
    one = c.get(f"database/static-creds/{user}")
    assert one.status == 200 and db.can_login(user, one.data["password"]) and not db.can_login(user, password)
    assert c.post(f"database/rotate-role/{user}").status == 204
    two = c.get(f"database/static-creds/{user}")
    assert two.data["password"] != one.data["password"]
    assert db.can_login(user, two.data["password"]) and not db.can_login(user, one.data["password"])


@pytest.mark.parametrize("engine", ["mysql"], indirect=True, scope="module")
def test_what_failed_half_way_is_rolled_back(engine):
    """MariaDB commits each statement by itself: the account is there when the second one fails."""
    c, name, db = engine
    db.sql("CREATE DATABASE undone")
    db.sql("CREATE TABLE undone.names (name text)")
    r = c.post("database/roles/half", {
        "db_name": name, "creation_statements": [MY.split(";")[0], "GRANT NO_SUCH_PRIVILEGE ON *.* TO '{{name}}'@'%'"],
        "rollback_statements": ["INSERT INTO undone.names SELECT user FROM mysql.user WHERE user = '{{name}}'", "DROP USER '{{name}}'@'%'"],
        "revocation_statements": ["NEVER RUN"]})
    assert r.status == 204, r
    assert c.get("database/creds/half").status == 502
    seen = wait_for("the rollback statements to run", lambda: db.sql("SELECT name FROM undone.names"))
    assert len(seen) == 1 and "v-" in str(seen)
    wait_for("the lease to go", lambda: c.list("sys/leases/lookup/database/creds/half").status == 404)
    assert "v-" in str(seen) and not [u for u in str(db.sql("SELECT user FROM mysql.user")).split() if "half" in u]


def test_the_administrators_own_password(engine):
    c, name, db = engine
    r = c.post(f"database/rotate-root/{name}")
    assert r.status in (200, 204), r
    assert not db.can_login(**db.admin)
    creds = c.get(f"database/creds/{name}")
    assert creds.status == 200 and db.can_login(**creds.data), creds
