# SPDX-License-Identifier: Apache-2.0
"""The steps of demo.sh around containers. Two of them ask for a secret by a label, and it changes under a health gate,
once for the better and once not (here); a Swarm's service gets a new value (demo_swarm.py); leaks are found in an image
and in a process (demo_leaks.py). The Engine is this script's own, and ends with it.

    demo_docker.py DIRECTORY HOSTS_URL      VAULT_ADDR, VAULT_PIN and VAULT_TOKEN say where the vault is

The status is 0 if all of it was observed; where there can be no Engine it says so, and shows what needs none."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "lib"))
import demo_leaks  # noqa: E402
import demo_swarm  # noqa: E402
import dockerd  # noqa: E402
from demo_lib import ctl, ctl_json, demand, say, step  # noqa: E402
from vaultd import BIN, DEADLINE, wait_for  # noqa: E402

PATH, BINDING, IMAGE = "secret/app/shop", "shop", "shop:1"
SHOPS = ("shop-1", "shop-2")
CONVERGED, LATE = 0, 21  # how vaultctl rotate ends
SWARM = "A Swarm's service gets a new value, task by task"
LEAKS = "Leaks are found in an image and in a process; the vault's own are named by their path"
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

# It cannot work with a short password, and goes on with what it has loaded last.
SHOP = """#!/bin/sh
load() {
	password=$(cat /run/secrets/password)
	if [ ${#password} -ge 20 ]; then state=open; else state=closed; fi
	echo "$state $password" >/tmp/loaded
	echo "$1: ${#password} characters, $state"
}
trap 'load reloaded' HUP
trap 'exit 0' TERM
until [ -s /run/secrets/password ]; do sleep 0.1; done
load started
while :; do sleep 0.1; done
"""
# Well is who works with the very value that is in place.
HEALTH = """#!/bin/sh
[ "$(cat /tmp/loaded)" = "open $(cat /run/secrets/password)" ]
"""
DOCKERFILE = f"""FROM {dockerd.IMAGE}
COPY shop health /bin/
HEALTHCHECK --interval=500ms --timeout=5s --retries=3 CMD ["/bin/health"]
CMD ["/bin/shop"]
"""


class Host:
    """A host of its own, whose agent talks to the Engine."""

    def __init__(self, engine, work, hosts_url):
        self.engine, self.work, self.hosts_url = engine, work, hosts_url
        self.run_dir = pathlib.Path(tempfile.mkdtemp(prefix="vaultd-demo-shop.", dir="/dev/shm"))
        self.run_dir.chmod(0o711)
        self.config, self.log_file = work / "agent.yaml", work / "agent.log"
        self.process = None

    def start(self):
        vault = os.environ["VAULT_ADDR"]
        self.config.write_text(
            f"server: {vault}\nhosts_server: {self.hosts_url}\nstate_dir: {self.work}/state\nrun_dir: {self.run_dir}\n"
            f"status_socket: {self.work}/agent.sock\ndocker: {{socket: {self.engine.socket}}}\n"
            f"swarm: {{sync: true, socket: {self.engine.socket}}}\nfiles: []\n")
        token = ctl_json("host", "add", "docker1", "--role", "web")["join_token"]
        say(subprocess.run([BIN / "vault-agent", "join", "--config", self.config, "--server", vault, "--hosts-server",
                            self.hosts_url, "--pin", os.environ["VAULT_PIN"]], input=token + "\n", text=True,
                           stdout=subprocess.PIPE, check=True, timeout=60).stdout.rstrip())
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([BIN / "vault-agent", "run", "--config", self.config], stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log)

    def knows(self, names):
        """Does it know these containers, and is nobody to be told of anything?"""
        p = subprocess.run([BIN / "vault-agent", "status", "--config", self.config, "--format", "json"], text=True,
                           capture_output=True, check=False, timeout=30)
        bindings = json.loads(p.stdout)["bindings"] if p.returncode == 0 else []
        return [({c["name"] for c in b["containers"]}, b["state"]) for b in bindings] == [(set(names), "rest")]

    def close(self):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(30)
        shutil.rmtree(self.run_dir)


def build(engine, work):
    context = work / "image"
    context.mkdir()
    for name, text in (("shop", SHOP), ("health", HEALTH), ("Dockerfile", DOCKERFILE)):
        (context / name).write_text(text)
        (context / name).chmod(0o755)
    engine.cli("build", "-q", "-t", IMAGE, context)


def where():
    """By container: version and state."""
    return {c["name"]: (c["version"], c["state"]) for h in ctl_json("where", PATH)["hosts"] for c in h.get("containers") or []}


def wait_where(version):
    """Agents report about once a minute, and a few times more where something happens."""
    want = {name: (version, "applied") for name in SHOPS}
    wait_for(f"the vault to hear that both containers have version {version}", lambda: where() == want, 4 * DEADLINE)
    ctl("where", PATH, show=True)


def seen(engine):
    """What both containers have in their file."""
    return {engine.cli("exec", name, "cat", "/run/secrets/password") for name in SHOPS}


def health(engine, name):
    return engine.inspect(name)["State"]["Health"]["Status"]


def told(engine):
    """What they have said by now, in the order of time."""
    lines = [(when, name, text) for name in SHOPS for when, text in (
        line.split(" ", 1) for line in engine.cli("logs", "--timestamps", name).splitlines())]
    return [f"{name} {text}" for _, name, text in sorted(lines)]


def begin(engine, host):
    ctl("kv", "put", PATH, "-", stdin=json.dumps({"password": "first-value-of-the-shop"}))
    files = json.dumps([{"path": PATH, "field": "password", "name": "password"}])
    ctl("binding", "write", BINDING, "roles=web", "images=shop:*", "reload=signal", "health=20s", "min_interval=0s",
        f"files={files}", show=True)
    host.start()
    for name in SHOPS:
        options = ("--label", f"vault.bind={BINDING}", "-v", f"{host.run_dir}/{BINDING}:/run/secrets:ro", "--tmpfs", "/tmp")
        say(f"$ docker run -d --name {name} {options[0]} {options[1]} -v …/{BINDING}:/run/secrets:ro {IMAGE}")
        engine.cli("run", "-d", "--name", name, "--network", "none", *options, IMAGE)
    for name in SHOPS:
        wait_for(f"{name} to be healthy: {told(engine)}", lambda name=name: health(engine, name) == "healthy")
    wait_for("the agent to know both", lambda: host.knows(SHOPS))


def rotate(length, status):
    ctl("rotation", "set", PATH, "--field", "password", "--length", str(length), "--timeout", "40s")
    ctl("rotate", PATH, show=True, status=status)


def all_healthy(engine):
    return {health(engine, name) for name in SHOPS} == {"healthy"}


def rotate_well(engine):
    """The value that both have then."""
    said = len(told(engine))
    rotate(40, CONVERGED)
    value = ctl("kv", "get", "-field", "password", PATH).strip()
    demand(seen(engine) == {value}, "a container has another value than the vault")
    lines = told(engine)[said:]
    say(*lines)
    demand(sorted(lines) == [f"{name} reloaded: 40 characters, open" for name in SHOPS], "not each was told once")
    demand(all_healthy(engine), "a container is not healthy")
    say("both have the new value, and neither was restarted")
    return value


def rotate_badly(engine, before):
    said = len(told(engine))
    say("now its rule makes passwords of 12 characters, and the shop needs 20")
    rotate(12, LATE)
    demand([h["state"] for h in ctl_json("where", PATH)["hosts"]] == ["rejected"], "the vault did not hear that it was rejected")
    demand(seen(engine) == {before}, "a container does not have the value before")
    wait_for("both to be healthy again", lambda: len(told(engine)) >= said + 2 and all_healthy(engine))
    lines = told(engine)[said:]
    say(*lines)
    canary = lines[0].split()[0]
    demand(lines == [f"{canary} reloaded: 12 characters, closed", f"{canary} reloaded: 40 characters, open"],
           "it was not one container alone that was told of it, and of the value before")
    say(f"{canary} could not live with it and has the value before again; the other one never heard of it")


def end(number, _):
    """In order, and undisturbed."""
    for each in ENDS:
        signal.signal(each, signal.SIG_IGN)
    sys.exit(128 + number)


def with_engine(work, hosts_url):
    with contextlib.ExitStack() as stack:
        engine = dockerd.Dockerd(swarm=True)
        stack.callback(engine.close)
        engine.start()
        build(engine, work)
        host = Host(engine, work, hosts_url)
        stack.callback(host.close)
        try:
            begin(engine, host)
            value = rotate_well(engine)
            wait_where(2)
            rotate_badly(engine, value)
            rotate_well(engine)
            step(SWARM)
            demo_swarm.rotate(engine, work)
            step(LEAKS)
            demo_leaks.show(engine, work)
        except BaseException:
            if host.log_file.exists():
                say("--- vault-agent", *host.log_file.read_text(errors="replace").splitlines()[-20:])
            raise


def main(directory, hosts_url):
    work, why = pathlib.Path(directory), dockerd.unavailable()
    step("A container's secret rotates under a health gate")
    if why is None:
        with_engine(work, hosts_url)
        return
    say(f"skipped: no Docker Engine ({why})")
    step(SWARM)
    say("skipped: no Docker Engine")
    step(LEAKS)
    demo_leaks.show(None, work)


if __name__ == "__main__":
    for each in ENDS:
        signal.signal(each, end)
    main(*sys.argv[1:])
