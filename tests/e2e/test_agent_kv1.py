# SPDX-License-Identifier: Apache-2.0
"""Values of KV version 1 in files, and what becomes of files where versions begin anew."""
import pytest

from vaultd import wait_for

TEXT = '{{ with secret "kv/app" }}{{ .Data.user }}:{{ .Data.password }}{{ end }}'
FILES = [{"path": "kv/app", "field": "password", "binding": "app"},
         {"path": "kv/app", "binding": "app", "name": "app.env", "format": "env"},
         {"binding": "app", "name": "made", "template_text": TEXT}]


def write(s, path, data):
    assert s.client().post(path, data).status == 204


@pytest.fixture
def scene(own_server, make_agent):
    s = own_server
    assert s.client().post("sys/mounts/kv", {"type": "kv", "options": {"version": "1"}}).status == 204

    def start(files=FILES, paths=("kv/*",)):
        a = make_agent(s, "web1", files)
        a.join(s.add_host("web1", list(paths))["join_token"])
        return a.start()
    return s, start


def wait_files(a, password):
    a.wait_content("app", "made", f"u:{password}")
    assert a.content("app", "password") == password
    assert a.content("app", "app.env") == f"password={password}\nuser=u\n"


def leases(s, path):
    r = s.client().list(f"sys/vault-leases?path={path}")
    return list(r.data["key_info"].values()) if r.status == 200 else []


def applied(s, path):
    return [(one["applied"], one["state"]) for one in leases(s, path)]


def test_files_follow_values_without_versions(scene):
    s, start = scene
    write(s, "kv/app", {"user": "u", "password": "one"})
    a = start()
    wait_files(a, "one")
    write(s, "kv/app", {"user": "u", "password": "two"})
    wait_files(a, "two")
    wait_for("the vault to hear", lambda: applied(s, "kv/app") == [(2, "applied")])
    (where,) = s.client().get("sys/hosts/where/kv/app").data["hosts"]
    assert (where["host"], where["version"]) == ("web1", 2)


def test_one_that_was_deleted_and_written_anew(scene):
    s, start = scene
    for n in range(3):
        write(s, "kv/app", {"user": "u", "password": f"old{n}"})
    a = start()
    wait_files(a, "old2")
    assert s.client().delete("kv/app").status == 204
    wait_for("the files to go", lambda: a.content("app", "password") is None and a.content("app", "made") is None)
    write(s, "kv/app", {"user": "u", "password": "new"})
    wait_files(a, "new")
    wait_for("the vault to hear", lambda: applied(s, "kv/app") == [(1, "applied")])


def test_a_secret_of_version_2_that_was_deleted_and_written_anew(scene):
    s, start = scene
    for n in range(3):
        s.put("app", {"password": f"old{n}"})
    a = start([{"path": "secret/app", "field": "password", "binding": "app"}], ["secret/*"])
    a.wait_content("app", "password", "old2")
    assert s.client().delete("secret/metadata/app").status == 204
    wait_for("the file to go", lambda: a.content("app", "password") is None)
    s.put("app", {"password": "new"})
    a.wait_content("app", "password", "new")
    wait_for("the vault to hear", lambda: applied(s, "secret/app") == [(1, "applied")])


def test_files_stay_while_their_mount_becomes_version_2(scene):
    s, start = scene
    for n in range(4):
        write(s, "kv/app", {"user": "u", "password": f"p{n}"})
    a = start(FILES[:2])
    a.wait_content("app", "password", "p3")
    wait_for("the vault to hear", lambda: applied(s, "kv/app") == [(4, "applied")])
    assert s.client().post("sys/mounts/kv/tune", {"options": {"version": "2"}}).status == 200
    wait_for("the vault to hear of version 1", lambda: applied(s, "kv/app") == [(1, "applied")])
    assert a.content("app", "password") == "p3" and a.status()["wipes"] == 0
    assert s.client().post("kv/data/app", {"data": {"user": "u", "password": "next"}}).status == 200
    a.wait_content("app", "password", "next")
