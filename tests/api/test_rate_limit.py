# SPDX-License-Identifier: Apache-2.0
"""Limits of rate as they are configured: by address, by token, by account."""
import pytest

import vaultd

CONFIG = {"requests": 1, "requests_burst": 300, "token": 1, "token_burst": 20, "login": 1, "login_burst": 5, "loopback": True}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    s = vaultd.Server(tmp_path_factory.mktemp("server"), config={"rate_limit": CONFIG})
    s.start()
    s.init()
    yield s
    s.stop()


def until_refused(ask, limit):
    """The first 429, and how many were answered before."""
    for n in range(limit):
        r = ask()
        if r.status == 429:
            assert r.headers["retry-after"] == "1"
            assert r.headers["content-type"] == "application/json"
            return n, r.errors
    raise AssertionError("never refused")


class From(vaultd.Client):
    """A client at another loopback address."""
    def __init__(self, server, address, token=None):
        super().__init__("127.0.0.1", server.port, server.tls, token)
        self.source = address

    def _connect(self):
        conn = super()._connect()
        conn.source_address = (self.source, 0)
        return conn


def test_tokens_and_accounts(server):
    c = From(server, "127.9.0.1", server.root)
    child = c.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    path = "auth/token/lookup-self"
    n, errors = until_refused(lambda: c.get(path, token=child), 60)
    assert n >= 20 and errors == [f'request path "{path}": rate limit quota exceeded']
    assert c.get(path).status == 200, "another token is not limited by it"
    n, errors = until_refused(lambda: c.post("auth/host/login", {"host_id": "00" * 16}, token=None), 30)
    assert n >= 5 and errors == ['request path "auth/host/login": rate limit quota exceeded']
    assert c.post("auth/host/login", {"host_id": "11" * 16}, token=None).status != 429


def test_addresses(server):
    c = From(server, "127.9.0.2")
    n, errors = until_refused(lambda: c.get("sys/leader"), 1000)
    assert n >= 300 and errors == ['request path "sys/leader": rate limit quota exceeded']
    assert From(server, "127.9.0.3").get("sys/leader").status == 200, "another address is not limited by it"
    log = From(server, "127.9.0.3", server.root)

    def counted():
        r = log.get("sys/audit-log/records?operation=aggregate")
        return r.status == 200 and any(x["remote"] == "127.9.0.2" and x["error"] == "too many requests" for x in r.data["records"])
    vaultd.wait_for("the aggregate", counted)
