# SPDX-License-Identifier: Apache-2.0
"""9: mounts named like something else; who may mount below one path touches nothing beside it."""
import pytest

from seclib import audit_size, elsewhere, policy, raw, records, token

ALL = '"create", "read", "update", "delete", "list", "sudo"'


@pytest.mark.parametrize("name, status", [
    ("sys", 403), ("sys/x", 403), ("auth", 403), ("auth/x", 403), ("cubbyhole", 403), ("identity", 403), ("audit", 403),
    ("..", 400), ("a/../sys", 400), (".", 400), ("a/.", 400), ("a//b", 400), ("SYS", 400), ("Sys", 400), ("Team", 400),
    ("s%D1%83s", 400), ("%EF%BD%93ys", 400), ("sys%20", 400), ("%20sys", 400), ("sys%00", 400), ("a%2fb", 400), ("a%5cb", 400),
    ("+", 400), ("*", 400), ("a*", 400), ("a+b", 400), ("a;b", 400), ("%2e%2e", 400), ("-a", 400), ("a%0ab", 400)])
def test_09_names(server, c, name, status):
    before = set(c.get("sys/mounts").data)
    for at in ("sys/mounts/", "sys/auth/"):
        body = b'{"type":"kv-v2"}' if at == "sys/mounts/" else b'{"type":"approle"}'
        if at == "sys/auth/" and status == 403:
            continue
        got = raw(server, "POST", f"/v1/{at}{name}", f"Content-Length: {len(body)}", body=body)
        assert got and got[0].status == status, (name, got)
    assert set(c.get("sys/mounts").data) == before
    assert not set(c.get("sys/auth").data) - {"token/", "host/"}


def test_09_a_mount_named_root_is_nothing_special(server, c):
    assert c.post("sys/mounts/root", {"type": "kv-v2"}).status == 204
    policy(c, "of-root", f'path "root/*" {{ capabilities = [{ALL}] }}')
    mine = elsewhere(server, token(c, "of-root", no_default_policy=True)["client_token"])
    assert mine.post("root/data/x", {"data": {}}).status == 200
    for method, path in (("GET", "sys/mounts"), ("GET", "secret/data/x"), ("POST", "auth/token/create"),
                         ("POST", "sys/mounts/root/tune"), ("DELETE", "sys/mounts/root")):
        assert mine.request(method, path, {} if method == "POST" else None).status == 403
    mine.close()
    assert c.delete("sys/mounts/root").status == 204


@pytest.fixture(scope="module")
def admin(server):
    """May do everything with mounts below team/, and nothing else."""
    c = server.client()
    policy(c, "team-admin", f'path "sys/mounts/team/*" {{ capabilities = [{ALL}] }}\n'
                            f'path "team/*" {{ capabilities = [{ALL}] }}')
    client = elsewhere(server, token(c, "team-admin", no_default_policy=True)["client_token"])
    c.post("sys/mounts/other", {"type": "kv-v2"})
    c.post("other/data/x", {"data": {"n": 1}})
    yield client
    client.close()
    c.close()


def test_09_below_the_own_path(admin):
    assert admin.post("sys/mounts/team/kv", {"type": "kv-v2"}).status == 204
    assert admin.get("sys/mounts/team/kv").status == 200
    assert admin.post("sys/mounts/team/kv/tune", {"description": "ours"}).status == 204
    assert admin.post("team/kv/data/x", {"data": {"n": 1}}).status == 200
    assert admin.delete("sys/mounts/team/kv").status == 204


@pytest.mark.parametrize("method, path, body", [
    ("POST", "sys/mounts/team", {"type": "kv"}), ("POST", "sys/mounts/teammate", {"type": "kv"}),
    ("POST", "sys/mounts/new", {"type": "kv"}), ("DELETE", "sys/mounts/other", None), ("GET", "sys/mounts/other", None),
    ("GET", "sys/mounts/other/tune", None), ("POST", "sys/mounts/other/tune", {"description": "taken over"}),
    ("POST", "sys/mounts/other/tune", {"listing_visibility": "unauth"}), ("POST", "sys/mounts/auth/token/tune", {"max_lease_ttl": "1s"}),
    ("POST", "sys/auth/team", {"type": "approle"}), ("POST", "sys/auth/token/tune", {"max_lease_ttl": "1s"}),
    ("POST", "sys/remount", {"from": "other", "to": "team/other"}), ("POST", "sys/remount", {"from": "team/kv", "to": "x"}),
    ("GET", "other/data/x", None), ("DELETE", "other/metadata/x", None)])
def test_09_nothing_beside_it(c, admin, method, path, body):
    before, auth = c.get("sys/mounts").data, c.get("sys/auth").data
    since = audit_size(c)
    r = admin.request(method, path, body)
    assert (r.status, r.errors) == (403, ["1 error occurred:\n\t* permission denied\n\n"])
    assert (c.get("sys/mounts").data, c.get("sys/auth").data) == (before, auth)
    assert c.get("other/data/x").data["data"] == {"n": 1}
    assert [x["outcome"] for x in records(c, since) if x["path"] == path and x["remote"].startswith("127.77.")] == ["denied"]
