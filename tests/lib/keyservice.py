# SPDX-License-Identifier: Apache-2.0
"""A service with API keys and users, as many companies run one: two keys an account, which can be
listed by the name that they were given, and passwords."""
import base64
import http.server
import itertools
import json
import secrets
import ssl
import threading
import urllib.parse


class KeyService:
    """Knobs: next_replies are given instead of what would be said (after doing what was asked, if
    done); requests remembers method, path, headers and body of each."""

    max_keys = 2

    def __init__(self, certificate=None):
        self.token = "token-" + secrets.token_hex(12)
        self.keys, self.users, self.ids = {}, {}, itertools.count(1)
        self.requests, self.next_replies = [], []
        self.lock = threading.Lock()
        service = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_any(self):
                service.handle(self)

            do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = handle_any

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.url = f"{self.scheme}://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.shutdown()
        self.server.server_close()

    # --- what a client may do ---

    def new_key(self, account, name):
        key = {"id": next(self.ids), "key": "key-" + secrets.token_hex(12), "name": name, "account": account}
        self.keys[key["id"]] = key
        return key

    def can_login(self, api_key):
        with self.lock:
            return any(k["key"] == api_key for k in self.keys.values())

    def account_keys(self, account):
        with self.lock:
            return [k for k in self.keys.values() if k["account"] == account]

    # --- the service ---

    def handle(self, h):
        body = h.rfile.read(int(h.headers.get("Content-Length", 0)))
        with self.lock:
            self.requests.append((h.command, h.path, dict(h.headers), body))
            forced = self.next_replies.pop(0) if self.next_replies else None
            if forced and not forced.get("done"):
                status, reply, headers = forced["status"], forced.get("body", {}), forced.get("headers", {})
            else:
                (status, reply), headers = self.answer(h, body), {}
        if forced and forced.get("drop"):
            h.close_connection = True
            h.connection.close()
            return
        data = b"" if reply is None else reply if isinstance(reply, bytes) else json.dumps(reply).encode()
        h.send_response(status)
        for name, value in headers.items():
            h.send_header(name, value)
        h.send_header("Content-Length", str(len(data)))
        h.end_headers()
        h.wfile.write(data)

    def answer(self, h, body):
        url = urllib.parse.urlsplit(h.path)
        path, query = [urllib.parse.unquote(p) for p in url.path.split("/")[1:]], urllib.parse.parse_qs(url.query)
        if path == ["v1", "whoami"]:
            key = next((k for k in self.keys.values() if k["key"] == h.headers.get("X-Api-Key")), None)
            return (200, {"account": key["account"]}) if key else (401, {"error": {"message": "who are you?"}})
        if path == ["v1", "session"]:
            user = self.basic(h)
            return (200, {"user": user}) if user else (401, {"error": {"message": "who are you?"}})
        if path[:2] == ["v1", "users"] and h.command == "PUT" and self.basic(h) == path[2]:
            return self.password(path[2], h, body)
        if h.headers.get("Authorization") != f"Bearer {self.token}":
            return 401, {"error": {"message": "who are you?"}}
        if path[:2] == ["v1", "users"] and h.command == "PUT":
            return self.password(path[2], h, body)
        if path == ["v1", "keys"] and h.command == "GET":
            return 200, {"keys": [{k: v for k, v in key.items() if k != "key"} for key in self.keys.values()
                                  if key["account"] == query["account"][0]]}
        if path == ["v1", "keys"] and h.command == "POST":
            asked = json.loads(body)
            if sum(k["account"] == asked["account"] for k in self.keys.values()) >= self.max_keys:
                return 409, {"error": {"message": "too many keys"}}
            return 201, self.new_key(asked["account"], asked["name"])
        if path[:2] == ["v1", "keys"] and h.command == "DELETE":
            return (204, None) if self.keys.pop(int(path[2]), None) else (404, {"error": {"message": "no such key"}})
        return 404, {"error": {"message": "no such thing"}}

    def basic(self, h):
        kind, _, text = h.headers.get("Authorization", "").partition(" ")
        name, _, password = base64.b64decode(text).decode().partition(":") if kind == "Basic" else ("", "", "")
        return name if self.users.get(name, object()) == password else None

    def password(self, name, h, body):
        if name not in self.users:
            return 404, {"error": {"message": f"no user {name}"}}
        if h.headers["Content-Type"] == "application/json":
            new = json.loads(body)["password"]
        else:
            new = urllib.parse.parse_qs(body.decode(), strict_parsing=True)["password"][0]
        if "weak" in new:
            return 422, {"error": {"message": f"{new} is too weak"}}
        self.users[name] = new
        return 200, {"ok": True}


def key_config(service, account="orders"):
    """For strategy dual_key."""
    admin = {"Authorization": "Bearer {{admin.token}}"}
    return {
        "base_url": service.url, "account": account, "strategy": "dual_key",
        "requests": {
            "login": {"url": "/v1/keys?account=-", "headers": admin},
            "probe": {"url": "/v1/whoami", "headers": {"X-Api-Key": "{{credential.api_key}}"},
                      "expect": {"status": [200], "json": {"/account": "{{account}}"}}},
            "create": {"method": "POST", "url": "/v1/keys", "headers": admin,
                       "body": {"name": "vaultd-{{attempt}}", "account": "{{account}}"}, "expect": {"status": 201},
                       "fields": {"api_key": "/key", "key_id": "/id"}, "classes": {"409": "retryable"}, "message": "/error/message",
                       "find": {"url": "/v1/keys?account={{account}}", "headers": admin, "list": "/keys",
                                "match": {"/name": "vaultd-{{attempt}}"}, "fields": {"id": "/id"},
                                "delete": {"method": "DELETE", "url": "/v1/keys/{{found.id}}", "headers": admin, "noop": [404]}}},
            "retire": {"method": "DELETE", "url": "/v1/keys/{{previous.key_id}}", "headers": admin, "noop": [404]},
        },
    }


def user_config(service, **more):
    """For strategies single and dual_user."""
    return {
        "base_url": service.url,
        "requests": {
            "probe": {"url": "/v1/session", "basic": {"username": "{{credential.username}}", "password": "{{credential.password}}"}},
            "set": {"method": "PUT", "url": "/v1/users/{{pending.username}}", "headers": {"Authorization": "Bearer {{admin.token}}"},
                    "body": {"password": "{{pending.password}}"}, "expect": {"json": {"/ok": True}},
                    "classes": {"422": "rejected_value"}, "message": "/error/message"},
        },
        **more,
    }
