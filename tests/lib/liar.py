# SPDX-License-Identifier: Apache-2.0
"""A taken-over network process: it has the TLS key, sees and may change everything between agents and core."""
import base64
import http.client
import http.server
import json
import ssl
import threading

import vaultd


class Reply:
    def __init__(self, status, doc):
        self.status, self.doc = status, doc

    @property
    def data(self):
        return (self.doc or {}).get("data") or {}


class Liar:
    """Stands before a server at two ports of its own.  `lie(path, request, reply)` may return another Reply;
    `answer(path, request)` may return one without asking the server; `twist(path, query, request)` may return another
    (query, request) to ask it.  Everything is kept in `seen`."""

    def __init__(self, server):
        self.server, self.tls = server, server.tls
        self.port, self.hosts_port = vaultd.free_port(), vaultd.free_port()
        self.seen, self.lock = [], threading.Lock()
        self.honest()
        self.servers = [self._listen(self.port, server.port), self._listen(self.hosts_port, server.hosts_port)]

    url = property(lambda self: f"https://127.0.0.1:{self.port}")
    hosts_url = property(lambda self: f"https://127.0.0.1:{self.hosts_port}")
    pin = property(lambda self: self.server.pin)

    def honest(self):
        self.lie = lambda path, request, reply: None
        self.answer = lambda path, request: None
        self.twist = lambda path, query, request: None

    def replies(self, path):
        with self.lock:
            return [reply for p, _, reply in self.seen if p == path]

    def stop(self):
        for s in self.servers:
            s.shutdown()
            s.server_close()

    def _listen(self, port, to):
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 90

            def do(self):
                n = int(self.headers.get("Content-Length") or 0)
                body = self.rfile.read(n)
                target, _, query = self.path.partition("?")
                path = target.removeprefix("/v1/")
                request = json.loads(body) if body else None
                reply = liar.answer(path, request)
                if reply is None:
                    ask, said = liar.twist(path, query, request) or (query, request)
                    target += "?" + ask if ask else ""
                    try:
                        reply = liar.ask(to, self.command, target, body if said is request else json.dumps(said), self.headers)
                    except OSError:
                        reply = Reply(503, {"errors": ["away"]})
                    with liar.lock:
                        liar.seen.append((path, request, reply))
                    reply = liar.lie(path, request, reply) or reply
                out = b"" if reply.doc is None else json.dumps(reply.doc).encode()
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(out)))
                self.end_headers()
                self.wfile.write(out)

            do_GET = do_POST = do_PUT = do

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def handle_error(self, request, address):
                pass  # an agent that was stopped

        s = Server(("127.0.0.1", port), Handler)
        tls = self.server.data_dir / "tls"
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(tls / "cert.pem", tls / "key.pem")
        s.socket = ctx.wrap_socket(s.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=s.serve_forever, args=(0.05,), daemon=True).start()
        return s

    @staticmethod
    def ask(port, method, path, body, headers):
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
        c = http.client.HTTPSConnection("127.0.0.1", port, timeout=90, context=ctx)
        try:
            keep = {k: v for k, v in headers.items() if k in ("X-Vault-Token", "Content-Type")}
            c.request(method, path, body=body or None, headers=keep)
            r = c.getresponse()
            raw = r.read()
            return Reply(r.status, json.loads(raw) if raw else None)
        finally:
            c.close()


def with_data(reply, **changes):
    """The same reply with other members of data; None removes one."""
    data = {**reply.data, **changes}
    return Reply(reply.status, {**reply.doc, "data": {k: v for k, v in data.items() if v is not None}})


def flipped(text):
    """Base64 with one bit of its last byte changed."""
    raw = bytearray(base64.b64decode(text))
    raw[-1] ^= 1
    return base64.b64encode(raw).decode()
