# SPDX-License-Identifier: Apache-2.0
"""What the security tests share: bytes on the wire, and the audit log read back."""
import json

import pytest

import vaultd


def head(server, method, target, *lines, token=True):
    """One request that ends its connection, with nothing between the test and the wire."""
    out = [f"{method} {target} HTTP/1.1".encode("latin-1"), b"Host: localhost"]
    if token:
        out.append(b"X-Vault-Token: " + server.root.encode())
    out += [x if isinstance(x, bytes) else x.encode("latin-1") for x in lines]
    return b"\r\n".join([*out, b"Connection: close"]) + b"\r\n\r\n"


def raw(server, method, target, *lines, body=b"", token=True):
    """The replies to it; none if the server just closed."""
    return vaultd.exchange(server, head(server, method, target, *lines, token=token) + body)


def audit_size(c):
    r = c.get("sys/audit-log/checkpoint")
    assert r.status == 200, r
    return r.data["size"]


def records(c, since=0):
    """All audit records from an index on."""
    out, cursor = [], ""
    while True:
        r = c.get(f"sys/audit-log/records?from={since}&order=oldest&limit=1000" + cursor)
        assert r.status == 200, r
        out += r.data["records"]
        if not r.data["next"]:
            return out
        cursor = f"&cursor={r.data['next']}"


def policy(c, name, text):
    assert c.post(f"sys/policies/acl/{name}", {"policy": text}).status in (200, 204)


def token(c, *policies, **more):
    r = c.post("auth/token/create", {"policies": list(policies), **more})
    assert r.status == 200, r
    return r.json["auth"]


def sandbox_missing(server, role):
    """What the build or the machine does not enforce, as the server itself reports it."""
    return server.client().get("sys/vaultd/status").data["sandbox"].get(role) or []


def need(server, role, *what):
    lacking = set(what) & set(sandbox_missing(server, role))
    if lacking:
        pytest.skip(f"not enforced by this build or machine: {', '.join(sorted(lacking))}")


def errors_of(reply):
    return json.loads(reply.body)["errors"]


class Elsewhere(vaultd.Client):
    """A client with a loopback address of its own: refusals are counted together by address."""
    used = 0

    def _connect(self):
        conn = super()._connect()
        Elsewhere.used += 1
        conn.source_address = (f"127.77.{Elsewhere.used // 250}.{Elsewhere.used % 250 + 1}", 0)
        return conn


def elsewhere(server, token=None):
    return Elsewhere("127.0.0.1", server.port, server.tls, token)
