# SPDX-License-Identifier: Apache-2.0
"""Mounts: sys/mounts, sys/auth, tuning, and what clients ask before anything else."""
import re
import uuid

import pytest

import vaultd

CONFIG = {"default_lease_ttl": 0, "max_lease_ttl": 0, "force_no_cache": False}
MONTH = 2764800


def entry(c, path, kind="mounts"):
    r = c.get(f"sys/{kind}/{path}")
    assert r.status == 200, r
    return r.data


@pytest.fixture
def kv(c):
    """A KV mount of its own, and its path."""
    path = "kv-" + uuid.uuid4().hex[:12]
    assert c.post("sys/mounts/" + path, {"type": "kv-v2"}).status == 204
    return path


def test_always_there(c):
    r = c.get("sys/mounts")
    assert r.status == 200
    assert {k: v["type"] for k, v in r.data.items() if k in ("sys/", "cubbyhole/", "identity/", "secret/")} == \
        {"sys/": "system", "cubbyhole/": "cubbyhole", "identity/": "identity", "secret/": "kv"}
    assert r.json["secret/"] == r.data["secret/"], "injected at the top level too"
    r = c.get("sys/auth")
    assert r.data["token/"]["type"] == "token" and r.json["token/"] == r.data["token/"]
    assert r.data["token/"]["config"] == CONFIG | {"token_type": "default-service"}
    assert not any(k.startswith("auth/") for k in r.data)


def test_entry(c):
    c.post("sys/mounts/team/entry", {
        "type": "kv", "description": "of a team", "options": {"version": "2"}, "local": True, "seal_wrap": True,
        "external_entropy_access": True,
        "config": {"default_lease_ttl": "1h", "max_lease_ttl": 7200, "force_no_cache": True,
                   "listing_visibility": "hidden", "audit_non_hmac_request_keys": ["a", "b"],
                   "audit_non_hmac_response_keys": "c,d", "passthrough_request_headers": ["X-A"],
                   "allowed_response_headers": ["X-B"]}})
    e = entry(c, "team/entry")
    assert e.pop("accessor").startswith("kv_") and uuid.UUID(e.pop("uuid"))
    assert e == {
        "type": "kv", "description": "of a team", "options": {"version": "2"}, "local": True, "seal_wrap": True,
        "external_entropy_access": True, "plugin_version": "", "running_plugin_version": "", "running_sha256": "",
        "deprecation_status": "supported",
        "config": {"default_lease_ttl": 3600, "max_lease_ttl": 7200, "force_no_cache": True,
                   "listing_visibility": "hidden", "audit_non_hmac_request_keys": ["a", "b"],
                   "audit_non_hmac_response_keys": ["c", "d"], "passthrough_request_headers": ["X-A"],
                   "allowed_response_headers": ["X-B"]}}


@pytest.mark.parametrize("body, options", [
    ({"type": "kv"}, None), ({"type": "kv-v1"}, {"version": "1"}), ({"type": "kv-v2"}, {"version": "2"}),
    ({"type": "generic"}, {"version": "1"}), ({"type": "kv", "options": {"version": 2}}, {"version": "2"}),
    ({"type": "kv", "options": {"version": "1", "x": "y"}}, {"version": "1", "x": "y"}),
    ({"type": "kv", "options": {}}, None), ({"type": "kv", "options": None}, None)])
def test_kv_by_its_names(c, body, options):
    path = "alias-" + uuid.uuid4().hex[:8]
    assert c.post("sys/mounts/" + path, body).status == 204
    e = entry(c, path)
    assert e["type"] == "kv"
    assert e["options"] == options or (options and dict(sorted(e["options"].items())) == options)


def test_what_the_clients_send(c):
    """`vault secrets enable` and `vault auth enable`, as they go over the wire."""
    body = {"type": "kv", "description": "", "options": {"version": "2"}, "local": False, "seal_wrap": False,
            "external_entropy_access": False,
            "config": {"options": None, "default_lease_ttl": "", "max_lease_ttl": "", "force_no_cache": False}}
    r = c.request("POST", "sys/mounts/cli-kv", body)
    assert (r.status, r.raw) == (204, b"")
    assert entry(c, "cli-kv")["config"] == CONFIG
    body["type"] = "approle"
    body["options"] = None
    assert c.post("sys/auth/cli-approle", body).status == 204
    assert entry(c, "cli-approle", "auth")["config"] == CONFIG | {"token_type": "default-service"}


@pytest.mark.parametrize("path, body, status, error", [
    ("x", {}, 400, "backend type must be specified as a string"),
    ("x", {"type": ""}, 400, "backend type must be specified as a string"),
    ("x", {"type": ["kv"]}, 400, "backend type must be specified as a string"),
    ("x", {"type": "transit"}, 400, "plugin not found in the catalog: transit"),
    ("x", {"type": "approle"}, 400, "plugin not found in the catalog: approle"),
    ("secret", {"type": "kv"}, 400, "path is already in use at secret/"),
    ("secret/below", {"type": "kv"}, 400, "path is already in use at secret/"),
    ("sys", {"type": "kv"}, 403, 'cannot mount "sys/"'),
    ("sys/x", {"type": "kv"}, 403, 'cannot mount "sys/x/"'),
    ("auth", {"type": "kv"}, 403, 'cannot mount "auth/"'),
    ("auth/x", {"type": "kv"}, 403, 'cannot mount "auth/x/"'),
    ("cubbyhole", {"type": "kv"}, 403, 'cannot mount "cubbyhole/"'),
    ("identity", {"type": "kv"}, 403, 'cannot mount "identity/"'),
    ("audit", {"type": "kv"}, 403, 'cannot mount "audit/"'),
    ("x", {"type": "sys"}, 403, 'mount type of "sys" is not mountable'),
    ("x", {"type": "cubbyhole"}, 403, 'mount type of "cubbyhole" is not mountable'),
    ("x", {"type": "identity"}, 403, 'mount type of "identity" is not mountable'),
    ("X", {"type": "kv"}, 400, "mount path must be in lower case"),
    ("x", {"type": "kv", "options": {"version": "3"}}, 400, "invalid version provided: 3"),
    ("x", {"type": "kv", "config": {"default_lease_ttl": "2h", "max_lease_ttl": "1h"}}, 400,
     "given default lease TTL greater than given max lease TTL"),
    ("x", {"type": "kv", "config": {"default_lease_ttl": "2764801s"}}, 400,
     "given default lease TTL greater than system max lease TTL of 2764800"),
    ("x", {"type": "kv", "config": {"max_lease_ttl": "soon"}}, 400, "unable to parse max TTL: a duration is needed"),
    ("x", {"type": "kv", "config": {"listing_visibility": "loud"}}, 400, "invalid listing_visibility"),
    ("x", {"type": "kv", "config": {"token_type": "batch"}}, 400, "'token_type' can only be modified on auth mounts"),
])
def test_refused(c, path, body, status, error):
    before = set(c.get("sys/mounts").data)
    r = c.post("sys/mounts/" + path, body)
    assert (r.status, r.errors) == (status, [error])
    assert set(c.get("sys/mounts").data) == before


@pytest.mark.parametrize("path, body, error", [
    ("x", {}, "backend type must be specified as a string"),
    ("x", {"type": "kv"}, "plugin not found in the catalog: kv"),
    ("x", {"type": "ldap"}, "plugin not found in the catalog: ldap"),
    ("x", {"type": "token"}, "token credential backend cannot be instantiated"),
    ("token", {"type": "approle"}, "path is already in use at token/"),
    ("token/x", {"type": "approle"}, "path is already in use at token/"),
    ("x", {"type": "approle", "config": {"token_type": "odd"}}, "invalid token_type"),
    ("x", {"type": "cert", "config": {"user_lockout_config": {"lockout_threshold": 3}}},
     'tuning of user lockout configuration for auth type "cert" not allowed'),
])
def test_auth_refused(c, path, body, error):
    r = c.post("sys/auth/" + path, body)
    assert (r.status, r.errors) == (400, [error])


def test_no_mount_inside_another(c):
    assert c.post("sys/mounts/nest/a/b", {"type": "kv"}).status == 204
    r = c.post("sys/mounts/nest", {"type": "kv"})
    assert (r.status, r.errors) == (400, ["existing mount at nest/a/b/"])
    r = c.post("sys/mounts/nest/a/b/c", {"type": "kv"})
    assert (r.status, r.errors) == (400, ["path is already in use at nest/a/b/"])
    assert c.post("sys/mounts/nest/a/bb", {"type": "kv"}).status == 204, "a name that begins alike"
    assert c.post("sys/mounts/nest/a/b.", {"type": "kv-v2"}).status == 204
    assert c.post("nest/a/b./data/x", {"data": {"n": 1}}).status == 200
    assert c.get("nest/a/b./data/x").data["data"] == {"n": 1}


def test_none_there(c):
    r = c.get("sys/mounts/none/there")
    assert (r.status, r.errors) == (400, ["No secret engine mount at none/there/"])
    r = c.get("sys/auth/none")
    assert (r.status, r.errors) == (400, ["No auth engine at none/"])
    for path in ("sys/mounts/none/tune", "sys/auth/none/tune"):
        name = "auth/none/" if "auth" in path else "none/"
        r = c.get(path)
        assert (r.status, r.errors) == (400, [f'cannot fetch sysview for path "{name}"'])
        r = c.post(path, {"description": "x"})
        assert (r.status, r.errors) == (400, [f'tune of path "{name}" failed: no mount entry found'])
    r = c.get("none/x")
    assert (r.status, r.errors) == (404, ['no handler for route "none/x". route entry not found.'])


def test_tune_reads_what_holds(c, kv):
    r = c.get(f"sys/mounts/{kv}/tune")
    assert r.status == 200
    assert r.data == {"default_lease_ttl": MONTH, "max_lease_ttl": MONTH, "force_no_cache": False, "description": "",
                      "options": {"version": "2"}}
    assert r.json["default_lease_ttl"] == MONTH
    r = c.get("sys/auth/token/tune")
    assert r.data["token_type"] == "default-service" and r.data["options"] is None
    assert c.get("sys/mounts/auth/token/tune").data == r.data


def test_tune(c, kv):
    tune = f"sys/mounts/{kv}/tune"
    r = c.post(tune, {"default_lease_ttl": "1h", "max_lease_ttl": "24h", "description": "tuned",
                      "listing_visibility": "unauth", "audit_non_hmac_request_keys": ["k"], "options": {"a": "b"}})
    assert (r.status, r.raw) == (204, b"")
    e = entry(c, kv)
    assert e["description"] == "tuned" and e["options"] == {"a": "b", "version": "2"}
    assert e["config"] == {"default_lease_ttl": 3600, "max_lease_ttl": 86400, "force_no_cache": False,
                           "listing_visibility": "unauth", "audit_non_hmac_request_keys": ["k"]}
    assert c.post(tune, {"max_lease_ttl": "", "default_lease_ttl": None}).status == 204
    assert entry(c, kv)["config"]["max_lease_ttl"] == 86400, "empty changes nothing"
    assert c.post(tune, {"max_lease_ttl": "system", "default_lease_ttl": "system", "listing_visibility": "",
                         "audit_non_hmac_request_keys": [], "options": {"a": ""}}).status == 204
    e = entry(c, kv)
    assert (e["config"], e["options"], e["description"]) == (CONFIG, {"version": "2"}, "tuned")
    r = c.post(tune, {"default_lease_ttl": "2h", "max_lease_ttl": "1h"})
    assert (r.status, r.errors) == (400, ["given default lease TTL greater than given max lease TTL"])
    assert entry(c, kv)["config"] == CONFIG
    assert c.post(tune, {"max_lease_ttl": "1h"}).status == 204
    assert c.get(tune).data["default_lease_ttl"] == 3600, "never longer than the longest"


def test_tune_of_what_is_kept(c):
    for path in ("sys", "cubbyhole", "identity"):
        r = c.post(f"sys/mounts/{path}/tune", {"description": "x"})
        assert (r.status, r.errors) == (400, [f'cannot tune "{path}/"'])
        assert c.get(f"sys/mounts/{path}/tune").status == 200
    r = c.post("sys/auth/token/tune", {"token_type": "batch"})
    assert r.status == 400 and "'token_type' cannot be set" in r.errors[0]


def names(c):
    entries = {**c.get("sys/mounts").data, **{"auth/" + k: v for k, v in c.get("sys/auth").data.items()}}
    return {path: (e["accessor"], e["uuid"]) for path, e in entries.items()}


def test_what_is_kept_has_a_name_for_good(own_server, server, c):
    own = own_server.client()
    before = names(own)
    kept = {"sys/", "cubbyhole/", "identity/", "auth/token/", "auth/host/"}
    assert kept <= set(before)
    for path in kept:
        accessor, uid = before[path]
        kind = {"sys/": "system"}.get(path, path.strip("/").replace("/", "_"))
        assert re.fullmatch(kind + "_[0-9a-f]{8}", accessor) and str(uuid.UUID(uid)) == uid, path
    assert len({a for a, _ in before.values()}) == len({u for _, u in before.values()}) == len(before)
    other = names(c)
    assert all(other[path][i] != before[path][i] for path in kept for i in (0, 1)), "another vault, other names"
    assert own.post("sys/auth/token/tune", {"max_lease_ttl": "2h"}).status == 204
    assert names(own) == before
    assert own.post("sys/seal").status == 204
    own_server.unseal()
    assert names(own) == before


def test_tune_of_an_auth_method(c):
    assert c.post("sys/auth/tuned", {"type": "userpass"}).status == 204
    assert c.post("sys/auth/tuned/tune", {"token_type": "batch", "user_lockout_config": {
        "lockout_threshold": "3", "lockout_duration": "10m", "lockout_counter_reset_duration": 60,
        "lockout_disable": False}}).status == 204
    want = {"lockout_threshold": 3, "lockout_duration": 600, "lockout_counter_reset_duration": 60, "lockout_disable": False}
    assert entry(c, "tuned", "auth")["config"] == CONFIG | {"token_type": "batch", "user_lockout_config": want}
    assert c.get("sys/auth/tuned/tune").data["user_lockout_config"] == want
    assert c.post("sys/mounts/auth/tuned/tune", {"token_type": "default-service"}).status == 204
    assert c.get("sys/auth/tuned/tune").data["token_type"] == "default-service"


def test_version_by_tune(c):
    assert c.post("sys/mounts/up", {"type": "kv"}).status == 204
    tune = "sys/mounts/up/tune"
    assert c.post(tune, {"options": {"version": "1"}}).status == 204
    r = c.post(tune, {"options": {"version": "2"}})
    assert r.status == 200 and r.json["warnings"] == [
        "Upgrading mount from version 1 to version 2. This mount will be unavailable for a brief period and will resume "
        "service shortly."]
    assert entry(c, "up")["options"] == {"version": "2"}
    r = c.post(tune, {"options": {"version": "1"}})
    assert (r.status, r.errors) == (400, ["cannot downgrade mount from version 2"])
    assert c.post(tune, {"options": {"version": "2"}}).status == 204
    assert entry(c, "up")["options"] == {"version": "2"}


def test_unmount(c, kv):
    assert c.post(f"{kv}/data/a/b", {"data": {"n": 1}}).status == 200
    r = c.delete(f"sys/mounts/{kv}")
    assert (r.status, r.raw) == (204, b"")
    assert c.get(f"{kv}/data/a/b").status == 404
    assert c.get(f"sys/mounts/{kv}").errors == [f"No secret engine mount at {kv}/"]
    assert c.delete(f"sys/mounts/{kv}").status == 204, "also when there is none"
    assert c.post(f"sys/mounts/{kv}", {"type": "kv-v2"}).status == 204
    assert c.get(f"{kv}/data/a/b").status == 404, "the name again, not the data"
    assert c.list(f"{kv}/metadata").status == 404
    assert c.post(f"{kv}/data/a/b", {"data": {"n": 2}}).data["version"] == 1


def test_unmount_of_an_auth_method(c):
    assert c.post("sys/auth/gone", {"type": "approle"}).status == 204
    before = entry(c, "gone", "auth")
    assert c.delete("sys/auth/gone").status == 204
    assert c.get("sys/auth/gone").errors == ["No auth engine at gone/"]
    assert c.delete("sys/auth/gone").status == 204
    assert c.post("sys/auth/gone", {"type": "approle"}).status == 204
    after = entry(c, "gone", "auth")
    assert before["accessor"] != after["accessor"] and before["uuid"] != after["uuid"]


@pytest.mark.parametrize("path, error", [
    ("mounts/sys", 'cannot unmount "sys/"'), ("mounts/cubbyhole", 'cannot unmount "cubbyhole/"'),
    ("mounts/identity", 'cannot unmount "identity/"'), ("mounts/auth/token", 'cannot unmount "auth/token/"'),
    ("auth/token", "token credential backend cannot be disabled"), ("auth/host", "host credential backend cannot be disabled")])
def test_kept_for_good(c, path, error):
    r = c.delete("sys/" + path)
    assert (r.status, r.errors) == (400, [error])


def test_auth_methods_need_sudo(server, c):
    c.post("sys/policies/acl/auths", {"policy": 'path "sys/auth/*" { capabilities = ["create","read","update","delete"] }\n'
                                                'path "sys/mounts/*" { capabilities = ["create","read","update","delete"] }'})
    token = c.post("auth/token/create", {"policies": ["auths"]}).json["auth"]["client_token"]
    plain = server.client(token=token)
    denied = (403, ["1 error occurred:\n\t* permission denied\n\n"])
    for method, path in (("POST", "sys/auth/x"), ("DELETE", "sys/auth/x"), ("GET", "sys/auth/token"),
                         ("GET", "sys/auth/token/tune"), ("POST", "sys/auth/token/tune"),
                         ("GET", "sys/mounts/auth/token/tune"), ("POST", "sys/mounts/auth/token/tune")):
        r = plain.request(method, path, {"type": "approle"} if method == "POST" else None)
        assert (r.status, r.errors) == denied, path
    assert plain.post("sys/mounts/plain", {"type": "kv"}).status == 204, "a secret engine needs none"
    assert plain.delete("sys/mounts/plain").status == 204
    plain.close()


# ---- moving ----

def move(c, source, target):
    r = c.post("sys/remount", {"from": source, "to": target})
    assert r.status == 200, r
    assert r.data == {"migration_id": r.json["migration_id"]}
    return r.json["migration_id"]


def test_move(c, kv):
    assert c.post(f"{kv}/data/a/b", {"data": {"n": 1}}).status == 200
    c.post(f"sys/mounts/{kv}/tune", {"description": "moved along", "max_lease_ttl": "1h"})
    before = entry(c, kv)
    target = kv + "-new/place"
    uid = move(c, kv, target)
    assert c.get(f"{target}/data/a/b").data["data"] == {"n": 1}
    assert c.list(f"{target}/metadata/a").data == {"keys": ["b"]}
    assert c.get(f"{kv}/data/a/b").status == 404
    assert entry(c, target) == before

    def done():
        r = c.get("sys/remount/status/" + uid)
        assert r.status == 200 and r.data["migration_id"] == uid
        info = r.data["migration_info"]
        assert (info["source_mount"], info["target_mount"]) == (kv + "/", target + "/")
        assert set(info) == {"source_mount", "target_mount", "status"} and info["status"] in ("in-progress", "success")
        return info["status"] == "success"
    vaultd.wait_for("the move", done)
    assert c.post("sys/mounts/" + kv, {"type": "kv-v2"}).status == 204, "the old name is free"
    assert c.get(f"{kv}/data/a/b").status == 404


def test_move_of_an_auth_method(c):
    assert c.post("sys/auth/here", {"type": "approle"}).status == 204
    before = entry(c, "here", "auth")
    move(c, "auth/here", "/auth/there/")
    assert entry(c, "there", "auth") == before
    assert c.get("sys/auth/here").status == 400


@pytest.mark.parametrize("source, target, error", [
    ("", "x", "both 'from' and 'to' path must be specified as a string"),
    ("secret", None, "both 'from' and 'to' path must be specified as a string"),
    ("none", "x", 'no matching mount at "none/"'), ("secret/below", "x", 'no matching mount at "secret/below/"'),
    ("sys", "x", 'cannot remount "sys/"'), ("cubbyhole", "x", 'cannot remount "cubbyhole/"'),
    ("auth/token", "auth/x", 'cannot remount "auth/token/"'),
    ("secret", "sys/x", 'invalid destination mount: cannot remount to "sys/x/"'),
    ("secret", "identity", 'invalid destination mount: cannot remount to "identity/"'),
    ("secret", "auth/x", "cannot remount non-auth mount to auth mount"),
    ("secret", "secret", 'path in use at "secret/"'), ("secret", "taken", 'path in use at "taken/"'),
    ("secret", "taken/below", 'path in use at "taken/below/"')])
def test_move_refused(c, source, target, error):
    c.post("sys/mounts/taken", {"type": "kv"})
    r = c.post("sys/remount", {"from": source, "to": target})
    assert (r.status, r.errors) == (400, [error])
    assert "secret/" in c.get("sys/mounts").data


def test_move_needs_sudo_and_status_an_id(server, c):
    c.post("sys/policies/acl/mover", {"policy": 'path "sys/remount" { capabilities = ["update"] }'})
    mine = server.client(token=c.post("auth/token/create", {"policies": ["mover"]}).json["auth"]["client_token"])
    assert mine.post("sys/remount", {"from": "secret", "to": "x"}).status == 403
    mine.close()
    for uid in ("x", str(uuid.uuid4()), "0" * 32, "-" * 36):
        r = c.get("sys/remount/status/" + uid)
        assert (r.status, r.json) == (404, {"errors": []})


# ---- what clients ask first ----

PREFLIGHT = ('preflight capability check returned 403, please ensure client\'s policies grant access to path "{}"')


@pytest.fixture
def limited(server, c):
    made = []

    def make(policy):
        name = "ui-" + uuid.uuid4().hex[:8]
        assert c.post("sys/policies/acl/" + name, {"policy": policy}).status == 204
        token = c.post("auth/token/create", {"policies": [name], "no_default_policy": True}).json["auth"]["client_token"]
        made.append(server.client(token=token))
        return made[-1]
    yield make
    for client in made:
        client.close()


def test_strangers_see_what_is_to_be_seen(server, c):
    c.post("sys/mounts/shown", {"type": "kv-v2", "description": "d", "config": {"listing_visibility": "unauth"}})
    c.post("sys/auth/shown-auth", {"type": "userpass", "config": {"listing_visibility": "unauth"}})
    anon = server.client(token=None)
    r = anon.get("sys/internal/ui/mounts")
    assert r.status == 200
    assert r.data == {"secret": {"shown/": {"type": "kv", "description": "d", "options": {"version": "2"}}},
                      "auth": {"shown-auth/": {"type": "userpass", "description": "", "options": None}}}
    assert anon.get("sys/internal/ui/mounts/shown").status == 403, "for tokens only"
    bad = server.client(token="vlt_s_nonsense")
    assert bad.get("sys/internal/ui/mounts").status == 403
    anon.close()
    bad.close()
    c.post("sys/mounts/shown/tune", {"listing_visibility": "hidden"})
    c.delete("sys/auth/shown-auth")
    assert server.client(token=None).get("sys/internal/ui/mounts").data == {"secret": {}, "auth": {}}


def test_tokens_see_what_they_can_touch(c, limited, kv):
    c.post("sys/mounts/shown2", {"type": "kv-v2", "config": {"listing_visibility": "unauth"}})
    mine = limited(f'path "{kv}/data/app/+" {{ capabilities = ["read"] }}\npath "auth/token/lookup-self" {{ capabilities = ["read"] }}')
    r = mine.get("sys/internal/ui/mounts")
    assert set(r.data["secret"]) == {kv + "/", "shown2/"} and set(r.data["auth"]) == {"token/"}
    assert r.data["secret"][kv + "/"] == entry(c, kv)
    assert set(c.get("sys/internal/ui/mounts").data["secret"]) >= {"secret/", "sys/", "cubbyhole/", "identity/", kv + "/"}


@pytest.mark.parametrize("rule, allowed", [
    ('path "{m}/data/app" {{ capabilities = ["read"] }}', True),
    ('path "{m}/data/app/*" {{ capabilities = ["read"] }}', True),
    ('path "{m}/+/app" {{ capabilities = ["list"] }}', True),
    ('path "{m}" {{ capabilities = ["list"] }}', True),
    ('path "{m}/" {{ capabilities = ["list"] }}', True),
    ('path "{m}/*" {{ capabilities = ["create"] }}', True),
    ('path "*" {{ capabilities = ["read"] }}', True),
    ('path "+/data/app" {{ capabilities = ["read"] }}', True),
    ('path "{m}*" {{ capabilities = ["read"] }}', True),
    ('path "{m}/*" {{ capabilities = ["deny"] }}', False),
    ('path "{m}2/*" {{ capabilities = ["read"] }}', False),
    ('path "secret/*" {{ capabilities = ["read"] }}', False)])
def test_preflight(c, limited, kv, rule, allowed):
    """consul-template and `vault kv` take a failure here for good, so a permitted path must never fail."""
    mine = limited(rule.format(m=kv))
    for path in ("", "/app", "/data/app", "/some/where/else"):
        r = mine.get(f"sys/internal/ui/mounts/{kv}{path}")
        if allowed:
            assert r.status == 200 and r.data == entry(c, kv) | {"path": kv + "/"}
            assert r.data["options"]["version"] == "2"
        else:
            assert (r.status, r.errors) == (403, [PREFLIGHT.format(f"{kv}{path}/")])


def test_preflight_of_nested_paths(c, limited):
    c.post("sys/mounts/deep/er/kv", {"type": "kv-v1"})
    mine = limited('path "deep/er/kv/app" { capabilities = ["read"] }')
    for path in ("deep/er/kv", "deep/er/kv/app", "deep/er/kv/a/b/c", "deep/er/kv/"):
        r = mine.get("sys/internal/ui/mounts/" + path)
        assert r.status == 200 and (r.data["path"], r.data["options"]) == ("deep/er/kv/", {"version": "1"})
    for path in ("deep", "deep/er", "deep/er/kvv", "none/x"):
        r = mine.get("sys/internal/ui/mounts/" + path)
        assert (r.status, r.errors) == (403, [PREFLIGHT.format(path + "/")])
    assert c.get("sys/internal/ui/mounts/auth/token").data["path"] == "auth/token/"
