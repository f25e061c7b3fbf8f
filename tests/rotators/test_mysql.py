# SPDX-License-Identifier: Apache-2.0
"""vault-rotator-mysql against a real MariaDB."""
import os
import pwd
import socket

import pytest

from databases import MariaDB
from rotator import Rotator, new_password, version

pytestmark = pytest.mark.skipif(not MariaDB.available, reason="MariaDB is not installed")

CREATE = ["CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'; GRANT SELECT ON shop.* TO '{{name}}'@'%';"]


@pytest.fixture(scope="module")
def db():
    with MariaDB(settings=["plugin-load-add=auth_ed25519", "max-password-errors=5"]) as server:
        server.sql("CREATE DATABASE shop; CREATE TABLE shop.t (n int)")
        yield server


@pytest.fixture
def rotator(db):
    return Rotator("mysql", {"host": db.host, "port": db.port}, dict(db.admin))


def make_account(db, how="BY '{}'", host="%", name=None):
    make_account.n = getattr(make_account, "n", 0) + 1
    name, password = name or f"app{make_account.n}", new_password()
    quoted = name.replace("'", "''")
    db.sql(f"CREATE USER '{quoted}'@'{host}' IDENTIFIED " + how.format(password))
    return name, password


@pytest.fixture
def account(db):
    return make_account(db)


def plugin(db, name):
    return db.sql(f"SELECT plugin FROM mysql.user WHERE User = '{name}'")[0][0]


@pytest.mark.parametrize("how", ["BY '{}'", "VIA ed25519 USING PASSWORD('{}')"])
def test_one_account_by_an_administrator(db, rotator, how):
    name, old = make_account(db, how)
    before, new = plugin(db, name), new_password()
    members = {"config": {"account": name}, "current": version(1, name, old), "pending": version(2, name, new)}
    assert rotator.ok("probe", **members).probe == ("valid", "invalid", None)
    rotator.ok("set", **members)
    rotator.ok("set", **members)
    assert plugin(db, name) == before
    rotator.ok("test", **members)
    assert rotator.ok("probe", **members).probe == ("invalid", "valid", None)
    assert rotator.ok("retire", **members, previous=version(1, name, old)).status == "noop"
    rotator.ok("revert", **members)
    assert rotator.ok("probe", **members).probe == ("valid", "invalid", None)
    if "ed25519" not in how:
        assert db.can_login(name, old) and not db.can_login(name, new)


@pytest.mark.parametrize("how", ["BY '{}'", "VIA ed25519 USING PASSWORD('{}')"])
def test_an_account_changes_its_own_password(db, rotator, how):
    name, old = make_account(db, how)
    before, new = plugin(db, name), new_password()
    rotator.admin = None
    members = {"config": {"account": name}, "current": version(1, name, old), "pending": version(2, name, new)}
    assert rotator.ok("set", **members).status == "ok"
    assert plugin(db, name) == before
    assert rotator.ok("set", **members).status == "noop"
    assert rotator.ok("probe", **members).probe == ("invalid", "valid", None)
    assert rotator.ok("revert", **members).status == "ok"
    assert rotator.ok("revert", **members).status == "noop"
    other = version(2, name, new_password())
    assert rotator.refused("set", {"account": name}, current=version(1, name, "wrong-value"), pending=other).cls == "auth"


def test_two_accounts_in_turn(db, rotator):
    (a, a_old), (b, b_old) = make_account(db), make_account(db)
    new = new_password()
    members = {"config": {"accounts": [a, b]}, "current": version(1, a, a_old), "pending": version(2, b, new)}
    rotator.ok("set", **members)
    rotator.ok("test", **members)
    assert db.can_login(a, a_old) and db.can_login(b, new) and not db.can_login(b, b_old)
    retire = {"config": {"accounts": [a, b]}, "current": version(2, b, new), "previous": version(1, a, a_old)}
    for _ in range(2):
        rotator.ok("retire", **retire)
        assert not db.can_login(a, a_old) and db.can_login(b, new)


def test_disabled_accounts_come_back(db, rotator):
    (a, a_old), (b, b_old) = make_account(db), make_account(db)
    config = {"accounts": [a, b], "retire": "disable"}
    rotator.ok("retire", config, current=version(2, b, b_old), previous=version(1, a, a_old))
    assert not db.can_login(a, a_old)
    # locked is not wrong
    assert rotator.ok("probe", config, current=version(1, a, a_old)).probe == ("unknown", None, None)
    new = new_password()
    rotator.ok("set", config, current=version(2, b, b_old), pending=version(3, a, new))
    assert db.can_login(a, new)


def test_an_account_is_one_of_a_host(db, rotator):
    name, any_old = make_account(db)
    _, local_old = make_account(db, host="127.0.0.1", name=name)
    new = new_password()
    config = {"account": name, "host_pattern": "127.0.0.1"}
    rotator.ok("set", config, current=version(1, name, local_old), pending=version(2, name, new))
    assert db.can_login(name, new)
    hashes = dict(db.sql(f"SELECT Host, authentication_string FROM mysql.user WHERE User = '{name}'"))
    assert len(set(hashes.values())) == 2
    config["host_pattern"] = "10.0.0.%"
    r = rotator.refused("set", config, current=version(1, name, any_old), pending=version(2, name, new))
    assert r.cls == "permanent" and "10.0.0.%" in r.message


def test_only_configured_accounts_are_touched(db, rotator, account):
    name, old = account
    victim, victim_old = make_account(db)
    r = rotator.refused("set", {"account": name}, current=version(1, name, old), pending=version(2, victim, new_password()))
    assert r.cls == "permanent" and db.can_login(victim, victim_old)
    weak = Rotator("mysql", rotator.config, {"username": name, "password": old})
    r = weak.refused("set", {"account": victim}, pending=version(2, victim, new_password()))
    assert r.cls == "permanent" and db.can_login(victim, victim_old)


def test_names_that_need_quotes(db, rotator):
    name, old = make_account(db, name="o'brien\"`; x")
    new = "p'w\"\\\\;`" + new_password()
    rotator.ok("set", {"account": name}, current=version(1, name, old), pending=version(2, name, new))
    rotator.ok("test", {"account": name}, pending=version(2, name, new))


def test_accounts_without_passwords(db, rotator):
    db.sql("INSTALL SONAME 'auth_pam'")
    db.sql("CREATE USER pamela@'%' IDENTIFIED VIA pam USING 'x'")
    r = rotator.refused("set", {"account": "pamela"}, pending=version(2, "pamela", new_password()))
    assert r.cls == "permanent"
    assert rotator.ok("probe", pending=version(2, "pamela", "anything-1")).probe[1] == "unknown"


def test_a_socket_that_looks_at_the_process_proves_nothing(db, rotator):
    me = pwd.getpwuid(os.getuid()).pw_name
    if me != "root":
        db.sql(f"CREATE USER {me}@localhost IDENTIFIED VIA unix_socket")
    else:
        db.sql("ALTER USER root@localhost IDENTIFIED VIA mysql_native_password USING PASSWORD('x') OR unix_socket")
    r = Rotator("mysql", {"host": str(db.socket)}).ok("probe", pending=version(1, me, "anything-1"))
    assert r.probe == (None, "unknown", None)


def test_hashes_are_sent_in_place_of_passwords(db, rotator):
    for how in ("BY '{}'", "VIA ed25519 USING PASSWORD('{}')"):
        name, old = make_account(db, how)
        new = new_password()
        rotator.ok("set", {"account": name}, current=version(1, name, old), pending=version(2, name, new))
        assert f"SET PASSWORD FOR '{name}'" in db.queries() and new not in db.queries()


def test_refused_passwords(db, rotator):
    name, old = make_account(db)
    db.sql("INSTALL SONAME 'simple_password_check'")
    db.sql("SET GLOBAL simple_password_check_letters_same_case = 0")
    try:
        r = rotator.refused("set", {"account": name}, current=version(1, name, old), pending=version(2, name, "onlyletters"))
        assert r.cls == "rejected_value" and "1819" in r.message
        good = "Good-value-1"  # its hash is refused, as nobody can judge that
        rotator.ok("set", {"account": name}, current=version(1, name, old), pending=version(2, name, good))
        assert db.can_login(name, good)
    finally:
        db.sql("UNINSTALL SONAME 'simple_password_check'")


def test_a_value_that_was_used_is_refused_and_one_that_is_set_is_not(db, rotator):
    name, old = make_account(db)
    db.sql("INSTALL SONAME 'password_reuse_check'")
    try:
        first, second = new_password(), new_password()
        one = {"config": {"account": name}, "current": version(1, name, old), "pending": version(2, name, first)}
        rotator.ok("set", **one)
        assert rotator.ok("set", **one).status == "noop"
        rotator.ok("set", {"account": name}, current=version(2, name, first), pending=version(3, name, second))
        r = rotator.refused("set", {"account": name}, current=version(3, name, second), pending=version(4, name, first))
        assert r.cls == "rejected_value"
    finally:
        db.sql("UNINSTALL SONAME 'password_reuse_check'")


def test_users_of_a_secrets_engine(db, rotator):
    name, password = "v-token-app-Abc-1", new_password()
    pending = version(1, name, password, expiration="2031-01-02 03:04:05")
    assert rotator.ok("user_create", {"statements": CREATE}, pending=pending).status == "ok"
    assert db.can_login(name, password)
    assert rotator.ok("user_create", {"statements": CREATE}, pending=pending).status == "noop"
    assert rotator.ok("user_renew", pending=pending).status == "noop"
    assert rotator.ok("user_revoke", pending=version(1, name, None)).status == "ok"
    assert rotator.ok("user_revoke", pending=version(1, name, None)).status == "noop"
    assert not db.can_login(name, password)


def test_creation_that_was_cut_short_is_completed(db, rotator):
    name, password = "v-half-1", new_password()
    db.sql(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'another-1'")
    pending = version(1, name, password)
    assert rotator.ok("user_create", {"statements": CREATE}, pending=pending).status == "noop"
    assert db.can_login(name, password)
    assert any("shop" in row[0] for row in db.sql(f"SHOW GRANTS FOR '{name}'@'%'"))
    broken = [*CREATE, "GRANT SELECT ON"]
    assert rotator.refused("user_create", {"statements": broken}, pending=version(1, "v-half-2", password)).cls == "permanent"
    assert rotator.refused("user_create", pending=pending).message == "empty creation statements"


def pieces(text, n=4):
    return {text[i:i + n] for i in range(len(text) - n + 1)}


def test_a_statement_that_cannot_be_read_tells_no_piece_of_the_password(rotator):
    """Servers quote what they stumble over."""
    for password in "12Ab-Cd34-Ef56-Gh78", "Ab12Cd34-Ef56Gh78", "Ab 12Cd34 Ef56Gh78":
        for text in ("CREATE USER '{{name}}'@'%' IDENTIFIED BY {{password}}", "SELECT {{password}}", "SELECT 1 FROM {{password}}"):
            r = rotator.refused("user_create", {"statements": [text]}, pending=version(1, "v-broken-1", password))
            assert r.cls == "permanent" and "error" in r.message
            told = r.message + r.err
            assert not [p for p in pieces(password) if p in told], r


def test_login_and_urls(db, rotator):
    rotator.ok("login")
    place = f"tcp({db.host}:{db.port})"
    for url in (f"{{{{username}}}}:{{{{password}}}}@{place}/", f"{{{{username}}}}:{{{{password}}}}@{place}/shop?tls=false&parseTime=true",
                f"somebody:else/x@{place}/", f"u:p@unix({db.socket})/"):
        Rotator("mysql", {"connection_url": url}, rotator.admin).ok("login")
    for url in ("u:p@nothing", f"u:hunter22@udp({db.host})/", f"u:p@tcp({db.host}:99999)/", f"u:p@{place}/?tls=perhaps"):
        r = Rotator("mysql", {"connection_url": url}, rotator.admin).refused("login")
        assert r.cls == "permanent" and "hunter22" not in r.out
    rotator.admin["password"] = "not-the-password"
    assert rotator.refused("login").cls == "auth"


def test_a_probe_tells_unknown_from_invalid(db, rotator, account):
    name, password = account
    members = {"current": version(1, name, password), "pending": version(2, name, "wrong-value-1")}
    assert rotator.ok("probe", **members).probe == ("valid", "invalid", None)
    assert rotator.ok("probe", {"database": "nowhere"}, **members).probe == ("valid", "invalid", None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        config = {"account": name, "port": closed.getsockname()[1]}
        assert rotator.ok("probe", config, **members).probe == ("unknown", "unknown", None)
        for op in ("set", "test", "revert", "login"):
            assert rotator.refused(op, config, **members).cls == "retryable", op
    assert rotator.ok("probe", current=version(1, "nobody", password)).probe == ("invalid", None, None)


def test_lockouts_are_not_wrong_values(db, rotator, account):
    """max_password_errors is 5: each probe of one wrong value costs one."""
    name, password = account
    wrong = version(2, name, "wrong-value-1")
    for _ in range(5):
        assert rotator.ok("probe", pending=wrong, current=wrong, previous=wrong).probe == ("invalid",) * 3
    assert rotator.ok("probe", pending=version(1, name, password)).probe == (None, "unknown", None)
    own = Rotator("mysql", rotator.config)
    r = own.refused("set", {"account": name}, current=version(1, name, password), pending=version(2, name, new_password()))
    assert r.cls == "auth"
    db.sql("FLUSH PRIVILEGES")
    assert rotator.ok("probe", pending=version(1, name, password)).probe == (None, "valid", None)


def test_the_deadline_ends_a_call(rotator, account):
    name, password = account
    with socket.create_server(("127.0.0.1", 0)) as mute:
        config = {"port": mute.getsockname()[1]}
        answer = rotator.call("probe", config, deadline_ms=700, current=version(1, name, password))
        assert answer.exit != 0 or answer.probe == ("unknown", None, None)


def test_statements_of_ones_own(db, rotator, account):
    name, old = account
    new = new_password()
    config = {"account": name, "statements": ["ALTER USER '{{username}}'@'%' IDENTIFIED BY '{{password}}'"]}
    rotator.ok("set", config, current=version(1, name, old), pending=version(2, name, new))
    assert db.can_login(name, new)
    r = rotator.refused("set", config, current=version(2, name, new), pending=version(3, name, "x'; DROP DATABASE shop; -- "))
    assert r.cls == "rejected_value"


def test_a_url_does_not_outdo_the_rest_about_tls(db, rotator):
    url = f"tcp({db.host}:{db.port})/?tls=false"
    Rotator("mysql", {"connection_url": url, "tls": False}, rotator.admin).ok("login")
    r = Rotator("mysql", {"connection_url": url, "tls": True}, rotator.admin).refused("login")
    assert r.cls == "permanent" and "disagree about TLS" in r.message


def test_tls():
    with MariaDB(tls=True) as db:
        config = {"host": "127.0.0.1", "port": db.port}
        db.sql("CREATE USER tls@'%' IDENTIFIED BY 'pw-1234567' REQUIRE SSL")
        user = {"username": "tls", "password": "pw-1234567"}
        for more in ({"tls": "skip-verify"}, {"ca": db.ca.read_text()}, {}, {"sslmode": "prefer"}):
            Rotator("mysql", {**config, **more}, user).ok("login")
        assert Rotator("mysql", {**config, "tls": False}, user).refused("login").cls == "auth"
        r = Rotator("mysql", {**config, "tls": True}, user).refused("login")
        assert "certificate" in r.message.lower() or "tls" in r.message.lower() or "ssl" in r.message.lower(), r
    with MariaDB() as db:
        config = {"host": "127.0.0.1", "port": db.port}
        Rotator("mysql", config, db.admin).ok("login")
        assert Rotator("mysql", {**config, "sslmode": "require"}, db.admin).refused("login").cls == "permanent"
