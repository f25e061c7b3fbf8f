# SPDX-License-Identifier: Apache-2.0
"""What operators see of agents: reports, where a secret is, and heads of the audit log that hosts co-sign."""
import json
import shutil

import pytest

from vaultd import wait_for

FILES = [{"path": "secret/app/db", "field": "password", "binding": "db", "name": "password"},
         {"path": "secret/app/short", "field": "v", "binding": "short", "name": "v"}]


@pytest.fixture
def web(own_server, make_agent):
    s = own_server
    s.put("app/db", {"password": "one"})
    s.put("app/short", {"v": "x"})
    a = make_agent(s, "web1", FILES)
    a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
    a.start()
    a.wait_content("db", "password", "one")
    a.wait_content("short", "v", "x")
    return s, a


def proven_again(s, a):
    """The end of a lease makes the agent verify the log's head at once."""
    s.client().delete("secret/data/app/short")
    wait_for("the wipe", lambda: a.content("short", "v") is None)


def row(s, name="web1"):
    out = s.ctl("host", "list", fmt="json").stdout
    return json.loads(out)["data"]["key_info"][name]


def where(s, path="secret/app/db"):
    return {h["host"]: h for h in json.loads(s.ctl("where", path, fmt="json").stdout)["data"]["hosts"]}


def test_host_list_and_where_follow_the_agent(web):
    s, a = web
    r = wait_for("a report", lambda: (x := row(s)) and x["reported"] and x)
    assert r["last_error"] == "" and r["stale"] == 0 and 0 <= r["lag_ms"] < 60000, r
    assert r["agent_version"]
    w = wait_for("the acknowledgement", lambda: where(s).get("web1", {}).get("version") == 1 and where(s)["web1"])
    assert w["state"] == "applied"
    s.put("app/db", {"user": "no password"})
    r = wait_for("the error", lambda: (x := row(s)) and x["last_error"] and x)
    assert r["last_error"].startswith("secret/app/db: ") and "password" in r["last_error"]
    assert a.content("db", "password") == "one"
    assert where(s)["web1"]["state"] == "rejected"
    table = s.ctl("host", "list", fmt="table").stdout
    assert "secret/app/db: " in next(line for line in table.splitlines() if line.startswith("web1 "))
    s.put("app/db", {"password": "three"})
    wait_for("the error to go", lambda: row(s)["last_error"] == "")
    assert where(s)["web1"]["version"] == 3


def test_reports_are_few(web):
    """Only a change of state is told, and one a minute in the long run."""
    s, a = web
    wait_for("a report", lambda: row(s)["reported"])
    for i in range(20):
        s.put("app/db", {"password": f"v{i}"})
        a.wait_content("db", "password", f"v{i}")
    recs = s.client().get("sys/audit-log/records?limit=1000").data["records"]
    assert 1 <= sum("sys/agent/report" in json.dumps(r) for r in recs) <= 4


def witnesses(s):
    return {w["host"]: w for w in s.client().get("sys/audit-log/witnesses").data["witnesses"]}


def verify(s, *args):
    key = s.client().get("sys/audit-log/checkpoint").data["public_key"]
    p = s.ctl("audit", "verify", "--key", key, *args, check=False)
    return p, json.loads(p.stdout) if p.stdout else None


def test_an_agent_co_signs_what_it_verified(web, tmp_path):
    s, a = web
    first = wait_for("a co-signature", lambda: witnesses(s).get("web1"))["size"]
    proven_again(s, a)
    wait_for("another", lambda: witnesses(s)["web1"]["size"] > first)
    assert witnesses(s)["web1"]["size"] <= a.status()["checkpoint_size"]
    line = next(x for x in s.ctl("audit", "witnesses", fmt="table").stdout.splitlines() if x.startswith("web1 "))
    assert int(line.split()[1]) > first
    kept = tmp_path / "witnesses"
    s.ctl("audit", "witnesses", kept)
    p, d = verify(s, "--witnesses", kept)
    assert p.returncode == 0 and d["verified"] and d["end_proven"] and d["witnesses"] == 1


def test_a_log_that_was_cut_is_held_against_the_agent_s_word(web, tmp_path):
    """Test 40 with a real agent: an earlier moment of the whole vault is put back."""
    s, a = web
    wait_for("a co-signature", lambda: "web1" in witnesses(s))
    s.stop()
    shutil.copytree(s.data_dir, tmp_path / "before")
    s.start()
    s.unseal()
    s.put("app/db", {"password": "two"})
    a.wait_content("db", "password", "two", 90)
    for _ in range(100):
        s.client().get("secret/data/none")
    proven_again(s, a)
    wait_for("a later co-signature", lambda: witnesses(s)["web1"]["size"] > 100)
    kept = tmp_path / "witnesses"
    s.ctl("audit", "witnesses", kept)
    a.lied_to = True
    s.stop()
    shutil.rmtree(s.data_dir)
    shutil.copytree(tmp_path / "before", s.data_dir)
    s.start()
    s.unseal()
    st = wait_for("the alarm", lambda: (t := a.status()) and t["alarm"] and t, 90)
    assert "set back" in st["alarm"] or "audit log" in st["alarm"], st["alarm"]
    assert a.content("db", "password") == "two" and st["wipes"] == 1
    # It tells the vault, too.
    alarms = wait_for("the vault's alarm", lambda: s.client().get("sys/hosts/web1").data["alarms"])
    assert [x["kind"] for x in alarms] == ["the audit log is shorter than this host has seen"]
    p, d = verify(s, "--witnesses", kept)
    assert p.returncode == 22 and d["fault"] == "cut" and 'host "web1"' in d["text"], (p.stdout, p.stderr)
