# SPDX-License-Identifier: Apache-2.0
"""50: slow connections end at an absolute deadline, and nobody waits for them."""
import contextlib
import resource
import select
import socket
import time

import pytest

import vaultd
from seclib import head

KINDS = ("handshake", "head", "body", "idle")
LIMIT = 15  # seconds for a handshake, a head, a body: LIMIT_REQUEST_SECONDS


@pytest.fixture
def files():
    """A descriptor for each connection, and some: in this process, and in the server, which takes its limit from it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    want = 8192 if hard == resource.RLIM_INFINITY else min(hard, 8192)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, want), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def open_slow(server, n):
    """${n} that will not get on: in the handshake, the head, the body, before the first byte."""
    for i in range(n):
        kind = KINDS[i % 4]
        if kind == "handshake":
            yield kind, socket.create_connection(("127.0.0.1", server.port), timeout=30)
            continue
        s = vaultd.connect(server.port, server.tls)
        if kind == "head":
            s.sendall(head(server, "GET", "/v1/secret/data/x")[:-4])
        elif kind == "body":
            s.sendall(head(server, "POST", "/v1/secret/data/x", "Content-Length: 1000") + b"{")
        yield kind, s


def ended(s):
    """Is it at its end, or broken?"""
    s.settimeout(2)
    try:
        return not s.recv(65536)
    except OSError:
        return True


def drip(kind, s):
    """A byte more: that does not move the deadline."""
    if kind in ("head", "body"):
        with contextlib.suppress(OSError):
            s.sendall(b"x")


def outlast(slow, c):
    """Until all but the idle ones have ended; how long an honest client waited at most meanwhile."""
    open_ones = {s.fileno(): (kind, s) for kind, s in slow}
    stuck = {fd for fd, (kind, _) in open_ones.items() if kind != "idle"}
    poll, worst, end = select.poll(), 0.0, time.monotonic() + 4 * LIMIT
    for fd in open_ones:
        poll.register(fd, select.POLLIN)
    while stuck and time.monotonic() < end:
        began = time.monotonic()
        assert c.get("sys/mounts").status == 200
        worst = max(worst, time.monotonic() - began)
        for fd in stuck:
            drip(*open_ones[fd])
        for fd, _ in poll.poll(300):
            if ended(open_ones[fd][1]):
                poll.unregister(fd)
                stuck.discard(fd)
    assert not stuck, [open_ones[fd][0] for fd in stuck]
    return worst


def test_a_thousand_slow_connections_end(files, own_server):
    c = own_server.client()
    slow = list(open_slow(own_server, 1000))
    try:
        worst = outlast(slow, c)
    finally:
        for _, s in slow:
            s.close()
    # They last for LIMIT seconds: whoever queued behind one of them would have waited for as long.
    assert worst < LIMIT / 3, "an honest client waited"
    assert own_server.client().get("sys/mounts").status == 200
