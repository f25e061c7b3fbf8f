# SPDX-License-Identifier: Apache-2.0
"""Real vaultd, vault-agent and vaultctl for the tests: started on free loopback ports, stopped by pid."""
import base64
import collections
import contextlib
import http.client
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile
import time

BIN = pathlib.Path(os.environ.get("VAULTD_BIN_DIR", "build/bin")).resolve()
DEADLINE = 30 * float(os.environ.get("VAULT_TEST_PATIENCE", "1"))


SANITIZED = (BIN / "vaultd").exists() and b"__asan_init" in (BIN / "vaultd").read_bytes()
SANITIZER_REPORT = re.compile(r"AddressSanitizer|LeakSanitizer|runtime error: ")


def check_log(text):
    """A sanitizer's report fails the test, whatever else it saw."""
    assert not SANITIZER_REPORT.search(text), text[-8000:]


claims = collections.deque(maxlen=128)  # of ports that were given out last: somebody listens there soon


def claimed(port):
    """Is it ours alone among the tests that run on this machine?"""
    claim = socket.socket(socket.AF_UNIX)
    try:
        claim.bind(f"\0vault-tests-port-{port}")
    except OSError:
        claim.close()
        return False
    claims.append(claim)
    return True


def free_port():
    """Below the range that connections take theirs from, so that it stays free until it is listened on."""
    while True:
        port = random.SystemRandom().randrange(10240, 32768)
        with contextlib.closing(socket.socket()) as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            if claimed(port):
                return port


def wait_for(what, fn, seconds=DEADLINE):
    """Poll fn until it is truthy; the value is returned."""
    end = time.monotonic() + seconds
    while True:
        value = fn()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"timed out waiting for {what}")
        time.sleep(0.02)


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.raw = status, headers, body
        text = headers.get("content-type", "").startswith("text/plain")
        self.json = json.loads(body) if body and not text else None

    @property
    def data(self):
        return self.json["data"]

    @property
    def errors(self):
        return self.json["errors"]

    def __repr__(self):
        return f"<{self.status} {self.raw[:300]!r}>"


class Client:
    """One keep-alive connection; the wire exactly as asked."""

    def __init__(self, address, port, tls, token=None, cert=None):
        self.address, self.port, self.tls, self.token = address, port, tls, token
        self.cert = cert  # file names of a client certificate and its key
        self.conn = None

    def _connect(self):
        if self.tls:
            ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            ctx.check_hostname = False
            ctx.verify_mode = ssl.CERT_NONE
            if self.cert:
                ctx.load_cert_chain(*self.cert)
            return http.client.HTTPSConnection(self.address, self.port, timeout=90, context=ctx)
        return http.client.HTTPConnection(self.address, self.port, timeout=90)

    def request(self, method, path, body=None, token="", headers=None, raw=None):
        h = dict(headers or {})
        tok = self.token if token == "" else token
        if tok:
            h["X-Vault-Token"] = tok
        data = raw if raw is not None else (json.dumps(body).encode() if body is not None else None)
        if data is None and method in ("POST", "PUT", "PATCH"):
            data = b""
        fresh = self.conn is None
        if fresh:
            self.conn = self._connect()
        try:
            self.conn.request(method, "/v1/" + path, body=data, headers=h)
            r = self.conn.getresponse()
            reply = Reply(r.status, {k.lower(): v for k, v in r.getheaders()}, r.read())
            if r.will_close:
                self.close()
            return reply
        except Exception:
            self.close()
            raise

    def close(self):
        if self.conn is not None:
            self.conn.close()
            self.conn = None

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def list(self, path, **kw):
        return self.request("LIST", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)


class RawReply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def __repr__(self):
        return f"<{self.status} {self.body[:200]!r}>"


def parse_replies(data):
    """What a server sent on one connection, as replies with a Content-Length."""
    out = []
    while data:
        head, _, rest = data.partition(b"\r\n\r\n")
        lines = head.split(b"\r\n")
        headers = dict((k.strip().lower().decode(), v.strip().decode()) for k, _, v in
                       (line.partition(b":") for line in lines[1:]))
        n = int(headers.get("content-length", "0"))
        out.append(RawReply(int(lines[0].split()[1]), headers, rest[:n]))
        data = rest[n:]
    return out


def connect(port, tls, timeout=40):
    s = socket.create_connection(("127.0.0.1", port), timeout=timeout)
    if tls:
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        ctx.check_hostname = False
        ctx.verify_mode = ssl.CERT_NONE
        s = ctx.wrap_socket(s)
    return s


def read_to_end(s):
    data = b""
    with contextlib.suppress(ConnectionError, ssl.SSLError):
        while True:
            piece = s.recv(65536)
            if not piece:
                break
            data += piece
    return data


def exchange(server, data, port=None):
    """Send bytes on a connection of their own; all replies until the server closes it."""
    with contextlib.closing(connect(port or server.port, server.tls)) as s:
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            for i in range(0, len(data), 65536):
                s.sendall(data[i:i + 65536])
        return parse_replies(read_to_end(s))


def children(pid):
    out = {}
    for d in pathlib.Path("/proc").iterdir():
        if not d.name.isdigit():
            continue
        try:
            stat = (d / "stat").read_text()
            cmd = (d / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(stat.rsplit(")", 1)[1].split()[1]) == pid:
            role = cmd[cmd.index(b"--role") + 1].decode() if b"--role" in cmd else ""
            if not role:
                m = re.search(rb"--role=(\w+)", b" ".join(cmd))
                role = m.group(1).decode() if m else "?"
            out.setdefault(role, []).append(int(d.name))
    return out


class Server:
    """vaultd with a data directory of its own; dev mode or a configuration file."""

    def __init__(self, tmp, dev=False, tls=True, args=(), config=None, root_token="root", prefix=()):
        self.tmp = pathlib.Path(tmp)
        self.dev, self.tls = dev, tls and not dev
        self.args, self.extra, self.root = list(args), dict(config or {}), root_token
        self.prefix = list(prefix)  # a command that executes the rest of its arguments
        self.port, self.hosts_port = free_port(), free_port()
        self.data_dir = self.tmp / "data"
        self.log_path = self.tmp / "vaultd.log"
        self.proc = None
        self.group = False
        self.shares = []

    @property
    def url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    @property
    def hosts_url(self):
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.hosts_port}"

    @property
    def pin(self):
        """It answers before that is written: ready is what says so to systemd, or in the log."""
        path = self.data_dir / "tls" / "server.pin"
        wait_for("the server's pin", path.exists)
        return path.read_text().strip()

    def write_config(self):
        lines = [f"data_dir: {self.data_dir}", f"listen: 127.0.0.1:{self.port}",
                 f"listen_hosts: 127.0.0.1:{self.hosts_port}"]
        if not self.tls:
            lines.append("tls: false")
        for k, v in self.extra.items():
            lines.append(f"{k}: {json.dumps(v)}")
        path = self.tmp / "vaultd.yaml"
        path.write_text("\n".join(lines) + "\n")
        return path

    def start(self):
        if self.dev:
            cmd = [BIN / "vaultd", "--dev", f"--dev-root-token-id={self.root}",
                   f"--dev-listen-address=127.0.0.1:{self.port}"]
        else:
            cmd = [BIN / "vaultd", "--config", self.write_config()]
        log = open(self.log_path, "ab")
        self.proc = subprocess.Popen([str(c) for c in self.prefix + cmd] + self.args, stdout=log, stderr=log,
                                     stdin=subprocess.DEVNULL, start_new_session=self.group)
        log.close()
        self.wait_serving()
        return self

    def wait_serving(self):
        def up():
            if self.proc.poll() is not None:
                raise AssertionError(f"vaultd ended with {self.proc.returncode}:\n{self.log()}")
            try:
                return self.client(token=None).get("sys/seal-status").status == 200
            except OSError:
                return False
        wait_for("vaultd to serve", up)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def client(self, token="", cert=None):
        return Client("127.0.0.1", self.port, self.tls, self.root if token == "" else token, cert)

    def hosts_client(self, token=None):
        return Client("127.0.0.1", self.hosts_port, self.tls, token)

    def init(self, shares=1, threshold=1, unseal=True):
        r = self.client(token=None).post("sys/init", {"secret_shares": shares, "secret_threshold": threshold})
        assert r.status == 200, r
        self.root, self.shares = r.json["root_token"], r.json["keys_base64"]
        self.threshold = threshold
        if unseal:
            self.unseal()
        return r

    def unseal(self):
        for share in self.shares[:self.threshold]:
            r = self.client(token=None).post("sys/unseal", {"key": share})
            assert r.status == 200, r
        assert r.json["sealed"] is False, r
        self.wait_unsealed()

    def wait_unsealed(self):
        def ok():
            try:
                return self.client(token=None).get("sys/health").status == 200
            except OSError:
                return False
        wait_for("vaultd to be unsealed", ok)

    def wait_sealed(self):
        """After a kill of core: until the next one answers."""
        def sealed():
            try:
                r = self.client(token=None).get("sys/seal-status")
                return r.status == 200 and r.json["sealed"]
            except OSError:
                return False
        wait_for("a sealed vaultd", sealed)

    def roles(self):
        return children(self.proc.pid)

    def kill_role(self, role):
        for pid in self.roles().get(role, []):
            os.kill(pid, signal.SIGKILL)

    def stop(self, sig=signal.SIGTERM):
        if self.proc is None:
            return None
        if self.proc.poll() is None:
            self.proc.send_signal(sig)
        try:
            rc = self.proc.wait(40)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise AssertionError("vaultd did not end within 40 s")
        finally:
            self.proc_done = self.proc
            self.proc = None
        check_log(self.log())
        return rc

    def ctl(self, *args, stdin=None, check=True, token="", env=None, fmt="json"):
        """vaultctl against this server; returns the finished process."""
        e = {"PATH": os.environ["PATH"], "HOME": str(self.tmp), "VAULT_ADDR": self.url}
        for k in ("ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS"):
            if k in os.environ:
                e[k] = os.environ[k]
        if self.tls:
            e["VAULT_PIN"] = self.pin
        tok = self.root if token == "" else token
        if tok:
            e["VAULT_TOKEN"] = tok
        if fmt:
            e["VAULT_FORMAT"] = fmt
        e.update(env or {})
        p = subprocess.run([str(BIN / "vaultctl"), *map(str, args)], input=stdin, env=e, text=True,
                           capture_output=True, timeout=120)
        if check:
            assert p.returncode == 0, (args, p.returncode, p.stdout, p.stderr)
        return p

    def ctl_json(self, *args, **kw):
        return json.loads(self.ctl(*args, **kw).stdout)

    # the commonest things
    def put(self, path, data, **options):
        body = {"data": data}
        if options:
            body["options"] = options
        r = self.client().post(f"secret/data/{path}", body)
        assert r.status == 200, r
        return r.data["version"]

    def read(self, path):
        r = self.client().get(f"secret/data/{path}")
        assert r.status == 200, r
        return r.data["data"]

    def add_host(self, name, paths, role="web"):
        r = self.client().post(f"sys/hosts/roles/{role}", {"paths": paths})
        assert r.status in (200, 204), r
        r = self.client().post("sys/hosts/add", {"name": name, "role": role})
        assert r.status == 200, r
        return r.data


def tmpfs_dir(name):
    """A private directory on a tmpfs that exists on every Linux."""
    base = pathlib.Path("/dev/shm")
    return pathlib.Path(tempfile.mkdtemp(prefix=f"vault-{name}-", dir=base))


class Agent:
    """vault-agent of one host: join, run, look at its files."""

    def __init__(self, tmp, server, name, files):
        self.tmp = pathlib.Path(tmp) / name
        self.tmp.mkdir()
        self.server, self.name, self.files = server, name, files
        self.run_dir = tmpfs_dir(name)
        self.state_dir = self.tmp / "state"
        self.socket = self.tmp / "agent.sock"
        self.log_path = self.tmp / "agent.log"
        self.proc = None
        self.extra = {}
        self.user = None  # whom it runs as, if not as we do
        self.lied_to = False  # a test that puts somebody between it and the vault says so

    def write_config(self):
        s = self.server
        lines = [f"server: {s.url}", f"hosts_server: {s.hosts_url}", f"state_dir: {self.state_dir}",
                 f"run_dir: {self.run_dir}", f"status_socket: {self.socket}",
                 *(f"{k}: {v}" for k, v in self.extra.items()), "files:"]
        for f in self.files:
            first = True
            for k, v in f.items():
                lines.append(f"  {'-' if first else ' '} {k}: {json.dumps(v)}")
                first = False
        self.config = self.tmp / "agent.yaml"
        self.config.write_text("\n".join(lines) + "\n")

    def join(self, token, check=True, force=False):
        self.write_config()
        cmd = [str(BIN / "vault-agent"), "join", "--config", str(self.config),
               "--server", self.server.url, "--hosts-server", self.server.hosts_url]
        if self.server.tls:
            cmd += ["--pin", self.server.pin]
        if force:
            cmd += ["--force"]
        p = subprocess.run(cmd, input=token + "\n", text=True, capture_output=True, timeout=60, **self.become())
        if check:
            assert p.returncode == 0, (p.returncode, p.stdout, p.stderr)
        return p

    def become(self):
        return {} if self.user is None else {"user": self.user, "group": self.user, "extra_groups": []}

    def start(self):
        log = open(self.log_path, "ab")
        self.proc = subprocess.Popen([str(BIN / "vault-agent"), "run", "--config", str(self.config)],
                                     stdout=log, stderr=log, stdin=subprocess.DEVNULL, **self.become())
        log.close()
        return self

    def status(self):
        p = subprocess.run([str(BIN / "vault-agent"), "status", "--config", str(self.config), "--format", "json"],
                           text=True, capture_output=True, timeout=30)
        return json.loads(p.stdout) if p.returncode == 0 else None

    def file(self, binding, name):
        return self.run_dir / binding / name

    def content(self, binding, name):
        try:
            return self.file(binding, name).read_text()
        except OSError:
            return None

    def wait_content(self, binding, name, want, seconds=DEADLINE):
        return wait_for(f"{binding}/{name} on {self.name}:\n{self.log()[-2000:]}",
                        lambda: self.content(binding, name) == want, seconds)

    def connections(self):
        """How many TCP connections it has."""
        fds = pathlib.Path(f"/proc/{self.proc.pid}/fd")
        mine = {os.readlink(f) for f in fds.iterdir() if f.is_symlink()}
        rows = [row.split() for row in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
        return sum(f"socket:[{row[9]}]" in mine for row in rows)

    def log(self):
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def stop(self, sig=signal.SIGTERM):
        if self.proc is not None:
            if self.proc.poll() is None:
                self.proc.send_signal(sig)
            self.proc.wait(30)
            self.proc = None
        check_log(self.log())
        assert self.lied_to or "is not believed" not in self.log(), self.log()

    def clean(self):
        try:
            self.stop(signal.SIGTERM if SANITIZED else signal.SIGKILL)
        finally:
            shutil.rmtree(self.run_dir, ignore_errors=True)


def b64(data):
    return base64.b64encode(data).decode()
