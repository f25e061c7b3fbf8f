# SPDX-License-Identifier: Apache-2.0
"""52: requests of every kind leave no memory behind."""
import contextlib

import pytest

import vaultd
from seclib import policy, token
from test_47_json import memory_kib

BATCH = 50


def line(target, tok, method="GET", body=b"", *more):
    head = [f"{method} /v1/{target} HTTP/1.1", "Host: localhost", *more]
    if tok:
        head.append(f"X-Vault-Token: {tok}")
    if body or method == "POST":
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def mixture(server, reader):
    """One of each: answered, refused by policy, by token, by net, by the handler, not there."""
    one = [line("secret/data/app", server.root), line("secret/data/app", reader), line("secret/data/none", server.root),
           line("secret/metadata/app", reader), line("secret/data/app", None), line("secret/data/app", "vlt_s_nonsense"),
           line("sys/mounts", reader), line("no/such/mount", server.root), line("secret/data/a%00b", server.root),
           line("secret/data/app", server.root, "BREW"), line("secret/data/x", server.root, "POST", b'{"data":'),
           line("secret/data/x", server.root, "POST", b'{"options":{"cas":7},"data":{}}'),
           line("auth/token/lookup-self", reader), line("sys/health", None), line("secret/metadata?list=true", server.root),
           line("sys/capabilities-self", reader, "POST", b'{"path":"secret/data/app"}'),
           line("secret/data/app?help=1", reader), line("secret/data/app", reader, "GET", b"", "X-Vault-Namespace: other"),
           line("secret/data/app", reader, "HEAD"), line("auth/token/create", reader, "POST", b'{"ttl":"x"}')]
    return one


def send_all(server, requests, total):
    """${total} requests in pipelines of BATCH on one connection; every one is answered."""
    pipeline = b"".join(requests[i % len(requests)] for i in range(BATCH))
    with contextlib.closing(vaultd.connect(server.port, server.tls, timeout=120)) as s:
        for _ in range(total // BATCH):
            s.sendall(pipeline)
            seen, tail = 0, b""
            while seen < BATCH:
                piece = s.recv(1 << 18)
                assert piece, "closed"
                data = tail + piece
                seen += data.count(b"HTTP/1.1 ")
                tail = data[-8:] if not data.endswith(b"HTTP/1.1 ") else b""
                tail = tail if b"HTTP/1.1 " not in tail else b""


def slope(server, total):
    policy(server.client(), "reader", 'path "secret/data/*" { capabilities = ["read"] }')
    server.put("app", {"k": "v" * 100})
    reader = token(server.client(), "reader")["client_token"]
    requests = mixture(server, reader)
    # Until caches and arenas have their size: SQLite's page cache takes 32 MiB after some 150,000 requests.
    send_all(server, requests, max(total // 4, 4000))
    before = {role: memory_kib(server, role) for role in ("net", "core")}
    send_all(server, requests, total)
    return {role: (memory_kib(server, role) - kib) * 1024 for role, kib in before.items()}


def check(grown, total):
    """Less than a byte a request, beside what an allocator holds back."""
    assert grown["net"] < total + (1 << 20), grown
    assert grown["core"] < total + (4 << 20), grown


def test_short(server):
    check(slope(server, 8000), 8000)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million(server):
    check(slope(server, 1_000_000), 1_000_000)


def test_a_flood_of_logins_delays_nobody(server, c):
    """Logins are hashed beside the loop: readers go on meanwhile."""
    import threading
    assert c.post("sys/auth/userpass", {"type": "userpass"}).status == 204
    assert c.post("auth/userpass/users/ann", {"password": "right"}).status == 204
    server.put("app", {"k": "v"})
    stop, served = threading.Event(), []

    def attack(i):
        own = server.client(token=None)
        while not stop.is_set():
            own.post(f"auth/userpass/login/nobody{i}", {"password": "wrong"})
        own.close()
    attackers = [threading.Thread(target=attack, args=(i,)) for i in range(8)]
    for t in attackers:
        t.start()
    try:
        for _ in range(200):
            served.append(c.get("secret/data/app").status)
    finally:
        stop.set()
        for t in attackers:
            t.join()
    assert served == [200] * 200
