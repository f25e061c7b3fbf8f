# SPDX-License-Identifier: Apache-2.0
"""vaultctl swarm plan and import on a real Swarm: what would be done is said and then done, and what the Swarm had
before the vault knew of it is taken over without a restart."""
import json

import pytest

import dockerd
from swarm import Services, one_manager
from vaultd import wait_for

MAIN = "while :; do sleep 1; done"
STACK = "com.docker.stack.namespace"


@pytest.fixture(scope="module")
def swarm():
    with one_manager() as engine:
        yield engine


class World(Services):
    def __init__(self, engine, server, make_agent):
        super().__init__(engine)
        self.s, self.make_agent = server, make_agent
        self.join_token = server.add_host("manager1", ["secret/app/*", "secret/shop/*"])["join_token"]

    def service(self, name, *options, secret=None, target="db"):
        refs = ("--secret", f"source={secret},target={target},mode=0444") if secret else ()
        self.create(name, MAIN, *refs, *options)
        wait_for(f"{name} to run", lambda: self.running(name))

    def agent(self):
        self.a = self.make_agent(self.s, "manager1", [])
        self.a.extra = {"swarm": json.dumps({"sync": True, "socket": str(self.engine.socket)})}
        self.a.join(self.join_token)
        self.a.start()

    def ctl(self, *args, check=True, fmt="json"):
        return self.s.ctl("swarm", *args, "--docker-socket", self.engine.socket, check=check, fmt=fmt)

    def plan(self, *args):
        return json.loads(self.ctl("plan", *args).stdout)

    def imported(self, *args, check=True):
        """Rows by the secret's name, and the exit status."""
        p = self.ctl("import", *args, check=check)
        return {r["secret"]: r for r in json.loads(p.stdout)}, p.returncode

    def hurry(self, binding):
        """It is bound as any other would be, which watches services for a minute."""
        d = self.s.client().get(f"sys/swarm/bindings/{binding}").data
        assert self.s.client().post(f"sys/swarm/bindings/{binding}", {**d, "soak": "1s"}).status in (200, 204)

    def states(self, binding):
        clusters = self.s.ctl_json("swarm", "status", binding)["data"]["clusters"]
        return {r["name"]: (r["state"], r["version"], r["good"]) for k in clusters for r in k["services"]}

    def wait_done(self, binding, version, *services):
        want = {s: ("done", version, version) for s in services}
        wait_for(f"{binding} to be {want}", lambda: self.states(binding) == want, 90)

    def looks(self):
        """All of the Swarm that an update of anything would change."""
        return ({s["Spec"]["Name"]: s["Version"]["Index"] for s in self.api.call("GET", "/services")[1]},
                {s["Spec"]["Name"]: (s["ID"], s["Version"]["Index"], s["Spec"]["Labels"]) for s in self.api.call("GET", "/secrets")[1]})

    def task_ids(self, name):
        return {t["ID"] for t in self.tasks(name)}


@pytest.fixture
def world(swarm, own_server, make_agent):
    own_server.put("app/db", {"password": "one"})
    w = World(swarm, own_server, make_agent)
    yield w
    w.close()


# ---- import ----

FILE = """
version: "3.8"
services:
  web:
    image: box:1
    command: ["sh", "-c", "while :; do sleep 1; done"]
    stop_grace_period: 0s
    networks: [outside]
    deploy: {replicas: 2, update_config: {monitor: 300ms}}
    secrets: [{source: it, target: db}]
networks: {outside: {external: true, name: host}}
secrets: {it: %s}
"""


def deploy(w, secret):
    file = w.engine.dir / "stack.yml"
    file.write_text(FILE % secret)
    w.engine.cli("stack", "deploy", "--resolve-image", "never", "-c", file, "st")


def test_what_docker_stack_deploy_has_made(world):
    w = world
    w.services.append("st_web")
    (w.engine.dir / "value").write_text("of the stack")
    deploy(w, "{file: ./value}")
    wait_for("it to run", lambda: w.running("st_web") and len(w.tasks("st_web")) == 2)
    before, tasks = w.looks(), w.task_ids("st_web")
    w.s.put("shop/st_it", {"value": "of the stack"})
    rows, _ = w.imported("--stack", "st", "--prefix", "secret/shop", "--role", "web")
    assert [(r["secret"], r["stack"], r["state"], r["services"]) for r in rows.values()] == [("st_it", "st", "adopted", ["st_web"])]
    w.hurry("st_it")
    w.agent()
    w.wait_done("st_it", 1, "st_web")
    deploy(w, "{external: true, name: st_it}")  # as its note says
    assert (w.task_ids("st_web"), w.looks()[0].keys()) == (tasks, before[0].keys())
    assert w.api.call("GET", "/secrets/st_it")[1]["Spec"]["Labels"]["vault.binding"] == "st_it"
    assert {s: st[:2] for s, st in w.states("st_it").items()} == {"st_web": ("done", 1)}


def test_what_the_vault_has_is_taken_over_without_a_restart(world):
    w = world
    w.secret("shop_db", "one", **{STACK: "shop"})
    w.service("web", "--replicas", "2", secret="shop_db")
    w.service("api", secret="shop_db")
    before = {s: (w.task_ids(s), w.api.service(s)["Version"]) for s in ("web", "api")}
    rows, _ = w.imported("shop_db", "--path", "secret/app/db", "--field", "password", "--role", "web", "--name", "db")
    row = rows["shop_db"]
    assert row["state"] == "adopted" and sorted(row["services"]) == ["api", "web"] and row["binding"] == "db", row
    assert "external" in row["note"], "the next deploy of the stack would take it back"
    labels = w.api.call("GET", "/secrets/shop_db")[1]["Spec"]["Labels"]
    assert labels[STACK] == "shop" and labels["vault.binding"] == "db" and labels["vault.version"] == "1"
    d = w.s.client().get("sys/swarm/bindings/db").data
    assert (d["path"], d["field"], sorted(d["services"]), d["targets"]) == (
        "secret/app/db", "password", ["api", "web"], [{"target": "db", "uid": "0", "gid": "0", "mode": "0444"}])
    w.hurry("db")
    plan = w.plan("db")[0]
    assert {s["name"]: (s["action"], s["restarts"]) for s in plan["services"]} == {"web": ("adopt", False), "api": ("adopt", False)}
    assert plan["secrets"] == [{"name": "shop_db", "action": "compare"}]
    w.agent()
    w.wait_done("db", 1, "web", "api")
    assert before == {s: (w.task_ids(s), w.api.service(s)["Version"]) for s in ("web", "api")}
    assert w.api.secrets() == {"shop_db"}, "it is the version's secret, and no other is made"
    assert w.api.call("GET", "/secrets/shop_db")[1]["Spec"]["Labels"]["vault.fp"]
    w.s.put("app/db", {"password": "two"})
    w.wait_done("db", 2, "web", "api")
    assert w.api.refs("web") == {"db": "secret-app-db.raw.2"} == w.api.refs("api")
    again, _ = w.imported("shop_db")
    assert again["shop_db"]["state"] == "bound"


def test_what_it_does_not_have_is_left_as_it_is(world):
    w = world
    w.secret("other", "not what the vault has")
    w.secret("new", "known to nobody")
    w.secret("line", "one\n")
    w.secret("idle", "one")
    for s in ("other", "new", "line"):
        w.service(f"s-{s}", secret=s)
    w.s.put("shop/other", {"value": "something else"})
    w.s.put("shop/line", {"value": "one"})
    before = w.looks()
    rows, status = w.imported("--prefix", "secret/shop/", "--role", "web", check=False)
    assert status == 6
    assert {n: r["state"] for n, r in rows.items()} == {"other": "differs", "new": "unknown", "line": "differs", "idle": "unused"}
    assert "newline" in rows["line"]["note"] and "newline" not in rows["other"]["note"]
    assert "no value back" in rows["new"]["note"]
    assert rows["new"]["how"] == ("docker exec $(docker ps -q -f label=com.docker.swarm.service.name=s-new | head -n 1) "
                                  "cat /run/secrets/db | vaultctl kv put secret/shop/new value=-")
    after = w.looks()
    assert before[0] == after[0]
    assert all("vault.binding" not in labels for _, _, labels in after[1].values())
    assert w.s.client().list("sys/swarm/bindings").status == 404
    # as it says
    container = w.engine.cli("ps", "-q", "-f", "label=com.docker.swarm.service.name=s-new").split()[0]
    w.s.ctl("kv", "put", "secret/shop/new", "value=-", stdin=w.engine.cli("exec", container, "cat", "/run/secrets/db"), fmt="")
    rows, _ = w.imported("new", "--prefix", "secret/shop", "--role", "web")
    assert rows["new"]["state"] == "adopted"


def test_which_are_looked_at(world):
    w = world
    w.secret("a", "one", **{STACK: "shop"})
    w.secret("b", "two")
    w.secret("c", "three")
    w.service("sa", secret="a")
    w.service("sb", "--label", "tier=front", "--label", "x", secret="b")
    w.service("sc", "--label", "tier=back", secret="c")
    before = w.looks()
    assert set(w.imported("--stack", "shop")[0]) == {"a"}
    assert set(w.imported("--service-label", "tier")[0]) == {"b", "c"}
    assert set(w.imported("--service-label", "tier=front")[0]) == {"b"}
    rows = w.imported()[0]
    assert {n: (r["state"], r["services"], r["stack"]) for n, r in rows.items()} == {
        "a": ("found", ["sa"], "shop"), "b": ("found", ["sb"], ""), "c": ("found", ["sc"], "")}
    w.s.put("shop/b", {"value": "two"})
    rows = w.imported("--prefix", "secret/shop", "--dry-run")[0]
    assert (rows["a"]["state"], rows["b"]["state"]) == ("unknown", "ready")
    assert w.looks() == before, "nothing was changed, not even compared"
    p = w.ctl("import", "none-such", check=False)
    assert p.returncode == 5 and "none-such" in p.stderr
    assert w.ctl("import", "a", "--path", "secret/shop/a", check=False).returncode == 2, "for whose hosts?"


def test_only_a_manager_is_asked(world, tmp_path):
    w = world
    for socket in (tmp_path / "none", w.s.tmp):
        for what in ("plan", "import"):
            p = w.s.ctl("swarm", what, "--docker-socket", socket, check=False, fmt="")
            assert p.returncode == 17 and p.stderr == f"vaultctl: {socket}: no Docker Engine answers there\n", p
    alone = dockerd.Dockerd()
    try:
        alone.start()
        p = w.s.ctl("swarm", "import", "--docker-socket", alone.socket, check=False, fmt="")
        assert p.returncode == 3 and "no manager of a Swarm" in p.stderr, p
    finally:
        alone.close()


def test_services_that_have_it_elsewhere_are_not_bound(world):
    w = world
    w.secret("db", "one")
    w.service("one", secret="db")
    w.service("two", secret="db")
    w.service("odd", secret="db", target="elsewhere")
    rows, _ = w.imported("db", "--path", "secret/app/db", "--field", "password", "--role", "web")
    assert rows["db"]["state"] == "adopted" and rows["db"]["others"] == ["odd"] and sorted(rows["db"]["services"]) == ["one", "two"]
    taken, status = w.imported("db", "--path", "secret/app/db", "--field", "password", "--role", "web", check=False)
    assert taken["db"]["state"] == "bound" and status == 0


def test_a_binding_that_is_refused_leaves_no_labels(world):
    w = world
    w.secret("db", "one")
    w.service("web", secret="db")
    rows, status = w.imported("db", "--path", "secret/app/db", "--field", "password", "--role", "none-such", check=False)
    assert rows["db"]["state"] == "left" and "none-such" in rows["db"]["note"] and status == 6
    assert w.api.call("GET", "/secrets/db")[1]["Spec"]["Labels"] == {}


def test_values_are_in_no_output_and_no_argument(world):
    w = world
    w.s.put("app/db", {"password": "correct-horse"})
    w.secret("db", "battery-staple")
    w.service("web", secret="db")
    p = w.ctl("import", "db", "--path", "secret/app/db", "--field", "password", "--role", "web", check=False, fmt="")
    assert "correct-horse" not in p.stdout + p.stderr and "battery" not in p.stdout + p.stderr and "differs" in p.stdout


# ---- plan ----

def test_what_is_planned_is_what_happens(world):
    w = world
    w.secret("first", "zero")
    for s in ("web", "api", "cron"):
        w.service(s, *(("--replicas", "2", "--update-order", "start-first") if s == "web" else ()), secret="first")
    before = w.looks()
    draft = w.plan("db", "--path", "secret/app/db", "--field", "password", "--service", "web,api,cron", "max_services=2", "soak=2s")
    assert w.looks() == before
    assert w.s.client().list("sys/swarm/bindings").status == 404
    assert (draft[0]["version"], draft[0]["secrets"]) == (1, [{"name": "secret-app-db.raw.1", "action": "create"}])
    rows = draft[0]["services"]
    assert [(r["action"], r["order"], r["canary"], r["to"]) for r in rows] == [
        ("update", n + 1, n == 0, ["secret-app-db.raw.1"]) for n in range(3)]
    assert rows[0]["after_ms"] < 2000 <= rows[1]["after_ms"] and rows[2]["after_ms"] - rows[1]["after_ms"] < 2000
    assert {r["name"]: r["how"] for r in rows}["web"] == "2 tasks, 1 at a time, start-first"
    assert all(r["from"] == ["first"] for r in rows)
    w.s.ctl("swarm", "bind", "db", "--path", "secret/app/db", "--field", "password", "--role", "web", "--service", "web,api,cron",
            "max_services=2", "soak=2s")
    assert w.plan("db")[0]["services"] == rows
    w.agent()
    w.wait_done("db", 1, "web", "api", "cron")
    canary = w.api.service(rows[0]["name"])["UpdateStatus"]["CompletedAt"]
    assert all(w.api.service(r["name"])["UpdateStatus"]["StartedAt"] > canary for r in rows[1:]), "the canary was the one planned"
    assert {r["action"] for r in w.plan("db")[0]["services"]} == {"none"}
    w.a.stop()
    w.s.put("app/db", {"password": "two"})
    plan = w.plan()[0]
    assert plan["version"] == 2 and all(r["action"] == "update" and r["from"] == ["secret-app-db.raw.1"] for r in plan["services"])


def test_what_is_not_done_has_a_reason(world):
    w = world
    w.services.append("job")
    w.secret("first", "zero")
    w.engine.cli("service", "create", "-d", "--no-resolve-image", "--name", "job", "--mode", "replicated-job", dockerd.IMAGE, "true")
    w.service("stuck", secret="first")
    w.api.update("stuck", lambda s: s["TaskTemplate"].setdefault("Placement", {}).update(Constraints=["node.labels.x==never"]))
    w.service("well", secret="first")
    rows = w.plan("db", "--path", "secret/app/db", "--field", "password", "--service", "job,stuck,well")[0]["services"]
    got = {r["name"]: r for r in rows}
    assert (got["job"]["action"], got["stuck"]["action"], got["well"]["action"]) == ("skip", "wait", "update"), rows
    assert "again" in got["job"]["reason"] and got["stuck"]["reason"]
    text = w.ctl("plan", "db", "--path", "secret/app/db", "--field", "password", "--service", "job,stuck,well", fmt="").stdout
    assert "secret-app-db.raw.1 is made" in text and "goes first, and alone" in text and "restart" in text.lower()


def test_status_says_which_service_has_which_version_and_why_not(world):
    w = world
    w.secret("first", "zero")
    w.service("web", secret="first")
    w.services.append("job")
    w.engine.cli("service", "create", "-d", "--no-resolve-image", "--name", "job", "--mode", "replicated-job", dockerd.IMAGE, "true")
    w.s.ctl("swarm", "bind", "db", "--path", "secret/app/db", "--field", "password", "--role", "web", "--service", "web,job", "soak=1s")
    w.agent()
    wait_for("it to be done", lambda: w.states("db").get("web", ("",))[0] == "done" and "job" in w.states("db"), 90)
    text = w.s.ctl("swarm", "status", "db", fmt="").stdout
    lines = {line.split()[0]: line for line in text.splitlines() if line.strip()}
    assert "done" in lines["web"] and "skipped" in lines["job"] and "run the job again" in lines["job"]
    w.engine.cli("service", "rm", "job")
    wait_for("it to be gone", lambda: set(w.states("db")) == {"web"})


# ---- templates ----

def test_a_configuration_with_the_password_in_it(world):
    w = world
    w.secret("first", "zero")
    w.service("web", secret="first", target="app.conf")
    w.s.ctl("swarm", "bind", "conf", "--path", "secret/app/db", "--template", "-", "--target", "app.conf", "--role", "web",
            "--service", "web", "soak=1s", stdin='url=db://app:{{ with secret "secret/data/app/db" }}{{ .Data.data.password }}{{ end }}@db\n')
    w.agent()
    for version, value in ((1, "one"), (2, "two")):
        if version > 1:
            w.s.put("app/db", {"password": value})
        w.wait_done("conf", version, "web")
        assert w.api.refs("web") == {"app.conf": f"secret-app-db.temp.{version}"}
        container = w.engine.cli("ps", "-q", "-f", "label=com.docker.swarm.service.name=web").split()[0]
        assert w.engine.cli("exec", container, "cat", "/run/secrets/app.conf") == f"url=db://app:{value}@db\n"
    w.s.ctl("swarm", "bind", "conf", "--path", "secret/app/db", "--template", "-", "--target", "app.conf", "--role", "web",
            "--service", "web", "soak=1s", stdin='{{ with secret "secret/data/app/other" }}{{ .Data.data.password }}{{ end }}')
    w.s.put("app/other", {"password": "not of this binding"})
    w.s.put("app/db", {"password": "three"})
    wait_for("it to be refused", lambda: "secret/data/app/other" in w.a.log() or "alone" in str(w.a.status()["swarm"]), 60)
    assert w.api.refs("web") == {"app.conf": "secret-app-db.temp.2"} and "not of this binding" not in w.a.log()
