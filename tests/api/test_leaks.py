# SPDX-License-Identifier: Apache-2.0
"""sys/leaks: packs by which values are recognised, and the names of what was found."""
import base64
import ctypes
import hashlib
import re

import pytest

import hostwire

WINDOW, GRAM, TAG_BITS, ID = 15, 8, 20, 83
RUN = WINDOW + GRAM - 1
ENTRY = ID + 4 + 2 + 3 + 1 + 16
GOOD = "q7RkT2mZxV9bL4nWc8YpD3fHs6JgA1eU"


def random_hex(*name):
    """The same in every run: of random ones one in some hundreds is taken for a pattern."""
    return hashlib.sha256(repr(name).encode()).hexdigest()[:48]


def box_pair():
    pk, sk = ctypes.create_string_buffer(32), ctypes.create_string_buffer(32)
    hostwire._na.crypto_box_keypair(pk, sk)
    return pk.raw, sk.raw


class Entry:
    def __init__(self, raw):
        self.id = base64.b64encode(raw[:ID]).decode()
        self.len = int.from_bytes(raw[ID:ID + 4], "big")
        self.place = int.from_bytes(raw[ID + 4:ID + 6], "big")
        self.tag = int.from_bytes(raw[ID + 6:ID + 9], "big")
        self.current, self.digest = raw[ID + 9] & 1, raw[ID + 10:]


class Pack:
    """Every page of a pack, and the search of docs/leak-packs.md, written a second time."""

    def __init__(self, c):
        pk, sk = box_pair()
        self.entries, self.unfit, self.pages, more = [], 0, 0, {}
        while True:
            r = c.post("sys/leaks/pack", {"public_key": base64.b64encode(pk).decode(), **more})
            assert r.status == 200, r
            plain = hostwire.open_sealed(base64.b64decode(r.data["page"]), pk, sk)
            self.page = hostwire.decode(plain)
            self.key = self.page["key"]
            assert self.page["format"] == 2
            assert self.page["pack"].hex() == r.data["pack"] == more.get("pack", r.data["pack"])
            raw = self.page["entries"]
            assert len(raw) == ENTRY * r.data["values"]
            self.entries += [Entry(raw[i:i + ENTRY]) for i in range(0, len(raw), ENTRY)]
            self.unfit += r.data["not_matchable"]
            self.pages += 1
            if not r.data["next"]:
                break
            more = {"pack": r.data["pack"], "after": r.data["next"]}
        self.mix = int.from_bytes(self.key[32:40], "little") | 1
        self.select = int.from_bytes(self.key[40:42], "little") | 1

    def _least(self, p, i):
        return ((p[i] | p[i + 1] << 8) * self.select & 0xffff) >> 8

    def find(self, text):
        """Ids of the entries whose value is in these bytes."""
        out = []
        for en in self.entries:
            for at in range(len(text) - en.len + 1):
                value = text[at:at + en.len]
                run = re.search(rb"[^ \t\r\n\0]{%d}" % RUN, value)
                if run is None:
                    continue
                hashes = [self._least(run[0], i) for i in range(WINDOW)]
                place = run.start() + hashes.index(min(hashes))
                gram = int.from_bytes(value[place:place + GRAM], "little")
                if (place, gram * self.mix % 2 ** 64 >> (64 - TAG_BITS)) != (en.place, en.tag):
                    continue
                if hashlib.blake2b(value, key=self.key[:32], digest_size=16).digest() == en.digest:
                    out.append(en)
        return out


@pytest.fixture(scope="module")
def filled(server):
    c = server.client()
    c.post("sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
    c.post("old/legacy", {"token": GOOD[::-1]})
    c.post("cubbyhole/mine", {"v": "Z" + GOOD[:-1]})
    server.put("team/db", {"password": GOOD, "user": "app", "nested": {"keys": ["short", "X" + GOOD[1:] + "\n"]}})
    server.put("team/words", {"password": "correct-horse-battery-staple-production"})
    server.put("team/cert", {"pem": "-----BEGIN CERTIFICATE-----\n" + GOOD * 3})
    server.put("team/gone", {"password": "Y" + GOOD[1:]})
    c.delete("secret/data/team/gone")
    return server


def resolve(c, *entries):
    r = c.post("sys/leaks/resolve", {"ids": [getattr(e, "id", e) for e in entries]})
    assert r.status == 200, r
    return r.data["found"]


def test_values_are_found_and_named(filled, c):
    pack = Pack(c)
    text = b"config: {token: '" + GOOD.encode() + b"'}\nX" + GOOD[1:].encode() + b"\n" + GOOD[::-1].encode()
    found = {e["field"]: e for e in resolve(c, *pack.find(text))}
    assert found["password"] == {"path": "secret/team/db", "version": 1, "field": "password", "state": "current"}
    assert found["nested.keys[1]"]["path"] == "secret/team/db"
    assert found["token"] == {"path": "old/legacy", "version": 0, "field": "token", "state": "current"}
    assert len(found) == 3


def test_what_is_not_in_a_pack(filled, c):
    pack = Pack(c)
    for text in (b"correct-horse-battery-staple-production", b"-----BEGIN CERTIFICATE-----\n" + GOOD.encode() * 3,
                 b"Y" + GOOD[1:].encode(), b"Z" + GOOD[:-1].encode()):
        assert [e for e in pack.find(text) if e.len > 32 or text[:1] in b"YZ"] == []
    assert len(pack.entries) == 3 and pack.unfit == 3, "app, short, and the words"


def test_a_pack_has_no_value_and_no_name(filled, c):
    pack = Pack(c)
    raw = repr(pack.page).encode() + pack.page["entries"]
    for secret in (GOOD[:8].encode(), b"team", b"legacy", b"password"):
        assert secret not in raw
    assert {e.id for e in pack.entries}.isdisjoint({e.id for e in Pack(c).entries}), "ids of packs are not comparable"
    assert pack.page["expires_ms"] - pack.page["created_ms"] == 24 * 3600 * 1000


def test_a_value_is_known_by_what_has_no_white_space(filled, c):
    """Its first line may be the same in every value of that kind."""
    key = "-----BEGIN PRIVATE KEY-----\n" + 3 * (GOOD[::-1] + GOOD + "\n") + "-----END PRIVATE KEY-----\n"
    filled.put("keys/tls", {"key": key})
    pack = Pack(c)
    hits = pack.find(b"tls.key: |\n" + key.encode())
    assert "key" in [e["field"] for e in resolve(c, *hits)]
    assert [e.place >= len("-----BEGIN PRIVATE KEY-----\n") for e in hits if e.len == len(key) - 1] == [True]
    assert c.request("DELETE", "secret/metadata/keys/tls").status == 204


def test_old_versions(filled, c):
    filled.put("turn", {"v": "1" + GOOD[1:]})
    filled.put("turn", {"v": "2" + GOOD[1:]})
    pack = Pack(c)
    old, new = pack.find(b"1" + GOOD[1:].encode()), pack.find(b"2" + GOOD[1:].encode())
    assert [e.current for e in old + new] == [0, 1]
    assert [(e["version"], e["state"]) for e in resolve(c, *old, *new)] == [(1, "old"), (2, "current")]
    filled.client().post("secret/destroy/turn", {"versions": [1]})
    assert resolve(c, *old)[0] == {"path": "secret/turn", "version": 1, "field": "", "state": "gone"}


def test_pages(filled, c):
    names = 4096 // 64 + 3
    values = []
    for i in range(names):
        row = {f"k{k}": random_hex("many", i, k) for k in range(64)}
        values.append(row)
        filled.put(f"many/{i}", row)
    pack = Pack(c)
    assert pack.pages == 2 and len({e.digest for e in pack.entries}) == len(pack.entries)
    for i in (0, names // 2, names - 1):
        hits = pack.find(values[i]["k63"].encode())
        assert [e["path"] for e in resolve(c, *hits)] == [f"secret/many/{i}"]
    c.request("DELETE", "secret/metadata/many/0")


def test_many_values_in_one_secret_or_in_one_slice_keep_nothing_else_out(filled, c):
    """More than a page has room for: the rest of one secret is left out, nothing of others."""
    huge = [{f"k{k}": random_hex("huge", v, k) for k in range(5000)} for v in range(2)]
    rows = [{f"k{k}": random_hex("wide", i, k) for k in range(1100)} for i in range(10)]
    for version in huge:
        filled.put("wide/huge", version)
    for i, row in enumerate(rows):
        filled.put(f"wide/{i}", row)
    pack = Pack(c)
    for i, row in enumerate(rows):
        for k in ("k0", "k1099"):
            assert [e["path"] for e in resolve(c, *pack.find(row[k].encode()))] == [f"secret/wide/{i}"]
    assert [e.current for k in ("k0", "k4000") for e in pack.find(huge[1][k].encode())] == [1, 1]
    assert 2 * 5000 - 2 * 4096 <= pack.unfit <= 2 * 5000 - 4096 and len({e.digest for e in pack.entries}) == len(pack.entries)
    for name in ("huge", *range(len(rows))):
        assert c.request("DELETE", f"secret/metadata/wide/{name}").status == 204


@pytest.mark.parametrize("rules, named", [
    ('path "secret/data/team/*" { capabilities = ["read"] }', True),
    ('path "secret/data/team/*" { capabilities = ["update", "list"] }', False),
    ('path "secret/metadata/team/*" { capabilities = ["read", "list"] }', False),
])
def test_names_are_for_who_may_read(filled, c, rules, named):
    may = ' path "sys/leaks/*" { capabilities = ["update"] }'
    c.post("sys/policies/acl/scan", {"policy": rules + may})
    scanner = filled.client(c.post("auth/token/create", {"policies": ["scan"]}).json["auth"]["client_token"])
    hits = [e for e in Pack(scanner).find(GOOD.encode())]
    assert len(hits) == 1
    assert bool(resolve(scanner, *hits)[0]) is named
    assert resolve(scanner, "AAAA", base64.b64encode(bytes(ID)).decode()) == [{}, {}], "as for what nobody made"


def test_a_pack_needs_its_own_capability(filled, c):
    c.post("sys/policies/acl/reader", {"policy": 'path "secret/*" { capabilities = ["read", "list"] }'})
    reader = filled.client(c.post("auth/token/create", {"policies": ["reader"]}).json["auth"]["client_token"])
    pk = base64.b64encode(box_pair()[0]).decode()
    assert reader.post("sys/leaks/pack", {"public_key": pk}).status == 403
    assert reader.post("sys/leaks/resolve", {"ids": ["AAAA"]}).status == 403


@pytest.mark.parametrize("body, says", [
    ({}, "public_key"), ({"public_key": "AAAA"}, "public_key"), ({"public_key": 5}, "public_key"),
    ({"public_key": base64.b64encode(bytes(32)).decode()}, "public_key"),
    ({"public_key": "KEY", "pack": "00" * 16}, "pack and after"),
    ({"public_key": "KEY", "pack": "zz", "after": "00"}, "pack"),
    ({"public_key": "KEY", "pack": "00" * 16, "after": "00" * 34}, "after"),
])
def test_bad_requests(filled, c, body, says):
    if body.get("public_key") == "KEY":
        body = {**body, "public_key": base64.b64encode(box_pair()[0]).decode()}
    r = c.post("sys/leaks/pack", body)
    assert r.status == 400 and says in r.errors[0], r


def test_bad_ids(c):
    for ids in ([], ["AAAA"] * 257):
        assert c.post("sys/leaks/resolve", {"ids": ids}).status == 400
    assert resolve(c, "no base64!") == [{}]


def test_both_are_in_the_audit_log(filled, c):
    pack = Pack(c)
    resolve(c, pack.entries[0], "AAAA")
    log = [r for r in c.get("sys/audit-log/records?limit=10").data["records"] if r["path"].startswith("sys/leaks/")]
    notes = {r["path"]: r["note"] for r in reversed(log)}
    assert notes["sys/leaks/resolve"] == {"ids": 2, "named": 1}
    assert notes["sys/leaks/pack"]["values"] > 0 and len(notes["sys/leaks/pack"]["pack"]) == 32
