# SPDX-License-Identifier: Apache-2.0
"""vaultd as a service: start, stop, signals, crashes, bad starts."""
import base64
import hashlib
import json
import os
import re
import signal
import socket
import sqlite3
import ssl
import subprocess
import threading

import pytest

import hostwire
import vaultd
from vaultd import wait_for

AS_ROOT = os.getuid() == 0


def run_vaultd(*args, env=None, timeout=60, **kw):
    e = {"PATH": os.environ["PATH"], **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}, **(env or {})}
    return subprocess.run([str(vaultd.BIN / "vaultd"), *map(str, args)], env=e, text=True, capture_output=True,
                          timeout=timeout, check=False, **kw)


class Load:
    """Writers that count on one key each, and remember what was acknowledged."""

    def __init__(self, server, writers=8):
        self.server, self.acked, self.ids, self.lock = server, {}, [], threading.Lock()
        self.failed = 0
        self.stop = threading.Event()
        self.threads = [threading.Thread(target=self.write, args=(w,)) for w in range(writers)]
        for t in self.threads:
            t.start()

    def write(self, w):
        c, n = self.server.client(), 0
        while not self.stop.is_set():
            n += 1
            try:
                r = c.post(f"secret/data/load/{w}", {"data": {"n": n}})
            except (OSError, vaultd.http.client.HTTPException):
                r = None
            with self.lock:
                if r is not None and r.status == 200:
                    self.acked[w] = (r.data["version"], n)
                    self.ids.append(r.json["request_id"])
                else:
                    self.failed += 1
            if r is None or r.status != 200:
                self.stop.wait(0.01)

    def count(self):
        with self.lock:
            return len(self.ids)

    def end(self):
        self.stop.set()
        for t in self.threads:
            t.join()

    def check(self):
        """Every acknowledged write is there, and has exactly one audit record."""
        c = self.server.client()
        assert self.acked
        for w, (version, n) in self.acked.items():
            r = c.get(f"secret/data/load/{w}?version={version}")
            assert r.status == 200 and r.data["data"] == {"n": n}, (w, version, n, r)
        seen, cursor = {}, None
        while True:
            d = c.get("sys/audit-log/records?limit=1000" + (f"&cursor={cursor}" if cursor is not None else "")).data
            for rec in d["records"]:
                seen[rec["request_id"]] = seen.get(rec["request_id"], 0) + 1
            cursor = d["next"]
            if cursor is None:
                break
        missing = [i for i in self.ids if seen.get(i) != 1]
        assert not missing, (len(missing), len(self.ids))


def test_children_end_with_a_killed_supervisor(own_server):
    s = own_server
    pids = [p for ps in s.roles().values() for p in ps]
    assert pids
    s.proc.kill()
    s.proc.wait(30)
    wait_for("the roles to end", lambda: not any(os.path.exists(f"/proc/{p}") for p in pids))


def test_core_that_keeps_dying_is_given_up(own_server):
    s = own_server
    for _ in range(4):
        if s.proc.poll() is not None:
            break
        pid = wait_for("a core", lambda: (s.roles().get("core") or [None])[0] or s.proc.poll() is not None)
        if pid is True:
            break
        os.kill(pid, signal.SIGKILL)
        wait_for("its end", lambda: pid not in s.roles().get("core", []) or s.proc.poll() is not None)
    assert s.proc.wait(60) != 0
    assert "core" in s.log().splitlines()[-1], s.log()
    s.proc = None


@pytest.mark.parametrize("how", ["one", "group"])
def test_sigterm_drains(own_server, how):
    """Everything acknowledged is there; what was cut is answered or refused, never half done."""
    s = own_server
    s.stop()
    s.group = True
    s.start()
    s.unseal()
    load = Load(s)
    try:
        wait_for("some writes", lambda: load.count() > 100)
        if how == "one":
            s.proc.send_signal(signal.SIGTERM)
        else:
            os.killpg(s.proc.pid, signal.SIGINT)
        assert s.proc.wait(40) == 0
    finally:
        load.end()
    assert "outcome unknown" not in s.log() and "request lost" not in s.log() and "killed" not in s.log()
    s.start()
    assert s.client(token=None).get("sys/health").status == 503, "stopping seals"
    s.unseal()
    load.check()


def test_sigterm_answers_parked_requests(own_server):
    s = own_server
    s.put("p", {"k": "v"})
    h = hostwire.joined(s, "h1", ["secret/*"])
    h.lease("secret/p")
    rev = h.watcher().get("sys/agent/watch?since=0&wait=0").data["rev"]
    out = []
    w = s.hosts_client(h.token)
    w.get("sys/health")

    def watch():
        try:
            out.append(w.get(f"sys/agent/watch?since={rev}&wait=55").status)
        except (OSError, vaultd.http.client.HTTPException) as e:
            out.append(e)
    t = threading.Thread(target=watch)
    t.start()
    wait_for("the watch to be there", lambda: any(
        r["path"] == "sys/agent/watch" for r in s.client().get("sys/audit-log/records?limit=20").data["records"]))
    assert s.stop() == 0
    t.join(30)
    assert out and not t.is_alive()


def certificate(tmp, name, days=30):
    key, cert = tmp / f"{name}.key", tmp / f"{name}.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    str(days), "-keyout", key, "-out", cert, "-subj", "/CN=localhost", "-addext",
                    "subjectAltName=DNS:localhost,IP:127.0.0.1"], check=True, capture_output=True)
    os.chmod(key, 0o600)
    pub = subprocess.run(["openssl", "x509", "-in", cert, "-pubkey", "-noout"], check=True, capture_output=True).stdout
    der = base64.b64decode(b"".join(pub.splitlines()[1:-1]))
    return key, cert, "sha256//" + base64.b64encode(hashlib.sha256(der).digest()).decode()


def served_pin(s):
    with vaultd.connect(s.port, True) as c:
        der = c.getpeercert(binary_form=True)
    p = subprocess.run(["openssl", "x509", "-inform", "DER", "-pubkey", "-noout"], input=der, check=True, capture_output=True)
    spki = base64.b64decode(b"".join(p.stdout.splitlines()[1:-1]))
    return "sha256//" + base64.b64encode(hashlib.sha256(spki).digest()).decode()


class Handshakes:
    """Clients that connect all the time and expect one certificate."""

    def __init__(self, server, cert):
        self.server, self.want = server, ssl.PEM_cert_to_DER_cert(cert.read_text())
        self.good, self.bad, self.stop = 0, [], threading.Event()
        self.threads = [threading.Thread(target=self.run) for _ in range(4)]

    def run(self):
        while not self.stop.is_set():
            try:
                with vaultd.connect(self.server.port, True) as c:
                    if c.getpeercert(binary_form=True) == self.want:
                        self.good += 1
                    else:
                        self.bad.append("another certificate")
            except OSError as e:
                self.bad.append(repr(e))

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *exc):
        self.stop.set()
        for t in self.threads:
            t.join()


@pytest.fixture
def certs(tmp_path):
    return {n: certificate(tmp_path, n) for n in ("one", "two")}


def install(certs, name, tmp):
    key, cert, pin = certs[name]
    (tmp / "live.key").write_bytes(key.read_bytes())
    (tmp / "live.pem").write_bytes(cert.read_bytes())
    os.chmod(tmp / "live.key", 0o600)
    return pin


def test_sighup_with_a_new_certificate(tmp_path, certs, make_agent):
    first = install(certs, "one", tmp_path)
    s = vaultd.Server(tmp_path, config={"tls": {"cert": str(tmp_path / "live.pem"), "key": str(tmp_path / "live.key")}})
    s.start()
    try:
        s.init()
        assert served_pin(s) == first == s.pin
        s.put("app/db", {"password": "one"})
        a = make_agent(s, "web1", [{"path": "secret/app/db", "field": "password", "binding": "db", "name": "password"}])
        a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
        a.start()
        a.wait_content("db", "password", "one")

        second = install(certs, "two", tmp_path)
        with Handshakes(s, certs["one"][1]) as seen:
            for i in range(1, 4):
                s.proc.send_signal(signal.SIGHUP)
                wait_for("both refusals", lambda i=i: s.log().count("the old one stays") >= 2 * i)
        assert seen.good and not seen.bad, "not even for a moment"
        assert "not announced" in s.log()
        assert served_pin(s) == first, "an unannounced key is not taken"
        assert s.client().get("sys/health").status == 200

        assert s.client().post("sys/hosts/pins", {"next": second}).status == 200
        raw = base64.b64decode(second.removeprefix("sha256//"))
        s.put("app/db", {"password": "new"})
        wait_for("the agent to know both", lambda: raw in b"".join(
            p.read_bytes() for p in a.state_dir.rglob("*") if p.is_file()))
        s.proc.send_signal(signal.SIGHUP)
        wait_for("the new key", lambda: served_pin(s) == second)
        s.put("app/db", {"password": "two"})
        a.wait_content("db", "password", "two")
    finally:
        s.stop()


def test_sighup_under_load_loses_nothing(own_server):
    s = own_server
    load = Load(s, writers=4)
    try:
        for i in range(3):
            before = load.count()
            wait_for("writes", lambda: load.count() > before + 30)
            s.proc.send_signal(signal.SIGHUP)
            wait_for("the reload", lambda: s.log().count("reloaded") == i + 1)
    finally:
        load.end()
    load.check()


def test_sighup_with_bad_settings_changes_nothing(own_server):
    s = own_server
    (s.tmp / "vaultd.yaml").write_text("data_dir: relative\n")
    s.proc.send_signal(signal.SIGHUP)
    wait_for("the message", lambda: "reload failed" in s.log())
    assert s.client().get("sys/health").status == 200
    s.write_config()


BAD_CONFIG = [
    ("data_dir: relative", "vaultd.yaml:1: data_dir: 'relative' is no absolute path"),
    ("data_dir: [a]", "vaultd.yaml:1: data_dir: a single value is needed"),
    ("colour: red", "vaultd.yaml:1: colour: unknown key"),
    ("listen: 127.0.0.1", "vaultd.yaml:1: listen: '127.0.0.1' is no HOST:PORT"),
    ("listen: 127.0.0.1:99999", "vaultd.yaml:1: listen: '127.0.0.1:99999' is no HOST:PORT"),
    ("listen: 0.0.0.0:8200\ntls: false", "vaultd.yaml:2: tls: false is accepted for loopback addresses only"),
    ("tls: true", "vaultd.yaml:1: tls: 'true' is neither false nor a mapping of cert and key"),
    ("tls: {cert: /x}", "vaultd.yaml:1: tls: cert and key go together"),
    ("auto_unseal: {key_file: /a, credential: b}", "vaultd.yaml:1: auto_unseal: one of key_file and credential is needed"),
    ("log: {level: loud}", "vaultd.yaml:1: log.level: must be one of error, warn, info, debug"),
    ("body_max: lots", "vaultd.yaml:1: body_max: not a size"),
    ("body_max: 64MiB", "vaultd.yaml:1: body_max: "),
    ("data_dir: /a\ndata_dir: /b", "vaultd.yaml:2: data_dir: repeated key"),
    ('data_dir: "open', "vaultd.yaml:2: "),
    ("net_processes: 0", "vaultd.yaml:1: net_processes: must be at least 1"),
]


@pytest.mark.parametrize("text, message", BAD_CONFIG)
def test_bad_configuration_line(tmp_path, text, message):
    f = tmp_path / "vaultd.yaml"
    f.write_text(text + "\n")
    for args in (["--check-config"], []):
        p = run_vaultd("--config", f, *args)
        assert p.returncode == 2 and message in p.stderr, p
        assert len(p.stderr.strip().splitlines()) == 1


def test_bad_options(tmp_path):
    for args, status, text in ((["--colour"], 2, "unknown argument"), (["--config", "/nowhere.yaml"], 5, "/nowhere.yaml"),
                               (["--dev", "--config", "x"], 2, "--dev"), (["--dev-root-token-id=x"], 2, "need --dev"),
                               (["--config"], 2, "needs a"), (["--role"], 2, "")):
        p = run_vaultd(*args)
        assert p.returncode == status and text in p.stderr, (args, p)
    p = run_vaultd("--help")
    assert p.returncode == 0 and "--require-sandbox" in p.stdout
    assert re.match(r"vaultd \d+\.\d+\.\d+", run_vaultd("--version").stdout)


@pytest.mark.skipif(not AS_ROOT, reason="needs a read-only mount")
def test_read_only_data_dir(tmp_path):
    s = vaultd.Server(tmp_path)
    s.data_dir.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "ro,mode=0700,size=1m", "none", s.data_dir], check=True)
    try:
        p = run_vaultd("--config", s.write_config())
    finally:
        subprocess.run(["umount", s.data_dir], check=True)
    assert p.returncode != 0 and "data_dir" in p.stderr and "ead-only" in p.stderr, p
    assert len(p.stderr.strip().splitlines()) == 1


def test_a_database_that_is_none(tmp_path):
    s = vaultd.Server(tmp_path)
    s.data_dir.mkdir(mode=0o700)
    (s.data_dir / "vault.db").write_bytes(b"this is no database " * 1000)
    os.chmod(s.data_dir / "vault.db", 0o600)
    before = (s.data_dir / "vault.db").read_bytes()
    p = run_vaultd("--config", s.write_config())
    assert p.returncode != 0 and "vault.db" in p.stderr, p
    assert (s.data_dir / "vault.db").read_bytes() == before


def test_a_database_of_a_later_release(own_server):
    s = own_server
    s.stop()
    db = sqlite3.connect(s.data_dir / "vault.db")
    db.execute("INSERT INTO schema_migration VALUES (9999, 'later', x'00', 0)")
    db.commit()
    db.close()
    p = run_vaultd("--config", s.write_config())
    assert p.returncode != 0 and re.search("newer|later|unknown|migration", p.stderr), p


def test_dev_mode(tmp_path):
    port = vaultd.free_port()
    env = {"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path), "HOME": str(tmp_path),
           "VAULT_DEV_ROOT_TOKEN_ID": "my-dev-token", "VAULT_DEV_LISTEN_ADDRESS": f"127.0.0.1:{port}",
           **{k: v for k, v in os.environ.items() if k.endswith("SAN_OPTIONS")}}
    p = subprocess.Popen([str(vaultd.BIN / "vaultd"), "--dev"], env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         text=True, start_new_session=True)
    try:
        c = vaultd.Client("127.0.0.1", port, False, "my-dev-token")

        def up():
            try:
                return c.get("sys/health").status == 200
            except OSError:
                return False
        wait_for("the dev server", up)
        assert c.post("secret/data/x", {"data": {"k": "v"}}).status == 200
        assert c.get("auth/token/lookup-self").data["id"] == "my-dev-token"
        (data,) = tmp_path.glob("vaultd-dev-*")
        assert data.stat().st_mode & 0o777 == 0o700
        shown = ""  # last of all: the listeners serve a moment before
        while "Hosts listener: " not in shown and (line := p.stdout.readline()):
            shown += line
        os.killpg(p.pid, signal.SIGINT)
        rest, err = p.communicate(timeout=40)
    finally:
        if p.poll() is None:
            p.kill()
            p.communicate()
    assert p.returncode == 0
    out = shown + rest
    assert f"export VAULT_ADDR='http://127.0.0.1:{port}'" in out and "export VAULT_TOKEN='my-dev-token'" in out
    assert "Unseal Key: " in out and "my-dev-token" not in err
    assert not [d for d in tmp_path.iterdir() if d.is_dir()], "the directory is removed"


def test_dev_mode_options_beat_the_environment(tmp_path):
    s = vaultd.Server(tmp_path, dev=True, root_token="from-the-option")
    os.environ["VAULT_DEV_ROOT_TOKEN_ID"] = "from-the-environment"
    try:
        s.start()
    finally:
        del os.environ["VAULT_DEV_ROOT_TOKEN_ID"]
    try:
        s.wait_unsealed()
        assert s.client("from-the-option").get("auth/token/lookup-self").status == 200
        assert s.client("from-the-environment").get("auth/token/lookup-self").status == 403
    finally:
        s.stop()


def test_auto_unseal(tmp_path):
    key = tmp_path / "unseal.key"
    key.write_bytes(os.urandom(32))
    os.chmod(key, 0o600)
    s = vaultd.Server(tmp_path, config={"auto_unseal": {"key_file": str(key)}})
    s.start()
    try:
        r = s.client(token=None).post("sys/init", {"recovery_shares": 3, "recovery_threshold": 2})
        assert r.status == 200 and r.json["keys"] == [] and len(r.json["recovery_keys_base64"]) == 3
        s.root = r.json["root_token"]
        s.wait_unsealed()
        assert s.client().get("sys/seal-status").json["recovery_seal"] is True
        s.put("x", {"k": "v"})
        s.stop()
        s.start()
        s.wait_unsealed()
        assert s.read("x") == {"k": "v"}
        s.kill_role("core")
        wait_for("the next core", lambda: s.client().get("secret/data/x").status == 200)
        assert s.read("x") == {"k": "v"}
        s.stop()
        good = key.read_bytes()
        key.write_bytes(os.urandom(32))
        s.start()
        assert s.client(token=None).get("sys/health").status == 503
        assert "cannot unseal" in s.log()
        s.stop()
        key.write_bytes(b"short")
        p = run_vaultd("--config", s.write_config())
        assert p.returncode != 0 and str(key) in p.stderr and "32 bytes" in p.stderr, p
        key.unlink()
        p = run_vaultd("--config", s.write_config())
        assert p.returncode != 0 and str(key) in p.stderr, p
        key.write_bytes(good)
        os.chmod(key, 0o600)
        s.start()
        s.wait_unsealed()
        assert s.read("x") == {"k": "v"}
    finally:
        if s.proc is not None:
            s.stop()


def test_sealed_journal_is_chained_in(own_server):
    s = own_server
    c = s.client()
    assert c.post("sys/seal").status == 204
    for _ in range(5):
        assert c.get("secret/data/while-sealed").status == 503
    c.post("sys/unseal", {"key": "00" * 33})
    s.unseal()
    recs = c.get("sys/audit-log/records?limit=50").data["records"]
    text = json.dumps(recs)
    assert "while-sealed" in text or any(r["operation"] == "aggregate" for r in recs), recs
    assert any(r["path"] == "sys/unseal" and r["outcome"] == "error" for r in recs)
    assert any(r["path"] == "sys/seal" for r in recs)


def test_sd_notify(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(str(tmp_path / "notify"))
        sock.settimeout(30)
        os.environ["NOTIFY_SOCKET"] = str(tmp_path / "notify")
        s = vaultd.Server(tmp_path)
        try:
            s.start()
        finally:
            del os.environ["NOTIFY_SOCKET"]
        got = b""
        while b"READY=1" not in got:
            got += sock.recv(4096)
        s.stop()
        while b"STOPPING=1" not in got:
            got += sock.recv(4096)


def test_unix_socket(tmp_path):
    s = vaultd.Server(tmp_path, config={"unix_socket": str(tmp_path / "v.sock")})
    s.start()
    try:
        s.init()
        p = s.ctl("kv", "put", "secret/x", "-", "--socket", tmp_path / "v.sock", stdin='{"a":"b"}', env={"VAULT_PIN": ""})
        assert p.returncode == 0
        assert s.read("x") == {"a": "b"}
        assert (tmp_path / "v.sock").stat().st_mode & 0o007 == 0
    finally:
        s.stop()
    assert not (tmp_path / "v.sock").exists()


@pytest.mark.skipif(not AS_ROOT, reason="mounts a small file system")
def test_disk_full(tmp_path):
    s = vaultd.Server(tmp_path)
    s.data_dir.mkdir(mode=0o700)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0700,size=6m", "none", s.data_dir], check=True)
    try:
        s.start()
        s.init()
        c = s.client()
        acked, big = {}, "x" * 100000
        full = None
        for i in range(200):
            r = c.post(f"secret/data/f{i}", {"data": {"n": i, "big": big}})
            if r.status != 200:
                full = r
                break
            acked[i] = r.data["version"]
        assert full is not None and full.status == 503, full
        assert "full" in full.errors[0]
        ballast = s.data_dir / "ballast"
        for _ in range(20):
            r = c.post("secret/data/small", {"data": {"n": 1, "big": big}})
            assert r.status == 503
        assert s.client(token=None).get("sys/health").status in (200, 503)
        assert not ballast.exists()
        subprocess.run(["mount", "-o", "remount,size=64m", s.data_dir], check=True)
        wait_for("service to resume", lambda: c.post("secret/data/after", {"data": {"n": 1}}).status == 200)
        for i, version in acked.items():
            d = c.get(f"secret/data/f{i}").data
            assert d["data"]["n"] == i and d["metadata"]["version"] == version
        key = s.ctl("audit", "checkpoint", "--key", fmt="table").stdout.strip()
        s.ctl("audit", "verify", "--key", key, fmt="table")
        assert "lost" not in s.log()
    finally:
        if s.proc is not None:
            s.stop()
        subprocess.run(["umount", s.data_dir], check=True)
