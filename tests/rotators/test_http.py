# SPDX-License-Identifier: Apache-2.0
"""vault-rotator-http against a service with API keys and passwords."""
import base64
import copy
import hashlib
import json
import signal
import socket
import subprocess

import pytest

from databases import self_signed
from keyservice import KeyService, key_config, user_config
from rotator import ATTEMPT, Rotator, new_password, version
from test_check import passes
from vaultd import BIN

pytestmark = pytest.mark.skipif(not (BIN / "vault-rotator-http").exists(), reason="not built")


@pytest.fixture
def service():
    with KeyService() as s:
        yield s


@pytest.fixture
def rotator(service):
    return Rotator("http", key_config(service), {"token": service.token})


def holding(n, fields):
    return {"version": n, "fields": fields}


def create(rotator, **members):
    answer = rotator.ok("create", **members)
    assert set(answer.json["fields"]) == {"api_key", "key_id"}
    assert answer.json["fields"]["api_key"] not in answer.err
    return answer.json["fields"]


def changed(rotator, *path, to):
    """The rotator with one member of its configuration changed, or taken out (None)."""
    other = Rotator("http", copy.deepcopy(rotator.config), rotator.admin)
    at = other.config
    for name in path[:-1]:
        at = at[name]
    if to is None:
        at.pop(path[-1], None)
    else:
        at[path[-1]] = to
    return other


def test_describe(rotator):
    d = rotator.ok("describe").json["describe"]
    assert d["strategies"] == ["single", "dual_user", "dual_key"] and d["overlap"] is True and d["per_secret"] == ["vars"]
    assert set(d["ops"]) == {"describe", "create", "probe", "set", "test", "retire", "revert", "login"}


# --- keys that the service makes -----------------------------------------------------------


def test_from_one_key_to_the_next(service, rotator):
    old = create(rotator, attempt="a" * 32)
    new = create(rotator)
    assert service.keys[int(new["key_id"])]["name"] == f"vaultd-{ATTEMPT}"
    rotator.ok("test", pending=holding(2, new))
    assert rotator.ok("probe", current=holding(1, old), pending=holding(2, new)).probe == ("valid", "valid", None)
    done = {"current": holding(2, new), "previous": holding(1, old)}
    assert rotator.ok("retire", **done).status == "ok"
    assert rotator.ok("retire", **done).status == "noop"
    assert rotator.ok("probe", **done).probe == ("valid", None, "invalid")
    assert not service.can_login(old["api_key"]) and service.can_login(new["api_key"])
    r = rotator.refused("test", pending=holding(2, old))
    assert r.cls == "permanent" and "refuses the new value" in r.message
    assert rotator.ok("revert", **done).status == "noop"
    assert rotator.ok("login").status == "ok"


def test_a_second_call_leaves_one_key(service, rotator):
    first, second = create(rotator), create(rotator)
    assert not service.can_login(first["api_key"]) and service.can_login(second["api_key"])
    assert len(service.keys) == 1


def test_a_reply_that_is_lost(service, rotator):
    service.next_replies = [{"status": 200, "body": {"keys": []}}, {"done": True, "drop": True}]
    assert rotator.refused("create").cls == "retryable"
    assert len(service.keys) == 1  # made, and nobody has it
    made = create(rotator)
    assert [k["key"] for k in service.keys.values()] == [made["api_key"]]


def test_an_attempt_that_is_taken_back(service, rotator):
    old = create(rotator, attempt="a" * 32)
    new = create(rotator)
    assert rotator.ok("retire", current=holding(1, old), previous=holding(2, new)).status == "ok"
    lost = create(rotator)
    assert rotator.ok("retire", current=holding(1, old), previous=holding(2, old)).status == "ok"
    assert service.can_login(old["api_key"]) and not service.can_login(new["api_key"]) and not service.can_login(lost["api_key"])
    assert rotator.ok("retire", current=holding(1, old), previous=holding(2, old)).status == "noop"


def test_what_was_there_before_the_first_key(service, rotator):
    new = create(rotator)
    by_hand = service.new_key("orders", "by hand")
    for previous in {"note": "x"}, {"api_key": "none yet"}:
        assert rotator.ok("retire", current=holding(2, new), previous=holding(1, previous)).status == "noop"
    # One that works and cannot be ended: that has to be told.
    r = rotator.refused("retire", current=holding(2, new), previous=holding(1, {"api_key": by_hand["key"]}))
    assert r.cls == "permanent" and "previous.key_id" in r.message and len(service.keys) == 2


def test_no_more_keys_than_there_is_room_for(service, rotator):
    service.new_key("orders", "by hand"), service.new_key("orders", f"not-vaultd-{ATTEMPT}")
    r = rotator.refused("create")
    assert r.cls == "retryable" and r.message == "create: the target answered 409: too many keys"
    assert len(service.keys) == 2


def test_a_request_to_wait(service, rotator):
    service.next_replies = [{"status": 429, "headers": {"Retry-After": "7"}}]
    r = rotator.refused("create")
    assert r.cls == "retryable" and r.json["retry_after_ms"] == 7000
    service.next_replies = [{"status": 503}]
    assert "retry_after_ms" not in rotator.refused("login").json


def test_second_calls_have_to_be_safe(service, rotator):
    find = ("requests", "create", "find")
    for path, value, why in ((find, None, "no 'find'"), ((*find, "match"), {}, "{{attempt}}"), ((*find, "match"), {"/name": "x"}, "{{attempt}}"),
                             ((*find, "delete"), None, "'delete'"), ((*find, "list"), "/nothing", "no list"),
                             ((*find, "fields"), {"id": "/nothing"}, "no text for 'id'")):
        service.keys.clear()
        service.new_key("orders", f"vaultd-{ATTEMPT}")
        r = changed(rotator, *path, to=value).refused("create")
        assert r.cls == "permanent" and why in r.message, r
        assert len(service.keys) == 1
    safe = changed(changed(rotator, *find, to=None), "requests", "create", "idempotent", to=True)
    create(safe)


def test_what_is_made_is_taken_whole(service, rotator):
    for fields in {"api_key": "/nothing"}, {"api_key": ""}, {"api_key": 7}, {}:
        r = changed(rotator, "requests", "create", "fields", to=fields).refused("create")
        assert r.cls == "permanent" and "fields" not in r.json, r


def test_strategies_do_not_mix(service, rotator):
    assert rotator.refused("set", pending=version(2, "orders", "x")).cls == "permanent"
    assert rotator.refused("create", {"strategy": "single"}).cls == "permanent"


# --- passwords -----------------------------------------------------------------------------


@pytest.fixture
def users(service):
    service.users.update(app=new_password(), app2=new_password())
    return Rotator("http", user_config(service, account="app"), {"token": service.token})


def test_one_account(service, users):
    old, new = service.users["app"], new_password()
    members = {"current": version(1, "app", old), "pending": version(2, "app", new)}
    assert users.ok("probe", **members).probe == ("valid", "invalid", None)
    assert users.ok("set", **members).status == "ok" and users.ok("set", **members).status == "ok"
    users.ok("test", **members)
    assert users.ok("probe", **members).probe == ("invalid", "valid", None)
    assert users.ok("retire", **members, previous=version(1, "app", old)).status == "noop"
    users.ok("revert", **members)
    assert service.users["app"] == old
    r = users.refused("test", **members)
    assert r.cls == "permanent" and "refuses" in r.message


def test_two_accounts_in_turn(service, users):
    config = {**users.config, "accounts": ["app", "app2"]}
    del config["account"]
    config["requests"]["retire"] = {**config["requests"]["set"], "url": "/v1/users/{{previous.username}}", "body": {"password": "-{{attempt}}-"}}
    both = Rotator("http", config, users.admin)
    old, new = service.users["app"], new_password()
    both.ok("set", current=version(1, "app", old), pending=version(2, "app2", new))
    assert service.users == {"app": old, "app2": new}
    both.ok("retire", current=version(2, "app2", new), previous=version(1, "app", old))
    assert service.users["app"] != old
    assert both.refused("retire", current=version(2, "app2", new), previous=version(1, "app2", old)).cls == "permanent"
    assert both.refused("set", current=version(1, "app", old), pending=version(2, "app", new)).cls == "permanent"
    assert service.users["app2"] == new


def test_an_account_changes_its_own_password(service, users):
    """A second set is refused by the service, since the old password is dead: it is done already."""
    users.config["requests"]["set"].pop("headers")
    users.config["requests"]["set"]["basic"] = {"username": "{{current.username}}", "password": "{{current.password}}"}
    users.admin = None
    members = {"current": version(1, "app", service.users["app"]), "pending": version(2, "app", new_password())}
    assert users.ok("set", **members).status == "ok"
    assert users.ok("set", **members).status == "noop"
    users.ok("revert", **members)
    assert service.users["app"] == members["current"]["fields"]["password"]
    wrong = {**members, "current": version(1, "app", "wrong-password")}
    assert users.refused("set", **wrong).cls == "auth"


def test_only_accounts_of_the_configuration(service, users):
    before = dict(service.users)
    for op, members in (("set", {"pending": version(2, "app2", "x-y-z-1")}), ("revert", {"current": version(1, "app2", "x-y-z-1")})):
        assert users.refused(op, **members).cls == "permanent"
    assert service.users == before


def test_a_value_that_is_refused(service, users):
    weak = "weak-" + new_password()
    r = users.refused("set", current=version(1, "app", service.users["app"]), pending=version(2, "app", weak))
    assert r.cls == "rejected_value" and weak not in r.message and "is too weak" in r.message


HOSTILE = 'a"b\\c&d=e%f+g /../?#<>\'{{attempt}}ü'


@pytest.mark.parametrize("form", [False, True, "json text"])
def test_values_stay_within_their_place(service, users, form):
    service.users['x/../y?z"'] = "old-password"
    users.config["account"] = 'x/../y?z"'
    if form:
        users.config["requests"]["set"]["headers"]["Content-Type"] = "application/json" if form == "json text" else "application/x-www-form-urlencoded"
        users.config["requests"]["set"]["body"] = '{"password": "{{pending.password}}"}' if form == "json text" else "a=b&password={{pending.password}}"
    members = {"current": version(1, 'x/../y?z"', "old-password"), "pending": version(2, 'x/../y?z"', HOSTILE)}
    users.ok("set", **members)
    assert service.users['x/../y?z"'] == HOSTILE
    users.config["requests"]["probe"]["basic"]["username"] = "{{credential.username}}"
    users.ok("test", **members)


def test_values_that_fit_nowhere(service, users):
    for name in ".", "..":
        users.config["account"] = name
        r = users.refused("set", pending=version(2, name, "some-password"))
        assert r.cls == "permanent" and "may not stand" in r.message
    assert service.requests == []


# --- requests that make no sense -----------------------------------------------------------


@pytest.mark.parametrize("member, value, why", [
    ("url", None, "'url' is missing"), ("url", "v1/whoami", "not http(s)"), ("url", "https://{{account}}/x", "before the path"),
    ("url", "https://a@127.0.0.1/", "none of https"), ("url", "ftp://127.0.0.1/", "none of https"), ("url", "http://192.0.2.1/", "this machine alone"),
    ("url", "/{{nothing}}", "unknown"), ("url", "/{{admin.nothing}}", "there is none"), ("url", "/{{", "without a name"),
    ("method", "get", "capitals"), ("method", 7, "capitals"), ("headers", [], "no object"), ("headers", {"a b": "c"}, "is none"),
    ("headers", {"a": "b\r\nc: d"}, "is none"), ("headers", {"Host": "x"}, "not yours"), ("body", "x", "Content-Type"),
    ("basic", {}, "'basic'"), ("classes", {"4xx": "nonsense"}, "unknown"),
])
def test_configurations_that_make_no_sense(service, rotator, member, value, why):
    wrong = changed(rotator, "requests", "login", member, to=value)
    if member == "classes":
        service.next_replies = [{"status": 404}]
    r = wrong.refused("login")
    assert r.cls == "permanent" and why in r.message, r


def test_a_header_takes_no_second_line(service, rotator):
    rotator.admin = {"token": "x\r\nX-Other: y"}
    r = rotator.refused("login")
    assert r.cls == "permanent" and "may not stand" in r.message and service.requests == []


def test_variables_of_one_secret(service, rotator):
    rotator.config["requests"]["create"]["body"]["scope"] = "{{vars.scope}}"
    create(rotator, config={"vars": {"scope": 'read"only'}})
    assert json.loads(service.requests[-1][3])["scope"] == 'read"only'
    assert rotator.refused("create").cls == "permanent"


# --- the wire ------------------------------------------------------------------------------


def test_redirects_are_not_followed(service, rotator):
    service.next_replies = [{"status": 302, "headers": {"Location": service.url + "/v1/whoami"}}]
    r = rotator.refused("login")
    assert r.cls == "permanent" and "302" in r.message and len(service.requests) == 1


def test_replies_that_are_too_long_or_no_json(service, rotator):
    service.next_replies = [{"status": 200, "body": b"x" * 65537}]
    assert "over 65536 bytes" in rotator.refused("login").message
    for body in b"<html>", b"", b"[" * 60000, b"\xff", b'{"a":1,"a":2}':
        service.next_replies = [{"status": 200, "body": body}]
        assert rotator.refused("create").cls == "permanent"


@pytest.mark.parametrize("status, cls, verdict", [(400, "permanent", "unknown"), (401, "auth", "invalid"), (403, "auth", "unknown"),
                                                  (404, "permanent", "unknown"), (408, "retryable", "unknown"), (500, "retryable", "unknown")])
def test_classes_of_statuses(service, rotator, status, cls, verdict):
    service.next_replies = [{"status": status}]
    assert rotator.refused("login").cls == cls
    service.next_replies = [{"status": status}]
    assert rotator.ok("probe", current=holding(1, {"api_key": "x"})).probe == (verdict, None, None)
    said = changed(rotator, "requests", "probe", "classes", to={f"{status // 100}xx": "auth", "599": "permanent"})
    service.next_replies = [{"status": status}]
    assert said.ok("probe", current=holding(1, {"api_key": "x"})).probe == ("invalid", None, None)


def test_a_key_of_another_account_is_not_valid(service, rotator):
    other = service.new_key("billing", "x")
    fields = {"api_key": other["key"], "key_id": "1"}
    assert rotator.ok("probe", current=holding(1, fields)).probe == ("unknown", None, None)
    assert rotator.refused("test", pending=holding(1, fields)).cls == "permanent"
    assert rotator.ok("probe", current=holding(1, {"note": "no key yet"})).probe == ("unknown", None, None)
    strict = changed(rotator, "requests", "probe", "classes", to={"json": "auth"})
    assert strict.ok("probe", current=holding(1, fields)).probe == ("invalid", None, None)


def test_a_target_that_is_gone(service, rotator):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        config = {"base_url": f"http://127.0.0.1:{closed.getsockname()[1]}"}
        for op in "create", "login":
            assert rotator.refused(op, config).cls == "retryable"
        assert rotator.ok("probe", config, current=holding(1, {"api_key": "x"})).probe == ("unknown", None, None)


def test_the_deadline_ends_a_call(rotator):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        answer = rotator.call("login", {"base_url": f"http://127.0.0.1:{mute.getsockname()[1]}"}, deadline_ms=700)
        assert answer.exit == -signal.SIGALRM or answer.cls == "retryable"


def test_values_are_told_to_nobody(service, rotator):
    """Neither in a URL nor in a message, whatever goes wrong."""
    rotator.admin = {"token": "secret-token-1"}
    for reply in {"status": 400, "body": {"error": {"message": "bad token secret-token-1"}}}, {"done": True, "drop": True}:
        service.next_replies = [reply]
        r = rotator.refused("create")
        assert "secret-token-1" not in r.out + r.err
    assert not [path for _, path, _, _ in service.requests if "secret" in path]


def test_tls(tmp_path):
    cert, key = self_signed(tmp_path)
    pub = subprocess.run(["openssl", "x509", "-in", cert, "-noout", "-pubkey"], check=True, capture_output=True).stdout
    der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "der"], input=pub, check=True, capture_output=True).stdout
    pin = "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()
    with KeyService((cert, key)) as service:
        rotator = Rotator("http", key_config(service), {"token": service.token})
        r = rotator.refused("login")
        assert r.cls == "permanent" and service.requests == []
        for trust in {"ca": cert.read_text()}, {"ca": str(cert)}, {"ca": str(cert), "pin": pin}:
            assert rotator.ok("login", trust).status == "ok", trust
        r = rotator.refused("login", {"ca": str(cert), "pin": "sha256//" + "A" * 43 + "="})
        assert r.cls == "permanent"
        for bad in {"ca": "x.pem"}, {"pin": "x"}, {"ca": "/nonexistent"}:
            assert rotator.refused("login", {"ca": str(cert), **bad}).cls == "permanent", bad


# --- the contract --------------------------------------------------------------------------


@pytest.mark.parametrize("names", [["one"], ["one", "two"]])
def test_it_keeps_the_contract(service, names):
    passwords = {name: new_password() for name in names}
    service.users.update(passwords)
    which = {"account": names[0]} if len(names) == 1 else {"accounts": names}
    config = user_config(service, **which)
    config["requests"]["retire"] = {**config["requests"]["set"], "url": "/v1/users/{{previous.username}}", "body": {"password": "-{{attempt}}-"}}
    current, idle = ({"username": name, "password": passwords[name]} for name in (names[0], names[-1]))
    with socket.create_server(("127.0.0.1", 0)) as mute:
        rows = passes("http", {"config": config, "admin": {"token": service.token}, "current": current, "idle": idle, "deadline_ms": 5000,
                               "unreachable": {"base_url": "http://127.0.0.1:1"},
                               "mute": {"base_url": f"http://127.0.0.1:{mute.getsockname()[1]}"}}, "--rounds=8")
    assert rows["killed at random moments, it can go on"] == "pass"
    assert service.users == passwords
