# SPDX-License-Identifier: Apache-2.0
"""sys/audit and its relatives, sys/tools, and what one server says about many."""
import base64
import datetime
import hashlib

import pytest

DEVICE = {"type": "merkle", "description": "the audit log: one record for each request, in its transaction",
          "options": {"records": "sys/audit-log/records", "checkpoint": "sys/audit-log/checkpoint",
                      "export": "sys/audit-log/export", "verify": "vaultctl audit verify"},
          "path": "vaultd/", "local": False}
DECLARATIVE = "use declarative, config-based audit device management instead"


@pytest.fixture(scope="module")
def weak(server):
    c = server.client()
    text = 'path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"] }'
    assert c.post("sys/policies/acl/no-sudo", {"policy": text}).status == 204
    return c.post("auth/token/create", {"policies": ["no-sudo"]}).json["auth"]["client_token"]


def test_audit_devices(c):
    r = c.get("sys/audit")
    assert r.status == 200 and r.data == {"vaultd/": DEVICE} and r.json["vaultd/"] == DEVICE
    for method in ("PUT", "POST"):
        r = c.request(method, "sys/audit/file", {"type": "file", "options": {"file_path": "/tmp/x"}})
        assert (r.status, r.errors) == (400, ["cannot enable audit device via API; " + DECLARATIVE])
    r = c.delete("sys/audit/vaultd")
    assert (r.status, r.errors) == (400, ["cannot disable audit device via API; " + DECLARATIVE])
    assert c.get("sys/audit").data == {"vaultd/": DEVICE}


def test_audit_hash(c):
    r = c.post("sys/audit-hash/vaultd", {"input": "value"})
    assert r.status == 200 and set(r.data) == {"hash"} and r.json["hash"] == r.data["hash"]
    assert r.data["hash"].startswith("hmac-sha256:") and len(r.data["hash"]) == 12 + 64
    assert r.data["hash"] != "hmac-sha256:" + hashlib.sha256(b"value").hexdigest()
    assert c.post("sys/audit-hash/vaultd", {"input": "value"}).data == r.data
    assert c.post("sys/audit-hash/vaultd", {"input": "other"}).data != r.data
    r = c.post("sys/audit-hash/file", {"input": "value"})
    assert (r.status, r.errors) == (400, ['unknown audit backend "file/"'])
    r = c.post("sys/audit-hash/vaultd", {})
    assert (r.status, r.errors) == (400, ['the "input" parameter is empty'])


def test_request_headers(c):
    base = "sys/config/auditing/request-headers"
    r = c.get(base)
    assert (r.status, r.data, r.json["headers"]) == (200, {"headers": {}}, {})
    r = c.get(base + "/x-forwarded-for")
    assert (r.status, r.errors) == (400, ["Could not find header in config"])
    r = c.request("PUT", base + "/x-forwarded-for", {"hmac": True})
    assert r.status == 400 and "not recorded" in r.errors[0]
    assert c.delete(base + "/x-forwarded-for").status == 204


@pytest.mark.parametrize("method, path", [
    ("GET", "sys/audit"), ("PUT", "sys/audit/file"), ("DELETE", "sys/audit/file"), ("POST", "sys/step-down"),
    ("GET", "sys/config/auditing/request-headers"), ("PUT", "sys/config/auditing/request-headers/x")])
def test_needs_sudo(c, weak, method, path):
    for token in (weak, None):
        assert c.request(method, path, {} if method in ("PUT", "POST") else None, token=token).status == 403


def test_random(c):
    for path, body, n in (("", {}, 32), ("", {"bytes": 7}, 7), ("/100", {}, 100), ("/131072", {"format": "base64"}, 131072)):
        r = c.post("sys/tools/random" + path, body)
        assert r.status == 200 and set(r.data) == {"random_bytes"}
        assert len(base64.b64decode(r.data["random_bytes"], validate=True)) == n
    r = c.post("sys/tools/random", {"bytes": 5, "format": "hex"})
    assert len(bytes.fromhex(r.data["random_bytes"])) == 5
    for path, body, text in (("", {"bytes": 0}, '"bytes" cannot be less than 1'), ("/x", {}, "error parsing url-set byte count"),
                             ("/131073", {}, '"bytes" should be less than 131072'),
                             ("", {"format": "octal"}, 'unsupported encoding format "octal"; must be "hex" or "base64"')):
        r = c.post("sys/tools/random" + path, body)
        assert (r.status, r.errors) == (400, [text])


def test_hash(c):
    text = base64.b64encode(b"some text").decode()
    for path, body, want in (("", {}, hashlib.sha256(b"some text").hexdigest()),
                             ("/sha2-512", {}, hashlib.sha512(b"some text").hexdigest()),
                             ("", {"format": "base64"}, base64.b64encode(hashlib.sha256(b"some text").digest()).decode())):
        r = c.post("sys/tools/hash" + path, {"input": text, **body})
        assert (r.status, r.data) == (200, {"sum": want})
    r = c.post("sys/tools/hash/md5", {"input": text})
    assert (r.status, r.errors) == (400, ["unsupported algorithm md5"])
    r = c.post("sys/tools/hash", {"input": "not base64!"})
    assert r.status == 400 and r.errors[0].startswith("unable to decode input as base64:")


def test_one_server(c):
    r = c.request("PUT", "sys/step-down")
    assert (r.status, r.raw) == (204, b"")
    r = c.get("sys/ha-status")
    assert r.status == 200 and r.json["nodes"] == r.data["nodes"] and len(r.data["nodes"]) == 1
    node = r.data["nodes"][0]
    assert node["active_node"] is True and node["version"] == c.get("sys/health").json["version"]
    r = c.get("sys/host-info")
    assert r.status == 200 and {"timestamp", "host", "cpu", "disk", "memory"} == set(r.data)


def test_version_history(own_server):
    c = own_server.client()
    r = c.list("sys/version-history")
    assert r.status == 200 and len(r.data["keys"]) == 1
    version, = r.data["keys"]
    entry = r.data["key_info"][version]
    assert version == c.get("sys/vaultd/status").data["version"]
    assert set(entry) == {"previous_version", "timestamp_installed", "build_date"} and entry["previous_version"] is None
    for text in (entry["timestamp_installed"], entry["build_date"]):
        datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ")
    assert entry["build_date"] == c.get("sys/seal-status").json["build_date"]
    own_server.stop()
    own_server.start()
    own_server.unseal()
    c = own_server.client()
    assert c.list("sys/version-history").data == r.data
    assert c.get("sys/version-history").status == 405


@pytest.mark.parametrize("path", ["sys/internal/counters/activity", "sys/quotas/config", "sys/plugins/catalog"])
def test_what_is_left_out(c, path):
    r = c.get(path)
    assert (r.status, r.errors) == (404, ["1 error occurred:\n\t* unsupported path\n\n"])
