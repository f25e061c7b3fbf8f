# SPDX-License-Identifier: Apache-2.0
"""6: every capability on every part of KV version 2, against a model; siblings are never touched."""
import pytest

from seclib import elsewhere, policy, token

MERGE = {"Content-Type": "application/merge-patch+json"}
CAPS = ["create", "read", "update", "patch", "delete", "list", "sudo", "deny"]
GRANTS = {cap: {cap} for cap in CAPS} | {"nothing": set(), "everything": set(CAPS) - {"deny"}}
# part of the mount, method, capability on what is there, capability on what is not
ROUTES = [("data", "GET", "read", "read"), ("data", "POST", "update", "create"), ("data", "PATCH", "patch", "patch"),
          ("data", "DELETE", "delete", "delete"), ("delete", "POST", "update", "update"),
          ("undelete", "POST", "update", "update"), ("destroy", "POST", "update", "update"),
          ("subkeys", "GET", "read", "read"), ("metadata", "GET", "read", "read"), ("metadata", "LIST", "list", "list"),
          ("metadata", "POST", "update", "create"), ("metadata", "PATCH", "patch", "patch"),
          ("metadata", "DELETE", "delete", "delete")]
PARTS = sorted({r[0] for r in ROUTES})
BODY = {"data": {"data": {"n": 1}}, "metadata": {"max_versions": 5}}
TARGETS = ["team/there", "team/new", "team/deep/there", "teammate/there", "other/there", "team"]
THERE = [t for t in TARGETS if t.endswith("there")]
DENIED = (403, ["1 error occurred:\n\t* permission denied\n\n"])


def allowed(part, granted, route, target):
    """The model: one prefix rule, on one part of the mount."""
    where, method, there, absent = route
    inside = f"{where}/{target}{'/' if method == 'LIST' else ''}".startswith(f"{part}/team/")
    return inside and "deny" not in granted and (there if target in THERE else absent) in granted


def restore(c):
    for target in THERE:
        if c.get("secret/data/" + target).status != 200:
            c.delete("secret/metadata/" + target)
            assert c.post("secret/data/" + target, {"data": {"n": 1}}).status == 200
    for target in set(TARGETS) - set(THERE):
        c.delete("secret/metadata/" + target)


@pytest.mark.parametrize("grant", GRANTS)
@pytest.mark.parametrize("part", PARTS)
def test_06_matrix(server, c, part, grant):
    name = f"matrix-{part}-{grant}"
    caps = ", ".join(f'"{cap}"' for cap in sorted(GRANTS[grant]))
    policy(c, name, f'path "secret/{part}/team/*" {{ capabilities = [{caps}] }}')
    mine = elsewhere(server, token(c, name, no_default_policy=True)["client_token"])
    restore(c)
    siblings = {t: c.get("secret/metadata/" + t).data for t in THERE if not t.startswith("team/")}
    for route in ROUTES:
        where, method = route[:2]
        body = BODY.get(where, {"versions": [1]}) if method in ("POST", "PATCH") else None
        for target in TARGETS:
            want = allowed(part, GRANTS[grant], route, target)
            r = mine.request(method, f"secret/{where}/{target}", body, headers=MERGE if method == "PATCH" else {})
            if want:
                assert r.status in (200, 204, 404), (route, target, r)
                restore(c)
            else:
                assert (r.status, r.errors) == DENIED, (route, target, r)
    for target, before in siblings.items():
        assert c.get("secret/metadata/" + target).data == before
    mine.close()


def test_06_the_model_allows_and_refuses():
    """A model that says one thing only would prove nothing."""
    said = [allowed(p, g, r, t) for p in PARTS for g in GRANTS.values() for r in ROUTES for t in TARGETS]
    assert 50 < sum(said) < len(said) / 2
