# SPDX-License-Identifier: Apache-2.0
"""27, 53: a credential is given once and plainly; what proxies add is not believed."""
import pytest

from seclib import audit_size, raw, records


@pytest.fixture(scope="module", autouse=True)
def secret(server):
    server.put("app", {"k": "the-value"})


def ask(server, *lines, token=False):
    return raw(server, "GET", "/v1/secret/data/app", *lines, token=token)


def test_the_plain_one_works(server):
    (r,) = ask(server, token=True)
    assert r.status == 200


BROKEN = {
    "twice": ["X-Vault-Token: {t}", "X-Vault-Token: {t}"],
    "twice, other case": ["X-Vault-Token: {t}", "x-vault-token: {t}"],
    "wrong then right": ["X-Vault-Token: x", "X-Vault-Token: {t}"],
    "right then wrong": ["X-Vault-Token: {t}", "X-Vault-Token: x"],
    "folded value": ["X-Vault-Token:", " {t}"],
    "folded value, tab": ["X-Vault-Token:", "\t{t}"],
    "folded name": ["X-Vault: t", " -Token: {t}"],
    "folded after": ["X-Vault-Token: {t}", " x"],
    "fold before": ["X-A: b", " X-Vault-Token: {t}"],
    "space before the colon": ["X-Vault-Token : {t}"],
    "tab before the colon": ["X-Vault-Token\t: {t}"],
    "space before the name": [" X-Vault-Token: {t}"],
    "NUL in the value": ["X-Vault-Token: {t}\0"],
    "NUL in the name": ["X-Vault-Token\0: {t}"],
    "NUL before": ["\0X-Vault-Token: {t}"],
    "escape": ["X-Vault-Token: \x1b{t}"],
    "bare LF": ["X-A: b\nX-Vault-Token: {t}"],
    "bare CR": ["X-A: b\rX-Vault-Token: {t}"],
    "no colon": ["X-Vault-Token {t}"],
    "two Authorization": ["Authorization: Bearer {t}", "Authorization: Bearer {t}"],
}


@pytest.mark.parametrize("case", BROKEN)
def test_refused(server, case):
    replies = ask(server, *[x.replace("{t}", server.root) for x in BROKEN[case]])
    assert [r.status for r in replies] in ([400], [403], []), replies
    assert not any(b"the-value" in r.body for r in replies)


@pytest.mark.parametrize("line", ["X_Vault_Token: {t}", "X-Vault-Token-: {t}", "Vault-Token: {t}", "Cookie: X-Vault-Token={t}",
                                  "Authorization: {t}", "Authorization: Basic {t}", "Authorization: Bearer{t}",
                                  "X-Vault-Token: {t}, {t}", "X-Vault-Token: {t} x"])
def test_is_no_token(server, line):
    replies = ask(server, line.replace("{t}", server.root))
    assert [r.status for r in replies] in ([400], [403])


def test_not_in_the_query(server):
    for query in (f"X-Vault-Token={server.root}", f"token={server.root}"):
        (r,) = raw(server, "GET", "/v1/secret/data/app?" + query, token=False)
        assert r.status == 403


@pytest.mark.parametrize("line", ["X-Forwarded-For: 203.0.113.7", "Forwarded: for=203.0.113.7", "X-Real-IP: 203.0.113.7",
                                  "X-Forwarded-Host: 203.0.113.7", "True-Client-IP: 203.0.113.7", "Via: 1.1 203.0.113.7",
                                  "Client-IP: 203.0.113.7"])
def test_53_forwarded_addresses_are_ignored(server, c, line):
    since = audit_size(c)
    (r,) = ask(server, line, token=True)
    assert r.status == 200
    assert "203.0.113.7" not in str(records(c, since))
    (mine,) = [x for x in records(c, since) if x["path"] == "secret/data/app"]
    assert mine["remote"] == "127.0.0.1"


def test_53_proxy_preamble(server, c):
    """Neither version of the PROXY protocol is spoken, under TLS or in front of it."""
    import socket

    import vaultd
    from seclib import head
    since = audit_size(c)
    v1 = b"PROXY TCP4 203.0.113.7 127.0.0.1 4000 8200\r\n"
    v2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + bytes([203, 0, 113, 7, 127, 0, 0, 1]) + b"\x10\0\x20\x08"
    for preamble in (v1, v2):
        replies = vaultd.exchange(server, preamble + head(server, "GET", "/v1/secret/data/app"))
        assert all(r.status >= 400 for r in replies), replies
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as s:
            s.sendall(preamble)
            try:
                got = s.recv(1000)
            except ConnectionError:
                got = b""
            assert b"the-value" not in got
    log = records(c, since)
    assert not any(x["path"] == "secret/data/app" for x in log)
    assert "203.0.113.7" not in str(log)
    assert server.read("app") == {"k": "the-value"}
