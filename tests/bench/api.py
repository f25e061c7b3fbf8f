# SPDX-License-Identifier: Apache-2.0
"""What each kind of request costs: all of them durably audited, over plain HTTP and TLS.

A run includes its connections' handshakes.
"""

import load

CONNECTIONS = (1, 16, 64, 256)
LISTED = 1000


def prepare(server, paths):
    """Something to list and a role to log in to; {name: arguments of load.lua}."""
    client = server.client()
    for i in range(LISTED):
        r = client.post(f"secret/data/list/{i:04d}", {"data": {"n": i}})
        assert r.status == 200, r
    r = client.list("secret/metadata/list/")
    assert r.status == 200 and len(r.data["keys"]) == LISTED, r
    role_id, secret_id = _role(client)
    login = {"role_id": role_id, "secret_id": secret_id}
    assert client.post("auth/approle/login", login, token=None).status == 200
    return {
        "read": ("read", server.root, paths),
        "write (a new version)": ("write", server.root, paths),
        f"list of {LISTED:,}": ("list", server.root, paths),
        "AppRole login": ("login", server.root, paths, role_id, secret_id),
        "token create": ("create", server.root, paths),
        "wrapped read": ("wrap", server.root, paths),
    }


def _role(client):
    for path, body in (("sys/auth/approle", {"type": "approle"}),
                       ("auth/approle/role/bench", {"token_policies": ["default"],
                                                    "token_ttl": "1h"})):
        r = client.post(path, body)
        assert r.status in (200, 204), r
    return (client.get("auth/approle/role/bench/role-id").data["role_id"],
            client.post("auth/approle/role/bench/secret-id").data["secret_id"])


def measure(server, pids, yardstick, loads, ruler, audited):
    """(connections, {name: run}, yardstick's run), one after the other."""
    seconds = 2 if server.tls else 1
    together = load.Together((server.url, pids), yardstick, loads, ruler)
    for connections in CONNECTIONS:
        before = audited(server)
        runs, ruler_run = together.measure(connections, seconds, 3, 3, int(connections == 1))
        failed = {name: r.errors for name, r in runs.items() if r.errors}
        assert not failed, f"requests failed: {failed}"
        asked = sum(r.requests for r in runs.values())
        assert audited(server) - before >= asked, "requests without an audit record"
        yield connections, runs, ruler_run
