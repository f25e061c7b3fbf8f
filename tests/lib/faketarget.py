# SPDX-License-Identifier: Apache-2.0
"""A target with accounts, in the process of the test, and a rotator that asks it."""
import json
import socketserver
import threading

RELAY = """#!/usr/bin/python3
import socket, sys
s = socket.create_connection(("127.0.0.1", {port}))
s.sendall(sys.stdin.buffer.read())
s.shutdown(socket.SHUT_WR)
while piece := s.recv(65536):
    sys.stdout.buffer.write(piece)
"""
DESCRIBE = {"strategies": ["single", "dual_user"], "overlap": True, "needs_admin": True,
            "ops": ["describe", "login", "probe", "set", "test", "retire", "revert", "user_create", "user_renew",
                    "user_revoke"],
            "value": {"min": 8, "max": 64, "forbid": ""}}


class FakeTarget:
    """Does what the contract of rotators says; what it is told to answer instead comes first."""

    def __init__(self, tmp, accounts):
        self.accounts, self.asked = dict(accounts), []
        self.answers = {}  # op: replies to give first, or one reply to give for ever
        self.lock = threading.Lock()
        target = self

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                with target.lock:
                    reply = target.answer(json.loads(self.rfile.read()))
                self.wfile.write(json.dumps({"v": 1, **reply}).encode())

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.program = tmp / "fake"
        self.program.write_text(RELAY.format(port=self.server.server_address[1]))
        self.program.chmod(0o755)
        self.config = [{"name": "fake", "path": str(self.program)}]

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def works(self, who):
        if not who or "password" not in who["fields"]:
            return "unknown"
        return "valid" if self.accounts.get(who["fields"]["username"]) == who["fields"]["password"] else "invalid"

    def answer(self, q):
        op = q["op"]
        self.asked.append(q)
        told = self.answers.get(op)
        if isinstance(told, dict):
            return told
        if told:
            return told.pop(0)
        if op == "describe":
            return {"status": "ok", "describe": DESCRIBE}
        if op == "login":
            admin = q["admin"] or {}
            if self.accounts.get(admin.get("username")) == admin.get("password"):
                return {"status": "ok"}
            return {"status": "error", "class": "auth", "message": "login failed"}
        if op in ("set", "revert"):
            fields = q["pending" if op == "set" else "current"]["fields"]
            self.accounts[fields["username"]] = fields["password"]
        if op == "user_create":
            fields = q["pending"]["fields"]
            self.accounts[fields["username"]] = fields["password"]
        if op == "user_revoke":
            self.accounts.pop(q["pending"]["fields"]["username"], None)
        if op == "test" and self.works(q["pending"]) != "valid":
            return {"status": "error", "class": "permanent", "message": "login failed"}
        if op == "probe":
            return {"status": "ok", "probe": {k: self.works(q[k]) for k in ("current", "pending", "previous")}}
        return {"status": "ok"}


def error(cls, message):
    return {"status": "error", "class": cls, "message": message}
