# SPDX-License-Identifier: Apache-2.0
"""1, 2: a path has one spelling; every other one is refused and reads nothing."""
import pytest

from seclib import audit_size, raw, records

SPELLINGS = ["app%00x", "app%00", "..%2fapp", "%2e%2e/app", "x/../app", "x/./app", "./app", "x//app", "app//", "app/..",
             "app%2f", "%2fapp", "app%5c..%5c%00", "app%0d%0aX-Vault-Token:x", "app%", "app%4", "app%g0", "app%c0%af",
             "app%e0%80%af", "%f0%82%82%acapp", "app%ed%a0%80", "app%fe", "app%20", "%20app", "app%7f", "app%1b[31m"]


@pytest.fixture(scope="module", autouse=True)
def secret(server):
    server.put("app", {"k": "the-value"})
    server.put("x/app", {"k": "the-value"})


def refused(server, c, method, target):
    before = audit_size(c)
    replies = raw(server, method, target)
    assert all(r.status in (400, 404) for r in replies), (target, replies)
    assert not any(b"the-value" in r.body for r in replies)
    reads = [r for r in records(c, before) if r["path"].startswith("secret/")]
    assert reads == [], "nothing was read"
    return replies


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_spelling(server, c, spelling):
    (r,) = refused(server, c, "GET", "/v1/secret/data/" + spelling)
    assert r.status == 400


@pytest.mark.parametrize("byte", ["\0", "\t", "\r", "\x01", "\x7f", "\xe9", "\xff"])
def test_raw_byte(server, c, byte):
    refused(server, c, "GET", f"/v1/secret/data/app{byte}")
    refused(server, c, "GET", f"/v1/secret/data/{byte}app")


@pytest.mark.parametrize("target", ["http://localhost/v1/secret/data/app", "//v1/secret/data/app", "/v1//secret/data/app",
                                    "/V1/secret/data/app", "/v1/%73ecret%2fdata%2fapp", "*", "v1/secret/data/app",
                                    "/../v1/secret/data/app", "/v1/../v1/secret/data/app", "/v1/./secret/data/app",
                                    "localhost:80", "/v1\\secret\\data\\app", "/v1/secret;a=b/data/app",
                                    "/v1/SECRET/data/app", "/v1/secret/data/app#x"])
def test_target(server, c, target):
    refused(server, c, "GET", target)


@pytest.mark.parametrize("name", ["a+pp", "app;v=1", "APP", "app.", "a\\pp", "app*"])
def test_other_names_are_other_secrets(server, c, name):
    """What is a name of its own is not taken for another."""
    (r,) = raw(server, "GET", "/v1/secret/data/" + name)
    assert r.status == 404


@pytest.mark.parametrize("method", ["POST", "DELETE", "LIST"])
def test_other_verbs(server, c, method):
    for spelling in ("x/../app", "app%00", "%2e%2e/app"):
        refused(server, c, method, "/v1/secret/data/" + spelling)
    assert server.read("app") == {"k": "the-value"}
