# SPDX-License-Identifier: Apache-2.0
"""Secrets of a Docker Swarm: definitions, who leads, what is kept of services, and rotations that wait for them."""
import itertools
import threading

import pytest

import hostwire
import vaultd
from hostwire import Manager, looked, service

serial = itertools.count()


@pytest.fixture
def name():
    return f"w{next(serial)}"


@pytest.fixture
def role(c, name):
    assert c.post(f"sys/hosts/roles/r-{name}", {"paths": ["secret/app/*"]}).status == 204
    return f"r-{name}"


@pytest.fixture
def path(c, name):
    assert c.post(f"secret/data/app/{name}", {"data": {"password": "one", "user": "u"}}).status == 200
    return f"secret/app/{name}"


def manager(server, name, role, cluster=None):
    return Manager(hostwire.joined(server, name, ["secret/app/*"], role), cluster or "c" + name.replace("-", ""))


@pytest.fixture
def m(server, name, role):
    return manager(server, f"m-{name}", role)


def bind(c, name, role, path, **more):
    r = c.post("sys/swarm/bindings/" + name, {"roles": [role], "path": path, "field": "password", **more})
    assert r.status in (200, 204), r
    return r


def where(c, path, holder):
    return next(h for h in c.get("sys/hosts/where/" + path).data["hosts"] if h["host"] == holder)


# ---- definitions ----

def test_a_definition_has_its_defaults(c, name, role, path):
    bind(c, name, role, path)
    d = c.get("sys/swarm/bindings/" + name).data
    assert d.pop("version") > 0 and d.pop("created_time") and d.pop("updated_time")
    assert d == {"name": name, "roles": [role], "path": path, "field": "password", "format": "raw", "quote": "shell",
                 "targets": [{"target": name, "uid": "0", "gid": "0", "mode": "0400"}], "services": [], "window": "",
                 "max_services": 1, "keep": 2, "deadline": "0s", "soak": "1m0s", "gate": "15m0s", "jobs": "never",
                 "mode": "restart", "enforce": False}
    assert name in c.list("sys/swarm/bindings").data["keys"]


def test_a_template(c, m, name, role, path):
    text = "password={{ with secret \"secret/data/x\" }}{{ .Data.data.password }}{{ end }}\n"
    bind(c, name, role, path, field=None, format="template", template_text=text)
    assert c.get("sys/swarm/bindings/" + name).data["template_text"] == text
    assert m.lead()["leader"]
    b = next(b for b in m.plan()["bindings"] if b["name"] == name)
    assert (b["format"], b["template_text"]) == ("template", text)


def test_a_write_replaces_the_whole(c, name, role, path):
    bind(c, name, role, path, services=["web"], soak="5s", targets=[{"target": "a"}, {"target": "b/c", "uid": 1000, "mode": 440}])
    before = c.get("sys/swarm/bindings/" + name).data
    bind(c, name, role, path, field=None, format="env", fields=["user"], quote="none", window="22:00-04:30", cluster="abc123")
    after = c.get("sys/swarm/bindings/" + name).data
    assert before["targets"][1] == {"target": "b/c", "uid": "1000", "gid": "0", "mode": "0440"} and before["services"] == ["web"]
    assert after["services"] == [] and after["soak"] == "1m0s" and after["version"] > before["version"]
    assert c.delete("sys/swarm/bindings/" + name).status == 204 == c.delete("sys/swarm/bindings/" + name).status
    assert c.get("sys/swarm/bindings/" + name).status == 404


@pytest.mark.parametrize("change, text", [
    ({"roles": []}, "roles: name 1 to 64"), ({"roles": ["none-such"]}, "no host role is named"), ({"path": "secret"}, "path: must name"),
    ({"path": None}, "path is missing"), ({"field": None}, "field is missing"), ({"fields": ["a"]}, "fields goes with"),
    ({"format": "env"}, "field goes with"), ({"format": "yaml"}, "format: must be one of raw, env, json"),
    ({"format": "template", "field": None}, "template_text is missing"), ({"template_text": "x"}, "goes with the format template"),
    ({"format": "template", "template_text": "x"}, "a template has no field"), ({"quote": "none"}, "quote goes with"), ({"cluster": "../x"}, "cluster: must be"), ({"services": ["-x"]}, "services"),
    ({"services": ["x"] * 65}, "services: at most 64"), ({"window": "25:00-01:00"}, "window"), ({"window": "22:00-22:00"}, "window"),
    ({"max_services": 0}, "max_services: must be a number from 1 to 64"), ({"keep": "x"}, "keep"), ({"soak": "-1s"}, "soak"),
    ({"gate": "0s"}, "gate"), ({"jobs": "always"}, "jobs"), ({"mode": "x"}, "mode"), ({"enforce": "x"}, "enforce"),
    ({"targets": []}, "targets: an array of 1 to 4"), ({"targets": [{"target": f"t{i}"} for i in range(5)]}, "1 to 4"),
    ({"targets": ["x"]}, "objects are needed"), ({"targets": [{"target": "../../etc/passwd"}]}, "targets[0].target"),
    ({"targets": [{"target": "/etc/../x"}]}, "targets[0].target"), ({"targets": [{"target": "a//b"}]}, "targets[0].target"),
    ({"targets": [{"uid": "nobody"}]}, "targets[0].uid: must be a number"), ({"targets": [{"mode": "0800"}]}, "targets[0].mode"),
    ({"targets": [{"target": "a"}, {"target": "a"}]}, "it is there twice")])
def test_refusals(c, name, role, path, change, text):
    r = c.post("sys/swarm/bindings/" + name, {"roles": [role], "path": path, "field": "password", **change})
    assert r.status == 400 and text in r.errors[0], r
    assert c.get("sys/swarm/bindings/" + name).status == 404


def test_who_may_write_them(server, c, name, role, path):
    c.post("sys/policies/acl/swarmer", {"policy": 'path "sys/swarm/bindings/team-*" { capabilities = ["create", "update", "read"] }'})
    token = c.post("auth/token/create", {"policies": ["swarmer"]}).json["auth"]["client_token"]
    mine, body = server.client(token=token), {"roles": [role], "path": path, "field": "password"}
    assert mine.post("sys/swarm/bindings/team-a", body).status == 204
    assert mine.post("sys/swarm/bindings/" + name, body).status == 403
    assert mine.delete("sys/swarm/bindings/team-a").status == 403
    assert c.delete("sys/swarm/bindings/team-a").status == 204


def test_only_hosts_ask(c, m, name, role, path):
    bind(c, name, role, path)
    for what in ("lead", "plan", "state"):
        assert c.post("sys/agent/swarm/" + what, {"cluster": m.cluster}).status == 403


# ---- who leads ----

def test_a_host_leads_if_something_is_bound_for_its_role(c, m, name, role, path):
    d = m.lead()
    assert d["leader"] is False and "no binding" in d["reason"] and d["holder"] == ""
    bind(c, name, role, path, cluster="other")
    assert m.lead()["leader"] is False
    bind(c, name, role, path, cluster=m.cluster)
    d = m.lead()
    assert d["leader"] and d["ttl_ms"] == 15000 and d["holder"] == "m-" + name
    assert m.lead()["epoch"] == d["epoch"]
    k = c.get("sys/swarm/clusters/" + m.cluster).data
    assert (k["leader"], k["epoch"], k["cluster"]) == ("m-" + name, d["epoch"], m.cluster)
    assert m.cluster in c.list("sys/swarm/clusters").data["keys"]


@pytest.mark.parametrize("bad", [{"cluster": ""}, {"cluster": "A/b"}, {"cluster": "x" * 65}, {"node": "../x"}])
def test_ids_of_docker(m, bad):
    r = m.host.c.post("sys/agent/swarm/lead", {"cluster": m.cluster, "node": "n1", **bad})
    assert r.status == 400


def test_one_leads_at_a_time_and_an_old_epoch_is_refused(server, c, m, name, role, path):
    other = manager(server, f"o-{name}", role, m.cluster)
    bind(c, name, role, path)
    assert m.lead()["leader"] and m.plan()["leader"]
    d = other.lead()
    assert d["leader"] is False and d["holder"] == "m-" + name and other.plan()["leader"] is False
    assert m.state(service(name, 1, "apply", 1))["stored"]
    assert other.state(service(name, 1, "done", 1), epoch=m.epoch)["stored"] is False
    assert m.lead(resign=True)["leader"] is False
    assert m.state(service(name, 1, "done", 1))["stored"] is False
    assert other.lead()["leader"] and other.epoch > m.epoch
    rows = other.plan()["states"]
    assert [(r["service"], r["state"], r["epoch"]) for r in rows] == [("s1", "apply", m.epoch)]
    d = m.state(service(name, 1, "done", 1))
    assert (d["stored"], d["leader"], d["epoch"]) == (False, False, other.epoch)
    assert m.lead()["leader"] is False and m.plan()["leader"] is False
    assert other.state(service(name, 1, "done", 1), epoch=m.epoch)["stored"] is False
    assert other.plan()["states"][0]["state"] == "apply"


def test_the_agent_on_the_leading_manager_is_preferred(server, c, m, name, role, path):
    other = manager(server, f"o-{name}", role, m.cluster)
    bind(c, name, role, path)
    assert m.lead()["leader"] and m.lead()["leader"]
    assert other.lead(raft_leader=True)["leader"] is False
    d = m.lead()
    assert d["leader"] is False and "leading manager" in d["reason"]
    assert m.lead()["leader"] is False
    assert other.lead(raft_leader=True)["leader"]
    assert m.lead()["leader"] is False and other.lead(raft_leader=True)["leader"]


def test_a_revoked_host_leads_no_more(server, c, m, name, role, path):
    bind(c, name, role, path)
    assert m.lead()["leader"]
    lease = m.binding(name)["lease_id"]
    assert c.post(f"sys/hosts/m-{name}/revoke").status in (200, 204)
    assert m.host.c.post("sys/agent/swarm/lead", {"cluster": m.cluster}).status == 403
    assert m.host.c.post("sys/agent/fetch", {"leases": [lease]}).status == 403


# ---- the plan, and values ----

def test_a_plan(c, m, name, role, path):
    bind(c, name, role, path, services=["web"], soak="5s", deadline="2m", window="22:00-04:30", max_services=3)
    bind(c, name + "x", role, "secret/app/none")
    bind(c, name + "y", role, "secret/other/db")
    m.lead()
    by_name = {b["name"]: b for b in m.plan()["bindings"]}
    b = by_name[name]
    assert (b["path"], b["version"], b["soak_ms"], b["deadline_ms"], b["gate_ms"]) == (path, 1, 5000, 120000, 900000)
    assert (b["services"], b["window"], b["max_services"], b["apply"], b["gc"]) == (["web"], "22:00-04:30", 3, 0, 0)
    assert b["targets"] == [{"target": name, "uid": "0", "gid": "0", "mode": "0400"}] and b["enforce"] is False
    assert "error" in by_name[name + "x"] and "lease_id" not in by_name[name + "x"]
    assert "does not allow" in by_name[name + "y"]["error"]
    assert m.binding(name)["lease_id"] == b["lease_id"]


def test_many_bindings_come_in_one_plan(c, m, name, role, path):
    for i in range(40):
        bind(c, f"{name}-{i}", role, path)
    m.lead()
    got = {b["name"] for b in m.plan()["bindings"]}
    assert got == {f"{name}-{i}" for i in range(40)}
    for i in range(40):
        assert c.delete(f"sys/swarm/bindings/{name}-{i}").status == 204


def test_the_leader_fetches_and_no_other(server, c, m, name, role, path):
    other = manager(server, f"o-{name}", role, m.cluster)
    bind(c, name, role, path)
    bind(c, name + "2", role, path)
    m.lead()
    v = m.value(name)
    assert v["data"] == {"password": "one", "user": "u"} and v["version"] == 1
    assert len(v["fp"]) == 16 and int(v["fp"], 16) >= 0
    assert m.value(name)["fp"] == v["fp"] != m.value(name + "2")["fp"]
    lease = m.binding(name)["lease_id"]
    assert "does not lead" in other.host.fetch(lease)[0]["error"]
    c.post(f"secret/data/app/{name}", {"data": {"password": "two", "user": "u"}})
    assert m.binding(name)["version"] == 2 and m.value(name)["fp"] != v["fp"]
    # nor has it any other right to the lease
    assert "no such lease" in m.host.c.post("sys/agent/renew", {"leases": [lease]}).data["leases"][0]["error"]
    m.host.c.post("sys/agent/release", {"rev": 1 << 40, "leases": [lease]})
    m.host.ack(lease, 2)
    assert where(c, path, "swarm:" + name)["version"] == 0
    c.post("sys/hosts/roles/" + role, {"paths": ["secret/none/*"]})
    assert "does not allow" in m.host.fetch(lease)[0]["error"]


def test_the_leader_hears_of_changes(server, c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    rev = m.plan()["rev"]
    w = m.host.watcher()

    def hears(change):
        nonlocal rev
        t = threading.Timer(0.2, change)
        t.start()
        r = w.get(f"sys/agent/watch?since={rev}&wait=30")
        t.join()
        rev = r.data["rev"]
        return [e["op"] for e in r.data["events"]]
    assert hears(lambda: c.post(f"secret/data/app/{name}", {"data": {"password": "two"}})) == ["swarm"]
    assert hears(lambda: bind(c, name, role, path, soak="1s")) == ["swarm"]
    assert hears(lambda: c.post(f"sys/swarm/bindings/{name}/apply")) == ["swarm"]
    assert m.binding(name)["apply"] > 0 and m.binding(name)["gc"] == 0
    assert hears(lambda: c.post(f"sys/swarm/bindings/{name}/gc")) == ["swarm"]
    assert hears(lambda: c.post("sys/hosts/roles/" + role, {"paths": ["secret/app/*", "secret/b/*"]})) == ["swarm"]
    assert hears(lambda: c.delete("sys/swarm/bindings/" + name)) == ["swarm"]


# ---- what is kept of services ----

def test_rows_replace_each_other_and_go(c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    m.plan()
    assert m.state(service(name, 1, "planned", 1), service(name, 2, "planned", 1))["stored"]
    assert m.state(service(name, 1, "rolled-back", 1, reason="exit 1"))["stored"]
    d = c.get(f"sys/swarm/bindings/{name}/status").data["clusters"][0]
    got = {s["name"]: (s["state"], s["reason"], s["version"]) for s in d["services"]}
    assert got == {"svc_1": ("rolled-back", "exit 1", 1), "svc_2": ("planned", "", 1)} and d["cluster"] == m.cluster
    m.state(service(name, 1, "gone", 1))
    assert [r["service"] for r in m.plan()["states"]] == ["s2"]
    assert m.state(service("none-such", 1, "done", 1))["stored"]


@pytest.mark.parametrize("change", [
    {"state": "x"}, {"service": ""}, {"service": "x" * 129}, {"name": "a\nb"}, {"reason": "x" * 257}, {"version": -1}, {"version": "x"},
    {"index": -1}, {"binding": ""}])
def test_a_bad_row_refuses_all(c, m, name, role, path, change):
    bind(c, name, role, path)
    m.lead()
    r = m.host.c.post("sys/agent/swarm/state", {"cluster": m.cluster, "epoch": m.epoch, "rows": [
        service(name, 1, "planned", 1), {**service(name, 2, "planned", 1), **change}]})
    assert r.status == 400
    assert m.plan()["states"] == []


def test_what_is_said_is_the_hosts_word(server, c, m, name, role, path):
    other = manager(server, f"o-{name}", role, m.cluster)
    bind(c, name, role, path)
    m.lead()
    body = {"cluster": m.cluster, "epoch": m.epoch, "rows": [service(name, 1, "done", 1)]}
    statement = hostwire._b64(other.host.says("swarm-state", body))
    assert m.host.c.client.post("sys/agent/swarm/state", {"statement": statement}).status == 400
    statement = hostwire._b64(m.host.says("report", body))
    assert m.host.c.client.post("sys/agent/swarm/state", {"statement": statement}).status == 400
    assert m.plan()["states"] == []


# ---- what follows from that ----

def test_applied_when_all_services_are_done(c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    m.value(name)
    m.state(service(name, 1, "observe", 1), service(name, 2, "gate", 1), looks=[looked(name, 1, 2)])
    w = where(c, path, "swarm:" + name)
    assert (w["state"], w["version"]) == ("delivered", 0) and w["cluster"] == m.cluster and w["binding"] == name
    assert [(s["name"], s["state"]) for s in w["services"]] == [("svc_1", "observe"), ("svc_2", "gate")]
    m.state(service(name, 1, "done", 1, good=1))
    assert where(c, path, "swarm:" + name)["state"] == "delivered"
    m.state(service(name, 2, "done", 1, good=1))
    assert (where(c, path, "swarm:" + name)["state"], where(c, path, "swarm:" + name)["version"]) == ("applied", 1)


def test_services_that_need_not_have_it(c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    m.plan()
    m.state(service(name, 1, "skipped", 1), looks=[looked(name, 1, 2)])
    assert where(c, path, "swarm:" + name)["version"] == 0
    m.state(service(name, 2, "superseded", 1))
    assert where(c, path, "swarm:" + name)["version"] == 1


def test_a_service_that_was_removed_is_not_waited_for(c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    m.value(name)
    m.state(service(name, 1, "done", 1, good=1), service(name, 2, "done", 1, good=1), looks=[looked(name, 1, 2)])
    c.post(f"secret/data/app/{name}", {"data": {"password": "two"}})
    m.value(name)
    m.state(service(name, 1, "planned", 2, good=1), looks=[looked(name, 2, 1)])
    assert where(c, path, "swarm:" + name)["version"] == 1
    m.state(service(name, 1, "done", 2, good=2))
    assert where(c, path, "swarm:" + name)["version"] == 2


def test_no_service_is_there(c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    m.plan()
    m.state(looks=[looked(name, 1, 0)])
    assert where(c, path, "swarm:" + name)["state"] == "applied"


def test_a_value_that_nobody_fetched_is_nowhere(c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    m.plan()
    m.state(service(name, 1, "done", 1), looks=[looked(name, 1, 1)])
    assert where(c, path, "swarm:" + name)["version"] == 0
    m.state(looks=[looked(name, 9, 0)])
    assert where(c, path, "swarm:" + name)["version"] == 0


def rotate(c, path, **more):
    """Begin a rotation; its attempt's id."""
    r = c.post("sys/rotation/rotate/" + path, {"wait": False, **more})
    assert r.status == 200, r
    return r.data


def test_a_rotation_waits_for_the_services_whoever_leads(server, c, m, name, role, path):
    other = manager(server, f"o-{name}", role, m.cluster)
    bind(c, name, role, path)
    m.lead()
    m.value(name)
    m.state(service(name, 1, "done", 1, good=1), looks=[looked(name, 1, 1)])
    assert c.post("sys/rotation/config/" + path, {"field": "password"}).status in (200, 204)
    attempt = "sys/rotation/attempts/" + rotate(c, path)["attempt_id"]
    assert m.value(name)["version"] == 2
    m.state(service(name, 1, "apply", 2, good=1), looks=[looked(name, 2, 1)])
    m.lead(resign=True)
    other.lead()
    assert other.plan()["states"][0]["version"] == 2 and other.value(name)["version"] == 2
    report = c.get(attempt).data
    assert report["state"] == "published" and [h["host"] for h in report["holders"]] == ["swarm:" + name]
    other.state(service(name, 1, "done", 2, good=2))
    assert c.get(attempt).data["state"] == "converged"


def test_a_rotation_hears_that_services_do_not_live_with_it(c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    m.value(name)
    m.state(service(name, 1, "done", 1, good=1), looks=[looked(name, 1, 1)])
    assert c.post("sys/rotation/config/" + path, {"field": "password", "timeout": "10m"}).status in (200, 204)
    attempt = "sys/rotation/attempts/" + rotate(c, path)["attempt_id"]
    m.value(name)
    m.state(service(name, 1, "rolled-back", 2, good=1, reason="task: non-zero exit (1)"), looks=[looked(name, 2, 1)])
    w = where(c, path, "swarm:" + name)
    assert (w["state"], w["version"], w["detail"]) == ("rejected", 1, "svc_1: task: non-zero exit (1)")
    report = c.get(attempt).data
    assert report["state"] == "late" and report["holders"][0]["state"] == "rejected", report


def test_what_is_deleted_is_not_waited_for(c, m, name, role, path):
    bind(c, name, role, path)
    bind(c, name + "2", role, path)
    m.lead()
    m.plan()
    assert {h["host"] for h in c.get("sys/hosts/where/" + path).data["hosts"]} == {"swarm:" + name, f"swarm:{name}2"}
    assert c.delete(f"sys/swarm/bindings/{name}2").status == 204
    assert {h["host"] for h in c.get("sys/hosts/where/" + path).data["hosts"]} == {"swarm:" + name}
    assert c.delete("sys/swarm/clusters/" + m.cluster).status == 204
    assert c.get("sys/hosts/where/" + path).data["hosts"] == []
    assert c.get("sys/swarm/clusters/" + m.cluster).status == 404
    old = m.epoch
    assert m.state(service(name, 1, "done", 1))["stored"] is False
    assert m.lead()["leader"] and m.epoch > old


def test_another_path_is_another_lease(c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    first = m.binding(name)["lease_id"]
    c.post(f"secret/data/app/{name}-b", {"data": {"password": "b"}})
    bind(c, name, role, path + "-b")
    b = m.binding(name)
    assert b["lease_id"] != first and m.value(name)["data"] == {"password": "b"}
    assert c.get("sys/hosts/where/" + path).data["hosts"] == []


def test_another_path_begins_anew(c, m, name, role, path):
    """What services had of another secret says nothing of this one, whatever their versions are."""
    for password in ("two", "three"):
        c.post(f"secret/data/app/{name}", {"data": {"password": password}})
    bind(c, name, role, path)
    m.lead()
    m.value(name)
    m.state(service(name, 1, "done", 3, good=3), looks=[looked(name, 3, 1)])
    assert where(c, path, "swarm:" + name)["version"] == 3
    c.post(f"secret/data/app/{name}-b", {"data": {"password": "b"}})
    bind(c, name, role, path + "-b")
    assert m.plan()["states"] == []
    m.value(name)
    m.state(looks=[looked(name, 1, 1)])
    assert where(c, path + "-b", "swarm:" + name)["version"] == 0
    m.state(service(name, 1, "done", 1, good=1))
    assert where(c, path + "-b", "swarm:" + name)["version"] == 1


def test_as_many_services_as_there_may_be(c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    for state in ("planned", "gate"):
        rows = [service(name, n, state, 1, reason="x" * 256) for n in range(256)]
        assert m.state(*rows)["stored"]
    assert {r["state"] for r in m.plan()["states"]} == {"gate"} and len(m.plan()["states"]) == 256


def test_records(server, c, m, name, role, path):
    bind(c, name, role, path)
    m.lead()
    m.value(name)
    m.state(service(name, 1, "apply", 1))
    m.state(service(name, 1, "done", 1), epoch=m.epoch - 1)
    found = c.get("sys/audit-log/records?limit=100").data["records"]
    mine = [r for r in found if r.get("path", "").startswith("sys/agent/swarm/") and "m-" + name in r["actor"]]
    assert {r["path"] for r in mine} == {"sys/agent/swarm/" + x for x in ("lead", "plan", "state")}
    notes = [r["note"] for r in mine if r["path"].endswith("state")]
    assert sorted((n["stored"], n["rows"][0]) for n in notes) == [(False, f"{name}/s1@1 done"), (True, f"{name}/s1@1 apply")]


def test_from_the_command_line(server, c, m, name, role, path):
    server.ctl("swarm", "bind", name, "--path", path, "--field", "password", "--role", role, "--service", "a,b", "--uid", "7", "soak=2m")
    d = c.get("sys/swarm/bindings/" + name).data
    assert d["services"] == ["a", "b"] and d["soak"] == "2m0s" and d["targets"] == [
        {"target": name, "uid": "7", "gid": "0", "mode": "0400"}]
    assert server.ctl("swarm", "bind", name, "--uid", "7", 'targets=[{"target":"x"}]', check=False).returncode != 0
    m.lead()
    m.plan()
    m.state(service(name, 1, "rolled-back", 1, reason="exit 1"))
    assert m.cluster in server.ctl("swarm", "status", fmt="table").stdout
    assert "exit 1" in server.ctl("swarm", "status", name, fmt="table").stdout
    assert "svc_1" in server.ctl("where", path, fmt="table").stdout
    server.ctl("swarm", "apply", name)
    server.ctl("swarm", "gc", name)
    b = m.binding(name)
    assert 0 < b["apply"] < b["gc"]
    assert name in server.ctl("swarm", "list", fmt="table").stdout and path in server.ctl("swarm", "show", name, fmt="table").stdout
    server.ctl("swarm", "forget", m.cluster, "--yes")
    server.ctl("swarm", "delete", name, "--yes")
    assert c.get("sys/swarm/bindings/" + name).status == 404


def test_a_restart_in_the_middle(tmp_path):
    server = vaultd.Server(tmp_path)
    try:
        server.start()
        server.init()
        c = server.client()
        c.post("sys/mounts/secret", {"type": "kv", "options": {"version": "2"}})
        assert c.post("sys/hosts/roles/web", {"paths": ["secret/app/*"]}).status == 204
        assert c.post("secret/data/app/x", {"data": {"password": "one"}}).status == 200
        m = manager(server, "m1", "web", "c1")
        bind(c, "x", "web", "secret/app/x")
        m.lead()
        before = m.value("x")
        m.state(service("x", 1, "soak", 1), looks=[looked("x", 1, 1)])
        server.kill_role("core")
        server.wait_sealed()
        server.unseal()
        m.host.c.close()
        m.host.c.client = server.client(token=m.host.token)
        plan = m.plan()
        assert plan["leader"] and [(r["state"], r["version"]) for r in plan["states"]] == [("soak", 1)]
        assert m.value("x")["fp"] == before["fp"]
        assert m.state(service("x", 1, "done", 1, good=1))["stored"]
        assert where(server.client(), "secret/app/x", "swarm:x")["state"] == "applied"
    finally:
        server.stop()
