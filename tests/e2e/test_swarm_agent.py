# SPDX-License-Identifier: Apache-2.0
"""Rotations of a real Swarm's services by vaultd and vault-agent: the client keeps working, and a value that a service
does not live with is taken back from it and from the rotation."""
import json
import threading
import time

import pytest

from swarm import Services, one_manager
from vaultd import wait_for

PATH = "secret/app/db"
# Refuses to run with what the directory of the test calls bad; says what it runs with.
MAIN = """
v=$(cat /run/secrets/db)
case "$(cat /probe/bad)" in *"$v"*) [ -z "$v" ] || exit 3;; esac
while :; do echo "$v" > /probe/now.$HOSTNAME; sleep 0.2; done
"""


@pytest.fixture(scope="module")
def swarm():
    with one_manager() as engine:
        yield engine


class World(Services):
    def __init__(self, engine, server, make_agent, probe):
        super().__init__(engine)
        self.s, self.probe, self.make_agent = server, probe, make_agent
        (probe / "bad").write_text("")

    def service(self, name, *options):
        if "first" not in self.api.secrets():
            self.secret("first", "zero")
        self.create(name, MAIN, "--secret", "source=first,target=db", "--update-order", "start-first",
                    "--update-failure-action", "rollback", "--mount", f"type=bind,source={self.probe},target=/probe", *options)

    def bind(self, **spec):
        r = self.s.client().post("sys/swarm/bindings/db", {"roles": ["web"], "path": PATH, "field": "password", "soak": "1s",
                                                           "services": self.services, **spec})
        assert r.status in (200, 204), r

    def begin(self, **spec):
        a = self.make_agent(self.s, "manager1", [])
        a.extra = {"swarm": json.dumps({"sync": True, "socket": str(self.engine.socket)})}
        a.join(self.s.add_host("manager1", ["secret/app/*"])["join_token"])
        self.bind(**spec)
        a.start()
        self.a = a
        self.wait_done(1)

    def rows(self):
        status = self.a.status()  # none before it serves any
        return [r for b in status["swarm"]["bindings"] for r in b["services"]] if status else []

    def wait_done(self, version):
        def done():
            rows = self.rows()
            return len(rows) == len(self.services) and all(
                (r["state"], r["version"], r["good"]) == ("done", version, version) for r in rows)
        try:
            wait_for(f"all services to have {version}", done, 90)
        except AssertionError:
            raise AssertionError(f"not done: {self.a.status()['swarm']}\n{self.a.log()[-3000:]}") from None


@pytest.fixture
def world(swarm, own_server, make_agent, tmp_path):
    probe = tmp_path / "probe"
    probe.mkdir()
    own_server.put("app/db", {"password": "one"})
    w = World(swarm, own_server, make_agent, probe)
    yield w
    w.close()


def test_a_client_works_through_twenty_rotations(world):
    w = world
    w.service("web", "--replicas", "2")
    w.begin()
    stop, gaps = threading.Event(), []

    def watch():
        last = time.monotonic()
        while not stop.wait(0.1):
            if any(time.time() - f.stat().st_mtime < 1 for f in w.probe.glob("now.*")):
                last = time.monotonic()
            gaps.append(time.monotonic() - last)

    t = threading.Thread(target=watch)
    t.start()
    try:
        for n in range(2, 22):
            w.s.put("app/db", {"password": f"value-{n}"})
            w.wait_done(n)
    finally:
        stop.set()
        t.join()
    assert max(gaps) < 3, "somebody served all the time"
    assert w.api.refs("web") == {"db": "secret-app-db.raw.21"}
    assert "value-" not in w.a.log()


def test_a_bad_value_is_taken_back_by_itself(world):
    w = world
    w.service("web")
    w.service("other")
    w.begin()
    w.s.ctl("rotation", "set", PATH, "--field", "password", "--timeout", "60s")
    (w.probe / "bad").write_text("terrible")
    w.s.put("app/db", {"password": "terrible"})
    wait_for("it to be rolled back", lambda: any(r["state"] == "rolled-back" for r in w.rows()), 60)
    wait_for("the services to have the good one", lambda: {w.api.refs(s)["db"] for s in w.services} == {"secret-app-db.raw.1"})
    rows = w.s.client().get(f"sys/hosts/where/{PATH}").data["hosts"]
    assert rows and any(r.get("state") == "rejected" for r in rows), rows
    w.s.put("app/db", {"password": "better"})
    w.wait_done(3)


def test_a_rotation_waits_for_the_swarm(world):
    w = world
    w.service("web")
    w.begin()
    w.s.ctl("rotation", "set", PATH, "--field", "password", "--timeout", "60s")
    p = w.s.ctl("rotate", PATH, check=False, fmt="")
    assert p.returncode == 0, (p.stdout, p.stderr, w.a.log()[-2000:])
    assert w.api.refs("web") == {"db": "secret-app-db.raw.2"}


def test_another_agent_goes_on(world):
    w = world
    w.service("web")
    w.begin()
    w.a.stop()
    b = w.make_agent(w.s, "manager2", [])
    b.extra = w.a.extra
    b.join(w.s.add_host("manager2", ["secret/app/*"])["join_token"])
    b.start()
    w.a = b
    w.s.put("app/db", {"password": "two"})
    w.wait_done(2)


def test_another_definition_of_the_same_version(world):
    """Another field of it, and another secret whose versions begin anew: services get that."""
    w = world
    w.service("web")
    w.begin()
    w.s.put("app/db", {"password": "two", "other": "three"})
    w.wait_done(2)
    w.bind(field="other")
    wait_for("the service to have the other field", lambda: w.api.refs("web") == {"db": "secret-app-db.raw.2.b"}, 60)
    wait_for("its value", lambda: any(f.read_text().strip() == "three" for f in w.probe.glob("now.*")))
    w.wait_done(2)
    w.s.put("app/another", {"other": "four"})
    w.bind(field="other", path="secret/app/another")
    wait_for("the service to have the other secret", lambda: w.api.refs("web") == {"db": "secret-app-another.raw.1"}, 60)
    w.wait_done(1)
