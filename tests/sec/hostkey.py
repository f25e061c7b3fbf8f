# SPDX-License-Identifier: Apache-2.0
"""The agent's half of joining and logging in, so that tests can do it wrongly too."""
import base64
import ctypes
import ctypes.util
import hashlib

from hostwire import decode, joined_answer
from vaultd import b64

sodium = ctypes.CDLL(ctypes.util.find_library("sodium") or "libsodium.so.23")


def blake2b(key, size, *parts):
    h = hashlib.blake2b(digest_size=size, key=key)
    for p in parts:
        h.update(p)
    return h.digest()


class HostKey:
    def __init__(self):
        self.sign_pk, self.sign_sk = (ctypes.create_string_buffer(n) for n in (32, 64))
        self.box_pk, self.box_sk = (ctypes.create_string_buffer(n) for n in (32, 32))
        assert sodium.crypto_sign_keypair(self.sign_pk, self.sign_sk) == 0
        assert sodium.crypto_box_keypair(self.box_pk, self.box_sk) == 0

    def join_body(self, token, pin):
        key = blake2b(b"", 32, b"vault/join-key/v1\0", token.encode())
        mac = blake2b(key, 32, b"vault/join/v1\0", self.sign_pk.raw, self.box_pk.raw, pin)
        return {"join_id": blake2b(b"", 16, b"vault/join-id/v1\0", token.encode()).hex(), "sign_key": b64(self.sign_pk.raw),
                "box_key": b64(self.box_pk.raw), "mac": b64(mac), "agent_version": "test"}

    def join(self, c, token, pin):
        r = c.post("auth/host/join", self.join_body(token, pin), token=None)
        if r.status == 200:
            said = r.json["data"] = joined_answer(token, base64.b64decode(self.join_body(token, pin)["mac"]), r.data)
            self.host_id, self.vault_id = said["host_id"], said["vault_id"]
            self.generation = said["generation"]
        return r

    def login(self, c, pin, nonce=None, **changes):
        if nonce is None:
            r = c.post("auth/host/challenge", {"host_id": self.host_id}, token=None)
            assert r.status == 200, r
            nonce = base64.b64decode(r.data["nonce"])
        msg = b"vault/host-login/v1\0" + bytes.fromhex(self.vault_id) + bytes.fromhex(self.host_id) + nonce + \
            self.generation.to_bytes(8, "big") + pin
        sig = ctypes.create_string_buffer(64)
        assert sodium.crypto_sign_detached(sig, None, msg, ctypes.c_ulonglong(len(msg)), self.sign_sk) == 0
        body = {"host_id": self.host_id, "nonce": b64(nonce), "signature": b64(sig.raw), "generation": self.generation,
                "agent_version": "test", **changes}
        r = c.post("auth/host/login", body, token=None)
        if r.status == 200:
            self.generation = decode(base64.b64decode(r.data["statement"])[64:])["generation"]
        return r


def pin_of(server):
    return base64.b64decode(server.pin.removeprefix("sha256//")) if server.tls else bytes(32)
