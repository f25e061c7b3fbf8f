# SPDX-License-Identifier: Apache-2.0
"""Certificates made on the spot: authorities, clients, and odd ones."""
import datetime
import hashlib
import itertools

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CLIENT, SERVER = ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH
serials = itertools.count(0x0100)
names = itertools.count()


def colons(data):
    return ":".join(f"{b:02x}" for b in data)


class Cert:
    """A certificate with its key, and the two as files for a TLS client."""

    def __init__(self, tmp, crt, key, issuer):
        self.crt, self.key, self.issuer = crt, key, issuer
        self.der = crt.public_bytes(serialization.Encoding.DER)
        self.pem = crt.public_bytes(serialization.Encoding.PEM).decode()
        self.sha256 = hashlib.sha256(self.der).digest()
        self.file, self.key_file = (tmp / f"cert-{next(names)}.{x}" for x in ("pem", "key"))
        self.key_file.write_bytes(key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        self.show()

    def show(self, *others):
        """What a client sends: this certificate and those behind it."""
        self.file.write_text(self.pem + "".join(o.pem for o in others))
        return self

    @property
    def files(self):
        return str(self.file), str(self.key_file)

    def extension(self, kind):
        return self.crt.extensions.get_extension_for_class(kind).value


def subject(cn, ou):
    parts = [x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, o) for o in ou]
    return x509.Name(parts + ([x509.NameAttribute(NameOID.COMMON_NAME, cn)] if cn else []))


def der_utf8(text):
    return bytes([0x0C, len(text.encode())]) + text.encode()


class Pki:
    def __init__(self, tmp):
        self.tmp = tmp

    def make(self, cn, issuer=None, ca=False, ou=(), san=(), eku=(CLIENT,), ext=(), days=(-1, 30), key=None,
             serial=None, key_ids=True):
        key = key or ec.generate_private_key(ec.SECP256R1())
        now = datetime.datetime.utcnow()
        name = subject(cn, ou)
        b = (x509.CertificateBuilder().subject_name(name).public_key(key.public_key())
             .issuer_name(issuer.crt.subject if issuer else name)
             .serial_number(next(serials) if serial is None else serial)
             .not_valid_before(now + datetime.timedelta(days=days[0]))
             .not_valid_after(now + datetime.timedelta(days=days[1]))
             .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
        by = issuer.key if issuer else key
        if key_ids:
            b = b.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
            b = b.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(by.public_key()), False)
        if san:
            b = b.add_extension(x509.SubjectAlternativeName(list(san)), False)
        if eku and not ca:
            b = b.add_extension(x509.ExtendedKeyUsage(list(eku)), False)
        for oid, der in ext:
            b = b.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), der), False)
        return Cert(self.tmp, b.sign(by, hashes.SHA256()), key, issuer)

    def ca(self, cn, **kw):
        return self.make(cn, ca=True, **kw)


class Crl:
    """A revocation list as DER and PEM."""

    def __init__(self, crl):
        self.der = crl.public_bytes(serialization.Encoding.DER)
        self.pem = crl.public_bytes(serialization.Encoding.PEM).decode()


def crl(issuer, *revoked, days=(-1, 30), key=None, ext=(), entry_ext=(), name=None, digest=None):
    """Signed by ${issuer} (or with ${key}): names certificates, or serial numbers."""
    now = datetime.datetime.utcnow().replace(microsecond=0)
    b = (x509.CertificateRevocationListBuilder().issuer_name(name or issuer.crt.subject)
         .last_update(now + datetime.timedelta(days=days[0])).next_update(now + datetime.timedelta(days=days[1])))
    for r in revoked:
        e = x509.RevokedCertificateBuilder().revocation_date(now).serial_number(getattr(r, "crt", None) and
                                                                                r.crt.serial_number or r)
        for x in entry_ext:
            e = e.add_extension(*x)
        b = b.add_revoked_certificate(e.build())
    for x in ext:
        b = b.add_extension(*x)
    return Crl(b.sign(key or issuer.key, digest or hashes.SHA256()))
