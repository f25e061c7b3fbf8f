# SPDX-License-Identifier: Apache-2.0
"""Bindings that the vault defines: who may have them, and what a host hears of them."""
import base64
import itertools
import json
import threading

import pytest

import hostwire
import vaultd
from hostwire import container

serial = itertools.count()
FILE = {"path": "secret/app/db", "field": "password", "name": "pw"}


@pytest.fixture
def name():
    return f"b{next(serial)}"


@pytest.fixture
def role(c, name):
    assert c.post(f"sys/hosts/roles/r-{name}", {"paths": ["secret/app/*"]}).status == 204
    return f"r-{name}"


@pytest.fixture
def host(server, name, role):
    return hostwire.joined(server, f"h-{name}", ["secret/app/*"], role)


def write(c, name, *roles, **spec):
    r = c.post("sys/bindings/" + name, {"roles": list(roles), "files": [FILE], **spec})
    assert r.status in (200, 204), r
    return r


def test_a_definition_is_kept_in_one_form(c, name, role):
    r = write(c, name, role, images=["registry.example/app:*"], reload="exec-in", command=["/bin/reload", "a,b"], timeout=30,
              debounce="250ms", canary="false", containers=["web"], on_disconnect="wipe", wipe_after="1h",
              files=[FILE, {"path": "secret/app/db", "format": "env", "name": "db.env", "fields": ["a", "b"], "mode": 440,
                            "owner": "1000", "group": "www-data"},
                     {"template_text": "{{ with secret \"secret/data/app/db\" }}\n\t{{ end }}", "name": "app.conf"}])
    assert r.status == 204
    d = c.get("sys/bindings/" + name).data
    assert d.pop("version") > 0 and d.pop("created_time") and d.pop("updated_time")
    assert d == {"name": name, "roles": [role], "images": ["registry.example/app:*"], "reload": "exec-in",
                 "command": ["/bin/reload", "a,b"], "timeout": "30s", "debounce": "250ms", "canary": False, "containers": ["web"],
                 "on_disconnect": "wipe", "wipe_after": "1h0m0s",
                 "files": [FILE, {"path": "secret/app/db", "format": "env", "name": "db.env", "fields": ["a", "b"], "mode": "0440",
                                  "owner": "1000", "group": "www-data"},
                           {"template_text": "{{ with secret \"secret/data/app/db\" }}\n\t{{ end }}", "name": "app.conf"}]}
    assert name in c.list("sys/bindings").data["keys"]


def test_a_write_replaces_the_whole(c, name, role):
    write(c, name, role, reload="restart", splay="10s")
    before = c.get("sys/bindings/" + name).data
    write(c, name, role)
    after = c.get("sys/bindings/" + name).data
    assert before["reload"] == "restart" and "reload" not in after and "splay" not in after
    assert after["version"] > before["version"] and after["created_time"] == before["created_time"]
    assert c.delete("sys/bindings/" + name).status == 204
    assert c.delete("sys/bindings/" + name).status == 204
    assert c.get("sys/bindings/" + name).status == 404


def test_a_raw_file_is_named_by_its_field(c, name, role):
    write(c, name, role, files=[{"path": "secret/app/db", "field": "password"}])
    assert c.get("sys/bindings/" + name).data["files"][0]["name"] == "password"


@pytest.mark.parametrize("change, text", [
    ({"roles": []}, "roles: name 1 to 64 host roles"), ({"roles": ["none-such"]}, "no host role is named"),
    ({"images": ["x" * 300]}, "images"), ({"files": []}, "files: an array of 1 to 100"), ({"files": "x"}, "files: an array"),
    ({"files": ["x"]}, "files[0]: must be an object"), ({"files": [{**FILE, "path": "secret"}]}, "files[0].path: must name one"),
    ({"files": [{**FILE, "path": "secret/../x"}]}, "files[0].path"), ({"files": [{**FILE, "path": "secret/app/"}]}, "files[0].path"),
    ({"files": [{**FILE, "name": "a/b"}]}, "files[0].name"), ({"files": [{**FILE, "name": "..data"}]}, "files[0].name"),
    ({"files": [FILE, FILE]}, "\"pw\" is there twice"), ({"files": [{**FILE, "mode": "0888"}]}, "files[0].mode: must be octal"),
    ({"files": [{**FILE, "mode": "1777"}]}, "files[0].mode"), ({"files": [{**FILE, "owner": "a:b"}]}, "files[0].owner"),
    ({"files": [{**FILE, "format": "yaml"}]}, "files[0].format: must be one of raw, env, json, template"),
    ({"files": [{**FILE, "format": "env"}]}, "field goes with the format raw"), ({"files": [{**FILE, "quote": "none"}]}, "quote goes"),
    ({"files": [{**FILE, "fields": ["a"]}]}, "fields goes with"), ({"files": [{"path": "secret/app/db"}]}, "field is missing"),
    ({"files": [{"path": "secret/app/db", "format": "json"}]}, "name is missing"),
    ({"files": [{"path": "secret/app/db", "field": "a/b"}]}, "name is missing"),
    ({"files": [{"path": "secret/a/b", "format": "env", "name": "x", "fields": ["a", "a"]}]}, "a field is there twice"),
    ({"files": [{"template": "/etc/shadow", "name": "x"}]}, "given as template_text"),
    ({"files": [{**FILE, "template_text": "x"}]}, "files[0]: a template has no"),
    ({"files": [{"template_text": "a\0b", "name": "x"}]}, "files[0].template_text"),
    ({"files": [{"template_text": "x" * 70000, "name": "x"}]}, "files[0].template_text"),
    ({"files": [{**FILE, "dir_mode": "0755"}, {**FILE, "name": "y"}]}, "two different values of dir_mode"),
    ({"reload": "kill"}, "reload: must be one of none, signal"), ({"reload": "exec"}, "command is missing"),
    ({"reload": "exec", "command": ["reload"]}, "absolute path"), ({"command": ["/bin/x"]}, "command goes with"),
    ({"signal": "HUP"}, "signal goes with"), ({"reload": "signal", "signal": "KILL"}, "can be caught"),
    ({"reload": "signal", "signal": "SIGHUP"}, "can be caught"), ({"run_as": "www"}, "run_as goes with"),
    ({"timeout": "0s"}, "timeout: must be a duration from 1s"), ({"health": "2h"}, "health"), ({"settle": "-1s"}, "settle"),
    ({"debounce": "x"}, "debounce"), ({"canary": "perhaps"}, "canary: must be true or false"),
    ({"on_disconnect": "wipe"}, "needs wipe_after"), ({"wipe_after": "1h"}, "goes with on_disconnect"),
    ({"containers": ["-x"]}, "no name of a container"), ({"cache": True}, "cache: must be one of none, encrypted")])
def test_refusals(c, name, role, change, text):
    r = c.post("sys/bindings/" + name, {"roles": [role], "files": [FILE], **change})
    assert r.status == 400 and text in r.errors[0], r
    assert c.get("sys/bindings/" + name).status == 404


@pytest.mark.parametrize("bad", ["a%20b", "..x", "x" * 129])
def test_names(c, role, bad):
    assert c.post("sys/bindings/" + bad, {"roles": [role], "files": [FILE]}).status == 400


def test_unknown_members_are_named(c, name, role):
    r = write(c, name, role, colour="red", files=[{**FILE, "mod": "0400", "binding": "x"}])
    assert r.json["warnings"] == ["Endpoint ignored these unrecognized parameters: [files[0].mod files[0].binding]",
                                  "Endpoint ignored these unrecognized parameters: [colour]"]


def test_grants(c, server, host, name, role):
    c.post("sys/hosts/roles/other", {"paths": ["secret/other/*"]})
    write(c, name + "any", role)
    write(c, name + "img", role, images=["registry.example/app:*", "exact:1"], reload="restart")
    write(c, name + "not", "other")
    d = host.bind(container(1, name + "any", name + "img", image="registry.example/app:7"),
                  container(2, name + "IMG", image="exact:1"),
                  container(3, name + "img", name + "not", name + "none", "../x", image="exact:10"),
                  container(4))
    ids = [f"{n:064x}" for n in range(5)]
    by_name = {g["name"]: g for g in d["grants"]}
    assert set(by_name) == {name + "any", name + "img"}
    assert by_name[name + "any"]["containers"] == [ids[1]] and by_name[name + "img"]["containers"] == [ids[1], ids[2]]
    assert by_name[name + "img"]["spec"] == {"reload": "restart", "files": [FILE]}
    assert by_name[name + "img"]["version"] == c.get(f"sys/bindings/{name}img").data["version"] <= d["rev"]
    assert [(x["container"], x["name"], x["error"]) for x in d["refused"]] == [
        (ids[3], name + "img", "it is not for the container's image"),
        (ids[3], name + "not", f'it is not for hosts of the role "{role}"'),
        (ids[3], name + "none", "there is no such binding"), (ids[3], "../x", "there is no such binding")]
    assert host.bind()["grants"] == [] and host.bind(container(1, name + "any"))["refused"] == []
    assert d["checkpoint"]


def test_a_role_that_is_gone_gets_nothing(c, host, name, role):
    write(c, name, role)
    assert c.delete("sys/hosts/roles/" + role).status == 204
    d = host.bind(container(1, name))
    assert d["grants"] == [] and "role does not exist" in d["refused"][0]["error"]


@pytest.mark.parametrize("containers", [
    None, {}, [1], [{}], [{"id": "", "bindings": []}], [{"id": "x"}], [{"id": "x", "bindings": "app"}],
    [{"id": "x", "bindings": [1]}], [{"id": "x\n", "bindings": []}], [{"id": "x", "image": "y" * 600, "bindings": []}],
    [{"id": "x", "name": {}, "bindings": []}], [{"id": "x", "bindings": ["a\x1bb"]}],
    [{"id": "x", "bindings": [f"n{i}" for i in range(257)]}], [{"id": "x", "bindings": ["n"] * 2001}],
    [{"id": "x", "bindings": []}] * 1001])
def test_what_is_no_list_of_containers(host, containers):
    assert host.c.post("sys/agent/bind", {"containers": containers}).status == 400


def test_nobody_changes_what_a_container_claims(c, server, host, name, role):
    """Which image asks is the host's word: it is in a box with the nonce of the answer."""
    write(c, name, role, images=["good:*"])
    net = server.client(host.token)
    claim = {"containers": [container(1, name, image="good:1")]}
    assert net.post("sys/agent/bind", {**claim, "nonce": "00" * 32}).status == 400
    box = bytearray(host.says("bind", {"containers": [container(1, name, image="evil:1")]}, b"n" * 32))
    for i in (0, 30, len(box) // 2, len(box) - 1):
        box[i] ^= 1
        assert net.post("sys/agent/bind", {"statement": base64.b64encode(box).decode()}).status == 400
        box[i] ^= 1
    r = net.post("sys/agent/bind", {"statement": base64.b64encode(box).decode(), **claim, "nonce": "00" * 32})
    said = host.said(base64.b64decode(r.data["statement"]), "bind", b"n" * 32)
    assert said["grants"] == [] and "image" in said["refused"][0]["error"]


def test_only_a_host_binds(c, name):
    assert c.post("sys/agent/bind", {"containers": []}).status == 403


def watch(host, since):
    out = []
    t = threading.Thread(target=lambda: out.append(host.watcher().get(f"sys/agent/watch?since={since}&wait=50")))
    t.start()
    return t, out


def until_it_waits(c, since):
    """Its record is written when it has nothing to say yet."""
    url = f"sys/audit-log/records?from={since}&order=oldest&limit=100"
    vaultd.wait_for("a watch that waits", lambda: any(r["operation"] == "watch-start" for r in c.get(url).data["records"]))


@pytest.mark.parametrize("change", ["write", "delete", "take away", "role"])
def test_hosts_hear_of_changes(c, server, host, name, role, change):
    c.post("sys/hosts/roles/third", {"paths": ["secret/third/*"]})
    write(c, name, role)
    since = host.c.get("sys/agent/sync").data["rev"]
    size = c.get("sys/audit-log/checkpoint").data["size"]
    t, out = watch(host, since)
    until_it_waits(c, size)
    if change == "write":
        write(c, name, role, reload="restart")
    elif change == "delete":
        c.delete("sys/bindings/" + name)
    elif change == "take away":
        write(c, name, "third")
    else:
        c.delete("sys/hosts/roles/" + role)
    t.join(vaultd.DEADLINE)
    (event,) = out[0].data["events"]
    assert event["op"] == "bind" and since < event["rev"] <= out[0].data["rev"]


def test_other_hosts_hear_nothing(c, host, name, role):
    c.post("sys/hosts/roles/fourth", {"paths": ["secret/fourth/*"]})
    since = host.c.get("sys/agent/sync").data["rev"]
    write(c, name, "fourth")
    assert host.watcher().get(f"sys/agent/watch?since={since}&wait=0").data["events"] == []


def test_policy(c, server, name, role):
    c.post("sys/policies/acl/binder", {"policy": 'path "sys/bindings/team-*" { capabilities = ["create", "update", "read"] }'})
    mine = server.client(c.post("auth/token/create", {"policies": ["binder"]}).json["auth"]["client_token"])
    body = {"roles": [role], "files": [FILE]}
    assert mine.post("sys/bindings/team-a", body).status == 204
    assert mine.post("sys/bindings/TEAM-a", body).status == 204 and mine.get("sys/bindings/team-a").status == 200
    assert mine.post("sys/bindings/" + name, body).status == 403 and mine.delete("sys/bindings/team-a").status == 403
    assert mine.list("sys/bindings").status == 403


def test_records(c, host, name, role):
    size = c.get("sys/audit-log/checkpoint").data["size"]
    write(c, name, role)
    host.bind(container(1, name, "not-there"))
    log = c.get(f"sys/audit-log/records?from={size}&order=oldest&limit=100").data["records"]
    (wrote,) = [r for r in log if r["path"] == "sys/bindings/" + name and r["operation"] != "read"]
    assert wrote["note"]["binding"] == name and wrote["note"]["roles"] == [role] and wrote["note"]["version"] > 0
    (bound,) = [r for r in log if r["path"] == "sys/agent/bind"]
    assert bound["note"]["granted"] == [name] and bound["note"]["refused"] == 1 and bound["note"]["containers"] == 1


def test_vaultctl(server, name, role, tmp_path):
    f = tmp_path / "b.json"
    f.write_text(json.dumps({"roles": role, "files": [FILE], "reload": "signal"}))
    server.ctl("binding", "write", name, str(f), "splay=10s", 'images=["a:*","b"]')
    d = json.loads(server.ctl("binding", "read", name).stdout)["data"]
    assert (d["reload"], d["splay"], d["images"], d["roles"]) == ("signal", "10s", ["a:*", "b"], [role])
    assert name in server.ctl("binding", "list", fmt="table").stdout.split()
    server.ctl("binding", "delete", name, "--yes")
    assert name not in server.ctl("binding", "list", fmt="table").stdout.split()
