# SPDX-License-Identifier: Apache-2.0
"""Heads of the audit log that hosts have co-signed."""
import base64
import itertools
import json
import shutil

import pytest

import hostwire

serial = itertools.count()


@pytest.fixture
def name():
    return f"witness{next(serial)}"


@pytest.fixture
def host(server, name):
    return hostwire.joined(server, name, ["secret/app/*"])


def head(c):
    return c.get("sys/audit-log/checkpoint").data


def witnesses(c):
    r = c.get("sys/audit-log/witnesses")
    assert r.status == 200, r
    return {w["host"]: w for w in r.data["witnesses"]}


def size_of(note):
    return int(note.split("\n")[1])


def test_a_head_is_kept(c, host, name):
    assert name not in witnesses(c)
    note = head(c)["checkpoint"]
    assert host.cosign(note).status == 204
    w = witnesses(c)[name]
    assert (w["host_id"], w["size"], w["checkpoint"]) == (host.host_id.hex(), size_of(note), note)
    assert base64.b64decode(w["key"]) == host.sign_pk and w["time"]
    body = note.split("\n\n")[0].encode() + b"\n"
    assert hostwire.verify(base64.b64decode(w["signature"]), b"vault/cosign/v1\0" + body, host.sign_pk)


def test_the_largest_stays(c, host, name):
    old, new = head(c)["checkpoint"], head(c)["checkpoint"]
    assert size_of(new) > size_of(old)
    for note in (new, old):
        assert host.cosign(note).status == 204
    assert witnesses(c)[name]["checkpoint"] == new
    assert c.get("sys/hosts/" + name).data["alarms"] == []


def test_what_is_no_cosignature(c, server, host, name):
    note = head(c)["checkpoint"]
    other = hostwire.joined(server, name + "x", ["secret/app/*"])
    lines = note.split("\n")
    forged = "\n".join([lines[0], str(size_of(note) + 1), *lines[2:]])
    for why, data in {"another context": host.cosigned(note, b"vault/agent-statement/v1\0"), "another's": other.cosigned(note),
                      "not the log's": host.cosigned(forged), "not a note": {"checkpoint": "x", "signature": bytes(64)},
                      "no signature": {"checkpoint": note}, "short": {"checkpoint": note, "signature": bytes(63)},
                      "text": {"checkpoint": note, "signature": "x" * 64}, "too long": {"checkpoint": "x" * 5000, "signature": bytes(64)},
                      "nothing": {}}.items():
        assert host.c.post("sys/agent/cosign", data).status == 400, why
    assert server.client().post("sys/agent/cosign", {"statement": ""}).status == 403
    assert name not in witnesses(c)


def test_policy(c, server):
    c.post("sys/policies/acl/auditor", {"policy": 'path "sys/audit-log/witnesses" { capabilities = ["read"] }'})
    mine = server.client(c.post("auth/token/create", {"policies": ["auditor"]}).json["auth"]["client_token"])
    assert mine.get("sys/audit-log/witnesses").status == 200
    assert mine.get("sys/audit-log/checkpoint").status == 403


def verify(server, *args):
    key = server.client().get("sys/audit-log/checkpoint").data["public_key"]
    p = server.ctl("audit", "verify", "--key", key, *args, check=False)
    return p, json.loads(p.stdout) if p.stdout else None


def test_vaultctl(c, server, host, name, tmp_path):
    early = tmp_path / "early"
    server.ctl("audit", "export", early)
    assert host.cosign(head(c)["checkpoint"]).status == 204
    kept, answer = tmp_path / "witnesses", tmp_path / "answer"
    server.ctl("audit", "witnesses", kept)
    answer.write_text(server.ctl("audit", "witnesses").stdout)
    row = next(x for x in server.ctl("audit", "witnesses", fmt="table").stdout.splitlines() if x.startswith(name + " "))
    assert row.split()[1] == str(witnesses(c)[name]["size"])
    for f in (kept, answer):
        p, d = verify(server, "--witnesses", f)
        assert p.returncode == 0 and d["verified"] and d["end_proven"] and d["witnesses"] == len(witnesses(c))
    p, d = verify(server, "--export", early, "--witnesses", kept)
    assert p.returncode == 22 and d["fault"] == "cut" and f'host "{name}"' in d["text"]
    doc = json.loads(kept.read_text())
    doc["witnesses"][0]["signature"] = base64.b64encode(bytes(64)).decode()
    kept.write_text(json.dumps(doc))
    p, d = verify(server, "--witnesses", kept)
    assert p.returncode == 3 and doc["witnesses"][0]["host"] in p.stderr
    p, _ = verify(server, "--witnesses", tmp_path / "none")
    assert p.returncode == 5


def test_a_log_that_was_cut_is_noticed(own_server, tmp_path):
    """The whole of an earlier moment is put back: a host has seen more than there is."""
    s = own_server
    host = hostwire.joined(s, "web-1", ["secret/app/*"])
    s.stop()
    shutil.copytree(s.data_dir, tmp_path / "early")
    s.start()
    s.unseal()
    generation, c = host.generation, s.client()
    for _ in range(50):
        c.get("secret/data/none")
    later = head(c)["checkpoint"]
    s.stop()
    shutil.rmtree(s.data_dir)
    shutil.copytree(tmp_path / "early", s.data_dir)
    s.start()
    s.unseal()
    host.c = hostwire.Believing(host, s.client(token=None))
    host.generation, c = generation, s.client()
    assert size_of(later) > head(c)["size"]
    assert host.login().status == 200 and host.cosign(later).status == 204
    assert [a["kind"] for a in c.get("sys/hosts/web-1").data["alarms"]] == ["the audit log is shorter than this host has seen"]
    kept = tmp_path / "witnesses"
    s.ctl("audit", "witnesses", kept)
    p, d = verify(s, "--witnesses", kept)
    assert p.returncode == 22 and d["fault"] == "cut" and 'host "web-1"' in d["text"], (p.stdout, p.stderr)
