# SPDX-License-Identifier: Apache-2.0
"""Vault's wire conventions: verbs, bodies, headers, paths, envelopes."""
import json
import re
import time

import pytest

import vaultd

UUID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
ENVELOPE = {"request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth",
            "mount_type"}


@pytest.fixture(scope="module", autouse=True)
def secret(server):
    server.put("w", {"k": "v"})


def head(server, method, target, *lines, token=True, host=True):
    out = [f"{method} {target} HTTP/1.1"]
    if host:
        out.append("Host: localhost")
    if token:
        out.append(f"X-Vault-Token: {server.root}")
    return ("\r\n".join([*out, *lines, "Connection: close"]) + "\r\n\r\n").encode("utf-8")


def raw(server, method, target, *lines, body=b"", **kw):
    replies = vaultd.exchange(server, head(server, method, target, *lines, **kw) + body)
    assert len(replies) == 1, replies
    return replies[0]


def test_envelope_and_headers(c):
    r = c.get("secret/data/w")
    assert set(r.json) == ENVELOPE
    assert UUID.match(r.json["request_id"])
    assert r.headers["content-type"] == "application/json"
    assert r.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method, path, token, status", [
    ("GET", "sys/health", None, 200), ("GET", "sys/seal-status", None, 200), ("GET", "secret/data/w", None, 403),
    ("GET", "secret/data/none", "", 404), ("DELETE", "secret/data/none", "", 204), ("GET", "a//b", "", 400),
    ("BREW", "secret/data/w", "", 405), ("GET", "sys/init", None, 200)])
def test_content_type_is_exact_everywhere(c, method, path, token, status):
    r = c.request(method, path, token=token)
    assert r.status == status
    assert r.headers["content-type"] == "application/json"
    assert r.headers["cache-control"] == "no-store"


def test_request_ids_differ(c):
    ids = {c.get("secret/data/w").json["request_id"] for _ in range(20)}
    assert len(ids) == 20


def test_outside_of_v1(server):
    for target in ("/", "/ui", "/v1", "/v2/sys/health", "/V1/sys/health", "/index.html"):
        r = raw(server, "GET", target)
        assert (r.status, json.loads(r.body)) == (404, {"errors": []}), target


def test_list_verb_and_query(c):
    want = c.list("secret/metadata").data
    for query in ("list=true", "list=1", "list=t", "list=TRUE", "list=T", "list=True"):
        assert c.get("secret/metadata?" + query).data == want
    for query in ("list=false", "list=0", "list=f", "list=", "list=F"):
        assert c.get("secret/metadata/w?" + query).data["current_version"] >= 1
    for query in ("list=maybe", "list=2", "scan=x", "list=true&scan=true"):
        r = c.get("secret/metadata?" + query)
        assert (r.status, r.json) == (400, {"errors": []}), query


def test_scan_verb_and_query(c):
    want = c.request("SCAN", "secret/metadata").data
    for query in ("scan=true", "scan=1", "scan=t", "list=false&scan=TRUE"):
        assert c.get("secret/metadata?" + query).data == want
    assert c.get("secret/metadata/w?scan=false").data["current_version"] >= 1
    for path in ("sys/policies/acl", "auth/token/accessors"):
        assert c.list(path).status == 200
        assert c.request("SCAN", path).status == c.get(path + "?scan=true").status == 405


def test_put_is_post(c):
    assert c.request("PUT", "secret/data/put", {"data": {"n": 1}}).data["version"] == 1
    assert c.post("secret/data/put", {"data": {"n": 1}}).data["version"] == 2


@pytest.mark.parametrize("method", ["BREW", "OPTIONS", "TRACE", "get", "scan", "CONNECT"])
def test_unknown_verbs(c, method):
    r = c.request(method, "secret/data/w")
    assert r.status == 405 and r.json == {"errors": []}


def test_unsupported_operation(c):
    r = c.post("sys/vaultd/status", {})
    assert (r.status, r.errors) == (405, ["1 error occurred:\n\t* unsupported operation\n\n"])


@pytest.mark.parametrize("path", ["sys/health", "sys/leader", "sys/seal-status"])
@pytest.mark.parametrize("method", ["POST", "DELETE", "LIST"])
def test_state_is_only_read(c, path, method):
    r = c.request(method, path, token=None)
    assert (r.status, r.json) == (405, {"errors": []})


def test_unknown_fields_are_named_in_order(c):
    r = c.post("secret/data/order", {"data": {}, "b": 1, "a": 2, "ab": 3})
    assert r.json["warnings"] == ["Endpoint ignored these unrecognized parameters: [a ab b]"]


def test_head(c, server):
    """Only health answers it; without a body, whatever the status."""
    assert (c.request("HEAD", "sys/health").status, c.request("HEAD", "sys/health").raw) == (200, b"")
    for path, token in (("secret/data/w", ""), ("secret/data/none", ""), ("secret/data/w", None), ("sys/seal-status", None)):
        r = c.request("HEAD", path, token=token)
        assert (r.status, r.raw) == (405, b""), path
    assert raw(server, "HEAD", "/v1/secret/data/w").headers["content-type"] == "application/json"


def test_help(c):
    r = c.get("secret/data/w?help=1")
    assert r.status == 200 and set(r.json) == {"help", "see_also", "openapi"}
    assert "secret/data/*path" in r.json["help"] and "GET" in r.json["help"] and '"k"' not in r.json["help"]
    r = c.get("auth/token/create?help=true")
    assert r.status == 200 and "POST auth/token/create" in r.json["help"] and "display_name (string)" in r.json["help"]
    assert c.get("secret/data/w?help=0").data["data"] == {"k": "v"}
    assert c.get("secret/data/w?help=maybe").status == 400
    for path, inside in (("secret", "secret/metadata/*path"), ("secret/", "secret/data/*path"), ("sys", "sys/policies/acl/:name"),
                         ("sys/", "sys/tools/random"), ("auth/token", "auth/token/create"), ("cubbyhole", "cubbyhole/*path")):
        r = c.get(path + "?help=1")
        assert r.status == 200 and inside in r.json["help"] and "(string)" not in r.json["help"], path
    assert len(c.get("sys?help=1").json["help"]) < 32000, "something may have been cut off"
    assert c.get("nothere?help=1").status == c.get("auth/nothere?help=1").status == 404
    assert c.get("sys?help=1", token=None).status == 403
    assert c.get("sys/no/such/thing?help=1").status == 404
    assert c.get("secret/data/w?help=1", token=None).status == 403
    low = c.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    assert c.get("secret/data/w?help=1", token=low).status == 200, "any live token may ask what there is to ask"
    assert c.get("secret/data/w", token=low).status == 403


@pytest.mark.parametrize("kind, status", [
    ("application/merge-patch+json", 200), ("application/merge-patch+json; charset=utf-8", 200),
    ("APPLICATION/MERGE-PATCH+JSON", 200), ("application/json", 415), ("nonsense", 415), ("text/", 400), ("/json", 400),
    ("a/b/c", 400), ("te xt", 415), ("", 400), (None, 400)])
def test_type_of_a_patch(c, kind, status):
    h = {} if kind is None else {"Content-Type": kind}
    r = c.request("PATCH", "secret/data/w", raw=b'{"data":{}}', headers=h)
    assert r.status == status, r
    if status == 415:
        assert r.errors == [f"PATCH requires Content-Type of application/merge-patch+json, provided {kind.split(' ')[0]}"]


def test_nothing_is_compressed(c):
    r = c.get("secret/data/w", headers={"Accept-Encoding": "gzip, deflate, br"})
    assert "content-encoding" not in r.headers and r.data["data"] == {"k": "v"}


def test_the_path_has_the_last_word(c):
    body = {"policy": "path \"x\" {}", "name": "from-body", "zebra": 1, "ant": 2}
    assert c.post("sys/policies/acl/from-path", body).status == 204, "nothing to warn in"
    r = c.post("sys/policies/acl/From-Path", body)
    assert r.json["warnings"] == [
        "policy name was converted to from-path",
        "Endpoint ignored these unrecognized parameters: [ant zebra]",
        "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [name]"]
    assert "from-body" not in c.list("sys/policies/acl").data["keys"]


def test_unknown_fields_find_nothing(c):
    """A read, a list or a deletion of nothing stays one, whatever is in its query."""
    for method, path, status in (("GET", "secret/data/none", 404), ("LIST", "secret/metadata/none", 404),
                                 ("GET", "sys/policies/acl/none", 404), ("DELETE", "secret/data/none", 204)):
        r = c.request(method, path + "?colour=red")
        assert (r.status, r.raw) == (status, b"" if status == 204 else b'{"errors":[]}\n'), path


def test_relative_paths(server):
    for path in ("secret/data/a/../w", "secret/data/%2e%2e/w", ".."):
        r = raw(server, "GET", "/v1/" + path)
        assert (r.status, json.loads(r.body)) == (400, {"errors": ["relative paths not supported"]})


def test_write_to_a_folder(c):
    r = c.post("secret/data/folder/", {"data": {}})
    assert (r.status, r.errors) == (400, ["cannot write to a path ending in '/'"])


def test_chunked_body(server):
    pieces = [b'{"da', b'ta":{"chunk', b'ed":true}}']
    body = b"".join(b"%x\r\n%s\r\n" % (len(p), p) for p in pieces) + b"0\r\n\r\n"
    r = raw(server, "POST", "/v1/secret/data/chunked", "transfer-encoding: chunked", body=body)
    assert r.status == 200
    assert server.read("chunked") == {"chunked": True}


def test_lower_case_headers(server):
    data = b"GET /v1/secret/data/w HTTP/1.1\r\nhost: x\r\nx-vault-token: %s\r\nx-vault-request: true\r\n" \
           b"connection: close\r\n\r\n" % server.root.encode()
    (r,) = vaultd.exchange(server, data)
    assert r.status == 200


def test_http_1_0(server):
    (r,) = vaultd.exchange(server, b"GET /v1/secret/data/w HTTP/1.0\r\nX-Vault-Token: %s\r\n\r\n" % server.root.encode())
    assert r.status == 200


def test_bearer(c, server):
    for scheme in ("Bearer", "bearer", "BEARER"):
        r = c.get("secret/data/w", token=None, headers={"Authorization": f"{scheme} {server.root}"})
        assert r.status == 200
    r = c.get("secret/data/w", token=None, headers={"Authorization": "Basic " + server.root})
    assert r.status == 403
    r = c.get("secret/data/w", token="wrong", headers={"Authorization": "Bearer " + server.root})
    assert r.status == 403, "X-Vault-Token wins"


def test_form_body(c):
    h = {"Content-Type": "application/x-www-form-urlencoded"}
    r = c.post("auth/token/create", raw=b"ttl=2h&policies=a&policies=b&display_name=form%20x+y", headers=h)
    assert r.status == 200, r
    a = r.json["auth"]
    assert a["lease_duration"] == 7200 and a["policies"] == ["a", "b", "default"]
    r = c.post("secret/data/form", raw=b' {"data":{"json":"all the same"}}', headers=h)
    assert r.status == 200, "curl -d sends JSON with this type"


def test_body_without_or_with_any_content_type(c):
    for h in ({}, {"Content-Type": "text/plain"}, {"Content-Type": "application/json; charset=utf-8"},
              {"Content-Type": "nonsense"}):
        assert c.post("secret/data/ct", raw=b'{"data":{"x":1}}', headers=h).status == 200


def test_empty_body_is_an_empty_object(c):
    for body in (b"", b"{}", b"  \n", b"null"):
        r = c.post("auth/token/lookup-self", raw=body)
        assert r.status == 200, body


BAD_JSON = [b"{", b"[]", b'"x"', b"1", b"{} {}", b"{'a':1}", b'{"a":}', b'{"a":01}', b'{"a":1,}', b'{"a":+1}', b'{"a":.5}',
            b'{"a":NaN}', b'{"a":"\x01"}', b'{"a":"\xff"}', b'{"a":"\xc0\x80"}', b'{"a":"\\ud800"}', b'{"a":"\\x"}',
            b'{"a":tru}', b'\xef\xbb\xbf{}', b"{\"a\":1}\x00", b"ttl=5m"]


@pytest.mark.parametrize("body", BAD_JSON)
def test_bad_json(c, body):
    r = c.post("secret/data/bad", raw=body)
    assert r.status == 400 and r.errors[0].startswith("failed to decode JSON input"), (body, r)
    assert body.strip() == b"" or b"tru}" not in r.raw, "the body is not echoed"


def test_json_limits(c):
    deep = b'{"data":' + b"[" * 33 + b"]" * 33 + b"}"
    assert c.post("secret/data/deep", raw=deep).status == 400
    ok = b'{"data":{"a":' + b"[" * 20 + b"]" * 20 + b"}}"
    assert c.post("secret/data/deep", raw=ok).status == 200
    assert c.post("secret/data/dup", raw=b'{"data":{"a":1,"a":2}}').status == 400
    assert c.post("secret/data/dup", raw=b'{"data":{},"data":{}}').status == 400
    assert c.post("secret/data/dup", raw=b'{"data":{"a":1,"\\u0061":2}}').status == 400
    number = b"1" * 65
    assert c.post("secret/data/num", raw=b'{"data":{"a":%s}}' % number).status == 400
    many = json.dumps({"data": {f"k{i}": 0 for i in range(10001)}}).encode()
    assert c.post("secret/data/many", raw=many).status == 400


def test_body_too_large(server):
    r = raw(server, "POST", "/v1/secret/data/x", "Content-Length: 2000000", body=b"x" * 2000000)
    assert (r.status, json.loads(r.body)) == (413, {"errors": ["http: request body too large"]})
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    r = raw(server, "POST", "/v1/secret/data/x", "Transfer-Encoding: chunked", body=chunk * 20 + b"0\r\n\r\n")
    assert r.status == 413


REFUSED_PATHS = ["secret/data/a/../w", "secret/data/./w", "secret//data/w", "secret/data//w", "secret/data/%2e%2e/w",
                 "secret/data/a%2fw", "secret/data/a%2Fw", "secret/data/a%00w", "secret/data/%0aw", "secret/data/%c0%af",
                 "secret/data/%ff", "secret/data/%", "secret/data/%2", "secret/data/%zz", "secret/data/..",
                 "secret/data/a%7fb", "..", "%2e%2e/%2e%2e/etc/passwd", "secret/data/%20w", "secret/data/w%20"]


@pytest.mark.parametrize("path", REFUSED_PATHS)
def test_refused_paths(server, path):
    r = raw(server, "GET", "/v1/" + path)
    assert r.status == 400, r
    assert "errors" in json.loads(r.body)


def test_paths_are_decoded_once(c):
    assert c.post("secret/data/p%61th%20with%20spaces", {"data": {"x": 1}}).status == 200
    assert c.get("secret/data/path%20with%20spaces").status == 200
    assert c.post("secret/data/per%2561cent", {"data": {"x": 1}}).status == 200
    assert c.get("secret/data/percent").status == 404
    assert "per%61cent" in c.list("secret/metadata").data["keys"]
    assert c.get("secret/data/a+b").status == 404, "a plus sign is itself"


def test_long_paths(server):
    def status(path):
        return raw(server, "GET", "/v1/secret/data/" + path).status
    assert status("x" * (1024 - len("secret/data/"))) == 404
    assert status("x" * (1025 - len("secret/data/"))) == 400
    assert status("/".join(["s"] * 30)) == 404
    assert status("/".join(["s"] * 31)) == 400
    assert status("x" * 9000) in (400, 414)


def test_queries_become_fields(c):
    token = c.post("auth/token/create", {"ttl": 60}).json["auth"]["client_token"]
    assert c.get("auth/token/lookup?token=" + token).data["id"] == token
    c.post("secret/data/q", {"data": {"n": 1}})
    assert c.get("secret/data/q?version=%31").status == 200
    assert c.get("secret/data/q?version=1;x=2").status == 400
    assert c.get("secret/data/q?version=%zz").status == 400


def test_namespaces(c):
    for ns in ("", "/", "root", "root/"):
        assert c.get("secret/data/w", headers={"X-Vault-Namespace": ns}).status == 200
        assert c.get("secret/data/w", headers={"X-Vault-Namespace": ns}).headers.get("x-vault-namespace", "") == ns
    assert "x-vault-namespace" not in c.get("secret/data/w").headers
    r = c.get("secret/data/w", headers={"X-Vault-Namespace": "team"})
    assert (r.status, r.json) == (404, {"errors": []})


def test_wrap_header(c):
    r = c.get("secret/data/w", headers={"X-Vault-Wrap-TTL": "-5s"})
    assert r.status == 400 and r.errors[0].startswith("error parsing X-Vault-Wrap-TTL header")
    assert c.get("secret/data/w", headers={"X-Vault-Wrap-TTL": "x"}).status == 400
    assert c.get("secret/data/w", headers={"X-Vault-Wrap-TTL": "0"}).status == 200
    r = c.get("secret/data/w", headers={"X-Vault-Wrap-TTL": "60"})
    assert r.status == 200 and r.data is None and r.json["request_id"] == "", "never the value in the clear"
    assert r.json["wrap_info"]["ttl"] == 60


def test_enterprise_headers_are_ignored(c):
    h = {"X-Vault-Index": "v1:abc", "X-Vault-MFA": "m", "X-Vault-Forward": "active-node", "X-Vault-Inconsistent": "x",
         "X-Vault-Policy-Override": "true", "X-Vault-No-Request-Forwarding": "1", "X-Vault-Request": "true"}
    assert c.get("secret/data/w", headers=h).status == 200


def test_keep_alive_and_pipelining(server):
    one = head(server, "GET", "/v1/secret/data/w").replace(b"Connection: close\r\n", b"")
    replies = vaultd.exchange(server, one * 5 + head(server, "GET", "/v1/secret/data/none"))
    assert [r.status for r in replies] == [200] * 5 + [404]


def test_expect_continue(server):
    body = b'{"data":{"x":1}}'
    with vaultd.connect(server.port, server.tls) as s:
        s.sendall(head(server, "POST", "/v1/secret/data/exp", f"Content-Length: {len(body)}", "Expect: 100-continue"))
        assert s.recv(1000).startswith(b"HTTP/1.1 100 ")
        s.sendall(body)
        (r,) = vaultd.parse_replies(vaultd.read_to_end(s))
    assert r.status == 200


def test_times_are_utc_with_z(c):
    r = c.post("secret/data/time", {"data": {}})
    t = r.data["created_time"]
    assert t.endswith("Z") and time.strftime("%Y-%m", time.gmtime()) == t[:7]


def test_the_hosts_port_serves_only_hosts(server):
    h = server.hosts_client(server.root)
    r = h.get("secret/data/w")
    assert r.status == 404
    assert h.get("sys/health").status == 200
    assert server.client().post("sys/agent/watch", {}).status in (403, 404)
    for c in (h, server.client()):  # what agents say besides: at both
        assert c.get("sys/agent/sync").status == 403  # not a host
        assert c.post("auth/host/challenge", {"host_id": "00" * 16}).status == 200
    assert h.post("auth/host/join", {"join_id": "00" * 16}).status == 404
