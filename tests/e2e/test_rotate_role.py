# SPDX-License-Identifier: Apache-2.0
"""The rotate role: what a rotator gets, what it cannot do, and how calls end."""
import concurrent.futures
import ctypes
import hashlib
import json
import os
import pathlib
import pwd
import signal
import stat
import tempfile

import pytest

import vaultd
from vaultd import wait_for

DESCRIBE = {"strategies": ["single"], "overlap": False, "needs_admin": True, "ops": ["describe", "set"]}
REPLY = json.dumps({"v": 1, "status": "ok", "describe": DESCRIBE})
# What a rotator may write to is its working directory alone; what it sees, it says.
SEE = r"""
import ctypes, json, os, resource, socket, sys
fds = {}
for fd in range(0, 64):
    try:
        fds[fd] = os.fstat(fd).st_mode
    except OSError:
        pass
def can(path, mode):
    try:
        open(path, mode).close()
        return True
    except OSError as e:
        return False
def connects(port):
    with socket.create_connection(("127.0.0.1", port), timeout=5):
        return True
def has_packets():
    try:
        socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0).close()
        return True
    except OSError:
        return False
def signals(pid):
    try:
        os.kill(pid, 0)
        return True
    except OSError:
        return False
libc = ctypes.CDLL(None, use_errno=True)
request = sys.stdin.read()
see = {
    "request": json.loads(request), "argv": sys.argv, "env": dict(os.environ), "fds": fds, "cwd": os.getcwd(),
    "cwd_mode": os.stat(".").st_mode, "in_cwd": os.listdir("."), "pgid": os.getpgid(0), "pid": os.getpid(),
    "core": resource.getrlimit(resource.RLIMIT_CORE), "nofile": resource.getrlimit(resource.RLIMIT_NOFILE),
    "as": resource.getrlimit(resource.RLIMIT_AS), "fsize": resource.getrlimit(resource.RLIMIT_FSIZE),
    "write_here": can("here", "w"), "umask": os.umask(0), "connects": connects(PORT), "packets": has_packets(),
    "unshares": libc.unshare(0x10000000) == 0, "traces": libc.ptrace(16, os.getppid(), 0, 0) == 0,
    "signals": signals(1), "siblings": signals(os.getppid()),
    "reads": {p: can(p, "r") for p in SECRET_PATHS}, "writes": {p: can(p, "w") for p in WRITE_PATHS},
}
print(json.dumps({"v": 1, "status": "ok", "describe": see}))
"""


class Rotators:
    """A directory of scripts, and the configuration that names them."""

    def __init__(self, path):
        self.dir = path
        self.dir.mkdir(mode=0o755)
        self.config = []

    def add(self, name, text, mode=0o755, **more):
        path = self.dir / name
        path.write_text(text)
        path.chmod(mode)
        self.config.append({"name": name, "path": str(path), **more})
        return path

    def sh(self, name, body, **more):
        return self.add(name, "#!/bin/sh\n" + body + "\n", **more)

    def python(self, name, body, **more):
        return self.add(name, "#!/usr/bin/python3\n" + body + "\n", **more)


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("rotate")
    r = Rotators(tmp / "rotators")
    (tmp / "server").mkdir()
    server = vaultd.Server(tmp / "server")
    secret_paths = [str(tmp / "server" / "data" / "vault.db"), "/etc/shadow", "/proc/self/environ", "/proc/1/environ"]
    write_paths = ["/etc/x", "/usr/x", str(tmp / "x"), "/dev/shm/x", str(r.dir / "x")]
    r.sh("good", f"cat >/dev/null; echo '{REPLY}'")
    r.python("see", f"SECRET_PATHS = {secret_paths!r}\nPORT = {server.port}\nWRITE_PATHS = {write_paths!r}\n" + SEE)
    r.sh("garbage", "echo 'this is { no JSON'")
    r.sh("silent", "exit 0")
    r.sh("failing", f"echo '{REPLY}'; exit 3")
    r.sh("killed", "kill -9 $$")
    r.sh("version", "echo '{\"v\":2,\"status\":\"ok\"}'")
    r.sh("status", "echo '{\"v\":1,\"status\":\"fine\"}'")
    r.sh("noclass", "echo '{\"v\":1,\"status\":\"error\",\"message\":\"no\"}'")
    r.sh("error", "echo '{\"v\":1,\"status\":\"error\",\"class\":\"permanent\",\"message\":\"never \\u0007 ever\"}'")
    r.python("huge", "import sys\nsys.stdout.write('{\"v\":1,\"status\":\"ok\",\"describe\":{\"x\":\"' + 'x' * 70000)")
    r.python("fits", "print('{\"v\":1,\"status\":\"ok\",\"describe\":{\"x\":\"' + 'x' * 60000 + '\"}}')")
    r.python("loud", f"import sys\nfor i in range(100000):\n    print('line', i, file=sys.stderr)\nprint({REPLY!r})")
    r.python("longline", f"import sys\nsys.stderr.write('L' * 500000)\nprint({REPLY!r})")
    r.sh("slow", "trap '' TERM; sleep 600", timeout="1s")
    r.sh("polite", "exec sleep 600", timeout="1s")
    r.python("stray", "import os, sys, time\n"
             "r, w = os.pipe()\n"
             "if os.fork() == 0:\n    os.setsid()\n    print(os.getpid(), file=sys.stderr, flush=True)\n"
             "    os.write(w, b'x')\n    os.close(1)\n    os.close(2)\n    time.sleep(600)\n    os._exit(0)\n"
             f"os.read(r, 1)\nprint({REPLY!r})")
    r.sh("waits", "echo $$ >&2; exec sleep 600")
    r.sh("family", "sleep 601 & echo $$ $! >&2; wait")
    r.sh("writable", f"echo '{REPLY}'", mode=0o775)
    r.sh("foreign", f"echo '{REPLY}'")
    r.sh("plain", f"echo '{REPLY}'", mode=0o644)
    r.sh("pinned", f"echo '{REPLY}'")
    r.config[-1]["sha256"] = hashlib.sha256((r.dir / "pinned").read_bytes()).hexdigest()
    r.sh("mispinned", f"echo '{REPLY}'", sha256="00" * 32)
    r.config.append({"name": "missing", "path": str(r.dir / "missing")})
    r.add("nointerpreter", "#!/no/such/interpreter\n")
    server.extra["rotators"] = r.config
    server.rotators = r
    server.start()
    server.init()
    yield server
    server.stop()


@pytest.fixture
def c(env):
    client = env.client()
    yield client
    client.close()


def describe(c, name):
    return c.get(f"sys/rotation/rotators/{name}")


def landlock_abi():
    """What the kernel knows of Landlock: from 6 on signals stay within."""
    return ctypes.CDLL(None, use_errno=True).syscall(444, None, 0, 1)


def cmdlines():
    out = {}
    for d in pathlib.Path("/proc").iterdir():
        if d.name.isdigit():
            try:
                out[int(d.name)] = (d / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue
    return out


def alive(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def said(env, op="describe", rotator=""):
    """Lines that a rotator has said, oldest first."""
    return [line.split("line=", 1)[1] for line in env.log().splitlines()
            if "a rotator says" in line and " line=" in line and f"rotator={rotator}" in line]


def wait_pids(env, name, before):
    lines = wait_for(f"{name} to run", lambda: said(env, rotator=name)[before:])
    return [int(n) for n in lines[0].strip('"').split()]


def test_what_there_is_is_listed(env, c):
    r = c.list("sys/rotation/rotators")
    assert r.status == 200, r
    info = r.data["key_info"]
    assert sorted(r.data["keys"]) == r.data["keys"]
    assert {"good", "see", "pinned"} <= set(r.data["keys"])
    assert info["good"]["path"] == str(env.rotators.dir / "good")
    assert info["good"]["builtin"] is False and info["good"]["pinned"] is False
    assert info["pinned"]["pinned"] is True
    assert info["slow"]["timeout"] == 1
    assert c.get("sys/rotation/rotators/nobody").status == 404


def test_a_rotator_describes_itself(env, c):
    r = describe(c, "good")
    assert r.status == 200, r
    assert r.data["describe"] == DESCRIBE
    assert r.data["sha256"] == hashlib.sha256((env.rotators.dir / "good").read_bytes()).hexdigest()
    assert r.data["path"] == str(env.rotators.dir / "good")


def test_vaultctl_lists_and_describes(env):
    assert "good" in env.ctl("rotator", "list", fmt="table").stdout
    assert env.ctl_json("rotator", "describe", "good")["data"]["describe"] == DESCRIBE
    p = env.ctl("rotator", "describe", "garbage", check=False)
    assert p.returncode != 0 and "not one JSON document" in p.stderr


def test_what_a_rotator_gets_and_what_it_cannot_reach(env, c):
    r = describe(c, "see")
    assert r.status == 200, r
    see = r.data["describe"]
    assert see["request"]["v"] == 1 and see["request"]["op"] == "describe"
    assert 0 < see["request"]["deadline_ms"] <= 10000
    assert len(see["argv"]) == 1, "nothing in argv but its own name"
    allowed = {"PATH", "LANG", "HOME", "TMPDIR", "LC_CTYPE"} | {k for k in os.environ if k.endswith("SAN_OPTIONS")}
    assert set(see["env"]) <= allowed, see["env"]
    assert see["env"]["HOME"] == see["env"]["TMPDIR"] == see["cwd"]
    assert see["in_cwd"] == [] and stat.S_IMODE(see["cwd_mode"]) == 0o700 and see["umask"] == 0o077
    # 3 is the script itself, which its interpreter reads
    assert set(see["fds"]) - {"3", "4"} == {"0", "1", "2"}, see["fds"]
    assert all(stat.S_ISFIFO(see["fds"][fd]) for fd in "012")
    assert see["pgid"] == see["pid"]
    assert see["core"] == [0, 0] and see["nofile"][1] <= 256 and see["fsize"][1] > 0
    assert see["write_here"] is True
    assert see["connects"] is True and see["siblings"] is True
    assert not pathlib.Path(see["cwd"]).exists(), "the directory goes with the call"
    if not vaultd.SANITIZED:
        assert not any(see["reads"].values()), see["reads"]
        assert not any(see["writes"].values()), see["writes"]
        assert not (see["packets"] or see["unshares"] or see["traces"]), see
        assert not see["signals"] or landlock_abi() < 6


def test_the_sandbox_is_reported(env, c):
    r = c.get("sys/vaultd/status")
    assert "rotate" in r.data["sandbox"]
    assert r.data["rotate"] == "up"
    if not vaultd.SANITIZED:
        assert not {"landlock", "seccomp", "no-new-privs"} & set(r.data["sandbox"]["rotate"])


@pytest.mark.parametrize("name,text", [
    ("garbage", "its reply is not one JSON document"),
    ("silent", "it has not replied"),
    ("failing", "it ended with status 3"),
    ("killed", "it was killed by signal 9"),
    ("version", '"v" is not 1'),
    ("status", '"status" is not ok, noop or error'),
    ("noclass", 'an error has no valid "class"'),
    ("error", "never   ever"),
    ("huge", "its reply is too long"),
    ("nointerpreter", "it ended with status 127"),
    ("missing", "cannot open"),
    ("writable", "can be written by others"),
    ("plain", "is not executable"),
    ("mispinned", "has not the SHA-256"),
])
def test_what_is_no_reply(c, name, text):
    r = describe(c, name)
    assert r.status == 502, r
    assert text in r.errors[0], r
    assert "this is {" not in r.errors[0]


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(env, c):
    path = env.rotators.dir / "foreign"
    assert describe(c, "foreign").status == 200
    os.chown(path, 65534, -1)
    r = describe(c, "foreign")
    assert r.status == 502 and "belongs to user id 65534" in r.errors[0], r
    os.chown(path, 0, -1)
    os.chown(env.rotators.dir, 65534, -1)
    r = describe(c, "foreign")
    os.chown(env.rotators.dir, 0, -1)
    assert r.status == 502 and "belongs to user id 65534" in r.errors[0], r


def test_a_pin_holds_for_what_is_there_now(env, c):
    path = env.rotators.dir / "pinned"
    assert describe(c, "pinned").status == 200
    text = path.read_text()
    path.write_text(text + "# changed\n")
    assert describe(c, "pinned").status == 502
    path.unlink()
    path.write_text(text)
    path.chmod(0o755)
    assert describe(c, "pinned").status == 200, "another file at its place is judged anew"


def test_a_reply_of_almost_the_limit_is_taken(c):
    assert len(describe(c, "fits").data["describe"]["x"]) == 60000


def test_what_is_said_is_bounded(env, c):
    assert describe(c, "loud").status == 200
    lines = said(env, rotator="loud")
    assert 1000 < len(lines) < 20000 and lines[0].strip('"') == "line 0"
    assert sum(len(line.strip('"')) + 1 for line in lines) <= 64 * 1024
    assert describe(c, "longline").status == 200
    assert all(len(line) < 5000 for line in env.log().splitlines())


@pytest.mark.parametrize("name", ["slow", "polite"])
def test_the_deadline_ends_it(c, name):
    r = describe(c, name)
    assert r.status == 502 and "did not reply before the deadline" in r.errors[0], r
    assert not [pid for pid, cmd in cmdlines().items() if "sleep 600" in cmd and alive(pid)]


def test_nothing_stays_behind_a_call(env, c):
    assert describe(c, "stray").status == 200
    pids = wait_pids(env, "stray", 0)
    wait_for("the stray to be gone", lambda: not any(map(alive, pids)))


def test_the_others_wait_for_their_turn(env, c):
    """Eight run at once; sixteen end all the same."""
    before = len(said(env, rotator="waits"))
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        calls = [pool.submit(describe, env.client(), "waits") for _ in range(12)]
        wait_for("eight of them", lambda: len(said(env, rotator="waits")) - before >= 8)
        assert len(said(env, rotator="waits")) - before == 8
        for line in said(env, rotator="waits")[before:]:
            os.kill(int(line.strip('"')), signal.SIGTERM)
        wait_for("the rest", lambda: len(said(env, rotator="waits")) - before == 12)
        for line in said(env, rotator="waits")[before + 8:]:
            os.kill(int(line.strip('"')), signal.SIGTERM)
        for f in calls:
            r = f.result()
            assert r.status == 502 and "killed by signal 15" in r.errors[0], r


def test_a_client_that_goes_takes_its_call_along(env):
    before = len(said(env, rotator="family"))
    c = env.client()
    c._connect()
    c.conn = c._connect()
    c.conn.request("GET", "/v1/sys/rotation/rotators/family", headers={"X-Vault-Token": env.root})
    pids = wait_pids(env, "family", before)
    c.close()
    wait_for("the family to be gone", lambda: not any(map(alive, pids)))


def test_rotate_is_started_anew(env):
    before = len(said(env, rotator="family"))
    core = env.roles()["core"]
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(describe, env.client(), "family")
        pids = wait_pids(env, "family", before)
        old = env.roles()["rotate"]
        env.kill_role("rotate")
        r = call.result()
    assert r.status == 502 and "the rotate role ended" in r.errors[0], r
    assert describe(env.client(), "good").status == 200, "a call waits until it is back"
    assert env.roles()["rotate"] != old and env.roles()["core"] == core
    wait_for("what it ran to be gone", lambda: not any(map(alive, pids)))


def test_sealing_drops_what_is_under_way(env):
    before = len(said(env, rotator="family"))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(describe, env.client(), "family")
        pids = wait_pids(env, "family", before)
        assert env.client().post("sys/seal").status == 204
        assert call.result().status == 503
    assert alive(pids[0]), "what runs is not interrupted: it may be in the midst of a change"
    env.unseal()
    assert describe(env.client(), "good").status == 200
    os.kill(pids[0], signal.SIGTERM)
    wait_for("it to be gone", lambda: not any(map(alive, pids)))


def test_rotators_end_with_core(env):
    before = len(said(env, rotator="family"))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        call = pool.submit(describe, env.client(), "family")
        pids = wait_pids(env, "family", before)
        env.kill_role("core")
        wait_for("the family to be gone", lambda: not any(map(alive, pids)))
        assert call.result().status == 503
    env.wait_sealed()
    env.unseal()
    assert describe(env.client(), "good").status == 200


def test_rotators_end_with_vaultd(tmp_path):
    """Also when the supervisor is killed outright; and no directory stays after an orderly end."""
    tmp_path.joinpath("tmp").mkdir()
    r = Rotators(tmp_path / "rotators")
    r.sh("family", "sleep 601 & echo $$ $! >&2; wait")
    env = vaultd.Server(tmp_path, config={"rotators": r.config}, prefix=["env", f"TMPDIR={tmp_path}/tmp"])
    env.start()
    env.init()
    for sig in (signal.SIGTERM, signal.SIGKILL):
        before = len(said(env, rotator="family"))
        with concurrent.futures.ThreadPoolExecutor(1) as pool:
            pool.submit(lambda: describe(env.client(), "family"))
            pids = wait_pids(env, "family", before)
            roles = [p for ps in env.roles().values() for p in ps]
            env.stop(sig)
        wait_for("the family to be gone", lambda: not any(map(alive, pids + roles)))
        if sig == signal.SIGTERM:
            assert not list((tmp_path / "tmp").iterdir())
            env.start()
            env.unseal()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can start a role as somebody else")
def test_rotate_has_a_user_of_its_own(tmp_path):
    """And the rotators with it; the rest of vaultd has another one."""
    with tempfile.TemporaryDirectory() as open_dir:
        os.chmod(open_dir, 0o755)
        r = Rotators(pathlib.Path(open_dir) / "rotators")
        r.python("who", "import json, os\nopen('mine', 'w').close()\nprint(json.dumps({'v': 1, 'status': 'ok', "
                 "'describe': {'ids': os.getresuid() + os.getresgid(), 'groups': os.getgroups()}}))")
        s = vaultd.Server(tmp_path, config={"rotators": r.config, "rotate": {"user": "nobody"}})
        s.start()
        s.init()
        nobody = pwd.getpwnam("nobody")
        got = describe(s.client(), "who").data["describe"]
        assert got == {"ids": [nobody.pw_uid] * 3 + [nobody.pw_gid] * 3, "groups": []}
        uid = [line for line in pathlib.Path(f"/proc/{s.roles()['rotate'][0]}/status").read_text().splitlines()
               if line.startswith("Uid:")]
        assert uid[0].split()[1:] == [str(nobody.pw_uid)] * 4
        s.stop()


@pytest.mark.parametrize("key,text", [
    ({"rotators": [{"name": "Bad", "path": "/bin/true"}]}, "rotators[0].name: 'Bad' is no name"),
    ({"rotators": [{"name": "x", "path": "bin/true"}]}, "rotators[0].path: 'bin/true' is no absolute path"),
    ({"rotators": [{"name": "x"}]}, "path is missing"),
    ({"rotators": [{"name": "x", "path": "/bin/true", "sha256": "12"}]}, "64 hexadecimal digits"),
    ({"rotators": [{"name": "x", "path": "/bin/true"}] * 2}, "'x' is there twice"),
    ({"rotators": [{"name": "x", "path": "/bin/true", "timeout": "2h"}]}, "timeout"),
    ({"rotate": {"user": "no-such-user-here"}}, "there is no user"),
])
def test_configuration_errors_name_the_place(tmp_path, key, text):
    s = vaultd.Server(tmp_path, config=key)
    with pytest.raises(AssertionError):
        s.start()
    s.proc = None
    assert text in s.log(), s.log()
