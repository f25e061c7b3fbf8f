# SPDX-License-Identifier: Apache-2.0
"""3, 4: names fold ASCII case in one function, and every other variant is refused."""
import json
import urllib.parse

import pytest

from seclib import policy, token

VARIANTS = [" ops", "ops ", "ops\t", "o\u200bps", "\uff4f\uff50\uff53", "o\u0300ps", "op\u0455", "ops\0", "ops\n", "ops/..", "..",
            ".ops", "-ops", "ops*", "o,ps", "o ps", "+", "x" * 129]


def quoted(name):
    return urllib.parse.quote(name, safe="")


@pytest.mark.parametrize("name", VARIANTS)
def test_policy_names(c, name):
    r = c.post("sys/policies/acl/" + quoted(name), {"policy": ""})
    assert 400 <= r.status < 500, r
    r = c.post("auth/token/create", {"policies": [name]})
    assert r.status == 400 or (name.strip() == "ops" and r.json["auth"]["policies"] == ["default", "ops"]), r


@pytest.mark.parametrize("name", VARIANTS)
def test_host_and_role_names(c, name):
    assert c.post("sys/hosts/roles/" + quoted(name), {"paths": ["secret/x"]}).status in (400, 404)
    assert c.post("sys/hosts/roles/plain", {"paths": ["secret/x"]}).status in (200, 204)
    assert c.post("sys/hosts/add", {"name": name, "role": "plain"}).status == 400
    assert c.post("sys/hosts/add", {"name": "h1", "role": name}).status in (400, 404)
    r = c.list("sys/hosts")
    assert r.status == 404 or "h1" not in json.dumps(r.data)


def test_case_folds_to_one(c):
    policy(c, "Team", 'path "secret/data/team" { capabilities = ["read"] }')
    assert c.get("sys/policies/acl/team").data["name"] == "team"
    assert c.list("sys/policies/acl").data["keys"].count("team") == 1
    assert "Team" not in c.list("sys/policies/acl").data["keys"]
    assert token(c, "TEAM")["policies"] == ["default", "team"]


NAMED = [("GET", "sys/policies/acl/{}"), ("PUT", "sys/policies/acl/{}"), ("DELETE", "sys/policy/{}"),
         ("POST", "auth/token/create/{}"), ("POST", "auth/token/roles/{}"), ("GET", "auth/token/roles/{}"),
         ("GET", "sys/hosts/{}"), ("POST", "sys/hosts/{}/revoke"), ("POST", "sys/hosts/roles/{}"),
         ("POST", "sys/locked-users/userpass_0/unlock/{}"),
         ("POST", "auth/names-approle/role/{}/secret-id"), ("GET", "auth/names-approle/role/{}/role-id"),
         ("DELETE", "auth/names-approle/role/{}"), ("POST", "auth/names-userpass/users/{}/password"),
         ("POST", "auth/names-userpass/users/{}"), ("GET", "auth/names-cert/certs/{}"),
         ("POST", "auth/names-cert/certs/{}")]


@pytest.mark.parametrize("method,path", NAMED)
def test_case_is_no_way_round_a_rule(c, method, path):
    """A rule for a name holds for every spelling that stands for it."""
    for kind in ("approle", "userpass", "cert"):
        assert c.post(f"sys/auth/names-{kind}", {"type": kind}).status in (204, 400)
    everything = 'capabilities = ["create", "read", "update", "delete", "list", "sudo"]'
    policy(c, "but-one", f'path "sys/*" {{ {everything} }} path "auth/*" {{ {everything} }} '
                         f'path "{path.format("crown")}" {{ capabilities = ["deny"] }}')
    t = token(c, "but-one")["client_token"]
    for name in ("crown", "CROWN", "Crown", "cRown", "%43rown"):
        r = c.request(method, path.format(name), {} if method != "GET" else None, token=t)
        assert r.status == 403, (name, r)
    assert c.request(method, path.format("other"), {} if method != "GET" else None, token=t).status != 403


ROOTS = ["ROOT", " root", "root ", "root\t", "Root", "r\u043e\u043et", "\uff52\uff4f\uff4f\uff54", "root\u200b", "root\n", "root,x"]


@pytest.mark.parametrize("name", ROOTS)
def test_no_spelling_of_root(c, name):
    policy(c, "maker", 'path "auth/token/create" { capabilities = ["update", "sudo"] }')
    maker = token(c, "maker")["client_token"]
    for body in (json.dumps({"policies": [name]}), json.dumps({"policies": name}),
                 json.dumps({"policies": [name, "maker"]})):
        r = c.post("auth/token/create", raw=body.encode(), token=maker)
        assert r.status == 400, (body, r)
    assert c.get("auth/token/lookup-self", token=maker).data["policies"] == ["default", "maker"]


def test_no_escaped_root(c):
    policy(c, "maker", 'path "auth/token/create" { capabilities = ["update", "sudo"] }')
    maker = token(c, "maker")["client_token"]
    r = c.post("auth/token/create", raw=b'{"policies":["r\\u006fot"]}', token=maker)
    assert r.status == 400


@pytest.mark.parametrize("name", ["root", "ROOT", "Root"])
def test_root_is_no_policy_to_write(c, name):
    assert c.post("sys/policies/acl/" + name, {"policy": 'path "*" { capabilities = ["read"] }'}).status == 400
    assert c.delete("sys/policies/acl/" + name).status == 400


def test_cli_passes_nothing_odd(server):
    for name in ("Ops ", "o ps", "../x", "ops\n"):
        p = server.ctl("policy", "write", name, "-", stdin="", check=False)
        assert p.returncode != 0
        p = server.ctl("host", "add", name, "--role", "plain", check=False)
        assert p.returncode != 0
