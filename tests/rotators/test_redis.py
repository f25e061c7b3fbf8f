# SPDX-License-Identifier: Apache-2.0
"""vault-rotator-redis against a real server."""
import hashlib
import socket
import threading

import pytest

from databases import Redis
from rotator import Rotator, new_password, version

pytestmark = pytest.mark.skipif(not Redis.available, reason="Redis is not installed")

RULES = ['["~app:*", "+@read"]']


@pytest.fixture(scope="module")
def db():
    with Redis() as server:
        yield server


@pytest.fixture
def rotator(db):
    return Rotator("redis", {"host": db.host, "port": db.port}, dict(db.admin))


def make_account(db, *rules):
    make_account.n = getattr(make_account, "n", 0) + 1
    name, password = f"app{make_account.n}", new_password()
    assert db.cli("ACL", "SETUSER", name, "on", ">" + password, "~*", "+@read", "+@connection", *rules) == "OK"
    return name, password


@pytest.fixture
def account(db):
    return make_account(db)


def hashes(db, name):
    lines = db.cli("ACL", "LIST").splitlines()
    line = next(line for line in lines if line.startswith(f"user {name} "))
    return {w[1:] for w in line.split() if w.startswith("#")}


def sha(password):
    return hashlib.sha256(password.encode()).hexdigest()


def test_describe(rotator):
    d = rotator.ok("describe").json["describe"]
    assert d["strategies"] == ["single", "dual_user", "dual_key"] and d["overlap"] is True


def test_one_account_by_an_administrator(db, rotator, account):
    name, old = account
    new = new_password()
    members = {"config": {"account": name}, "current": version(1, name, old), "pending": version(2, name, new)}
    assert rotator.ok("probe", **members).probe == ("valid", "invalid", None)
    rotator.ok("set", **members)
    rotator.ok("set", **members)
    assert hashes(db, name) == {sha(new)}
    rotator.ok("test", **members)
    assert rotator.ok("probe", **members).probe == ("invalid", "valid", None)
    assert rotator.ok("retire", **members, previous=version(1, name, old)).status == "noop"
    rotator.ok("revert", **members)
    assert db.can_login(name, old) and not db.can_login(name, new)


def test_an_account_changes_its_own_password(db, rotator):
    name, old = make_account(db, "+acl")
    new = new_password()
    rotator.admin = None
    members = {"config": {"account": name}, "current": version(1, name, old), "pending": version(2, name, new)}
    assert rotator.ok("set", **members).status == "ok"
    assert rotator.ok("set", **members).status == "noop"
    assert db.can_login(name, new)
    weak, weak_old = make_account(db)
    r = rotator.refused("set", {"account": weak}, current=version(1, weak, weak_old), pending=version(2, weak, new_password()))
    assert r.cls == "permanent" and "NOPERM" in r.message


def test_two_passwords_of_one_account(db, rotator, account):
    name, old = account
    new = new_password()
    config = {"account": name, "strategy": "dual_key"}
    members = {"config": config, "current": version(1, name, old), "pending": version(2, name, new)}
    rotator.ok("set", **members)
    rotator.ok("set", **members)
    rotator.ok("test", **members)
    assert rotator.ok("probe", **members).probe == ("valid", "valid", None)
    assert rotator.ok("revert", **members).status == "noop"
    retire = {"config": config, "current": version(2, name, new), "previous": version(1, name, old)}
    assert rotator.ok("retire", {**config, "retire": "keep"}, current=version(2, name, new), previous=version(1, name, old)).status == "noop"
    assert hashes(db, name) == {sha(old), sha(new)}
    assert rotator.ok("retire", **retire).status == "ok"
    assert rotator.ok("retire", **retire).status == "noop"
    assert hashes(db, name) == {sha(new)}
    r = rotator.refused("retire", config, current=version(2, name, new), previous=version(1, name, new))
    assert r.cls == "permanent" and db.can_login(name, new)


def test_two_accounts_in_turn(db, rotator):
    (a, a_old), (b, b_old) = make_account(db), make_account(db)
    new = new_password()
    config = {"accounts": [a, b], "retire": "disable"}
    rotator.ok("set", config, current=version(1, a, a_old), pending=version(2, b, new))
    assert db.can_login(a, a_old) and db.can_login(b, new) and not db.can_login(b, b_old)
    rotator.ok("retire", config, current=version(2, b, new), previous=version(1, a, a_old))
    assert not db.can_login(a, a_old)
    newer = new_password()
    rotator.ok("set", config, current=version(2, b, new), pending=version(3, a, newer))
    assert db.can_login(a, newer)
    config["retire"] = "scramble"
    rotator.ok("retire", config, current=version(3, a, newer), previous=version(2, b, new))
    assert not db.can_login(b, new)


def test_accounts_that_are_not_there_are_not_made(db, rotator):
    r = rotator.refused("set", {"account": "ghost"}, pending=version(2, "ghost", new_password()))
    assert r.cls == "permanent" and db.cli("ACL", "GETUSER", "ghost") == ""
    r = rotator.refused("set", {"account": "ghost"}, pending=version(2, "default", new_password()))
    assert r.cls == "permanent"


def test_a_user_without_a_password_proves_nothing(db, rotator):
    name, _ = make_account(db, "nopass")
    anything = version(1, name, "anything-1")
    assert rotator.ok("probe", pending=anything).probe == (None, "unknown", None)
    assert rotator.refused("test", {"account": name}, pending=anything).cls == "permanent"
    rotator.admin = None  # nobody may look: a control is tried
    assert rotator.ok("probe", pending=anything).probe == (None, "unknown", None)
    name, password = make_account(db)
    assert rotator.ok("probe", pending=version(1, name, password)).probe == (None, "valid", None)


def test_a_probe_tells_unknown_from_invalid(db, rotator, account):
    name, password = account
    members = {"current": version(1, name, password), "pending": version(2, name, "wrong-value-1")}
    assert rotator.ok("probe", **members).probe == ("valid", "invalid", None)
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        config = {"account": name, "port": closed.getsockname()[1]}
        assert rotator.ok("probe", config, **members).probe == ("unknown", "unknown", None)
        for op in ("set", "test", "revert", "login"):
            assert rotator.refused(op, config, **members).cls == "retryable", op
    db.cli("CONFIG", "SET", "maxclients", "1")
    try:
        with socket.create_connection((db.host, db.port)):
            assert rotator.ok("probe", **members).probe == ("unknown", "unknown", None)
    finally:
        db.cli("CONFIG", "SET", "maxclients", "1000")


def test_replies_that_are_no_redis(rotator, account):
    name, password = account
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            for data in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"+O", b"*1000000000\r\n"):
                conn, _ = server.accept()
                conn.recv(1000)
                conn.sendall(data)
                conn.close()

        t = threading.Thread(target=serve)
        t.start()
        for _ in range(4):
            r = rotator.refused("login", {"port": server.getsockname()[1]})
            assert r.cls == "retryable", r
        t.join()


def test_the_deadline_ends_a_call(rotator, account):
    name, password = account
    with socket.create_server(("127.0.0.1", 0)) as mute:
        answer = rotator.call("probe", {"port": mute.getsockname()[1]}, deadline_ms=700, current=version(1, name, password))
        assert answer.exit != 0 or answer.probe == ("unknown", None, None)


def test_users_of_a_secrets_engine(db, rotator):
    for statements in (RULES, ["~app:* +@read", "+ping"]):
        name, password = "v-token-app-Abc-1", new_password()
        pending = version(1, name, password, expiration="2031-01-02 03:04:05")
        assert rotator.ok("user_create", {"statements": statements}, pending=pending).status == "ok"
        assert rotator.ok("user_create", {"statements": statements}, pending=pending).status == "noop"
        assert db.can_login(name, password)
        assert rotator.ok("probe", pending=pending).probe == (None, "valid", None)
        assert rotator.ok("user_renew", pending=pending).status == "noop"
        assert rotator.ok("user_revoke", pending=version(1, name, None)).status == "ok"
        assert rotator.ok("user_revoke", pending=version(1, name, None)).status == "noop"
        assert rotator.ok("probe", pending=pending).probe == (None, "invalid", None)


def test_rules_may_not_open_another_way_in(db, rotator):
    pending = version(1, "v-bad-1", new_password())
    for rule in ('["nopass"]', '["+@all", ">other"]', "#" + "0" * 64, "NoPass", "resetpass", "[1]", "[", '{"a": 1}'):
        assert rotator.refused("user_create", {"statements": [rule]}, pending=pending).cls == "permanent", rule
    assert rotator.refused("user_create", pending=pending).message == "empty creation statements"
    assert db.cli("ACL", "GETUSER", "v-bad-1") == ""


def test_changes_are_written_down_if_that_is_wanted(db, rotator, account):
    name, old = account
    new, newer = new_password(), new_password()
    rotator.ok("set", {"account": name}, current=version(1, name, old), pending=version(2, name, new))
    assert sha(new) not in db.acl_file.read_text()
    config = {"account": name, "persistence_mode": "ACLFILE"}
    rotator.ok("set", config, current=version(2, name, new), pending=version(3, name, newer))
    assert sha(newer) in db.acl_file.read_text()
    db.restart(kill=True)
    assert db.can_login(name, newer)
    config["persistence_mode"] = "DISK"
    assert rotator.refused("set", config, current=version(3, name, newer), pending=version(3, name, newer)).cls == "permanent"


def test_urls(db, rotator):
    for url in (f"redis://{db.host}:{db.port}", f"redis://a:b@{db.host}:{db.port}/0"):
        Rotator("redis", {"connection_url": url}, rotator.admin).ok("login")
    for url in (f"http://{db.host}:{db.port}", "redis://h:99999", "redis://"):
        assert Rotator("redis", {"connection_url": url}, rotator.admin).refused("login").cls == "permanent"
    rotator.admin["password"] = "not-the-password"
    assert rotator.refused("login").cls == "auth"


def test_a_url_and_the_rest_agree_about_tls(db, rotator):
    r = Rotator("redis", {"connection_url": f"rediss://{db.host}:{db.port}", "tls": False}, rotator.admin).refused("login")
    assert r.cls == "permanent" and "disagree about TLS" in r.message


def test_tls():
    with Redis(tls=True) as db:
        config = {"host": "127.0.0.1", "port": db.port}
        for more in ({"tls": True, "ca": db.ca.read_text()}, {"ca_cert": db.ca.read_text()}, {"tls": True, "insecure_tls": True}):
            Rotator("redis", {**config, **more}, db.admin).ok("login")
        r = Rotator("redis", {**config, "tls": True}, db.admin).refused("login")
        assert "verify" in r.message
        r = Rotator("redis", {**config, "host": "127.0.0.2", "ca": db.ca.read_text()}, db.admin).refused("login")
        assert r.cls in ("permanent", "retryable")
        url = f"rediss://127.0.0.1:{db.port}"
        Rotator("redis", {"connection_url": url, "ca": db.ca.read_text()}, db.admin).ok("login")
        assert Rotator("redis", config, db.admin).refused("login").cls == "retryable"
