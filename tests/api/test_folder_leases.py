# SPDX-License-Identifier: Apache-2.0
"""Leases on the names in a folder: for templates that go through all secrets there."""
import itertools
import threading

import pytest

import hostwire
import vaultd

serial = itertools.count()


@pytest.fixture
def mount(c):
    path = f"f{next(serial)}"
    assert c.post("sys/mounts/" + path, {"type": "kv-v2"}).status in (200, 204)
    return path


def host_for(server, *paths):
    n = next(serial)
    return hostwire.joined(server, f"folder{n}", list(paths), f"folder{n}")


def put(c, mount, path):
    assert c.post(f"{mount}/data/{path}", {"data": {"k": "v"}}).status == 200


def names(host, lease):
    (item,) = host.fetch(lease["lease_id"])
    assert "error" not in item, item
    said = host.value(item)
    assert item["version"] == said["version"]
    return said["data"]["keys"], said["version"]


def events(host, since):
    return host.watcher().get(f"sys/agent/watch?since={since}&wait=0").data["events"]


def test_names_are_leased(c, server, mount):
    for p in ("app/b", "app/a", "app/sub/x", "other/y"):
        put(c, mount, p)
    host = host_for(server, mount + "/*")
    (lease,) = host.lease(mount + "/app/")
    assert lease["path"] == mount + "/app/" and lease["version"] > 0
    keys, version = names(host, lease)
    assert keys == ["a", "b", "sub/"] and version == lease["version"]
    (root,) = host.lease(mount + "/")
    assert names(host, root)[0] == ["app/", "other/"]
    assert host.lease(mount + "/app/")[0]["lease_id"] == lease["lease_id"]
    assert host.ack(lease["lease_id"], version).status == 204
    info = c.list(f"sys/vault-leases?path={mount}/app/").data["key_info"][lease["lease_id"]]
    assert (info["path"], info["applied"], info["state"]) == (mount + "/app/", version, "applied")


def test_a_folder_by_the_path_that_clients_list(c, server, mount):
    put(c, mount, "data/app/a")
    put(c, mount, "app/b")
    host = host_for(server, mount + "/*")
    for written, path, want in (
        (f"/v1/{mount}/metadata/app/", f"{mount}/app/", ["b"]),
        (f"/v1/{mount}/metadata/", f"{mount}/", ["app/", "data/"]),
        (f"/v1/{mount}/app/", f"{mount}/app/", ["b"]),
        (f"/v1/{mount}/data/", f"{mount}/data/", ["app/"]),
    ):
        (lease,) = host.lease(written)
        assert (lease["path"], lease["asked"]) == (path, written)
        assert names(host, lease)[0] == want
        assert "metadata" not in host.value(host.fetch(lease["lease_id"])[0])


CHANGES = {
    "a secret comes": (lambda c, m: put(c, m, "app/new"), ["a", "new", "sub/"]),
    "a secret goes": (lambda c, m: c.delete(f"{m}/metadata/app/a"), ["sub/"]),
    "a folder comes": (lambda c, m: put(c, m, "app/deep/er/x"), ["a", "deep/", "sub/"]),
    "a folder goes": (lambda c, m: c.delete(f"{m}/metadata/app/sub/x"), ["a"]),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_change_of_names_is_an_update(c, server, mount, what):
    put(c, mount, "app/a")
    put(c, mount, "app/sub/x")
    host = host_for(server, mount + "/*")
    (lease,) = host.lease(mount + "/app/")
    _, before = names(host, lease)
    since = host.c.get("sys/agent/sync").data["rev"]
    change, expected = CHANGES[what]
    change(c, mount)
    (event,) = events(host, since)
    assert (event["op"], event["path"], event["lease_id"]) == ("update", mount + "/app/", lease["lease_id"])
    assert event["version"] == event["rev"] > before
    assert names(host, lease) == (expected, event["version"])


@pytest.mark.parametrize("path, expected", [("x", ["app/", "x"]), ("new/deep/x", ["app/", "new/"])])
def test_the_root_of_a_mount(c, server, mount, path, expected):
    put(c, mount, "app/a")
    host = host_for(server, mount + "/")
    (lease,) = host.lease(mount + "/")
    put(c, mount, path)
    assert names(host, lease)[0] == expected
    since = host.c.get("sys/agent/sync").data["rev"]
    assert c.delete(f"{mount}/metadata/{path}").status == 204
    assert [e["path"] for e in events(host, since)] == [mount + "/"]
    assert names(host, lease)[0] == ["app/"]


def test_what_changes_no_name_is_silent(c, server, mount):
    put(c, mount, "app/a")
    put(c, mount, "app/sub/x")
    host = host_for(server, mount + "/*")
    host.lease(mount + "/app/", mount + "/")
    since = host.c.get("sys/agent/sync").data["rev"]
    put(c, mount, "app/a")
    put(c, mount, "app/sub/y")
    put(c, mount, "app/sub/deep/z")
    c.delete(f"{mount}/data/app/a")
    assert events(host, since) == []


def test_a_waiting_watch_is_woken(c, server, mount):
    host = host_for(server, mount + "/*")
    (lease,) = host.lease(mount + "/not/there/yet/")
    assert names(host, lease)[0] == []
    since, size = host.c.get("sys/agent/sync").data["rev"], c.get("sys/audit-log/checkpoint").data["size"]
    out = []
    t = threading.Thread(target=lambda: out.append(host.watcher().get(f"sys/agent/watch?since={since}&wait=50")))
    t.start()
    url = f"sys/audit-log/records?from={size}&order=oldest&limit=100"
    vaultd.wait_for("a watch that waits", lambda: any(r["operation"] == "watch-start" for r in c.get(url).data["records"]))
    put(c, mount, "not/there/yet/x")
    t.join(vaultd.DEADLINE)
    assert [e["path"] for e in out[0].data["events"]] == [mount + "/not/there/yet/"]
    assert names(host, lease)[0] == ["x"]
    assert c.delete(f"{mount}/metadata/not/there/yet/x").status == 204
    assert names(host, lease)[0] == [], "an empty folder is none that was revoked"


def test_version_1(c, server):
    mount = f"one{next(serial)}"
    assert c.post("sys/mounts/" + mount, {"type": "kv", "options": {"version": "1"}}).status in (200, 204)
    assert c.post(f"{mount}/app/a", {"k": "v"}).status == 204
    host = host_for(server, mount + "/app/*")
    (lease,) = host.lease(mount + "/app/")
    assert names(host, lease)[0] == ["a"]
    since = host.c.get("sys/agent/sync").data["rev"]
    assert c.post(f"{mount}/app/a", {"k": "w"}).status == 204
    assert events(host, since) == []
    assert c.post(f"{mount}/app/b/c", {"k": "v"}).status == 204
    assert [e["op"] for e in events(host, since)] == ["update"]
    assert names(host, lease)[0] == ["a", "b/"]
    assert c.delete(f"{mount}/app/a").status == 204
    assert names(host, lease)[0] == ["b/"]


def test_roles(c, server, mount):
    put(c, mount, "app/a")
    for role, allowed in ((mount + "/app/", True), (mount + "/app/*", True), (mount + "/a*", True), (mount + "/*", True),
                          (mount + "/app/a", False), (mount + "/app/x*", False), (mount + "/app/a/*", False)):
        (line,) = host_for(server, role).lease(mount + "/app/")
        assert ("lease_id" in line) == allowed, (role, line)
    only = host_for(server, mount + "/app/")
    assert "error" in only.lease(mount + "/app/a")[0], "the names are not the values"
    assert "error" in only.lease(mount + "/app/sub/")[0] and "error" in only.lease(mount + "/")[0]
    for bad in ("sys/", "nomount/", "auth/token/", "cubbyhole/", mount + "/app//", "/"):
        assert "error" in host_for(server, mount + "/*").lease(bad)[0], bad
        assert c.post("sys/hosts/roles/bad", {"paths": [bad]}).status == 400, bad


def test_a_role_that_gives_it_up(c, server, mount):
    put(c, mount, "app/a")
    host = host_for(server, mount + "/*")
    (lease,) = host.lease(mount + "/app/")
    role = f"folder{next(serial) - 1}"
    assert c.post("sys/hosts/roles/" + role, {"paths": [mount + "/app/a"]}).status == 204
    assert "error" in host.fetch(lease["lease_id"])[0]


@pytest.mark.parametrize("empty", [False, True])
@pytest.mark.parametrize("how", ["disabled", "moved"])
def test_a_mount_that_goes(c, server, mount, how, empty):
    put(c, mount, "else/a" if empty else "app/a")
    host = host_for(server, mount + "/*")
    (lease,) = host.lease(mount + "/app/")
    since = host.c.get("sys/agent/sync").data["rev"]
    if how == "disabled":
        assert c.delete("sys/mounts/" + mount).status == 204
    else:
        assert c.post("sys/remount", {"from": mount, "to": mount + "-new"}).status == 200
    if how == "moved" or not empty:
        vaultd.wait_for("its revocation", lambda: events(host, since))
    else:
        assert "revoked" in host.c.post("sys/agent/renew", {"leases": [lease["lease_id"]]}).data["leases"][0]["error"]
    (event,) = events(host, since)
    assert (event["op"], event["path"]) == ("revoke", mount + "/app/")
    assert "revoked" in host.fetch(lease["lease_id"])[0]["error"]
    assert c.post("sys/mounts/" + mount, {"type": "kv-v2"}).status in (200, 204)
    assert "revoked" in host.fetch(lease["lease_id"])[0]["error"], "another mount of the same name"


def test_too_many_names(c, server, mount):
    for i in range(1100):
        put(c, mount, f"many/{i}")
    host = host_for(server, mount + "/*")
    (lease,) = host.lease(mount + "/many/")
    (item,) = host.fetch(lease["lease_id"])
    assert "more than 1024 names" in item["error"]
    put(c, mount, "one")
    (one,) = host.lease(mount + "/one")
    w = host.watcher()
    r = w.get("sys/agent/watch?since=0&wait=0&values=16384")
    assert r.status == 200, "the host hears of both"
    assert {e["lease_id"] for e in r.data["events"]} == {lease["lease_id"], one["lease_id"]}
    assert [i["lease_id"] for i in r.data["items"]] == [one["lease_id"]]
    assert host.value(r.data["items"][0], w)["data"] == {"k": "v"}
    for i in range(100):
        assert c.delete(f"{mount}/metadata/many/{i}").status == 204
    assert len(names(host, lease)[0]) == 1000


def test_many_holders(c, server, mount):
    put(c, mount, "app/a")
    hosts = [host_for(server, mount + "/*") for _ in range(70)]
    leases = [h.lease(mount + "/app/")[0] for h in hosts]
    put(c, mount, "app/b")
    versions = set()
    for h, lease in zip(hosts, leases):
        vaultd.wait_for("its update", lambda: h.c.get("sys/agent/sync").data["leases"][0]["version"] > lease["version"])
        keys, v = names(h, lease)
        assert keys == ["a", "b"]
        versions.add(v)
    assert len(versions) == 1
