# SPDX-License-Identifier: Apache-2.0
"""11: whatever a child token is asked for, it never has more than its parent: 10,000 requests against a model."""
import ipaddress
import random
import threading

import pytest

from seclib import policy, token

REQUESTS, WORKERS = 10_000, 8
MAX_TTL = 32 * 24 * 3600
NAMES = ["p1", "p2", "p3", "default", "maker11", "root", "sudo11"]


class Parent:
    def __init__(self, auth, cidrs=(), batch=False, uses=0, sudo=False):
        self.token, self.policies = auth["client_token"], set(auth["policies"])
        self.cidrs, self.batch, self.uses, self.sudo = list(cidrs), batch, uses, sudo


def expected(p, body, orphan):
    """What the rules say, apart from how vaultd came to it: the error, or the child's policies."""
    asked = set(body.get("policies", []))
    batch = body.get("type") == "batch"
    if p.batch:
        return "batch tokens cannot create more tokens"
    if p.uses:
        return "restricted use token cannot generate child tokens"
    if "id" in body and not p.sudo:
        return "root or sudo privileges required to specify token id"
    if not asked:
        have = set(p.policies)
    elif not p.sudo and not asked <= p.policies:
        return "child policies must be subset of parent"
    else:
        have = asked | ({"default"} if p.sudo or "default" in p.policies else set())
    if "root" in have:
        return "root tokens may not be created without parent token being root"
    if body.get("no_default_policy"):
        have.discard("default")
    if body.get("no_parent") and not p.sudo and not orphan:
        return "root or sudo privileges required to create orphan token"
    if body.get("num_uses", 0) < 0:
        return "number of uses cannot be negative"
    if body.get("period") and not p.sudo:
        return "root or sudo privileges required to create periodic token"
    for field in ("num_uses", "explicit_max_ttl", "period", "id"):
        if batch and body.get(field):
            return f'batch tokens cannot have "{field}" set'
    return have


def request(rng):
    body = {}
    if rng.random() < 0.8:
        body["policies"] = rng.sample(NAMES, rng.randint(0, 3))
    for field, p, values in (("ttl", 0.5, [1, 60, 3600, MAX_TTL * 2, "9999h"]), ("explicit_max_ttl", 0.3, [30, 3600, MAX_TTL * 3]),
                             ("num_uses", 0.2, [0, 1, 5, -1]), ("period", 0.1, [0, 60, MAX_TTL * 2]),
                             ("no_parent", 0.1, [True, False]), ("no_default_policy", 0.2, [True, False]),
                             ("type", 0.2, ["batch", "service"]), ("renewable", 0.2, [True, False]),
                             ("display_name", 0.2, ["root", "../x"]), ("bound_cidrs", 0.1, [["0.0.0.0/0"]]),
                             ("entity_id", 0.05, ["other"]), ("token_bound_cidrs", 0.1, [["0.0.0.0/0"]])):
        if rng.random() < p:
            body[field] = rng.choice(values)
    if rng.random() < 0.05:
        body["id"] = f"mine-{rng.getrandbits(64):x}"
    return body


def judge(c, p, body, path, look):
    r = c.post(path, body, token=p.token)
    want = expected(p, body, path.endswith("orphan"))
    if isinstance(want, str):
        assert r.status == 400 and r.errors == [want], (sorted(p.policies), body, r)
        return
    assert r.status == 200, (sorted(p.policies), body, r)
    a = r.json["auth"]
    assert set(a["policies"]) == want, (sorted(p.policies), body)
    assert p.sudo or want <= p.policies
    limit = min(MAX_TTL, body.get("explicit_max_ttl") or MAX_TTL)
    assert 0 < a["lease_duration"] <= limit, (body, a)
    assert a["num_uses"] == (body.get("num_uses") or 0)
    if not look:
        return
    d = c.post("auth/token/lookup", {"token": a["client_token"]})
    assert d.status == 200, (body, d)
    blocks = [ipaddress.ip_network(x) for x in d.data.get("bound_cidrs", [])]
    assert not p.cidrs or blocks, "bound to nowhere: free"
    for b in blocks:
        assert any(b.subnet_of(ipaddress.ip_network(x)) for x in p.cidrs)


def work(server, seed, parents, n, failures):
    c, rng = server.client(), random.Random(seed)
    try:
        for i in range(n):
            p, body = rng.choice(parents), request(rng)
            path = rng.choice(["auth/token/create", "auth/token/create", "auth/token/create-orphan"])
            judge(c, p, body, path, i % 16 == 0)
    except BaseException as e:
        failures.append(e)
        raise
    finally:
        c.close()


@pytest.fixture
def parents(server, c):
    policy(c, "maker11", 'path "auth/token/create" { capabilities = ["update"] }\n'
                         'path "auth/token/create-orphan" { capabilities = ["update"] }')
    policy(c, "sudo11", 'path "auth/token/create*" { capabilities = ["update", "sudo"] }')
    for name in ("p1", "p2", "p3"):
        policy(c, name, f'path "secret/data/{name}" {{ capabilities = ["read"] }}')
    blocks = ["127.0.0.0/8", "10.0.0.0/8"]
    assert c.post("auth/token/roles/bound11", {"allowed_policies": "maker11,p1", "token_bound_cidrs": blocks}).status == 204
    bound = c.post("auth/token/create/bound11", {}).json["auth"]
    return [Parent(token(c, "maker11", "p1", "p2")), Parent(token(c, "maker11", "p3", no_default_policy=True)),
            Parent(bound, blocks), Parent(token(c, "maker11", "p1", type="batch"), batch=True),
            Parent(token(c, "maker11", num_uses=10 ** 6), uses=1), Parent(token(c, "sudo11"), sudo=True)]


def test_children_never_have_more(server, c, parents):
    failures = []
    threads = [threading.Thread(target=work, args=(server, 1100 + i, parents, REQUESTS // WORKERS, failures))
               for i in range(WORKERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert not failures, failures[0]
    child = c.post("auth/token/create", {}, token=parents[0].token).json["auth"]["client_token"]
    assert c.post("auth/token/revoke", {"token": parents[0].token}).status == 204
    assert c.get("auth/token/lookup-self", token=child).status == 403, "thousands of brothers, and it is dead"
