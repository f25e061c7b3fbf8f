# SPDX-License-Identifier: Apache-2.0
"""vault-agent as the secret driver of a real Swarm: tasks get values that the Swarm itself does not have, and only those
that the vault grants to their service."""
import base64
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile

import pytest

import dockerd
from swarm import Api
from vaultd import BIN, SANITIZED, wait_for

PATH = "secret/app/db"
PLUGIN = dockerd.plugin_socket("secrets")
# Refuses to run with what the directory of the test calls bad; says what it runs with.
MAIN = """
v=$(cat /run/secrets/db)
case "$(cat /probe/bad)" in *"$v"*) [ -z "$v" ] || exit 3;; esac
while :; do echo "$v" > /probe/now.$HOSTNAME; sleep 0.2; done
"""
CALM = ("--update-delay", "0s", "--update-monitor", "500ms", "--update-order", "start-first", "--update-failure-action",
        "rollback", "--restart-delay", "500ms", "--stop-grace-period", "0s")


@pytest.fixture(scope="module")
def swarm():
    why = dockerd.unavailable()
    if why:
        pytest.skip(why)
    engine = dockerd.Dockerd(swarm=True)
    try:
        yield engine.start()
    finally:
        engine.close()
        PLUGIN.unlink(missing_ok=True)


class World:
    def __init__(self, engine, server, agent, probe):
        self.engine, self.api, self.s, self.a, self.probe = engine, Api(engine), server, agent, probe
        self.services, self.volume = [], ("--mount", f"type=bind,source={probe},target=/probe")
        (probe / "bad").write_text("")
        agent.extra = {"swarm": json.dumps({"sync": True, "driver": True, "driver_socket": str(PLUGIN),
                                            "socket": str(engine.socket)})}
        agent.join(server.add_host(agent.name, ["secret/app/*"])["join_token"])

    def bind(self, *services, name="db", **spec):
        r = self.s.client().post(f"sys/swarm/bindings/{name}", {
            "roles": ["web"], "path": PATH, "field": "password", "mode": "driver", "soak": "1s", "services": list(services),
            **spec})
        assert r.status in (200, 204), r

    def start(self):
        self.a.start()
        wait_for(f"values in memory\n{self.a.log()[-2000:]}", lambda: self.driver().get("values", 0) > 0)
        return self

    def driver(self):
        status = self.a.status()
        return status["swarm"].get("driver", {}) if status else {}

    def recorded(self, what):
        """What the audit log has of leases of tasks."""
        found = self.s.client().get("sys/audit-log/records?from=0&limit=1000").data["records"]
        said = [t for r in found if r.get("path") == "sys/agent/swarm/tasks" for t in r["note"].get("tasks", [])]
        return {t for t in said if t.endswith(what)}

    def secret(self, name, **labels):
        words = [w for k, v in labels.items() for w in ("--label", f"vault.{k}={v}")]
        if name not in self.api.secrets():
            self.engine.cli("secret", "create", "--driver", PLUGIN.stem, *words, name)

    def service(self, name, *options, secret="first"):
        self.services.append(name)
        self.engine.cli("service", "create", "-d", "--no-resolve-image", "--name", name, "--secret",
                        f"source={secret},target=db", *CALM, *self.volume, *options, dockerd.IMAGE, "sh", "-c", MAIN)

    def values(self):
        """What tasks that run now say."""
        return {f.read_text().strip() for f in self.probe.glob("now.*")}

    def forget(self):
        for f in self.probe.glob("now.*"):
            f.unlink()

    def wait_value(self, value, seconds=60):
        def there():
            self.forget()
            wait_for("a task", self.values, seconds)
            return self.values() == {value}
        try:
            wait_for(f"tasks to have {value}", there, seconds)
        except AssertionError:
            raise AssertionError((self.values(), self.a.status(), self.tasks(), self.a.log()[-3000:])) from None

    def tasks(self):
        return [(t["Status"]["State"], t["Status"].get("Err", "")) for t in self.api.call("GET", "/tasks")[1]]

    def rows(self):
        status = self.a.status()
        return {r["name"]: r for b in status["swarm"]["bindings"] for r in b["services"]} if status else {}

    def wait_row(self, service, state, version):
        def there():
            r = self.rows().get(service, {})
            return (r.get("state"), r.get("version")) == (state, version)
        try:
            wait_for(f"{service} to be {state} {version}", there, 90)
        except AssertionError:
            raise AssertionError((self.a.status(), self.tasks(), self.a.log()[-3000:])) from None

    def close(self):
        for s in self.services:
            self.engine.try_cli("service", "rm", s)
        wait_for("tasks to go", lambda: not self.engine.cli("ps", "-q").strip())
        for s in self.api.secrets():
            self.api.call("DELETE", f"/secrets/{s}")


@pytest.fixture
def world(swarm, own_server, make_agent, tmp_path):
    probe = tmp_path / "probe"
    probe.mkdir()
    own_server.put("app/db", {"password": "one"})
    w = World(swarm, own_server, make_agent(own_server, "manager1", []), probe)
    yield w
    w.close()


def test_tasks_get_values_that_the_swarm_does_not_have(world):
    w = world
    w.bind("web")
    w.start()
    w.secret("first", binding="db")
    w.service("web", "--replicas", "2")
    w.wait_value("one")
    w.wait_row("web", "done", 1)
    s = w.api.call("GET", f"/secrets/{w.api.refs('web')['db']}")[1]["Spec"]
    assert s["Name"] == "secret-app-db.raw.1" and s["Driver"]["Name"] == PLUGIN.stem
    assert s["Labels"]["vault.fp"] == "" and "one" not in json.dumps(s)
    assert w.driver()["leases"] >= 2, "one for each task"
    wait_for("the record of each", lambda: len(w.recorded("@1 given")) >= 2)
    w.s.put("app/db", {"password": "two"})
    w.wait_row("web", "done", 2)
    w.wait_value("two")
    assert w.api.refs("web") == {"db": "secret-app-db.raw.2"}
    row, = w.s.client().get(f"sys/hosts/where/{PATH}").data["hosts"]
    assert row["state"] == "applied" and [s["version"] for s in row["services"]] == [2], row
    assert '"two"' not in w.a.log()
    w.engine.cli("service", "rm", w.services.pop())
    wait_for("the leases to end", lambda: len(w.recorded("@2 ended")) >= 2 and w.driver()["leases"] == 0, 150)


def test_a_rotation_waits_until_tasks_have_it(world):
    w = world
    w.bind("web")
    w.start()
    w.secret("first", binding="db")
    w.service("web")
    w.wait_row("web", "done", 1)
    w.s.ctl("rotation", "set", PATH, "--field", "password", "--timeout", "60s")
    p = w.s.ctl("rotate", PATH, check=False, fmt="")
    assert p.returncode == 0, (p.stdout, p.stderr, w.a.log()[-2000:])
    w.wait_value(w.s.client().get("secret/data/app/db").data["data"]["password"])


def test_another_service_is_refused_whatever_its_labels_say(world):
    w = world
    w.bind("web")
    w.start()
    w.secret("first", binding="db")
    w.secret("pinned", binding="db", version="1")
    w.service("thief", "--label", "vault.sync=db", "--label", "vault.binding=db")
    w.service("web2", secret="pinned")
    wait_for("both to be refused", lambda: {r["service"] for r in w.driver()["refused"]} >= {"thief", "web2"}, 60)
    assert all("other services" in r["why"] for r in w.driver()["refused"])
    assert not w.values() and "thief" not in w.rows(), "the label asks, and the mode driver does not listen"


def test_memory_answers_while_the_vault_is_away(world):
    w = world
    w.bind("web")
    w.start()
    w.secret("first", binding="db")
    w.service("web")
    w.wait_row("web", "done", 1)
    w.s.stop()
    w.engine.cli("service", "update", "-d", "--force", "--replicas", "3", "web")
    wait_for("three tasks that are served", lambda: w.driver()["leases"] >= 3, 60)
    w.wait_value("one")


def test_tasks_start_once_the_agent_is_back(world):
    w = world
    w.bind("web")
    w.start()
    w.secret("first", binding="db")
    w.service("web")
    w.wait_row("web", "done", 1)
    w.a.stop()
    assert not PLUGIN.exists()
    w.engine.cli("service", "update", "-d", "--force", "web")
    w.wait_value("one")  # the old task stays until the new one runs
    w.start()
    w.engine.cli("service", "update", "-d", "--force", "web")
    wait_for("a new task", lambda: w.driver()["given"] > 0, 60)
    w.wait_value("one")


def test_a_service_that_went_back_is_served_after_a_restart(world):
    w = world
    w.bind("web")
    w.start()
    w.secret("first", binding="db")
    w.service("web")
    w.wait_row("web", "done", 1)
    (w.probe / "bad").write_text("terrible")
    w.s.put("app/db", {"password": "terrible"})
    w.wait_row("web", "rolled-back", 2)
    wait_for("the good one", lambda: w.api.refs("web")["db"] == "secret-app-db.raw.1", 60)
    w.wait_value("one")
    w.a.stop()
    w.start()
    w.engine.cli("service", "update", "-d", "--force", "web")
    wait_for("the old version to be given", lambda: w.driver()["given"] > 0, 60)
    w.wait_value("one")


def test_another_definition_is_another_value(world):
    w = world
    w.s.put("app/db", {"password": "one", "user": "joe"})
    w.bind("web")
    w.start()
    assert ask(call("web"))["Value"] == base64.b64encode(b"one").decode()
    w.bind("web", field="user")
    wait_for("the other field", lambda: ask(call("web"))["Value"] == base64.b64encode(b"joe").decode())


def test_a_binding_that_goes_takes_the_value_along(world):
    w = world
    w.bind("web")
    w.start()
    assert w.s.client().delete("sys/swarm/bindings/db").status in (200, 204)
    wait_for("the value to go", lambda: w.driver()["values"] == 0)
    assert "no such binding" in ask(call("web"))["Err"]


# --- as a managed plugin ---

TOP = pathlib.Path(__file__).resolve().parents[2]
MANAGED = "vault-managed"


@pytest.fixture
def managed(world, tmp_path):
    """The agent runs within the Engine, from what deploy/plugin puts together."""
    w = world
    subprocess.run([TOP / "deploy/plugin/make-plugin", BIN / "vault-agent", tmp_path / "plugin"], check=True)
    w.engine.cli("plugin", "create", MANAGED, tmp_path / "plugin")
    # State, configuration and Engine are at the places that config.json gives them.
    w.a.extra = {"tmpfs": "existing", "swarm": json.dumps({
        "sync": True, "driver": True, "driver_socket": "/run/docker/plugins/plugin.sock", "driver_name": MANAGED,
        "socket": "/run/docker.sock"})}
    state, w.a.state_dir = w.a.state_dir, "/var/lib/vault-agent"
    run, w.a.run_dir = w.a.run_dir, "/run/vault-agent"
    status, w.a.socket = w.a.socket, "/var/lib/vault-agent/agent.sock"
    w.a.write_config()
    w.a.state_dir, w.a.run_dir, w.a.socket = state, run, status
    etc = tmp_path / "etc"
    etc.mkdir()
    w.a.config.rename(etc / "vault-agent.yaml")
    w.engine.cli("plugin", "set", MANAGED, f"config.source={etc}", f"state.source={state}", f"docker.source={w.engine.socket}")
    yield w
    w.close()
    w.services = []
    w.engine.try_cli("plugin", "disable", "-f", MANAGED)
    w.engine.try_cli("plugin", "rm", "-f", MANAGED)


@pytest.mark.skipif(SANITIZED, reason="the plugin has no sanitizer's symbolizer, nor its environment")
def test_a_managed_plugin_is_the_driver(managed):
    w = managed
    w.bind("web")
    w.engine.cli("plugin", "enable", MANAGED)
    w.engine.cli("secret", "create", "--driver", MANAGED, "--label", "vault.binding=db", "first")
    w.service("web")
    w.wait_value("one")
    wait_for("the managed secret", lambda: w.api.refs("web")["db"] == "secret-app-db.raw.1", 60)
    w.s.put("app/db", {"password": "two"})
    w.wait_value("two")
    spec = w.api.call("GET", f"/secrets/{w.api.refs('web')['db']}")[1]["Spec"]
    assert spec["Driver"]["Name"] == MANAGED and spec["Name"] == "secret-app-db.raw.2"
    w.engine.cli("plugin", "disable", "-f", MANAGED)
    w.engine.cli("plugin", "enable", MANAGED)
    w.engine.cli("service", "update", "-d", "--force", "web")
    w.wait_value("two")


# --- at the socket ---


class Unix(http.client.HTTPConnection):
    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(10)
        self.sock.connect(str(PLUGIN))


def call(service, **more):
    return {"SecretName": "db", "SecretLabels": {}, "ServiceName": service, "ServiceID": "s" * 25, "TaskID": "t" * 25, **more}


def ask(body, path="/SecretProvider.GetSecret"):
    c = Unix("docker")
    c.request("POST", path, body if isinstance(body, (bytes, str)) else json.dumps(body))
    r = c.getresponse()
    text = r.read()
    c.close()
    return json.loads(text) if text else r.status


def test_what_docker_is_told(world):
    w = world
    w.s.put("app/long", {"password": "y" * 500_000})
    w.bind("web", "w" * 25)
    w.bind("web", name="long", path="secret/app/long")
    w.start()
    wait_for("both", lambda: w.driver()["values"] == 2)
    assert ask("", "/Plugin.Activate") == {"Implements": ["secretprovider"]}
    good = {"Value": base64.b64encode(b"one").decode(), "DoNotReuse": True}
    assert ask(call("web")) == good
    assert ask(call("x", ServiceID="w" * 25)) == good
    assert ask(call("web", SecretName="any", SecretLabels={"vault.binding": "db", "vault.version": "1"})) == good
    assert len(base64.b64decode(ask(call("web", SecretName="long"))["Value"])) == 500_000
    for bad, why in ((call("other"), "other services"), (call("web", ServiceName="web\0"), "names no"),
                     (call("web", SecretName="nothing"), "no such binding"),
                     (call("web", SecretLabels={"vault.version": "7"}), "not in memory"),
                     (call("web", SecretLabels={"vault.version": "-1"}), "no version"),
                     (call("web", SecretLabels={"vault.version": "1x"}), "no version"),
                     (call("web", SecretLabels={"vault.cluster": "elsewhere"}), "another Swarm"),
                     (call("web", TaskID="../.."), "names no"), ({}, "names no"), ("[]", "names no"), ("{", "names no"),
                     (call("w" * 300), "names no"), (call(["web"]), "names no")):
        said = ask(bad)
        assert set(said) == {"Err"} and why in said["Err"], (bad, said)
    try:
        assert ask(b"x" * 100_000) == 413
    except BrokenPipeError:
        pass  # it did not even listen to the end
    assert "no such call" in ask("{}", "/SecretProvider.Steal")["Err"]
    assert "no such call" in ask("{}", "/VolumeDriver.List")["Err"], "that is not on"


def test_another_definition_is_another_value(world):
    """Of the same version, under the same name."""
    w = world
    w.s.put("app/other", {"password": "of another", "user": "her"})
    w.bind("web")
    w.start()
    assert base64.b64decode(ask(call("web"))["Value"]) == b"one"
    w.bind("web", path="secret/app/other")
    wait_for("the other secret's", lambda: base64.b64decode(ask(call("web")).get("Value", "")) == b"of another")
    w.bind("web", path="secret/app/other", field="user")
    wait_for("the other field", lambda: base64.b64decode(ask(call("web")).get("Value", "")) == b"her")


def test_a_revoked_host_gives_nothing_any_more(world):
    w = world
    w.bind("web")
    w.start()
    assert "Value" in ask(call("web"))
    assert w.s.client().post(f"sys/hosts/{w.a.name}/revoke").status in (200, 204)
    wait_for("the order", lambda: w.a.status()["state"] == "revoked")
    said = ask(call("web"))
    assert set(said) == {"Err"} and "revoked" in said["Err"]
    assert w.driver()["values"] == 0 and not w.a.status()["swarm"]["leader"]


def test_strangers_are_not_answered(world):
    """Where neither the directory nor the mode of the file keeps them away."""
    w = world
    w.bind("web")
    with tempfile.TemporaryDirectory() as d:
        os.chmod(d, 0o755)
        path = pathlib.Path(d) / "vault.sock"
        w.a.extra = {"swarm": json.dumps({"sync": True, "driver": True, "driver_socket": str(path),
                                          "socket": str(w.engine.socket)})}
        w.a.write_config()
        w.start()
        assert path.stat().st_mode & 0o777 == 0o600
        path.chmod(0o666)
        body = json.dumps(call("web"))
        text = f"POST /SecretProvider.GetSecret HTTP/1.1\r\nContent-Length: {len(body)}\r\n\r\n{body}"
        code = (f"import socket\ns = socket.socket(socket.AF_UNIX)\ns.connect({str(path)!r})\n"
                f"try:\n    s.sendall({text.encode()!r}); print(s.recv(4096))\nexcept OSError: print(b'')\n")
        run = [sys.executable, "-c", code]
        said = subprocess.run(run, capture_output=True, text=True, timeout=30, check=True, user=65534, group=65534,
                              extra_groups=[], cwd="/")
        assert said.stdout.strip() == "b''", said.stdout
        said = subprocess.run(run, capture_output=True, text=True, timeout=30, check=True)
        assert "Value" in said.stdout, "root is"
        w.a.stop()


def test_a_driver_needs_sync_and_services(world):
    w = world
    r = w.s.client().post("sys/swarm/bindings/db", {"roles": ["web"], "path": PATH, "field": "password", "mode": "driver"})
    assert r.status == 400 and "services are missing" in r.errors[0], r
    w.a.extra = {"swarm": json.dumps({"driver": True, "socket": str(w.engine.socket)})}
    w.a.write_config()
    w.a.start()
    assert w.a.proc.wait(30) != 0 and "driver needs sync" in w.a.log()
    w.a.proc = None
