# SPDX-License-Identifier: Apache-2.0
"""hvac and the database secrets engine, on a real PostgreSQL."""
import hvac.exceptions
import pytest

from databases import Postgres
from hvaclib import client_of

pytestmark = pytest.mark.skipif(not Postgres.available, reason="PostgreSQL is not installed")

CREATE = ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';"]


@pytest.fixture(scope="module")
def postgres(server):
    client_of(server).sys.enable_secrets_engine("database")
    with Postgres() as db:
        yield db


@pytest.fixture
def database(hv, postgres, name):
    d = hv.secrets.database
    url = f"postgresql://{{{{username}}}}:{{{{password}}}}@{postgres.host}:{postgres.port}/postgres?sslmode=disable"
    assert d.configure(name, plugin_name="postgresql-database-plugin", allowed_roles=["*"], connection_url=url,
                       **postgres.admin).status_code == 204
    return d


def test_connections(database, name):
    c = database.read_connection(name)["data"]
    assert c["plugin_name"] == "postgresql-database-plugin" and "password" not in c["connection_details"]
    assert name in database.list_connections()["data"]["keys"]
    assert database.reset_connection(name).status_code == 204
    assert database.delete_connection(name).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath):
        database.read_connection(name)


def test_roles_and_credentials(hv, database, postgres, name):
    assert database.create_role(name, name, CREATE, default_ttl="1h", max_ttl="2h").status_code == 204
    assert database.read_role(name)["data"]["creation_statements"] == CREATE
    assert name in database.list_roles()["data"]["keys"]
    creds = database.generate_credentials(name)
    user, password = creds["data"]["username"], creds["data"]["password"]
    assert postgres.can_login(user, password)
    assert hv.sys.read_lease(creds["lease_id"])["data"]["renewable"] is True
    assert hv.sys.renew_lease(creds["lease_id"], increment=600)["lease_duration"] == 600
    hv.sys.revoke_lease(creds["lease_id"])
    assert not postgres.can_login(user, password)
    assert database.delete_role(name).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        database.generate_credentials(name)
    assert e.value.errors == [f"unknown role: {name}"]


def test_static_roles(database, postgres, name):
    account = name.replace("-", "_")
    postgres.sql(f"CREATE ROLE {account} LOGIN PASSWORD 'first-value'")
    assert database.create_static_role(name, name, account, rotation_statements=[], rotation_period="1h").status_code == 204
    assert database.read_static_role(name)["data"]["username"] == account
    assert name in database.list_static_roles()["data"]["keys"]
    first = database.get_static_credentials(name)["data"]
    assert postgres.can_login(account, first["password"])
    assert database.rotate_static_role_credentials(name).status_code == 204
    assert database.get_static_credentials(name)["data"]["password"] != first["password"]
    assert database.delete_static_role(name).status_code == 204


def test_rotate_root(hv, database, postgres, name):
    admin = name.replace("-", "_") + "_adm"
    postgres.sql(f"CREATE ROLE {admin} SUPERUSER LOGIN PASSWORD 'first-admin'")
    url = f"postgresql://{{{{username}}}}:{{{{password}}}}@{postgres.host}:{postgres.port}/postgres?sslmode=disable"
    database.configure(name, plugin_name="postgresql-database-plugin", allowed_roles=["*"], connection_url=url,
                       username=admin, password="first-admin")
    assert database.rotate_root_credentials(name).status_code == 204
    assert not postgres.can_login(admin, "first-admin")
    database.create_role(name, name, CREATE)
    assert postgres.can_login(*database.generate_credentials(name)["data"].values())
