# SPDX-License-Identifier: Apache-2.0
"""13, 14, 15: one lockout per name however it is spelled; nothing tells a known user from an unknown one."""
import random
import statistics
import time

import pytest

import vaultd

SPELLINGS = ["alice", "ALICE", "Alice", "%20alice", "alice%20", "alice%09", "%EF%BD%81lice", "alic%D0%B5", "al%C2%ADice"]


@pytest.fixture(scope="module", autouse=True)
def users(server):
    c = server.client()
    assert c.post("sys/auth/userpass", {"type": "userpass"}).status == 204
    for name in ("alice", "known", "locked"):
        assert c.post(f"auth/userpass/users/{name}", {"password": "right"}).status == 204
    c.close()


def login(c, name, password):
    return c.post(f"auth/userpass/login/{name}", {"password": password}, token=None)


def seen(r):
    """All that a client gets to see, but the date."""
    return r.status, r.raw, {k: v for k, v in r.headers.items() if k != "date"}


def test_13_spellings_share_one_count(c):
    wrong = []
    for i in range(3 * len(SPELLINGS)):
        r = login(c, SPELLINGS[i % len(SPELLINGS)], "wrong")
        wrong.append(r)
        assert r.status in (400, 403), r
    counted = [r for r in wrong if r.status == 400 and r.errors == ["invalid username or password"]]
    assert len(counted) == 5, [(r.status, r.raw) for r in wrong]
    assert {login(c, s, "right").status for s in ("alice", "ALICE", "Alice")} == {403}


def test_14_locked_account_says_one_thing(c):
    for _ in range(5):
        login(c, "locked", "wrong")
    assert seen(login(c, "locked", "right")) == seen(login(c, "locked", "wrong"))
    assert login(c, "locked", "right").status == 403


def test_15_unknown_user_says_the_same(c):
    assert seen(login(c, "known", "wrong")) == seen(login(c, "unknown", "wrong"))
    assert login(c, "known", "wrong").status == 400


def welch(x, y):
    vx, vy = statistics.variance(x) / len(x), statistics.variance(y) / len(y)
    return (statistics.mean(x) - statistics.mean(y)) / (vx + vy) ** 0.5


def trimmed(times):
    """Without the slowest tenth: other programs run here too."""
    return sorted(times)[:len(times) * 9 // 10]


def compare(c, first, second, n):
    times = {0: [], 1: []}
    for which in random.Random(15).sample([0, 1] * n, 2 * n):
        name, password = (first, second)[which]
        start = time.perf_counter()
        r = login(c, name(), password)
        times[which].append(time.perf_counter() - start)
        assert r.status in (400, 403), r
    return welch(trimmed(times[0]), trimmed(times[1]))


@pytest.fixture
def unhurried(tmp_path):
    """A server that lets thousands of logins to one name through."""
    s = vaultd.Server(tmp_path, config={"rate_limit": {"login": 0}})
    s.start()
    s.init()
    c = s.client()
    assert c.post("sys/auth/userpass", {"type": "userpass"}).status == 204
    yield c
    c.close()
    s.stop()


@pytest.mark.slow
def test_14_timing_of_a_locked_account(unhurried):
    c = unhurried
    assert c.post("auth/userpass/users/locked", {"password": "right"}).status == 204
    for _ in range(5):
        login(c, "locked", "wrong")
    t = compare(c, (lambda: "locked", "right"), (lambda: "locked", "wrong"), 2000)
    assert abs(t) < 4.5, t


@pytest.mark.slow
def test_15_timing_of_unknown_users(unhurried):
    """A name is not asked more than four times: it would be locked."""
    c = unhurried
    for i in range(60):
        assert c.post(f"auth/userpass/users/u{i}", {"password": "right"}).status == 204
    known, unknown = iter([f"u{i}" for i in range(60)] * 4), iter([f"v{i}" for i in range(60)] * 4)
    t = compare(c, (lambda: next(known), "wrong"), (lambda: next(unknown), "wrong"), 200)
    assert abs(t) < 4.5, t
