# SPDX-License-Identifier: Apache-2.0
"""sys/rotate, sys/rotate/config and sys/key-status."""
import datetime
import re

import pytest

import vaultd

TIME = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$")


def when(text):
    # Zeros at the end are left out: as texts, 0.417Z comes before 0.4Z.
    return datetime.datetime.fromisoformat(text)


@pytest.fixture
def ops(server, c):
    """A token that may update sys/rotate, with or without sudo."""
    def make(*caps):
        name = "rot-" + "-".join(caps)
        text = f'path "sys/rotate*" {{ capabilities = {list(caps)!r} }}'.replace("'", '"')
        assert c.post("sys/policies/acl/" + name, {"policy": text}).status == 204
        return c.post("auth/token/create", {"policies": [name]}).json["auth"]["client_token"]
    return make


def test_status_shape(c):
    r = c.get("sys/key-status")
    assert r.status == 200
    assert set(r.data) == {"term", "install_time", "encryptions"}
    assert TIME.match(r.data["install_time"]) and r.data["term"] >= 1 and r.data["encryptions"] > 0
    assert {k: r.json[k] for k in r.data} == r.data, "old clients read the members at the top"


@pytest.mark.parametrize("path", ["sys/rotate", "sys/rotate/keyring"])
def test_rotate(server, c, path):
    server.put("rotated", {"k": "before"})
    before = c.get("sys/key-status").data
    r = c.request("PUT", path)
    assert (r.status, r.raw) == (204, b"")
    after = c.get("sys/key-status").data
    assert after["term"] == before["term"] + 1
    assert when(after["install_time"]) >= when(before["install_time"])
    assert server.read("rotated") == {"k": "before"}
    server.put("rotated", {"k": "after"})

    def destroyed():
        r = c.get("sys/audit-log/records?operation=destroy&path=sys/rotate/keyring")
        return any(x["note"]["term"] == after["term"] and x["note"]["terms"] == 1 for x in r.data["records"])
    vaultd.wait_for("the end of the old key", destroyed)
    assert server.read("rotated") == {"k": "after"}


def test_rotate_needs_sudo(c, ops):
    for token in (None, ops("update"), ops("read", "sudo")):
        for path in ("sys/rotate", "sys/rotate/keyring", "sys/rotate/config"):
            assert c.post(path, {}, token=token).status == 403
    assert c.post("sys/rotate", token=ops("update", "sudo")).status == 204
    assert c.get("sys/rotate").status == 405


def test_config(c):
    r = c.get("sys/rotate/config")
    assert (r.status, r.data) == (200, {"max_operations": 3865470566, "interval": 0, "enabled": True})
    for body in ({"max_operations": 999999}, {"interval": "1h"}, {"interval": -1}, {"enabled": "maybe"}):
        assert c.post("sys/rotate/config", body).status == 400, body
    assert c.post("sys/rotate/config", {"max_operations": 2000000, "interval": "48h", "enabled": False}).status == 204
    r = c.get("sys/rotate/config")
    assert r.data == {"max_operations": 2000000, "interval": 172800, "enabled": False}
    assert c.post("sys/rotate/config", {"max_operations": 3865470566, "interval": 0, "enabled": True}).status == 204


def test_old_values_open_after_a_crash(own_server):
    s = own_server
    for i in range(30):
        s.put(f"r/{i}", {"k": i})
    assert s.client().post("sys/rotate").status == 204
    s.kill_role("core")
    s.wait_sealed()
    s.unseal()
    for i in range(30):
        assert s.read(f"r/{i}") == {"k": i}
    assert s.client().get("sys/key-status").data["term"] == 2
