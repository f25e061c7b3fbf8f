# SPDX-License-Identifier: Apache-2.0
"""vault-agent when the process between it and the vault lies: it keeps its files, and says so."""
import base64
import json
import re
import shutil
import signal
import threading

import pytest

import hostwire
from liar import Liar, Reply, flipped, with_data
from vaultd import wait_for

FILES = [{"path": "secret/app/db", "field": "password", "binding": "db", "name": "password"}]


class Scene:
    """A server, a liar before it, and an agent that talks to the liar."""

    def __init__(self, server, make_agent):
        self.server, self.net = server, Liar(server)
        server.put("app/db", {"password": "one"})
        self.agent = a = make_agent(self.net, "web1", FILES)
        a.lied_to = True
        self.added = server.add_host("web1", ["secret/app/*"])

    def run(self):
        self.agent.join(self.added["join_token"])
        self.agent.start()
        self.applied("one")
        return self

    def applied(self, value):
        """Delivered, and the server knows."""
        self.agent.wait_content("db", "password", value)
        version = self.server.client().get("secret/data/app/db").data["metadata"]["version"]
        wait_for("the acknowledgement", lambda: self.lease()["applied"] == version)

    def lease(self):
        info = self.server.client().list("sys/vault-leases?host=web1").data.get("key_info") or {}
        return next(iter(info.values()), {"applied": None})

    def lease_of(self, path):
        info = self.server.client().list("sys/vault-leases?host=web1").data.get("key_info") or {}
        return next((x for x in info.values() if x["path"] == path), {})

    def put(self, value):
        self.server.put("app/db", {"password": value})

    def content(self):
        return self.agent.content("db", "password")

    def disbelieved(self, text, more_than=0):
        """The agent has refused what it was told, and says why."""
        st = wait_for("a refusal", lambda: (s := self.agent.status()) and s["disbelieved"] > more_than and
                      text in s["alarm"] and s)
        assert "is not believed" in self.agent.log() and text in self.agent.log()
        return st

    def recovers(self):
        """When the truth comes through again, so do changes."""
        self.net.honest()
        self.put("the truth")
        self.agent.wait_content("db", "password", "the truth", 60)

    def alarms(self):
        return self.server.client().get("sys/hosts/web1").data["alarms"]


@pytest.fixture
def scene(own_server, make_agent):
    s = Scene(own_server, make_agent)
    yield s
    s.agent.stop()
    s.net.stop()


def test_an_older_value_played_again(scene):
    scene.run()
    (first,) = scene.net.replies("sys/agent/fetch")
    scene.put("two")
    scene.applied("two")
    assert any("items" in r.data for r in scene.net.replies("sys/agent/watch")), "values come with their events"
    scene.net.lie = lambda path, _, reply: with_data(reply, items=first.data["items"]) if "items" in reply.data else None
    fetches = len(scene.net.replies("sys/agent/fetch"))
    scene.put("three")
    scene.disbelieved("played again")
    wait_for("the agent to ask for it", lambda: len(scene.net.replies("sys/agent/fetch")) > fetches)
    scene.recovers()


def test_values_older_than_the_event_that_they_come_with(scene):
    """Asked for under the nonce of the watch before the change, given with the event of it."""
    scene.agent.extra.update(heartbeat="2s")
    scene.run()
    scene.put("two")
    scene.applied("two")
    net, older, told = scene.net, {}, []
    token = net.replies("auth/host/login")[-1].doc["auth"]["client_token"]

    def twist(path, _, request):
        if path == "sys/agent/watch":
            body = json.dumps({"nonce": request["nonce"], "values": request["values"], "since": 0, "wait": 0})
            r = net.ask(scene.server.hosts_port, "POST", "/v1/" + path, body, {"X-Vault-Token": token})
            older[request["nonce"]] = r.data["items"]

    def lie(path, request, reply):
        if "items" not in reply.data or (request or {}).get("nonce") not in older:
            return None
        told.append(reply)
        return with_data(reply, items=older[request["nonce"]])

    net.twist, net.lie = twist, lie
    scene.put("three")  # ends the watch that was asked before
    scene.applied("three")
    fetches = len(net.replies("sys/agent/fetch"))
    scene.put("four")
    scene.disbelieved("older than its event")
    assert told and scene.content() == "three"
    scene.agent.wait_content("db", "password", "four", 90)
    assert len(net.replies("sys/agent/fetch")) > fetches
    scene.recovers()


def test_a_value_of_another_host(scene):
    scene.run()
    other = hostwire.joined(scene.server, "other", ["secret/app/*"])
    (lease,) = other.lease("secret/app/db")
    theirs = other.fetch(lease["lease_id"])[0]["sealed"]

    def lie(path, _, reply):
        if "items" not in reply.data:
            return None
        return with_data(reply, items=[{**item, "sealed": theirs} for item in reply.data["items"]])

    scene.net.lie = lie
    scene.put("two")
    scene.disbelieved("not sealed to this host")
    assert scene.content() == "one"
    scene.recovers()


@pytest.mark.parametrize("how", ["bit", "cut", "no base64", "another's"])
def test_a_broken_box_is_no_verdict_on_the_value(scene, how):
    """What was spoilt on its way is asked for again; of the value nothing is said, so no rotation is taken back for it."""
    scene.agent.extra.update(heartbeat="2s")
    scene.run()
    (first,) = scene.net.replies("sys/agent/fetch")
    broken, told = {"bit": flipped, "cut": lambda s: s[:40], "no base64": lambda s: "*" + s[1:],
                    "another's": lambda s: first.data["items"][0]["sealed"]}[how], []

    def lie(path, _, reply):
        if "items" not in reply.data:
            return None
        told.append(path)
        return with_data(reply, items=[{**i, "sealed": broken(i["sealed"])} for i in reply.data["items"]])

    scene.net.lie = lie
    scene.put("two")
    scene.disbelieved("")
    wait_for("three tries", lambda: len(told) > 2)
    st = scene.agent.status()
    assert scene.content() == "one" and st["secrets"][0]["state"] == "pending" and st["alarm"], st
    assert scene.lease()["state"] == "applied" and scene.lease()["applied"] == 1
    scene.net.honest()
    scene.applied("two")
    assert scene.lease()["state"] == "applied"
    said = scene.server.client().get("sys/audit-log/records?order=oldest&limit=1000").data["records"]
    assert "rejected" not in json.dumps(said)


@pytest.mark.parametrize("what", ["lease", "host"])
def test_a_value_that_arrives_after_it_was_taken_away(scene, what):
    """Genuine, asked for in time, and too late all the same."""
    scene.run()
    held, go = threading.Event(), threading.Event()

    def lie(path, *_):
        if path == "sys/agent/fetch":
            held.set()
            go.wait(60)

    scene.net.lie = lie
    scene.put("x" * 20000)  # too large to come with its event
    assert held.wait(60)
    c = scene.server.client()
    if what == "lease":
        (lease,) = c.list("sys/vault-leases?host=web1").data["keys"]
        assert c.post("sys/vault-leases/revoke", {"lease_id": lease}).status == 204
    else:
        assert c.post("sys/hosts/web1/revoke", {}).status == 204
    go.set()
    wait_for("the wipe", lambda: scene.content() is None, 60)
    wait_for("a quiet agent", lambda: scene.agent.status()["secrets"][0]["state"] in ("revoked", "no lease"))
    assert scene.content() is None and b"xxxx" not in b"".join(
        p.read_bytes() for p in scene.agent.run_dir.rglob("*") if p.is_file())


KEY = {"path": "secret/app/key", "binding": "other", "field": "key"}


def hup(agent, files):
    agent.files = files
    agent.write_config()
    agent.proc.send_signal(signal.SIGHUP)


def test_a_late_word_gives_up_no_lease_that_is_used_again(scene):
    """The net keeps back that a lease is given up until the host has it again, and a rotation waits for the host."""
    scene.server.put("app/key", {"key": "k1"})
    hup_files = [*FILES, KEY]
    scene.agent.files = hup_files
    scene.run()
    scene.agent.wait_content("other", "key", "k1")
    kept = []

    def answer(path, request):
        if path != "sys/agent/release":
            return None
        kept.append(request)
        return Reply(503, {"errors": ["away"]})

    before = scene.lease_of("secret/app/db")["issued"]
    scene.net.answer = answer
    hup(scene.agent, [KEY])
    wait_for("the lease to be given up", lambda: kept)
    hup(scene.agent, hup_files)
    wait_for("it to be said again", lambda: len(kept) > 1, 60)
    scene.net.honest()
    scene.agent.wait_content("db", "password", "one", 60)
    wait_for("it to be held anew", lambda: (x := scene.lease_of("secret/app/db")).get("issued", "") > before and x["applied"] == 1, 60)
    token = scene.net.replies("auth/host/login")[-1].doc["auth"]["client_token"]
    for late in kept:
        assert scene.server.client(token).post("sys/agent/release", late).status == 204
    assert scene.lease_of("secret/app/db").get("applied") == 1, "it still has it"
    scene.put("two")
    scene.agent.wait_content("db", "password", "two", 60)


def revocation(scene, lease_id):
    return {"rev": 1000, "events": [{"lease_id": lease_id, "path": "secret/app/db", "version": 1, "rev": 1000,
                                     "op": "revoke", "reason": "operator"}], "server_time_ms": 1}


@pytest.mark.parametrize("op", ["revoke", "expire"])
def test_a_made_up_end_of_a_lease(scene, op):
    scene.run()
    data = revocation(scene, scene.agent.status()["secrets"][0]["lease_id"])
    data["events"][0]["op"] = op
    scene.net.lie = lambda path, _, reply: with_data(reply, **data, statement=None) if path == "sys/agent/watch" else None
    scene.put("two")  # the watch answers
    scene.disbelieved("not signed by the vault")
    assert scene.content() in ("one", "two")
    assert scene.agent.status()["wipes"] == 0
    scene.recovers()


def test_a_changed_event(scene):
    scene.run()
    scene.net.lie = lambda path, _, reply: with_data(reply, statement=flipped(reply.data["statement"])) \
        if path == "sys/agent/watch" and "statement" in reply.data else None
    scene.put("two")
    scene.disbelieved("not signed by the vault")
    assert scene.agent.status()["wipes"] == 0
    scene.recovers()


def test_a_genuine_end_played_again_after_the_lease_came_back(scene):
    scene.run()
    lease = scene.agent.status()["secrets"][0]["lease_id"]
    scene.server.client().delete("secret/data/app/db")
    wait_for("the wipe", lambda: scene.content() is None)
    end = [r for r in scene.net.replies("sys/agent/watch") if "statement" in r.data][-1]
    scene.put("back")
    scene.applied("back")
    assert scene.agent.status()["secrets"][0]["lease_id"] == lease, "the same lease"
    scene.net.answer = lambda path, _: end if path == "sys/agent/watch" else None
    wipes = scene.agent.status()["wipes"]
    scene.put("next")  # ends the watch that is under way
    scene.disbelieved("played again")
    assert scene.content() in ("back", "next") and scene.agent.status()["wipes"] == wipes
    scene.recovers()


NOTHING = {"rev": 1000, "leases": [], "pins": [], "digest": "", "server_time_ms": 1}
REFUSED = {"rev": 1000, "leases": [{"path": "secret/app/db", "error": "no such secret"}]}


@pytest.mark.parametrize("data", [NOTHING, {**NOTHING, "leases": [
    {"lease_id": "00" * 16, "path": "secret/app/db", "version": 1, "rev": 1, "state": "revoked", "ttl_ms": 1}]}])
def test_a_made_up_sync(scene, data):
    scene.run()
    scene.agent.stop()
    scene.net.answer = lambda path, _: {"sys/agent/sync": Reply(200, {"data": data}),
                                        "sys/agent/leases": Reply(200, {"data": REFUSED})}.get(path)
    scene.agent.start()
    st = scene.disbelieved("not signed by the vault")
    assert scene.content() == "one" and st["wipes"] == 0 and st["state"] == "offline"
    scene.recovers()


def test_made_up_refusals_of_leases(scene):
    """The first answer to `leases` decides whether there is anything to wipe: it has to be the vault's."""
    scene.net.lie = lambda path, _, reply: Reply(200, {"data": REFUSED}) if path == "sys/agent/leases" else None
    scene.agent.join(scene.added["join_token"])
    scene.agent.start()
    scene.disbelieved("not signed by the vault")
    scene.recovers()


def test_a_made_up_login_does_not_lock_the_host_out(scene):
    scene.run()
    scene.agent.stop()
    (real,) = scene.net.replies("auth/host/login")
    state = (scene.agent.state_dir / "identity").read_bytes()
    doc = {"auth": {"client_token": "vlt_s_x", "lease_duration": 3600}, "data": {"generation": 2}}
    count = 0
    for lie in (Reply(200, doc), Reply(200, {**doc, "data": real.data})):
        scene.net.answer = lambda path, _, lie=lie: lie if path == "auth/host/login" else None
        scene.agent.start()
        count = scene.disbelieved("signed" if lie.doc["data"] != real.data else "played again")["disbelieved"]
        scene.agent.stop()
        assert (scene.agent.state_dir / "identity").read_bytes() == state
    assert count > 0
    scene.net.honest()
    scene.agent.start()
    scene.put("two")
    scene.agent.wait_content("db", "password", "two", 60)
    assert scene.alarms() == []


def test_answers_to_logins_that_are_lost_time_and_again(scene):
    """As often as it takes: the host is not locked out, nor taken for another."""
    scene.run()
    scene.agent.stop()
    lost = []

    def lie(path, _, reply):
        if path != "auth/host/login" or len(lost) == 4:
            return None
        lost.append(reply)
        return Reply(502, {"errors": ["lost"]})

    scene.net.lie = lie
    scene.agent.start()
    scene.put("two")
    scene.agent.wait_content("db", "password", "two", 90)
    assert len(lost) == 4 and all(r.status == 200 for r in lost)
    assert scene.alarms() == [] and scene.agent.status()["alarm"] == ""


def test_made_up_pins_are_not_kept(scene):
    scene.run()
    evil = "sha256//" + base64.b64encode(b"e" * 32).decode()
    syncs = len(scene.net.replies("sys/agent/sync"))
    bell = {"rev": 1, "events": [], "pins": [evil], "server_time_ms": 1}
    turns = []

    def answer(path, _):
        if path != "sys/agent/watch" or turns:
            return None
        turns.append(path)
        return Reply(200, {"data": bell})

    scene.net.answer = answer
    scene.put("two")
    scene.applied("two")
    wait_for("the agent to ask the vault itself", lambda: len(scene.net.replies("sys/agent/sync")) > syncs)
    assert b"e" * 32 not in (scene.agent.state_dir / "identity").read_bytes()
    assert "pins changed" not in scene.agent.log()
    scene.recovers()


def test_a_genuine_new_pin_is_kept(scene):
    scene.run()
    pin = b"n" * 32
    r = scene.server.client().post("sys/hosts/pins", {"next": "sha256//" + base64.b64encode(pin).decode()})
    assert r.status == 200
    scene.put("two")  # an event; it carries the pins
    wait_for("the new pin", lambda: pin in (scene.agent.state_dir / "identity").read_bytes())
    assert scene.agent.status()["disbelieved"] == 0


def test_an_old_checkpoint_and_a_refused_proof_raise_no_lasting_alarm(scene):
    scene.run()
    (login,) = scene.net.replies("auth/host/login")
    old = hostwire.decode(base64.b64decode(login.data["statement"])[64:])["data"]["checkpoint"]
    asked = []

    def answer(path, _):
        if path == "sys/agent/watch":
            return Reply(200, {"data": {"rev": 1, "events": [], "checkpoint": old, "server_time_ms": 1}}) \
                if not asked else None
        if path == "sys/agent/consistency":
            asked.append(path)
            return Reply(400, {"errors": ["the log has fewer records"]})
        return None

    scene.put("two")
    scene.applied("two")
    size = wait_for("a witness that is ahead", lambda: (s := scene.agent.status()) and s["checkpoint_size"] > 1 and
                    s["checkpoint_size"])
    scene.net.answer = answer
    scene.put("three")
    wait_for("the question", lambda: asked)
    assert not (scene.agent.state_dir / "checkpoint.conflict").exists()
    assert scene.agent.status()["checkpoint_size"] >= size
    scene.recovers()
    assert scene.agent.status()["alarm"] == ""


@pytest.fixture
def quiet(scene):
    """Nothing happens any more: each watch is answered by a heartbeat."""
    scene.agent.extra.update(heartbeat="2s")
    scene.run()
    scene.put("two")
    scene.applied("two")
    scene.before = len(scene.net.replies("sys/agent/watch"))
    return scene


def heartbeats(scene):
    """As statements: nobody but the agent can read them."""
    return [r for r in scene.net.replies("sys/agent/watch")[scene.before:] if "statement" in r.data]


def seen(scene):
    return scene.agent.status()["checkpoint_size"]


def newest(scene):
    """The signed head of the audit log, and its size."""
    d = scene.server.client().get("sys/audit-log/checkpoint").data
    return d["checkpoint"], d["size"]


def test_a_heartbeat_is_all_that_the_witness_needs(quiet):
    _, size = newest(quiet)
    asked = len(quiet.net.replies("sys/agent/consistency"))
    wait_for("two heartbeats", lambda: len(heartbeats(quiet)) >= 2)
    wait_for("a head of now", lambda: seen(quiet) >= size)
    assert len(quiet.net.replies("sys/agent/consistency")) == asked and quiet.agent.status()["disbelieved"] == 0


@pytest.mark.parametrize("how", ["bit", "played", "another", "unsigned", "stripped"])
def test_a_forged_heartbeat_moves_nothing(quiet, how):
    """One that was changed, an old one, another answer, a head of another's making, none: only a true one counts,
    and where it was taken away the agent asks."""
    wait_for("a heartbeat", lambda: heartbeats(quiet))
    note, size = newest(quiet)
    wait_for("its head", lambda: seen(quiet) >= size)
    real, told = heartbeats(quiet)[0], []
    line = note.split("\n")
    bell = {"statement": None, "rev": 1, "events": [], "server_time_ms": 1, "proof": ["A" * 44]}
    forged = {"bit": lambda reply: with_data(reply, statement=flipped(reply.data["statement"])),
              "played": lambda reply: real,
              "another": lambda reply: quiet.net.replies("sys/agent/sync")[-1],
              "unsigned": lambda reply: with_data(reply, **bell, checkpoint="\n".join([line[0], str(size + 5000), *line[2:]])),
              "stripped": lambda reply: with_data(reply, **bell, checkpoint=newest(quiet)[0])}[how]

    def lie(path, _, reply):
        if path != "sys/agent/watch" or "statement" not in reply.data:
            return None
        told.append(how)
        return forged(reply)

    at, asked = seen(quiet), len(quiet.net.replies("sys/agent/consistency"))
    quiet.net.lie = lie
    wait_for("the lie", lambda: told)
    if how == "unsigned":
        wait_for("the refusal", lambda: "checkpoint was refused" in quiet.agent.log())
    elif how == "stripped":
        wait_for("the agent's own question", lambda: len(quiet.net.replies("sys/agent/consistency")) > asked)
    else:
        quiet.disbelieved("played again" if how == "played" else "not signed by the vault")
    assert seen(quiet) < size + 5000 and (how != "unsigned" or seen(quiet) == at)
    quiet.net.honest()
    wait_for("a true one", lambda: seen(quiet) > at, 90)
    assert not (quiet.agent.state_dir / "checkpoint.conflict").exists()
    quiet.recovers()


@pytest.mark.parametrize("later", [1, 1 << 40])
def test_a_watch_since_another_revision_is_not_believed(quiet, later):
    """The vault's own word, about other changes: of what it leaves out this host would never hear again."""
    wait_for("a heartbeat", lambda: heartbeats(quiet))
    quiet.net.twist = lambda path, query, request: (query, {**request, "since": request["since"] + later}) \
        if path == "sys/agent/watch" else None
    syncs = len(quiet.net.replies("sys/agent/sync"))
    quiet.disbelieved("another revision than was asked")
    quiet.put("left out")
    quiet.agent.wait_content("db", "password", "left out")
    assert len(quiet.net.replies("sys/agent/sync")) > syncs, "the agent asked for itself"
    quiet.recovers()


def asked_from(size, only):
    """Requests for a proof that begins at another record than the agent's: in a watch, or by themselves."""
    def twist(path, query, request):
        if path == "sys/agent/watch":
            return query, {**request, "from": size if only == "watch" else 0}
        if path == "sys/agent/consistency" and only == path.rsplit("/", 1)[1]:
            return re.sub(r"from=\d+", f"from={size}", query), request
        return None
    return twist


@pytest.mark.parametrize("only", ["watch", "consistency"])
def test_a_proof_that_begins_elsewhere_raises_no_lasting_alarm(quiet, only):
    """It is the vault's word, but no answer to what the agent asked."""
    wait_for("a heartbeat", lambda: heartbeats(quiet))
    at = seen(quiet)
    assert at > 1
    quiet.net.twist = asked_from(1, only)
    quiet.disbelieved("another record of the audit log")
    assert not (quiet.agent.state_dir / "checkpoint.conflict").exists()
    quiet.net.honest()
    wait_for("a true one", lambda: seen(quiet) > at, 90)
    quiet.recovers()


def test_time_that_passes_wipes_nothing_without_the_vault(scene):
    """A host whose renewals are swallowed keeps its files past the end of the lease, marked stale."""
    assert scene.server.client().post("sys/hosts/roles/web", {"paths": ["secret/app/*"], "ttl": "4s"}).status == 204
    scene.net.answer = lambda path, _: Reply(500, {"errors": ["no"]}) if path == "sys/agent/renew" else None
    scene.agent.join(scene.added["join_token"])
    scene.agent.start()
    scene.agent.wait_content("db", "password", "one")
    scene.net.answer = lambda path, _: Reply(500, {"errors": ["no"]}) \
        if path in ("sys/agent/renew", "sys/agent/leases", "sys/agent/sync", "sys/agent/watch") else None
    wait_for("the end of the lease", lambda: (s := scene.agent.status()) and s["secrets"][0]["stale"])
    assert scene.content() == "one" and scene.agent.status()["wipes"] == 0
    scene.recovers()


@pytest.mark.parametrize("change", ["bit", "pins", "none"])
def test_a_changed_answer_to_the_join(scene, change):
    def lie(path, _, reply):
        if path != "auth/host/join":
            return None
        if change == "bit":
            return with_data(reply, joined=flipped(reply.data["joined"]))
        if change == "none":
            return with_data(reply, joined=None)
        raw = base64.b64decode(reply.data["joined"])
        at = raw.index(b"sha256//")
        raw = raw[:at + 8] + b"A" * 43 + raw[at + 51:]
        assert len(hostwire.decode(raw)["pins"]) == 1
        return with_data(reply, joined=base64.b64encode(raw).decode())

    scene.net.lie = lie
    p = scene.agent.join(scene.added["join_token"], check=False)
    assert p.returncode != 0 and ("did not prove" in p.stderr or "cannot be read" in p.stderr), p.stderr
    assert not (scene.agent.state_dir / "identity").exists()


def test_nobody_else_acknowledges_or_gives_up(scene):
    """The network process has the host's token, and may ask; it cannot speak for the host."""
    paths, said = ("sys/agent/ack", "sys/agent/watch"), []

    def hear(path, _, request):  # a watch that brings one may wait for long
        if path in paths and "statement" in request:
            said.append({"statement": request["statement"]})

    scene.net.twist = hear
    scene.run()
    scene.net.twist = lambda *_: None
    token = scene.net.replies("auth/host/login")[-1].doc["auth"]["client_token"]
    lease = scene.agent.status()["secrets"][0]["lease_id"]
    scene.net.answer = lambda path, r: Reply(500, {"errors": ["no"]}) if path in paths and "statement" in r else None
    scene.put("two")
    scene.agent.wait_content("db", "password", "two")
    c = scene.server.client(token)
    assert c.get("sys/agent/sync").status == 200, "the token is good"
    ack = {"acks": [{"lease_id": lease, "version": 2, "rev": 1 << 40, "state": "applied"}]}
    for body in (ack, {"statement": flipped(said[-1]["statement"])}, {}):
        assert c.post("sys/agent/ack", body).status == 400
    assert c.post("sys/agent/release", {"leases": [lease]}).status == 400
    assert c.post("sys/agent/release", said[-1]).status == 400, "another word"
    for old in said:
        assert c.post("sys/agent/ack", old).status == 204
    assert scene.lease()["applied"] == 1, "an old word says nothing new"
    scene.recovers()
    wait_for("the host's own word", lambda: scene.lease()["applied"] == 3)


def test_acknowledgements_that_are_refused_on_their_way_are_said_again(scene):
    """A refusal of the watch is of the watch, and nobody's word: what rode with it was not heard."""
    scene.run()
    refused = []

    def answer(path, request):
        if path != "sys/agent/watch" or "statement" not in request:
            return None
        refused.append(request)
        return Reply(400, {"errors": ["no"]})

    scene.net.answer = answer
    scene.put("two")
    scene.applied("two")
    assert len(refused) <= 1, "it goes another way then, or did at once where the watch was late"
    scene.server.client().delete("secret/data/app/db")
    wait_for("the host's word that it is gone", lambda: scene.lease()["state"] == "wiped")
    assert scene.content() is None and len(refused) <= 2
    scene.recovers()


def set_back(scene, meanwhile):
    """Put the database back that was copied to `before`, and let the agent see it after that."""
    s = scene.server
    scene.net.answer = lambda path, _: Reply(503, {"errors": ["away"]})
    s.stop()
    shutil.rmtree(s.data_dir)
    shutil.copytree(s.tmp / "before", s.data_dir)
    s.start()
    s.unseal()
    meanwhile()
    s.client().delete("secret/data/app/db")
    scene.net.honest()
    st = wait_for("the alarm", lambda: (t := scene.agent.status()) and t["alarm"] and t, 90)
    assert scene.content() == "two" and st["wipes"] == 0
    return st["alarm"]


def test_a_vault_that_was_set_back_and_caught_up(scene):
    """As much has happened since that the revisions say nothing, a moment after the change that is gone."""
    scene.run()
    scene.put("once")
    scene.applied("once")  # the proof that is due now and then was asked for just now
    shutil.copytree(scene.server.data_dir, scene.server.tmp / "before")
    scene.put("two")
    scene.agent.wait_content("db", "password", "two")
    assert "audit log" in set_back(scene, lambda: (scene.put("other"), scene.put("values")))


def test_a_vault_that_was_set_back(scene):
    """Somebody puts an older database back: the host does not follow."""
    scene.run()
    s = scene.server
    s.stop()
    shutil.copytree(s.data_dir, s.tmp / "before")
    s.start()
    s.unseal()
    scene.put("two")
    scene.agent.wait_content("db", "password", "two", 90)
    alarm = set_back(scene, lambda: None)
    assert "set back" in alarm or "audit log" in alarm, alarm
    # Only a new start of the host's life helps, which takes an operator.
    scene.agent.stop()
    s.put("app/db", {"password": "restored"})
    s.client().post("sys/hosts/web1/revoke")
    token = s.add_host("web1", ["secret/app/*"])["join_token"]
    scene.agent.start()
    assert scene.content() == "two"
    scene.agent.stop()
    p = scene.agent.join(token, check=False, force=True)
    assert p.returncode == 0, p.stderr
    scene.agent.start()
    scene.agent.wait_content("db", "password", "restored")
