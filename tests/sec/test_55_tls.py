# SPDX-License-Identifier: Apache-2.0
"""55: what TLS offers and does not, and clients that show odd certificates.

Hundreds of malformed ones are in tests/unit/net/test_role_cert.c: a client must be made for them."""
import contextlib
import shutil
import socket
import ssl
import subprocess

import pytest

import vaultd
from seclib import audit_size, records

openssl = pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl to make certificates and odd clients with")


def context(**kw):
    ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    ctx.check_hostname = False
    ctx.verify_mode = ssl.CERT_NONE
    for k, v in kw.items():
        setattr(ctx, k, v)
    return ctx


@contextlib.contextmanager
def dial(server, ctx, session=None):
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as raw:
        with ctx.wrap_socket(raw, session=session) as s:
            yield s


def ask(s):
    s.sendall(b"GET /v1/sys/leader HTTP/1.1\r\nHost: x\r\n\r\n")
    return s.recv(4096)


def test_a_certificate_of_our_own_names_each_place_once(server):
    x509 = pytest.importorskip("cryptography.x509")
    cert = x509.load_pem_x509_certificate((server.data_dir / "tls" / "cert.pem").read_bytes())
    names = [str(n.value) for n in cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value]
    assert {"localhost", "127.0.0.1", "::1"} <= set(names) and len(names) == len(set(names)), names


def served(server, ctx):
    """What comes back, nothing if the client is refused."""
    try:
        with dial(server, ctx) as s:
            return ask(s)
    except (ssl.SSLError, ConnectionError):
        return b""


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_is_spoken(server, version):
    ctx = context(minimum_version=version, maximum_version=version)
    with dial(server, ctx) as s:
        assert ask(s).startswith(b"HTTP/1.1 200 ")
        assert s.compression() is None
        assert "GCM" in s.cipher()[0] or "CHACHA20" in s.cipher()[0]
        session = s.session
    # no tickets and no cache: nothing to resume, and so no early data either
    assert session is None or not session.has_ticket
    with dial(server, ctx, session if version == ssl.TLSVersion.TLSv1_2 else None) as s:
        assert not s.session_reused
        assert ask(s).startswith(b"HTTP/1.1 200 ")


def test_old_versions_are_refused(server):
    ctx = context()
    ctx.set_ciphers("ALL:@SECLEVEL=0")
    with contextlib.suppress(ValueError, DeprecationWarning):
        ctx.minimum_version = ssl.TLSVersion.TLSv1
        ctx.maximum_version = ssl.TLSVersion.TLSv1_1
    assert served(server, ctx) == b""


@openssl
def test_renegotiation_is_refused(server):
    p = subprocess.Popen(["openssl", "s_client", "-tls1_2", "-legacy_renegotiation", "-connect", f"127.0.0.1:{server.port}"],
                         stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    try:
        p.stdin.write("R\n")
        p.stdin.flush()
        p.wait(30)  # its input stays open: it is the server that ends this
        assert "RENEGOTIATING" in p.stderr.read()
    finally:
        p.kill()
        p.communicate()
    assert server.client().get("sys/leader").status == 200


def certificate(tmp, name, *more, subject="/CN=odd"):
    key, crt = tmp / f"{name}.key", tmp / f"{name}.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30",
                    "-keyout", key, "-out", crt, "-subj", subject, *more], check=True, capture_output=True)
    return crt, key


ODD = {
    "plain": [],
    "a thousand names": ["-addext", "subjectAltName=" + ",".join(f"DNS:n{i}.example" for i in range(700))],
    "otherName": ["-addext", "subjectAltName=otherName:1.2.3.4;UTF8:" + "x" * 3000],
    "large extension": ["-addext", "1.2.3.4.5=DER:" + "0c" + "820bb8" + "61" * 3000],
    "more than is read": ["-addext", "subjectAltName=" + ",".join(f"DNS:{'n' * 50}{i}.example" for i in range(400))],
}


@openssl
@pytest.mark.parametrize("what", ODD)
def test_odd_certificates(server, tmp_path, what):
    """Whoever shows one is served like anybody, or refused; nobody else notices."""
    ctx = context()
    ctx.load_cert_chain(*certificate(tmp_path, "odd", *ODD[what]))
    before = server.roles()
    got = served(server, ctx)
    assert (got == b"") == (what == "more than is read"), got
    assert server.client().get("sys/leader").status == 200
    assert server.roles() == before


@openssl
def test_keys_that_cost_too_much(server, c, tmp_path):
    since = audit_size(c)
    ctx = context()
    key, crt = tmp_path / "rsa.key", tmp_path / "rsa.crt"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-days", "30", "-keyout", key, "-out", crt,
                    "-subj", "/CN=weak"], check=True, capture_output=True)
    ctx.set_ciphers("DEFAULT:@SECLEVEL=0")
    ctx.load_cert_chain(crt, key)
    assert served(server, ctx) == b""

    def counted():
        return any(r["operation"] == "aggregate" and r["error"] == "client key not accepted" for r in records(c, since))
    vaultd.wait_for("the aggregate", counted)
