# SPDX-License-Identifier: Apache-2.0
"""The agent's side of the host protocol, for tests that must misbehave."""
import base64
import ctypes
import ctypes.util
import hashlib
import os
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


def _as(who, op):
    """The associated data of a box: who speaks, and of what."""
    return b"vault/host-session/v1\0" + bytes([who]) + op.encode() + b"\0"


VAULT, HOST = 1, 2


def open_box(box, key, op, who=VAULT):
    """What was said under the key of a session; None if it was not."""
    out, n = ctypes.create_string_buffer(len(box)), ctypes.c_ulonglong()
    ad = _as(who, op)
    if len(box) < 40 or _na.crypto_aead_xchacha20poly1305_ietf_decrypt(
            out, ctypes.byref(n), None, box[24:], ctypes.c_ulonglong(len(box) - 24), ad, ctypes.c_ulonglong(len(ad)), box[:24],
            key) != 0:
        return None
    return out.raw[:n.value]


def make_box(plain, key, op, who=HOST):
    out, nonce, ad = ctypes.create_string_buffer(len(plain) + 16), os.urandom(24), _as(who, op)
    _na.crypto_aead_xchacha20poly1305_ietf_encrypt(out, None, plain, ctypes.c_ulonglong(len(plain)), ad,
                                                   ctypes.c_ulonglong(len(ad)), None, nonce, key)
    return nonce + out.raw


def verify(signature, message, pk):
    return _na.crypto_sign_verify_detached(signature, message, ctypes.c_ulonglong(len(message)), pk) == 0


def decode(b):
    """The value encoding of lib/value.h."""
    def take(at):
        t = b[at]
        if t <= 2:
            return (None, False, True)[t], at + 1
        n = int.from_bytes(b[at + 1:at + 5], "big")
        at += 5
        if t <= 5:
            text = b[at:at + n]
            return (int(text) if t == 3 else text.decode() if t == 4 else text), at + n
        count, at = int.from_bytes(b[at:at + 4], "big"), at + 4
        out = [] if t == 6 else {}
        for _ in range(count):
            if t == 7:
                k = int.from_bytes(b[at:at + 4], "big")
                key, at = b[at + 4:at + 4 + k].decode(), at + 4 + k
            v, at = take(at)
            if t == 6:
                out.append(v)
            else:
                out[key] = v
        return out, at
    v, end = take(0)
    assert end == len(b)
    return v


def encode(v):
    """The same in the other direction."""
    def text(t, b):
        return bytes([t]) + len(b).to_bytes(4, "big") + b
    if v is None or isinstance(v, bool):
        return bytes([2 if v else 1 if v is False else 0])
    if isinstance(v, int):
        return text(3, str(v).encode())
    if isinstance(v, (str, bytes)):
        return text(4, v.encode()) if isinstance(v, str) else text(5, v)
    items = [encode(x) for x in v] if isinstance(v, list) else \
        [len(k).to_bytes(4, "big") + k.encode() + encode(x) for k, x in v.items()]
    return text(6 if isinstance(v, list) else 7, len(items).to_bytes(4, "big") + b"".join(items))


def joined_answer(token, join_mac, data):
    """What a join's answer says, if its proof is right."""
    body = base64.b64decode(data["joined"])
    key = _hash(b"vault/join-key/v1", token, 32)
    assert base64.b64decode(data["mac"]) == _mac(key, b"vault/joined/v1\0", join_mac, body)
    return decode(body)


class Believing:
    """A client that takes from a reply what the vault says in it, for this request."""

    def __init__(self, host, client):
        self.host, self.client = host, client

    token = property(lambda self: self.client.token, lambda self, t: setattr(self.client, "token", t))

    def request(self, method, path, body=None, **kw):
        nonce = os.urandom(32)
        if path.startswith("sys/agent/watch"):
            method, body = "POST", watch_body(path, nonce, body)
            path = path.split("?")[0]
        elif path.startswith("sys/agent/") and method == "GET":
            path += f"{'&' if '?' in path else '?'}nonce={nonce.hex()}"
        elif path in ("sys/agent/ack", "sys/agent/release", "sys/agent/report",
                      "sys/agent/cosign", "auth/host/rekey"):
            body = {"statement": _b64(self.host.says(path.rsplit("/", 1)[1], body))}
        elif path.startswith("sys/agent/"):
            body = {"statement": _b64(self.host.says(op_of(path), body or {}, nonce))}
        elif path == "auth/host/login":
            nonce = base64.b64decode(body.get("nonce", ""))
        self.nonce = nonce
        r = self.client.request(method, path, body, **kw)
        if r.status == 200 and "statement" in (r.json.get("data") or {}):
            op = op_of(path)
            items = r.data.get("items")
            r.json["data"] = self.host.said(base64.b64decode(r.data["statement"]), op, nonce)
            if op == "watch":
                assert r.data["since"] == body.get("since", 0), "news of another time"
            if "proof" in r.data:
                assert r.data["from"] == asked_from(path, body), "a proof for another question"
            if items is not None:  # each is a statement of its own
                r.json["data"]["items"] = items
        return r

    def get(self, path, **kw):
        return self.request("GET", path, **kw)

    def list(self, path, **kw):
        return self.request("LIST", path, **kw)

    def post(self, path, body=None, **kw):
        return self.request("POST", path, body, **kw)

    def delete(self, path, **kw):
        return self.request("DELETE", path, **kw)

    def close(self):
        self.client.close()


def op_of(path):
    return ("swarm-" if path.startswith("sys/agent/swarm/") else "") + path.split("?")[0].rsplit("/", 1)[1]


def asked_from(path, body):
    """Where a proof has to begin."""
    query = dict(x.split("=") for x in path.partition("?")[2].split("&") if x)
    return int(query.get("from", 0)) if body is None else body["from"]


def watch_body(path, nonce, more=None):
    """since and wait, written as in a query."""
    query = dict(x.split("=") for x in path.partition("?")[2].split("&") if x)
    return {**{k: int(v) if v.lstrip("-").isdigit() else v for k, v in query.items()}, "nonce": nonce.hex(), **(more or {})}


def make_keys():
    """(public, secret) for signing, then for sealing."""
    out = []
    for make, n in ((_na.crypto_sign_keypair, 64), (_na.crypto_box_keypair, 32)):
        pk, sk = ctypes.create_string_buffer(32), ctypes.create_string_buffer(n)
        make(pk, sk)
        out += [pk.raw, sk.raw]
    return out


class Host:
    """One agent identity."""

    def __init__(self, server):
        self.server = server
        self.c = Believing(self, server.client(token=None))
        self.keys = make_keys()
        self.token, self.generation, self.key = None, 0, bytes(32)

    sign_pk = property(lambda self: self.keys[0])
    _sign_sk = property(lambda self: self.keys[1])
    box_pk = property(lambda self: self.keys[2])
    box_sk = property(lambda self: self.keys[3])

    def sign(self, message, key=None):
        out = ctypes.create_string_buffer(64)
        _na.crypto_sign_detached(out, None, message, ctypes.c_ulonglong(len(message)), key or self._sign_sk)
        return out.raw

    def rekey(self, new, **more):
        """Announce the keys ${new}; they count from the next login with them on."""
        proof = self.sign(b"vault/host-rekey/v1\0" + self.host_id + struct.pack(">Q", self.generation) + new[0] + new[2], new[1])
        return self.c.post("auth/host/rekey", {"sign_key": new[0], "box_key": new[2], "proof": proof, **more})

    def join_body(self, token, mac=None):
        key = _hash(b"vault/join-key/v1", token, 32)
        if mac is None:
            mac = _mac(key, b"vault/join/v1\0", self.sign_pk, self.box_pk, NO_PIN)
        return {"join_id": _hash(b"vault/join-id/v1", token, 16).hex(), "sign_key": _b64(self.sign_pk),
                "box_key": _b64(self.box_pk), "mac": _b64(mac), "agent_version": "test"}

    def join(self, token, client=None):
        r = (client or self.c).post("auth/host/join", self.join_body(token))
        if r.status == 200:
            d = r.json["data"] = joined_answer(token, base64.b64decode(self.join_body(token)["mac"]), r.data)
            self.name = d["name"]
            self.host_id, self.vault_id = bytes.fromhex(d["host_id"]), bytes.fromhex(d["vault_id"])
            self.order_pk, self.generation = d["order_key"], d["generation"]
        return r

    def said(self, statement, op, nonce):
        if op == "login":
            assert verify(statement[:64], b"vault/host-statement/v1\0" + statement[64:], self.order_pk)
            body = decode(statement[64:])
        else:
            plain = open_box(statement, self.key, op)
            assert plain is not None
            body = decode(plain)
        assert (body["op"], body["host_id"], body["nonce"]) == (op, self.host_id.hex(), nonce)
        assert body["generation"] >= self.generation
        return {**body["data"], "generation": body["generation"]}

    def says(self, op, data, nonce=None):
        """What only the host can say; with a nonce it asks."""
        body = encode({"op": op, "host_id": self.host_id.hex(), "generation": self.generation, "data": data,
                       **({} if nonce is None else {"nonce": nonce})})
        if op == "rekey":
            return self.sign(b"vault/agent-statement/v1\0" + body) + body
        return make_box(body, self.key, op)

    def watcher(self):
        return Believing(self, self.server.hosts_client(self.token))

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
            self.takes(r)
        return r

    def takes(self, r):
        """It goes on with this answer to a login."""
        self.generation = r.data["generation"]
        self.key = open_sealed(r.data["session"], self.box_pk, self.box_sk)
        assert len(self.key) == 32
        self.token = self.c.token = r.json["auth"]["client_token"]

    def order_is_signed(self, order):
        message = b"vault/host-order/v1\0" + order["op"].encode() + b"\0" + self.host_id + \
            struct.pack(">Q", order["generation"])
        return verify(base64.b64decode(order["signature"]), message, self.order_pk)

    def lease(self, *paths):
        r = self.c.post("sys/agent/leases", {"paths": list(paths)})
        assert r.status == 200, r
        return r.data["leases"]

    def bind(self, *containers):
        """Which bindings these containers get: {"grants", "refused", "rev"}."""
        r = self.c.post("sys/agent/bind", {"containers": list(containers)})
        assert r.status == 200, r
        return r.data

    def cosigned(self, note, context=b"vault/cosign/v1\0"):
        """A checkpoint, whole, and this host's signature of its text."""
        return {"checkpoint": note, "signature": self.sign(context + note.split("\n\n")[0].encode() + b"\n")}

    def cosign(self, note, **more):
        return self.c.post("sys/agent/cosign", {**self.cosigned(note), **more})

    def report(self, boot_ms, **more):
        """What it says of itself; boot_ms orders reports of one generation."""
        return self.c.post("sys/agent/report", {"agent_version": "test", "boot_ms": boot_ms, **more})

    def fetch(self, *leases):
        r = self.c.post("sys/agent/fetch", {"leases": list(leases)})
        assert r.status == 200, r
        return r.data["items"]

    def value(self, item, by=None):
        """What is sealed in an item of the last fetch, or of the last answer to a watch of ${by}, checked."""
        return self.said(base64.b64decode(item["sealed"]), "fetch", (by or self.c).nonce)

    def speaks(self):
        """Something that only who has the key of the session can say: so its login was answered."""
        return self.c.post("sys/agent/ack", {"acks": []}).status == 204

    def ack(self, lease, version, state="applied", **more):
        return self.c.post("sys/agent/ack", self.acked(lease, version, state, **more))

    @staticmethod
    def acked(lease, version, state="applied", **more):
        return {"acks": [{"lease_id": lease, "version": version, "rev": 1 << 40, "state": state, **more}]}

    def riding(self, lease, version, state="applied", **more):
        """An acknowledgement, for the body of a watch."""
        return {"statement": _b64(self.says("ack", self.acked(lease, version, state, **more)))}


class Manager:
    """The agent of a host on a manager of a Swarm."""

    def __init__(self, host, cluster):
        self.host, self.cluster, self.epoch, self.at = host, cluster, 0, 0

    def _ask(self, what, **body):
        if what != "plan":
            self.at += 1
            body = {"boot_ms": self.at, **body}
        r = self.host.c.post("sys/agent/swarm/" + what, {"cluster": self.cluster, **body})
        assert r.status == 200, r
        assert r.data["cluster"] == self.cluster
        return r.data

    def lead(self, raft_leader=False, **more):
        """Does it lead from now on?"""
        d = self._ask("lead", node="n" + self.host.host_id.hex()[:8], raft_leader=raft_leader, **more)
        if d["leader"]:
            self.epoch = d["epoch"]
        return d

    def plan(self):
        return self._ask("plan", epoch=self.epoch)

    def binding(self, name):
        return next(b for b in self.plan()["bindings"] if b["name"] == name)

    def value(self, name):
        """The value of a binding, as the vault says it."""
        return self.host.value(self.host.fetch(self.binding(name)["lease_id"])[0])

    def state(self, *rows, looks=(), epoch=None):
        return self._ask("state", epoch=self.epoch if epoch is None else epoch, rows=list(rows), looks=list(looks))


def service(binding, n, state, version, good=0, reason="", **more):
    """What the agent says of a service."""
    return {"binding": binding, "service": f"s{n}", "name": f"svc_{n}", "state": state, "version": version, "good": good,
            "index": 7, "reason": reason, **more}


def looked(binding, version, services):
    return {"binding": binding, "version": version, "services": services}


def container(n, *bindings, image="app:1", **more):
    """What an agent says of a container."""
    return {"id": f"{n:064x}", "name": f"c{n}", "image": image, "image_id": "sha256:" + "0" * 64, "service": "", "project": "",
            "bindings": list(bindings), **more}


def joined(server, name, paths, role="web"):
    """A host that has joined and logged in."""
    h = Host(server)
    assert h.join(server.add_host(name, paths, role)["join_token"]).status == 200
    assert h.login().status == 200
    return h
