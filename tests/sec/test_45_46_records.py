# SPDX-License-Identifier: Apache-2.0
"""45, 46: one record for each request, and nobody's text breaks a line of it."""
import collections
import json
import uuid

import pytest

from seclib import audit_size, elsewhere, policy, raw, records, token

ROUTES = [("GET", "secret/data/r"), ("POST", "secret/data/r"), ("LIST", "secret/metadata"), ("DELETE", "secret/data/r"),
          ("GET", "secret/metadata/r"), ("POST", "secret/undelete/r"), ("GET", "secret/config"), ("GET", "sys/init"),
          ("POST", "sys/init"), ("POST", "sys/unseal"), ("GET", "sys/mounts"), ("GET", "sys/auth"), ("GET", "sys/vaultd/status"),
          ("LIST", "sys/policies/acl"), ("GET", "sys/policies/acl/default"), ("POST", "sys/policies/acl/p45"),
          ("GET", "auth/token/lookup-self"), ("POST", "auth/token/renew-self"), ("POST", "auth/token/create"),
          ("LIST", "auth/token/accessors"), ("LIST", "auth/token/roles"), ("POST", "auth/token/roles/r45"),
          ("POST", "auth/token/create/r45"), ("POST", "sys/leases/lookup"), ("LIST", "sys/leases/lookup/auth"),
          ("POST", "sys/leases/revoke-prefix/no/such"), ("POST", "sys/renew"), ("POST", "sys/capabilities-self"), ("GET", "sys/internal/ui/mounts/secret/r"),
          ("LIST", "sys/hosts"), ("GET", "sys/hosts/nobody"), ("POST", "sys/hosts/add"), ("POST", "auth/host/join"),
          ("POST", "auth/host/login"), ("POST", "auth/host/challenge"), ("GET", "sys/agent/sync"), ("POST", "sys/agent/bind"), ("POST", "sys/agent/report"), ("POST", "auth/host/rekey"), ("POST", "sys/agent/cosign"), ("GET", "sys/audit-log/witnesses"), ("GET", "sys/hosts/where/secret/r"), ("LIST", "sys/bindings"), ("POST", "sys/bindings/b45"), ("LIST", "sys/swarm/bindings"), ("POST", "sys/swarm/bindings/b45"),
          ("POST", "sys/agent/swarm/lead"), ("POST", "sys/agent/swarm/state"), ("POST", "sys/agent/swarm/tasks"), ("GET", "sys/swarm/clusters/c45"), ("LIST", "sys/vault-leases"),
          ("LIST", "sys/rotation/config"), ("POST", "sys/rotation/rotate/secret/r"), ("GET", "sys/audit-log/checkpoint"),
          ("GET", "sys/audit-log/records"), ("LIST", "sys/backup"), ("GET", "no/such/route"), ("PATCH", "secret/data/r"),
          ("POST", "secret/metadata/r"), ("DELETE", "sys/mounts"),
          ("POST", "sys/mounts/r"), ("DELETE", "sys/mounts/none"), ("GET", "sys/mounts/secret/tune"),
          ("POST", "sys/auth/secret/tune"), ("GET", "cubbyhole/r"), ("POST", "cubbyhole/r"), ("LIST", "cubbyhole")]


@pytest.fixture(scope="module")
def callers(server):
    c = server.client()
    policy(c, "nothing", 'path "secret/none" { capabilities = ["read"] }')
    yield {"root": server.root, "nothing allowed": token(c, "nothing")["client_token"], "no token": None,
           "bad token": "vlt_s_" + "0" * 49}
    c.close()


@pytest.mark.parametrize("method, path", ROUTES)
def test_45_one_record_each(server, c, callers, method, path):
    since, ids = audit_size(c), []
    for tok in callers.values():
        mine = elsewhere(server, tok)
        h = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
        r = mine.request(method, path, {} if method in ("POST", "PATCH") else None, headers=h)
        mine.close()
        ids.append((r.json or {}).get("request_id") if r.raw else None)
    own = ("sys/audit-log/checkpoint", "sys/audit-log/records")
    log = [r for r in records(c, since) if path in own or r["path"] not in own]
    mine = [r for r in log if r["remote"].startswith("127.77.")]
    assert len(mine) == len(callers), [(r["path"], r["outcome"]) for r in log]
    assert all(r["path"].rstrip("/") == path for r in mine)
    assert len({r["remote"] for r in mine}) == len(callers)
    assert len({r["request_id"] for r in mine}) == len(callers)
    for given in filter(None, ids):
        assert sum(r["request_id"] == given for r in mine) == 1


def test_45_ids_are_unique(c):
    log = records(c)
    ids = collections.Counter(r["request_id"] for r in log if r["request_id"])
    assert len(ids) > 100 and ids.most_common(1)[0][1] == 1
    assert all(str(uuid.UUID(i)) == i for i in ids)
    assert [r["index"] for r in log] == list(range(len(log)))


def test_45_refusals_of_strangers_are_counted(server, c):
    """Beyond ten a second they are counted, none is lost."""
    import vaultd
    since = audit_size(c)
    stranger = elsewhere(server)
    for _ in range(60):
        assert stranger.get("secret/data/flood").status == 403

    def counted():
        log = [r for r in records(c, since) if r["remote"].startswith("127.77.")]
        return sum(r["note"]["count"] if r["operation"] == "aggregate" else 1 for r in log) == 60
    vaultd.wait_for("sixty refusals in the log", counted, 10)


HOSTILE = ["a\nb", "a\r\nb", "a\x1b[31mb", "a\x1b]0;title\x07b", "a\0b", "a\x7fb", "a\x9b31mb", "a\u2028b", "a\u202eb",
           'a","outcome":"ok","x":"', "a\tb", "x" * 1000]


@pytest.mark.parametrize("text", HOSTILE)
def test_46_user_agents(server, c, text):
    since = audit_size(c)
    for reply in raw(server, "GET", "/v1/secret/data/r", b"User-Agent: " + text.encode()):
        assert reply.status < 500
    log = [r for r in records(c, since) if r["path"].startswith("secret/")]
    assert len(log) <= 1
    assert text[1:] not in json.dumps(log, ensure_ascii=False) and "outcome\\\":" not in json.dumps(log)


def test_46_a_huge_user_agent(server, c):
    since = audit_size(c)
    replies = raw(server, "GET", "/v1/secret/data/r", "User-Agent: " + "x" * 2 ** 20)
    assert all(r.status in (400, 413, 431) for r in replies)
    assert not any(r["path"].startswith("secret/") for r in records(c, since))


@pytest.mark.parametrize("text", HOSTILE)
def test_46_names_and_bodies(server, c, text):
    import urllib.parse
    quoted = urllib.parse.quote(text, safe="")
    since, sent = audit_size(c), 0
    for method, path, body in (("GET", "secret/data/n/" + quoted, None), ("POST", "secret/data/n/" + quoted, {"data": {}}),
                               ("POST", "sys/policies/acl/" + quoted, {"policy": ""}),
                               ("POST", "auth/token/create", {"display_name": text, "meta": {text: text}, "ttl": 60}),
                               ("POST", "sys/hosts/add", {"name": text, "role": text}),
                               ("POST", "secret/metadata/n", {"custom_metadata": {text: text}})):
        r = c.request(method, path, body)
        assert r.status < 500, (path, r)
        sent += 1
    own = ("sys/audit-log/checkpoint", "sys/audit-log/records")
    log = [r for r in records(c, since) if r["path"] not in own and r["operation"] != "aggregate"]
    assert len(log) <= sent
    out = server.ctl("audit", "list", "--limit", "30", fmt="table").stdout
    lines = out.rstrip("\n").split("\n")
    assert len(lines) == 31 and all(x.split()[0].isdigit() for x in lines[1:])
    lines = server.ctl("audit", "list", "--limit", "30").stdout.rstrip("\n").split("\n")
    assert len(lines) == 30 and all(json.loads(x)["index"] >= 0 for x in lines)


@pytest.mark.parametrize("text", [t for t in HOSTILE if len(t) < 100])
def test_46_terminal(server, c, text):
    """Values, field names, metadata and names reach a terminal as text."""
    server.put("term/x", {"k": text, "f" + text: 1})
    c.post("secret/metadata/term/x", {"custom_metadata": {"m": text}})
    for args in (["kv", "get", "secret/term/x"], ["kv", "metadata", "secret/term/x"], ["kv", "list", "secret/term"],
                 ["token", "lookup"], ["policy", "list"], ["audit", "list", "--limit", "20"]):
        p = server.ctl(*args, fmt="table", check=False)
        for stream in (p.stdout, p.stderr):
            odd = [x for x in stream if (ord(x) < 32 and x != "\n") or 127 <= ord(x) < 160 or x in "\u202e\u2028"]
            assert odd == [], (args, stream)
