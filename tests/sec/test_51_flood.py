# SPDX-License-Identifier: Apache-2.0
"""51: floods of connections end nothing, and service goes on when they end."""
import contextlib
import resource
import socket

import pytest

import vaultd

LIMITED = ["bash", "-c", 'ulimit -n 256 && exec "$0" "$@"']


def open_from(address, port):
    s = socket.socket()
    s.settimeout(5)
    s.bind((address, 0))
    try:
        s.connect(("127.0.0.1", port))
    except OSError:
        s.close()
        return None
    return s


def flood(port, addresses, total, at_once, meanwhile):
    """Open ${total} connections, ${at_once} at a time, each with half a request."""
    held, opened = [], 0
    try:
        for i in range(total):
            s = open_from(addresses[i % len(addresses)], port)
            if s is not None:
                opened += 1
                with contextlib.suppress(OSError):
                    s.sendall(b"GET /v1/sys/health HT")
                held.append(s)
            if len(held) >= at_once:
                meanwhile()
                for old in held:
                    old.close()
                held = []
    finally:
        for s in held:
            s.close()
    return opened


@pytest.fixture(scope="module", autouse=True)
def descriptors():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    s = vaultd.Server(tmp_path_factory.mktemp("small"), prefix=LIMITED)
    s.start()
    s.init()
    yield s
    s.stop()


@pytest.mark.parametrize("addresses", [1, 200])
def test_few_descriptors(small, addresses):
    """Of 256 descriptors: nothing ends, hosts are served meanwhile, all others afterwards."""
    before = small.roles()
    hosts = small.hosts_client()

    def meanwhile():
        assert hosts.get("sys/health").status == 200
    opened = flood(small.port, [f"127.0.{i + 1}.9" for i in range(addresses)], 5000, 400, meanwhile)
    assert opened > 1000, "or there was no flood"

    def serves():
        with contextlib.suppress(OSError):
            return small.client().get("secret/data/none").status == 404
    vaultd.wait_for("the API after the flood", serves)
    assert small.roles() == before, "no process has ended"


@pytest.fixture(scope="module")
def limited(tmp_path_factory):
    s = vaultd.Server(tmp_path_factory.mktemp("limited"), config={
        "rate_limit": {"loopback": True, "connections": 1, "connections_burst": 200, "requests": 0}})
    s.start()
    s.init()
    yield s
    s.stop()


class From(vaultd.Client):
    def __init__(self, server, address):
        super().__init__("127.0.0.1", server.port, server.tls, server.root)
        self.source = address

    def _connect(self):
        conn = super()._connect()
        conn.source_address = (self.source, 0)
        return conn


def test_one_address_does_not_starve_another(limited):
    before = limited.roles()
    n = 0

    def meanwhile():
        nonlocal n
        n += 1
        honest = From(limited, f"127.3.0.{n}")
        assert honest.get("secret/data/none").status == 404
        honest.close()
    flood(limited.port, ["127.2.0.1"], 3000, 150, meanwhile)
    assert n >= 10 and limited.roles() == before
    honest = From(limited, "127.3.1.1")

    def counted():
        log = honest.get("sys/audit-log/records?operation=aggregate").data["records"]
        return any(r["remote"] == "127.2.0.1" and r["error"] == "too many connections" for r in log)
    vaultd.wait_for("the aggregate", counted)
