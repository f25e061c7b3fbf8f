# SPDX-License-Identifier: Apache-2.0
"""Containers of a real Docker Engine that are told of new values, watched, and brought back when they do not live with
them; what the vault hears of it."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile

import pytest

import vaultd
from vaultd import wait_for

PATH = "secret/app/db"
FILES = [{"path": PATH, "field": "password", "binding": "app", "name": "password", "mode": "0444"}]
# It reads its value when it starts and at SIGHUP, unless it is held, and says so; it exits at a value that is in "deadly".
MAIN = """
load() {
    while [ -e /probe/hold ]; do sleep 0.05; done
    value=$(cat /run/secrets/password)
    read up rest < /proc/uptime
    echo "$NAME $1 $up $value" >> /probe/told
    echo "$value" > /probe/$NAME
    [ ! -e /probe/deadly ] || [ "$value" != "$(cat /probe/deadly)" ] || exit 3
}
trap 'load hup' HUP
load start
while :; do sleep 0.05; done
"""
# Well is who has loaded what is in place, unless that is in "bad".
CHECK = ('value=$(cat /probe/$NAME); [ "$value" = "$(cat /run/secrets/password)" ] && '
         '{ [ ! -e /probe/bad ] || [ "$value" != "$(cat /probe/bad)" ]; } && read up rest < /proc/uptime && echo "$NAME well $up $value" >> /probe/checks')


class World:
    """A server, an agent, containers, and the directory where they say what they have seen."""

    def __init__(self, engine, server, agent, probe, tag):
        self.engine, self.s, self.a, self.probe, self.tag = engine, server, agent, probe, tag
        self.containers = []

    def name(self, n):
        return f"{self.tag}-{n}"

    def define(self, **binding):
        """A binding of the vault instead of the host's own."""
        self.a.files = []
        spec = {"roles": ["web"], "files": [{"path": PATH, "field": "password", "name": "password", "mode": "0444"}],
                "debounce": "0s", "min_interval": "0s", "settle": "1s", "health": "15s", **binding}
        assert self.s.client().post("sys/hosts/roles/web", {"paths": ["secret/app/*"]}).status in (200, 204)
        r = self.s.client().post("sys/bindings/app", spec)
        assert r.status in (200, 204), r

    def begin_granted(self, n, retries=3, check=CHECK, **extra):
        self.a.extra = {"docker": json.dumps({"socket": str(self.engine.socket)}), **extra}
        self.a.join(self.s.add_host("web1", ["secret/app/*"])["join_token"])
        self.a.start()
        self.a.run_dir.chmod(0o711)
        self.run(n, retries=retries, check=check, options=("--label", "vault.bind=app"))

    # The check fails from when the files are in place until the value is loaded: a container says after how many
    # failures in a row it is ill.
    def run(self, n, main=MAIN, check=CHECK, retries=3, options=()):
        name = self.name(n)
        self.containers.append(name)
        health = ("--health-cmd", check, "--health-interval", "0.3s", "--health-retries", retries,
                  "--health-timeout", "5s") if check else ("--no-healthcheck",)
        return self.engine.run(name, "sh", "-c", main, options=(
            "-e", f"NAME={n}", "-v", f"{self.a.run_dir}/app:/run/secrets:ro", "-v", f"{self.probe}:/probe", *health,
            *options))

    def configure(self, *names, **binding):
        row = {"name": "app", "containers": [self.name(n) for n in names], "debounce": "0s", "min_interval": "0s",
               "settle": "1s", "health": "15s", **binding}
        self.a.extra = {"bindings": json.dumps([row]), "docker": json.dumps({"socket": str(self.engine.socket)})}
        self.a.write_config()

    def begin(self, *names, retries=3, check=CHECK, **binding):
        """The agent runs, the first value is in place, the containers run and have it."""
        self.configure(*names, **binding)
        self.a.join(self.s.add_host("web1", ["secret/app/*"])["join_token"])
        self.a.start()
        self.a.wait_content("app", "password", "one")
        self.a.run_dir.chmod(0o711)
        for n in names:
            self.run(n, retries=retries, check=check)
        self.wait_told(len(names))
        self.wait_known(*names)

    def wait_known(self, *names):
        wait_for(f"the agent to know them:\n{self.a.log()}", lambda: {c["name"] for c in self.binding()["containers"]} == {
            self.name(n) for n in names} and self.binding()["state"] == "rest")

    def lines(self, name):
        try:
            return [line.split() for line in (self.probe / name).read_text().splitlines()]
        except FileNotFoundError:
            return []

    def told(self):
        return self.lines("told")

    def wait_told(self, n):
        wait_for(f"{n} loads:\n{self.a.log()}", lambda: len(self.told()) >= n)
        return self.told()

    def hold(self):
        """What is told from now on does not load it, and its check fails without being believed yet."""
        self.say("hold", "")

    def release(self):
        (self.probe / "hold").unlink()

    def say(self, what, value):
        (self.probe / what).write_text(value)

    def binding(self):
        return self.a.status()["bindings"][0]

    def state(self):
        rows = self.s.client().get(f"sys/hosts/where/{PATH}").data["hosts"]
        return (rows[0]["state"], rows[0]["fetched"]) if rows else None

    def begin_rotate(self):
        return subprocess.Popen([str(vaultd.BIN / "vaultctl"), "rotate", PATH], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True,
                                env={"PATH": os.environ["PATH"], "HOME": str(self.s.tmp), "VAULT_ADDR": self.s.url,
                                     "VAULT_PIN": self.s.pin, "VAULT_TOKEN": self.s.root})

    def rotate(self, status=0):
        p = self.s.ctl("rotate", PATH, check=False, fmt="")
        assert p.returncode == status, (p.stdout, p.stderr, self.a.log()[-3000:])
        return p.stdout

    def value(self):
        return self.s.read("app/db")["password"]

    def in_place(self):
        return self.a.content("app", "password")


@pytest.fixture
def world(engine, own_server, make_agent, request):
    s = own_server
    s.put("app/db", {"password": "one"})
    s.ctl("rotation", "set", PATH, "--field", "password", "--timeout", "40s")
    with tempfile.TemporaryDirectory() as probe:
        os.chmod(probe, 0o777)
        tag = f"r{os.getpid()}-{abs(hash(request.node.name)) % 10000}"
        w = World(engine, s, make_agent(s, "web1", FILES), pathlib.Path(probe), tag)
        yield w
        w.a.stop()
        engine.remove(*w.containers)


def test_a_signal_and_the_gate(world):
    w = world
    w.begin("web", reload="signal")
    n = len(w.told())
    out = w.rotate()
    value = w.value()
    assert [t[:2] + t[3:] for t in w.told()[n:]] == [["web", "hup", value]], out
    assert w.state() == ("applied", 2) and w.in_place() == value
    c = w.binding()["containers"][0]
    assert c["state"] == "applied" and c["generation"] == w.binding()["generation"]
    assert value not in w.a.log()


def test_applied_is_said_after_the_gate_alone(world):
    w = world
    w.begin("web", reload="signal", health="40s", retries=100)
    w.hold()
    rotate = w.begin_rotate()
    wait_for("the files to be acknowledged", lambda: w.state() == ("delivered", 2))
    wait_for("it to be watched", lambda: w.binding()["containers"][0]["state"] == "watching")
    assert rotate.poll() is None
    w.release()
    assert rotate.communicate(timeout=60) and rotate.returncode == 0
    assert w.state() == ("applied", 2)


def test_unhealthy_goes_back(world):
    w = world
    w.begin("web", reload="signal")
    n = len(w.told())
    w.hold()
    rotate = w.begin_rotate()
    value = wait_for("the new value", lambda: w.value() != "one" and w.value())
    w.say("bad", value)
    w.release()
    out, _ = rotate.communicate(timeout=90)
    assert rotate.returncode == 21, out
    assert "rejected" in out and f"container '{w.name('web')}'" in out, out
    assert w.in_place() == "one"
    assert [t[3] for t in w.told()[n:]] == [value, "one"], "told of both"
    assert w.binding()["rejected"] == 2 and w.binding()["state"] == "rest"
    wait_for("it to be well again", lambda: w.engine.inspect(w.name("web"))["State"]["Health"]["Status"] == "healthy")


def test_one_that_ignores_the_signal_is_found_out(world):
    w = world
    w.begin(reload="signal")
    w.a.stop()
    w.configure("deaf", reload="signal", health="5s")
    w.a.start()
    w.run("deaf", main='cat /run/secrets/password > /probe/$NAME; while :; do sleep 1; done')
    wait_for("it to be known", lambda: w.a.status() and w.binding()["containers"])
    wait_for("it to be healthy", lambda: w.engine.inspect(w.name("deaf"))["State"]["Health"]["Status"] == "healthy")
    out = w.rotate(21)
    assert "not healthy" in out or "unhealthy" in out, out
    assert w.in_place() == "one"


def test_a_restart(world):
    w = world
    w.begin("web", reload="restart")
    before = w.engine.inspect(w.name("web"))["State"]["StartedAt"]
    w.rotate()
    assert w.engine.inspect(w.name("web"))["State"]["StartedAt"] != before
    assert w.told()[-1][:2] + w.told()[-1][3:] == ["web", "start", w.value()]
    assert w.state() == ("applied", 2)


def test_one_that_dies_of_the_new_value(world):
    w = world
    w.begin("web", reload="restart", retries=100)
    w.hold()
    rotate = w.begin_rotate()
    value = wait_for("the new value", lambda: w.value() != "one" and w.value())
    w.say("deadly", value)
    w.release()
    out, _ = rotate.communicate(timeout=90)
    assert rotate.returncode == 21 and w.in_place() == "one", out


def test_a_command_in_the_container(world):
    w = world
    w.begin("web", reload="exec-in",
            command=["sh", "-c", "cat /run/secrets/password > /probe/web; echo in >> /probe/ran; env > /probe/env"])
    w.rotate()
    assert (w.probe / "web").read_text() == w.value() and (w.probe / "ran").read_text() == "in\n"
    env = (w.probe / "env").read_text()
    assert "VAULT_BINDING=app\n" in env and "VAULT_VERSION=" in env and w.value() not in env


def test_a_command_in_the_container_that_fails(world):
    w = world
    w.begin("web", reload="exec-in", command=["sh", "-c", f"echo in >> /probe/ran; [ ! -e /probe/fails ] || "
                                              f"[ $(cat /run/secrets/password) = one ] || exit 9; "
                                              f"cat /run/secrets/password > /probe/web"])
    w.say("fails", "")
    out = w.rotate(21)
    assert "exit status 9" in out and w.in_place() == "one", out


def test_the_canary_comes_first_and_alone(world):
    w = world
    names = ("a", "b", "c")
    w.begin(*names, reload="signal")
    n = len(w.told())
    w.rotate()
    told = w.told()[n:]
    assert sorted(t[0] for t in told) == list(names), "each once"
    # The next is told when the one before was found healthy by a check of what it was told.
    ups = [float(t[2]) for t in told]
    for (name, *_), until in zip(told, ups[1:]):
        checks = [c for c in w.lines("checks") if c[0] == name and c[3] == w.value()]
        assert checks and float(checks[0][2]) < until, (told, checks)


def test_a_sick_canary_keeps_the_others_as_they_were(world):
    w = world
    names = ("a", "b", "c")
    w.begin(*names, reload="signal")
    n = len(w.told())
    w.hold()
    rotate = w.begin_rotate()
    value = wait_for("the new value", lambda: w.value() != "one" and w.value())
    w.say("bad", value)
    w.release()
    out, _ = rotate.communicate(timeout=90)
    assert rotate.returncode == 21, out
    told = [(t[0], t[3]) for t in w.told()[n:]]
    assert len({name for name, _ in told}) == 1, f"only the canary was told: {told}"
    assert [v for _, v in told] == [value, "one"] and w.in_place() == "one"


def test_kill_9_of_the_agent_in_the_middle(world):
    w = world
    w.begin("web", reload="signal", health="40s", retries=100)
    w.hold()
    rotate = w.begin_rotate()
    wait_for("the files", lambda: w.in_place() != "one")
    w.a.stop(signal.SIGKILL)
    w.a.start()
    wait_for("the agent", lambda: w.a.status() and w.binding()["state"] != "rest")
    w.release()
    assert rotate.communicate(timeout=90) and rotate.returncode == 0
    assert w.state() == ("applied", 2)
    assert w.told()[-1][3] == w.value()


def test_a_container_that_stands_still_reads_it_when_it_starts(world):
    w = world
    w.begin("web", reload="signal")
    w.engine.cli("stop", "-t", "0", w.name("web"))
    wait_for("the agent to hear of it", lambda: w.binding()["containers"][0]["state"] == "stopped")
    w.rotate()
    n = len(w.told())
    w.engine.cli("start", w.name("web"))
    assert w.wait_told(n + 1)[-1][3] == w.value()


@pytest.mark.parametrize("what", ["stop", "signal"])
def test_revoked(world, what):
    w = world
    w.begin("web", reload="signal", on_revoke=what, signal="HUP")
    n = len(w.told())
    w.s.ctl("host", "revoke", "web1", "--yes")
    wait_for("the files to go", lambda: w.in_place() is None)
    if what == "stop":
        wait_for("it to be stopped", lambda: not w.engine.inspect(w.name("web"))["State"]["Running"])
    else:
        w.wait_told(n + 1)


def test_the_engine_is_away_when_the_value_comes(world):
    w = world
    # After this an Engine of that age makes no checks of a container whose first it has not made.
    w.begin("web", reload="signal", health="60s", check=None)
    w.engine.kill()
    rotate = w.begin_rotate()
    wait_for("the files to be acknowledged", lambda: w.state() == ("delivered", 2))
    assert rotate.poll() is None
    w.engine.launch()
    wait_for("dockerd", w.engine.answers, 60)
    assert rotate.communicate(timeout=120) and rotate.returncode == 0
    assert w.told()[-1][3] == w.value()


def test_a_binding_of_the_vault_has_its_gate_too(world):
    w = world
    w.define(reload="signal")
    w.begin_granted("web", retries=3)
    wait_for(f"it to be applied:\n{w.a.log()}", lambda: w.state() == ("applied", 1))
    wait_for("it to have loaded it", lambda: w.told() and w.told()[-1][3] == "one")
    w.rotate()
    good = w.value()
    assert w.told()[-1][1:2] + w.told()[-1][3:] == ["hup", good]
    w.hold()
    rotate = w.begin_rotate()
    value = wait_for("the new value", lambda: w.value() != good and w.value())
    w.say("bad", value)
    w.release()
    out, _ = rotate.communicate(timeout=90)
    assert rotate.returncode == 21 and f"container '{w.name('web')}'" in out, out
    assert w.in_place() == good == w.wait_told(1)[-1][3]


def test_a_binding_of_the_vault_runs_what_the_host_allows(world):
    w = world
    script = w.probe / "reload"
    script.write_text('#!/bin/sh\necho "$1 $VAULT_BINDING $(id -u) $(cat "$VAULT_DIR/password")" >> ' + f"{w.probe}/ran\n")
    script.chmod(0o755)
    w.define(reload="exec", command=[str(script), "now"], run_as="nobody")
    w.begin_granted("web", check=None, allowed_commands=json.dumps([str(script)]))
    wait_for(f"it to be applied:\n{w.a.log()}", lambda: w.state() == ("applied", 1))
    w.rotate()
    assert w.lines("ran")[-1] == ["now", "app", "65534", w.value()]
    n = len(w.lines("ran"))
    # Another program, or the same one as root, is not for the vault to run.
    for command, run_as, why in ((["/bin/sh", "-c", "true"], "nobody", "allowed_commands"),
                                 ([str(script), "now"], "root", "root")):
        w.define(reload="exec", command=command, run_as=run_as)
        wait_for(f"a refusal:\n{w.a.log()}", lambda why=why: why in json.dumps(w.a.status().get("refused", [])) or
                 "a granted binding cannot be used here" in w.a.log() and why in w.a.log())
    assert len(w.lines("ran")) == n
