# SPDX-License-Identifier: Apache-2.0
"""auth/cert/crls: revocation lists, who may write which, whom they refuse."""
import base64
import pathlib

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa

import certs

NO_CLIENT = "invalid certificate or no client certificate supplied"
NO_CHAIN = "no chain matching all constraints could be found for this login certificate"
MALFORMED = "failed to parse CRL: it is malformed"
NO_TEXT = "failed to parse CRL: neither PEM nor base64 of its DER"
FORGED = "the signature of the revocation list is not its issuer's"
FORBIDDEN = "the certificate of the issuer is not for signing revocation lists"
STRANGER = ("the issuer of the revocation list is not known: no role trusts its certificate; put that beside the list, "
            "PEM, if a trusted CA has issued it")


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certs.Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def ca(pki):
    return pki.ca("an authority")


@pytest.fixture(scope="module")
def other_ca(pki):
    return pki.ca("another authority")


@pytest.fixture
def web(pki, ca):
    return pki.make("web", ca)


@pytest.fixture(scope="module", autouse=True)
def methods(server):
    c = server.client()
    for mount in ("cert", "second"):
        assert c.post(f"sys/auth/{mount}", {"type": "cert"}).status == 204
    c.close()


@pytest.fixture(autouse=True)
def role(c, ca, methods):
    """Each test starts with one role and no list."""
    for mount in ("cert", "second"):
        assert c.post(f"auth/{mount}/certs/role", {"certificate": ca.pem, "token_ttl": "10m"}).status == 204
    yield
    for mount in ("cert", "second"):
        for kind in ("certs", "crls"):
            r = c.list(f"auth/{mount}/{kind}")
            for name in r.data["keys"] if r.status == 200 else []:
                assert c.delete(f"auth/{mount}/{kind}/{name}").status == 204
    assert c.post("auth/cert/config", {"disable_binding": False}).status == 204


def put(c, name, text, mount="cert"):
    return c.post(f"auth/{mount}/crls/{name}", {"crl": text})


def write(c, name, crl, *given, mount="cert"):
    r = put(c, name, crl.pem + "".join(g.pem for g in given), mount)
    assert r.status == 204, r


def login(server, cert, name=None, mount="cert"):
    c = server.client(token=None, cert=cert.files)
    try:
        return c.post(f"auth/{mount}/login", {"name": name} if name else {})
    finally:
        c.close()


def refused(r, text=NO_CHAIN):
    assert (r.status, r.errors) == (400, [text]), r


def let_in(r):
    assert r.status == 200, r


# --- the list as an object ------------------------------------------------------------------


def test_read_back(c, ca):
    assert c.list("auth/cert/crls").status == 404
    refused(c.get("auth/cert/crls/mine"), "no such CRL mine")
    refused(c.delete("auth/cert/crls/mine"), "no such CRL mine")
    big = 2**159 - 12345
    write(c, "Mine", certs.crl(ca, 1, 255, 256, big, 256))
    d = c.get("auth/cert/crls/mine").data
    assert d["serials"] == {"1": {}, "255": {}, "256": {}, str(big): {}}
    assert d["this_update"].endswith("Z") and d["this_update"] < d["next_update"]
    write(c, "second", certs.crl(ca))
    assert "serials" not in c.get("auth/cert/crls/second").data
    assert c.list("auth/cert/crls").data["keys"] == ["mine", "second"]
    assert c.list("auth/second/crls").status == 404
    assert c.delete("auth/cert/crls/MINE").status == 204
    assert c.list("auth/cert/crls").data["keys"] == ["second"]


def test_forms_of_the_text(server, c, ca, web):
    crl = certs.crl(ca, web)
    text = base64.b64encode(crl.der).decode()
    for body in (text, "\r\n".join(text[i:i + 64] for i in range(0, len(text), 64)) + "\n",
                 f"# a list\r\n{crl.pem}".replace("\n", "\r\n"), ca.pem + crl.pem, crl.pem + ca.pem):
        let_in(login(server, web))
        assert put(c, "x", body).status == 204
        refused(login(server, web))
        assert c.delete("auth/cert/crls/x").status == 204


def test_what_is_no_list_is_refused(c, ca, web):
    def b64(data):
        return base64.b64encode(data).decode()

    pem, der = certs.crl(ca, web).pem, certs.crl(ca, web).der
    for text, why in (("", NO_TEXT), ("no list", NO_TEXT), (pem[:-20], NO_TEXT), (ca.pem, NO_TEXT), (b64(ca.der), MALFORMED),
                      (b64(der[:-1]), MALFORMED), (b64(der + b"\0"), MALFORMED), (b64(b"\x30\x00"), MALFORMED),
                      (pem.replace("\n", "\n!", 2), NO_TEXT),
                      (pem + pem, "'crl' must be one revocation list: write others under names of their own"),
                      (pem + ca.pem * 5, "at most 4 certificates may come with a revocation list"),
                      (pem + ca.key_file.read_text(), "'crl' holds something else than a revocation list and certificates"),
                      ("x" * (800 * 1024 + 1), "'crl': at most 819200 bytes")):
        refused(put(c, "bad", text), why)
    assert c.list("auth/cert/crls").status == 404


def test_nothing_is_fetched(c, ca):
    refused(c.post("auth/cert/crls/x", {}), "one of 'crl' or 'url' must be provided")
    for body in ({"url": "http://127.0.0.1/crl"}, {"url": "http://127.0.0.1/crl", "crl": certs.crl(ca).pem}):
        refused(c.post("auth/cert/crls/x", body), "'url' is not supported, the vault opens no connections: fetch the "
                "revocation list and write it as 'crl'")


def test_partial_lists_are_refused(c, ca):
    refused(put(c, "x", certs.crl(ca, 5, ext=[(x509.DeltaCRLIndicator(1), True)]).pem),
            "the revocation list is a delta: complete ones are supported alone")
    scope = dict(full_name=None, relative_name=None, only_contains_ca_certs=False, only_some_reasons=None,
                 only_contains_attribute_certs=False)
    idp = x509.IssuingDistributionPoint(only_contains_user_certs=False, indirect_crl=True, **scope)
    refused(put(c, "x", certs.crl(ca, 5, ext=[(idp, True)]).pem),
            "the revocation list is an indirect one: lists of the issuers themselves are supported alone")
    unknown = "the revocation list has a critical extension that is not supported"
    odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3"), b"\x05\x00")
    refused(put(c, "x", certs.crl(ca, 5, ext=[(odd, True)]).pem), unknown)
    of = x509.CertificateIssuer([x509.DirectoryName(ca.crt.subject)])
    refused(put(c, "x", certs.crl(ca, 5, entry_ext=[(of, True)]).pem), unknown)
    idp = x509.IssuingDistributionPoint(only_contains_user_certs=True, indirect_crl=False, **scope)
    write(c, "x", certs.crl(ca, 5, ext=[(idp, True), (odd, False), (x509.CRLNumber(7), False)],
                            entry_ext=[(x509.CRLReason(x509.ReasonFlags.key_compromise), False)]))
    assert c.get("auth/cert/crls/x").data["serials"] == {"5": {}}


def test_a_list_does_not_go_back(server, c, ca, web):
    write(c, "x", certs.crl(ca, web, days=(-1, 5)))
    before = c.get("auth/cert/crls/x").data
    r = put(c, "x", certs.crl(ca, days=(-2, 5)).pem)
    refused(r, f"the revocation list is older than the one that is there, of {before['this_update']}: delete that first")
    refused(login(server, web))
    assert c.get("auth/cert/crls/x").data == before
    write(c, "x", certs.crl(ca, days=(0, 5)))
    let_in(login(server, web))
    assert c.delete("auth/cert/crls/x").status == 204
    write(c, "x", certs.crl(ca, web, days=(-2, 5)))
    refused(login(server, web))


def test_an_expired_list_holds(server, c, ca, web):
    r = put(c, "x", certs.crl(ca, web, days=(-20, -10)).pem)
    assert r.status == 200 and len(r.json["warnings"]) == 1, r
    due = c.get("auth/cert/crls/x").data["next_update"]
    assert r.json["warnings"] == [f"the revocation list should have been replaced by {due}; it holds until it is"]
    refused(login(server, web))


def test_a_big_list(server, c, ca, web):
    serials = range(2**150, 2**150 + 12500)
    write(c, "big", certs.crl(ca, *serials, web))
    assert len(c.get("auth/cert/crls/big").data["serials"]) == 12501
    refused(login(server, web))
    r = put(c, "big", certs.crl(ca, *serials, *range(2**140, 2**140 + 3500)).pem)
    refused(r, "a revocation list may have at most 524288 bytes")
    refused(login(server, web))


def test_too_many_lists(c, ca):
    for i in range(64):
        write(c, f"l{i:02}", certs.crl(ca, i + 1), mount="second" if i % 2 else "cert")
    refused(put(c, "one-more", certs.crl(ca).pem),
            "all certificate auth methods together may have 64 revocation lists of 8388608 bytes")
    write(c, "l00", certs.crl(ca, 77))
    assert c.delete("auth/second/crls/l01").status == 204
    write(c, "one-more", certs.crl(ca))


# --- who may have signed it -----------------------------------------------------------------


def test_forged_lists_are_refused(server, c, pki, ca, other_ca, web):
    twin = pki.ca("an authority")
    damaged = bytearray(certs.crl(ca, web).der)
    damaged[-1] ^= 1
    for text, why in ((certs.crl(twin, web).pem, FORGED), (certs.crl(twin, web).pem + twin.pem, FORGED),
                      (certs.crl(ca, web, key=other_ca.key).pem, FORGED), (base64.b64encode(damaged).decode(), FORGED),
                      (certs.crl(other_ca, web).pem, STRANGER), (certs.crl(other_ca, web).pem + other_ca.pem, STRANGER),
                      (certs.crl(web, web).pem, STRANGER), (certs.crl(web, web).pem + web.pem, FORBIDDEN)):
        refused(put(c, "x", text), why)
    assert c.list("auth/cert/crls").status == 404
    let_in(login(server, web))


def test_the_signer_must_be_for_that(c, pki):
    usage = b"\x03\x02\x02\x04"  # keyCertSign
    only_certs = pki.ca("only certificates", ext=[("2.5.29.15", usage)])
    assert c.post("auth/cert/certs/only", {"certificate": only_certs.pem}).status == 204
    refused(put(c, "x", certs.crl(only_certs, 5).pem), FORBIDDEN)
    both = pki.ca("both", ext=[("2.5.29.15", b"\x03\x02\x01\x06")])
    assert c.post("auth/cert/certs/only", {"certificate": both.pem}).status == 204
    write(c, "x", certs.crl(both, 5))
    leaf = pki.make("leaf")
    assert c.post("auth/cert/certs/leaf", {"certificate": leaf.pem}).status == 204
    refused(put(c, "y", certs.crl(leaf, 5).pem), FORBIDDEN)


@pytest.mark.parametrize("key,digest", [
    ("rsa", hashes.SHA256()), ("rsa", hashes.SHA384()), ("rsa", hashes.SHA512()), ("ecdsa", hashes.SHA384()),
    ("ecdsa", hashes.SHA512())])
def test_kinds_of_signatures(server, c, pki, key, digest):
    ca = pki.ca("of a kind", key=rsa.generate_private_key(65537, 2048) if key == "rsa" else None)
    leaf = pki.make("leaf", ca)
    assert c.post("auth/cert/certs/kind", {"certificate": ca.pem}).status == 204
    let_in(login(server, leaf))
    write(c, "x", certs.crl(ca, leaf, digest=digest))
    refused(login(server, leaf))


def test_weak_signatures_are_refused(c, ca):
    refused(put(c, "x", certs.crl(ca, 5, digest=hashes.SHA1()).pem),
            "the revocation list is signed with an algorithm that is not accepted")


def test_by_an_intermediate(server, c, pki, ca):
    """Its own certificate is trusted by no role: it comes with the list."""
    middle = pki.ca("middle", issuer=ca)
    low = pki.ca("low", issuer=middle)
    leaf, deep = pki.make("leaf", middle).show(middle), pki.make("deep", low).show(low, middle)
    refused(put(c, "x", certs.crl(middle, leaf).pem), STRANGER)
    stranger = pki.ca("middle")
    refused(put(c, "x", certs.crl(stranger, leaf).pem + stranger.pem), STRANGER)
    refused(put(c, "x", certs.crl(stranger, leaf).pem + middle.pem), FORGED)
    let_in(login(server, leaf))
    write(c, "x", certs.crl(middle, leaf), middle)
    refused(login(server, leaf))
    let_in(login(server, deep))
    refused(put(c, "y", certs.crl(low, deep).pem + low.pem), STRANGER)
    write(c, "y", certs.crl(low, deep), middle, low)
    refused(login(server, deep))


def test_of_a_pinned_certificate(server, c, pki, other_ca):
    """Its issuer vouches for nobody else here, but may take it back."""
    pin, second = pki.make("pin", other_ca), pki.make("second", other_ca)
    for name, cert in (("pin", pin), ("second", second)):
        assert c.post(f"auth/cert/certs/{name}", {"certificate": cert.pem}).status == 204
        let_in(login(server, cert))
    refused(put(c, "x", certs.crl(other_ca, pin).pem), STRANGER)
    write(c, "x", certs.crl(other_ca, pin), other_ca)
    refused(login(server, pin))
    refused(login(server, pin, "pin"))
    let_in(login(server, second))


# --- whom it refuses ------------------------------------------------------------------------


def test_revoked_at_once_and_until_deleted(server, c, pki, ca, web):
    """Also on a connection that was let in before."""
    conn, sibling = server.client(token=None, cert=web.files), pki.make("web", ca)
    for _ in range(3):
        let_in(conn.post("auth/cert/login"))
        write(c, "x", certs.crl(ca, web))
        refused(conn.post("auth/cert/login"))
        refused(conn.post("auth/cert/login", {"name": "role"}))
        refused(login(server, web))
        let_in(login(server, sibling))
        let_in(login(server, web, mount="second"))
        assert c.delete("auth/cert/crls/x").status == 204
    conn.close()


def test_only_its_issuers_certificates(server, c, pki, other_ca, web):
    """A serial number is one issuer's."""
    assert c.post("auth/cert/certs/other", {"certificate": other_ca.pem}).status == 204
    same = pki.make("same", other_ca, serial=web.crt.serial_number)
    write(c, "x", certs.crl(other_ca, same))
    refused(login(server, same))
    let_in(login(server, web))


def test_any_list_counts(server, c, ca, web):
    for names in (("a", "b"), ("b", "a")):
        write(c, names[0], certs.crl(ca, 1, web))
        write(c, names[1], certs.crl(ca, 2))
        refused(login(server, web))
        assert c.delete(f"auth/cert/crls/{names[0]}").status == 204
        let_in(login(server, web))
        assert c.delete(f"auth/cert/crls/{names[1]}").status == 204


def test_an_intermediate_is_revoked(server, c, pki, ca):
    middle, spare = pki.ca("middle", issuer=ca), pki.ca("spare", issuer=ca)
    leaf, other = pki.make("leaf", middle).show(middle), pki.make("leaf", spare).show(spare)
    write(c, "x", certs.crl(ca, middle))
    refused(login(server, leaf))
    let_in(login(server, other))
    leaf.show()
    refused(login(server, leaf), NO_CLIENT)
    assert c.post("auth/cert/certs/middle", {"certificate": middle.pem}).status == 204
    refused(login(server, leaf))
    refused(login(server, leaf, "middle"))
    assert c.delete("auth/cert/crls/x").status == 204
    let_in(login(server, leaf))


@pytest.mark.parametrize("bound", [True, False])
def test_no_renewal(server, c, ca, web, bound):
    assert c.post("auth/cert/config", {"disable_binding": not bound}).status == 204
    token = login(server, web).json["auth"]["client_token"]
    mine, bare = server.client(token=token, cert=web.files), server.client(token=token)
    let_in(mine.post("auth/token/renew-self"))
    write(c, "x", certs.crl(ca, web))
    refused(mine.post("auth/token/renew-self"))
    refused(c.post("auth/token/renew", {"token": token}), NO_CHAIN)
    refused(bare.post("auth/token/renew-self"))
    assert c.delete("auth/cert/crls/x").status == 204
    let_in(mine.post("auth/token/renew-self"))
    mine.close()
    bare.close()


def test_a_list_outlives_the_role(server, c, ca, web):
    write(c, "x", certs.crl(ca, web))
    assert c.delete("auth/cert/certs/role").status == 204
    refused(login(server, web, mount="cert"), NO_CHAIN)
    assert c.post("auth/cert/certs/role", {"certificate": ca.pem}).status == 204
    refused(login(server, web))


def test_a_list_goes_with_its_mount(server, c, ca, web):
    assert c.post("sys/auth/third", {"type": "cert"}).status == 204
    assert c.post("auth/third/certs/role", {"certificate": ca.pem}).status == 204
    write(c, "x", certs.crl(ca, web), mount="third")
    refused(login(server, web, mount="third"))
    assert c.delete("sys/auth/third").status == 204
    assert c.post("sys/auth/third", {"type": "cert"}).status == 204
    assert c.list("auth/third/crls").status == 404
    assert c.post("auth/third/certs/role", {"certificate": ca.pem}).status == 204
    let_in(login(server, web, mount="third"))
    assert c.delete("sys/auth/third").status == 204


def test_policies(server, c, ca):
    assert c.post("sys/policies/acl/crl", {"policy": 'path "auth/cert/crls/x" { capabilities = ["update"] }'}).status == 204
    token = c.post("auth/token/create", {"policies": ["crl"]}).json["auth"]["client_token"]
    writer = server.client(token=token)
    write(writer, "x", certs.crl(ca, 5))
    assert put(writer, "y", certs.crl(ca, 5).pem).status == 403
    assert writer.get("auth/cert/crls/x").status == writer.delete("auth/cert/crls/x").status == 403
    writer.close()


def test_vaultctl(own_server, tmp_path, ca, web):
    s = own_server
    s.ctl("auth", "enable", "cert")
    s.ctl("cert", "write", "web", ca.file)
    crl = pathlib.Path(tmp_path, "list.pem")
    crl.write_text(certs.crl(ca, web).pem)
    s.ctl("crl", "write", "mine", crl)
    assert s.ctl_json("crl", "list")["data"]["keys"] == ["mine"]
    assert s.ctl_json("crl", "read", "mine")["data"]["serials"] == {str(web.crt.serial_number): {}}
    login = ("login", "--method", "cert", "--client-cert", web.file, "--client-key", web.key_file)
    p = s.ctl(*login, token=None, check=False)
    assert p.returncode != 0 and NO_CHAIN in p.stderr
    s.ctl("crl", "delete", "mine", "--yes")
    s.ctl(*login, token=None)
    crl.write_bytes(certs.crl(ca, web).der)
    s.ctl("crl", "write", "mine", crl)
    assert s.ctl(*login, token=None, check=False).returncode != 0
