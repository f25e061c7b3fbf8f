# SPDX-License-Identifier: Apache-2.0
"""vault-rotator-ssh-key against a real sshd; OpenSSH's own programs judge the keys that it makes."""
import json
import os
import signal
import socket
import subprocess
import threading
import time

import pytest

from rotator import ATTEMPT, Rotator
from sshd import Sshd, keygen
from vaultd import BIN

pytestmark = pytest.mark.skipif(not Sshd.available or not (BIN / "vault-rotator-ssh-key").exists(), reason="no sshd, or not built")

FIELDS = {"username", "private_key", "public_key", "fingerprint"}


@pytest.fixture(scope="module")
def module_host():
    with Sshd() as h:
        yield h


@pytest.fixture
def host(module_host):
    before = module_host.file.read_text()
    yield module_host
    if module_host.file.is_symlink() or not module_host.file.exists():
        module_host.file.unlink(missing_ok=True)
    module_host.file.write_text(before)
    module_host.own()


@pytest.fixture
def rotator(host):
    return Rotator("ssh-key", {**host.config, "strategy": "dual_key"}, host.admin)


def create(rotator, config=None, **members):
    answer = rotator.ok("create", config, **members)
    fields = answer.json["fields"]
    assert set(fields) == FIELDS and fields["private_key"] not in answer.err
    return fields


def holding(n, fields):
    return {"version": n, "fields": fields}


def keygen_says(*words, data):
    r = subprocess.run(["ssh-keygen", *words, "-f", "/dev/stdin"], input=data, capture_output=True, text=True, check=False)
    return r.stdout


def test_describe(rotator):
    d = rotator.ok("describe").json["describe"]
    assert d["strategies"] == ["dual_key"] and d["overlap"] is True and d["per_secret"] == ["key_type"] and "value" not in d
    assert set(d["ops"]) == {"describe", "create", "probe", "test", "retire", "login"}


@pytest.mark.parametrize("kind", ["ed25519", "rsa-2048", "rsa-3072"])
def test_a_new_key_opens_the_account(host, rotator, tmp_path, kind):
    before, status = host.keys(), host.file.stat()
    fields = create(rotator, {"key_type": kind})
    assert host.can_login(fields["private_key"])
    key = tmp_path / "key"
    key.touch(0o600)
    key.write_text(fields["private_key"])
    public = subprocess.run(["ssh-keygen", "-y", "-f", key], capture_output=True, text=True, check=True).stdout.split()
    assert public[:2] == fields["public_key"].split()[:2]
    assert fields["fingerprint"] == keygen_says("-l", data=fields["public_key"]).split()[1]
    assert fields["private_key"].startswith("-----BEGIN OPENSSH PRIVATE KEY-----\n")
    assert fields["public_key"].endswith(f" vaultd-{ATTEMPT}") and fields["username"] == host.account
    assert host.keys() == before + [fields["public_key"]]
    now = host.file.stat()
    assert (now.st_mode, now.st_uid, now.st_gid) == (status.st_mode, status.st_uid, status.st_gid)
    assert os.listdir(host.file.parent) == ["authorized_keys"]
    assert rotator.ok("test", pending=holding(2, fields)).status == "ok"


def test_a_second_call_replaces_what_the_first_has_made(host, rotator):
    before = host.keys()
    first, second = create(rotator), create(rotator)
    assert host.keys() == before + [second["public_key"]]
    assert host.can_login(second["private_key"]) and not host.can_login(first["private_key"])
    other = create(rotator, attempt="f" * 32)
    assert host.keys() == before + [second["public_key"], other["public_key"]]


def test_from_one_key_to_the_next(host, rotator):
    old = create(rotator, attempt="a" * 32)
    new = create(rotator)
    assert rotator.ok("probe", current=holding(1, old), pending=holding(2, new)).probe == ("valid", "valid", None)
    done = {"current": holding(2, new), "previous": holding(1, old)}
    assert rotator.ok("retire", **done).status == "ok"
    assert rotator.ok("retire", **done).status == "noop"
    assert host.can_login(new["private_key"]) and not host.can_login(old["private_key"])
    assert rotator.ok("probe", current=holding(2, new), previous=holding(1, old)).probe == ("valid", None, "invalid")
    r = rotator.refused("test", pending=holding(2, old))
    assert r.cls == "permanent" and "refuses the new key" in r.message


def test_an_attempt_that_is_taken_back(host, rotator):
    """Its new key goes; where nobody has heard of that, the copy of the old one stays."""
    old = create(rotator, attempt="a" * 32)
    new = create(rotator)
    assert rotator.ok("retire", current=holding(1, old), previous=holding(2, new)).status == "ok"
    assert host.can_login(old["private_key"]) and not host.can_login(new["private_key"])
    lost = create(rotator)
    assert rotator.ok("retire", current=holding(1, old), previous=holding(2, old)).status == "ok"
    assert host.can_login(old["private_key"]) and not host.can_login(lost["private_key"])
    assert rotator.ok("retire", current=holding(1, old), previous=holding(2, old)).status == "noop"


def test_an_account_changes_itself(host, rotator):
    old = create(rotator, attempt="a" * 32)
    rotator.admin = None
    new = create(rotator, current=holding(1, old))
    assert rotator.ok("retire", current=holding(2, new), previous=holding(1, old)).status == "ok"
    assert host.can_login(new["private_key"]) and not host.can_login(old["private_key"])
    assert rotator.refused("create", current=holding(1, {"note": "x"})).cls == "permanent"


def test_the_key_that_acts_is_not_taken_away(host, rotator):
    new = create(rotator)
    r = rotator.refused("retire", current=holding(2, new), previous=holding(1, rotator.admin))
    assert r.cls == "permanent" and "admin" in r.message and host.can_login(rotator.admin["private_key"])


def test_other_lines_are_left_alone(host, rotator, tmp_path):
    blob = (keygen(tmp_path / "x").with_suffix(".pub")).read_text().split()
    lines = ["# vaultd-" + ATTEMPT, "", f'command="echo ssh-rsa vaultd-{ATTEMPT}",restrict {blob[0]} {blob[1]} somebody', "nonsense",
             f"{blob[0]} {blob[1]} vaultd-{ATTEMPT} and more"]
    with open(host.file, "a", encoding="ascii") as f:
        f.write("\n".join(lines))  # and no end of the last line
    before = host.keys()
    fields = create(rotator, {"options": 'restrict,from="127.0.0.1"'})
    fields = create(rotator, {"options": 'restrict,from="127.0.0.1"'})
    assert host.keys() == before + ['restrict,from="127.0.0.1" ' + fields["public_key"]]
    assert host.can_login(fields["private_key"])
    assert rotator.refused("create", {"options": "a\nb"}).cls == "permanent"
    old = {"public_key": " ".join(blob)}
    assert rotator.ok("retire", current=holding(2, fields), previous=holding(1, old)).status == "ok"
    assert host.keys() == [line for line in before if blob[1] not in line] + ['restrict,from="127.0.0.1" ' + fields["public_key"]]


def test_a_file_that_is_not_there_is_made(host, rotator):
    admin = host.keys()
    config = {"authorized_keys": "deep/authorized_keys"}
    create(rotator, config)
    made = host.home / "deep" / "authorized_keys"
    assert made.stat().st_mode & 0o777 == 0o600 and made.parent.stat().st_mode & 0o777 == 0o700
    assert host.keys() == admin


def test_a_link_is_not_followed(host, rotator, tmp_path):
    target = host.home / "elsewhere"
    target.write_text("")
    (host.home / "link").symlink_to(target)
    r = rotator.refused("create", {"authorized_keys": "link"})
    assert r.cls == "permanent" and "link" in r.message and target.read_text() == ""


def test_only_the_account_of_the_configuration(rotator):
    r = rotator.refused("create", {"account": "root"})
    assert r.cls == "permanent" and "{{account}}" in r.message
    for config in ({"account": "../x", "authorized_keys": "/keys/{{account}}"}, {"account": "root", "authorized_keys": "keys/{{account}}"},
                   {"account": None}, {"authorized_keys": "/keys/../x"}):
        assert rotator.refused("create", config).cls == "permanent", config


def test_the_host_proves_itself_first(host, rotator, tmp_path):
    other = (keygen(tmp_path / "other").with_suffix(".pub")).read_text()
    log = len(host.log())
    for op in "create", "login":
        r = rotator.refused(op, {"host_key": other})
        assert r.cls == "permanent" and "another key" in r.message, r
    assert "Accepted" not in host.log()[log:] and "Failed" not in host.log()[log:]
    fields = create(rotator, {"host_key": host.host_key("rsa")})
    both = {"host_key": other + host.host_key()}
    assert rotator.ok("probe", both, current=holding(1, fields)).probe == ("valid", None, None)
    assert rotator.ok("probe", {"host_key": other}, current=holding(1, fields)).probe == ("unknown", None, None)
    for bad in None, "", "ssh-ed25519", "ssh-ed25519 AAAA", "x y z":
        r = rotator.refused("create", {"host_key": bad})
        assert r.cls == "permanent" and "host_key" in r.message, bad


def test_who_acts_is_refused(host, rotator, tmp_path):
    rotator.admin = {"username": host.account, "private_key": keygen(tmp_path / "k").read_text()}
    for op in "create", "login":
        assert rotator.refused(op).cls == "auth"
    rotator.admin = {"username": host.account, "password": "wrong-password"}
    assert rotator.refused("login").cls == "auth"
    rotator.admin = {"username": host.account}
    assert rotator.refused("login").cls == "permanent"


def test_a_key_with_a_passphrase(host, tmp_path):
    path = tmp_path / "locked"
    path.write_bytes(host.admin_key.read_bytes())
    path.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", "some phrase", "-f", path], check=True, capture_output=True)
    admin = {"username": host.account, "private_key": path.read_text(), "passphrase": "some phrase"}
    assert Rotator("ssh-key", host.config, admin).ok("login").status == "ok"
    assert Rotator("ssh-key", host.config, {**admin, "passphrase": "other"}).refused("login").cls == "permanent"


def test_a_probe_tells_unknown_from_invalid(host, rotator, tmp_path):
    fields = create(rotator)
    wrong = {"private_key": keygen(tmp_path / "k").read_text()}
    members = {"current": holding(1, fields), "pending": holding(2, wrong), "previous": holding(0, {"private_key": "x"})}
    assert rotator.ok("probe", **members).probe == ("valid", "invalid", "unknown")
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gone = {"port": closed.getsockname()[1]}
        assert rotator.ok("probe", gone, **members).probe == ("unknown", "unknown", "unknown")
        for op in "create", "test", "retire", "login":
            assert rotator.refused(op, gone, **{**members, "pending": holding(2, fields)}).cls == "retryable", op


def test_a_host_without_keys_knows_nothing_of_them(tmp_path):
    with Sshd("PubkeyAuthentication no", "PasswordAuthentication yes") as h:
        rotator = Rotator("ssh-key", h.config, h.admin)
        assert rotator.ok("probe", current=holding(1, {"private_key": h.admin["private_key"]})).probe == ("unknown", None, None)
        r = rotator.refused("login")
        assert r.cls == "permanent" and "takes no keys" in r.message


def test_servers_that_are_none(rotator):
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            for data in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"SSH-2.0-x\r\n", b"\0" * 100000):
                conn, _ = server.accept()
                conn.sendall(data)
                conn.close()

        t = threading.Thread(target=serve)
        t.start()
        for _ in range(4):
            assert rotator.refused("login", {"port": server.getsockname()[1]}).cls == "retryable"
        t.join()


def test_the_deadline_ends_a_call(rotator):
    with socket.create_server(("127.0.0.1", 0)) as mute:
        answer = rotator.call("login", {"port": mute.getsockname()[1]}, deadline_ms=700)
        assert answer.exit == -signal.SIGALRM or answer.cls == "retryable"


def test_killed_at_any_time(host, rotator):
    """The file is the old one or the new one, and the next call of the attempt goes on."""
    before = host.keys()
    for i in range(12):
        p = rotator.start()
        p.stdin.write(json.dumps(rotator.request("create")).encode())
        p.stdin.close()
        time.sleep(0.02 * i)  # where it dies is all that this decides
        p.kill()
        p.wait()
        p.stdout.close()
        p.stderr.close()
        assert host.keys()[:len(before)] == before and len(host.keys()) <= len(before) + 1
    fields = create(rotator)
    assert host.keys() == before + [fields["public_key"]] and os.listdir(host.file.parent) == ["authorized_keys"]
