# SPDX-License-Identifier: Apache-2.0
"""50: slow connections end at an absolute deadline, and nobody waits for them."""
import contextlib
import select
import socket
import time

import pytest

import vaultd
from seclib import head


def open_slow(server):
    """Twenty that will not get on: in the handshake, the head, the body."""
    for i in range(20):
        if i % 4 == 0:
            yield "handshake", socket.create_connection(("127.0.0.1", server.port), timeout=30)
            continue
        s = vaultd.connect(server.port, server.tls)
        if i % 4 == 1:
            s.sendall(head(server, "GET", "/v1/secret/data/x")[:-4])
        elif i % 4 == 2:
            s.sendall(head(server, "POST", "/v1/secret/data/x", "Content-Length: 1000") + b"{")
        yield ("idle", "head", "body", "idle")[i % 4], s


@pytest.mark.slow
def test_slow_connections_end(server, c):
    slow = list(open_slow(server))
    start, worst, gone = time.monotonic(), 0.0, set()
    stuck = {n for n, (kind, _) in enumerate(slow) if kind != "idle"}
    while time.monotonic() < start + 22 and not stuck <= gone:
        began = time.monotonic()
        assert c.get("sys/mounts").status == 200
        worst = max(worst, time.monotonic() - began)
        for n, (kind, s) in enumerate(slow):
            if kind == "head" and n not in gone:
                with contextlib.suppress(OSError):
                    s.sendall(b"x")
        readable, _, _ = select.select([s for n, (_, s) in enumerate(slow) if n not in gone], [], [], 0.3)
        for n, (_, s) in enumerate(slow):
            if s in readable:
                s.settimeout(2)
                try:
                    data = s.recv(65536)
                except OSError:
                    data = b""
                if not data:
                    gone.add(n)
    kinds = [kind for n, (kind, _) in enumerate(slow) if n in gone]
    for _, s in slow:
        s.close()
    for kind in ("handshake", "head", "body"):
        assert kinds.count(kind) == 5, kinds
    assert worst < 1.0, "an honest client waited"
