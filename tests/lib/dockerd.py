# SPDX-License-Identifier: Apache-2.0
"""A real Docker Engine for the tests: its own data root, exec root, containerd, socket and pid file, no
bridge and no packet filter, so that it touches nothing of the machine; ended by pid.

    engine = Dockerd().start()
    id = engine.run("web", "sleep", "1000", labels={"vault.bind": "app"})
    engine.close()

It keeps containers alive while it is away (--live-restore). The one image, box:1, is busybox alone."""
import contextlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

from databases import find
from vaultd import DEADLINE, free_port, wait_for

IMAGE = "box:1"
APPLETS = ("sh", "sleep", "cat", "kill", "true", "false", "ls", "echo", "touch", "id", "test", "seq", "env", "readlink")


def unavailable():
    """Why no Docker Engine can run here, or None."""
    if os.getuid() != 0:
        return "a Docker Engine needs root"
    if None in (find("dockerd"), find("containerd"), find("docker", "/usr/bin")):
        return "Docker is not installed (./dev setup)"
    if not os.path.exists("/bin/busybox"):
        return "busybox-static is not installed (./dev setup)"
    try:
        rows = [line.split() for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()]
    except OSError:
        return "no /proc is mounted"
    if not any(row[4] == "/" for row in rows):
        return "the root directory is not a mount, as in a chroot: containers cannot have one of their own"
    groups = [row for row in rows if row[row.index("-") + 1] in ("cgroup", "cgroup2")]
    if not groups:
        return "no cgroups are mounted"
    if not any("rw" in row[5].split(",") for row in groups):
        return "cgroups are mounted read-only"
    if subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False).returncode != 0:
        return "namespaces cannot be made here"
    return None


PLUGINS = pathlib.Path("/run/docker/plugins")  # Engines look for sockets of plugins here alone


def plugin_socket(kind):
    """For a volume plugin of these tests.  One name for all: an Engine does not forget a plugin, and waits 15 s for one
    that does not answer whenever it lists volumes."""
    return PLUGINS / f"vault-{kind}-{os.getpid()}.sock"


def sweep_plugins():
    """An Engine waits for sockets of tests that were killed, too."""
    for path in PLUGINS.glob("vault-*-*.sock"):
        pid = path.stem.rpartition("-")[2]
        if pid.isdigit() and is_gone(int(pid)):
            path.unlink(missing_ok=True)


def is_gone(pid):
    try:
        return ") Z " in pathlib.Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True


class Dockerd:
    def __init__(self, *options, live_restore=True, swarm=False, netns=None):
        """swarm: as the first manager of one; netns: the network namespace it runs in, where the caller makes the Swarm."""
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="vaultd-docker-"))
        self.socket = self.dir / "docker.sock"
        self.log_file = self.dir / "log"
        keep = live_restore and not swarm and not netns  # a swarm does not go with it
        self.options = options + (("--live-restore",) if keep else ())
        self.swarm, self.netns = swarm, netns
        self.driver = []
        self.process = None

    # --- life ---

    def command(self):
        # ip netns exec would hide the cgroups
        where = ["nsenter", f"--net=/run/netns/{self.netns}"] if self.netns else []
        return [*where, find("dockerd"), "--data-root", self.dir / "data", "--exec-root", self.dir / "exec",
                "-H", f"unix://{self.socket}", "-p", self.dir / "pid", "--bridge", "none", "--iptables=false",
                "--ip6tables=false", "--ip-forward=false", "--ip-masq=false", "--userland-proxy=false",
                *self.driver, *self.options]

    def start(self):
        sweep_plugins()
        self.launch()
        try:
            wait_for("dockerd", self.answers, DEADLINE * 2)
        except AssertionError:
            if self.driver or "storage" not in self.log():
                raise AssertionError(self.log()[-3000:]) from None
            self.driver = ["--storage-driver", "vfs"]  # as inside another container
            self.stop()
            self.launch()
            wait_for("dockerd", self.answers, DEADLINE * 2)
        if not self.cli("images", "-q", IMAGE).strip():
            self.make_image()
        if self.swarm and self.cli("info", "--format", "{{.Swarm.LocalNodeState}}").strip() != "active":
            self.cli("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", f"127.0.0.1:{free_port()}")
        return self

    def launch(self):
        with open(self.log_file, "ab") as log:
            self.process = subprocess.Popen([str(a) for a in self.command()], stdin=subprocess.DEVNULL, stdout=log,
                                            stderr=log, cwd=self.dir, start_new_session=True,
                                            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(self.dir)})

    def answers(self):
        assert self.process.poll() is None, self.log()[-3000:]
        return self.try_cli("version").returncode == 0

    def log(self):
        return self.log_file.read_text(errors="replace")

    def stop(self, number=signal.SIGTERM):
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(DEADLINE * 2)
            self.process = None

    def kill(self):
        """Without warning; containerd goes with it, containers stay. The next dockerd takes a containerd that is dead
        but was not waited for, as in a container with a careless first process, for one that lives."""
        file = self.dir / "exec/containerd/containerd.pid"
        pid = int(file.read_text())
        self.stop(signal.SIGKILL)
        wait_for("containerd to end", lambda: is_gone(pid))
        file.unlink(missing_ok=True)

    def close(self):
        """Containers, Engine and containerd end, and nothing of them stays."""
        if self.process is not None and (self.swarm or self.netns):
            self.try_cli("swarm", "leave", "--force")
        if self.process is not None:
            for container in self.cli("ps", "-aq").split():
                self.remove(container)
        self.stop()
        self.stop_containerd()
        for pid in self.stragglers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        for point in sorted(self.mounts(), key=len, reverse=True):
            subprocess.run(["umount", "-l", point], check=False, capture_output=True)
        shutil.rmtree(self.dir, ignore_errors=True)

    def stop_containerd(self):
        """One that outlived a dockerd that was killed is nobody's child."""
        file = self.dir / "exec/containerd/containerd.pid"
        with contextlib.suppress(OSError, ValueError):
            pid = int(file.read_text())
            words = pathlib.Path(f"/proc/{pid}/cmdline").read_bytes()
            if str(self.dir).encode() in words:
                os.kill(pid, signal.SIGTERM)
                wait_for("containerd to end", lambda: is_gone(pid))

    def stragglers(self):
        """What is left after a start that failed: shims, and the processes of containers below them."""
        parents, shims = {}, set()
        for stat in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                pid = int(stat.parent.name)
                parents[pid] = int(stat.read_text().rpartition(")")[2].split()[1])
                if str(self.dir).encode() in (stat.parent / "cmdline").read_bytes():
                    shims.add(pid)
        return shims | {pid for pid, parent in parents.items() if parent in shims}

    def mounts(self):
        return [line.split()[4] for line in pathlib.Path("/proc/self/mountinfo").read_text().splitlines()
                if line.split()[4].startswith(str(self.dir))]

    # --- use ---

    def try_cli(self, *args, **kw):
        return subprocess.run([find("docker", "/usr/bin"), "-H", f"unix://{self.socket}", *map(str, args)],
                              stdin=kw.pop("stdin", subprocess.DEVNULL), capture_output=True, text=True, check=False,
                              timeout=DEADLINE * 4, env={"PATH": os.environ["PATH"], "HOME": str(self.dir)}, **kw)

    def cli(self, *args, **kw):
        r = self.try_cli(*args, **kw)
        assert r.returncode == 0, f"docker {args}: {r.stderr}"
        return r.stdout

    def make_image(self):
        root = self.dir / "image"
        (root / "bin").mkdir(parents=True, exist_ok=True)
        shutil.copy("/bin/busybox", root / "bin/busybox")
        for name in APPLETS:
            if not os.path.lexists(root / "bin" / name):
                os.symlink("busybox", root / "bin" / name)
        with subprocess.Popen(["tar", "-C", root, "-c", "."], stdout=subprocess.PIPE) as tar:
            self.cli("import", "-", IMAGE, stdin=tar.stdout)
        shutil.rmtree(root)

    def create(self, name, *command, labels=None, options=(), verb="create"):
        words = [w for k, v in (labels or {}).items() for w in ("--label", f"{k}={v}")]
        return self.cli(verb, "--name", name, "--network", "none", *words, *options, IMAGE, *command).strip()

    def run(self, name, *command, **kw):
        return self.create(name, *command, verb="run", options=("-d", *kw.pop("options", ())), **kw)

    def remove(self, *names):
        self.try_cli("rm", "-f", "-v", *names)

    def inspect(self, name):
        return json.loads(self.cli("inspect", name))[0]

    def inspect_now(self, name):
        """From a list: an inspection waits for a start that is under way."""
        state = self.cli("ps", "-a", "--filter", f"name=^/?{name}$", "--format", "{{.State}}").strip()
        return {"running": state == "running"}
