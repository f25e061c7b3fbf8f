# SPDX-License-Identifier: Apache-2.0
"""Killed processes, bad surroundings: nothing acknowledged is lost, and what is wrong is named."""
import contextlib
import http.client
import os
import pathlib
import signal
import socket
import subprocess
import threading

import pytest

import vaultd
from vaultd import BIN, wait_for

WRITERS = 4


def run_vaultd(*args, timeout=30, env=None, **kw):
    """A vaultd that is expected to end by itself."""
    return subprocess.run([str(BIN / "vaultd"), *map(str, args)], text=True, capture_output=True,
                          timeout=timeout, env={**os.environ, **(env or {})}, **kw)


def the_pid(server, role):
    pids = server.roles().get(role, [])
    return pids[0] if pids else None


def pids_of(server, role):
    return set(server.roles().get(role, []))


def alive(pid):
    try:
        stat = pathlib.Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


class Load:
    """Writers that remember what was acknowledged; trouble on the way is theirs to ride out."""

    def __init__(self, server):
        self.server, self.stop = server, threading.Event()
        self.acked = [0] * WRITERS
        self.odd = []
        self.threads = [threading.Thread(target=self.write, args=(w,)) for w in range(WRITERS)]

    def write(self, w):
        client, n = self.server.client(), 0
        while not self.stop.is_set():
            n += 1
            try:
                r = client.post(f"secret/data/load/{w}", {"data": {"n": n}})
            except (OSError, http.client.HTTPException):
                continue
            if r.status == 200:
                self.acked[w] = n
            elif r.status != 503:
                self.odd.append(r)
                return
        client.close()

    def total(self):
        return sum(self.acked)

    def progress(self, by=10 * WRITERS):
        start = list(self.acked)
        wait_for("the load to get on", lambda: self.total() >= sum(start) + by and
                 all(now > before for now, before in zip(self.acked, start)) or self.odd)

    def __enter__(self):
        for t in self.threads:
            t.start()
        try:
            self.progress()
        except AssertionError:
            self.__exit__()
            raise
        return self

    def __exit__(self, *exc):
        self.stop.set()
        for t in self.threads:
            t.join(60)

    def check(self):
        assert self.odd == []
        for w, n in enumerate(self.acked):
            assert self.server.read(f"load/{w}")["n"] >= n, (w, n)


def test_core_killed_under_load_loses_nothing_acknowledged(own_server):
    own_server.put("keep", {"v": "kept"})
    with Load(own_server) as load:
        core = the_pid(own_server, "core")
        os.kill(core, signal.SIGKILL)
        wait_for("a new core", lambda: the_pid(own_server, "core") not in (None, core))
        own_server.wait_serving()
        assert own_server.client(token=None).get("sys/seal-status").json["sealed"] is True
        own_server.unseal()
        load.progress()
    load.check()
    assert own_server.read("keep") == {"v": "kept"}
    assert own_server.stop() == 0


def test_net_killed_under_load_loses_nothing_and_stays_unsealed(own_server):
    with Load(own_server) as load:
        core, nets = the_pid(own_server, "core"), pids_of(own_server, "net")
        assert len(nets) == 2
        for pid in nets:
            os.kill(pid, signal.SIGKILL)
        wait_for("new nets", lambda: len(pids_of(own_server, "net") - nets) == 2)
        load.progress()
    load.check()
    assert the_pid(own_server, "core") == core
    assert own_server.client(token=None).get("sys/seal-status").json["sealed"] is False


def test_whole_server_killed_under_load_loses_nothing_acknowledged(own_server):
    with Load(own_server) as load:
        everyone = [pid for pids in own_server.roles().values() for pid in pids]
        own_server.stop(signal.SIGKILL)
    wait_for("all its processes to end", lambda: not any(map(alive, everyone)))
    own_server.start()
    own_server.unseal()
    load.check()


def test_sigterm_under_load_ends_with_0(own_server):
    with Load(own_server) as load:
        assert own_server.stop() == 0
    own_server.start()
    own_server.unseal()
    load.check()


@pytest.fixture
def make_server(tmp_path):
    servers = []

    def make(**kw):
        servers.append(vaultd.Server(tmp_path, **kw))
        return servers[-1].start()

    yield make
    for s in servers:
        if s.proc is not None:
            s.stop()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_an_idle_server_with_0(make_server, sig):
    s = make_server()
    everyone = [pid for pids in s.roles().values() for pid in pids]
    assert s.stop(sig) == 0
    assert not any(map(alive, everyone))


def test_a_port_in_use_is_named(tmp_path):
    s = vaultd.Server(tmp_path)
    with contextlib.closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", s.port))
        taken.listen()
        p = run_vaultd("--config", s.write_config())
    assert p.returncode == 6
    assert p.stderr == f"vaultd: cannot listen on 127.0.0.1:{s.port}: Address already in use\n"
    assert not s.data_dir.exists()


def test_a_data_dir_in_use_is_named(own_server, tmp_path):
    other = tmp_path / "other.yaml"
    other.write_text(f"data_dir: {own_server.data_dir}\nlisten: 127.0.0.1:{vaultd.free_port()}\n"
                     f"listen_hosts: 127.0.0.1:{vaultd.free_port()}\n")
    p = run_vaultd("--config", other)
    assert p.returncode == 6
    assert p.stderr == f"vaultd: data_dir: another vaultd uses '{own_server.data_dir}'\n"
    own_server.put("still", {"v": "here"})


@pytest.mark.parametrize("text, message", [
    ("listen: nonsense\n", "1: listen: 'nonsense' is no HOST:PORT"),
    ("data_dir: relative\n", "1: data_dir: 'relative' is no absolute path"),
    ("# c\nlisten: 127.0.0.1:1\nlisten_host: 127.0.0.1:2\n",
     "3: listen_host: unknown key, did you mean 'listen_hosts'?"),
    ("listen: 127.0.0.1:1\nlisten: 127.0.0.1:1\n", "2: listen: repeated key"),
    ("log:\n  level: loud\n", "2: log.level: must be one of error, warn, info, debug: \"loud\""),
    ("net_processes: 99\n", "1: net_processes: must be at most 8"),
    ("body_max: 1\n", "1: body_max: must be at least 1024"),
    ("tls: true\n", "1: tls: 'true' is neither false nor a mapping of cert and key"),
    ("tls: false\nlisten: 0.0.0.0:1\n",
     "1: tls: false is accepted for loopback addresses only, and 0.0.0.0:1 is none"),
    ("tls:\n  cert: /a\n", "2: tls: cert and key go together"),
    ("auto_unseal: {}\n", "1: auto_unseal: one of key_file and credential is needed"),
    ("data_dir: &x /a\n", "1: data_dir: anchors, aliases and tags are not supported"),
    ("data_dir:\n", "1: data_dir: no value"),
    ("init_anywhere: maybe\n", "1: init_anywhere: neither true nor false: \"maybe\""),
])
def test_bad_configuration_names_line_and_key(tmp_path, text, message):
    path = tmp_path / "vaultd.yaml"
    path.write_text(text)
    for args in (("--check-config",), ()):
        p = run_vaultd(*args, "--config", path)
        assert (p.returncode, p.stdout, p.stderr) == (2, "", f"vaultd: {path}:{message}\n")


def test_a_good_configuration_is_ok_and_a_missing_one_is_not(tmp_path):
    path = vaultd.Server(tmp_path).write_config()
    p = run_vaultd("--check-config", "--config", path)
    assert (p.returncode, p.stdout, p.stderr) == (0, f"{path}: ok\n", "")
    p = run_vaultd("--config", tmp_path / "none.yaml")
    assert p.returncode == 5 and "No such file or directory" in p.stderr
    p = run_vaultd("--nope")
    assert p.returncode == 2 and "unknown argument '--nope'" in p.stderr


def test_a_data_dir_open_to_others_is_refused(tmp_path):
    s = vaultd.Server(tmp_path)
    s.data_dir.mkdir(mode=0o755)
    p = run_vaultd("--config", s.write_config())
    assert p.returncode == 4
    assert p.stderr == (f"vaultd: data_dir: '{s.data_dir}' is open to others (mode 0755): "
                        "chmod 700 it\n")


def test_a_symbolic_link_as_data_dir_is_refused(tmp_path):
    s = vaultd.Server(tmp_path)
    (tmp_path / "real").mkdir(mode=0o700)
    s.data_dir.symlink_to(tmp_path / "real")
    p = run_vaultd("--config", s.write_config())
    assert p.returncode == 4 and "symbolic link" in p.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes where modes forbid it")
def test_a_read_only_data_dir_is_named(tmp_path):
    s = vaultd.Server(tmp_path)
    s.data_dir.mkdir(mode=0o500)
    p = run_vaultd("--config", s.write_config())
    assert p.returncode == 4
    assert p.stderr == f"vaultd: data_dir: cannot write to '{s.data_dir}': Permission denied\n"


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_dev_mode_removes_its_directory(make_server, tmp_path, monkeypatch, sig):
    base = tmp_path / "tmp"
    base.mkdir()
    monkeypatch.setenv("TMPDIR", str(base))
    s = make_server(dev=True)
    assert len(list(base.glob("vaultd-dev-*"))) == 1
    s.put("a", {"v": "gone later"})
    assert s.read("a") == {"v": "gone later"}
    assert s.stop(sig) == 0
    assert list(base.iterdir()) == []


@pytest.fixture
def auto_server(make_server, tmp_path):
    key = tmp_path / "unseal.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    s = make_server(config={"auto_unseal": {"key_file": str(key)}})
    s.init(unseal=False)
    s.wait_unsealed()
    return s


def test_auto_unseal_survives_kill_9_of_core(auto_server):
    with Load(auto_server) as load:
        core = the_pid(auto_server, "core")
        os.kill(core, signal.SIGKILL)
        wait_for("a new core", lambda: the_pid(auto_server, "core") not in (None, core))
        auto_server.wait_unsealed()
        load.progress()
    load.check()


def test_auto_unseal_at_a_restart(auto_server):
    auto_server.put("a", {"v": "1"})
    assert auto_server.stop() == 0
    auto_server.start()
    auto_server.wait_unsealed()
    assert auto_server.read("a") == {"v": "1"}


def test_auto_unseal_key_open_to_others_is_refused(auto_server, tmp_path):
    assert auto_server.stop() == 0
    (tmp_path / "unseal.key").chmod(0o644)
    p = run_vaultd("--config", auto_server.write_config())
    assert p.returncode != 0
    assert "unseal.key" in p.stderr and "auto_unseal" in p.stderr
