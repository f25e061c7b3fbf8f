# SPDX-License-Identifier: Apache-2.0
"""Real PostgreSQL, MariaDB and Redis for the tests: data directories of their own, loopback ports of
their own, an unprivileged user where the tests run as root, ended by pid.

    with Postgres() as db:
        db.sql("CREATE ROLE app LOGIN PASSWORD 'x'")

start() returns when the server answers; stop() ends it in order, kill() does not (SIGKILL), restart()
does the one or the other and starts it again on the same port, with the same data."""
import contextlib
import os
import pathlib
import pwd
import secrets
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

from vaultd import DEADLINE, free_port, wait_for


def find(program, *directories):
    """The program, or None: Debian keeps server programs off the path."""
    path = os.pathsep.join([*directories, os.environ.get("PATH", ""), "/usr/sbin", "/sbin"])
    return shutil.which(program, path=path)


def newest(pattern):
    return [str(p) for p in sorted(pathlib.Path("/").glob(pattern), key=lambda p: (len(str(p)), str(p)), reverse=True)]


def self_signed(directory, name="localhost"):
    """A certificate and key for a TLS listener: (certificate, key), both PEM files."""
    cert, key = directory / "server.crt", directory / "server.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                    "-nodes", "-keyout", key, "-out", cert, "-days", "2", "-subj", f"/CN={name}",
                    "-addext", f"subjectAltName=DNS:{name},IP:127.0.0.1"], check=True, capture_output=True)
    key.chmod(0o600)
    return cert, key


class Database:
    """What the three have in common.  A subclass says how a server is prepared, started and asked."""

    name = None  # of the directory
    user = None  # that the server runs as, if the tests are root
    end = signal.SIGTERM  # an orderly end

    def __init__(self):
        self.host, self.port = "127.0.0.1", free_port()
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix=f"vaultd-{self.name}-"))
        self.log_file = self.dir / "log"
        self.process = None
        self.prepared = False

    # --- for subclasses ---

    def prepare(self):
        raise NotImplementedError

    def command(self):
        raise NotImplementedError

    def answers(self):
        raise NotImplementedError

    # --- life ---

    def identity(self):
        """Keyword arguments of subprocess for the unprivileged user."""
        if os.getuid() != 0:
            return {}
        who = next((pwd.getpwnam(u) for u in (self.user, "nobody") if u in {p.pw_name for p in pwd.getpwall()}))
        return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}

    def own(self):
        """Give everything in the directory to the server's user."""
        who = self.identity()
        for path in [self.dir, *self.dir.rglob("*")] if who else []:
            os.chown(path, who["user"], who["group"], follow_symlinks=False)

    def run(self, *argv, **kw):
        """A helper program as the server's user; its output."""
        r = subprocess.run([str(a) for a in argv], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, cwd=self.dir, timeout=DEADLINE * 4, text=True,
                           env=self.environment(), check=False, **self.identity(), **kw)
        assert r.returncode == 0, f"{argv[0]}: {r.stdout[-2000:]}"
        return r.stdout

    def environment(self):
        return {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8", "HOME": str(self.dir), "TZ": "UTC"}

    def start(self):
        if not self.prepared:
            self.own()
            self.prepare()
            self.own()
            self.prepared = True
        wait_for(f"{self.name} to start", self.try_start, DEADLINE * 2)
        return self

    def try_start(self):
        """A server that was killed may leave others that have to end first: start again then."""
        if self.process is None:
            with open(self.log_file, "ab") as log:
                self.process = subprocess.Popen([str(a) for a in self.command()], stdin=subprocess.DEVNULL, stdout=log,
                                                stderr=log, cwd=self.dir, env=self.environment(), **self.identity())
        if self.process.poll() is not None:
            self.process = None
            return False
        return self.answers()

    def signal_and_wait(self, number):
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        try:
            self.process.wait(DEADLINE * 2)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def stop(self):
        self.signal_and_wait(self.end)

    def kill(self):
        self.signal_and_wait(signal.SIGKILL)

    def restart(self, kill=False):
        self.kill() if kill else self.stop()
        return self.start()

    def pause(self):
        """It takes connections, and does not answer."""
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def close(self):
        self.stop()
        shutil.rmtree(self.dir, ignore_errors=True)

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.close()

    def log(self):
        return self.log_file.read_text(errors="replace")

    def listening(self):
        with contextlib.closing(socket.socket()) as s:
            s.settimeout(1)
            return s.connect_ex((self.host, self.port)) == 0


class Postgres(Database):
    """Passwords are asked for on the loopback port; sql() acts as superuser over the socket."""

    name, user, end = "postgres", "postgres", signal.SIGINT
    bin = newest("usr/lib/postgresql/*/bin")
    available = find("postgres", *bin) is not None

    def __init__(self, tls=False, settings=()):
        super().__init__()
        self.admin = {"username": "vault_admin", "password": "adm-" + secrets.token_hex(12)}
        self.tls, self.settings, self.ca = tls, list(settings), None

    def program(self, name):
        return find(name, *self.bin)

    def prepare(self):
        self.run(self.program("initdb"), "-D", self.dir / "data", "-U", "postgres", "--encoding=UTF8", "--locale=C.UTF-8",
                 "--no-sync", "--auth-local=trust", "--auth-host=scram-sha-256")
        if self.tls:
            self.ca, key = self_signed(self.dir)
            self.settings += ["ssl=on", f"ssl_cert_file={self.ca}", f"ssl_key_file={key}"]

    def start(self):
        first = not self.prepared
        super().start()
        if first:
            self.sql(f"CREATE ROLE {self.admin['username']} SUPERUSER LOGIN PASSWORD '{self.admin['password']}'")
        return self

    def try_start(self):
        # What a killed server left behind names the pid of something else by now, perhaps.
        if self.process is None:
            with contextlib.suppress(FileNotFoundError):
                (self.dir / "data/postmaster.pid").unlink()
        return super().try_start()

    def command(self):
        argv = [self.program("postgres"), "-D", self.dir / "data", "-k", self.dir, "-p", str(self.port)]
        settings = ["listen_addresses=127.0.0.1", "fsync=off", "log_statement=all", "log_connections=on",
                    "unix_socket_permissions=0777", "max_connections=20", *self.settings]
        return [*argv, *(word for s in settings for word in ("-c", s))]

    def answers(self):
        return self.listening() and subprocess.run(
            [self.program("pg_isready"), "-q", "-h", self.dir, "-p", str(self.port)], check=False).returncode == 0

    def sql(self, text, database="postgres"):
        """Rows as lists of strings."""
        r = subprocess.run([self.program("psql"), "-h", self.dir, "-p", str(self.port), "-U", "postgres", "-d", database,
                            "-XAtq", "-F", "\x1f", "-v", "ON_ERROR_STOP=1", "-c", text], stdin=subprocess.DEVNULL,
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=DEADLINE, check=False)
        assert r.returncode == 0, r.stderr
        return [line.split("\x1f") for line in r.stdout.splitlines()]

    def can_login(self, username, password, database="postgres"):
        r = subprocess.run([self.program("psql"), "-h", self.host, "-p", str(self.port), "-U", username, "-d", database,
                            "-XAtqw", "-c", "SELECT 1"], stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE,
                           env=dict(self.environment(), PGPASSWORD=password), check=False)
        return r.returncode == 0


class MariaDB(Database):
    """sql() acts as root over the socket, which asks for no password."""

    name, user = "mariadb", "mysql"
    available = find("mariadbd") is not None

    def __init__(self, tls=False, settings=()):
        super().__init__()
        self.admin = {"username": "vault_admin", "password": "adm-" + secrets.token_hex(12)}
        self.socket = self.dir / "socket"
        self.tls, self.settings, self.ca = tls, list(settings), None

    def prepare(self):
        self.run(find("mariadb-install-db"), "--no-defaults", f"--datadir={self.dir / 'data'}", "--skip-test-db",
                 "--auth-root-authentication-method=normal")
        if self.tls:
            self.ca, key = self_signed(self.dir)
            self.settings += [f"ssl-cert={self.ca}", f"ssl-key={key}", f"ssl-ca={self.ca}"]

    def start(self):
        first = not self.prepared
        super().start()
        if first:
            name = f"'{self.admin['username']}'@'%'"
            self.sql(f"CREATE USER {name} IDENTIFIED BY '{self.admin['password']}';"
                     f"GRANT ALL ON *.* TO {name} WITH GRANT OPTION")
        return self

    def command(self):
        settings = [f"datadir={self.dir / 'data'}", f"socket={self.socket}", f"port={self.port}", "bind-address=127.0.0.1",
                    f"pid-file={self.dir / 'pid'}", "skip-name-resolve", "innodb-flush-log-at-trx-commit=0",
                    "innodb-buffer-pool-size=16M", "performance-schema=OFF", f"general-log-file={self.dir / 'general'}",
                    "general-log=ON", *self.settings]
        return [find("mariadbd"), "--no-defaults", *("--" + s for s in settings)]

    def client(self, *argv, password=""):
        return subprocess.run([find("mariadb"), "--no-defaults", "-N", "-B", *argv], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=DEADLINE,
                              env=dict(self.environment(), MYSQL_PWD=password), check=False)

    def answers(self):
        return self.client("-S", self.socket, "-u", "root", "-e", "SELECT 1").returncode == 0

    def sql(self, text):
        r = self.client("-S", self.socket, "-u", "root", "-e", text)
        assert r.returncode == 0, r.stderr
        return [line.split("\t") for line in r.stdout.splitlines()]

    def can_login(self, username, password):
        return self.client("-h", self.host, "-P", str(self.port), "-u", username, "-e", "SELECT 1",
                           password=password).returncode == 0

    def queries(self):
        """What the general log says that was asked."""
        return (self.dir / "general").read_text(errors="replace")


class Redis(Database):
    """cli() acts as the administrator, over the loopback port."""

    name, user = "redis", "redis"
    available = find("redis-server") is not None

    def __init__(self, tls=False, settings=()):
        super().__init__()
        self.admin = {"username": "vault_admin", "password": "adm-" + secrets.token_hex(12)}
        self.tls, self.settings, self.ca = tls, list(settings), None
        self.acl_file = self.dir / "users.acl"

    def prepare(self):
        self.acl_file.write_text(f"user default off\nuser {self.admin['username']} on >{self.admin['password']} ~* &* +@all\n")
        lines = ["bind 127.0.0.1", f"dir {self.dir}", 'save ""', "appendonly no", f"aclfile {self.acl_file}", "daemonize no"]
        if self.tls:
            self.ca, key = self_signed(self.dir)
            lines += ["port 0", f"tls-port {self.port}", f"tls-cert-file {self.ca}", f"tls-key-file {key}",
                      f"tls-ca-cert-file {self.ca}", "tls-auth-clients no"]
        else:
            lines += [f"port {self.port}"]
        (self.dir / "redis.conf").write_text("\n".join([*lines, *self.settings]) + "\n")

    def command(self):
        return [find("redis-server"), self.dir / "redis.conf"]

    def cli(self, *words, username=None, password=None):
        """One command; the text of its reply."""
        username, password = (username, password) if username else (self.admin["username"], self.admin["password"])
        tls = ["--tls", "--cacert", str(self.ca)] if self.tls else []
        r = subprocess.run([find("redis-cli"), "-h", self.host, "-p", str(self.port), *tls, "--user", username, "--no-auth-warning",
                            *words], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                           timeout=DEADLINE, env=dict(self.environment(), REDISCLI_AUTH=password), check=False)
        return r.stdout.strip()

    def answers(self):
        return self.listening() and self.cli("PING") == "PONG"

    def can_login(self, username, password):
        """AUTH alone: what the user may do then is another question."""
        words = [w.encode() for w in ("AUTH", username, password)]
        with socket.create_connection((self.host, self.port), DEADLINE) as plain:
            context = ssl.create_default_context(cafile=self.ca) if self.tls else None
            with context.wrap_socket(plain, server_hostname=self.host) if context else plain as s:
                s.sendall(b"*3\r\n" + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in words))
                return s.recv(200).startswith(b"+OK")
