# SPDX-License-Identifier: Apache-2.0
"""The volume plugin with a real Engine: files are there before a container starts, or it does not start."""
import json
import os
import socket
import subprocess

import pytest

from dockerd import find, plugin_socket
from dockerview import View
from vaultd import wait_for

STAY = ("sleep", "1000")
PLUGIN = plugin_socket("test")


class Plugin:
    """A view of Docker that also serves volumes."""

    def __init__(self, engine, directory, wait_ms=20000):
        self.engine, self.driver = engine, PLUGIN.stem
        self.socket, self.run_dir = PLUGIN, directory / "run"
        self.args = (engine.socket, self.run_dir, self.socket, directory, wait_ms)
        self.run_dir.mkdir(exist_ok=True)
        self.view = None

    def start(self):
        self.view = View(*self.args)
        self.view.expect("listed")

    def stop(self):
        view, self.view = self.view, None
        return view.close() if view else ""

    def close(self):
        """An Engine waits 15 s for a socket that nobody listens at, whenever it starts: none may stay."""
        try:
            self.stop()
        finally:
            self.socket.unlink(missing_ok=True)

    def deliver(self, binding, text):
        (self.run_dir / binding).mkdir(exist_ok=True)
        (self.run_dir / binding / "pw").write_text(text)
        self.view.say("ready", binding)

    def start_run(self, name, *options):
        return subprocess.Popen(
            [find("docker", "/usr/bin"), "-H", f"unix://{self.engine.socket}", "run", "-d", "--name", name, "--network",
             "none", "--volume-driver", self.driver, *options, "box:1", *STAY], stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={"PATH": "/usr/bin:/bin", "HOME": str(self.run_dir)})


@pytest.fixture
def make(engine, tmp_path):
    made = []

    def plugin(**kw):
        made.append(Plugin(engine, tmp_path, **kw))
        made[-1].start()
        return made[-1]

    yield plugin
    engine.remove(*engine.try_cli("ps", "-aq").stdout.split())
    for p in made:
        engine.try_cli("volume", "rm", "-f", *engine.try_cli("volume", "ls", "-q", "-f", f"driver={p.driver}").stdout.split())
        p.close()


def test_a_start_waits_for_the_first_generation(engine, make):
    p = make()
    # The label makes the agent ask the server for the binding: it must hear of the container while its start waits.
    run = p.start_run("web", "-v", "app:/run/secrets/app:ro", "--label", "vault.bind=app")
    p.view.expect("want", binding="app")
    new = p.view.expect("new", name="web", bindings=["app"])
    p.view.expect("want", binding="app")
    assert run.poll() is None and not engine.inspect_now("web")["running"]
    p.deliver("app", "first")
    assert run.wait(30) == 0, run.stderr.read()
    assert engine.cli("exec", "web", "cat", "/run/secrets/app/pw") == "first"
    p.view.expect("changed", id=new["id"], running=True)
    (p.run_dir / "app" / "pw").write_text("second")
    assert engine.cli("exec", "web", "cat", "/run/secrets/app/pw") == "second"


def test_a_mounted_volume_is_a_use_of_its_binding(engine, make):
    p = make()
    p.deliver("app", "x")
    assert p.start_run("web", "-v", "app:/run/secrets/app").wait(30) == 0
    e = p.view.expect("new", name="web")
    assert e["mounts"] == [{"binding": "app", "at": "/run/secrets/app", "pinned": False}]


def test_what_never_comes_is_an_error_that_says_why(engine, make):
    p = make(wait_ms=700)
    run = p.start_run("web", "-v", "unknown:/run/secrets/app")
    assert run.wait(30) != 0
    text = run.stderr.read()
    assert "vault-agent has no files of the binding 'unknown' yet: no such binding" in text
    p.deliver("late", "x")
    engine.cli("volume", "create", "-d", p.driver, "late")
    engine.cli("run", "--rm", "--network", "none", "-v", "late:/x", "box:1", "cat", "/x/pw")


def test_volumes_by_name_and_option(engine, make):
    p = make()
    create = ("volume", "create", "-d", p.driver)
    engine.cli(*create, "-o", "binding=app", "secrets")
    p.view.expect("want", binding="app")
    v = json.loads(engine.cli("volume", "inspect", "secrets"))[0]
    assert v["Mountpoint"] == str(p.run_dir / "app") and v["Status"] == {"binding": "app", "ready": False}
    for name, option, why in (("other", "size=1", "only option is binding"), ("other", "binding=../x", "binding"),
                              ("other", "binding=a/b", "binding"), ("other", "binding=..data", "binding")):
        r = engine.try_cli(*create, "-o", option, name)
        assert r.returncode != 0 and why in r.stderr, r.stderr
    assert "secrets" in engine.cli("volume", "ls", "-q", "-f", f"driver={p.driver}")
    engine.cli("volume", "rm", "secrets")
    assert engine.cli("volume", "ls", "-q", "-f", f"driver={p.driver}") == ""


def test_volumes_are_remembered(engine, make):
    p = make()
    p.deliver("app", "x")
    engine.cli("volume", "create", "-d", p.driver, "-o", "binding=app", "secrets")
    assert p.start_run("web", "-v", "secrets:/run/secrets").wait(30) == 0
    p.stop()
    assert engine.cli("exec", "web", "cat", "/run/secrets/pw") == "x", "the mount does not need the agent"
    p.start()
    p.view.say("ready", "app")
    engine.cli("restart", "-t", "0", "web")
    assert engine.cli("exec", "web", "cat", "/run/secrets/pw") == "x"
    file = p.run_dir.parent / "volumes.json"
    assert file.stat().st_mode & 0o777 == 0o600
    # A damaged file costs the names, not the host.
    p.stop()
    file.write_text("{")
    p.start()
    assert "the names of volumes are lost" in p.stop()
    p.start()


def test_the_socket_is_for_root_alone_and_stale_ones_are_replaced(make):
    p = make()
    assert p.socket.stat().st_mode & 0o777 == 0o600
    p.view.process.kill()
    p.view.process.wait()
    assert p.socket.exists()
    p.start()
    second = View(*p.args)
    assert second.process.wait(30) == 1, "one that is alive is left alone"


def ask(path, data, read=True):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(30)
    s.connect(str(path))
    s.sendall(data)
    return b"".join(iter(lambda: s.recv(65536), b"")) if read else s


def post(path, verb, body):
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return ask(path, b"POST /%s HTTP/1.1\r\nHost: \r\nContent-Length: %d\r\n\r\n%s" % (verb.encode(), len(text), text))


def test_odd_requests(make):
    p = make(wait_ms=60000)
    for data, want in ((b"GET / HTTP/1.1\r\n\r\n", b"404"), (b"nonsense\r\n\r\n", b"400"),
                       (b"POST /Plugin.Activate HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
                       (b"POST /Plugin.Activate HTTP/1.1\r\nContent-Length: -1\r\n\r\n", b"411"),
                       (b"POST /Plugin.Activate HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n", b"411"),
                       (b"POST /Plugin.Activate HTTP/1.1\r\nContent-Length: 999999\r\n\r\n", b"413"),
                       (b"POST /" + 65530 * b"x", b"431"), (b"POST /x\0y HTTP/1.1\r\n", b"431"),
                       (b"POST /Plugin.Activate HTTP/1.1\r\nContent-Length: 0\r\n\r\n", b'{"Implements":["VolumeDriver"]}')):
        assert want in ask(p.socket, data), data[:80]
    for body in (b"", b"[]", b"{", b"null", {"Name": 7}, {"Name": ""}, {"Name": 300 * "x"}, {"Name": "a\nb"}):
        for verb in ("Create", "Mount", "Path", "Get", "Remove", "Unmount"):
            assert b"no name of a volume" in post(p.socket, "VolumeDriver." + verb, body), (verb, body)
    assert b"knows no such volume" in post(p.socket, "VolumeDriver.Mount", {"Name": "x"})
    assert b'"Err"' in post(p.socket, "VolumeDriver.Create", {"Name": "x", "Opts": {"binding": ["app"]}})
    assert post(p.socket, "VolumeDriver.Create", {"Name": "x", "Opts": [1]}).endswith(b"\r\n\r\n{}")
    assert b"of another binding" in post(p.socket, "VolumeDriver.Create", {"Name": "x", "Opts": {"binding": "y"}})
    # One who waits may go away; one who sends byte by byte is waited for; more than fit are let down.
    q = b'POST /VolumeDriver.Mount HTTP/1.1\r\nContent-Length: 12\r\n\r\n{"Name":"x"}'
    for _ in range(200):
        ask(p.socket, q, read=False).close()
    slow = ask(p.socket, b"", read=False)
    for i in range(len(q)):
        slow.sendall(q[i:i + 1])
    waiting = [ask(p.socket, q, read=False) for _ in range(63)]
    p.view.say("ready", "x")
    for s in (slow, *waiting):
        assert str(p.run_dir / "x").encode() in s.recv(4096)


def test_a_descriptor_is_not_held_by_those_who_went_away(make):
    p = make(wait_ms=60000)
    post(p.socket, "VolumeDriver.Create", {"Name": "x"})
    fds = f"/proc/{p.view.process.pid}/fd"
    before = len(os.listdir(fds))
    for _ in range(20):
        ask(p.socket, b'POST /VolumeDriver.Mount HTTP/1.1\r\nContent-Length: 12\r\n\r\n{"Name":"x"}', read=False).close()
    wait_for("descriptors to be closed", lambda: len(os.listdir(fds)) == before)
