# SPDX-License-Identifier: Apache-2.0
"""7: a template never widens a rule.  Nothing stands behind one here, so a block that has one
grants nothing, to tokens and to hosts, whatever they call themselves."""
import itertools
import urllib.parse

import pytest

from seclib import policy, token

ALL = '["create", "read", "update", "patch", "delete", "list", "sudo"]'
TEMPLATES = ["identity.entity.id", "identity.entity.name", "identity.entity.metadata.team", "identity.groups.names.ops.id",
             "identity.entity.aliases.a1.name", "identity.entity.aliases.a1.custom_metadata.k", "identity.groups.ids.g.metadata.k"]
ATTRIBUTES = ["../*", "a/b", "+", "a,b", "*", "", "a", "..", "{{identity.entity.id}}"]
UNKNOWN = ["host.name", "host.id", "identity.host.name", "token.meta.team", "identity.entity.token", "identity.entity.meta",
           "identity", "", " ", "identity.entity.id}}{{", "{{identity.entity.id", "identity.entity.id|upper", "time.now"]
PATHS = ["a", "a/b", "+", "x", "a,b", "{{identity.entity.id}}", "team/a"]
names = (f"t{i}" for i in itertools.count())


@pytest.fixture(scope="module", autouse=True)
def secrets(server):
    for path in ("a", "a/b", "x", "team/a"):
        server.put(path, {"k": "v"})


@pytest.mark.parametrize("template", TEMPLATES)
def test_grants_nothing(c, template):
    name = next(names)
    policy(c, name, "".join(f'path "secret/{d}{{{{ {template} }}}}{tail}" {{ capabilities = {ALL} }}\n'
                            for d in ("data/", "metadata/", "", "data/team/") for tail in ("", "*", "/*", "/+")))
    for value in ATTRIBUTES:
        r = c.post("auth/token/create", {"policies": [name], "no_default_policy": True, "meta": {"team": value, "name": value},
                                         "display_name": value[:20] or "x", "entity_alias": value})
        assert r.status in (200, 400), r
        if r.status == 400:
            continue
        t = r.json["auth"]["client_token"]
        for path in [*PATHS, f"{{{{ {template} }}}}"]:
            assert c.get("secret/data/" + urllib.parse.quote(path), token=t).status == 403, (template, value, path)
        assert c.list("secret/metadata", token=t).status == 403


def test_a_dropped_block_lifts_no_deny(c):
    policy(c, "tdeny", 'path "secret/data/*" { capabilities = ["deny"] }')
    policy(c, "tallow", 'path "secret/data/{{identity.entity.id}}a" { capabilities = ["read"] }')
    assert c.get("secret/data/a", token=token(c, "tdeny", "tallow")["client_token"]).status == 403


@pytest.mark.parametrize("template", UNKNOWN)
def test_what_is_no_template_of_ours_is_refused(c, template):
    r = c.post("sys/policies/acl/unknown", {"policy": f'path "secret/{{{{{template}}}}}" {{ capabilities = ["read"] }}'})
    assert r.status == 400 and r.errors[0].startswith("failed to parse policy: "), r
    assert c.get("sys/policies/acl/unknown").status == 404
