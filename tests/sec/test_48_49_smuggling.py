# SPDX-License-Identifier: Apache-2.0
"""48, 49: a message has one length, or is refused and its connection closed."""
import contextlib
import json
import time

import pytest

import vaultd
from seclib import audit_size, records
from test_47_json import memory_kib

CANARY = "GET /v1/secret/data/smuggled HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {t}\r\n\r\n"
LINE = "POST /v1/secret/data/s HTTP/1.1\r\nHost: localhost\r\nX-Vault-Token: {t}\r\n"
BODY = '{"data":{"k":1}}'
N = str(len(BODY))

CASES = {
    "CL.CL, same": f"Content-Length: {N}\r\nContent-Length: {N}\r\n\r\n{BODY}",
    "CL.CL, different": f"Content-Length: 0\r\nContent-Length: {N}\r\n\r\n{BODY}",
    "CL list": f"Content-Length: {N},{N}\r\n\r\n{BODY}",
    "CL with a plus": f"Content-Length: +{N}\r\n\r\n{BODY}",
    "CL negative": f"Content-Length: -1\r\n\r\n{BODY}",
    "CL hex": f"Content-Length: 0x10\r\n\r\n{BODY}",
    "CL with text": f"Content-Length: {N}x\r\n\r\n{BODY}",
    "CL with a space inside": f"Content-Length: 1 6\r\n\r\n{BODY}",
    "CL empty": "Content-Length:\r\n\r\n",
    "CL beyond 64 bits": f"Content-Length: 18446744073709551632\r\n\r\n{BODY}",
    "CL underscore": f"Content_Length: {N}\r\n\r\n{BODY}",
    "CL space before colon": f"Content-Length : {N}\r\n\r\n{BODY}",
    "CL.TE": f"Content-Length: {N}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE.CL": "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n5c\r\n\r\n0\r\n\r\n",
    "TE.TE": "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE.TE identity": "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
    "TE list": "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "TE list, chunked first": "Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "TE identity": "Transfer-Encoding: identity\r\n\r\n",
    "TE xchunked": "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "TE quoted": 'Transfer-Encoding: "chunked"\r\n\r\n0\r\n\r\n',
    "TE space before colon": "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
    "TE vertical tab": "Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n",
    "TE folded": "Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n",
    "TE behind a fold": "X-A: b\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE behind a bare LF": "X-A: b\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "TE behind a bare CR": "X-A: b\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "NUL in a value": f"X-A: b\0c\r\nContent-Length: {N}\r\n\r\n{BODY}",
    "NUL in a name": f"X-\0A: b\r\nContent-Length: {N}\r\n\r\n{BODY}",
    "head ended by LF": f"Content-Length: {N}\n\n{BODY}",
    "no name": f": b\r\nContent-Length: {N}\r\n\r\n{BODY}",
    "no colon": f"Nonsense\r\nContent-Length: {N}\r\n\r\n{BODY}",
    "41 headers": "".join(f"X-{i}: y\r\n" for i in range(41)) + f"Content-Length: {N}\r\n\r\n{BODY}",
    "two Host": f"Host: other\r\nContent-Length: {N}\r\n\r\n{BODY}",
    "header of 20 KiB": "X-A: " + "y" * 20480 + f"\r\nContent-Length: {N}\r\n\r\n{BODY}",
}
CHUNKS = {
    "size with a plus": "+10\r\n" + BODY + "\r\n0\r\n\r\n",
    "size 0x": "0x10\r\n" + BODY + "\r\n0\r\n\r\n",
    "size negative": "-1\r\n" + BODY + "\r\n0\r\n\r\n",
    "size beyond 64 bits": "10000000000000010\r\n" + BODY + "\r\n0\r\n\r\n",
    "size of 64 bits": "ffffffffffffffff\r\n" + BODY + "\r\n0\r\n\r\n",
    "no size": "\r\n" + BODY + "\r\n0\r\n\r\n",
    "too short": "5\r\n" + BODY + "\r\n0\r\n\r\n",
    "no hex": "zz\r\n" + BODY + "\r\n0\r\n\r\n",
}
REQUEST_LINES = ["POST  /v1/secret/data/s HTTP/1.1", "POST /v1/secret/data/s  HTTP/1.1", "POST\t/v1/secret/data/s\tHTTP/1.1",
                 "POST /v1/secret/data/s HTTP/1.1 ", "POST /v1/secret/data/s HTTP/2.0", "POST /v1/secret/data/s HTTP/1.2",
                 "POST /v1/secret/data/s http/1.1", "POST /v1/secret/data/s", "POST /v1/secret/data/s HTTP/1.1 HTTP/1.1",
                 " POST /v1/secret/data/s HTTP/1.1", "P\0OST /v1/secret/data/s HTTP/1.1", "POST /v1/secret/data/s HTTP/11",
                 "POST /v1/secret/ data/s HTTP/1.1", "POST /v1/secret/data/s HTTP/0.9"]


def send(server, text):
    return vaultd.exchange(server, text.replace("{t}", server.root).encode("latin-1"))


@pytest.fixture(scope="module", autouse=True)
def canary(server):
    server.put("smuggled", {"k": "the-canary"})


def answer(server, text):
    with contextlib.closing(vaultd.connect(server.port, server.tls)) as s:
        with contextlib.suppress(OSError):
            s.sendall(text.replace("{t}", server.root).encode("latin-1"))
        return vaultd.read_to_end(s)


def refused(server, c, text):
    """Whatever the first message is taken for, the second one is never reached."""
    since = audit_size(c)
    got = answer(server, text + CANARY)
    for r in vaultd.parse_replies(got):
        assert 400 <= r.status < 500 or r.status == 505, got
        assert json.loads(r.body)["errors"] != [], got
    assert b"the-canary" not in got and b" 200 OK" not in got
    log = records(c, since)
    assert "secret/data/smuggled" not in [r["path"] for r in log]
    assert not any(r["path"] == "secret/data/s" and r["outcome"] == "ok" for r in log)


@pytest.mark.parametrize("case", ["CL with a plus", "CL beyond 64 bits", "no colon", "header of 20 KiB"])
def test_49_a_refusal_is_one_message(server, c, case):
    since = audit_size(c)
    (r,) = send(server, LINE + CASES[case] + CANARY)
    assert r.status in (400, 413, 431)
    assert r.headers["content-type"] == "application/json" and r.headers["connection"] == "close"
    (text,) = json.loads(r.body)["errors"]

    def counted():
        return any(x["operation"] == "aggregate" and x["error"].startswith(text[:31]) for x in records(c, since))
    vaultd.wait_for("the aggregate", counted)


@pytest.mark.parametrize("case", CASES)
def test_49_head(server, c, case):
    refused(server, c, LINE + CASES[case])


@pytest.mark.parametrize("case", [pytest.param(k, marks=pytest.mark.slow) if k == "size of 64 bits" else k for k in CHUNKS])
def test_49_chunks(server, c, case):
    refused(server, c, LINE + "Transfer-Encoding: chunked\r\n\r\n" + CHUNKS[case])


@pytest.mark.parametrize("line", REQUEST_LINES)
def test_49_request_line(server, c, line):
    refused(server, c, f"{line}\r\nHost: localhost\r\nX-Vault-Token: {{t}}\r\nContent-Length: {N}\r\n\r\n{BODY}")


def test_49_chunked_with_http_1_0(server, c):
    refused(server, c, LINE.replace("HTTP/1.1", "HTTP/1.0") + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n")


def test_49_body_of_a_get_is_no_request(server, c):
    """A body that is announced is a body, whatever it looks like."""
    since, inner = audit_size(c), CANARY.replace("{t}", server.root)
    replies = send(server, "GET /v1/secret/data/outer HTTP/1.1\r\nHost: x\r\nX-Vault-Token: {t}\r\nConnection: close\r\n"
                           f"Content-Length: {len(inner)}\r\n\r\n{inner}")
    assert len(replies) <= 1
    assert "secret/data/smuggled" not in [r["path"] for r in records(c, since)]


def test_49_the_plain_ones_work(server, c):
    text = LINE + f"Content-Length: {N}\r\n\r\n{BODY}" + LINE + "Transfer-Encoding: chunked\r\n\r\n10\r\n" + BODY + \
        "\r\n0\r\n\r\n" + CANARY.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")
    assert [r.status for r in send(server, text)] == [200, 200, 200]


@pytest.mark.parametrize("length", [10 * 2 ** 30, 2 ** 31, 2 ** 32, 2 ** 63 - 1, 3 * 2 ** 20])
def test_48_announced_and_not_read(server, c, length):
    before, start = memory_kib(server, "net"), time.monotonic()
    replies = send(server, LINE + f"Content-Length: {length}\r\n\r\n" + "x" * 1000)
    assert [r.status for r in replies] == [413]
    assert time.monotonic() - start < 5, "before the body"
    assert memory_kib(server, "net") < before + 2048


def test_48_no_length(server, c):
    """Without a length there is no body, and what follows is the next request."""
    since = audit_size(c)
    replies = send(server, LINE + "Connection: close\r\n\r\n" + BODY)
    assert len(replies) == 1
    assert not any(r["path"] == "secret/data/s" and r["outcome"] == "ok" for r in records(c, since))


def test_48_endless_chunks(server):
    before, sent = memory_kib(server, "net"), 0
    head = (LINE + "Transfer-Encoding: chunked\r\n\r\n").replace("{t}", server.root).encode()
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with contextlib.closing(vaultd.connect(server.port, server.tls)) as s:
        with contextlib.suppress(OSError):
            s.sendall(head)
            while sent < 2 ** 28:
                s.sendall(chunk)
                sent += 65536
    assert sent < 64 * 2 ** 20, "the connection is cut"
    assert memory_kib(server, "net") < before + 4096


@pytest.mark.slow
@pytest.mark.parametrize("piece", [b"1\r\nx\r\n" * 10000, b"1;" + b"e" * 60000 + b"\r\nx\r\n", b"0\r\n" + b"X-T: y\r\n" * 10000],
                         ids=["small chunks", "extensions", "trailers"])
def test_48_endless_small_pieces(server, piece):
    """Cut by size, or at the deadline of the request."""
    head = (LINE + "Transfer-Encoding: chunked\r\n\r\n").replace("{t}", server.root).encode()
    before, start = memory_kib(server, "net"), time.monotonic()
    with contextlib.closing(vaultd.connect(server.port, server.tls)) as s, contextlib.suppress(OSError):
        s.sendall(head)
        while time.monotonic() < start + 60:
            s.sendall(piece)
    assert time.monotonic() - start < 25
    assert memory_kib(server, "net") < before + 4096
