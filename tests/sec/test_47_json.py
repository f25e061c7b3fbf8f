# SPDX-License-Identifier: Apache-2.0
"""47: hostile JSON is refused quickly, in bounded memory."""
import time

import pytest

import vaultd


def memory_kib(server, role):
    """Resident memory; nothing under a sanitizer, which keeps what was freed."""
    if vaultd.SANITIZED:
        return 0
    total = 0
    for pid in server.roles()[role]:
        with open(f"/proc/{pid}/status") as f:
            total += next(int(line.split()[1]) for line in f if line.startswith("VmRSS:"))
    return total


HOSTILE = {
    "deep arrays": b'{"data":' + b"[" * 100000 + b"]" * 100000 + b"}",
    "deep objects": b'{"a":' * 100000 + b"1" + b"}" * 100000,
    "deep and open": b"[" * 500000,
    "many keys": b'{"data":{' + b",".join(b'"%d":0' % i for i in range(90000)) + b"}}",
    "many elements": b'{"data":{"a":[' + b"0," * 450000 + b"0]}}",
    "duplicate keys": b'{"data":{' + b",".join([b'"a":0'] * 100000) + b"}}",
    "escaped duplicate": b'{"data":{"a":1,"\\u0061":2}}',
    "lone high surrogate": b'{"data":{"a":"\\ud800"}}',
    "lone low surrogate": b'{"data":{"a":"\\udc00"}}',
    "swapped surrogates": b'{"data":{"a":"\\udc00\\ud800"}}',
    "encoded surrogate": b'{"data":{"a":"\xed\xa0\x80"}}',
    "overlong": b'{"data":{"a":"\xc0\xaf"}}',
    "beyond Unicode": b'{"data":{"a":"\xf5\x80\x80\x80"}}',
    "cut character": b'{"data":{"a":"\xe2\x82"}}',
    "raw NUL": b'{"data":{"a":"\0"}}',
    "raw newline": b'{"data":{"a":"\n"}}',
    "long number": b'{"data":{"a":' + b"9" * 100000 + b"}}",
    "NaN": b'{"data":{"a":NaN}}',
    "Infinity": b'{"data":{"a":-Infinity}}',
    "hex": b'{"data":{"a":0x10}}',
    "trailing bytes": b'{"data":{}}{"data":{}}',
    "trailing NUL": b'{"data":{}}\0',
    "comment": b'{"data":{}/**/}',
    "BOM": b'\xef\xbb\xbf{"data":{}}',
    "UTF-16": '{"data":{}}'.encode("utf-16"),
    "a value of 600 KiB": b'{"data":{"a":"' + b"x" * 600 * 1024 + b'"}}',
    "no object": b"[]",
}


@pytest.mark.parametrize("what", HOSTILE)
def test_refused(server, c, what):
    assert c.get("secret/data/none").status == 404
    start = time.monotonic()
    r = c.post("secret/data/json", raw=HOSTILE[what])
    took = time.monotonic() - start
    assert r.status in (400, 413), r
    assert len(r.raw) < 400, "the input is not echoed"
    assert took < 2
    assert c.get("secret/data/json").status == 404


@pytest.mark.parametrize("number", ["1e400", "-1e400", "1e-400", "0." + "1" * 60, "9223372036854775808", "-0", "1E+2"])
def test_numbers_come_back_as_they_were_or_not_at_all(c, number):
    r = c.post("secret/data/number", raw=b'{"data":{"n":%s}}' % number.encode())
    if r.status == 200:
        assert b'"n":' + number.encode() in c.get("secret/data/number").raw
    else:
        assert r.status == 400


@pytest.mark.parametrize("number", ["1e400", "1e18", "9223372036854775808", "-1e400", "1.5"])
def test_numbers_where_integers_belong(c, number):
    r = c.post("auth/token/create", raw=b'{"num_uses":%s,"ttl":60}' % number.encode())
    assert r.status == 400 or 0 <= r.json["auth"]["num_uses"] < 2 ** 63


def test_memory_does_not_grow(server, c):
    def send():
        for what, body in HOSTILE.items():
            assert c.post("secret/data/json", raw=body).status in (400, 413), what
    for _ in range(2):
        send()
    before = {role: memory_kib(server, role) for role in ("net", "core")}
    for _ in range(3):
        send()
    for role, kib in before.items():
        assert memory_kib(server, role) < kib + 4096, role
