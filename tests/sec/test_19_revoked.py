# SPDX-License-Identifier: Apache-2.0
"""19: a certificate that is revoked neither logs in nor renews, whatever has been restarted or was connected before."""
import base64
import concurrent.futures
import signal
import threading

import pytest

import certs
import vaultd
from seclib import audit_size, records

NO_CHAIN = "no chain matching all constraints could be found for this login certificate"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certs.Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def ca(pki):
    return pki.ca("an authority")


@pytest.fixture
def host(pki, ca):
    return pki.make("host1", ca)


def enable(c, pem):
    assert c.post("sys/auth/cert", {"type": "cert"}).status == 204
    assert c.post("auth/cert/certs/role", {"certificate": pem, "token_ttl": "10m"}).status == 204


@pytest.fixture
def method(c, ca):
    enable(c, ca.pem)
    yield
    assert c.delete("sys/auth/cert").status == 204


def put(c, crl, name="list"):
    return c.post(f"auth/cert/crls/{name}", {"crl": crl.pem})


def ask(server, path, cert, token=None):
    c = server.client(token=token, cert=cert.files)
    try:
        return c.post(path)
    finally:
        c.close()


def outcome(r):
    return r.status, r.errors if r.status != 200 else None


def refused(server, cert, token):
    for path, tok in (("auth/cert/login", None), ("auth/token/renew-self", token)):
        assert outcome(ask(server, path, cert, tok)) == (400, [NO_CHAIN]), path


def serves(s):
    try:
        return s.client(token=None).get("sys/health").status == 200
    except OSError:
        return False


def new_net(s, end):
    was = s.roles()["net"]
    end()
    vaultd.wait_for("another net", lambda: s.roles().get("net") not in (None, was) and serves(s))


def test_19_revoked_whatever_is_restarted(own_server, pki, ca, host):
    s = own_server
    c = s.client()
    enable(c, ca.pem)
    sibling = pki.make("host1", ca)
    conn = s.client(token=None, cert=host.files)
    token = conn.post("auth/cert/login").json["auth"]["client_token"]
    assert ask(s, "auth/token/renew-self", host, token).status == 200
    assert put(c, certs.crl(ca, host)).status == 204
    assert outcome(conn.post("auth/cert/login")) == (400, [NO_CHAIN]), "on a connection that was let in before"
    refused(s, host, token)
    new_net(s, lambda: s.kill_role("net"))
    refused(s, host, token)
    new_net(s, lambda: s.proc.send_signal(signal.SIGHUP))
    refused(s, host, token)
    c = s.client()
    assert c.post("sys/seal").status == 204
    s.unseal()
    refused(s, host, token)
    s.kill_role("core")
    s.wait_sealed()
    s.unseal()
    refused(s, host, token)
    assert ask(s, "auth/cert/login", sibling).status == 200
    assert s.client().delete("auth/cert/crls/list").status == 204
    assert ask(s, "auth/token/renew-self", host, token).status == 200


def test_19_nobody_slips_in_while_it_is_written(server, c, method, pki, ca, host):
    """What is asked after the answer to the write is refused; the logins before it are let in or refused, no third."""
    stop, seen = threading.Event(), []

    def knock():
        conn = server.client(token=None, cert=host.files)
        after = False
        while not after:
            after = stop.is_set()
            seen.append((after, conn.post("auth/cert/login").status))
        conn.close()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        jobs = [pool.submit(knock) for _ in range(4)]
        vaultd.wait_for("logins", lambda: len(seen) > 8)
        assert put(c, certs.crl(ca, host)).status == 204
        stop.set()
        for j in jobs:
            j.result()
    assert {s for after, s in seen if not after} <= {200, 400} and 200 in {s for _, s in seen}
    assert {s for after, s in seen if after} == {400}


def test_19_a_list_cannot_be_slipped_in(server, c, method, pki, ca, host):
    """By an authority of the same name, unsigned, replayed: what is there stays."""
    old = certs.crl(ca, days=(-2, 9))
    assert put(c, certs.crl(ca, host)).status == 204
    twin = pki.ca("an authority")
    forged = [certs.crl(twin).pem, certs.crl(twin).pem + twin.pem, certs.crl(ca, key=twin.key, days=(0, 9)).pem, old.pem]
    empty = bytearray(certs.crl(ca, days=(0, 9)).der)
    for i in (40, len(empty) - 1):
        damaged = bytearray(empty)
        damaged[i] ^= 1
        forged.append(base64.b64encode(bytes(damaged)).decode())
    for text in forged:
        assert c.post("auth/cert/crls/list", {"crl": text}).status == 400
    assert outcome(ask(server, "auth/cert/login", host)) == (400, [NO_CHAIN])


def test_19_the_log_names_the_list(server, c, method, ca, host):
    since = audit_size(c)
    assert put(c, certs.crl(ca, host, 5), "Mine").status == 204
    assert c.delete("auth/cert/crls/mine").status == 204
    wrote, deleted = [r for r in records(c, since) if r["path"].startswith("auth/cert/crls/")]
    assert (wrote["operation"], deleted["operation"]) == ("update", "delete")
    assert wrote["note"] == {"crl": "mine", "entries": 2, "signer": vaultd.b64(ca.sha256)}
    assert deleted["note"]["crl"] == "mine"


def test_55_hostile_lists_break_nothing(server, c, method, ca, host):
    """Each byte of a list changed in turn: refused, and nothing ends."""
    before = server.roles()
    der = certs.crl(ca, host).der
    for i in range(0, len(der), 3):
        bad = bytearray(der)
        bad[i] ^= 0x81
        r = c.post("auth/cert/crls/bad", {"crl": base64.b64encode(bytes(bad)).decode()})
        assert r.status == 400, (i, r)
    nested = b"\x30\x80" * 5000
    for text in (base64.b64encode(nested).decode(), "-----BEGIN X509 CRL-----\n" * 2000, "-----" * 9000,
                 "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" * 4 + certs.crl(ca).pem * 2):
        assert c.post("auth/cert/crls/bad", {"crl": text}).status == 400
    junk = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" * 4
    assert c.post("auth/cert/crls/good", {"crl": junk + certs.crl(ca, host).pem}).status == 204
    assert c.list("auth/cert/crls").data["keys"] == ["good"]
    assert server.roles() == before and server.proc.poll() is None
