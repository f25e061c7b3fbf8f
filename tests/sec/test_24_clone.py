# SPDX-License-Identifier: Apache-2.0
"""24: an agent's state is copied; both copies log in with one generation."""
import copy
import threading

import hostwire
from seclib import audit_size, records


def alarms(c, name):
    return [a["kind"] for a in c.get("sys/hosts/" + name).data["alarms"]]


def clone(host):
    other = copy.copy(host)
    other.c = hostwire.Believing(other, host.server.client(token=None))
    return other


def test_24_the_second_login_of_a_generation(server, c):
    host = hostwire.joined(server, "h24", ["secret/h/*"])
    other = clone(host)
    since = audit_size(c)
    assert host.login().status == 200
    assert host.c.get("sys/agent/sync").status == 200 and host.speaks()
    r = other.login()
    assert r.status == 403 and "auth" not in r.json
    assert alarms(c, "h24") == ["two agents with one identity"]
    (rec,) = [x for x in records(c, since) if x["path"] == "auth/host/login" and x["status"] == 403]
    assert rec["actor"] == "h24" and rec["note"]["alarm"] == "two agents with one identity"
    assert host.c.get("sys/agent/sync").status == 200, "the one that holds the token goes on"
    text = server.ctl("host", "show", "h24", fmt="table").stdout
    assert "two agents with one identity" in text, "the operator is told"


def test_24_who_only_has_the_token_locks_nobody_out(server, c):
    """It is seen on its way through the network process, which may use it, and keep the answer from the host."""
    host = hostwire.joined(server, "h24n", ["secret/h/*"])
    assert host.speaks()
    seen = host.login(keep=False).json["auth"]["client_token"]
    assert server.client(seen).get("sys/agent/sync").status == 200
    since = audit_size(c)
    assert host.login().status == 200, "the host comes again, and is let in"
    assert alarms(c, "h24n") == ["two agents with one identity"]
    (rec,) = [x for x in records(c, since) if x["path"] == "auth/host/login"]
    assert rec["status"] == 200 and rec["note"]["alarm"] == "two agents with one identity"
    assert server.client(seen).get("sys/agent/sync").status == 403
    assert host.speaks()
    assert host.login(generation=host.generation - 1, keep=False).status == 403, "now it has had its answer"


def test_24_copies_race(server, c):
    """However they race, one generation makes one live token: each login looks like the repetition of one whose reply was
    lost, and ends the token before.  Once one of them has spoken, the next copy that comes is told of."""
    host = hostwire.joined(server, "h24r", ["secret/h/*"])
    assert host.c.get("sys/agent/sync").status == 200
    copies = [clone(host) for _ in range(8)]
    start, replies = threading.Barrier(len(copies)), []

    def login(h):
        body = h.login_body(h.challenge())
        start.wait()
        replies.append((h, h.c.post("auth/host/login", body)))

    threads = [threading.Thread(target=login, args=(h,)) for h in copies]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    good = [(h, r) for h, r in replies if r.status == 200]
    assert good and all(r.status in (200, 403) for _, r in replies)
    live = [(h, r) for h, r in good if c.get("sys/agent/sync", token=r.json["auth"]["client_token"]).status == 200]
    assert len(live) == 1
    first, reply = live[0]
    first.takes(reply)
    assert first.speaks()
    for h in [h for h in copies if h is not first][:2]:
        assert h.c.post("auth/host/login", h.login_body(h.challenge())).status == 403
    assert first.c.get("sys/agent/sync").status == 200
    assert set(alarms(c, "h24r")) == {"two agents with one identity"}
