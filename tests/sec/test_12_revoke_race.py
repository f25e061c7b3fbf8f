# SPDX-License-Identifier: Apache-2.0
"""12: no read by a token succeeds behind the record of its revocation, nor behind its policy's change."""
import threading

from seclib import audit_size, policy, records, token

READERS, READS = 8, 125


RULE = 'path "secret/data/race" { capabilities = ["%s"] }'


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


def test_policy_edits(server, c):
    """Each read is judged by the policy whose record is the last before its own."""
    server.put("race", {"k": "v"})
    policy(c, "race4", RULE % "read")
    tok = token(c, "race4")["client_token"]

    def edit():
        for i in range(40):
            r = c.post("sys/policies/acl/race4", {"policy": RULE % ("list", "read")[i % 2]})
        return r if r.status not in (200, 204) else c.post("sys/policies/acl/race4", {"policy": RULE % "list"})
    log, ok = race(server, c, tok, edit)
    allowed, judged = True, 0
    edits = 0
    for r in log:
        if r["path"] == "sys/policies/acl/race4":
            edits += 1
            allowed = edits <= 40 and edits % 2 == 0
        elif r["path"] == "secret/data/race":
            judged += 1
            assert (r["outcome"] == "ok") == allowed, (r["index"], r["outcome"], edits)
    assert edits == 41 and judged == READERS * READS and 0 < ok < judged


def batch_token(c, parent, **more):
    r = c.post("auth/token/create", {"type": "batch", **more}, token=parent)
    assert r.status == 200 and r.json["auth"]["token_type"] == "batch", r
    return r.json["auth"]["client_token"]


CREATOR = RULE % "read" + '\npath "auth/token/create" { capabilities = ["update"] }'


def test_batch_token_of_a_revoked_parent(server, c):
    """Nothing of it is stored, and still it ends with the record of its parent's end."""
    policy(c, "race5", CREATOR)
    server.put("race", {"k": "v"})
    parent = token(c, "race5")
    mine = batch_token(c, parent["client_token"])
    log, ok = race(server, c, mine, lambda: c.post("auth/token/revoke", {"token": parent["client_token"]}))
    judge(log, "auth/token/revoke", ok)


def test_batch_token_of_a_revoked_grandparent(server, c):
    policy(c, "race6", CREATOR)
    server.put("race", {"k": "v"})
    grandparent = token(c, "race6")
    parent = c.post("auth/token/create", {}, token=grandparent["client_token"]).json["auth"]
    mine = batch_token(c, parent["client_token"])
    log, ok = race(server, c, mine, lambda: c.post("auth/token/revoke-accessor", {"accessor": grandparent["accessor"]}))
    judge(log, "auth/token/revoke-accessor", ok)


def test_batch_token_and_its_policy(server, c):
    policy(c, "race7", RULE % "read")
    server.put("race", {"k": "v"})
    mine = batch_token(c, c.token, policies=["race7"])
    log, ok = race(server, c, mine, lambda: c.delete("sys/policies/acl/race7"))
    judge(log, "sys/policies/acl/race7", ok)
