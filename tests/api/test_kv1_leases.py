# SPDX-License-Identifier: Apache-2.0
"""Leases on values of KV version 1; what becomes of a lease where versions begin anew."""
import itertools
import threading

import pytest

import hostwire
import vaultd

serial = itertools.count()


def mounted(c, **body):
    path = f"l{next(serial)}"
    assert c.post("sys/mounts/" + path, {"type": "kv", **body}).status in (200, 204)
    return path


@pytest.fixture
def kv1(c):
    return mounted(c, options={"version": "1"})


def host_for(server, *paths):
    n = next(serial)
    return hostwire.joined(server, f"kv1-{n}", list(paths), f"kv1-{n}")


def write(c, path, **data):
    r = c.post(path, data)
    assert r.status == 204, r


def value(host, lease):
    (item,) = host.fetch(lease)
    assert "error" not in item, item
    said = host.value(item)
    assert item["version"] == said["version"]
    return said


def refused(host, lease):
    (item,) = host.fetch(lease)
    return item.get("error")


def rev(host):
    return host.c.get("sys/agent/sync").data["rev"]


def events(host, since):
    return host.watcher().get(f"sys/agent/watch?since={since}&wait=0").data["events"]


def info(c, path):
    r = c.list(f"sys/vault-leases?path={path}")
    assert r.status == 200, r
    return r.data["key_info"]


def test_a_value_is_leased_and_its_changes_are_told(c, server, kv1):
    path = f"{kv1}/app/db"
    write(c, path, user="u", password="one")
    host = host_for(server, f"{kv1}/app/*")
    (lease,) = host.lease(path)
    assert (lease["path"], lease["version"]) == (path, 1)
    said = value(host, lease["lease_id"])
    assert said["data"] == {"user": "u", "password": "one"} and said["path"] == path
    assert "metadata" not in said, "a read shows none"
    assert host.lease(path)[0]["lease_id"] == lease["lease_id"]
    assert host.ack(lease["lease_id"], 1).status == 204
    since, got = rev(host), []
    watch = threading.Thread(target=lambda: got.append(host.watcher().get(f"sys/agent/watch?since={since}&wait=30")))
    watch.start()
    write(c, path, user="u", password="two")
    watch.join(vaultd.DEADLINE)
    (event,) = got[0].data["events"]
    assert (event["op"], event["path"], event["lease_id"], event["version"]) == ("update", path, lease["lease_id"], 2)
    assert value(host, lease["lease_id"])["data"]["password"] == "two"
    one = info(c, path)[lease["lease_id"]]
    assert (one["version"], one["applied"], one["current"]) == (2, 1, 2)
    (where,) = c.get(f"sys/hosts/where/{path}").data["hosts"]
    assert (where["host"], where["version"]) == (one["host"], 1), "what it has"


def test_by_the_path_that_clients_read(c, server, kv1):
    write(c, f"{kv1}/data/app", k="v")
    host = host_for(server, kv1 + "/*")
    (lease,) = host.lease(f"/v1/{kv1}/data/app")
    assert (lease["path"], lease["asked"]) == (f"{kv1}/data/app", f"/v1/{kv1}/data/app"), "no verb is in these paths"


def test_who_may_and_what_there_is(c, server, kv1):
    write(c, f"{kv1}/app/db", k="v")
    host = host_for(server, f"{kv1}/app/*")
    for path, why in ((f"{kv1}/other", "role does not allow"), (f"{kv1}/app/none", "no such secret")):
        assert why in host.lease(path)[0]["error"], path
    for path in (kv1 + "/app", f"{kv1}/app/db"):
        assert c.post("sys/hosts/roles/fits", {"paths": [path]}).status in (200, 204)
    for path in ("cubbyhole/x", kv1 + "/", "sys/x"):
        r = c.post("sys/hosts/roles/no", {"paths": [path + "x" if path[-1] != "/" else path[:-1]]})
        assert r.status == 400, (path, r)
    assert c.list(f"sys/vault-leases?path={kv1}/").status == 404, "the folder, and nobody has its names"


def test_what_is_deleted_ends_and_what_comes_after_is_another_lease(c, server, kv1):
    path = f"{kv1}/app"
    for n in range(3):
        write(c, path, n=n)
    host = host_for(server, kv1 + "/*")
    (lease,) = host.lease(path)
    assert value(host, lease["lease_id"])["version"] == 3
    since = rev(host)
    assert c.delete(path).status == 204
    (event,) = events(host, since)
    assert (event["op"], event["lease_id"]) == ("revoke", lease["lease_id"])
    assert refused(host, lease["lease_id"]) == "lease is revoked"
    since = rev(host)
    write(c, path, n="anew")
    (event,) = events(host, since)
    assert (event["op"], event["path"], event["version"]) == ("update", path, 1)
    assert event["lease_id"] != lease["lease_id"], "an agent takes no older version of the same lease"
    assert refused(host, lease["lease_id"]) == "no such lease"
    assert value(host, event["lease_id"])["data"] == {"n": "anew"}
    assert host.lease(path)[0]["lease_id"] == event["lease_id"]
    assert list(info(c, path)) == [event["lease_id"]]


def test_a_secret_of_version_2_that_is_made_anew(c, server):
    mount = mounted(c, options={"version": "2"})
    path = f"{mount}/app"
    for n in range(3):
        assert c.post(f"{mount}/data/app", {"data": {"n": n}}).status == 200
    host = host_for(server, mount + "/*")
    (lease,) = host.lease(path)
    assert value(host, lease["lease_id"])["version"] == 3
    # The newest version is taken away and comes back: the same lease.
    assert c.delete(f"{mount}/data/app").status == 204
    since = rev(host)
    assert c.post(f"{mount}/undelete/app", {"versions": [3]}).status == 204
    assert [(e["op"], e["lease_id"], e["version"]) for e in events(host, since)] == [("update", lease["lease_id"], 3)]
    # All of it is, and another takes its place.
    assert c.delete(f"{mount}/metadata/app").status == 204
    since = rev(host)
    assert c.post(f"{mount}/data/app", {"data": {"n": "anew"}}).status == 200
    (event,) = events(host, since)
    assert event["lease_id"] != lease["lease_id"] and event["version"] == 1
    assert value(host, event["lease_id"])["data"] == {"n": "anew"}


def test_what_an_operator_revoked_stays_so(c, server, kv1):
    path = f"{kv1}/app"
    write(c, path, n=1)
    host = host_for(server, kv1 + "/*")
    (lease,) = host.lease(path)
    assert c.post("sys/vault-leases/revoke", {"lease_id": lease["lease_id"]}).status in (200, 204)
    assert c.delete(path).status == 204
    write(c, path, n=2)
    assert "an operator has revoked" in host.lease(path)[0]["error"]
    assert refused(host, lease["lease_id"]) == "lease is revoked"


def test_holders_keep_what_they_have_while_a_mount_becomes_version_2(c, server):
    mount = mounted(c, options={"version": "1"})
    path = f"{mount}/app"
    for n in range(5):
        write(c, path, n=n)
    write(c, f"{mount}/gone", n=0)
    host = host_for(server, mount + "/*")
    first, gone = host.lease(path, f"{mount}/gone")
    assert value(host, first["lease_id"])["version"] == 5
    assert c.delete(f"{mount}/gone").status == 204
    since = rev(host)
    assert c.post(f"sys/mounts/{mount}/tune", {"options": {"version": "2"}}).status == 200
    vaultd.wait_for("version 2", lambda: c.get(f"{mount}/data/app").status == 200)
    told = [(e["op"], e["path"], e["version"]) for e in events(host, since)]
    assert told == [("update", path, 1)], "nothing is to be wiped"
    (second,) = host.lease(path)
    assert second["lease_id"] != first["lease_id"] and refused(host, first["lease_id"]) == "no such lease"
    said = value(host, second["lease_id"])
    assert said["data"] == {"n": 4} and said["metadata"]["version"] == 1
    since = rev(host)
    assert c.post(f"{mount}/data/app", {"data": {"n": "next"}}).status == 200
    assert [(e["op"], e["version"]) for e in events(host, since)] == [("update", 2)]
    assert value(host, second["lease_id"])["data"] == {"n": "next"}


def test_with_its_mount_a_lease_ends(c, server, kv1):
    write(c, f"{kv1}/app/db", k="v")
    host = host_for(server, kv1 + "/*")
    (lease,) = host.lease(f"{kv1}/app/db")
    since = rev(host)
    assert c.delete("sys/mounts/" + kv1).status == 204
    vaultd.wait_for("the end", lambda: [e["op"] for e in events(host, since)] == ["revoke"])
    assert refused(host, lease["lease_id"]) == "lease is revoked"


def test_a_mount_that_moves(c, server, kv1):
    write(c, f"{kv1}/app", k="v")
    role = f"moving-{kv1}"
    host = hostwire.joined(server, role, [kv1 + "/*"], role)
    host.lease(f"{kv1}/app")
    since = rev(host)
    assert c.post("sys/remount", {"from": kv1, "to": "to-" + kv1}).status == 200
    vaultd.wait_for("the end", lambda: [(e["op"], e.get("reason")) for e in events(host, since)] == [("revoke", "moved")])
    assert c.post(f"sys/hosts/roles/{role}", {"paths": [f"to-{kv1}/*"]}).status in (200, 204)
    (lease,) = host.lease(f"to-{kv1}/app")
    assert value(host, lease["lease_id"])["data"] == {"k": "v"}


def test_with_many_holders(c, server, kv1):
    """More than are told with the change itself."""
    path = f"{kv1}/app"
    write(c, path, n=1)
    write(c, path, n=2)
    hosts = [host_for(server, kv1 + "/*") for _ in range(70)]
    for host in hosts:
        host.lease(path)
    assert c.delete(path).status == 204
    vaultd.wait_for("all to be told", lambda: all(one["state"] == "revoked" for one in info(c, path).values()))
    write(c, path, n="anew")
    vaultd.wait_for("all to be told", lambda: [one["current"] for one in info(c, path).values()] == [1] * 70)
    for host in hosts:
        (lease,) = host.lease(path)
        assert value(host, lease["lease_id"])["data"] == {"n": "anew"}


def test_with_many_holders_while_a_mount_becomes_version_2(c, server):
    mount = mounted(c, options={"version": "1"})
    path = f"{mount}/app"
    for n in range(3):
        write(c, path, n=n)
    hosts = [host_for(server, mount + "/*") for _ in range(70)]
    before = {host.lease(path)[0]["lease_id"] for host in hosts}
    assert c.post(f"sys/mounts/{mount}/tune", {"options": {"version": "2"}}).status == 200
    vaultd.wait_for("version 2", lambda: c.get(f"{mount}/data/app").status == 200)
    vaultd.wait_for("all to have another", lambda: [one["current"] for one in info(c, path).values()] == [1] * 70)
    assert not before & set(info(c, path)), "of the former none is left"
    assert c.post(f"{mount}/data/app", {"data": {"n": "next"}}).status == 200
    vaultd.wait_for("all to be told", lambda: [one["current"] for one in info(c, path).values()] == [2] * 70)
