# SPDX-License-Identifier: Apache-2.0
"""A real Docker Swarm of one manager, and the agent's part in it: new versions of secrets come into services, and those
that they do not live with go back by themselves."""
import signal
import time

import pytest

import dockerd
from swarm import Driver, Services, one_manager
from vaultd import wait_for

# Says what it has, and fails at what is bad.
MAIN = 'v=$(cat /run/secrets/app); case "$v" in *bad*) exit 3;; esac; while :; do sleep 1; done'


@pytest.fixture(scope="module")
def swarm():
    with one_manager() as engine:
        yield engine


class World(Services):
    def __init__(self, engine):
        super().__init__(engine)
        self.drivers = []

    def driver(self, rows=()):
        self.drivers.append(Driver(self.engine, rows))
        return self.drivers[-1]

    def service(self, name, *options, main=MAIN, secret=("first", "good-0"), action="rollback"):
        if secret and secret[0] not in self.api.secrets():
            self.secret(*secret)
        refs = ("--secret", f"source={secret[0]},target=app,mode=0444") if secret else ()
        self.create(name, main, "--update-failure-action", action, *refs, *options)
        wait_for(f"{name} to run", lambda: self.running(name))

    def close(self):
        for d in self.drivers:
            if d.process.poll() is None:
                d.close()
        super().close()


@pytest.fixture
def world(swarm):
    w = World(swarm)
    yield w
    w.close()


def begin(w, *services, version=1, **more):
    d = w.driver()
    assert d.about["manager"] and d.about["leader"]
    d.bind("app", version, f"good-{version}", services=list(services), **more)
    d.send(lead=1)
    for s in services:
        d.wait_state(s, "done", version)
    return d


def test_twenty_rotations(world):
    w = world
    w.service("web", "--replicas", "2", "--update-order", "start-first", "--label", "keep=me", "--env", 'ODD="\\u00e9\n')
    d = begin(w, "web")
    before = w.api.service("web")["Spec"]
    for n in range(2, 22):
        d.bind("app", n, f"good-{n}", services=["web"])
        d.wait_state("web", "done", n)
        tasks = w.tasks("web")
        assert {s["SecretName"] for t in tasks for s in t["Spec"]["ContainerSpec"]["Secrets"]} == {f"secret-app.raw.{n}"}
    after = w.api.service("web")["Spec"]
    for spec in (before, after):
        spec["TaskTemplate"]["ContainerSpec"].pop("Secrets")
    assert before == after
    wait_for("it to be the good one", lambda: d.row("web")["good"] == 21)


def test_a_bad_value_goes_back_by_itself(world):
    w = world
    w.service("web", "--replicas", "2")
    d = begin(w, "web")
    d.bind("app", 2, "bad", services=["web"])
    d.wait_state("web", "rolled-back", 2)
    assert w.api.refs("web") == {"app": "secret-app.raw.1"}
    assert d.row("web")["good"] == 1 and d.row("web")["reason"]
    d.bind("app", 3, "good-3", services=["web"])
    d.wait_state("web", "done", 3)


def test_a_paused_update_goes_back(world):
    w = world
    w.service("web", action="pause")
    d = begin(w, "web")
    d.bind("app", 2, "bad", services=["web"])
    d.wait_state("web", "rolled-back", 2)
    assert w.api.refs("web") == {"app": "secret-app.raw.1"}
    assert "paused" in d.row("web")["reason"]


def test_a_crash_after_swarm_has_looked_away(world):
    w = world
    late = 'v=$(cat /run/secrets/app); while :; do sleep 4; case "$v" in *bad*) exit 3;; esac; done'
    w.service("web", main=late)
    d = begin(w, "web", soak_ms=1000)
    d.bind("app", 2, "bad", services=["web"], soak_ms=8000)
    d.wait_state("web", "rolled-back", 2)
    assert [r["state"] for r in d.history if r["version"] == 2][:3] == ["apply", "observe", "soak"]
    assert w.api.refs("web") == {"app": "secret-app.raw.1"}


def test_an_unhealthy_one_goes_back(world):
    w = world
    main = 'cat /run/secrets/app > /tmp/v; while :; do sleep 1; done'
    w.service("web", "--health-cmd", "test $(cat /run/secrets/app) != bad", "--health-interval", "0.2s",
              "--health-retries", "1", "--mount", "type=tmpfs,target=/tmp", main=main)
    d = begin(w, "web")
    d.bind("app", 2, "bad", services=["web"])
    d.wait_state("web", "rolled-back", 2)


def test_nothing_is_pushed_into_what_is_not_quiet(world):
    w = world
    w.service("web")
    d = begin(w, "web")
    w.api.update("web", lambda s: s["TaskTemplate"].setdefault("Placement", {}).update(Constraints=["node.labels.x==never"]))
    w.api.update("web", lambda s: s.setdefault("Labels", {}).update(x="y"))
    d.bind("app", 2, "good-2", services=["web"])
    wait_for("it to wait", lambda: d.status()["status"][0]["services"][0]["state"] == "gate")
    assert w.api.refs("web") == {"app": "secret-app.raw.1"}


def test_one_that_cannot_be_scheduled_goes_back(world):
    w = world
    w.service("web", "--update-order", "start-first")
    d = begin(w, "web")
    node = w.engine.cli("node", "ls", "-q").strip()
    w.engine.cli("node", "update", "--availability", "pause", node)
    try:
        d.bind("app", 2, "good-2", services=["web"], deadline_ms=3000)
        d.wait_state("web", "rolled-back", 2)
    finally:
        w.engine.cli("node", "update", "--availability", "active", node)
    assert w.api.refs("web") == {"app": "secret-app.raw.1"} and "in time" in d.row("web")["reason"]


def test_five_services_and_the_overhead(world):
    w = world
    names = [f"web{i}" for i in range(5)]
    for n in names:
        w.service(n, "--replicas", "4", "--update-parallelism", "4", "--update-monitor", "100ms")
    d = begin(w, *names, max_services=5)
    t = time.monotonic()
    d.bind("app", 2, "good-2", services=names, max_services=5)
    for n in names:
        d.wait_state(n, "done", 2)
    took = time.monotonic() - t
    print(f"5 services of 4: {took:.2f} s, {d.status()['calls']} calls")


def test_another_leader_goes_on(world):
    w = world
    for n in ("one", "two"):
        w.service(n)
    d = begin(w, "one", "two")
    d.bind("app", 2, "good-2", services=["one", "two"])
    wait_for("it to begin", lambda: any(r["version"] == 2 for r in d.rows.values()))
    d.close(kill=True)
    e = w.driver(list(d.rows.values()))
    e.bind("app", 2, "good-2", services=["one", "two"])
    e.send(lead=2)
    for n in ("one", "two"):
        e.wait_state(n, "done", 2)


def test_two_writers(world):
    w = world
    w.service("web")
    d = begin(w, "web")
    for n in range(2, 5):
        d.bind("app", n, f"good-{n}", services=["web"])
        for k in range(20):
            w.api.update("web", lambda s, k=k, n=n: s.setdefault("Labels", {}).update(k=f"{n}-{k}"))
        d.wait_state("web", "done", n)
    assert w.api.service("web")["Spec"]["Labels"]["k"] == "4-19"


def test_a_name_that_is_taken(world):
    w = world
    w.secret("secret-app.raw.2", "else")
    w.service("web")
    d = begin(w, "web")
    d.bind("app", 2, "good-2", services=["web"])
    d.wait_state("web", "done", 2)
    assert w.api.refs("web") == {"app": "secret-app.raw.2.b"}


def test_one_that_was_made_already_is_taken_over(world):
    w = world
    d = w.driver()
    labels = {"vault.cluster": d.about["cluster"], "vault.binding": "app", "vault.version": "1", "vault.object": "0"}
    made = w.secret("secret-app.raw.1", "good-1", **labels)
    w.service("web")
    d.bind("app", 1, "good-1", services=["web"])
    d.send(lead=1)
    d.wait_state("web", "done", 1)
    found = w.api.service("web")["Spec"]["TaskTemplate"]["ContainerSpec"]["Secrets"]
    assert [s["SecretID"] for s in found] == [made]


def test_no_replicas_and_a_global_service(world):
    w = world
    w.service("none")
    w.engine.cli("service", "scale", "-d", "none=0")
    wait_for("it to have none", lambda: not w.tasks("none"))
    w.service("all", "--mode", "global")
    d = begin(w, "none", "all")
    d.bind("app", 2, "good-2", services=["none", "all"])
    d.wait_state("none", "done", 2)
    d.wait_state("all", "done", 2)


def test_a_job_is_not_run_again(world):
    w = world
    w.services.append("job")
    w.engine.cli("service", "create", "-d", "--no-resolve-image", "--name", "job", "--mode", "replicated-job", dockerd.IMAGE,
                 "true")
    wait_for("it to have run", lambda: w.api.service("job").get("JobStatus"))
    iteration = w.api.service("job")["JobStatus"]
    d = w.driver()
    d.bind("app", 1, "good-1", services=["job"])
    d.send(lead=1)
    d.wait_state("job", "skipped", 1)
    assert w.api.service("job")["JobStatus"]["JobIteration"] == iteration["JobIteration"]


def test_a_job_runs_again_if_that_is_wanted(world):
    w = world
    w.services.append("job")
    w.engine.cli("service", "create", "-d", "--no-resolve-image", "--name", "job", "--mode", "replicated-job", dockerd.IMAGE,
                 "true")
    wait_for("it to have run", lambda: w.api.service("job").get("JobStatus", {}).get("LastExecution"))
    d = w.driver()
    d.bind("app", 1, "good-1", services=["job"], jobs=True)
    d.send(lead=1)
    d.wait_state("job", "done", 1)
    assert w.api.refs("job") == {"app": "secret-app.raw.1"}
    assert w.api.service("job")["JobStatus"]["JobIteration"]["Index"] > 0


def test_two_owners_and_modes_of_one_secret(world):
    w = world
    look = "ls -ln /run/secrets > /tmp/seen; while :; do sleep 1; done"
    w.service("web", "--mount", "type=tmpfs,target=/tmp", secret=None, main=look)
    d = begin(w, "web", targets=[["app", "0", 0o400], ["/run/secrets/two", "7", 0o440]])
    assert w.api.refs("web") == {"app": "secret-app.raw.1", "/run/secrets/two": "secret-app.raw.1.1"}
    container = wait_for("its task", lambda: w.engine.cli("ps", "-q").split())[0]
    seen = {line.split()[-1]: line.split()[:4] for line in w.engine.cli("exec", container, "cat", "/tmp/seen").splitlines()}
    assert seen["app"][0].startswith("-r--------") and seen["app"][2] == "0"
    assert seen["two"][0].startswith("-r--r-----") and seen["two"][2:] == ["7", "7"]
    d.bind("app", 2, "good-2", services=["web"], targets=[["app", "0", 0o400], ["/run/secrets/two", "7", 0o440]])
    d.wait_state("web", "done", 2)
    assert set(w.api.refs("web").values()) == {"secret-app.raw.2", "secret-app.raw.1.2"}


def test_several_bindings_of_one_path_have_names_of_their_own(world):
    w = world
    w.service("web", main="while :; do sleep 1; done", secret=None)
    d = w.driver()
    names = ("user", "password", "host")
    for version in (1, 2):
        for n in names:
            d.bind(n, version, f"{n}-{version}", services=["web"], path="secret/app")
        if version == 1:
            d.send(lead=1)
        wait_for("all to be done", lambda v=version: sum(
            r["state"] == "done" and r["version"] == v for r in d.rows.values()) == len(names), 60)
        assert sorted(w.api.refs("web").values()) == [f"secret-app.raw.{version}{x}" for x in ("", ".b", ".c")]
    container = w.engine.cli("ps", "-q").split()[0]
    for n in names:
        assert w.engine.cli("exec", container, "cat", f"/run/secrets/{n}") == f"{n}-2"


STACK = """
version: "3.8"
services:
  web:
    image: box:1
    command: ["sh", "-c", "while :; do sleep 1; done"]
    stop_grace_period: 0s
    networks: [outside]
    deploy: {labels: {vault.sync: app}, update_config: {monitor: 300ms, order: start-first}}
    secrets: [{source: it, target: app}]
networks: {outside: {external: true, name: host}}
secrets: {it: {external: true, name: %s}}
"""


def deploy(w, secret):
    file = w.engine.dir / "stack.yml"
    file.write_text(STACK % secret)
    w.engine.cli("stack", "deploy", "--resolve-image", "never", "-c", file, "st")


def test_a_stack_that_is_deployed_again(world):
    w = world
    w.services.append("st_web")
    w.secret("first", "zero")
    deploy(w, "first")
    wait_for("it to run", lambda: w.running("st_web"))
    d = w.driver()
    d.bind("app", 1, "good-1")
    d.send(lead=1)
    d.wait_state("st_web", "done", 1)
    d.bind("app", 2, "good-2")
    d.wait_state("st_web", "done", 2)
    for n in range(4):
        deploy(w, "secret-app.raw.1")  # its file has the name that it had then
        d.wait_state("st_web", "superseded", 2)
        if n < 3:
            d.send(skew=31000)
            d.wait_state("st_web", "done", 2)
            assert w.api.refs("st_web") == {"app": "secret-app.raw.2"}
    d.send(skew=31000)
    wait_for("it to be left alone", lambda: "held" in d.row("st_web")["reason"])
    assert w.api.refs("st_web") == {"app": "secret-app.raw.1"}


def test_a_reference_that_was_removed_is_put_back_where_that_is_wanted(world):
    w = world
    w.service("web", main="while :; do sleep 1; done")
    d = begin(w, "web")
    w.api.update("web", lambda s: s["TaskTemplate"]["ContainerSpec"].update(Secrets=[]))
    wait_for("it to be told", lambda: "removed" in d.row("web")["reason"])
    d.send(skew=31000)
    d.bind("app", 1, "good-1", services=["web"], enforce=True)
    d.wait_state("web", "superseded", 1)
    wait_for("it to be put off", lambda: "put back" in d.row("web")["reason"])
    d.send(skew=31000)
    d.wait_state("web", "done", 1)
    assert w.api.refs("web") == {"app": "secret-app.raw.1"}


def test_an_operators_rollback_finds_its_secret(world):
    w = world
    w.service("web")
    d = begin(w, "web")
    d.bind("app", 2, "good-2", services=["web"])
    d.wait_state("web", "done", 2)
    wait_for("it to be the good one", lambda: d.row("web")["good"] == 2)
    looks = d.status()["calls"]
    d.send(skew=700000)  # another look, and what is of no use is of an age to go
    wait_for("it to look", lambda: d.status()["calls"] >= looks + 3)
    d.send(skew=700000)
    wait_for("it to look again", lambda: d.status()["calls"] >= looks + 6)
    assert "secret-app.raw.1" in w.api.secrets()
    w.engine.cli("service", "rollback", "-d", "web")
    wait_for("it to be rolled back", lambda: w.api.refs("web") == {"app": "secret-app.raw.1"} and w.running("web"))
    d.wait_state("web", "superseded", 2)


@pytest.mark.slow
def test_the_engine_is_killed_in_the_middle(world):
    w = world
    w.service("web", "--replicas", "2", "--update-delay", "1s")
    d = begin(w, "web")
    d.bind("app", 2, "good-2", services=["web"])
    wait_for("it to be under way", lambda: d.row("web").get("state") == "observe")
    w.engine.kill()
    w.engine.start()
    d.wait_state("web", "done", 2)
    assert w.api.refs("web") == {"app": "secret-app.raw.2"}


def test_more_happens_than_the_engine_remembers(world):
    """Its agent is away meanwhile, and the connection breaks: it looks at everything again."""
    w = world
    w.service("web", main="while :; do sleep 1; done")
    d = begin(w, "web")
    d.process.send_signal(signal.SIGSTOP)
    try:
        w.engine.kill()
        w.engine.start()
        wait_for("it to lead", lambda: w.api.call("GET", "/services")[0] == 200)
        w.api.update("web", lambda s: s["TaskTemplate"]["ContainerSpec"].update(Secrets=[]))
        for k in range(300):
            w.api.update("web", lambda s, k=k: s.setdefault("Labels", {}).update(k=str(k)))
    finally:
        d.process.send_signal(signal.SIGCONT)
    wait_for("it to be told", lambda: "removed" in d.row("web")["reason"])


def test_the_past_is_purged_without_a_restart(world):
    w = world
    w.service("web")
    d = begin(w, "web")
    d.bind("app", 2, "good-2", services=["web"])
    d.wait_state("web", "done", 2)
    wait_for("it to be the good one", lambda: d.row("web")["good"] == 2)
    assert "secret-app.raw.1" in w.api.secrets(), "a rollback would need it"
    tasks = {t["ID"] for t in w.tasks("web")}
    d.send(purge="app")
    wait_for("the old version to go", lambda: "secret-app.raw.1" not in w.api.secrets())
    assert {t["ID"] for t in w.tasks("web")} == tasks
    assert w.api.refs("web") == {"app": "secret-app.raw.2"}


def test_sizes(world):
    w = world
    w.service("web", main="while :; do sleep 1; done")
    d = begin(w, "web")
    d.bind("app", 2, "x" * 511999, services=["web"])
    d.wait_state("web", "done", 2)
    d.bind("app", 3, "x" * 512000, services=["web"])
    wait_for("it to be refused", lambda: "511999" in d.status()["status"][0]["services"][0]["reason"])
    assert w.api.refs("web") == {"app": "secret-app.raw.2"}


def test_labels_that_somebody_removed_are_put_back(world):
    w = world
    w.service("web")
    d = begin(w, "web")
    before = w.api.call("GET", "/secrets/secret-app.raw.1")[1]
    w.api.label("secret-app.raw.1", {"mine": "yes"})
    d.send(skew=400000)
    wait_for("them to come back", lambda: w.api.call("GET", "/secrets/secret-app.raw.1")[1]["Spec"]["Labels"] ==
             {**before["Spec"]["Labels"], "mine": "yes"})
    d.bind("app", 2, "good-2", services=["web"])
    d.wait_state("web", "done", 2)


def test_a_secret_of_another_value_is_replaced(world):
    w = world
    w.service("web")
    d = begin(w, "web")
    index = w.api.call("GET", "/secrets/secret-app.raw.1")[1]["Version"]["Index"]
    d.send(skew=3 * 3600000)
    wait_for("it to be compared", lambda: w.api.call("GET", "/secrets/secret-app.raw.1")[1]["Version"]["Index"] > index)
    assert w.api.refs("web") == {"app": "secret-app.raw.1"}
    d.bind("app", 1, "good-one", services=["web"])  # as if somebody had made another of that name
    d.send(skew=25 * 3600000)
    wait_for("it to be replaced", lambda: w.api.refs("web") == {"app": "secret-app.raw.1.b"})
    d.wait_state("web", "done", 1)
