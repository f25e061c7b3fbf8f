# SPDX-License-Identifier: Apache-2.0
"""vault-rotator-x509: what it issues is judged by OpenSSL and by python3-cryptography."""
import datetime
import ipaddress
import os
import subprocess

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from certs import Pki
from rotator import Rotator
from vaultd import BIN

pytestmark = pytest.mark.skipif(not (BIN / "vault-rotator-x509").exists(), reason="not built")

CONFIG = {"common_name": "db1.example.com", "allowed_domains": ["example.com", "10.0.0.0/8"], "ttl": "1h"}
FIELDS = {"certificate", "private_key", "ca_chain", "serial_number", "not_before", "not_after"}


SIGNS = ("2.5.29.15", bytes.fromhex("03020106"))  # key usage: certificates and lists


class StrictPki(Pki):
    def ca(self, cn, ext=(), **kw):
        return super().ca(cn, ext=[SIGNS, *ext], **kw)


@pytest.fixture
def pki(tmp_path):
    return StrictPki(tmp_path)


def admin_of(ca, *others):
    return {"ca_certificate": ca.pem + "".join(o.pem for o in others), "ca_private_key": ca.key_file.read_text()}


@pytest.fixture
def ca(pki):
    return pki.ca("test authority")


@pytest.fixture
def rotator(ca):
    return Rotator("x509", dict(CONFIG), admin_of(ca))


def create(rotator, config=None, **members):
    answer = rotator.ok("create", config, **members)
    fields = answer.json["fields"]
    assert set(fields) == FIELDS
    assert fields["private_key"] not in answer.err
    return fields


def load(fields):
    return x509.load_pem_x509_certificate(fields["certificate"].encode())


def holding(n, fields):
    return {"version": n, "fields": fields}


def san(crt):
    return crt.extensions.get_extension_for_class(x509.SubjectAlternativeName).value


def openssl_verifies(tmp_path, fields, *words, roots=None):
    (tmp_path / "leaf.pem").write_text(fields["certificate"])
    (tmp_path / "roots.pem").write_text(roots or fields["ca_chain"])
    (tmp_path / "chain.pem").write_text(fields["ca_chain"])
    r = subprocess.run(["openssl", "verify", "-x509_strict", "-CAfile", tmp_path / "roots.pem", "-untrusted", tmp_path / "chain.pem",
                        *words, tmp_path / "leaf.pem"], capture_output=True, text=True, check=False)
    return r.returncode == 0, r.stdout + r.stderr


def test_describe(rotator):
    d = rotator.ok("describe").json["describe"]
    assert d["strategies"] == ["reissue"] and d["overlap"] is True and d["needs_admin"] is True
    assert set(d["ops"]) == {"describe", "create", "probe", "test", "retire", "login"}
    assert d["per_secret"] == ["common_name", "sans", "ttl", "key_type", "usages"] and "value" not in d


def test_a_certificate_that_others_accept(rotator, tmp_path):
    sans = ["DNS:*.a.example.com", "IP:10.1.2.3", "spiffe://example.com/orders", "ops@example.com"]
    fields = create(rotator, {"sans": sans, "organization": "Example", "country": "DE"})
    crt = load(fields)
    for name in ("-verify_hostname", "db1.example.com"), ("-verify_ip", "10.1.2.3"), ("-verify_email", "ops@example.com"):
        ok, said = openssl_verifies(tmp_path, fields, *name)
        assert ok, said
    for purpose in "sslserver", "sslclient":
        assert openssl_verifies(tmp_path, fields, "-purpose", purpose)[0]
    assert not openssl_verifies(tmp_path, fields, "-verify_hostname", "other.example.com")[0]
    assert san(crt).get_values_for_type(x509.DNSName) == ["db1.example.com", "*.a.example.com"]
    assert san(crt).get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("10.1.2.3")]
    assert san(crt).get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://example.com/orders"]
    assert san(crt).get_values_for_type(x509.RFC822Name) == ["ops@example.com"]
    assert crt.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "db1.example.com"
    assert crt.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "Example"
    now = datetime.datetime.utcnow()
    assert now - datetime.timedelta(minutes=6) < crt.not_valid_before < now - datetime.timedelta(minutes=4)
    assert crt.not_valid_after - crt.not_valid_before == datetime.timedelta(minutes=65)
    assert fields["not_after"] == crt.not_valid_after.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert fields["serial_number"] == crt.serial_number.to_bytes(20, "big").hex(":")
    assert crt.extensions.get_extension_for_class(x509.BasicConstraints).value.ca is False
    assert crt.extensions.get_extension_for_class(x509.KeyUsage).critical


@pytest.mark.parametrize("kind, cls, size", [("ec-p256", ec.EllipticCurvePrivateKey, 256), ("ec-p384", ec.EllipticCurvePrivateKey, 384),
                                             ("ed25519", ed25519.Ed25519PrivateKey, None), ("rsa-2048", rsa.RSAPrivateKey, 2048),
                                             ("rsa-3072", rsa.RSAPrivateKey, 3072)])
def test_kinds_of_keys(rotator, tmp_path, kind, cls, size):
    fields = create(rotator, {"key_type": kind})
    key = serialization.load_pem_private_key(fields["private_key"].encode(), None)
    assert isinstance(key, cls) and (size is None or key.key_size == size)
    public = [k.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
              for k in (key.public_key(), load(fields).public_key())]
    assert public[0] == public[1]
    ok, said = openssl_verifies(tmp_path, fields)
    assert ok, said
    usage = load(fields).extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_encipherment == kind.startswith("rsa")
    rotator.ok("test", {"key_type": kind}, pending=holding(2, fields))


@pytest.mark.parametrize("key", [ec.SECP384R1(), "rsa", "ed25519"])
def test_kinds_of_authorities(pki, tmp_path, key):
    if key == "ed25519":
        # python's builder above signs by SHA-256 alone
        crt, pem = tmp_path / "ed.crt", tmp_path / "ed.key"
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", pem, "-out", crt, "-days", "2",
                        "-subj", "/CN=ed", "-addext", "keyUsage=critical,keyCertSign,cRLSign"], check=True, capture_output=True)
        admin = {"ca_certificate": crt.read_text(), "ca_private_key": pem.read_text()}
    else:
        made = rsa.generate_private_key(65537, 2048) if key == "rsa" else ec.generate_private_key(key)
        admin = admin_of(pki.ca("other", key=made))
    fields = create(Rotator("x509", dict(CONFIG), admin))
    ok, said = openssl_verifies(tmp_path, fields)
    assert ok, said


def test_usages(rotator, tmp_path):
    for usage, oid in ("server", ExtendedKeyUsageOID.SERVER_AUTH), ("client", ExtendedKeyUsageOID.CLIENT_AUTH):
        crt = load(create(rotator, {"usages": [usage]}))
        assert list(crt.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [oid]


def test_a_second_call_has_the_same_number(rotator):
    first, second = create(rotator), create(rotator)
    assert first["serial_number"] == second["serial_number"] and first["private_key"] != second["private_key"]
    other = create(rotator, attempt="f" * 32)
    assert other["serial_number"] != first["serial_number"]


def test_the_end_of_the_authority_bounds_it(pki):
    ca = pki.ca("short", days=(-1, 1))
    fields = create(Rotator("x509", CONFIG, admin_of(ca)), {"ttl": "30d"})
    assert load(fields).not_valid_after == ca.crt.not_valid_after
    middle = pki.ca("middle", issuer=ca, days=(-1, 30))
    fields = create(Rotator("x509", CONFIG, admin_of(middle, ca)), {"ttl": "30d"})
    assert load(fields).not_valid_after == ca.crt.not_valid_after


def test_chains(pki, tmp_path):
    root = pki.ca("root")
    middle = pki.ca("middle", issuer=root)
    rotator = Rotator("x509", dict(CONFIG), admin_of(middle, root))
    fields = create(rotator)
    assert fields["ca_chain"] == middle.pem + root.pem
    assert openssl_verifies(tmp_path, fields, roots=root.pem)[0]
    rotator.ok("test", pending=holding(2, fields))
    r = Rotator("x509", CONFIG, admin_of(middle, pki.ca("stranger"))).refused("create")
    assert r.cls == "permanent" and "certificate 1" in r.message and "not signed by the next" in r.message


def test_authorities_that_may_not_sign(pki, ca):
    weak = pki.ca("weak", key=rsa.generate_private_key(65537, 1024))
    leaf = pki.make("leaf")
    only_lists = Pki.ca(pki, "lists", ext=[("2.5.29.15", bytes.fromhex("03020102"))])
    cases = {
        "may not sign certificates": admin_of(only_lists),
        "has expired": admin_of(pki.ca("old", days=(-10, -1))),
        "not valid yet": admin_of(pki.ca("young", days=(1, 10))),
        "weak key": admin_of(weak),
        "is not one of an authority": admin_of(leaf),
        "does not belong": {**admin_of(ca), "ca_private_key": leaf.key_file.read_text()},
        "no PEM of a private key": {**admin_of(ca), "ca_private_key": "x"},
        "no PEM of one to 8 certificates": {**admin_of(ca), "ca_certificate": "x"},
        "has no 'ca_certificate'": {"username": "x"},
        "no 'admin'": None,
    }
    for why, admin in cases.items():
        for op in "create", "login", "probe":
            r = Rotator("x509", CONFIG, admin).refused(op)
            assert r.cls == "permanent" and why in r.message, (why, op, r)


def test_names_beyond_what_is_allowed(rotator):
    for config in ({"common_name": "evil.org"}, {"sans": ["evil.org"]}, {"sans": ["11.0.0.1"]}, {"sans": ["a@evil.org"]},
                   {"sans": ["a@evil.org@example.com"]}, {"sans": ["https://evil.org\\\\@example.com/"]},
                   {"allowed_domains": []}, {"allowed_domains": None}):
        assert rotator.refused("create", config).cls == "permanent", config


def test_constraints_of_the_authority_itself(pki):
    der = bytes.fromhex("3010a00e300c820a6f746865722e74657374")  # permitted: DNS:other.test
    r = Rotator("x509", CONFIG, admin_of(pki.ca("bound", ext=[("2.5.29.30", der)]))).refused("create")
    assert r.cls == "permanent" and "constraints" in r.message


def test_constraints_of_those_above_the_authority(pki, tmp_path):
    """Who trusts the root asks all that lies between it and the certificate."""
    der = bytes.fromhex("3010a00e300c820a6f746865722e74657374")  # permitted: DNS:other.test
    inside = {"san": [x509.DNSName("ca.other.test")]}
    root = pki.ca("root", ext=[("2.5.29.30", der)])
    middle = pki.ca("middle", issuer=root, **inside)
    free = pki.ca("free")
    bound = pki.ca("bound", issuer=free, ext=[("2.5.29.30", der)])
    lows = [pki.ca("low", issuer=i, **inside) for i in (middle, bound)]
    for chain in [(middle, root), (lows[0], middle, root), (lows[1], bound, free)]:
        admin = admin_of(*chain)
        r = Rotator("x509", CONFIG, admin).refused("create")
        assert r.cls == "permanent" and "constraints" in r.message, r
        fields = create(Rotator("x509", {"common_name": "a.other.test", "allowed_domains": ["other.test"]}, admin))
        assert openssl_verifies(tmp_path, fields, roots=chain[-1].pem)[0]
    r = Rotator("x509", CONFIG, admin_of(pki.ca("outside", issuer=root), root)).refused("login")
    assert r.cls == "permanent" and "certificate 1 of admin.ca_certificate is not allowed by the next" in r.message


def test_a_test_finds_what_is_wrong(rotator, pki, ca):
    fields, other = create(rotator), create(rotator, attempt="e" * 32)
    rotator.ok("test", pending=holding(2, fields))
    cases = [
        ({**fields, "private_key": other["private_key"]}, None, "do not belong together"),
        ({**fields, "certificate": "x"}, None, "no PEM"),
        ({"certificate": fields["certificate"]}, None, "no private key"),
        (fields, {"sans": ["more.example.com"]}, "is not for 'more.example.com'"),
    ]
    for pending, config, why in cases:
        r = rotator.refused("test", config, pending=holding(2, pending))
        assert r.cls == "permanent" and why in r.message, r
    stranger = pki.ca("stranger")
    r = Rotator("x509", CONFIG, admin_of(stranger)).refused("test", pending=holding(2, fields))
    assert "not signed by the authority" in r.message
    old = pki.make("db1.example.com", issuer=ca, days=(-3, -1))
    expired = {"certificate": old.pem, "private_key": old.key_file.read_text()}
    assert "has expired" in rotator.refused("test", pending=holding(2, expired)).message


def test_a_probe(rotator, pki, ca):
    good, other = create(rotator), create(rotator, attempt="e" * 32)
    mixed = {**good, "private_key": other["private_key"]}
    p = rotator.ok("probe", current=holding(1, good), pending=holding(2, mixed), previous=holding(0, {"note": "x"})).probe
    assert p == ("valid", "invalid", "unknown")
    old = pki.make("db1.example.com", issuer=ca, days=(-3, -1))
    expired = {"certificate": old.pem, "private_key": old.key_file.read_text()}
    foreign = create(Rotator("x509", CONFIG, admin_of(pki.ca("stranger"))))
    p = rotator.ok("probe", current=holding(1, expired), pending=holding(2, foreign)).probe
    assert p == ("invalid", "invalid", None)
    assert rotator.ok("probe", current=holding(1, {"certificate": "x", "private_key": "y"})).probe == ("invalid", None, None)


def test_retire_without_a_list(rotator):
    fields = create(rotator)
    assert rotator.ok("retire", current=holding(2, fields), previous=holding(1, fields)).status == "noop"


def entries(path, ca):
    crl = x509.load_pem_x509_crl(path.read_bytes())
    assert crl.is_signature_valid(ca.crt.public_key()) and crl.issuer == ca.crt.subject
    assert crl.next_update > datetime.datetime.utcnow() + datetime.timedelta(days=7)
    return crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number, [e.serial_number for e in crl]


def test_retire_revokes(rotator, ca, tmp_path):
    path = tmp_path / "list.pem"
    config = {"crl_file": str(path)}
    made = [create(rotator, attempt=c * 32) for c in "abc"]
    numbers = [load(f).serial_number for f in made]
    assert rotator.ok("retire", config, current=holding(2, made[1]), previous=holding(1, made[0])).status == "ok"
    assert entries(path, ca) == (1, numbers[:1]) and path.stat().st_mode & 0o777 == 0o644
    assert rotator.ok("retire", config, current=holding(2, made[1]), previous=holding(1, made[0])).status == "noop"
    assert rotator.ok("retire", config, current=holding(3, made[2]), previous=holding(2, made[1])).status == "ok"
    assert entries(path, ca) == (2, numbers[:2])
    assert os.listdir(tmp_path).count("list.pem") == 1 and not [n for n in os.listdir(tmp_path) if "tmp" in n]
    ok, said = openssl_verifies(tmp_path, made[0], "-crl_check", "-CRLfile", path)
    assert not ok and "revoked" in said
    assert openssl_verifies(tmp_path, made[2], "-crl_check", "-CRLfile", path)[0]
    p = rotator.ok("probe", config, current=holding(3, made[2]), previous=holding(2, made[1])).probe
    assert p == ("valid", None, "invalid")
    assert "it is revoked" in rotator.refused("test", config, pending=holding(2, made[0])).message
    for nothing in None, holding(1, {"certificate": "none yet", "private_key": "none yet"}), holding(1, {"note": "x"}):
        assert rotator.ok("retire", config, current=holding(2, made[1]), previous=nothing).status == "noop"
    r = rotator.refused("retire", config, current=holding(3, made[2]), previous=holding(3, made[2]))
    assert r.cls == "permanent" and "in use" in r.message and len(entries(path, ca)[1]) == 2


def test_a_list_by_somebody_else_is_not_signed(rotator, pki, tmp_path):
    path = tmp_path / "list.pem"
    made, current = create(rotator), create(rotator, attempt="b" * 32)
    stranger = Rotator("x509", CONFIG, admin_of(pki.ca("test authority")))
    theirs, later = create(stranger), create(stranger, attempt="b" * 32)
    stranger.ok("retire", {"crl_file": str(path)}, current=holding(2, later), previous=holding(1, theirs))
    before = path.read_bytes()
    for text in before, b"nonsense":
        path.write_bytes(text)
        r = rotator.refused("retire", {"crl_file": str(path)}, current=holding(2, current), previous=holding(1, made))
        assert r.cls == "permanent" and path.read_bytes() == text
        # Nothing is said of a certificate by a list that nobody can read.
        assert rotator.ok("probe", {"crl_file": str(path)}, current=holding(1, made)).probe == ("unknown", None, None)
    for bad in "list.pem", str(tmp_path / "none/list.pem"), "/":
        assert rotator.refused("retire", {"crl_file": bad}, current=holding(2, current), previous=holding(1, made)).cls == "permanent"
