# SPDX-License-Identifier: Apache-2.0
"""16, for what vaultd has instead of one-time passwords: what is good once is good once, however many ask at a time."""
import threading

import pytest

from seclib import audit_size, elsewhere, records, token

TOGETHER = 50


def at_once(server, ask):
    """The statuses of 50 requests that are sent when all are connected."""
    start, lock, out = threading.Barrier(TOGETHER), threading.Lock(), []

    def one():
        mine = elsewhere(server)
        mine.get("sys/seal-status")
        start.wait(30)
        r = ask(mine)
        mine.close()
        with lock:
            out.append(r)

    threads = [threading.Thread(target=one) for _ in range(TOGETHER)]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    assert len(out) == TOGETHER
    return out


@pytest.fixture(scope="module", autouse=True)
def approle(server):
    c = server.client()
    assert c.post("sys/auth/approle", {"type": "approle"}).status == 204
    assert c.post("auth/approle/role/once", {"role_id": "once"}).status == 204
    c.close()


@pytest.mark.parametrize("uses", [1, 3])
def test_secret_id(server, c, uses):
    s = c.post("auth/approle/role/once/secret-id", {"num_uses": uses}).data["secret_id"]
    since = audit_size(c)
    replies = at_once(server, lambda mine: mine.post("auth/approle/login", {"role_id": "once", "secret_id": s}))
    good = [r for r in replies if r.status == 200]
    assert len(good) == uses
    assert {tuple(r.errors) for r in replies if r.status != 200} == {("invalid role or secret ID",)}
    assert len({r.json["auth"]["client_token"] for r in good}) == uses
    log = [r for r in records(c, since) if r["path"] == "auth/approle/login"]
    assert sorted(r["outcome"] for r in log) == sorted(["ok"] * uses + ["error"] * (TOGETHER - uses))
    r = c.post("auth/approle/login", {"role_id": "once", "secret_id": s})
    assert (r.status, r.errors) == (400, ["invalid role or secret ID"])


def test_token(server, c):
    t = token(c, "default", num_uses=1)["client_token"]
    replies = at_once(server, lambda mine: mine.get("auth/token/lookup-self", token=t))
    assert sorted(r.status for r in replies) == [200] + [403] * (TOGETHER - 1)
