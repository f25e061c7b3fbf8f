# SPDX-License-Identifier: Apache-2.0
"""56, 58: modes of files, places that are refused, and who can look into the processes."""
import os
import re
import stat
import subprocess

import pytest

import vaultd
from seclib import need

NOBODY = 65534


def start_refused(s, *args):
    """vaultd must end by itself, with an error that names the directory."""
    p = subprocess.run([str(vaultd.BIN / "vaultd"), "--config", str(s.write_config()), *args], capture_output=True, text=True,
                       timeout=60)
    assert p.returncode != 0
    return p.stderr


def test_56_modes_under_umask_0(tmp_path):
    s = vaultd.Server(tmp_path)
    old = os.umask(0)
    try:
        s.start()
        s.init()
        s.put("x", {"k": "v"})
        assert s.client().post("sys/backup", {}).status == 200
        seen = {}
        for d, _, files in os.walk(s.data_dir):
            seen[d] = stat.S_IMODE(os.stat(d).st_mode)
            for f in files:
                path = os.path.join(d, f)
                seen[path] = stat.S_IMODE(os.stat(path).st_mode)
        names = {os.path.basename(p) for p in seen}
        assert {"vault.db", "vault.db-wal", "key.pem"} <= names
        for path, mode in seen.items():
            assert mode & 0o077 == 0, (path, oct(mode))
            assert mode == (0o700 if os.path.isdir(path) else 0o600) or mode == 0o400, (path, oct(mode))
        backup = tmp_path / "vault.vbk"
        s.ctl("backup", backup)
        assert stat.S_IMODE(backup.stat().st_mode) & 0o077 == 0
    finally:
        os.umask(old)
        if s.proc is not None:
            s.stop()


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o777, 0o701, 0o1777])
def test_56_wider_directory(tmp_path, mode):
    s = vaultd.Server(tmp_path)
    s.data_dir.mkdir()
    s.data_dir.chmod(mode)
    assert "open to others" in start_refused(s)
    assert os.listdir(s.data_dir) == []


def test_56_wider_tls_directory(tmp_path):
    s = vaultd.Server(tmp_path)
    s.data_dir.mkdir(mode=0o700)
    (s.data_dir / "tls").mkdir()
    (s.data_dir / "tls").chmod(0o755)
    assert "open to others" in start_refused(s)


@pytest.mark.parametrize("what", ["directory", "tls", "database", "file in its place"])
def test_56_links(tmp_path, what):
    s = vaultd.Server(tmp_path)
    real = tmp_path / "real"
    real.mkdir(mode=0o700)
    if what == "directory":
        s.data_dir.symlink_to(real)
    elif what == "file in its place":
        s.data_dir.write_text("")
    else:
        s.data_dir.mkdir(mode=0o700)
        target = real if what == "tls" else real / "vault.db"
        (s.data_dir / ("tls" if what == "tls" else "vault.db")).symlink_to(target)
    if what == "database":
        p = subprocess.Popen([str(vaultd.BIN / "vaultd"), "--config", str(s.write_config())], stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
        try:
            p.wait(5)
        except subprocess.TimeoutExpired:
            p.terminate()
            p.wait(40)
        assert not (real / "vault.db").exists(), "it wrote through a link"
        return
    start_refused(s)
    assert os.listdir(real) == []


def as_nobody(code):
    """Run Python as another user; its exit status."""
    def drop():
        os.setgroups([])
        os.setgid(NOBODY)
        os.setuid(NOBODY)
    return subprocess.run(["/usr/bin/python3", "-c", code], preexec_fn=drop, capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
@pytest.mark.parametrize("role", ["core", "net", "rotate"])
def test_58_another_user_sees_nothing(server, role):
    for pid in server.roles()[role]:
        for name in ("mem", "environ", "maps", "fd", "io", "stack", "syscall"):
            p = as_nobody(f"import os\np='/proc/{pid}/{name}'\n(os.listdir if os.path.isdir(p) else open)(p)\n"
                          f"open(p,'rb').read(1) if not os.path.isdir(p) else None")
            assert p.returncode != 0 and ("PermissionError" in p.stderr or "FileNotFound" in p.stderr or
                                          "Operation not permitted" in p.stderr), (name, p)


@pytest.mark.parametrize("role", ["core", "net", "rotate"])
def test_58_not_dumpable(server, role):
    """What is not dumpable belongs to root in /proc, whoever runs it, and leaves no core file."""
    need(server, role, "dumpable")
    for pid in server.roles()[role]:
        with open(f"/proc/{pid}/limits") as f:
            assert re.search(r"Max core file size\s+0\s+0\s", f.read())
        with open(f"/proc/{pid}/status") as f:
            status = f.read()
        assert re.search(r"NoNewPrivs:\s+1", status)
        assert re.search(r"CapEff:\s+0{16}", status) and re.search(r"CapBnd:\s+0{16}", status)
        # With no capability of its own, root of the same user id is held off by dumpable alone.
        probe = subprocess.run(["setpriv", "--bounding-set=-all", "--inh-caps=-all", "/usr/bin/python3", "-c",
                                f"open('/proc/{pid}/mem','rb')"], capture_output=True, text=True)
        assert probe.returncode != 0 and "PermissionError" in probe.stderr, probe


@pytest.mark.parametrize("role", ["core", "net", "rotate"])
def test_58_filters(server, role):
    need(server, role, "seccomp")
    for pid in server.roles()[role]:
        with open(f"/proc/{pid}/status") as f:
            assert re.search(r"Seccomp:\s+2", f.read())


def test_58_time_zones_are_within_the_walls(server):
    with open("/usr/share/zoneinfo/tzdata.zi") as f:
        version = f.readline().split()[-1]
    assert re.search(rf"time zones.*tzdata\S*{re.escape(version)}", server.log())


def test_58_status_names_what_is_missing(server):
    sandbox = server.client().get("sys/vaultd/status").data["sandbox"]
    assert isinstance(sandbox.get("core", []), list) and isinstance(sandbox.get("net", []), list)
    for role in ("core", "net", "rotate"):
        lacking = set(sandbox.get(role, []))
        with open(f"/proc/{server.roles()[role][0]}/status") as f:
            status = f.read()
        uid = int(re.search(r"Uid:\s+(\d+)", status).group(1))
        assert ("user" in lacking) == (uid == 0), "running as root is named"
        assert ("seccomp" in lacking) == (not re.search(r"Seccomp:\s+2", status))
    assert "sandbox" in server.ctl("status", fmt="table").stdout


def test_58_keys_are_locked(server):
    d = server.client().get("sys/vaultd/status").data
    assert d["memory"] in ("secret", "locked") and d["swap"]
