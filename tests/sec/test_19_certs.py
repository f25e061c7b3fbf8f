# SPDX-License-Identifier: Apache-2.0
"""19: certificates that look like a host's but are not; what vouches for whom. 55: what clients show that is too much."""
import contextlib
import ssl
import subprocess

import pytest
from cryptography import x509

import certs
import vaultd
from seclib import Elsewhere, audit_size, records

NO_CLIENT = "invalid certificate or no client certificate supplied"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certs.Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def ca(pki):
    return pki.ca("an authority")


@pytest.fixture(scope="module")
def host(pki, ca):
    return pki.make("host1", ca, ou=("hosts",), san=[x509.DNSName("host1.example.org")])


@pytest.fixture(scope="module", autouse=True)
def roles(server, ca, host):
    """One role for the authority, one for a certificate, in mounts of their own."""
    c = server.client()
    for mount, pem in (("byca", ca.pem), ("bypin", host.pem)):
        assert c.post(f"sys/auth/{mount}", {"type": "cert"}).status == 204
        assert c.post(f"auth/{mount}/certs/role", {"certificate": pem}).status == 204
    c.close()


def login(server, cert, mount, name=None):
    c = server.client(token=None, cert=cert.files)
    try:
        return c.post(f"auth/{mount}/login", {"name": name} if name else {})
    finally:
        c.close()


def refused(server, cert, *mounts):
    for mount in mounts or ("byca", "bypin"):
        for name in (None, "role"):
            r = login(server, cert, mount, name)
            assert (r.status, r.errors) == (400, [NO_CLIENT]), (mount, r)


def copy_of(pki, host, issuer, **kw):
    """Serial, names and key identifiers of a host; everything but its key."""
    return pki.make("host1", issuer, ou=("hosts",), san=[x509.DNSName("host1.example.org")],
                    serial=host.crt.serial_number, **kw)


def test_19_the_host_itself(server, host):
    for mount in ("byca", "bypin"):
        assert login(server, host, mount).status == 200
        assert login(server, host, mount, "role").status == 200


def test_19_same_names_other_key(server, pki, host):
    """By an authority of the same name, by itself, by an authority that nobody trusts."""
    for issuer in (pki.ca("an authority"), None, pki.ca("host1")):
        refused(server, copy_of(pki, host, issuer))
        if issuer:
            refused(server, copy_of(pki, host, issuer).show(issuer))


def test_19_same_names_other_key_from_the_same_authority(server, pki, host, ca):
    """The authority may vouch for whom it likes; a pin is for one certificate."""
    twin = copy_of(pki, host, ca)
    assert login(server, twin, "byca").status == 200
    refused(server, twin, "bypin")
    refused(server, copy_of(pki, host, ca, key=host.key), "bypin")


def test_19_signed_by_a_host(server, pki, ca, host):
    """A host's certificate is no authority's, whether it is trusted by pin or by chain."""
    for kw in ({}, {"ca": True}):
        evil = pki.make("evil", host, **kw)
        refused(server, evil)
        refused(server, evil.show(host))
        refused(server, evil.show(host, ca))
        if kw:
            refused(server, pki.make("deep", evil).show(evil, host))


def test_19_without_basic_constraints(server, c, pki, tmp_path):
    """Version 1 has none: such a certificate may be pinned, and vouches for nobody else."""
    own = certs.Pki(tmp_path).make("one", None)
    csr = subprocess.run(["openssl", "req", "-new", "-key", own.key_file, "-subj", "/CN=old"], check=True,
                         capture_output=True).stdout
    pem = subprocess.run(["openssl", "x509", "-req", "-signkey", own.key_file, "-days", "5"], input=csr, check=True,
                         capture_output=True).stdout
    old = certs.Cert(tmp_path, x509.load_pem_x509_certificate(pem), own.key, None)
    assert old.crt.version == x509.Version.v1
    assert c.post("sys/auth/old", {"type": "cert"}).status == 204
    assert c.post("auth/old/certs/role", {"certificate": old.pem}).status == 204
    assert login(server, old, "old").status == 200
    evil = pki.make("evil", old)
    refused(server, evil, "old")
    refused(server, evil.show(old), "old")


def test_19_expired_early_and_for_servers(server, pki, host, ca):
    for kw in ({"days": (-30, -1)}, {"days": (1, 30)}, {"eku": (certs.SERVER,)}):
        refused(server, copy_of(pki, host, ca, **kw))


def test_19_an_expired_pin(server, c, pki):
    gone = pki.make("gone", days=(-30, -1))
    assert c.post("auth/bypin/certs/gone", {"certificate": gone.pem}).status == 204
    refused(server, gone, "bypin")
    r = login(server, gone, "bypin", "gone")
    assert (r.status, r.errors) == (400, [NO_CLIENT])


def test_19_a_foreign_chain_does_not_help(server, pki, ca, host):
    """Certificates behind the client's own are no proof of anything."""
    stranger = pki.make("stranger")
    for others in ((ca,), (host, ca), (ca, host)):
        refused(server, stranger.show(*others))


def test_19_key_identifiers_do_not_bind(server, c, pki, ca, host):
    """A sibling renews nothing, whatever its identifiers say (CVE-2026-39388)."""
    token = login(server, host, "byca").json["auth"]["client_token"]
    sibling = copy_of(pki, host, ca, key=host.key)
    assert sibling.extension(x509.SubjectKeyIdentifier) == host.extension(x509.SubjectKeyIdentifier)
    s = server.client(token=token, cert=sibling.files)
    r = s.post("auth/token/renew-self")
    s.close()
    assert r.status == 400 and "not matching" in r.errors[0], r
    s = server.client(token=token, cert=host.files)
    assert s.post("auth/token/renew-self").status == 200
    s.close()


def test_19_logins_are_in_the_log(server, c, pki, host):
    since = audit_size(c)
    for cert, status in ((host, 200), (pki.make("host1"), 400)):
        client = Elsewhere("127.0.0.1", server.port, server.tls, None, cert.files)
        assert client.post("auth/byca/login").status == status
        client.close()
    log = [r for r in records(c, since) if r["path"] == "auth/byca/login"]
    assert [r["outcome"] for r in log] == ["ok", "error"], log
    assert log[0]["note"]["role"] == "role" and log[0]["note"]["accessor"]
    assert log[0]["note"]["certificate"] == vaultd.b64(host.sha256)


def odd_clients(pki, ca):
    many = [x509.DNSName(f"n{i}.example.org") for i in range(300)]
    yield pki.make("many names", ca, san=many)
    yield pki.make("large", ca, ext=[("1.2.3.4", b"\x04\x82\x30\x00" + bytes(0x3000))])
    yield pki.make("larger", ca, ext=[("1.2.3.4", b"\x04\x82\x60\x00" + bytes(0x6000))])
    yield pki.make("other name", ca, san=[x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x0c\x01x")] * 200)
    yield pki.make("line\nbreak", ca)
    yield pki.make("", ca, san=[x509.RFC822Name("a@b")])
    for n in (7, 8, 9, 20):
        yield pki.make("long chain", ca).show(*[ca] * n)


def test_55_too_much_is_refused_and_breaks_nothing(server, c, pki, ca, host):
    before = server.roles()
    for cert in odd_clients(pki, ca):
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            r = login(server, cert, "byca")
            assert r.status in (200, 400), r
    assert login(server, host, "byca").status == 200
    assert server.roles() == before and server.proc.poll() is None
