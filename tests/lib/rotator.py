# SPDX-License-Identifier: Apache-2.0
"""One call of a rotator, as vaultd makes it."""
import json
import secrets
import subprocess

from vaultd import BIN, DEADLINE, check_log

ATTEMPT = "0123456789abcdef0123456789abcdef"


class Answer:
    def __init__(self, status, out, err):
        self.exit, self.out, self.err = status, out, err
        self.json = json.loads(out) if status == 0 else None

    @property
    def status(self):
        return self.json["status"]

    @property
    def cls(self):
        return self.json.get("class")

    @property
    def message(self):
        return self.json.get("message", "")

    @property
    def probe(self):
        p = self.json["probe"]
        return p.get("current"), p.get("pending"), p.get("previous")

    def __repr__(self):
        return f"<{self.exit} {self.out[:400]!r} {self.err[:400]!r}>"


def new_password():
    return "pw-" + secrets.token_hex(12)


def version(n, username, password, **more):
    return {"version": n, "fields": {"username": username, "password": password, **more}}


class Rotator:
    """The rotator of a target, with the configuration and the account that acts."""

    def __init__(self, name, config, admin=None):
        self.program = str(BIN / f"vault-rotator-{name}")
        self.config, self.admin = config, admin

    def request(self, op, config=None, **members):
        return {"v": 1, "op": op, "attempt": ATTEMPT, "secret": "secret/app/db", "version": 2, "deadline_ms": 20000,
                "config": {**self.config, **(config or {})}, "admin": self.admin, "current": None, "pending": None,
                "previous": None, **members}

    def start(self):
        return subprocess.Popen([self.program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def raw(self, data):
        with self.start() as p:
            out, err = p.communicate(data, DEADLINE)
        check_log(err.decode(errors="replace"))
        return Answer(p.returncode, out.decode(), err.decode())

    def call(self, op, config=None, **members):
        request = self.request(op, config, **members)
        answer = self.raw(json.dumps(request).encode())
        for secret in passwords(request):
            assert secret not in answer.out and secret not in answer.err, f"{op} tells a password: {answer}"
        return answer

    def ok(self, op, config=None, **members):
        answer = self.call(op, config, **members)
        assert answer.exit == 0 and answer.status in ("ok", "noop"), answer
        return answer

    def refused(self, op, config=None, **members):
        answer = self.call(op, config, **members)
        assert answer.exit == 0 and answer.status == "error", answer
        return answer


def passwords(request):
    for name in ("admin", "current", "pending", "previous"):
        part = request.get(name) or {}
        fields = part.get("fields", part)
        if fields.get("password"):
            yield fields["password"]
