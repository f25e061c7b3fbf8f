# SPDX-License-Identifier: Apache-2.0
"""The agent's view of Docker against a real Engine: which containers concern it, what becomes of them,
and what can be done to them."""
import os

import pytest

import vaultd
from dockerd import Dockerd
from dockerview import View
from vaultd import wait_for

OK, NOENT, CONFLICT, TIMEOUT, USAGE, TOO_MANY = 0, 4, 5, 19, 1, 13
STAY = ("sleep", "1000")
HEEDS_HUP = ("sh", "-c", "trap 'touch /hup' HUP; while :; do sleep 0.05; done")


@pytest.fixture
def names(engine, request):
    """Names of containers that are removed in the end, whatever happens."""
    taken = []

    def name(n):
        taken.append(f"{request.node.name[:40]}-{n}".replace("[", "-").replace("]", ""))
        return taken[-1]

    yield name
    if taken:
        engine.remove(*taken)


@pytest.fixture
def run_dir(tmp_path):
    d = tmp_path / "run"
    d.mkdir()
    return d


@pytest.fixture
def view(engine, run_dir):
    v = View(engine.socket, run_dir)
    v.expect("listed", api="1.41", userns=False)
    yield v
    v.close()


def test_a_labelled_container_is_followed_from_its_making_to_its_end(engine, view, names):
    n = names("web")
    labels = {"vault.bind": "app, db,app", "com.docker.compose.service": "web", "com.docker.compose.project": "shop"}
    cid = engine.create(n, *STAY, labels=labels)
    e = view.expect("new", id=cid)
    assert (e["name"], e["image"], e["running"], e["health"]) == (n, "box:1", False, "none")
    assert e["bindings"] == ["app", "db"], "each once, blanks left out"
    assert (e["service"], e["project"]) == ("web", "shop")
    assert e["image_id"] == engine.inspect(n)["Image"]
    engine.cli("start", n)
    e = view.expect("changed", id=cid, running=True)
    assert e["started"] > 0 and e["restarts"] == 0
    other = names("other")
    engine.cli("rename", n, other)
    view.expect("changed", id=cid, name=other)
    engine.cli("kill", other)
    view.expect("changed", id=cid, running=False)
    engine.cli("rm", other)
    view.expect("gone", id=cid)
    assert view.status()["containers"] == []


def test_those_that_run_already_are_found(engine, run_dir, names):
    labelled = engine.run(names("a"), *STAY, labels={"vault.bind": "app"})
    mounted = engine.run(names("b"), *STAY, options=("-v", f"{run_dir}/app:/run/secrets"))
    named, n = engine.create(names("c"), *STAY), f"{names('d')}"
    engine.run(n, *STAY)
    v = View(engine.socket, run_dir)
    found = {}
    while not found or v.events[-1]["event"] != "listed":
        v.expect("new" if len(found) < 2 else "listed")
        found |= {e["id"]: e for e in v.events if e["event"] == "new"}
    assert set(found) == {labelled, mounted}, "nothing else concerns us"
    assert found[mounted]["mounts"] == [{"binding": "app", "at": "/run/secrets", "pinned": False}]
    v.say("names", n)
    e = v.expect("new", name=n, running=True)
    v.expect("listed")
    assert e["id"] != named
    v.say("names")
    v.expect("gone", name=n)
    v.close()


def test_a_renamed_container_begins_or_ends_to_concern_us(engine, view, names):
    before, after = names("before"), names("after")
    view.say("names", after)
    view.expect("listed")
    cid = engine.run(before, *STAY)
    engine.cli("rename", before, after)
    view.expect("new", id=cid, name=after, running=True)
    engine.cli("rename", after, before)
    view.expect("gone", id=cid)


def test_a_file_that_is_mounted_by_itself_is_warned_of(engine, run_dir, names):
    (run_dir / "app").mkdir()
    (run_dir / "app" / "pw").write_text("x")
    v = View(engine.socket, run_dir)
    v.expect("listed")
    n = names("file")
    engine.create(n, *STAY, options=("-v", f"{run_dir}/app/pw:/pw", "-v", f"{run_dir}:/all"))
    e = v.expect("new", name=n)
    assert sorted((m["binding"], m["pinned"]) for m in e["mounts"]) == [("", False), ("app", True)]
    assert "will never see another version" in v.status()["containers"][0]["warning"]
    engine.cli("start", n)
    v.expect("changed", running=True)
    assert v.close().count("a container mounts a file") == 1, "once for a container"


def test_health_is_followed(engine, view, names):
    n = names("h")
    cid = engine.run(n, *STAY, labels={"vault.bind": "app"}, options=(
        "--health-cmd", "test -e /well", "--health-interval", "0.2s", "--health-retries", "1"))
    view.expect("changed", id=cid, running=True, health="starting")
    view.expect("changed", id=cid, health="unhealthy")
    engine.cli("exec", n, "touch", "/well")
    view.expect("changed", id=cid, health="healthy")
    engine.cli("restart", "-t", "0", n)
    view.expect("changed", id=cid, running=False, health="starting")
    view.expect("changed", id=cid, running=True)
    view.expect("changed", id=cid, health="healthy")


def test_a_restart_by_policy_is_seen(engine, view, names):
    n = names("r")
    cid = engine.run(n, "sh", "-c", "sleep 0.3; exit 3", labels={"vault.bind": "app"}, options=("--restart", "always"))
    first = view.expect("changed", id=cid, running=True)
    view.expect("changed", id=cid, running=False)
    second = view.expect("changed", id=cid, running=True)
    assert second["restarts"] > first["restarts"] and second["started"] > first["started"]


def test_a_signal_is_delivered_and_says_nothing_about_its_effect(engine, view, names):
    n, deaf = names("heeds"), names("deaf")
    cid = engine.run(n, *HEEDS_HUP, labels={"vault.bind": "app"})
    deaf_id = engine.run(deaf, *STAY, labels={"vault.bind": "app"})
    wait_for("the trap", lambda: engine.try_cli("exec", n, "kill", "-0", "1").returncode == 0)

    def heard():
        assert view.call("kill", cid, "HUP", 10000)["rc"] == OK
        return engine.try_cli("exec", n, "test", "-e", "/hup").returncode == 0
    wait_for("the signal", heard)
    # The first process of a container ignores what it has no handler for.
    assert view.call("kill", deaf_id, "SIGHUP", 10000)["rc"] == OK
    assert engine.inspect(deaf)["State"]["Running"]
    assert view.call("kill", deaf_id, "FOO", 10000)["rc"] not in (OK, NOENT, CONFLICT)
    assert view.call("kill", deaf_id, "HUP; rm", 10000)["rc"] == USAGE


def test_a_stopped_and_a_removed_container(engine, view, names):
    n = names("x")
    cid = engine.run(n, *STAY, labels={"vault.bind": "app"})
    assert view.call("stop", cid, 0, 20000)["rc"] == OK
    assert view.call("stop", cid, 0, 20000)["rc"] == OK, "it is stopped"
    got = view.call("kill", cid, "HUP", 10000)
    assert got["rc"] == CONFLICT and "is not running" in got["why"]
    assert view.call("exec", cid, 10000, ["true"])["rc"] == CONFLICT
    engine.remove(n)
    got = view.call("kill", cid, "HUP", 10000)
    assert got["rc"] == NOENT and "o such container" in got["why"]
    assert view.call("restart", cid, 0, 10000)["rc"] == NOENT
    assert view.call("kill", "../../images", "HUP", 10000)["rc"] == USAGE


def test_a_restart_by_us(engine, view, names):
    n = names("x")
    cid = engine.run(n, *STAY, labels={"vault.bind": "app"})
    first = view.expect("changed", id=cid, running=True)
    tag = view.start_call("restart", cid, 0, 20000)
    view.expect("changed", id=cid, running=False)
    seen = {e["event"]: e for e in (view.expect("changed", id=cid, running=True),)}
    assert seen["changed"]["started"] > first["started"]
    assert any(e.get("tag") == tag for e in view.events) or view.expect("done", tag=tag)["rc"] == OK


def test_commands_in_a_container(engine, view, names):
    cid = engine.run(names("x"), *STAY, labels={"vault.bind": "app"})
    view.expect("changed", id=cid, running=True)
    got = view.call("exec", cid, 20000, ["sh", "-c", "echo out; echo err >&2; echo $VAULT_BINDING; exit 7"],
                    ["VAULT_BINDING=app"])
    assert (got["rc"], got["code"], got["cut"]) == (OK, 7, False)
    assert sorted(got["output"].split()) == ["app", "err", "out"]
    got = view.call("exec", cid, 20000, ["echo", "$(id); *"])
    assert (got["code"], got["output"]) == (0, "$(id); *\n"), "no shell has its hands in it"
    got = view.call("exec", cid, 60000, ["seq", "1", "200000"])
    assert (got["rc"], got["code"], got["cut"], len(got["output"])) == (OK, 0, True, 8192)
    assert got["output"].startswith("1\n2\n3\n")
    got = view.call("exec", cid, 20000, ["no-such-program"])
    assert got["rc"] == OK and got["code"] in (126, 127)
    got = view.call("exec", cid, 20000, ["sh", "-c", "exec >&- 2>&-; sleep 0.5; exit 9"])
    assert (got["rc"], got["code"]) == (OK, 9), "it is waited for though it says nothing more"
    assert view.call("exec", cid, 500, ["sleep", "20"])["rc"] == TIMEOUT


def test_many_calls_at_once(engine, view, names):
    cid = engine.run(names("x"), *STAY, labels={"vault.bind": "app"})
    tags = [view.start_call("exec", cid, 60000, ["sh", "-c", f"echo {i}; exit {i}"]) for i in range(24)]
    done = {}
    while len(done) < len(tags):
        e = view.expect("done")
        done[e["tag"]] = e
    assert [(done[t]["rc"], done[t]["code"], done[t]["output"]) for t in tags] == [
        (OK, i, f"{i}\n") for i in range(24)]


@pytest.fixture
def own_engine(engine):
    e = Dockerd().start()
    yield e
    if e.process is None:
        e.start()
    e.close()


def test_containers_outlive_the_engine_and_events_go_on(own_engine, run_dir):
    e = own_engine
    stays = e.run("stays", *HEEDS_HUP, labels={"vault.bind": "app"})
    dies = e.run("dies", *STAY, labels={"vault.bind": "app"})
    v = View(e.socket, run_dir)
    v.expect("listed")
    pid = e.inspect("dies")["State"]["Pid"]
    e.kill()
    wait_for("the end of the connection", lambda: not v.status()["connected"])
    assert v.status()["error"]
    os.kill(pid, 9)
    late = v.start_call("kill", stays, "HUP", 60000)
    hopeless = v.start_call("kill", stays, "HUP", 300)
    assert v.expect("done", tag=hopeless)["rc"] == TIMEOUT
    e.start()

    def concerns(x):
        return {"done": x.get("tag") == late, "changed": x.get("id") == dies and not x.get("running")}.get(x["event"], True)

    got = {}
    while not {"listed", "done", "changed"} <= set(got):
        v.inbox.queue and v.drain()
        got |= {x["event"]: x for x in v.events if concerns(x)}
        v.status()
    assert got["done"]["rc"] == OK, "a call waits for the Engine"
    assert e.inspect("stays")["State"]["Running"]
    assert not any(x["event"] == "gone" for x in v.events)
    e.remove("dies")
    v.expect("gone", id=dies)
    new = e.run("new", *STAY, labels={"vault.bind": "app"})
    v.expect("new", id=new)
    v.close()


def test_nothing_of_the_engine_stays(engine):
    e = Dockerd().start()
    e.run("one", *STAY)
    e.kill()
    e.start()
    e.close()
    assert not e.dir.exists()
    assert not [p for p in os.listdir("/proc") if p.isdigit() and str(e.dir).encode() in cmdline(p)]


def cmdline(pid):
    try:
        return open(f"/proc/{pid}/cmdline", "rb").read()
    except OSError:
        return b""
