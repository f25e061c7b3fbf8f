# SPDX-License-Identifier: Apache-2.0
"""The agent's side of the host protocol, for tests that must misbehave."""
import base64
import ctypes
import ctypes.util
import hashlib
import struct

_na = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")
_na.sodium_init()
NO_PIN = bytes(32)


def _b64(b):
    return base64.b64encode(b).decode()


def _hash(context, token, n):
    return hashlib.blake2b(context + b"\0" + token.encode(), digest_size=n).digest()


def _mac(key, *parts):
    return hashlib.blake2b(b"".join(parts), key=key, digest_size=32).digest()


def open_sealed(sealed, box_pk, box_sk):
    out = ctypes.create_string_buffer(len(sealed))
    if _na.crypto_box_seal_open(out, sealed, ctypes.c_ulonglong(len(sealed)), box_pk, box_sk) != 0:
        return None
    return out.raw[:len(sealed) - 48]


def verify(signature, message, pk):
    return _na.crypto_sign_verify_detached(signature, message, ctypes.c_ulonglong(len(message)), pk) == 0


class Host:
    """One agent identity."""

    def __init__(self, server):
        self.server = server
        self.c = server.client(token=None)
        pk, sk = ctypes.create_string_buffer(32), ctypes.create_string_buffer(64)
        _na.crypto_sign_keypair(pk, sk)
        self.sign_pk, self._sign_sk = pk.raw, sk.raw
        pk, sk = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
        _na.crypto_box_keypair(pk, sk)
        self.box_pk, self.box_sk = pk.raw, sk.raw
        self.token, self.generation = None, 0

    def sign(self, message):
        out = ctypes.create_string_buffer(64)
        _na.crypto_sign_detached(out, None, message, ctypes.c_ulonglong(len(message)), self._sign_sk)
        return out.raw

    def join_body(self, token, mac=None):
        key = _hash(b"vault/join-key/v1", token, 32)
        if mac is None:
            mac = _mac(key, b"vault/join/v1\0", self.sign_pk, self.box_pk, NO_PIN)
        return {"join_id": _hash(b"vault/join-id/v1", token, 16).hex(), "sign_key": _b64(self.sign_pk),
                "box_key": _b64(self.box_pk), "mac": _b64(mac), "agent_version": "test"}

    def join(self, token, client=None):
        r = (client or self.c).post("auth/host/join", self.join_body(token))
        if r.status == 200:
            d = r.data
            self.host_id, self.vault_id = bytes.fromhex(d["host_id"]), bytes.fromhex(d["vault_id"])
            self.order_pk = base64.b64decode(d["order_key"])
            self.generation = d["generation"]
            key = _hash(b"vault/join-key/v1", token, 32)
            want = _mac(key, b"vault/joined/v1\0", self.host_id, self.vault_id, self.order_pk, self.sign_pk)
            assert base64.b64decode(d["mac"]) == want
        return r

    def challenge(self):
        r = self.c.post("auth/host/challenge", {"host_id": self.host_id.hex()})
        assert r.status == 200, r
        return base64.b64decode(r.data["nonce"])

    def login_body(self, nonce, generation=None, key=None):
        g = self.generation if generation is None else generation
        message = b"vault/host-login/v1\0" + self.vault_id + self.host_id + nonce + struct.pack(">Q", g) + NO_PIN
        return {"host_id": self.host_id.hex(), "nonce": _b64(nonce), "generation": g,
                "signature": _b64((key or self).sign(message)), "agent_version": "test"}

    def login(self, generation=None, keep=True):
        r = self.c.post("auth/host/login", self.login_body(self.challenge(), generation))
        if r.status == 200 and keep:
            self.generation = r.data["generation"]
            self.token = self.c.token = r.json["auth"]["client_token"]
        return r

    def order_is_signed(self, order):
        message = b"vault/host-order/v1\0" + order["op"].encode() + b"\0" + self.host_id + \
            struct.pack(">Q", order["generation"])
        return verify(base64.b64decode(order["signature"]), message, self.order_pk)

    def lease(self, *paths):
        r = self.c.post("sys/agent/leases", {"paths": list(paths)})
        assert r.status == 200, r
        return r.data["leases"]

    def fetch(self, *leases):
        r = self.c.post("sys/agent/fetch", {"leases": list(leases)})
        assert r.status == 200, r
        return r.data["items"]

    def value(self, item):
        """The sealed value: signature checked, then the encoded body."""
        plain = open_sealed(base64.b64decode(item["sealed"]), self.box_pk, self.box_sk)
        assert plain is not None and verify(plain[:64], b"vault/host-value/v1\0" + plain[64:], self.order_pk)
        return plain[64:]

    def ack(self, lease, version, state="applied", **more):
        return self.c.post("sys/agent/ack", {"acks": [{"lease_id": lease, "version": version, "state": state, **more}]})


def joined(server, name, paths, role="web"):
    """A host that has joined and logged in."""
    h = Host(server)
    assert h.join(server.add_host(name, paths, role)["join_token"]).status == 200
    assert h.login().status == 200
    return h
