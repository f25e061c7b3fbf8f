# SPDX-License-Identifier: Apache-2.0
"""5: a deny holds for every verb below it, whatever broader rule allows."""
import pytest

from seclib import policy, token

ALL = '["create", "read", "update", "patch", "delete", "list"]'
VERBS = [("GET", "data/x/a"), ("POST", "data/x/a"), ("PATCH", "data/x/a"), ("DELETE", "data/x/a"), ("POST", "delete/x/a"),
         ("POST", "undelete/x/a"), ("POST", "destroy/x/a"), ("GET", "metadata/x/a"), ("POST", "metadata/x/a"),
         ("DELETE", "metadata/x/a"), ("LIST", "metadata/x"), ("LIST", "metadata/x/"), ("GET", "metadata/x?list=true"),
         ("GET", "subkeys/x/a")]


@pytest.fixture(scope="module")
def denied(server):
    c = server.client()
    server.put("x/a", {"k": "kept"})
    server.put("y/a", {"k": "v"})
    policy(c, "broad", f'path "secret/*" {{ capabilities = {ALL} }}')
    policy(c, "narrow", "\n".join(f'path "secret/{p}/x/*" {{ capabilities = ["deny"] }}' for p in (
        "data", "metadata", "delete", "undelete", "destroy", "subkeys")))
    yield token(c, "broad", "narrow")["client_token"]
    c.close()


@pytest.mark.parametrize("method, path", VERBS)
def test_denied(server, c, denied, method, path):
    body = {"data": {"k": "new"}, "versions": [1]} if method in ("POST", "PATCH") else None
    h = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
    r = c.request(method, "secret/" + path, body, token=denied, headers=h)
    assert r.status == 403, r
    assert server.read("x/a") == {"k": "kept"}


def test_beside_it_is_allowed(c, denied):
    assert c.get("secret/data/y/a", token=denied).status == 200
    assert c.list("secret/metadata/y", token=denied).status == 200


def test_deny_wins_over_what_stands_with_it(c):
    policy(c, "yes", 'path "secret/data/y/a" { capabilities = ["read", "update"] }')
    policy(c, "no", 'path "secret/data/y/a" { capabilities = ["deny"] }')
    policy(c, "both", 'path "secret/data/y/a" { capabilities = ["deny", "read"] }')
    for names in (["yes", "no"], ["both"], ["both", "yes"]):
        assert c.get("secret/data/y/a", token=token(c, *names)["client_token"]).status == 403
    assert c.get("secret/data/y/a", token=token(c, "yes")["client_token"]).status == 200


def test_capabilities_say_the_same(c, denied):
    r = c.post("sys/capabilities-self", {"paths": ["secret/data/x/a", "secret/metadata/x/", "secret/data/y/a"]},
               token=denied)
    assert r.data["secret/data/x/a"] == ["deny"] and r.data["secret/metadata/x/"] == ["deny"]
    assert "read" in r.data["secret/data/y/a"]


LIMITS = ["denied_parameters = { 'data' = [] }", "allowed_parameters = { 'options' = [] }", "required_parameters = ['options']",
          "allowed_parameters = { 'data' = [{ k = 'other' }] }"]


@pytest.mark.parametrize("limits", LIMITS)
def test_limits_hold_for_every_verb_that_writes(server, c, limits):
    server.put("lim/a", {"k": "kept"})
    policy(c, "lim", f'path "secret/data/lim/*" {{ capabilities = {ALL}\n {limits} }}'.replace("'", '"'))
    policy(c, "lim2", f'path "secret/data/lim/*" {{ capabilities = {ALL} }}')
    for t in (token(c, "lim")["client_token"], token(c, "lim", "lim2")["client_token"], token(c, "broad", "lim")["client_token"]):
        for method, path in (("POST", "a"), ("PUT", "a"), ("PATCH", "a"), ("POST", "new")):
            h = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
            for body in ({"data": {"k": "new"}}, {"DATA": {"k": "new"}, "data": {"k": "new"}}):
                r = c.request(method, "secret/data/lim/" + path, body, token=t, headers=h)
                assert r.status == 403, (method, path, r)
        assert server.read("lim/a") == {"k": "kept"} and c.get("secret/data/lim/new").status == 404


@pytest.mark.parametrize("value", ["limited", "LIMITED", ["limited"], ["x", "Limited"], "x,limited", "x , LIMITED "])
def test_a_denied_policy_is_denied_however_it_is_written(c, value):
    policy(c, "limited", "#")
    policy(c, "x", "#")
    policy(c, "maker", 'path "auth/token/create" { capabilities = ["update", "sudo"]\n denied_parameters = { "policies" = ["lim*"] } }')
    t = token(c, "maker", "limited", "x")["client_token"]
    assert c.post("auth/token/create", {"policies": value}, token=t).status == 403
    assert c.post("auth/token/create", {"policies": ["x"]}, token=t).status == 200


def test_an_allowed_list_is_not_stretched(c):
    policy(c, "maker2", 'path "auth/token/create" { capabilities = ["update", "sudo"]\n allowed_parameters = { "policies" = ["x*"] } }')
    t = token(c, "maker2", "limited")["client_token"]
    assert c.post("auth/token/create", {"policies": "x,limited"}, token=t).status == 403
    assert c.post("auth/token/create", {"policies": ["limited"]}, token=t).status == 403
    assert c.post("auth/token/create", {"policies": "x"}, token=t).status == 200
