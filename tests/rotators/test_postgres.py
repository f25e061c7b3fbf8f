# SPDX-License-Identifier: Apache-2.0
"""vault-rotator-postgres against a real server."""
import socket
import threading

import pytest

from databases import Postgres
from rotator import Rotator, new_password, version

pytestmark = pytest.mark.skipif(not Postgres.available, reason="PostgreSQL is not installed")

CREATE = ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}';"
          "GRANT SELECT ON ALL TABLES IN SCHEMA public TO \"{{name}}\";"]


@pytest.fixture(scope="module")
def db():
    with Postgres(settings=["shared_preload_libraries=passwordcheck"]) as server:
        server.sql("CREATE TABLE t (n int)")
        yield server


@pytest.fixture
def rotator(db):
    return Rotator("postgres", {"host": db.host, "port": db.port, "database": "postgres"}, dict(db.admin))


@pytest.fixture
def account(db):
    """A new account: (name, password)."""
    return make_account(db)


def make_account(db, name=None, options="LOGIN"):
    make_account.n = getattr(make_account, "n", 0) + 1
    name, password = name or f"app{make_account.n}", new_password()
    quoted = '"' + name.replace('"', '""') + '"'
    db.sql(f"CREATE ROLE {quoted} {options} PASSWORD '{password}'")
    return name, password


def test_describe(rotator):
    d = rotator.ok("describe").json["describe"]
    assert d["strategies"] == ["single", "dual_user"] and d["overlap"] is True and d["needs_admin"] is False
    assert set(d["ops"]) == {"describe", "probe", "set", "test", "retire", "revert", "login", "user_create", "user_renew",
                             "user_revoke"}
    assert d["per_secret"] == ["retire"]
    assert {"host", "sslmode", "retire", "statements"} < set(d["config"]) and "ssl_mode" not in d["config"]
    assert d["value"]["min"] <= 16 and d["value"]["max"] >= 99


def test_one_account_by_an_administrator(db, rotator, account):
    name, old = account
    new = new_password()
    members = {"config": {"account": name}, "current": version(1, name, old), "pending": version(2, name, new)}
    assert rotator.ok("probe", **members).probe == ("valid", "invalid", None)
    rotator.ok("set", **members)
    rotator.ok("set", **members)
    assert not db.can_login(name, old) and db.can_login(name, new)
    rotator.ok("test", **members)
    assert rotator.ok("probe", **members).probe == ("invalid", "valid", None)
    assert rotator.ok("retire", **members, previous=version(1, name, old)).status == "noop"
    rotator.ok("revert", **members)
    assert db.can_login(name, old) and not db.can_login(name, new)


def test_an_account_changes_its_own_password(db, rotator, account):
    name, old = account
    new = new_password()
    rotator.admin = None
    members = {"config": {"account": name}, "current": version(1, name, old), "pending": version(2, name, new)}
    assert rotator.ok("set", **members).status == "ok"
    assert rotator.ok("set", **members).status == "noop"  # as after a reply that was lost
    assert db.can_login(name, new)
    assert rotator.ok("revert", **members).status == "ok"
    assert rotator.ok("revert", **members).status == "noop"
    assert db.can_login(name, old)
    other = version(2, name, new_password())
    wrong = rotator.refused("set", config={"account": name}, current=version(1, name, "wrong-value"), pending=other)
    assert wrong.cls == "auth"


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
    assert rotator.ok("retire", config={"accounts": [a, b]}, current=version(2, b, new)).status == "noop"


def test_retired_accounts_are_kept_or_disabled_as_configured(db, rotator):
    (a, a_old), (b, b_old) = make_account(db), make_account(db)
    members = {"current": version(2, b, b_old), "previous": version(1, a, a_old)}
    assert rotator.ok("retire", config={"accounts": [a, b], "retire": "keep"}, **members).status == "noop"
    assert db.can_login(a, a_old)
    config = {"accounts": [a, b], "retire": "disable"}
    rotator.ok("retire", config=config, **members)
    assert not db.can_login(a, a_old)
    new = new_password()
    rotator.ok("set", config=config, current=version(2, b, b_old), pending=version(3, a, new))
    assert db.can_login(a, new), "set lets a disabled account in again"
    assert rotator.refused("retire", config={"accounts": [a, b], "retire": "burn"}, **members).cls == "permanent"


def test_only_configured_accounts_are_touched(db, rotator, account):
    name, old = account
    victim, victim_old = make_account(db)
    pending = version(2, victim, new_password())
    for config in ({"account": name}, {}, {"accounts": [name, "other"]}):
        r = rotator.refused("set", config=config, current=version(1, name, old), pending=pending)
        assert r.cls == "permanent"
    r = rotator.refused("retire", config={"accounts": [name, "other"]}, current=version(1, name, old),
                        previous=version(1, victim, victim_old))
    assert r.cls == "permanent"
    assert db.can_login(victim, victim_old)


def test_what_is_in_use_is_not_touched(db, rotator):
    (a, a_old), (b, b_old) = make_account(db), make_account(db)
    config = {"accounts": [a, b]}
    assert rotator.refused("set", config=config, current=version(1, a, a_old), pending=version(2, a, new_password())).cls == "permanent"
    assert rotator.refused("retire", config=config, current=version(1, a, a_old), previous=version(0, a, a_old)).cls == "permanent"
    assert rotator.refused("retire", config=config, current=version(1, a, a_old), previous=version(0, a, "older-value")).cls == "permanent"
    assert db.can_login(a, a_old) and db.can_login(b, b_old)


def test_names_that_need_quotes(db, rotator):
    name, old = make_account(db, 'we"ird\'; DROP TABLE t; --')
    new = "p'w\"\\;$$" + new_password()
    rotator.ok("set", config={"account": name}, current=version(1, name, old), pending=version(2, name, new))
    rotator.ok("test", config={"account": name}, pending=version(2, name, new))
    assert db.sql("SELECT count(*) FROM t") == [["0"]]


def test_passwords_stay_out_of_the_servers_log(db, rotator, account):
    name, old = account
    new, made = new_password(), new_password()
    rotator.ok("set", config={"account": name}, current=version(1, name, old), pending=version(2, name, new))
    rotator.ok("user_create", config={"statements": CREATE},
               pending=version(1, "v-log-1", made, expiration="2031-01-02 03:04:05+0000"))
    log = db.log()
    assert f"ALTER ROLE \"{name}\"" in log and "SCRAM-SHA-256$" in log
    assert new not in log and made not in log


def test_a_role_with_statements_of_ones_own(db, rotator, account):
    name, old = account
    new = new_password()
    config = {"account": name, "statements": ["ALTER USER \"{{ username }}\" WITH PASSWORD '{{password}}'", " ; "]}
    rotator.ok("set", config=config, current=version(1, name, old), pending=version(2, name, new))
    assert db.can_login(name, new)
    verifier = dict(config, password_authentication="scram-sha-256")
    newer = new_password()
    rotator.ok("set", config=verifier, current=version(2, name, new), pending=version(3, name, newer))
    assert db.can_login(name, newer)
    for bad in ("x'; DROP TABLE t; --", "a$$b", "back\\slash"):
        r = rotator.refused("set", config=config, current=version(3, name, newer), pending=version(4, name, bad))
        assert r.cls == "rejected_value"
    half = dict(config, statements=["ALTER USER \"{{name}}\" WITH PASSWORD '{{password}}'", "SELECT 1/0"])
    r = rotator.refused("set", config=half, current=version(3, name, newer), pending=version(4, name, new_password()))
    assert r.cls == "permanent" and "22012" in r.message
    assert db.can_login(name, newer), "all statements or none"


def test_refused_passwords(rotator, account):
    """passwordcheck sees plain passwords in the operator's statements alone."""
    name, old = account
    config = {"account": name, "statements": ["ALTER USER \"{{name}}\" WITH PASSWORD '{{password}}'"]}
    r = rotator.refused("set", config=config, current=version(1, name, old), pending=version(2, name, "onlyletters"))
    assert r.cls == "rejected_value" and "22023" in r.message


def test_users_of_a_secrets_engine(db, rotator):
    name, password = "v-token-app-Abc-1", new_password()
    pending = version(1, name, password, expiration="2031-01-02 03:04:05+0000")
    assert rotator.ok("user_create", config={"statements": CREATE}, pending=pending).status == "ok"
    assert db.can_login(name, password)
    assert db.sql(f"SELECT has_table_privilege('{name}', 't', 'SELECT')") == [["t"]]
    assert rotator.ok("user_create", config={"statements": CREATE}, pending=pending).status == "noop"
    later = version(1, name, None, expiration="2032-01-02 03:04:05+0000")
    rotator.ok("user_renew", pending=later)
    assert db.sql(f"SELECT rolvaliduntil = '2032-01-02 03:04:05+0000' FROM pg_roles WHERE rolname = '{name}'") == [["t"]]
    assert rotator.ok("user_revoke", pending=version(1, name, None)).status == "ok"
    assert rotator.ok("user_revoke", pending=version(1, name, None)).status == "noop"
    assert db.sql(f"SELECT count(*) FROM pg_roles WHERE rolname = '{name}'") == [["0"]]


def test_creation_is_whole_or_not(db, rotator):
    broken = [*CREATE, "GRANT SELECT ON nothing TO \"{{name}}\""]
    pending = version(1, "v-half-1", new_password(), expiration="2031-01-02 03:04:05+0000")
    assert rotator.refused("user_create", config={"statements": broken}, pending=pending).cls == "permanent"
    assert db.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'v-half-1'") == [["0"]]
    assert rotator.refused("user_create", pending=pending).message == "empty creation statements"
    unknown = ["CREATE ROLE \"{{name}}\" PASSWORD '{{passwort}}'"]
    assert "passwort" in rotator.refused("user_create", config={"statements": unknown}, pending=pending).message


def pieces(text, n=4):
    return {text[i:i + n] for i in range(len(text) - n + 1)}


def test_a_statement_that_cannot_be_read_tells_no_piece_of_the_password(rotator):
    """Servers quote what they stumble over."""
    for password in "12Ab-Cd34-Ef56-Gh78", "Ab12Cd34-Ef56Gh78", "Ab 12Cd34 Ef56Gh78":
        for text in ("CREATE ROLE \"{{name}}\" LOGIN PASSWORD {{password}}", "SELECT {{password}}", "SELECT '{{password}}'::int"):
            r = rotator.refused("user_create", {"statements": [text]}, pending=version(1, "v-broken-1", password))
            assert r.cls == "permanent" and "SQLSTATE" in r.message
            told = r.message + r.err
            assert not [p for p in pieces(password) if p in told], r


def test_the_engine_leaves_alone_who_acts_and_superusers(db, rotator):
    for op, more in (("user_create", {"config": {"statements": CREATE}}), ("user_revoke", {})):
        for name in (rotator.admin["username"], "postgres"):
            pending = version(1, name, new_password(), expiration="2031-01-02 03:04:05+0000")
            assert rotator.refused(op, pending=pending, **more).cls == "permanent"
    assert db.can_login(**rotator.admin)


def test_who_may_only_make_roles_takes_them_away_again(db, rotator):
    """What others own in the schema is none of its business."""
    make_account(db, "roles_only", "LOGIN CREATEROLE")
    db.sql("ALTER ROLE roles_only PASSWORD 'roles-only-1'")
    rotator.admin = {"username": "roles_only", "password": "roles-only-1"}
    name, password = "v-roles-1", new_password()
    made = {"statements": ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}'"]}
    assert rotator.ok("user_create", made, pending=version(1, name, password)).status == "ok"
    assert rotator.ok("user_revoke", pending=version(1, name, None)).status == "ok"
    assert rotator.ok("user_revoke", pending=version(1, name, None)).status == "noop"


def test_many_at_once_do_not_refuse_each_other(db, rotator):
    """All of them change the rights to the same table."""
    users = [(f"v-many-{n}", new_password()) for n in range(8)]

    def all_at_once(op, **config):
        calls = [threading.Thread(target=lambda u: said.append(rotator.call(
            op, config, pending=version(1, *u, expiration="2031-01-02 03:04:05"))), args=(u,)) for u in users]
        said = []
        for c in calls:
            c.start()
        for c in calls:
            c.join()
        assert [a.status for a in said] == ["ok"] * len(users), said

    all_at_once("user_create", statements=CREATE)
    all_at_once("user_revoke")


def test_a_role_that_cannot_be_dropped_lets_nobody_in(db, rotator):
    name, password = "v-owner-1", new_password()
    rotator.ok("user_create", {"statements": CREATE}, pending=version(1, name, password, expiration="2031-01-02 03:04:05"))
    db.sql(f'CREATE TABLE theirs (n int); ALTER TABLE theirs OWNER TO "{name}"')
    assert db.can_login(name, password)
    r = rotator.refused("user_revoke", pending=version(1, name, None))
    assert r.cls == "permanent" and "cannot be dropped" in r.message
    assert not db.can_login(name, password)
    db.sql("DROP TABLE theirs")
    assert rotator.ok("user_revoke", pending=version(1, name, None)).status == "ok"


def test_login(rotator):
    rotator.ok("login")
    rotator.admin["password"] = "not-the-password"
    assert rotator.refused("login").cls == "auth"


def test_a_connection_url_names_no_account(db, rotator, account):
    name, password = account
    base = f"@{db.host}:{db.port}/postgres"
    for userinfo in ("{{username}}:{{password}}", "somebody:else"):
        for query in ("", "?sslmode=disable", "?sslmode=prefer&connect_timeout=5"):
            url = Rotator("postgres", {"connection_url": f"postgresql://{userinfo}{base}{query}"}, rotator.admin)
            url.ok("login")
    words = f"host={db.host} port={db.port} user={{{{username}}}} password={{{{password}}}} dbname=postgres"
    Rotator("postgres", {"connection_url": words}, rotator.admin).ok("login")
    for query in ("?passfile=/etc/passwd", "?service=x", "?options=-csearch_path%3Dx"):
        r = Rotator("postgres", {"connection_url": f"postgresql://x{base}{query}"}, rotator.admin).refused("login")
        assert r.cls == "permanent"
    r = Rotator("postgres", {"connection_url": f"postgresql://a:hunter22{base}?nonsense=1"}, rotator.admin).refused("login")
    assert r.cls == "permanent" and "hunter22" not in r.out


def test_a_probe_tells_unknown_from_invalid(db, rotator, account):
    name, password = account
    members = {"current": version(1, name, password), "pending": version(2, name, "wrong-value-1")}
    assert rotator.ok("probe", **members).probe == ("valid", "invalid", None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        assert rotator.ok("probe", {"port": closed.getsockname()[1]}, **members).probe == ("unknown", "unknown", None)
    no_host = rotator.ok("probe", {"host": "name.invalid"}, deadline_ms=8000, **members)
    assert no_host.probe == ("unknown", "unknown", None)
    assert rotator.ok("probe", current=version(1, "nobody", password)).probe == ("invalid", None, None)
    db.sql(f"ALTER ROLE \"{name}\" CONNECTION LIMIT 0")
    assert rotator.ok("probe", **members).probe == ("unknown", "invalid", None)
    db.sql(f"ALTER ROLE \"{name}\" CONNECTION LIMIT -1")
    # right, though there is no such database; and no password tells that of a wrong one
    members = {"config": {"database": "nowhere"}, **members}
    assert rotator.ok("probe", **members).probe == ("valid", "invalid", None)


def logins(db, name):
    return db.log().count(f"password authentication failed for user \"{name}\"")


def test_a_probe_tries_each_value_once(db, rotator, account):
    name, _ = account
    wrong = version(2, name, "wrong-value-1")
    for config in ({}, {"sslmode": "prefer"}, {"sslmode": "disable"}):
        for others in (["current", "previous"], ["current"], ["previous"]):
            before = logins(db, name)
            rotator.ok("probe", config, pending=wrong, **dict.fromkeys(others, wrong))
            # the log has a line and its detail, which does not repeat the text
            assert logins(db, name) == before + 1


def test_a_server_that_trusts_proves_nothing(db, rotator, account):
    name, _ = account
    socket_host = {"host": str(db.dir)}
    assert rotator.ok("probe", socket_host, pending=version(1, name, "anything")).probe == (None, "unknown", None)
    r = rotator.refused("test", {**socket_host, "account": name}, pending=version(1, name, "anything"))
    assert r.cls == "permanent"


def test_the_deadline_ends_a_call(rotator, account):
    """A server that takes the connection and says nothing: the outcome is unknown, and soon."""
    name, password = account
    with socket.create_server(("127.0.0.1", 0)) as mute:
        config = {"port": mute.getsockname()[1]}
        answer = rotator.call("probe", config, deadline_ms=700, current=version(1, name, password))
        assert answer.exit != 0 or answer.probe == ("unknown", None, None)
        answer = rotator.call("login", config, deadline_ms=700)
        assert answer.exit != 0 or answer.cls == "retryable"


def test_a_server_that_is_down_is_retryable(rotator, account):
    name, password = account
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        config = {"account": name, "port": closed.getsockname()[1]}
        members = {"current": version(1, name, password), "pending": version(2, name, new_password())}
        for op in ("set", "test", "revert", "login"):
            assert rotator.refused(op, config, **members).cls == "retryable", op


def test_a_role_without_rights_cannot_change_others(db, account):
    name, password = account
    victim, victim_old = make_account(db)
    weak = Rotator("postgres", {"host": db.host, "port": db.port}, {"username": name, "password": password})
    r = weak.refused("set", {"account": victim}, current=version(1, victim, victim_old), pending=version(2, victim, new_password()))
    assert r.cls == "permanent" and "42501" in r.message
    assert weak.refused("set", {"account": "nobody"}, pending=version(2, "nobody", new_password())).cls == "permanent"


def test_parallel_calls_of_one_attempt_agree(db, rotator):
    name, password = "v-parallel-1", new_password()
    pending = version(1, name, password, expiration="2031-01-02 03:04:05+0000")
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(rotator.call("user_create", {"statements": CREATE}, pending=pending)))
               for _ in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert all(a.exit == 0 and (a.status in ("ok", "noop") or a.cls == "retryable") for a in answers), answers
    assert any(a.status == "ok" for a in answers) and db.can_login(name, password)


def test_a_url_does_not_outdo_the_rest_about_tls(db, rotator):
    url = f"postgresql://{db.host}:{db.port}/postgres?sslmode=disable"
    Rotator("postgres", {"connection_url": url, "sslmode": "disable"}, rotator.admin).ok("login")
    r = Rotator("postgres", {"connection_url": url, "sslmode": "verify-full"}, rotator.admin).refused("login")
    assert r.cls == "permanent" and "disagree about TLS" in r.message


def test_tls():
    with Postgres(tls=True) as db:
        config = {"host": "127.0.0.1", "port": db.port}
        tls = {"sslmode": "require"}
        Rotator("postgres", {**config, **tls}, db.admin).ok("login")
        Rotator("postgres", {**config, "ca": db.ca.read_text()}, db.admin).ok("login")
        r = Rotator("postgres", {**config, "sslmode": "verify-full"}, db.admin).refused("login")
        assert "certificate" in r.message
        before = logins(db, "nobody")
        Rotator("postgres", config).ok("probe", {"sslmode": "prefer"}, pending=version(1, "nobody", "wrong-value-1"))
        assert logins(db, "nobody") == before + 1, "sslmode=prefer does not log in twice"
