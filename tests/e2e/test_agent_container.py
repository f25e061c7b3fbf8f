# SPDX-License-Identifier: Apache-2.0
"""The agent in a container of a real Docker Engine, from the image in deploy/container."""
import os
import pathlib
import re
import subprocess

import pytest

from dockerd import IMAGE
from vaultd import BIN, SANITIZED, wait_for

pytestmark = pytest.mark.skipif(SANITIZED, reason="the image has no sanitizer's symbolizer, nor its environment")

TOP = pathlib.Path(__file__).resolve().parents[2]
FILES = [{"path": "secret/app/db", "field": "password", "binding": "app", "name": "password", "owner": 65534,
          "mode": "0400"}]
# What is left when everything is taken away that the agent does without.
BARE = ("--network", "host", "--read-only", "--cap-drop", "ALL", "--cap-add", "CHOWN", "--cap-add", "FOWNER", "--cap-add",
        "SETPCAP", "--security-opt", "no-new-privileges")


@pytest.fixture(scope="module")
def image(engine, tmp_path_factory):
    context = tmp_path_factory.mktemp("context")
    subprocess.run([TOP / "deploy/container/make-context", BIN / "vault-agent", context], check=True)
    engine.cli("build", "-t", "vault-agent:test", context)
    yield "vault-agent:test"
    engine.try_cli("rmi", "-f", "vault-agent:test")


class Contained:
    """An agent whose programs run in containers; its files are seen from outside."""

    def __init__(self, engine, image, agent, options):
        self.engine, self.image, self.a, self.options = engine, image, agent, options
        self.name = f"agent-{os.getpid()}-{agent.tmp.name}"
        agent.write_config()
        agent.state_dir.mkdir(mode=0o700)
        # The status socket's directory is on the state's volume.
        self.mounts = ("-v", f"{agent.state_dir}:{agent.state_dir}", "-v", f"{agent.config}:/etc/vault-agent.yaml:ro")

    def docker(self, *args, **kw):
        return self.engine.cli("run", *BARE, *self.mounts, *self.options, *args, **kw)

    def join(self, token):
        file = self.a.tmp / "token"
        file.write_text(token + "\n")
        with open(file, encoding="ascii") as f:
            pin = ("--pin", self.a.server.pin) if self.a.server.tls else ()
            self.engine.cli("run", "-i", "--rm", *BARE, *self.mounts, *self.options, self.image, "join", "--server",
                            self.a.server.url, "--hosts-server", self.a.server.hosts_url, *pin, stdin=f)

    def start(self):
        self.docker("-d", "--name", self.name, self.image)

    def log(self):
        r = self.engine.try_cli("logs", self.name)
        return r.stdout + r.stderr

    def wait_content(self, want):
        wait_for(f"the file:\n{self.log()}", lambda: self.a.content("app", "password") == want)

    def host_pid(self):
        return self.engine.inspect(self.name)["State"]["Pid"]

    def remove(self):
        self.engine.remove(self.name)


@pytest.fixture
def contained(engine, image, own_server, make_agent):
    made = []

    def make(options=(), **extra):
        s = own_server
        s.put("app/db", {"password": "one"})
        a = make_agent(s, "web1", FILES)
        a.extra = extra
        a.socket = a.state_dir / "agent.sock"
        options = options(a) if callable(options) else options
        made.append(Contained(engine, image, a, options))
        made[-1].join(s.add_host("web1", ["secret/app/*"])["join_token"])
        made[-1].start()
        return s, made[-1]

    yield make
    for c in made:
        c.remove()


def on_the_hosts_memory(a):
    return ("-v", f"{a.run_dir}:{a.run_dir}")


def reader(engine, a, name):
    """An application in another container, that reads the file as its owner."""
    return engine.run(name, "sleep", "1000", options=("--user", "65534", "-v", f"{a.run_dir}/app:/run/secrets:ro"))


def seen(engine, name):
    return engine.try_cli("exec", name, "cat", "/run/secrets/password").stdout


def test_on_memory_of_the_host(engine, contained, own_server):
    s, c = contained(on_the_hosts_memory, tmpfs="existing")
    c.wait_content("one")
    name = c.name + "-reader"
    try:
        c.a.run_dir.chmod(0o711)
        reader(engine, c.a, name)
        assert seen(engine, name) == "one"
        s.put("app/db", {"password": "two"})
        c.wait_content("two")
        assert seen(engine, name) == "two", "without a restart"
        # Another container of the agent goes on where the one before stopped.
        engine.cli("stop", c.name)
        engine.remove(c.name)
        assert seen(engine, name) == "two"
        c.start()
        s.put("app/db", {"password": "three"})
        c.wait_content("three")
        assert seen(engine, name) == "three"
    finally:
        engine.remove(name)
    status = pathlib.Path(f"/proc/{c.host_pid()}/status").read_text()
    assert re.search(r"CapEff:\s+0{15}9\n", status) and re.search(r"CapBnd:\s+0{15}9\n", status), status
    assert re.search(r"NoNewPrivs:\s+1", status) and re.search(r"Seccomp:\s+2", status)
    assert "three" not in c.log()
    # Its own word on how it is, as the health check asks for it.
    assert '"connected": true' in re.sub(r"\s+", " ", engine.cli("exec", c.name, "/usr/bin/vault-agent", "status",
                                                                 "--format", "json"))


def mounted(path):
    return [line for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
            if line.split()[4] == str(path)]


def test_with_a_mount_of_its_own_that_the_host_sees(engine, contained, tmp_path):
    shared = tmp_path / "shared"
    shared.mkdir()
    subprocess.run(["mount", "--bind", shared, shared], check=True)
    try:
        subprocess.run(["mount", "--make-shared", shared], check=True)
        (shared / "run").mkdir()

        def options(a):
            os.rmdir(a.run_dir)
            a.run_dir = shared / "run"
            return ("-v", f"{shared}:{shared}:rshared", "--cap-add", "SYS_ADMIN", "--security-opt", "apparmor=unconfined")

        _, c = contained(options, tmpfs="mount")
        c.wait_content("one")
        assert " - tmpfs " in mounted(shared / "run")[0], "the host sees what was mounted in the container"
        status = pathlib.Path(f"/proc/{c.host_pid()}/status").read_text()
        assert re.search(r"CapEff:\s+0{15}9\n", status), "the right to mount is gone"
        c.remove()
        assert c.a.content("app", "password") == "one", "the files outlive the agent's container"
    finally:
        subprocess.run(["umount", "-l", shared / "run"], check=False, capture_output=True)
        subprocess.run(["umount", "-l", shared], check=False)
