# SPDX-License-Identifier: Apache-2.0
"""12: no read by a token succeeds behind the record of its revocation, nor behind its policy's change."""
import threading

from seclib import audit_size, policy, records, token

READERS, READS = 8, 125


def race(server, c, tok, act):
    """Reads by many connections, and one act in their middle; what the log has of it."""
    since, halfway, seen = audit_size(c), threading.Event(), [0]
    lock, statuses = threading.Lock(), []

    def read():
        mine = server.client(tok)
        for _ in range(READS):
            r = mine.get("secret/data/race")
            with lock:
                statuses.append(r.status)
                seen[0] += 1
                if seen[0] >= READERS * READS // 3:
                    halfway.set()
        mine.close()

    threads = [threading.Thread(target=read) for _ in range(READERS)]
    for t in threads:
        t.start()
    assert halfway.wait(60)
    r = act()
    for t in threads:
        t.join(60)
    assert r.status in (200, 204), r
    assert set(statuses) == {200, 403} and len(statuses) == READERS * READS
    log = records(c, since)
    assert [x["index"] for x in log] == sorted(x["index"] for x in log)
    return log, statuses.count(200)


def judge(log, act_path, succeeded):
    act = [r["index"] for r in log if r["path"] == act_path and r["outcome"] == "ok"]
    good = [r["index"] for r in log if r["path"] == "secret/data/race" and r["outcome"] == "ok"]
    assert len(act) == 1
    assert len(good) == succeeded, "each success has its record"
    assert max(good) < act[0], "a success behind the revocation"


def test_revoke(server, c):
    server.put("race", {"k": "v"})
    policy(c, "race", 'path "secret/data/race" { capabilities = ["read"] }')
    a = token(c, "race")
    log, ok = race(server, c, a["client_token"], lambda: c.post("auth/token/revoke-accessor", {"accessor": a["accessor"]}))
    judge(log, "auth/token/revoke-accessor", ok)


def test_policy_change(server, c):
    server.put("race", {"k": "v"})
    policy(c, "race2", 'path "secret/data/race" { capabilities = ["read"] }')
    a = token(c, "race2")
    log, ok = race(server, c, a["client_token"], lambda: c.delete("sys/policies/acl/race2"))
    judge(log, "sys/policies/acl/race2", ok)


def test_revoked_parent_ends_its_children(server, c):
    policy(c, "race3", 'path "secret/data/race" { capabilities = ["read"] }\n'
                       'path "auth/token/create" { capabilities = ["update"] }')
    server.put("race", {"k": "v"})
    parent = token(c, "race3")
    child = c.post("auth/token/create", {}, token=parent["client_token"]).json["auth"]["client_token"]
    log, ok = race(server, c, child, lambda: c.post("auth/token/revoke", {"token": parent["client_token"]}))
    judge(log, "auth/token/revoke", ok)
