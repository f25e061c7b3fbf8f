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
    assert host.c.get("sys/agent/sync").status == 200
    r = other.login()
    assert r.status == 403 and "auth" not in r.json
    assert alarms(c, "h24") == ["two agents with one identity"]
    (rec,) = [x for x in records(c, since) if x["path"] == "auth/host/login" and x["status"] == 403]
    assert rec["actor"] == "h24" and rec["note"]["alarm"] == "two agents with one identity"
    assert host.c.get("sys/agent/sync").status == 200, "the one that holds the token goes on"
    text = server.ctl("host", "show", "h24", fmt="table").stdout
    assert "two agents with one identity" in text, "the operator is told"


def test_24_copies_race(server, c):
    """However they race, one generation makes one live token: each login looks like the repetition of one whose reply was
    lost, and ends the token before.  Once that token is used, the next copy that comes is told of."""
    host = hostwire.joined(server, "h24r", ["secret/h/*"])
    assert host.c.get("sys/agent/sync").status == 200
    copies = [clone(host) for _ in range(8)]
    start, replies = threading.Barrier(len(copies)), []

    def login(h):
        body = h.login_body(h.challenge())
        start.wait()
        replies.append(h.c.post("auth/host/login", body))

    threads = [threading.Thread(target=login, args=(h,)) for h in copies]
    for t in threads:
        t.start()
    for t in threads:
        t.join(60)
    good = [r.json["auth"]["client_token"] for r in replies if r.status == 200]
    assert good and all(r.status in (200, 403) for r in replies)
    live = [t for t in good if c.get("sys/agent/sync", token=t).status == 200]
    assert len(live) == 1
    for h in copies[:2]:
        assert h.c.post("auth/host/login", h.login_body(h.challenge())).status == 403
    assert c.get("sys/agent/sync", token=live[0]).status == 200
    assert set(alarms(c, "h24r")) == {"two agents with one identity"}
