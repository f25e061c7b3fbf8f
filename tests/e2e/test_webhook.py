# SPDX-License-Identifier: Apache-2.0
"""Webhooks: what an endpoint is told, that it can check it, and that nothing is lost."""
import hashlib
import hmac
import http.server
import ipaddress
import json
import ssl
import threading

import pytest
from cryptography import x509

import certs
import faketarget
import vaultd
from vaultd import wait_for


class Endpoint:
    """Takes events; answers as it is told."""

    def __init__(self, tls=None):
        self.events, self.answers, self.lock = [], [], threading.Lock()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with outer.lock:
                    status = outer.answers.pop(0) if outer.answers else 204
                    outer.events.append((status, dict(self.headers), body))
                self.send_response(status)
                if status in (301, 307):
                    self.send_header("Location", outer.url + "/elsewhere")
                self.end_headers()

            def log_message(self, *args):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server.server_address[1]}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()

    def taken(self):
        with self.lock:
            return [json.loads(body) for status, _, body in self.events if status < 300]

    def clear(self):
        with self.lock:
            self.events.clear()
            self.answers.clear()


def verify(headers, body, secret):
    """The example of docs/rotation.md."""
    parts = dict(p.split("=", 1) for p in headers["Vaultd-Signature"].split(","))
    want = hmac.new(secret.encode(), parts["t"].encode() + b"." + body, hashlib.sha256).hexdigest()
    return hmac.compare_digest(want, parts["v1"])


@pytest.fixture(scope="module")
def endpoint():
    e = Endpoint()
    yield e
    e.close()


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("hook")
    target = faketarget.FakeTarget(tmp, {"admin": "admin-password", "app": "first-password"})
    (tmp / "server").mkdir()
    server = vaultd.Server(tmp / "server", config={"rotators": target.config})
    server.target = target
    server.start()
    server.init()
    server.ctl("target", "set", "db", "--rotator", "fake", "--admin-user", "admin", stdin="admin-password\n")
    yield server
    server.stop()
    target.close()


@pytest.fixture
def hook(env, endpoint):
    endpoint.clear()
    secret = env.ctl("webhook", "set", "ops", endpoint.url, fmt="table").stdout.strip()
    yield secret
    env.ctl("webhook", "delete", "ops", "--yes")


def show(env, name="ops"):
    return env.ctl_json("webhook", "show", name)["data"]


def test_a_key_is_made_and_shown_once(env, hook):
    assert len(hook) == 64
    assert hook not in env.ctl("webhook", "show", "ops").stdout + env.ctl("webhook", "list").stdout
    assert env.ctl("webhook", "set", "ops", "--events", "done,held", fmt="table").stdout == ""
    assert show(env)["events"] == ["done", "held"]
    own = "a key that I have chosen"
    env.ctl("webhook", "set", "ops", "--secret", "-", stdin=own + "\n")
    assert own not in json.dumps(show(env)) + env.log()


def test_what_an_endpoint_is_told(env, endpoint, hook):
    env.put("told", {"password": "value-zero"})
    env.ctl("rotation", "set", "secret/told", "--field", "password")
    r = env.ctl_json("rotate", "secret/told")["data"]
    env.ctl("rotate", "secret/told", "--leaked")
    got = wait_for("three events", lambda: len(endpoint.taken()) >= 3 and endpoint.taken())
    assert [g["event"] for g in got] == ["done", "leaked", "done"]
    assert list(got[0])[:3] == ["id", "event", "time"]
    want = {"path": "secret/told", "attempt": r["attempt_id"], "state": "converged", "strategy": "generate",
            "cause": "request", "version": 2, "hosts": {"total": 0, "applied": 0, "waiting": 0}}
    assert {k: v for k, v in got[0].items() if k not in ("id", "event", "time")} == want
    assert len({g["id"] for g in got}) == 3
    for _, headers, body in endpoint.events:
        assert verify(headers, body, hook) and not verify(headers, body + b" ", hook)
        assert not verify(headers, body, "x" * 64) and headers["Content-Type"] == "application/json"
        assert headers["Vaultd-Event"] == json.loads(body)["event"]
        assert env.read("told")["password"].encode() not in body
    wait_for("it to be noted", lambda: show(env)["delivered"] == 3 and show(env)["pending"] == 0)


def test_only_what_it_wants_to_hear(env, endpoint, hook):
    env.ctl("webhook", "set", "ops", "--events", "done", "--paths", "secret/mine/*")
    for name in ("mine/a", "other"):
        env.put(name, {"password": "x"})
        env.ctl("rotate", f"secret/{name}")
    env.ctl("rotate", "secret/mine/a", "--leaked")
    got = wait_for("two events", lambda: len(endpoint.taken()) >= 2 and endpoint.taken())
    assert [(g["event"], g["path"]) for g in got] == [("done", "secret/mine/a")] * 2
    env.ctl("webhook", "set", "ops", "--disabled")
    env.ctl("rotate", "secret/mine/a")
    assert show(env)["pending"] == 0
    env.ctl("webhook", "set", "ops", "--enabled")


def test_held_and_failed(env, endpoint, hook):
    env.put("app", {"username": "app", "password": "first-password"})
    env.ctl("rotation", "set", "secret/app", "--strategy", "single", "--target", "db", "--accounts", "app", "--field",
            "password")
    env.target.answers["set"] = [faketarget.error("auth", "locked")]
    assert env.ctl("rotate", "secret/app", check=False).returncode == 25
    env.ctl("rotation", "abort", "secret/app", "--forget", "--yes")
    got = wait_for("two events", lambda: len(endpoint.taken()) >= 2 and endpoint.taken())
    assert [(g["event"], g["state"]) for g in got] == [("held", "held"), ("failed", "aborted")]
    assert "locked" not in json.dumps(got)


def test_it_is_told_again_in_order(env, endpoint, hook):
    endpoint.answers += [500, 307]
    env.put("again", {"password": "x"})
    env.ctl("rotate", "secret/again")
    env.ctl("rotate", "secret/again")
    wait_for("a refusal", lambda: show(env)["tries"] >= 1)
    assert "HTTP 500" in show(env)["error"]
    # Setting it again makes it try at once.
    env.ctl("webhook", "set", "ops", endpoint.url)
    wait_for("another", lambda: show(env)["error"].startswith("HTTP 307"))
    env.ctl("webhook", "set", "ops", endpoint.url)
    got = wait_for("both", lambda: len(endpoint.taken()) >= 2 and endpoint.taken())
    assert [g["version"] for g in got] == [2, 3]
    assert all("/elsewhere" not in h.get("Host", "") for _, h, _ in endpoint.events)
    with endpoint.lock:
        ids = [json.loads(body)["id"] for _, _, body in endpoint.events]
    assert ids[0] == ids[1] == ids[2] != ids[3]


def test_nothing_is_lost_by_a_crash(env, endpoint, hook):
    endpoint.answers += [503] * 50
    env.put("crash", {"password": "x"})
    env.ctl("rotate", "secret/crash")
    wait_for("a refusal", lambda: show(env)["tries"] >= 1)
    env.kill_role("core")
    env.wait_sealed()
    env.unseal()
    assert show(env)["pending"] == 1
    with endpoint.lock:
        endpoint.answers.clear()
    env.ctl("webhook", "set", "ops", endpoint.url)
    got = wait_for("it", endpoint.taken)
    assert [(g["event"], g["path"]) for g in got] == [("done", "secret/crash")]


def test_a_test_says_what_came_of_it(env, endpoint, hook):
    assert env.ctl("webhook", "test", "ops", fmt="table").stdout == "Delivered: HTTP 204\n"
    assert endpoint.taken()[0]["event"] == "test"
    endpoint.answers.append(404)
    p = env.ctl("webhook", "test", "ops", check=False)
    assert p.returncode != 0 and "HTTP 404" in p.stderr
    assert env.ctl("webhook", "test", "none", check=False).returncode == 5


@pytest.mark.parametrize("args, said", [
    (("http://example.com/x",), "https is needed"),
    (("ftp://127.0.0.1/x",), "url: https://"),
    (("https://user:pw@example.com/",), "no user before it"),
    (("https:///x",), "a host is needed"),
    (("http://127.0.0.1.example.com/",), "https is needed"),
    (("https://example.com/", "--events", "done,nothing"), "events: due, done"),
    (("https://example.com/", "--secret", "-"), "secret: printable"),
])
def test_bad_settings(env, args, said):
    p = env.ctl("webhook", "set", "bad", *args, check=False, stdin="short\n")
    assert p.returncode == 3 and said in p.stderr, p.stderr
    assert env.ctl("webhook", "show", "bad", check=False).returncode == 5


def test_people_are_reminded(env, endpoint, hook):
    """A secret that no machine can replace is due until somebody writes a new version."""
    env.put("byhand", {"password": "x"})
    p = env.ctl("rotation", "set", "secret/byhand", "--remind", check=False)
    assert p.returncode == 3 and "needs a schedule" in p.stderr
    env.ctl("rotation", "set", "secret/byhand", "--remind", "--every", "2s", "--jitter", "none")
    got = wait_for("a reminder", endpoint.taken)
    assert (got[0]["event"], got[0]["path"], got[0]["attempt"]) == ("due", "secret/byhand", None)
    env.ctl("rotation", "set", "secret/byhand", "--every", "30d")
    rule = env.ctl_json("rotation", "show", "secret/byhand")["data"]
    assert rule["strategy"] == "manual" and rule["remind"] and rule["due_since"] and "new version" in rule["problem"]
    p = env.ctl("rotate", "secret/byhand", check=False)
    assert p.returncode == 3 and "replaced by people" in p.stderr
    row = env.ctl_json("report", "age", "--prefix", "secret/byhand")["data"]["secrets"][0]
    assert row["overdue"] and row["due"] == rule["due_since"]
    text = env.client().get("sys/metrics?format=prometheus").raw.decode()
    assert 'vaultd_rotation_rules{condition="due"} 1' in text
    env.put("byhand", {"password": "y"})
    rule = env.ctl_json("rotation", "show", "secret/byhand")["data"]
    assert rule["due_since"] is None and rule["problem"] == ""
    assert 'vaultd_rotation_rules{condition="due"} 0' in env.client().get("sys/metrics?format=prometheus").raw.decode()


def test_the_endpoint_has_to_prove_itself(env, tmp_path):
    pki = certs.Pki(tmp_path)
    ca = pki.ca("ours")
    here = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    good = Endpoint(pki.make("hook", ca, san=[here], eku=[certs.SERVER]).files)
    other = Endpoint(pki.make("other", ca, san=[x509.DNSName("elsewhere.example")], eku=[certs.SERVER]).files)
    ca_file = ca.files[0]
    try:
        env.ctl("webhook", "set", "tls", good.url)
        p = env.ctl("webhook", "test", "tls", check=False)
        assert p.returncode != 0 and "certificate" in p.stderr.lower(), p.stderr
        env.ctl("webhook", "set", "tls", "--ca", ca_file)
        env.ctl("webhook", "test", "tls")
        assert [e["event"] for e in good.taken()] == ["test"]
        env.ctl("webhook", "set", "tls", other.url)
        p = env.ctl("webhook", "test", "tls", check=False)
        assert p.returncode != 0 and other.taken() == []
    finally:
        env.ctl("webhook", "delete", "tls", "--yes")
        good.close()
        other.close()
