# SPDX-License-Identifier: Apache-2.0
"""Policies: their API and what they allow."""
import base64
import itertools

import pytest

DENIED = "1 error occurred:\n\t* permission denied\n\n"
names = (f"p{i}" for i in itertools.count())


def write(c, name, text):
    r = c.post(f"sys/policies/acl/{name}", {"policy": text})
    assert r.status == 204, r


def token_for(c, *texts):
    used = []
    for text in texts:
        used.append(next(names))
        write(c, used[-1], text)
    r = c.post("auth/token/create", {"policies": used, "no_default_policy": True, "ttl": "10m"})
    assert r.status == 200, r
    return r.json["auth"]["client_token"]


def rule(path, *caps):
    return f'path "{path}" {{ capabilities = [{", ".join(repr(x) for x in caps)}] }}'.replace("'", '"')


@pytest.fixture(scope="module", autouse=True)
def secrets(server):
    for path in ("a", "a/b", "a/b/c", "a/bc", "z/1/end", "z/2/end", "z/2/3/end"):
        server.put(path, {"k": path})


def get(c, path, token):
    return c.get("secret/data/" + path, token=token).status


def test_write_read_list_delete(c):
    text = '# the readers\npath "secret/data/a" {\n\tcapabilities = ["read"]\n}\n'
    write(c, "readers", text)
    r = c.get("sys/policies/acl/readers")
    assert r.status == 200 and r.data == {"name": "readers", "policy": text}
    assert "policy" not in r.json, "sys/policies is not repeated at the top"
    keys = c.list("sys/policies/acl").data["keys"]
    assert {"default", "readers", "root"} <= set(keys) and keys == sorted(keys)
    assert c.delete("sys/policies/acl/readers").status == 204
    assert c.delete("sys/policies/acl/readers").status == 204
    r = c.get("sys/policies/acl/readers")
    assert (r.status, r.json) == (404, {"errors": []})


def test_legacy_paths(c):
    assert c.request("PUT", "sys/policy/old", {"rules": rule("x", "read")}).status == 204
    r = c.get("sys/policy/old")
    assert r.data["rules"] == r.json["rules"] == rule("x", "read")
    assert r.json["name"] == "old"
    for r in (c.get("sys/policy"), c.list("sys/policy")):
        assert "old" in r.json["keys"] and r.json["policies"] == r.data["keys"]
    assert c.delete("sys/policy/old").status == 204
    assert c.get("sys/policy/old").status == 404


def test_base64_text_and_json_text(c):
    text = rule("secret/data/a", "read")
    write(c, "coded", base64.b64encode(text.encode()).decode())
    assert c.get("sys/policies/acl/coded").data["policy"] == text
    t = token_for(c, '{"path": {"secret/data/a": {"capabilities": ["read"]}}}')
    assert get(c, "a", t) == 200


def test_name_is_lower_cased(c):
    r = c.post("sys/policies/acl/MiXed", {"policy": rule("x", "read")})
    assert r.status in (200, 204)
    assert "mixed" in c.list("sys/policies/acl").data["keys"]
    assert c.get("sys/policies/acl/MIXED").data["name"] == "mixed"


@pytest.mark.parametrize("body, text", [
    ({}, "'policy' parameter not supplied or empty"),
    ({"policy": ""}, "'policy' parameter not supplied or empty"),
    ({"policy": 'path "x" {'}, "failed to parse policy: "),
    ({"policy": 'path "x" { capabilities = ["fly"] }'}, "failed to parse policy: "),
    ({"policy": 'path "x" { colour = "red" }'}, "failed to parse policy: "),
    ({"policy": 'way "x" { }'}, "failed to parse policy: "),
])
def test_refused_texts(c, body, text):
    r = c.post("sys/policies/acl/bad", body)
    assert r.status == 400 and text in r.errors[0], r
    assert c.get("sys/policies/acl/bad").status == 404


def test_builtin_policies_are_protected(c):
    for method, path, text in (("POST", "root", 'cannot update "root" policy'),
                               ("DELETE", "root", 'cannot delete "root" policy'),
                               ("DELETE", "default", "cannot delete default policy")):
        r = c.request(method, "sys/policies/acl/" + path, {"policy": rule("x", "read")} if method == "POST" else None)
        assert (r.status, r.errors) == (400, [text])
    before = c.get("sys/policies/acl/default").data["policy"]
    write(c, "default", before + "\n# more\n")
    write(c, "default", before)


def test_exact_and_prefix(c):
    t = token_for(c, rule("secret/data/a", "read"))
    assert [get(c, p, t) for p in ("a", "a/b", "ab")] == [200, 403, 403]
    t = token_for(c, rule("secret/data/a/b*", "read"))
    assert [get(c, p, t) for p in ("a", "a/b", "a/bc", "a/b/c")] == [403, 200, 200, 200]
    t = token_for(c, rule("secret/data/a/*", "read"))
    assert [get(c, p, t) for p in ("a", "a/b", "a/bc", "a/b/c")] == [403, 200, 200, 200]


def test_plus_is_one_segment(c):
    t = token_for(c, rule("secret/data/z/+/end", "read"))
    assert [get(c, p, t) for p in ("z/1/end", "z/2/end", "z/2/3/end")] == [200, 200, 403]
    t = token_for(c, rule("secret/data/+/+/*", "read"))
    assert [get(c, p, t) for p in ("a/b", "a/b/c", "z/2/3/end")] == [403, 200, 200]


def test_deny_wins_and_the_more_exact_rule_decides(c):
    t = token_for(c, rule("secret/data/*", "read") + rule("secret/data/a/b", "deny"))
    assert [get(c, p, t) for p in ("a", "a/b", "a/b/c")] == [200, 403, 200]
    t = token_for(c, rule("secret/data/a/b", "read"), rule("secret/data/a/b", "deny", "read"))
    assert get(c, "a/b", t) == 403
    t = token_for(c, rule("secret/data/a/*", "deny") + rule("secret/data/a/b", "read"))
    assert [get(c, p, t) for p in ("a/bc", "a/b")] == [403, 200]
    t = token_for(c, rule("secret/data/*", "update"), rule("secret/data/a*", "read"))
    assert c.post("secret/data/a", {"data": {}}, token=t).status == 403, "one rule, not a union"


def test_same_pattern_of_two_policies_adds_up(c):
    t = token_for(c, rule("secret/data/u", "create", "update"), rule("secret/data/u", "read"))
    assert c.post("secret/data/u", {"data": {"x": 1}}, token=t).status == 200
    assert get(c, "u", t) == 200


def test_create_and_update_differ(c):
    t = token_for(c, rule("secret/data/cu/*", "create"))
    assert c.post("secret/data/cu/1", {"data": {}}, token=t).status == 200
    assert c.post("secret/data/cu/1", {"data": {}}, token=t).status == 403
    t = token_for(c, rule("secret/data/cu/*", "update"))
    assert c.post("secret/data/cu/1", {"data": {}}, token=t).status == 200
    assert c.post("secret/data/cu/2", {"data": {}}, token=t).status == 403


def test_patch_and_delete_capabilities(c):
    mp = {"Content-Type": "application/merge-patch+json"}
    t = token_for(c, rule("secret/data/a", "patch"))
    assert c.request("PATCH", "secret/data/a", {"data": {"q": 1}}, token=t, headers=mp).status == 200
    assert c.delete("secret/data/a", token=t).status == 403
    t = token_for(c, rule("secret/data/gone", "delete"))
    assert c.delete("secret/data/gone", token=t).status == 204
    assert c.request("PATCH", "secret/data/gone", {"data": {}}, token=t, headers=mp).status == 403


def test_list_asks_with_a_slash(c):
    t = token_for(c, rule("secret/metadata/a/", "list"))
    assert c.list("secret/metadata/a", token=t).data["keys"] == ["b", "b/", "bc"]
    assert c.list("secret/metadata/a/", token=t).status == 200
    assert c.get("secret/metadata/a?list=true", token=t).status == 200
    assert c.list("secret/metadata/", token=t).status == 403
    t = token_for(c, rule("secret/metadata/a", "list"))
    assert c.list("secret/metadata/a", token=t).status == 200, "a rule without the slash is honoured, too"
    t = token_for(c, rule("secret/metadata/a/", "read"))
    assert c.list("secret/metadata/a", token=t).status == 403


def test_changes_reach_live_tokens(c):
    write(c, "live", rule("secret/data/a", "read"))
    t = c.post("auth/token/create", {"policies": ["live"], "no_default_policy": True}).json["auth"]["client_token"]
    assert get(c, "a", t) == 200
    write(c, "live", rule("secret/data/a/b", "read"))
    assert (get(c, "a", t), get(c, "a/b", t)) == (403, 200)
    assert c.delete("sys/policies/acl/live").status == 204
    assert get(c, "a/b", t) == 403
    write(c, "live", rule("secret/data/a", "read"))
    assert get(c, "a", t) == 200


def test_refusal_text_and_unknown_things_look_alike(c):
    t = token_for(c, rule("secret/data/a", "read"))
    for method, path in (("GET", "secret/data/none"), ("GET", "no/such/mount"), ("GET", "sys/no-such-thing"),
                         ("LIST", "sys/policies/acl"), ("DELETE", "secret/data/a"), ("POST", "sys/hosts/add")):
        r = c.request(method, path, token=t)
        assert (r.status, r.errors) == (403, [DENIED]), (method, path)


def test_root_sees_unknown_things(c):
    r = c.get("no/such/mount")
    assert (r.status, r.errors) == (404, ['no handler for route "no/such/mount". route entry not found.'])
    r = c.get("sys/no-such-thing")
    assert (r.status, r.errors) == (404, ["1 error occurred:\n\t* unsupported path\n\n"])
    r = c.delete("sys/hosts")
    assert (r.status, r.errors) == (405, ["1 error occurred:\n\t* unsupported operation\n\n"])


def test_capabilities_self(c, server):
    t = token_for(c, rule("secret/data/a", "read", "update", "create") + rule("sys/capabilities-self", "update"))
    r = c.post("sys/capabilities-self", {"paths": ["secret/data/a"]}, token=t)
    assert r.json["capabilities"] == r.json["secret/data/a"] == ["create", "read", "update"]
    r = c.post("sys/capabilities-self", {"paths": ["secret/data/a", "secret/data/b"]}, token=t)
    assert r.json["secret/data/b"] == ["deny"] and "capabilities" not in r.json
    r = c.post("sys/capabilities-self", {"path": "x"})
    assert r.json["capabilities"] == ["root"]
    r = c.post("sys/capabilities-self", {})
    assert (r.status, r.errors) == (400, ["paths must be supplied"])


def limited(path, caps, limits):
    return f'path "{path}" {{\n capabilities = {caps}\n {limits}\n}}'.replace("'", '"')


@pytest.mark.parametrize("limits, good, bad", [
    ("required_parameters = ['options']", [{"data": {}, "options": {}}],
     [{"data": {}}, {}, {"data": {}, "OPTIONS": {}}]),
    ("allowed_parameters = { 'data' = [] }", [{"data": {"x": 1}}], [{"data": {}, "options": {}}]),
    ("allowed_parameters = { data = [{ x = 1 }], '*' = [] }", [{"data": {"x": 1}}, {"data": {"x": 1.0}, "options": {}}],
     [{"data": {"x": 2}}, {"data": {}}]),
    ("denied_parameters = { 'options' = [] }", [{"data": {"x": 1}}], [{"data": {}, "options": {}}, {"data": {}, "OPTIONS": 1}]),
    ("denied_parameters { '*' = [] }", [], [{"data": {}}]),
])
def test_parameters(c, limits, good, bad):
    t = token_for(c, limited("secret/data/limits/*", ["create", "update", "read"], limits))
    for body in good:
        assert c.post("secret/data/limits/a", body, token=t).status == 200, body
    for body in bad:
        r = c.post("secret/data/limits/a", body, token=t)
        assert (r.status, r.errors) == (403, [DENIED]), body
    assert c.get("secret/data/limits/a?version=1", token=t).status in (200, 404), "reads have no parameters"


def test_limits_of_several_policies_are_one(c):
    path = "secret/data/limits2/a"
    one = limited(path, ["create", "update"], "allowed_parameters = { 'data' = [] }")
    two = limited(path, ["read"], "allowed_parameters = { 'options' = [] }")
    plain = limited(path, ["read"], "")
    both = {"data": {}, "options": {}}
    assert c.post(path, both, token=token_for(c, one)).status == 403
    assert c.post(path, both, token=token_for(c, one, plain)).status == 403, "having no limits lifts none"
    assert c.post(path, both, token=token_for(c, one, two)).status == 200
    exact = limited(path, ["create", "update"], "")
    broad = limited("secret/data/*", ["create", "update"], "denied_parameters = { '*' = [] }")
    assert c.post(path, both, token=token_for(c, exact, broad)).status == 200, "one rule applies"


def test_templates(c):
    t = token_for(c, rule("secret/data/{{identity.entity.id}}", "read") + rule("secret/data/{{ identity.entity.name }}*", "read"))
    for path in ("a", "%7B%7Bidentity.entity.id%7D%7D"):
        assert get(c, path, t) == 403
    for bad in ("{{identity.entity.id", "{{identity.entity}}", "}}{{"):
        r = c.post("sys/policies/acl/bad", {"policy": rule("secret/" + bad, "read")})
        assert r.status == 400 and r.errors[0].startswith("failed to parse policy: "), r


def test_capabilities_of_others(c):
    r = c.post("auth/token/create", {"policies": [], "ttl": "10m"}).json["auth"]
    t = token_for(c, rule("secret/data/a", "read"))
    accessor = c.post("auth/token/lookup", {"token": t}).data["accessor"]
    for path, who in (("sys/capabilities", {"token": t}), ("sys/capabilities-accessor", {"accessor": accessor})):
        r = c.post(path, {**who, "paths": ["secret/data/a", "x"]})
        assert (r.json["secret/data/a"], r.json["x"]) == (["read"], ["deny"])
        assert "capabilities" not in r.json
        r = c.post(path, {**who, "paths": ["x"]})
        assert r.json["capabilities"] == ["deny"] == r.data["x"]
        assert c.post(path, who).errors == ["paths must be supplied"]
        assert c.post(path, {**who, "paths": ["x"]}, token=t).status == 403
    assert c.post("sys/capabilities", {"token": "x", "paths": ["x"]}).errors == ["invalid token"]
    assert c.post("sys/capabilities-accessor", {"accessor": "x", "paths": ["x"]}).errors == ["invalid accessor"]


def test_resultant_acl(c):
    t = token_for(c, rule("sys/internal/ui/resultant-acl", "read") + rule("secret/*", "list") +
                  limited("secret/x", ["update"], "min_wrapping_ttl = '5s'"), rule("secret/*", "read"))
    r = c.get("sys/internal/ui/resultant-acl", token=t)
    assert r.data == {"root": False, "glob_paths": {"secret/": {"capabilities": ["list", "read"]}}, "exact_paths": {
        "sys/internal/ui/resultant-acl": {"capabilities": ["read"]},
        "secret/x": {"capabilities": ["update"], "min_wrapping_ttl": 5}}}
    assert c.get("sys/internal/ui/resultant-acl").data == {"root": True}


def test_built_in_policies(c):
    assert "response-wrapping" not in c.list("sys/policies/acl").data["keys"]
    for r in (c.post("sys/policies/acl/response-wrapping", {"policy": rule("x", "read")}), c.delete("sys/policy/response-wrapping")):
        assert r.status == 400, r
    assert c.post("auth/token/create", {"policies": ["response-wrapping"]}).status == 400
    text = c.get("sys/policies/acl/default").data["policy"]
    for path in ("auth/token/renew-self", "sys/wrapping/unwrap", "cubbyhole/*", "identity/oidc/provider/+/authorize",
                 "identity/entity/id/{{identity.entity.id}}", "sys/tools/hash/*", "sys/leases/lookup"):
        assert f'"{path}"' in text
    assert "sys/wrapping/rewrap" not in text and "leases/revoke" not in text
