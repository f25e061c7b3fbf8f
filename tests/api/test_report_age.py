# SPDX-License-Identifier: Apache-2.0
"""sys/rotation/report/age: all secrets by age, as far as the caller may see them."""
import datetime

import pytest

from vaultd import wait_for


def report(c, **query):
    path = "sys/rotation/report/age"
    if query:
        path += "?" + "&".join(f"{k}={v}" for k, v in query.items())
    r = c.get(path)
    assert r.status == 200, r
    return r.data


def paths(data):
    return [s["path"] for s in data["secrets"]]


@pytest.fixture(scope="module")
def filled(server):
    c = server.client()
    c.post("sys/mounts/old", {"type": "kv", "options": {"version": "1"}})
    c.post("old/legacy", {"v": "1"})
    c.post("cubbyhole/mine", {"v": "1"})
    for name in ("team/a", "team/b", "other/c"):
        server.put(name, {"password": "x"})
    server.put("team/gone", {"password": "x"})
    c.delete("secret/data/team/gone")
    server.put("team/a", {"password": "y"})  # the youngest now
    return server


def test_oldest_first_and_nothing_that_has_no_value(filled, c):
    data = report(c)
    assert paths(data) == ["old/legacy", "secret/team/b", "secret/other/c", "secret/team/a"]
    assert (data["seen"], data["matched"], data["more"]) == (4, 4, False)
    a, legacy = data["secrets"][3], data["secrets"][0]
    assert (a["version"], a["rule"], a["strategy"], a["overdue"]) == (2, False, "", False)
    assert legacy["version"] == 0 and a["age"] <= legacy["age"] < 600
    assert set(a) == {"path", "version", "age", "written", "rule", "strategy", "last_rotated", "next", "max_age", "due",
                      "overdue", "problem"}


def test_filters(filled, c):
    assert paths(report(c, prefix="secret/team/")) == ["secret/team/b", "secret/team/a"]
    assert paths(report(c, over="90d")) == []
    assert paths(report(c, over="0s", limit=2)) == ["old/legacy", "secret/team/b"]
    assert report(c, limit=1)["more"] is True
    assert c.get("sys/rotation/report/age?limit=0").status == 400
    assert c.get("sys/rotation/report/age?over=soon").status == 400


@pytest.mark.parametrize("rules, want", [
    ('path "secret/data/team/*" { capabilities = ["read"] }', ["secret/team/b", "secret/team/a"]),
    ('path "secret/metadata/other/*" { capabilities = ["list"] }', ["secret/other/c"]),
    ('path "secret/data/*" { capabilities = ["create", "update"] }', []),
    ('path "secret/data/*" { capabilities = ["read"] } path "secret/data/team/b" { capabilities = ["deny"] }',
     ["secret/other/c", "secret/team/a"]),
    ('path "old/*" { capabilities = ["read"] }', ["old/legacy"]),
    ('path "old/data/*" { capabilities = ["read"] }', []),
    ("", []),
])
def test_each_secret_is_judged_by_itself(filled, c, rules, want):
    text = 'path "sys/rotation/report/age" { capabilities = ["read"] }\n' + rules
    assert c.post("sys/policies/acl/seer", {"policy": text}).status == 204
    token = c.post("auth/token/create", {"policies": ["seer"], "no_default_policy": True}).json["auth"]["client_token"]
    seer = filled.client(token)
    data = report(seer)
    assert paths(data) == want and data["seen"] == len(want)
    seer.close()


def test_the_report_itself_needs_a_policy(filled, c):
    token = c.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    other = filled.client(token)
    assert other.get("sys/rotation/report/age").status == 403
    other.close()


def test_what_a_rule_adds(filled, c):
    today = datetime.date.today()
    never = f"{today - datetime.timedelta(10)}/{today + datetime.timedelta(300)}"
    r = c.post("sys/rotation/config/secret/team/b", {"field": "password", "every": "1s", "max_age": "2s",
                                                     "missed": "skip", "blackout": [never]})
    assert r.status == 204, r
    row = wait_for("it to be too old", lambda: [s for s in report(c, prefix="secret/team/b")["secrets"]
                                                if s["overdue"]])[0]
    assert row["rule"] and row["strategy"] == "generate" and row["max_age"] == 2 and row["due"] > row["written"]
    assert c.delete("sys/rotation/config/secret/team/b").status == 204


def test_more_than_one_slice(server, c):
    for i in range(150):
        server.put(f"many/{i:03}", {"v": "x"})
    got = paths(report(c, prefix="secret/many/"))
    assert got == [f"secret/many/{i:03}" for i in range(150)]
    assert paths(report(c, prefix="secret/many/", limit=7)) == got[:7]
