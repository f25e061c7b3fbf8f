# SPDX-License-Identifier: Apache-2.0
"""A Swarm of three managers, each with an agent of its own: one of them leads, and whoever is lost, whether an agent, an
Engine, or all but one of them, services keep what they have and get what is new when somebody can give it to them."""
import base64
import json
import signal

import pytest

import managers
from relay import Relay
from swarm import Api
from vaultd import DEADLINE, wait_for

PATH = "secret/app/db"
LONG = DEADLINE * 6  # an Engine without a leader keeps its clients waiting for 20 s
MAIN = 'v=$(cat /run/secrets/db); case "$v" in *bad*) exit 3;; esac; while :; do sleep 1; done'


@pytest.fixture(scope="module")
def swarm():
    why = managers.unavailable()
    if why:
        pytest.skip(why)
    m = managers.Managers(3)
    try:
        yield m.start()
    finally:
        m.close()


class World:
    def __init__(self, swarm, server, make_agent):
        self.swarm, self.s, self.make_agent, self.agents, self.relays = swarm, server, make_agent, [], []
        server.put("app/db", {"password": "one"})
        self.service()
        for i in range(len(swarm.engines)):
            self.agent(i)
        r = server.client().post("sys/swarm/bindings/db", {"roles": ["web"], "path": PATH, "field": "password", "soak": "1s",
                                                           "services": ["web"]})
        assert r.status in (200, 204), r
        for a in self.agents:
            a.start()
        self.wait_done(1)

    def service(self):
        engine = self.swarm.raft_leader()
        data = base64.b64encode(b"zero").decode()
        assert Api(engine).call("POST", "/secrets/create", {"Name": "first", "Data": data})[0] == 201
        engine.cli("service", "create", "-d", "--no-resolve-image", "--name", "web", "--replicas", "2", "--secret",
                   "source=first,target=db", "--update-delay", "0s", "--update-monitor", "500ms", "--update-order",
                   "start-first", "--update-failure-action", "rollback", "--restart-delay", "300ms", "--stop-grace-period",
                   "0s", managers.dockerd.IMAGE, "sh", "-c", MAIN)

    def agent(self, i):
        relay = Relay(self.s)
        self.relays.append(relay)
        a = self.make_agent(relay, f"manager{i}", [])
        a.extra = {"swarm": json.dumps({"sync": True, "socket": str(self.swarm.engines[i].socket)})}
        a.join(self.s.add_host(f"manager{i}", ["secret/app/*"])["join_token"])
        self.agents.append(a)

    def said(self, i):
        a = self.agents[i]
        status = a.status() if a.proc is not None else None
        return status["swarm"] if status else {}

    def leaders(self):
        return [i for i in range(len(self.agents)) if self.said(i).get("leader")]

    def wait_leader(self, *but):
        found = wait_for("an agent to lead", lambda: [i for i in self.leaders() if i not in but], LONG)
        return found[0]

    def row(self):
        """What the vault has of the service."""
        doc = self.s.client().get("sys/swarm/bindings/db/status").data
        return next((r for c in doc["clusters"] for r in c["services"]), {})

    def wait_done(self, version):
        def done():
            r = self.row()
            return (r.get("state"), r.get("version"), r.get("good")) == ("done", version, version)
        try:
            wait_for(f"the service to have {version}", done, LONG)
        except AssertionError:
            raise AssertionError(f"not done: {self.row()} {[self.said(i) for i in range(3)]}") from None
        assert self.ref() == f"secret-app-db.raw.{version}"

    def refused(self, host):
        """Has the vault refused to store what it said?"""
        found = self.s.client().get("sys/audit-log/records?limit=1000").data["records"]
        return [r for r in found if r.get("path") == "sys/agent/swarm/state" and host in r["actor"] and r["note"]["stored"] is False]

    def ref(self):
        return Api(self.swarm.running()[0]).refs("web")["db"]

    def close(self):
        for r in self.relays:
            r.stop()
        for e in self.swarm.engines:
            if e.process is None:
                self.swarm.back(e)
        self.swarm.wait_whole()
        engine = self.swarm.raft_leader()
        engine.try_cli("service", "rm", "web")
        wait_for("tasks to go", lambda: not any(e.cli("ps", "-q").strip() for e in self.swarm.engines), LONG)
        api = Api(engine)
        for s in api.secrets():
            api.call("DELETE", f"/secrets/{s}")


@pytest.fixture
def world(swarm, own_server, make_agent):
    w = World(swarm, own_server, make_agent)
    yield w
    w.close()


def test_another_leads_when_the_leading_agent_is_killed(world):
    w = world
    first = w.wait_leader()
    wait_for("the agent of the leading manager to lead",
             lambda: [w.swarm.engines[i] for i in w.leaders()] == [w.swarm.raft_leader()], LONG)
    first = w.wait_leader()
    epoch = w.said(first)["epoch"]
    w.s.put("app/db", {"password": "two"})
    w.agents[first].stop(signal.SIGKILL)
    w.wait_done(2)
    other = w.wait_leader(first)
    assert w.leaders() == [other] and w.said(other)["epoch"] > epoch


@pytest.mark.slow
def test_the_engine_that_leads_the_managers_is_killed(world):
    w = world
    lost = w.swarm.raft_leader()
    w.s.put("app/db", {"password": "two"})
    lost.kill()
    w.wait_done(2)
    w.swarm.back(lost)
    w.swarm.wait_whole()
    w.s.put("app/db", {"password": "three"})
    w.wait_done(3)
    assert len(w.leaders()) == 1


@pytest.mark.slow
def test_quorum_is_lost_and_comes_back(world):
    w = world
    lost = w.swarm.engines[:2]
    for e in lost:
        e.kill()
    w.s.put("app/db", {"password": "two"})
    wait_for("the last agent to see it", lambda: "leader" in w.said(2).get("error", ""), LONG)
    assert not w.leaders()
    w.swarm.back(lost[0])
    w.wait_done(2)
    w.swarm.back(lost[1])
    w.swarm.wait_whole()
    w.s.put("app/db", {"password": "three"})
    w.wait_done(3)


@pytest.mark.slow
def test_a_leader_that_was_cut_off_changes_nothing_and_is_not_heard(world):
    w = world
    first = w.wait_leader()
    epoch, api = w.said(first)["epoch"], Api(w.swarm.engines[first])
    w.relays[first].hold()
    # it still believes to lead, and has something to say, which comes too late
    api.update("web", lambda s: s["TaskTemplate"]["ContainerSpec"].update(Secrets=[]))
    other = w.wait_leader(first)
    assert w.said(other)["epoch"] > epoch
    wait_for("the first to have stopped", lambda: not w.said(first)["leader"], LONG)
    wait_for("the other to report", lambda: w.row()["state"] == "superseded", LONG)
    w.s.put("app/db", {"password": "two"})
    w.relays[first].release()
    wait_for("the late word to be refused", lambda: w.refused(f"manager{first}"), LONG)
    assert w.row()["state"] == "superseded" and api.refs("web") == {}
