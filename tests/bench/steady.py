# SPDX-License-Identifier: Apache-2.0
"""Reads at a fixed rate, whatever the server does: a wait counts for all who are behind it."""

import collections
import gc
import re
import selectors
import socket
import time

import vaultd

CONNECTIONS = 16


class Reader:
    """One connection with at most one request under way."""

    def __init__(self, server, request):
        self.sock = vaultd.connect(server.port, server.tls)
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.request, self.due, self.data = request, 0, b""

    def send(self, due):
        self.due, self.data = due, b""
        self.sock.sendall(self.request)

    def answered(self):
        """Take what is there; is the reply complete?"""
        piece = self.sock.recv(65536)
        assert piece, "the connection was closed"
        self.data += piece
        head, end, body = self.data.partition(b"\r\n\r\n")
        if not end:
            return False
        assert head.startswith(b"HTTP/1.1 200 "), head
        return len(body) == int(re.search(rb"(?i)content-length: (\d+)", head).group(1))


def reads(server, path, rate, seconds):
    """Milliseconds from when each read was due to its reply, in order of size."""
    request = (f"GET /v1/{path} HTTP/1.1\r\nHost: localhost\r\n"
               f"X-Vault-Token: {server.root}\r\n\r\n").encode()
    idle = collections.deque(Reader(server, request) for _ in range(CONNECTIONS))
    watch, readers, out = selectors.DefaultSelector(), list(idle), []
    for reader in readers:
        watch.register(reader.sock, selectors.EVENT_READ, reader)
    sent, total, start = 0, int(rate * seconds), time.monotonic()
    gc.disable()
    try:
        while len(out) < total:
            now = time.monotonic()
            while idle and sent < total and start + sent / rate <= now:
                idle.popleft().send(start + sent / rate)
                sent += 1
            until = start + sent / rate - time.monotonic() if idle and sent < total else None
            for key, _ in watch.select(until if until is None else max(until, 0)):
                if key.data.answered():
                    out.append((time.monotonic() - key.data.due) * 1000)
                    idle.append(key.data)
    finally:
        gc.enable()
        watch.close()
        for reader in readers:
            reader.sock.close()
    return sorted(out)
