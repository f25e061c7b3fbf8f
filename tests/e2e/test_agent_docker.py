# SPDX-License-Identifier: Apache-2.0
"""vault-agent with a real Docker Engine and a real vault: containers ask for bindings by label or volume, the vault
grants or refuses, and files come and go with them."""
import itertools
import json
import os
import re
import signal
import subprocess

import pytest

from dockerd import Dockerd, find, plugin_socket
from liar import Liar, Reply
from vaultd import wait_for

STAY = ("sleep", "1000")
OTHER = "other-hosts"  # a role that no host here has
numbers = itertools.count()
PLUGIN = plugin_socket("agent")
DRIVER = PLUGIN.stem


class Place:
    """A host with an agent that talks to Docker, and names that nobody else uses."""

    def __init__(self, server, make_agent, engine, volumes=False, labels=True, files=(), lies=False, extra=None, **docker):
        self.server, self.engine, self.n = server, engine, f"{os.getpid()}x{next(numbers)}"
        self.role, self.api = f"role{self.n}", server.client()
        self.path, self.volumes = f"docker{self.n}", volumes
        for s in ("a", "b"):
            server.put(f"{self.path}/{s}", {"password": f"{s}1"})
        self.net = Liar(server) if lies else None
        self.agent = make_agent(self.net or server, f"host{self.n}", list(files))
        self.agent.lied_to = lies
        options = {"socket": str(engine.socket), "labels": labels, **docker}
        if volumes:
            options |= {"volumes": True, "volumes_socket": str(PLUGIN)}
        self.agent.extra.update(extra or {}, docker=json.dumps(options))
        assert self.api.post(f"sys/hosts/roles/{OTHER}", {"paths": ["secret/nothing/*"]}).status in (200, 204)
        added = server.add_host(self.agent.name, [f"secret/{self.path}/*", "secret/own-file/*"], role=self.role)
        self.agent.join(added["join_token"])
        self.agent.start()
        self.wait("to be connected", lambda s: s["connected"] and s["docker"]["connected"])

    def name(self, n):
        return f"{n}{self.n}"

    def define(self, name, secret="a", roles=None, **more):
        spec = {"roles": roles or [self.role], "files": [
            {"path": f"secret/{self.path}/{secret}", "field": "password", "name": "pw"}], **more}
        r = self.api.post(f"sys/bindings/{self.name(name)}", spec)
        assert r.status in (200, 204), r
        return self.name(name)

    def wait(self, what, ok):
        def fn():
            s = self.agent.status()
            return s if s is not None and ok(s) else None
        try:
            return wait_for(what, fn)
        except AssertionError:
            raise AssertionError(f"{what}: {json.dumps(self.agent.status(), indent=1)}\n{self.agent.log()[-3000:]}") from None

    def run(self, name, binding, **kw):
        return self.engine.run(self.name(name), *STAY, labels={"vault.bind": binding}, **kw)

    def refusals(self, status=None):
        return {(r["container"], r["name"]): r["error"] for r in (status or self.agent.status())["docker"]["refused"]}

    def wait_refused(self, cid, binding, why):
        s = self.wait("a refusal", lambda s: (cid, binding) in self.refusals(s))
        assert why in self.refusals(s)[cid, binding], s["docker"]


@pytest.fixture
def place(server, make_agent, engine):
    made = []

    def make(*, on=engine, **kw):
        made.append(Place(server, make_agent, on, **kw))
        return made[-1]
    yield make
    for p in made:
        names = [n for n in p.engine.try_cli("ps", "-a", "--format", "{{.Names}}").stdout.split() if n.endswith(p.n)]
        if names:
            p.engine.remove(*names)
        if p.volumes:  # the Engine asks the plugin
            volumes = p.engine.try_cli("volume", "ls", "-q", "-f", f"driver={DRIVER}").stdout.split()
            p.engine.try_cli("volume", "rm", "-f", *volumes)
        p.agent.stop()
        if p.net:
            p.net.stop()
    PLUGIN.unlink(missing_ok=True)


def test_a_label_is_granted_and_its_secret_follows(place, server):
    p = place()
    app = p.define("app")
    cid = p.run("web", f"{app}", options=("-v", f"{p.agent.run_dir}:/run/secrets:ro"))
    p.agent.wait_content(app, "pw", "a1")
    s = p.agent.status()
    assert [(b["name"], b["containers"]) for b in s["docker"]["granted"]] == [(app, [cid])]
    assert s["docker"]["refused"] == []
    server.put(f"{p.path}/a", {"password": "a2"})
    p.agent.wait_content(app, "pw", "a2")
    assert p.engine.cli("exec", p.name("web"), "cat", f"/run/secrets/{app}/pw") == "a2"


def test_operators_see_which_container_has_which_version(place, server):
    p = place()
    app = p.define("app")
    cid = p.run("web", app)
    p.agent.wait_content(app, "pw", "a1")

    def containers():
        r = p.api.get(f"sys/hosts/where/secret/{p.path}/a")
        rows = [h for h in r.data["hosts"] if h["host"] == p.agent.name] if r.status == 200 else []
        return [(c["id"], c["name"], c["version"], c["state"]) for h in rows for c in h.get("containers") or []]
    wait_for("a report", lambda: containers() == [(cid, p.name("web"), 1, "running")])
    p.engine.cli("stop", "-t", "0", p.name("web"))
    wait_for("another", lambda: containers() == [(cid, p.name("web"), 1, "stopped")])


def test_files_are_there_before_the_first_start(place):
    p = place()
    app = p.define("app")
    cid = p.engine.create(p.name("web"), *STAY, labels={"vault.bind": app})
    p.agent.wait_content(app, "pw", "a1")
    assert not p.engine.inspect(p.name("web"))["State"]["Running"]
    assert p.agent.status()["docker"]["granted"][0]["containers"] == [cid]


def test_what_is_refused_is_shown_and_said_once(place):
    p = place()
    app = p.define("app")
    other = p.define("other", roles=[OTHER])
    image = p.define("image", images=["nothing/*"])
    cid = p.run("web", f"{other},{app},{image},{p.name('none')}")
    p.agent.wait_content(app, "pw", "a1")
    p.wait_refused(cid, other, f'it is not for hosts of the role "{p.role}"')
    p.wait_refused(cid, image, "it is not for the container's image")
    p.wait_refused(cid, p.name("none"), "there is no such binding")
    assert not (p.agent.run_dir / other).exists() and not (p.agent.run_dir / image).exists()
    # Asked again, and refused again, for other reasons than a change of the refusal.
    second = p.run("second", app)
    p.wait("the second", lambda s: second in s["docker"]["granted"][0]["containers"])
    lines = [line for line in p.agent.log().splitlines() if "a container does not get a binding" in line]
    assert len(lines) == 3, lines
    assert any(p.name("web") in line and other in line and "it is not for hosts" in line for line in lines)
    # What changes is said, and what is granted after all comes.
    p.define("other", secret="b")
    p.agent.wait_content(other, "pw", "b1")
    assert (cid, other) not in p.refusals()
    p.engine.remove(p.name("web"))
    p.wait("refusals to go with their container", lambda s: s["docker"]["refused"] == [])


def test_changes_of_a_binding_arrive(place):
    p = place()
    app = p.define("app")
    p.run("web", app)
    p.agent.wait_content(app, "pw", "a1")
    p.define("app", secret="b")
    p.agent.wait_content(app, "pw", "b1")
    p.define("app", images=["nothing/*"])
    p.wait("it to be taken back", lambda s: s["docker"]["granted"] == [])
    wait_for("its files to go", lambda: p.agent.content(app, "pw") is None)
    p.define("app")
    p.agent.wait_content(app, "pw", "a1")
    assert p.api.delete(f"sys/bindings/{app}").status == 204
    wait_for("its files to go", lambda: p.agent.content(app, "pw") is None)
    p.wait("no secrets", lambda s: s["secrets"] == [])


def test_the_hosts_own_file_wins(place, server):
    own = {"binding": "mine", "path": "secret/own-file/x", "field": "password"}
    server.put("own-file/x", {"password": "own"})
    p = place(files=[own])
    p.agent.wait_content("mine", "password", "own")
    app = p.define("app")
    p.run("web", f"mine,{app}")
    p.agent.wait_content(app, "pw", "a1")
    s = p.agent.status()
    assert [b["name"] for b in s["docker"]["granted"]] == [app] and s["docker"]["refused"] == []
    assert p.agent.content("mine", "password") == "own"


def test_labels_that_are_not_honoured(place):
    p = place(labels=False)
    app = p.define("app")
    p.run("web", app)
    named = p.run("mounts", app, options=("-v", f"{p.agent.run_dir}:/x"))
    p.wait("a container that mounts", lambda s: [c["id"] for c in s["docker"]["containers"]] == [named])
    assert p.agent.status()["docker"]["granted"] == [] and not (p.agent.run_dir / app).exists()


def test_it_is_taken_up_again_after_a_restart_of_the_agent(place, server):
    p = place()
    app = p.define("app")
    p.run("web", app)
    p.agent.wait_content(app, "pw", "a1")
    inode = p.agent.file(app, "pw").stat().st_ino
    p.agent.stop(signal.SIGKILL)
    p.agent.start()
    p.wait("to be granted again", lambda s: s["connected"] and s["docker"]["granted"]
           and s["docker"]["granted"][0]["containers"])
    assert p.agent.file(app, "pw").stat().st_ino == inode, "the files stayed"
    # What was taken back while it was away goes.
    p.agent.stop()
    p.define("app", roles=[OTHER])
    assert p.agent.content(app, "pw") == "a1"
    p.agent.start()
    wait_for("its files to go", lambda: p.agent.content(app, "pw") is None)
    assert p.agent.status()["docker"]["granted"] == []


def test_it_lives_through_a_restart_of_docker(place, engine, server):
    own = Dockerd().start()
    try:
        p = place(on=own)
        app = p.define("app")
        cid = p.run("web", app)
        p.agent.wait_content(app, "pw", "a1")
        own.stop()
        p.wait("Docker to be away", lambda s: not s["docker"]["connected"] and s["docker"]["error"])
        server.put(f"{p.path}/a", {"password": "a2"})
        p.agent.wait_content(app, "pw", "a2")
        own.start()
        s = p.wait("Docker to be back", lambda s: s["docker"]["connected"] and s["docker"]["containers"])
        assert [b["containers"] for b in s["docker"]["granted"]] == [[cid]]
        second = p.define("second", secret="b")
        p.run("two", second)
        p.agent.wait_content(second, "pw", "b1")
        p.agent.stop()
        p.engine.remove(p.name("web"), p.name("two"))
    finally:
        if own.process is None:
            own.start()
        own.close()


def test_some_time_after_its_last_container_a_binding_goes(place):
    p = place(unused="8s")
    app, stays = p.define("app"), p.define("stays", secret="b")
    p.run("web", app)
    p.run("other", stays)
    p.agent.wait_content(app, "pw", "a1")
    p.agent.wait_content(stays, "pw", "b1")
    p.engine.remove(p.name("web"))
    p.wait("it to be unused", lambda s: any("unused_for" in b for b in s["docker"]["granted"]))
    # A container that is made anew, as compose does, finds its files.
    p.run("again", app)
    p.wait("it to be used", lambda s: not any("unused_for" in b for b in s["docker"]["granted"]))
    assert p.agent.content(app, "pw") == "a1"
    p.engine.remove(p.name("again"))
    wait_for("its files to go", lambda: p.agent.content(app, "pw") is None)
    s = p.agent.status()
    assert [b["name"] for b in s["docker"]["granted"]] == [stays] and len(s["secrets"]) == 1
    assert p.agent.content(stays, "pw") == "b1"
    assert "the last container of a binding is gone" in p.agent.log()
    def held():
        r = p.api.get(f"sys/hosts/where/secret/{p.path}/a")
        assert r.status in (200, 404), r
        return [h["host"] for h in r.data["hosts"]] if r.status == 200 else []
    wait_for("its lease to be given up", lambda: p.agent.name not in held())


def test_who_is_refused_keeps_nothing_and_takes_nothing(place):
    p = place()
    app = p.define("app", images=["box:*"])
    p.engine.cli("tag", "box:1", f"other{p.n}:1")
    p.run("web", app)
    p.agent.wait_content(app, "pw", "a1")
    cid = p.engine.cli("run", "-d", "--name", p.name("alien"), "--network", "none", "--label", f"vault.bind={app}",
                       f"other{p.n}:1", *STAY).strip()
    p.wait_refused(cid, app, "it is not for the container's image")
    assert p.agent.content(app, "pw") == "a1"
    p.engine.remove(p.name("web"))
    p.wait("it to be unused", lambda s: any("unused_for" in b for b in s["docker"]["granted"]))
    second = p.define("second", secret="b")
    p.run("two", second)  # makes it ask again
    p.agent.wait_content(second, "pw", "b1")
    assert p.agent.content(app, "pw") == "a1", "its container may be made anew"
    p.run("web", app)
    p.wait("it to be used", lambda s: not any("unused_for" in b for b in s["docker"]["granted"]))
    assert p.agent.content(app, "pw") == "a1"


def test_a_made_up_answer_takes_nothing_away(place):
    p = place(lies=True)
    app = p.define("app")
    cid = p.run("web", app)
    p.agent.wait_content(app, "pw", "a1")
    refused = [{"container": cid, "name": app, "error": "made up"}]
    p.net.lie = lambda path, _, reply: path == "sys/agent/bind" and Reply(
        200, {"data": {"rev": 1, "grants": [], "refused": refused, "checkpoint": ""}}) or None
    p.run("second", app)  # makes it ask
    s = p.wait("disbelief", lambda s: "not signed by the vault" in s["alarm"])
    assert p.agent.content(app, "pw") == "a1" and s["wipes"] == 0
    assert [b["name"] for b in s["docker"]["granted"]] == [app] and s["docker"]["refused"] == []
    p.net.honest()
    second = p.define("second", secret="b")
    p.run("two", second)
    p.agent.wait_content(second, "pw", "b1", 60)


def test_nobody_claims_an_image_in_the_name_of_a_container(place):
    """What the host says of its containers is in a box: another word, or an older one, has no answer that it takes."""
    p = place(lies=True)
    app = p.define("app", images=["good:*"])
    p.engine.cli("tag", "box:1", f"good:{p.n}")
    said, tried = [], []

    def twist(path, query, request):
        if path != "sys/agent/bind":
            return None
        said.append(request)
        if len(said) < 2:
            return None
        tried.append(path)
        claim = [{"id": c, "image": f"good:{p.n}", "bindings": [app]} for c in p.engine.cli("ps", "-q", "--no-trunc").split()]
        return query, {**(said[0] if len(tried) % 2 else request), "containers": claim, "nonce": request.get("nonce", "")}

    p.net.twist = twist
    p.run("alien", app)
    wait_for("the first question", lambda: said)
    p.run("two", app)
    wait_for("lies", lambda: len(tried) > 1, 60)
    s = p.agent.status()
    assert s["docker"]["granted"] == [] and p.agent.content(app, "pw") is None
    assert "played again" in s["alarm"]
    p.net.honest()
    cid = p.engine.cli("run", "-d", "--name", p.name("web"), "--network", "none", "--label", f"vault.bind={app}",
                       f"good:{p.n}", *STAY).strip()
    s = p.wait("the grant", lambda s: s["docker"]["granted"])
    assert [b["containers"] for b in s["docker"]["granted"]] == [[cid]]


def test_what_is_taken_back_goes_when_the_audit_log_was_proven(place):
    p = place(lies=True)
    app = p.define("app")
    p.run("web", app)
    p.agent.wait_content(app, "pw", "a1")
    asked = []

    def answer(path, _):
        if path != "sys/agent/consistency":
            return None
        asked.append(path)
        return Reply(500, {"errors": ["not now"]})
    p.net.answer = answer
    before = len(p.net.replies("sys/agent/bind"))
    p.define("app", roles=[OTHER])
    wait_for("the answer", lambda: len(p.net.replies("sys/agent/bind")) > before)
    wait_for("the question", lambda: asked)
    assert p.agent.content(app, "pw") == "a1", "a vault that was set back can sign, too"
    assert [b["name"] for b in p.agent.status()["docker"]["granted"]] == [app]
    p.net.honest()
    wait_for("its files to go", lambda: p.agent.content(app, "pw") is None, 120)


def start(p, name, volume, *options, image="box:1"):
    return subprocess.Popen(
        [find("docker", "/usr/bin"), "-H", f"unix://{p.engine.socket}", "run", "-d", "--name", p.name(name), "--network",
         "none", "--volume-driver", DRIVER, "-v", f"{volume}:/run/secrets/app:ro", *options, image, *STAY],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(p.agent.tmp)})


def test_a_start_waits_for_the_files_of_its_volume(place):
    p = place(volumes=True, extra={"heartbeat": "2s"})
    assert PLUGIN.stat().st_mode & 0o777 == 0o600
    app = p.define("app")
    run = start(p, "web", app)
    assert run.wait(60) == 0, run.stderr.read()
    assert p.engine.cli("exec", p.name("web"), "cat", "/run/secrets/app/pw") == "a1"
    # One whose secret comes late: the start waits.
    late = p.define("late", secret="c")
    run = start(p, "two", late)
    p.wait("the lack of it", lambda s: any(row["error"] == "no such secret" for row in s["secrets"]))
    assert run.poll() is None
    p.server.put(f"{p.path}/c", {"password": "c1"})
    assert run.wait(60) == 0, run.stderr.read()
    assert p.engine.cli("exec", p.name("two"), "cat", "/run/secrets/app/pw") == "c1"
    p.agent.stop()
    assert not PLUGIN.exists(), "Docker would wait for it"
    p.agent.start()
    p.wait("to be there again", lambda s: PLUGIN.exists())


def test_many_that_start_at_once_have_their_own_secret_or_none(place):
    """None runs without its secret, with a part of one, or with another's; one that is killed while it starts, and all
    that went, leave nothing."""
    p = place(volumes=True, unused="2s")
    names = [p.define(f"app{i}", secret="ab"[i % 2]) for i in range(8)]

    def launch(i):
        name = names[i % len(names)]
        return subprocess.Popen(
            [find("docker", "/usr/bin"), "-H", f"unix://{p.engine.socket}", "run", "-d", "--name", p.name(f"c{i}-"), "--network",
             "none", "--volume-driver", DRIVER, "-v", f"{name}:/run/secrets/app:ro", "box:1", "sh", "-c",
             "cat /run/secrets/app/pw; echo; exec sleep 1000"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
            env={"PATH": "/usr/bin:/bin", "HOME": str(p.agent.tmp)})

    runs = [launch(i) for i in range(24)]
    for i in range(0, 24, 6):  # some while they start
        p.engine.try_cli("kill", p.name(f"c{i}-"))
    started = []
    for i, run in enumerate(runs):
        if run.wait(120) == 0:
            started.append(i)
    assert len(started) >= 20, [r.stderr.read() for r in runs if r.returncode]
    for i in started:
        log = p.engine.cli("logs", p.name(f"c{i}-"))
        assert log in ("", "ab"[i % len(names) % 2] + "1\n"), (i, log)  # killed before its first word, or its own
        assert log or i % 6 == 0, i
    p.engine.remove(*[p.name(f"c{i}-") for i in range(24)])
    wait_for("all files to go", lambda: all(p.agent.content(n, "pw") is None for n in names), 60)
    assert [d.name for d in p.agent.run_dir.iterdir() if not d.name.startswith(".")] == []


def test_a_paused_container_has_the_new_value_when_it_goes_on(place, server):
    p = place()
    app = p.define("app")
    p.run("web", app, options=("-v", f"{p.agent.run_dir}:/run/secrets:ro"))
    p.agent.wait_content(app, "pw", "a1")
    p.engine.cli("pause", p.name("web"))
    server.put(f"{p.path}/a", {"password": "a2"})
    p.agent.wait_content(app, "pw", "a2")
    p.wait("the binding to be kept", lambda s: [b["name"] for b in s["docker"]["granted"]] == [app])
    p.engine.cli("unpause", p.name("web"))
    assert p.engine.cli("exec", p.name("web"), "cat", f"/run/secrets/{app}/pw") == "a2"
    # Nor does it stay with a file system that the agent does not use any more.
    p.agent.stop(signal.SIGKILL)
    p.agent.start()
    server.put(f"{p.path}/a", {"password": "a3"})
    p.agent.wait_content(app, "pw", "a3")
    assert p.engine.cli("exec", p.name("web"), "cat", f"/run/secrets/{app}/pw") == "a3"


def test_a_start_that_would_wait_in_vain_is_told_why_at_once(place):
    p = place(volumes=True)
    run = start(p, "web", p.name("none"))
    assert run.wait(90) != 0
    assert f"no files of the binding '{p.name('none')}' for it: there is no such binding" in run.stderr.read()
    assert not p.engine.inspect(p.name("web"))["State"]["Running"]
    # What was refused before is asked for again.
    p.define("none")
    p.engine.cli("start", p.name("web"))
    assert p.engine.cli("exec", p.name("web"), "cat", "/run/secrets/app/pw") == "a1"


def test_a_volume_is_for_those_alone_to_whom_the_vault_grants_it(place):
    """Docker does not say who mounts it: whatever else there is that has it, runs or not."""
    p = place(volumes=True)
    app = p.define("app", images=["box:*"])
    alien = f"other{p.n}:1"
    p.engine.cli("tag", "box:1", alien)

    def refused(name, run):
        assert run.wait(60) != 0
        assert "it is not for the container's image" in run.stderr.read()
        assert not p.engine.inspect_now(p.name(name))["running"]

    def reads(name):
        return p.engine.cli("exec", p.name(name), "cat", "/run/secrets/app/pw")

    refused("early", start(p, "early", app, image=alien))
    run = start(p, "web", app)  # while one that was refused is still there
    assert run.wait(60) == 0, run.stderr.read()
    assert reads("web") == "a1"
    refused("late", start(p, "late", app, image=alien))  # while it runs
    p.engine.cli("kill", p.name("web"))
    wait_for("the end", lambda: not p.engine.inspect_now(p.name("web"))["running"])
    refused("again", start(p, "again", app, image=alien))  # while it could be the one
    p.engine.cli("start", p.name("web"))
    assert reads("web") == "a1"
    assert p.engine.try_cli("start", p.name("early")).returncode != 0
    # With a volume of its own nobody has to be told from others.
    p.engine.cli("volume", "create", "-d", DRIVER, "-o", f"binding={app}", p.name("own"))
    run = start(p, "two", p.name("own"))
    assert run.wait(60) == 0, run.stderr.read()
    assert reads("two") == "a1"


def test_a_file_that_is_mounted_by_itself_is_warned_of(place):
    p = place()
    app = p.define("app")
    p.run("web", app)
    p.agent.wait_content(app, "pw", "a1")
    cid = p.run("pinned", app, options=("-v", f"{p.agent.run_dir}/{app}/pw:/pw:ro"))
    s = p.wait("the warning", lambda s: any("warning" in c for c in s["docker"]["containers"]))
    (one,) = [c for c in s["docker"]["containers"] if "warning" in c]
    assert one["id"] == cid and "will never see another version" in one["warning"]
    assert len(re.findall("a container mounts a file", p.agent.log())) == 1


def test_what_was_granted_stays_when_the_settings_are_read_again(place, server):
    server.put("own-file/x", {"k": "x1"})
    p = place(files=[{"path": "secret/own-file/x", "field": "k", "binding": "own", "name": "k"}])
    app = p.define("app")
    cid = p.run("web", app)
    p.agent.wait_content(app, "pw", "a1")
    p.agent.wait_content("own", "k", "x1")

    def granted():
        return [(b["name"], b["containers"]) for b in p.agent.status()["docker"]["granted"]]

    def again(files):
        n = p.agent.log().count("took the settings over")
        p.agent.files = files
        p.agent.write_config()
        p.agent.proc.send_signal(signal.SIGHUP)
        wait_for("the settings", lambda: p.agent.log().count("took the settings over") > n)

    before, deliveries = os.readlink(p.agent.run_dir / app / "..data"), p.agent.status()["deliveries"]
    again([{"path": "secret/own-file/x", "field": "k", "binding": "own", "name": "other"}])
    p.agent.wait_content("own", "other", "x1")
    assert granted() == [(app, [cid])] and p.agent.status()["deliveries"] == deliveries + 1
    assert os.readlink(p.agent.run_dir / app / "..data") == before, "nothing of it was touched"
    p.server.put(f"{p.path}/a", {"password": "a2"})
    p.agent.wait_content(app, "pw", "a2")
    # The host's own file is asked first: what it defines the vault does not.
    again([{"path": f"secret/{p.path}/b", "field": "password", "binding": app, "name": "mine"}])
    p.agent.wait_content(app, "mine", "b1")
    assert p.agent.content(app, "pw") is None and p.agent.content("own", "other") is None
    # And what it defines no more the vault may.
    again([])
    p.agent.wait_content(app, "pw", "a2")
    assert p.agent.content(app, "mine") is None
    p.wait("the grant", lambda s: granted() == [(app, [cid])])
    assert p.engine.inspect_now(p.name("web"))["running"]
