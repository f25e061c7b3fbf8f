# SPDX-License-Identifier: Apache-2.0
"""The database secrets engine against a real PostgreSQL: Vault's wire format, and what the database says to it."""
import contextlib
import http.client
import os
import pathlib
import random
import re
import signal
import threading
import time
import uuid

import pytest

from databases import MariaDB, Postgres, Redis
from vaultd import wait_for

pytestmark = pytest.mark.skipif(not Postgres.available, reason="PostgreSQL is not installed")

CREATE = ("CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'; "
          "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";")
RFC3339 = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")
PERMANENT = {"lease_id": "", "renewable": False, "lease_duration": 0}


@pytest.fixture(scope="module")
def postgres():
    with Postgres() as db:
        db.sql("CREATE TABLE t (n int)")
        yield db


@pytest.fixture
def db(c, postgres):
    """A mount of its own with the connection "pg", and accounts that go with it."""
    mount = "db-" + uuid.uuid4().hex[:8]
    assert c.post(f"sys/mounts/{mount}", {"type": "database"}).status == 204
    engine = Engine(c, postgres, mount)
    engine.connect()
    yield engine
    c.delete(f"sys/mounts/{mount}")


class Engine:
    def __init__(self, c, server, mount):
        self.c, self.server, self.mount = c, server, mount
        self.admin = f"adm_{uuid.uuid4().hex[:8]}"
        server.sql(f"CREATE ROLE {self.admin} SUPERUSER LOGIN PASSWORD 'first-admin'")
        self.url = f"postgresql://{{{{username}}}}:{{{{password}}}}@{server.host}:{server.port}/postgres?sslmode=disable"

    def connect(self, name="pg", **more):
        r = self.c.post(f"{self.mount}/config/{name}", {
            "plugin_name": "postgresql-database-plugin", "allowed_roles": "*", "connection_url": self.url,
            "username": self.admin, "password": "first-admin", **more})
        assert r.status == 204, r

    def get(self, path, **kw):
        return self.c.get(f"{self.mount}/{path}", **kw)

    def post(self, path, body=None):
        return self.c.post(f"{self.mount}/{path}", body or {})

    def role(self, name="app", **more):
        r = self.post(f"roles/{name}", {"db_name": "pg", "creation_statements": CREATE, "default_ttl": "1h", "max_ttl": "24h", **more})
        assert r.status == 204, r

    def account(self):
        name = f"svc_{uuid.uuid4().hex[:8]}"
        self.server.sql(f"CREATE ROLE {name} LOGIN PASSWORD 'first-value'")
        return name

    def exists(self, user):
        return self.server.sql(f"SELECT 1 FROM pg_roles WHERE rolname = '{user}'") != []

    def works(self, d):
        return self.server.can_login(d["username"], d["password"])


# --- connections ---

def test_config(db):
    d = db.get("config/pg").data
    assert d == {"plugin_name": "postgresql-database-plugin", "plugin_version": "", "allowed_roles": ["*"],
                 "connection_details": {"connection_url": db.url, "username": db.admin},
                 "root_credentials_rotate_statements": [], "password_policy": ""}
    assert db.c.list(f"{db.mount}/config").data == {"keys": ["pg"]}
    assert db.post("reset/pg").status == 204
    assert db.post("config/pg", {"allowed_roles": ["a", "b*"], "max_open_connections": 4}).status == 204
    d = db.get("config/pg").data
    assert d["allowed_roles"] == ["a", "b*"] and d["connection_details"]["max_open_connections"] == 4
    assert db.c.delete(f"{db.mount}/config/pg").status == 204
    assert db.get("config/pg").status == 404


def test_config_proves_the_connection(db):
    r = db.post("config/bad", {"plugin_name": "postgresql-database-plugin", "connection_url": db.url, "username": db.admin,
                               "password": "wrong-pass"})
    assert r.status == 400 and r.errors[0].startswith("error creating database object: error verifying connection: "), r
    assert "wrong-pass" not in r.raw.decode()
    assert db.get("config/bad").status == 404
    assert db.post("config/bad", {"plugin_name": "postgresql-database-plugin", "connection_url": db.url,
                                  "verify_connection": False}).status == 204
    assert db.post("config/x", {"connection_url": db.url}).errors == ["empty plugin name"]
    assert db.post("config/x", {"plugin_name": "oracle-database-plugin"}).status == 400


def test_a_password_in_the_url_is_not_read_back(db):
    url = db.url.replace("{{username}}", db.admin).replace("{{password}}", "first-admin")
    r = db.post("config/url", {"plugin_name": "postgresql-database-plugin", "connection_url": url})
    assert r.status == 200 and "Password found in connection_url" in r.json["warnings"][0]
    r = db.get("config/url")
    assert r.data["connection_details"] == {"connection_url": db.url, "username": db.admin}
    assert b"first-admin" not in r.raw


# --- accounts for a while ---

def test_creds(db):
    db.role()
    r = db.get("creds/app")
    assert r.status == 200, r
    assert r.json["lease_id"].startswith(f"{db.mount}/creds/app/") and r.json["renewable"] is True
    assert r.json["lease_duration"] == 3600 and set(r.data) == {"username", "password"}
    assert re.fullmatch(r"v-root-app-[0-9A-Za-z]{20}-\d{10}", r.data["username"])
    assert re.fullmatch(r"[0-9A-Za-z-]{20}", r.data["password"])
    assert db.works(r.data)
    look = db.c.post("sys/leases/lookup", {"lease_id": r.json["lease_id"]}).data
    assert 3590 < look["ttl"] <= 3600 and look["renewable"] is True and RFC3339.match(look["issue_time"])
    assert db.c.post("sys/leases/revoke", {"lease_id": r.json["lease_id"]}).status == 204
    assert not db.works(r.data) and not db.exists(r.data["username"])
    assert db.c.post("sys/leases/lookup", {"lease_id": r.json["lease_id"]}).errors == ["invalid lease"]


def test_renewal_moves_the_accounts_end(db):
    db.role(max_ttl="2h")
    r = db.get("creds/app")
    until = "SELECT extract(epoch FROM rolvaliduntil - now()) FROM pg_roles WHERE rolname = "
    user = r.data["username"]
    assert 3590 < float(db.server.sql(f"{until}'{user}'")[0][0]) <= 3606
    n = db.c.post("sys/leases/renew", {"lease_id": r.json["lease_id"], "increment": 7000})
    assert n.status == 200 and n.json["lease_id"] == r.json["lease_id"] and n.json["data"] is None, n
    assert 6990 <= n.json["lease_duration"] <= 7000
    assert 6990 < float(db.server.sql(f"{until}'{user}'")[0][0]) <= 7006
    n = db.c.post("sys/leases/renew", {"lease_id": r.json["lease_id"], "increment": "10h"})
    assert 7190 <= n.json["lease_duration"] <= 7200 and "capped" in n.json["warnings"][0]


def test_creds_expire(db):
    db.role(default_ttl="1s")
    d = db.get("creds/app").data
    wait_for("the account to go", lambda: not db.exists(d["username"]))


def test_creds_end_with_their_token(db):
    db.role()
    db.c.post(f"sys/policies/acl/{db.mount}", {"policy": f'path "{db.mount}/creds/*" {{ capabilities = ["read"] }}'})
    token = db.c.post("auth/token/create", {"policies": [db.mount], "ttl": "1h", "display_name": "we\"b'; x"}).json["auth"]["client_token"]
    made = [db.get("creds/app", token=token).data for _ in range(3)]
    other = db.get("creds/app").data
    assert all(d["username"].startswith("v-token-we") and db.works(d) for d in made)
    assert db.c.post("auth/token/revoke", {"token": token}).status == 204
    wait_for("the accounts to go", lambda: not any(db.exists(d["username"]) for d in made))
    assert db.works(other)


def test_batch_tokens_bound_what_is_made_for_them(db):
    db.role()
    db.c.post(f"sys/policies/acl/{db.mount}", {"policy": f'path "{db.mount}/creds/*" {{ capabilities = ["read"] }}'})
    token = db.c.post("auth/token/create", {"policies": [db.mount], "ttl": "5m", "type": "batch"}).json["auth"]["client_token"]
    r = db.get("creds/app", token=token)
    assert r.status == 200 and 290 <= r.json["lease_duration"] <= 300, r


def test_revoke_prefix_and_unmount(db):
    db.role()
    made = [db.get("creds/app").data for _ in range(3)]
    db.role("other")
    kept = db.get("creds/other").data
    assert db.c.post(f"sys/leases/revoke-prefix/{db.mount}/creds/app").status == 204
    assert not any(db.exists(d["username"]) for d in made) and db.works(kept)
    assert db.c.delete(f"sys/mounts/{db.mount}").status == 204
    wait_for("the last account to go", lambda: not db.exists(kept["username"]))


def test_what_the_database_refuses(db):
    db.role(creation_statements="CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'; SELECT no_such_function()")
    r = db.get("creds/app")
    assert r.status == 502 and "no_such_function" in r.errors[0], r
    wait_for("the lease to go", lambda: db.c.list(f"sys/leases/lookup/{db.mount}").status == 404)
    assert db.get("creds/none").errors == ["unknown role: none"] and db.get("creds/none").status == 400
    db.role(db_name="absent")
    r = db.get("creds/app")
    assert (r.status, r.errors) == (500, ['failed to find entry for connection with name: "absent"'])
    assert db.post("config/pg", {"allowed_roles": "x"}).status == 204
    db.role()
    r = db.get("creds/app")
    assert (r.status, r.errors) == (500, ['"app" is not an allowed role'])


def test_roles(db):
    db.role(revocation_statements=["DROP ROLE \"{{name}}\""])
    assert db.get("roles/app").data == {
        "db_name": "pg", "creation_statements": [CREATE], "revocation_statements": ["DROP ROLE \"{{name}}\""],
        "rollback_statements": [], "renew_statements": [], "default_ttl": 3600, "max_ttl": 86400, "credential_type": "password"}
    assert db.post("roles/app", {"default_ttl": 60}).status == 204
    assert db.get("roles/app").data["default_ttl"] == 60 and db.get("roles/app").data["creation_statements"] == [CREATE]
    assert db.c.list(f"{db.mount}/roles").data == {"keys": ["app"]}
    assert db.post("roles/b", {}).errors == ["database name is required"]
    assert db.post("roles/b", {"db_name": "pg", "credential_type": "rsa_private_key"}).status == 400
    assert db.c.delete(f"{db.mount}/roles/app").status == 204
    assert db.get("roles/app").status == 404


def test_creds_can_be_wrapped(db):
    db.role()
    r = db.c.request("GET", f"{db.mount}/creds/app", headers={"X-Vault-Wrap-TTL": "60"})
    token = r.json["wrap_info"]["token"]
    d = db.c.post("sys/wrapping/unwrap", {"token": token})
    assert db.works(d.data) and d.json["lease_id"].startswith(db.mount)


# --- accounts that are there ---

def test_static_role(db):
    user = db.account()
    assert db.post("static-roles/svc", {"db_name": "pg", "username": user, "rotation_period": "1h"}).status == 204
    assert not db.server.can_login(user, "first-value")
    r = db.get("static-creds/svc")
    assert {k: r.json[k] for k in PERMANENT} == PERMANENT
    assert set(r.data) == {"username", "password", "last_vault_rotation", "ttl", "rotation_period"}
    assert r.data["username"] == user and db.works(r.data) and r.data["rotation_period"] == 3600
    assert 3590 < r.data["ttl"] <= 3600 and RFC3339.match(r.data["last_vault_rotation"])
    assert db.post("rotate-role/svc").status == 204
    new = db.get("static-creds/svc").data
    assert new["password"] != r.data["password"] and db.works(new) and not db.works(r.data)
    d = db.get("static-roles/svc").data
    assert RFC3339.match(d.pop("last_vault_rotation"))
    assert d == {"db_name": "pg", "username": user, "rotation_statements": [], "credential_type": "password", "rotation_period": 3600}
    assert db.c.list(f"{db.mount}/static-roles").data == {"keys": ["svc"]}
    assert db.c.delete(f"{db.mount}/static-roles/svc").status == 204
    assert db.works(new), "the account is left as it is"
    assert db.get("static-creds/svc").errors == ["unknown role: svc"]


def test_static_role_by_statements_and_schedule(db):
    user = db.account()
    body = {"db_name": "pg", "username": user, "rotation_schedule": "0 3 * * SAT", "rotation_window": "2h",
            "rotation_statements": ["ALTER ROLE \"{{name}}\" WITH PASSWORD '{{password}}' CONNECTION LIMIT 7"]}
    assert db.post("static-roles/svc", body).status == 204
    d = db.get("static-creds/svc").data
    assert db.works(d) and (d["rotation_schedule"], d["rotation_window"]) == ("0 3 * * SAT", 7200) and "rotation_period" not in d
    assert 0 < d["ttl"] <= 7 * 86400
    assert db.server.sql(f"SELECT rolconnlimit FROM pg_roles WHERE rolname = '{user}'") == [["7"]]


def test_static_role_that_fails_leaves_nothing(db):
    r = db.post("static-roles/svc", {"db_name": "pg", "username": "no_such_account", "rotation_period": 60})
    assert r.status == 500 and "there is no role" in r.errors[0], r
    assert db.get("static-roles/svc").status == 404
    assert db.c.list(f"{db.mount}/static-roles").status == 404


def test_static_role_rotates_by_itself(db):
    user = db.account()
    assert db.post("static-roles/svc", {"db_name": "pg", "username": user, "rotation_period": 5}).status == 204
    first = db.get("static-creds/svc").data
    wait_for("a rotation", lambda: db.get("static-creds/svc").data["password"] != first["password"])
    assert db.works(db.get("static-creds/svc").data)


def test_static_creds_are_a_secret_like_others(db):
    user = db.account()
    db.post("static-roles/svc", {"db_name": "pg", "username": user, "rotation_period": "1h"})
    first = db.get("static-creds/svc").data
    r = db.c.post(f"sys/rotation/rotate/{db.mount}/static-creds/svc", {"timeout": "30s"})
    assert r.status == 200 and r.data["state"] == "converged", r
    new = db.get("static-creds/svc").data
    assert new["password"] != first["password"] and db.works(new)
    assert db.c.get(f"sys/rotation/status/{db.mount}/static-creds/svc").status == 200
    assert db.c.post(f"sys/rotation/config/{db.mount}/static-creds/svc", {"length": 8}).status == 400


def test_password_policy(db):
    db.c.post(f"sys/policies/password/{db.mount}", {"policy": 'length = 30\nrule "charset" { charset = "abcdef" }'})
    assert db.post("config/pg", {"password_policy": db.mount}).status == 204
    db.role()
    user = db.account()
    db.post("static-roles/svc", {"db_name": "pg", "username": user, "rotation_period": "1h"})
    for d in (db.get("creds/app").data, db.get("static-creds/svc").data):
        assert re.fullmatch(r"[abcdef]{30}", d["password"]) and db.works(d)


# --- the administrator ---

def test_rotate_root(db):
    db.role()
    assert db.post("rotate-root/pg").status == 204
    assert not db.server.can_login(db.admin, "first-admin")
    assert db.works(db.get("creds/app").data)
    d = db.get("config/pg").data["connection_details"]
    assert d == {"connection_url": db.url, "username": db.admin}
    assert db.post("rotate-root/pg").status == 204
    assert db.works(db.get("creds/app").data)
    assert db.post("rotate-root/none").errors == ['failed to find entry for connection with name: "none"']
    kept = db.get("creds/app").data
    db.c.delete(f"sys/mounts/{db.mount}")
    wait_for("what it made to go by the rotated password", lambda: not db.exists(kept["username"]))


def test_rotate_root_by_statements(db):
    assert db.post("config/pg", {"root_rotation_statements": [
        "ALTER ROLE \"{{name}}\" WITH PASSWORD '{{password}}' CONNECTION LIMIT 9"]}).status == 204
    assert db.post("rotate-root/pg").status == 204
    assert db.server.sql(f"SELECT rolconnlimit FROM pg_roles WHERE rolname = '{db.admin}'") == [["9"]]
    assert db.post("config/pg", {"max_open_connections": 2}).status == 204, "it logs in with the new password"


# --- the other databases ---

OTHERS = {
    "mariadb": (MariaDB, "mariadb-database-plugin", {"connection_url": "{{username}}:{{password}}@tcp(%(host)s:%(port)s)/"},
                ["CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; GRANT SELECT ON *.* TO '{{name}}'@'%';"]),
    "redis": (Redis, "redis-database-plugin", {"host": "%(host)s", "port": "%(port)s"}, ['["~*", "+@read", "+@connection"]']),
}


@pytest.fixture(params=sorted(OTHERS))
def other(request, c, own_accounts):
    kind, plugin, config, create = OTHERS[request.param]
    if not kind.available:
        pytest.skip(f"{request.param} is not installed")
    with kind() as server:
        mount = "db-" + uuid.uuid4().hex[:8]
        assert c.post(f"sys/mounts/{mount}", {"type": "database"}).status == 204
        where = {"host": server.host, "port": server.port}
        r = c.post(f"{mount}/config/db", {"plugin_name": plugin, "allowed_roles": "*", **server.admin,
                                          **{k: v % where for k, v in config.items()}})
        assert r.status == 204, r
        own_accounts[request.param](server)
        yield c, server, mount, create
        c.delete(f"sys/mounts/{mount}")


@pytest.fixture
def own_accounts():
    return {"mariadb": lambda s: s.sql("CREATE USER 'svc'@'%' IDENTIFIED BY 'first-value'"),
            "redis": lambda s: s.cli("ACL", "SETUSER", "svc", "on", ">first-value", "~*", "+@read", "+@connection")}


def test_other_databases(other):
    c, server, mount, create = other
    assert c.post(f"{mount}/roles/app", {"db_name": "db", "creation_statements": create, "default_ttl": "1h"}).status == 204
    r = c.get(f"{mount}/creds/app")
    assert r.status == 200, r
    user, password = r.data["username"], r.data["password"]
    assert len(user) <= 63 and server.can_login(user, password)
    assert c.post("sys/leases/renew", {"lease_id": r.json["lease_id"]}).status == 200
    assert c.post("sys/leases/revoke", {"lease_id": r.json["lease_id"]}).status == 204
    assert not server.can_login(user, password)
    r = c.post(f"{mount}/static-roles/svc", {"db_name": "db", "username": "svc", "rotation_period": "1h"})
    assert r.status == 204, r
    first = c.get(f"{mount}/static-creds/svc").data["password"]
    assert server.can_login("svc", first) and not server.can_login("svc", "first-value")
    assert c.post(f"{mount}/rotate-role/svc").status == 204
    assert not server.can_login("svc", first)
    r = c.post(f"{mount}/rotate-root/db")
    assert r.status == 204, r
    assert not server.can_login(*server.admin.values())
    kept = c.get(f"{mount}/creds/app").data
    assert server.can_login(kept["username"], kept["password"])
    assert c.delete(f"sys/mounts/{mount}").status == 204
    wait_for("the account to go", lambda: not server.can_login(kept["username"], kept["password"]))


# --- hosts ---

def test_a_host_holds_static_creds(server, db, make_agent):
    user = db.account()
    assert db.post("static-roles/svc", {"db_name": "pg", "username": user, "rotation_period": "1h"}).status == 204
    path = f"{db.mount}/static-creds/svc"
    added = server.add_host(f"h-{uuid.uuid4().hex[:6]}", [path], role=f"r-{uuid.uuid4().hex[:6]}")
    agent = make_agent(server, added["host"] if "host" in added else "h", [dict(path=path, field="password", binding="db", name="password")])
    agent.join(added["join_token"])
    agent.start()
    agent.wait_content("db", "password", db.get("static-creds/svc").data["password"])
    r = db.c.post(f"sys/rotation/rotate/{path}", {"timeout": "30s"})
    assert r.status == 200 and r.data["state"] == "converged" and r.data["holders_applied"] == 1, r
    new = db.get("static-creds/svc").data
    agent.wait_content("db", "password", new["password"])
    assert db.works(new)


def test_the_age_report_has_credentials_of_databases(server, db):
    def ages(c):
        r = c.get(f"sys/rotation/report/age?prefix={db.mount}/")
        assert r.status == 200, r
        return {s["path"]: s for s in r.data["secrets"]}

    user = db.account()
    assert db.post("static-roles/aged", {"db_name": "pg", "username": user, "rotation_period": "1h"}).status == 204
    assert db.post("rotate-root/pg").status == 204
    role, root = f"{db.mount}/static-creds/aged", f"{db.mount}/rotate-root/pg"
    seen = ages(db.c)
    assert seen[role]["rule"] and seen[role]["next"] and seen[role]["last_rotated"] and not seen[role]["overdue"]
    assert seen[root]["strategy"] == "single" and seen[root]["age"] < 600
    for rule, want in (("static-creds/aged", {role}), ("static-roles/aged", {role}), ("config/pg", {root}), ("creds/aged", set())):
        name = f"age-{uuid.uuid4().hex[:6]}"
        policy = f'path "{db.mount}/{rule}" {{ capabilities = ["read"] }} path "sys/rotation/report/age" {{ capabilities = ["read"] }}'
        assert db.c.post(f"sys/policies/acl/{name}", {"policy": policy}).status == 204
        token = db.c.post("auth/token/create", {"policies": [name]}).json["auth"]["client_token"]
        assert set(ages(server.client(token))) == want, rule


def test_accounts_are_named_by_a_template(server, db):
    template = '{{ printf "app-%s-%s" (.RoleName | truncate 8 | uppercase) (random 10) | replace "-" "_" }}'
    assert db.post("config/pg", {"username_template": template}).status == 204
    db.role()
    cred = db.get("creds/app").data
    assert cred["username"].startswith("app_APP_") and len(cred["username"]) == 18 and db.works(cred)
    refused = db.post("config/pg", {"username_template": "{{ .RoleName | nosuch }}"})
    assert refused.status == 400 and "username_template" in refused.json["errors"][0]


# --- secrecy ---

def test_passwords_are_in_no_file_and_no_record(server, db):
    db.role()
    user, admin = db.account(), "Adm" + uuid.uuid4().hex
    db.server.sql(f"ALTER ROLE {db.admin} PASSWORD '{admin}'")
    assert db.post("config/pg", {"password": admin}).status == 204
    assert db.post("static-roles/svc", {"db_name": "pg", "username": user, "rotation_period": "1h"}).status == 204
    values = [admin, db.get("creds/app").data["password"], db.get("static-creds/svc").data["password"]]
    db.role("bad", creation_statements="CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' NO_SUCH_WORD")
    assert db.get("creds/bad").status == 502
    assert db.post("rotate-role/svc").status == 204
    values.append(db.get("static-creds/svc").data["password"])
    assert db.post("rotate-root/pg").status == 204
    files = [p for p in server.tmp.rglob("*") if p.is_file()]
    assert any(p.name.startswith("vault.db") for p in files) and server.log_path in files
    for path in files:
        data = path.read_bytes()
        assert not [v for v in values if v.encode() in data], path
    records = db.c.get("sys/audit-log/records?limit=1000")
    assert records.status == 200 and db.mount.encode() in records.raw
    assert not [v for v in values if v.encode() in records.raw]
    for shown in ("config/pg", "roles/app", "static-roles/svc"):
        assert not [v for v in values if v.encode() in db.get(shown).raw]


# --- crashes ---

KILLS = 90 if os.environ.get("VAULT_TEST_SLOW") else 12


def is_running(pid):
    with contextlib.suppress(OSError, IndexError):
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    return False


def interrupted(server, path, method="POST"):
    """One request, and vaultd killed somewhere in it: it may or may not have been answered."""
    def ask():
        with contextlib.suppress(OSError, http.client.HTTPException):
            server.client().request(method, path, {} if method == "POST" else None)
    t = threading.Thread(target=ask)
    t.start()
    time.sleep(random.uniform(0, 0.12))  # where it hits is the point
    everyone = [pid for pids in server.roles().values() for pid in pids]
    server.stop(signal.SIGKILL)
    t.join()
    wait_for("all its processes to end", lambda: not any(is_running(pid) for pid in everyone))
    server.start()
    server.unseal()


@pytest.mark.timeout(180 + 20 * KILLS)
def test_no_crash_loses_a_password_or_leaves_an_account(own_server, postgres):
    c = own_server.client()
    assert c.post("sys/mounts/database", {"type": "database"}).status == 204
    db = Engine(c, postgres, "database")
    db.connect()
    db.role()
    user = db.account()
    assert db.post("static-roles/svc", {"db_name": "pg", "username": user, "rotation_period": "1h"}).status == 204
    before = {r for r, in postgres.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'")}
    for i in range(KILLS):
        path, method = [("rotate-root/pg", "POST"), ("rotate-role/svc", "POST"), ("creds/app", "GET")][i % 3]
        interrupted(own_server, f"database/{path}", method)
        db.c = own_server.client()
        wait_for("the static credential to work", lambda: db.works(db.get("static-creds/svc").data), 30)
        wait_for("the administrator to get in", lambda: db.post("config/pg", {"max_open_connections": i + 1}).status == 204, 30)
    wait_for("every account to go that nobody was told of",
             lambda: {r for r, in postgres.sql("SELECT rolname FROM pg_roles WHERE rolname LIKE 'v-%'")} <= before | leased(db), 60)
    assert all(db.exists(u) for u in leased(db))


def leased(db):
    """Accounts of leases that are alive; their names are in the records of the requests that were answered."""
    keys = db.c.list("sys/leases/lookup/database/creds/app")
    if keys.status == 404:
        return set()
    records = db.c.get("sys/audit-log/records?path=database/creds/&operation=read&limit=1000").data["records"]
    alive = {f"database/creds/app/{k}" for k in keys.data["keys"]}
    return {r["note"]["username"] for r in records if r.get("note") and r["note"].get("lease_id") in alive}
