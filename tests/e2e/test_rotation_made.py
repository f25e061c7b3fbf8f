# SPDX-License-Identifier: Apache-2.0
"""Values that the target makes itself: a real agent delivers them to a client that uses them all the
time, while they are replaced."""
import os
import pathlib
import ssl
import threading
import uuid

import pytest
from cryptography import x509

import vaultd
from certs import Pki
from keyservice import KeyService, key_config, user_config
from sshd import Sshd
from vaultd import BIN, wait_for

ROTATIONS = 10


def needs(rotator):
    return pytest.mark.skipif(not (BIN / f"vault-rotator-{rotator}").exists(), reason=f"vault-rotator-{rotator} is not built")


class Client(threading.Thread):
    """Reads the delivered files and uses them, again and again; use(fields) says whether they work."""

    def __init__(self, agent, names, use):
        super().__init__(daemon=True)
        self.agent, self.names, self.use = agent, names, use
        self.tries, self.failures, self.seen = 0, [], set()
        self.over = threading.Event()

    def fields(self):
        """All files of one generation: the directory is looked up once."""
        while True:
            where = pathlib.Path(os.path.realpath(self.agent.file("app", self.names[0]))).parent
            try:
                return {n: (where / n).read_text() for n in self.names}
            except FileNotFoundError:
                continue

    def run(self):
        while not self.over.wait(0.02):
            fields = self.fields()
            self.tries += 1
            try:
                self.use(fields)
                self.seen.add(fields[self.names[0]])
            except Exception as e:  # pylint: disable=broad-except
                self.failures.append(repr(e))

    def stop(self):
        self.over.set()
        self.join()


class Setting:
    """A target, a secret with a rule, a host that holds it."""

    def __init__(self, server, make_agent, rotator, config, admin, first, rule):
        self.server, self.client = server, server.client()
        self.key = f"rot/{uuid.uuid4().hex[:8]}"
        self.path = f"secret/{self.key}"
        self.names = list(first)
        target = f"t-{uuid.uuid4().hex[:8]}"
        server.put(self.key, first)
        r = self.client.post(f"sys/rotation/targets/{target}", {"rotator": rotator, "config": config, "admin": admin})
        assert r.status == 204, r
        r = self.client.post(f"sys/rotation/config/{self.path}", {"target": target, **rule})
        assert r.status == 204, r
        role, host = f"r-{uuid.uuid4().hex[:6]}", f"h-{uuid.uuid4().hex[:6]}"
        added = server.add_host(host, [self.path], role=role)
        self.agent = make_agent(server, host, [dict(path=self.path, field=f, binding="app", name=f) for f in self.names])
        self.agent.join(added["join_token"])
        self.agent.start()
        self.agent.wait_content("app", self.names[0], first[self.names[0]])

    def status(self):
        return self.client.get(f"sys/rotation/status/{self.path}").data["last"]

    def current(self):
        return self.server.read(self.key)

    def rotate(self):
        r = self.client.post(f"sys/rotation/rotate/{self.path}", {"timeout": "30s"})
        assert r.status == 200 and r.data["state"] in ("retiring", "converged"), r
        wait_for("the old value to be retired", lambda: self.status()["state"] == "converged", seconds=60)

    def through(self, use, count=ROTATIONS):
        """Rotations below a client; every value that there was, the first one left out."""
        client = Client(self.agent, self.names, use)
        client.start()
        values = []
        for _ in range(count):
            self.rotate()
            values.append(self.current())
            wait_for("the client to have used it", lambda: values[-1][self.names[0]] in client.seen)
        client.stop()
        assert not client.failures, (client.failures[:3], client.tries)
        return values


# --- certificates --------------------------------------------------------------------------


def handshake(ca_pem, fields, directory):
    """A TLS server with the delivered key, and a client that trusts the authority."""
    cert, key = directory / "cert.pem", directory / "key.pem"
    cert.write_text(fields["certificate"])
    key.write_text(fields["private_key"])
    here = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    here.load_cert_chain(cert, key)
    there = ssl.create_default_context(cadata=ca_pem)
    wires = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [here.wrap_bio(*wires, server_side=True), there.wrap_bio(*wires[::-1], server_hostname="db1.example.com")]
    done = set()
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
    assert len(done) == 2


@pytest.fixture
def writing_server(tmp_path):
    """A vaultd whose rotators may write to one directory."""
    (tmp_path / "crl").mkdir()
    (tmp_path / "other").mkdir()
    s = vaultd.Server(tmp_path, config={"rotate": {"write": [str(tmp_path / "crl")]}})
    s.start()
    s.init()
    yield s
    s.stop()


@needs("x509")
def test_certificates_are_issued_and_revoked(writing_server, make_agent, tmp_path):
    ca = Pki(tmp_path).ca("test authority")
    crl = tmp_path / "crl" / "list.pem"
    admin = {"ca_certificate": ca.pem, "ca_private_key": ca.key_file.read_text()}
    rule = {"strategy": "reissue", "grace": 0, "config": {"common_name": "db1.example.com", "ttl": "1h"}}
    setting = Setting(writing_server, make_agent, "x509", {"allowed_domains": ["example.com"], "crl_file": str(crl)}, admin,
                      {"certificate": "none yet", "private_key": "none yet"}, rule)
    setting.rotate()
    setting.agent.wait_content("app", "certificate", setting.current()["certificate"])
    first = setting.current()
    scratch = tmp_path / "other"
    values = setting.through(lambda fields: handshake(ca.pem, fields, scratch))
    numbers = [x509.load_pem_x509_certificate(v["certificate"].encode()).serial_number for v in [first, *values]]
    assert len(set(numbers)) == ROTATIONS + 1
    revoked = x509.load_pem_x509_crl(crl.read_bytes())
    assert revoked.is_signature_valid(ca.crt.public_key())
    assert [e.serial_number for e in revoked] == numbers[:-1]
    assert {"ca_chain", "serial_number", "not_before", "not_after"} <= set(values[-1])
    logs = writing_server.log() + setting.agent.log()
    assert not [v for v in values if v["private_key"].splitlines()[1] in logs]
    r = setting.client.post(f"sys/rotation/check/{setting.path}", {})
    assert r.status == 200, r


@needs("x509")
def test_a_rule_cannot_leave_what_the_target_allows(server, make_agent, tmp_path):
    ca = Pki(tmp_path).ca("test authority")
    admin = {"ca_certificate": ca.pem, "ca_private_key": ca.key_file.read_text()}
    rule = {"strategy": "reissue", "config": {"common_name": "evil.org"}}
    setting = Setting(server, make_agent, "x509", {"allowed_domains": ["example.com"]}, admin,
                      {"certificate": "none yet", "private_key": "none yet"}, rule)
    r = setting.client.post(f"sys/rotation/rotate/{setting.path}", {"timeout": "30s"})
    wait_for("it to end", lambda: setting.status()["ended"])
    assert setting.status()["state"] == "failed" and "allowed_domains" in setting.status()["error"], r
    assert setting.current()["certificate"] == "none yet"
    for config in {"allowed_domains": ["org"]}, {"crl_file": "/tmp/x"}, {"max_ttl": "100d"}, {"organization": "admins"}:
        r = setting.client.post(f"sys/rotation/config/{setting.path}", {"config": config})
        assert r.status == 400 and "single secret" in str(r.errors), r


# --- key pairs -----------------------------------------------------------------------------


@pytest.fixture
def ssh_host():
    if not Sshd.available:
        pytest.skip("sshd is not installed")
    with Sshd() as h:
        yield h


@needs("ssh-key")
def test_ssh_keys_without_a_refused_login(server, make_agent, ssh_host):
    def use(fields):
        assert ssh_host.can_login(fields["private_key"])

    before = ssh_host.keys()
    config = {k: v for k, v in ssh_host.config.items() if k != "account"}
    rule = {"strategy": "dual_key", "accounts": [ssh_host.account], "grace": "2s"}
    setting = Setting(server, make_agent, "ssh-key", config, ssh_host.admin, {"private_key": "none yet"}, rule)
    setting.rotate()
    first = setting.current()
    setting.agent.wait_content("app", "private_key", first["private_key"])
    values = setting.through(use, 5)
    # One key is left: the current one.
    assert ssh_host.keys() == before + [values[-1]["public_key"]]
    assert not any(ssh_host.can_login(v["private_key"]) for v in [first, *values[:-1]])
    assert values[-1]["username"] == ssh_host.account
    logs = server.log() + setting.agent.log()
    assert not [v for v in values if v["private_key"].splitlines()[1] in logs]


@needs("ssh-key")
def test_a_host_that_is_gone_for_a_while(server, make_agent, ssh_host):
    config = {k: v for k, v in ssh_host.config.items() if k != "account"}
    rule = {"strategy": "dual_key", "accounts": [ssh_host.account], "grace": 0}
    setting = Setting(server, make_agent, "ssh-key", config, ssh_host.admin, {"private_key": "none yet"}, rule)
    before = ssh_host.keys()
    ssh_host.kill()
    try:
        setting.client.post(f"sys/rotation/rotate/{setting.path}", {"wait": False})
        wait_for("it to be tried", lambda: setting.status()["tries"] > 0)
        assert setting.current()["private_key"] == "none yet"
    finally:
        ssh_host.start()
    wait_for("it to end", lambda: setting.status()["ended"], seconds=60)
    assert setting.status()["state"] == "converged", setting.status()
    assert ssh_host.keys() == before + [setting.current()["public_key"]]


# --- keys of a service ---------------------------------------------------------------------


def key_setting(server, make_agent, service, **rule):
    config = key_config(service)
    account = config.pop("account")
    return Setting(server, make_agent, "http", config, {"token": service.token}, {"api_key": "none yet"},
                   {"strategy": "dual_key", "accounts": [account], **rule})


@needs("http")
def test_api_keys_without_a_refused_request(server, make_agent):
    with KeyService() as service:
        def use(fields):
            assert service.can_login(fields["api_key"])

        setting = key_setting(server, make_agent, service, grace="500ms")
        setting.rotate()
        setting.agent.wait_content("app", "api_key", setting.current()["api_key"])
        values = setting.through(use)
        # The service takes two keys at most, and has one: the current one.
        assert [k["key"] for k in service.keys.values()] == [values[-1]["api_key"]]
        logs = server.log() + setting.agent.log()
        assert not [v for v in [service.token, *(v["api_key"] for v in values)] if v in logs]


@needs("http")
def test_a_reply_is_lost_after_the_key_was_made(server, make_agent):
    with KeyService() as service:
        setting = key_setting(server, make_agent, service, grace=0)
        setting.rotate()
        made = len(service.requests)
        # list, then make without telling
        service.next_replies = [{"status": 200, "body": {"keys": []}}, {"done": True, "drop": True}]
        setting.client.post(f"sys/rotation/rotate/{setting.path}", {"wait": False})
        wait_for("it to end", lambda: setting.status()["ended"] and setting.status()["version"] == 3, seconds=60)
        assert setting.status()["state"] == "converged" and len(service.requests) > made
        assert [k["key"] for k in service.keys.values()] == [setting.current()["api_key"]]


@needs("http")
def test_a_service_that_asks_to_wait(server, make_agent):
    with KeyService() as service:
        setting = key_setting(server, make_agent, service, grace=0)
        service.next_replies = [{"status": 429, "headers": {"Retry-After": "2"}}]
        setting.client.post(f"sys/rotation/rotate/{setting.path}", {"wait": False})
        wait_for("it to end", lambda: setting.status()["ended"], seconds=60)
        assert setting.status()["state"] == "converged" and len(service.keys) == 1


@needs("http")
def test_passwords_of_two_users(server, make_agent):
    with KeyService() as service:
        service.users.update(a="first-value", b="other-value")
        config = user_config(service)
        config["requests"]["retire"] = {**config["requests"]["set"], "url": "/v1/users/{{previous.username}}",
                                        "body": {"password": "-{{attempt}}-"}}

        def use(fields):
            assert service.users[fields["username"]] == fields["password"]

        setting = Setting(server, make_agent, "http", config, {"token": service.token}, {"password": "first-value", "username": "a"},
                          {"strategy": "dual_user", "accounts": ["a", "b"], "field": "password", "grace": "500ms"})
        values = setting.through(use, 6)
        assert service.users[values[-1]["username"]] == values[-1]["password"]
        assert not [v for v in values[:-1] if service.users[v["username"]] == v["password"]]
