# SPDX-License-Identifier: Apache-2.0
"""A host replaces its keys: two are good until the new one logs in, then one is."""
import concurrent.futures
import itertools

import pytest

import hostwire

serial = itertools.count()
CLONE = "two agents with one identity"


@pytest.fixture
def name():
    return f"rekey{next(serial)}"


@pytest.fixture
def host(server, name):
    server.put("app/rekey", {"password": "first"})
    return hostwire.joined(server, name, ["secret/app/*"])


def show(c, name):
    return c.get("sys/hosts/" + name).data


def alarms(c, name):
    return [a["kind"] for a in show(c, name)["alarms"]]


def test_the_whole_way(c, host, name):
    old, new = host.keys, hostwire.make_keys()
    (lease,) = host.lease("secret/app/rekey")
    assert host.rekey(new).status == 204
    before = show(c, name)
    assert before["rekey_pending"] is True and before["keys_since"] == before["joined"]
    (item,) = host.fetch(lease["lease_id"])
    assert host.value(item)["data"] == {"password": "first"}
    assert host.login().status == 200, "the old one is good"
    assert host.ack(lease["lease_id"], 1).status == 204
    host.keys = new
    assert host.rekey(hostwire.make_keys()).status == 400, "not before it has logged in"
    session = host.token, host.key
    assert host.login().status == 200
    after = show(c, name)
    assert after["rekey_pending"] is False and after["generation"] == before["generation"] + 2 and after["alarms"] == []
    (item,) = host.fetch(lease["lease_id"])
    assert host.value(item)["data"] == {"password": "first"}, "sealed to the new key"
    assert host.ack(lease["lease_id"], 1).status == 204
    (host.c.token, host.key), session = session, (host.token, host.key)
    assert host.ack(lease["lease_id"], 1).status == 403, "sessions from before are over"
    host.c.token, host.key = session
    assert host.ack(lease["lease_id"], 1).status == 204
    host.keys = old
    r = host.login()
    assert r.status == 403 and r.errors == [CLONE] and alarms(c, name) == [CLONE], "who still has the old key is another"
    host.keys = new
    assert host.login().status == 200, "the host goes on"


def test_a_watch_that_waits_in_a_session_from_before_is_told(c, host, name):
    rev = host.c.get("sys/agent/sync").data["rev"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        waits = pool.submit(host.watcher().get, f"sys/agent/watch?since={rev}&wait=50")
        new = hostwire.make_keys()
        assert host.rekey(new).status == 204
        host.keys = new
        assert host.login().status == 200
        assert waits.result(30).status == 403


def test_again_and_again(c, host, name):
    first, second = hostwire.make_keys(), hostwire.make_keys()
    assert host.rekey(first).status == 204 and host.rekey(first).status == 204
    assert host.rekey(second).status == 204, "the first was forgotten by a crash"
    old, host.keys = host.keys, first
    assert host.login().status == 403 and alarms(c, name) == []
    host.keys = second
    assert host.login().status == 200
    assert host.rekey(first).status == 204
    host.keys = first
    assert host.login().status == 200
    assert host.rekey(second).status == 400, "the one before does not come back"
    host.keys = old
    assert host.login().status == 403, "two before is nobody's"


def test_a_lost_reply_is_asked_for_again(c, host, name):
    new = hostwire.make_keys()
    assert host.rekey(new).status == 204
    host.keys = new
    assert host.login(keep=False).status == 200
    assert host.login().status == 200 and alarms(c, name) == [], "the same login once more"


def test_a_clone_is_found_as_ever(c, host, name):
    new = hostwire.make_keys()
    assert host.rekey(new).status == 204
    host.keys = new
    assert host.login(generation=host.generation + 5).status == 403
    assert alarms(c, name) == [CLONE] and show(c, name)["rekey_pending"] is True, "a wrong generation changes no key"


def test_refusals(c, server, host, name):
    new, other = hostwire.make_keys(), hostwire.make_keys()
    for why, change in {"another's proof": {"proof": bytes(64)}, "another box key": {"box_key": other[2]},
                        "another key": {"sign_key": other[0]}, "its own": {"sign_key": host.sign_pk}, "short": {"box_key": bytes(31)},
                        "none": {"proof": None}, "no point": {"sign_key": bytes(32)}, "no usable box": {"box_key": bytes(32)},
                        "text": {"sign_key": "x" * 32}}.items():
        assert host.rekey(new, **change).status == 400, why
    assert host.rekey(host.keys).status == 400
    stranger = hostwire.joined(server, name + "x", ["secret/app/*"])
    host.c.token = stranger.token
    assert host.rekey(new).status == 400, "another host's token"
    host.c.token = None
    assert host.rekey(new).status == 403
    assert show(c, name)["rekey_pending"] is False and show(c, name + "x")["rekey_pending"] is False
    assert c.post("auth/host/rekey", {"statement": ""}).status == 403


def test_a_proof_is_of_one_generation(c, host, name):
    new = hostwire.make_keys()
    host.generation -= 1
    stale = host.says("rekey", {"sign_key": new[0], "box_key": new[2], "proof": host.sign(b"x", new[1])})
    host.generation += 1
    assert host.c.client.post("auth/host/rekey", {"statement": hostwire._b64(stale)}).status == 400
    assert show(c, name)["rekey_pending"] is False


def test_records(c, host, name):
    size, new = c.get("sys/audit-log/checkpoint").data["size"], hostwire.make_keys()
    host.rekey(new)
    host.keys = new
    host.login()
    log = c.get(f"sys/audit-log/records?from={size}&order=oldest&limit=100").data["records"]
    (said,) = [r for r in log if r["path"] == "auth/host/rekey"]
    (took,) = [r for r in log if r["path"] == "auth/host/login"]
    assert said["actor_type"] == "host" and said["note"]["host"] == name and took["note"]["keys"] == "new"


def test_a_revoked_host_has_no_new_keys(c, host, name):
    assert c.post(f"sys/hosts/{name}/revoke").status == 204
    r = host.rekey(hostwire.make_keys())
    assert r.status == 403 and show(c, name)["rekey_pending"] is False
