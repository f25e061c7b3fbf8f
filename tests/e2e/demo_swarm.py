# SPDX-License-Identifier: Apache-2.0
"""A step of the demo: the tasks of a Swarm's service get a new value as a new Docker secret, one after the other. The
Swarm is one node, the Engine that demo_docker.py has started; the agent is its host's."""
import dockerd
from demo_lib import ctl, ctl_json, demand, say
from vaultd import wait_for

PATH, NAME = "secret/app/till", "till"
TASK = "trap 'exit 0' TERM; while :; do sleep 0.1; done"
CALM = ("--update-order", "start-first", "--update-delay", "0s", "--update-monitor", "500ms", "--update-failure-action",
        "rollback", "--restart-delay", "300ms", "--stop-grace-period", "2s")


def containers(engine):
    return engine.cli("ps", "-q", "--filter", f"label=com.docker.swarm.service.name={NAME}").split()


def values(engine):
    """What every task that runs has in its file."""
    found = [engine.try_cli("exec", c, "cat", f"/run/secrets/{NAME}") for c in containers(engine)]
    return [p.stdout for p in found if p.returncode == 0]  # one that has just ended has none


def states():
    status = ctl_json("swarm", "status", NAME)
    return [(s["version"], s["state"]) for c in status["clusters"] for s in c["services"]]


def service(engine, work):
    """As somebody has it who has no vault: a Docker secret made by hand."""
    (work / "by-hand").write_text("made-by-hand-in-the-demo")
    engine.cli("secret", "create", "by-hand", work / "by-hand")
    say(f"$ docker service create --name {NAME} --replicas 2 --secret source=by-hand,target={NAME} {' '.join(CALM[:2])} …")
    engine.cli("service", "create", "-d", "--no-resolve-image", "--name", NAME, "--replicas", "2", *CALM,
               "--secret", f"source=by-hand,target={NAME}", dockerd.IMAGE, "sh", "-c", TASK)
    wait_for("both tasks to run", lambda: values(engine) == ["made-by-hand-in-the-demo"] * 2, 60)


def converge(engine, version):
    wait_for(f"the service to have version {version}", lambda: states() == [(version, "done")], 60)
    value = ctl("kv", "get", "-field", "password", PATH).strip()
    wait_for("the tasks of before to end", lambda: values(engine) == [value] * 2, 60)


def rotate(engine, work):
    ctl("kv", "put", PATH, "-", stdin='{"password": "first-value-of-the-till"}')
    service(engine, work)
    ctl("swarm", "bind", NAME, "--path", PATH, "--field", "password", "--role", "web", "--service", NAME, "soak=2s", show=True)
    converge(engine, 1)
    say("the service has the vault's value in place of the one made by hand, and was not told of the vault")
    before = set(containers(engine))
    ctl("rotation", "set", PATH, "--field", "password", "--length", "32", "--timeout", "60s")
    ctl("rotate", PATH, show=True)
    converge(engine, 2)
    demand(not before & set(containers(engine)), "a task has lived through the update")
    ctl("swarm", "status", NAME, show=True)
    say("the rotation ended when both tasks had run with the new value for two seconds")
