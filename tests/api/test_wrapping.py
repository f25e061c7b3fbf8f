# SPDX-License-Identifier: Apache-2.0
"""Response wrapping: any reply, kept for the one who holds a token, given out once."""
import datetime
import itertools
import re
import time

import pytest

import vaultd

WRAP = {"X-Vault-Wrap-TTL": "60s"}
GONE = ["wrapping token is not valid or does not exist"]
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
names = (f"w{i}" for i in itertools.count())


@pytest.fixture(scope="module", autouse=True)
def secrets(server):
    server.put("wrapped", {"k": "v", "n": 9007199254740993, "deep": [1.50, {"x": None}]})


def token_for(c, text, **more):
    name = next(names)
    assert c.post(f"sys/policies/acl/{name}", {"policy": text}).status == 204
    r = c.post("auth/token/create", {"policies": [name], "no_default_policy": True, "ttl": "10m", **more})
    assert r.status == 200, r
    return r.json["auth"]["client_token"]


def wrapped(c, path="secret/data/wrapped", method="GET", body=None, ttl="60s", **kw):
    r = c.request(method, path, body, headers={"X-Vault-Wrap-TTL": ttl}, **kw)
    assert r.status == 200, r
    return r.json["wrap_info"]


def test_only_wrap_info_comes_back(c):
    before = time.time()
    r = c.get("secret/data/wrapped", headers=WRAP)
    info = r.json.pop("wrap_info")
    assert r.json == {"request_id": "", "lease_id": "", "renewable": False, "lease_duration": 0, "data": None, "warnings": None,
                      "auth": None, "mount_type": ""}
    assert set(info) == {"token", "accessor", "ttl", "creation_time", "creation_path"}, "no wrapped_accessor: nothing has one"
    assert info["ttl"] == 60 and info["creation_path"] == "secret/data/wrapped"
    assert info["token"].startswith("vlt_w_") and len(info["accessor"]) == 24
    made = datetime.datetime.fromisoformat(info["creation_time"].replace("Z", "+00:00")).timestamp()
    assert before - 2 < made < time.time() + 2
    d = c.post("auth/token/lookup", {"token": info["token"]}).data
    assert (d["policies"], d["num_uses"], d["ttl"] > 50, d["explicit_max_ttl"], d["renewable"], d["path"], d["orphan"]) == (
        ["response-wrapping"], 1, True, 60, False, "secret/data/wrapped", True)


def test_unwrap_gives_what_was_kept(c):
    plain = c.get("secret/data/wrapped")
    for form in ("token in the body", "own token", "own token, PUT", "own token in both", "body alone"):
        token = wrapped(c)["token"]
        if form == "token in the body":
            r = c.post("sys/wrapping/unwrap", {"token": token})
        elif form == "own token in both":
            r = c.post("sys/wrapping/unwrap", {"token": token}, token=token)
        elif form == "body alone":
            r = c.post("sys/wrapping/unwrap", {"token": token}, token=None)
        else:
            r = c.request("PUT" if form.endswith("PUT") else "POST", "sys/wrapping/unwrap", token=token)
        assert r.status == 200, (form, r)
        assert UUID.fullmatch(r.json["request_id"]) and r.json["wrap_info"] is None
        assert r.raw.replace(r.json["request_id"].encode(), b"") == plain.raw.replace(plain.json["request_id"].encode(), b"")
        for again in (c.post("sys/wrapping/unwrap", {"token": token}), c.post("sys/wrapping/unwrap", token=token)):
            assert (again.status, again.errors) == (400, GONE), form


def test_the_request_id_is_that_of_the_first_request(c):
    r = c.post("sys/wrapping/unwrap", {"token": wrapped(c)["token"]})
    log = c.get("sys/audit-log/records?order=newest&limit=50").data["records"]
    (made,) = [x for x in log if x["request_id"] == r.json["request_id"]]
    assert made["path"] == "secret/data/wrapped" and made["operation"] == "read"


def test_lookup_does_not_consume(c):
    info = wrapped(c, ttl="90")
    for r in (c.post("sys/wrapping/lookup", {"token": info["token"]}), c.get("sys/wrapping/lookup", token=info["token"]),
              c.request("PUT", "sys/wrapping/lookup", {"token": info["token"]}, token=None),
              c.post("sys/wrapping/lookup", token=info["token"]), c.get("sys/wrapping/lookup", token=info["token"], headers=WRAP)):
        assert r.status == 200, r
        assert r.data == {"creation_ttl": 90, "creation_time": info["creation_time"], "creation_path": "secret/data/wrapped"}
    assert c.post("sys/wrapping/unwrap", token=info["token"]).status == 200
    assert c.post("sys/wrapping/lookup", {"token": info["token"]}).errors == GONE


def test_rewrap(c):
    t = token_for(c, 'path "sys/wrapping/rewrap" { capabilities = ["update"] }')
    for how in ("body", "own"):
        first = wrapped(c, "auth/token/create", "POST", {"ttl": "5m"}, ttl="2m")
        if how == "body":
            r = c.post("sys/wrapping/rewrap", {"token": first["token"]}, token=t)
        else:
            r = c.post("sys/wrapping/rewrap", token=first["token"])
        assert r.status == 200 and r.json["request_id"] == "", r
        info = r.json["wrap_info"]
        assert (info["ttl"], info["creation_path"], info["wrapped_accessor"]) == (
            120, "auth/token/create", first["wrapped_accessor"])
        assert info["token"] != first["token"] and info["accessor"] != first["accessor"]
        assert c.post("sys/wrapping/unwrap", token=first["token"]).errors == GONE
        auth = c.post("sys/wrapping/unwrap", token=info["token"]).json["auth"]
        assert auth["accessor"] == info["wrapped_accessor"]


def test_wrap_any_object(c):
    body = {"s": "text", "n": 12345678901234567890123, "f": 1.250, "list": [None, {"a": []}], "data": {"x": 1}, "token": "mine"}
    info = wrapped(c, "sys/wrapping/wrap", "POST", body)
    assert info["creation_path"] == "sys/wrapping/wrap"
    r = c.post("sys/wrapping/unwrap", token=info["token"])
    assert r.data == body and r.json["warnings"] is None and set(r.json) - {"errors"} == {
        "request_id", "lease_id", "renewable", "lease_duration", "data", "wrap_info", "warnings", "auth", "mount_type"}
    assert b"12345678901234567890123" in r.raw and b"1.25" in r.raw
    for headers in ({}, {"X-Vault-Wrap-TTL": "0"}):
        r = c.post("sys/wrapping/wrap", body, headers=headers)
        assert (r.status, r.errors) == (400, ["endpoint requires response wrapping to be used"])
    assert c.post("sys/wrapping/unwrap", token=wrapped(c, "sys/wrapping/wrap", "POST", {})["token"]).data == {}


def test_auth_is_wrapped(c):
    info = wrapped(c, "auth/token/create", "POST", {"ttl": "5m", "meta": {"a": "b"}})
    auth = c.post("sys/wrapping/unwrap", token=info["token"]).json["auth"]
    assert auth["accessor"] == info["wrapped_accessor"] and auth["metadata"] == {"a": "b"}
    assert c.get("auth/token/lookup-self", token=auth["client_token"]).status == 200


def test_what_is_not_wrapped(c, server):
    for r, status in ((c.get("secret/data/none", headers=WRAP), 404), (c.delete("secret/data/none", headers=WRAP), 204),
                      (c.list("secret/metadata/none", headers=WRAP), 404), (c.get("secret/data/wrapped", token=None, headers=WRAP), 403),
                      (c.get("sys/health", headers=WRAP), 200), (c.get("sys/seal-status", headers=WRAP), 200),
                      (c.post("sys/wrapping/lookup", {"token": "x"}, headers=WRAP), 400),
                      (c.get("no/mount", headers=WRAP), 404), (c.delete("sys/policies/acl", headers=WRAP), 405)):
        assert r.status == status, r
        assert not (r.json or {}).get("wrap_info")
    token = wrapped(c)["token"]
    assert c.post("sys/wrapping/unwrap", token=token, headers=WRAP).data["data"]["k"] == "v"
    server.put("deleted", {"k": "v"})
    c.delete("secret/data/deleted")
    r = c.get("secret/data/deleted", headers=WRAP)
    assert r.status == 404 and not r.json.get("wrap_info")


def test_lists_writes_and_old_forms_are_wrapped(c):
    for method, path, body in (("LIST", "secret/metadata", None), ("POST", "secret/data/wrapped2", {"data": {}}), ("GET", "sys/mounts", None),
                               ("GET", "sys/policy", None)):
        info = wrapped(c, path, method, body)
        r = c.post("sys/wrapping/unwrap", token=info["token"])
        assert r.status == 200 and r.data
        assert "keys" not in r.json and "secret/" not in r.json, "data are in one place"
        assert info["creation_path"] == path + ("/" if method == "LIST" else "")


@pytest.mark.parametrize("token", ["", "x", "vlt_w_" + "0" * 49, "vlt_s_" + "0" * 49, "hvs.CAESIJ", "a" * 1000])
def test_bad_tokens(c, token):
    for path in ("lookup", "unwrap", "rewrap"):
        r = c.post("sys/wrapping/" + path, {"token": token} if token else {"token": None}, token=c.token if token else "zz")
        assert (r.status, r.errors) == (400, GONE), (path, r)
        if token:
            r = c.post("sys/wrapping/" + path, token=token)
            assert (r.status, r.errors) == (400, GONE), (path, r)
    assert c.post("sys/wrapping/unwrap", token=None).status == 403
    assert c.post("sys/wrapping/rewrap", {}, token=None).status == 403
    assert c.post("sys/wrapping/lookup", token=None).status == 400


def test_a_plain_token_wraps_nothing(c):
    t = token_for(c, 'path "sys/wrapping/*" { capabilities = ["update", "read"] }')
    for path in ("lookup", "unwrap", "rewrap"):
        r = c.post("sys/wrapping/" + path, token=t)
        assert (r.status, r.errors) == (400, GONE)
        assert c.post("sys/wrapping/" + path, {"token": t}).errors == GONE
    assert c.post("auth/token/lookup", {"token": t}).status == 200, "still alive"


def test_someone_elses_unwrapping_needs_a_policy(c):
    token = wrapped(c)["token"]
    none = token_for(c, 'path "secret/*" { capabilities = ["read"] }')
    assert c.post("sys/wrapping/unwrap", {"token": token}, token=none).status == 403
    assert c.post("sys/wrapping/unwrap", {"token": token}, token="zz").status == 403
    default = c.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    assert c.post("sys/wrapping/rewrap", {"token": token}, token=default).status == 403
    assert c.post("sys/wrapping/unwrap", {"token": token}, token=default).status == 200


def test_a_wrapping_token_is_for_nothing_else(c):
    for method, path in (("GET", "secret/data/wrapped"), ("GET", "auth/token/lookup-self"), ("POST", "auth/token/create"), ("LIST", "secret/metadata")):
        token = wrapped(c)["token"]
        assert c.request(method, path, token=token).status == 403
        assert c.post("sys/wrapping/unwrap", token=token).errors == GONE, "that was its one use"


def test_it_goes_with_its_token(c):
    info = wrapped(c)
    assert c.post("auth/token/revoke-accessor", {"accessor": info["accessor"]}).status == 204
    assert c.post("sys/wrapping/unwrap", token=info["token"]).errors == GONE
    info = wrapped(c)
    assert c.post("auth/token/renew", {"token": info["token"]}).status == 400
    assert c.post("auth/token/revoke", {"token": info["token"]}).status == 204
    assert c.get("sys/wrapping/lookup", token=info["token"]).errors == GONE
    info = wrapped(c, ttl="1s")
    vaultd.wait_for("expiry", lambda: c.get("sys/wrapping/lookup", token=info["token"]).status == 400)
    assert c.post("sys/wrapping/unwrap", token=info["token"]).errors == GONE


def test_the_creator_may_go(c):
    t = token_for(c, 'path "secret/data/wrapped" { capabilities = ["read"] }')
    info = wrapped(c, token=t)
    assert c.post("auth/token/revoke", {"token": t}).status == 204
    assert c.post("sys/wrapping/unwrap", token=info["token"]).data["data"]["k"] == "v"


def test_last_use_of_a_token_may_be_wrapped(c):
    t = token_for(c, 'path "secret/data/wrapped" { capabilities = ["read"] }', num_uses=1)
    info = wrapped(c, token=t)
    assert c.get("secret/data/wrapped", token=t).status == 403
    assert c.post("sys/wrapping/unwrap", token=info["token"]).status == 200


def test_bounds_of_policies(c):
    t = token_for(c, 'path "secret/data/wrapped" { capabilities = ["read"]\n min_wrapping_ttl = "30s"\n max_wrapping_ttl = "90s" }')
    for ttl, ok in (("29s", False), ("30s", True), ("1m30s", True), ("90001ms", False), ("2m", False), ("0", False)):
        assert c.get("secret/data/wrapped", token=t, headers={"X-Vault-Wrap-TTL": ttl}).status == (200 if ok else 403), ttl
    assert c.get("secret/data/wrapped", token=t).status == 403
    with_write = token_for(c, 'path "secret/data/bound" { capabilities = ["create", "update"]\n max_wrapping_ttl = 60 }')
    assert c.post("secret/data/bound", {"data": {}}, token=with_write).status == 403
    assert c.get("secret/data/bound").status == 404, "the handler was not run"
    assert c.post("secret/data/bound", {"data": {}}, token=with_write, headers=WRAP).status == 200


def test_ttl_has_the_systems_maximum(c):
    info = wrapped(c, ttl="100000h")
    assert info["ttl"] == 2764800
    assert c.get("sys/wrapping/lookup", token=info["token"]).data["creation_ttl"] == 2764800


def test_warnings_stay_inside(c):
    r = c.post("auth/token/create", {"colour": "red"}, headers=WRAP)
    assert r.json["warnings"] is None
    inner = c.post("sys/wrapping/unwrap", {"token": r.json["wrap_info"]["token"], "other": 1})
    assert inner.json["warnings"] == ["Endpoint ignored these unrecognized parameters: [colour]"]


def restart(s):
    s.stop()
    s.start()
    s.unseal()


def test_it_survives_a_restart(own_server):
    c = own_server.client()
    own_server.put("a", {"k": "v"})
    token = wrapped(c, "secret/data/a")["token"]
    restart(own_server)
    c = own_server.client()
    assert c.get("sys/wrapping/lookup", token=token).status == 200
    assert c.post("sys/wrapping/unwrap", token=token).data["data"] == {"k": "v"}
    restart(own_server)
    assert own_server.client().post("sys/wrapping/unwrap", token=token).errors == GONE


def test_what_the_log_says(c):
    info = wrapped(c)
    c.post("sys/wrapping/unwrap", {"token": info["token"]})
    log = c.get("sys/audit-log/records?order=newest&limit=20").data["records"]
    made = next(r for r in log if r["path"] == "secret/data/wrapped")
    opened = next(r for r in log if r["path"] == "sys/wrapping/unwrap")
    assert made["note"]["wrap_accessor"] == info["accessor"] == opened["note"]["wrapping"], (made, opened)
    assert made["note"]["wrap_ttl"] == 60 and opened["note"]["wrapped_at"] == "secret/data/wrapped"
    assert info["token"] not in str(log)
