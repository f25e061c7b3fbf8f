# SPDX-License-Identifier: Apache-2.0
"""sys/metrics: JSON and Prometheus' text; numbers that add up."""
import re

import pytest

import vaultd

LINE = re.compile(r'^(vaultd_[a-z_]+)(?:\{([a-z]+="[^"\\]*"(?:,[a-z]+="[^"\\]*")*)\})? (-?\d+(?:\.\d+)?)$')


@pytest.fixture
def raw_client(server):
    c = server.client()
    yield c
    c.close()


def scrape(c, **kw):
    """The samples of the text form, by name and labels; its grammar is checked on the way."""
    r = c.request("GET", "sys/metrics?format=prometheus", **kw)
    assert r.status == 200 and r.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return parse(r.raw.decode())


def parse(text):
    assert text.endswith("\n")
    out, types, helped = {}, {}, set()
    for line in text.splitlines():
        if line.startswith("# HELP "):
            name = line.split()[2]
            assert name not in helped, "a family stands together"
            helped.add(name)
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types and kind in ("gauge", "counter", "histogram")
            types[name] = kind
        else:
            m = LINE.match(line)
            assert m, line
            family = re.sub("_(bucket|sum|count)$", "", m[1]) if m[1] not in types else m[1]
            assert family in types and family in helped, line
            assert types[family] != "counter" or m[1].endswith("_total"), line
            key = m[1] + ("{" + m[2] + "}" if m[2] else "")
            assert key not in out, key
            out[key] = float(m[3])
    return out


def requests(samples, operation, outcome):
    return samples[f'vaultd_requests_total{{operation="{operation}",outcome="{outcome}"}}']


def test_text(raw_client, c):
    scrape(raw_client)
    r = raw_client.get("sys/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0, */*;q=0.1"})
    assert r.headers["content-type"].startswith("text/plain;") and parse(r.raw.decode())
    r = c.get("sys/metrics", headers={"Accept": "text/html"})
    assert r.headers["content-type"] == "application/json"
    assert c.get("sys/mounts").headers["content-type"] == "application/json", "on the same connection"


def test_requests_are_counted(server, raw_client, c):
    before = scrape(raw_client)
    for _ in range(3):
        assert c.get("secret/data/none").status == 404
    assert c.get("secret/data/none", token="vlt_s_" + "0" * 49).status == 403
    server.put("m", {"k": 1})
    after = scrape(raw_client)
    assert requests(after, "read", "error") - requests(before, "read", "error") == 3
    assert requests(after, "read", "denied") - requests(before, "read", "denied") == 1
    assert requests(after, "create", "ok") + requests(after, "update", "ok") == \
        requests(before, "create", "ok") + requests(before, "update", "ok") + 1
    assert after["vaultd_audit_records"] - before["vaultd_audit_records"] == 6
    assert after["vaultd_batch_requests_total"] >= before["vaultd_batch_requests_total"] + 6
    assert after["vaultd_key_uses"] > before["vaultd_key_uses"]


def test_commits_and_memory(raw_client):
    s = scrape(raw_client)
    counts = [v for k, v in s.items() if k.startswith("vaultd_commit_seconds_bucket")]
    assert counts == sorted(counts) and counts[-1] == s["vaultd_commit_seconds_count"] > 3
    assert s['vaultd_commit_seconds_bucket{le="+Inf"}'] == counts[-1]
    # A sanitizer has an allocator of its own, which tells nothing.
    assert vaultd.SANITIZED or 100_000 < s["vaultd_memory_bytes"] < 2 ** 32
    assert s["vaultd_unsealed"] == 1 and s["vaultd_key_term"] == 1


def test_objects_are_counted(server, raw_client, c):
    def counted():
        s = scrape(raw_client)
        return s if 'vaultd_stored_objects{kind="secret"}' in s else None
    before = vaultd.wait_for("the count of all rows", counted)
    assert before['vaultd_stored_objects{kind="token"}'] >= 1
    for i in range(5):
        server.put(f"count/{i}", {"k": i})
    server.put("count/0", {"k": 9})
    token = c.post("auth/token/create", {"ttl": 60}).json["auth"]["client_token"]
    after = scrape(raw_client)
    assert after['vaultd_stored_objects{kind="secret"}'] - before['vaultd_stored_objects{kind="secret"}'] == 5
    assert after["vaultd_stored_payloads"] - before["vaultd_stored_payloads"] == 6
    assert after['vaultd_stored_objects{kind="token"}'] - before['vaultd_stored_objects{kind="token"}'] == 1
    assert c.post("auth/token/revoke", {"token": token}).status == 204
    assert scrape(raw_client)['vaultd_stored_objects{kind="token"}'] == before['vaultd_stored_objects{kind="token"}']


def test_net_reports(server, raw_client):
    before = scrape(raw_client)["vaultd_rejected_total"]
    clients = [server.client() for _ in range(5)]
    for x in clients:
        assert x.get("sys/health").status == 200
    vaultd.wait_for("the connections", lambda: scrape(raw_client)['vaultd_connections{listener="api"}'] >= 6)
    for x in clients:
        x.close()
    vaultd.wait_for("their end", lambda: scrape(raw_client)['vaultd_connections{listener="api"}'] < 6)
    assert server.client().request("BREW", "sys/health").status == 405
    vaultd.wait_for("the refusal", lambda: scrape(raw_client)["vaultd_rejected_total"] > before)


def test_json(c):
    r = c.get("sys/metrics")
    assert r.status == 200 and set(r.json) == {"Timestamp", "Gauges", "Points", "Counters", "Samples"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000 UTC", r.json["Timestamp"])
    gauges = {x["Name"]: x for x in r.json["Gauges"]}
    assert set(gauges["vaultd_uptime_seconds"]) == {"Name", "Value", "Labels"}
    reads = [x for x in r.json["Counters"] if x["Labels"] == {"operation": "read", "outcome": "ok"}]
    assert len(reads) == 1 and reads[0]["Count"] == reads[0]["Sum"] > 0
    assert {"Name", "Count", "Rate", "Sum", "Min", "Max", "Mean", "Stddev", "Labels"} == set(reads[0])


def test_needs_read(c):
    c.post("sys/policies/acl/prom", {"policy": 'path "sys/metrics" { capabilities = ["read"] }'})
    token = c.post("auth/token/create", {"policies": ["prom"]}).json["auth"]["client_token"]
    weak = c.post("auth/token/create", {"policies": ["default"]}).json["auth"]["client_token"]
    assert c.get("sys/metrics", token=token).status == 200
    assert c.get("sys/metrics", token=weak).status == 403
    assert c.get("sys/metrics", token=None).status == 403


def test_rotations_are_counted(server, c):
    def counted():
        text = c.get("sys/metrics?format=prometheus").raw.decode()
        return {k: int(float(v)) for k, v in (line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")}

    before = counted()
    server.put("metrics/rotated", {"password": "x"})
    assert c.post("sys/rotation/config/secret/metrics/rotated", {"every": "30d"}).status == 204
    assert c.post("sys/rotation/rotate/secret/metrics/rotated").status == 200
    after = counted()
    for state in ("claimed", "converged"):
        key = f'vaultd_rotations_total{{strategy="generate",state="{state}"}}'
        assert after[key] == before[key] + 1, key
    assert after["vaultd_rotation_seconds_count"] == before["vaultd_rotation_seconds_count"] + 1
    assert after['vaultd_rotation_seconds_bucket{le="+Inf"}'] == after["vaultd_rotation_seconds_count"]
    for condition, more in (("configured", 1), ("scheduled", 1), ("held", 0), ("due", 0), ("overdue", 0)):
        key = f'vaultd_rotation_rules{{condition="{condition}"}}'
        assert after[key] == before[key] + more, key
    names = {g["Name"] for g in c.get("sys/metrics").json["Gauges"]}
    assert {"vaultd_rotation_rules", "vaultd_rotation_oldest_overdue_seconds", "vaultd_rotation_missed_slots"} <= names
