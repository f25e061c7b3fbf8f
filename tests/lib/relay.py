# SPDX-License-Identifier: Apache-2.0
"""A network between an agent and its vault that can be held: what was sent then comes late, but comes."""
import contextlib
import selectors
import socket
import threading

import vaultd


class Relay:
    """Stands before a server, for one agent: `Agent(tmp, Relay(server), …)`."""

    def __init__(self, server):
        self.server, self.tls, self.pin = server, server.tls, server.pin
        self.port, self.hosts_port = vaultd.free_port(), vaultd.free_port()
        self.open = threading.Event()
        self.open.set()
        self.closing = False
        self.listeners = [self.listen(self.port, server.port), self.listen(self.hosts_port, server.hosts_port)]

    url = property(lambda self: f"https://127.0.0.1:{self.port}")
    hosts_url = property(lambda self: f"https://127.0.0.1:{self.hosts_port}")

    def hold(self):
        self.open.clear()

    def release(self):
        self.open.set()

    def listen(self, port, to):
        s = socket.create_server(("127.0.0.1", port))
        threading.Thread(target=self.accept, args=(s, to), daemon=True).start()
        return s

    def accept(self, listener, to):
        with contextlib.suppress(OSError):
            while True:
                a, _ = listener.accept()
                threading.Thread(target=self.serve, args=(a, to), daemon=True).start()

    def serve(self, a, to):
        self.open.wait()
        with contextlib.suppress(OSError), a, socket.create_connection(("127.0.0.1", to)) as b, \
                selectors.DefaultSelector() as ready:
            ready.register(a, selectors.EVENT_READ, b)
            ready.register(b, selectors.EVENT_READ, a)
            while True:
                for key, _ in ready.select():
                    data = key.fileobj.recv(65536)
                    self.open.wait()
                    if not data:
                        return
                    key.data.sendall(data)

    def stop(self):
        self.release()
        for s in self.listeners:
            s.close()
