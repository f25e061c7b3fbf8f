# SPDX-License-Identifier: Apache-2.0
"""Files of a running agent that templates make: what consul-template makes of the same templates and secrets."""
import json
import pathlib
import re

import pytest

from vaultd import wait_for

FIXTURES = pathlib.Path(__file__).resolve().parents[1] / "fixtures" / "template"
# Those that show neither times nor the agent's environment.
NAMES = ["all-keys", "base64", "comparisons", "env-file", "json-all", "json-config", "kv1", "listing", "listing-read",
         "maps", "math", "nginx-conf", "parse-json", "parse-yaml", "pem", "pipelines", "print", "printf", "recursion",
         "split-join", "templates", "variables", "yaml-all"]


def template(name):
    return (FIXTURES / "equal" / f"{name}.tmpl").read_text()


def wanted(name):
    return (FIXTURES / "equal" / f"{name}.out").read_text()


def fill(s):
    """The secrets that the fixtures were recorded with; numbers keep their digits."""
    text = (FIXTURES / "data.json").read_text()
    data = json.loads(text, parse_int=lambda n: "#" + n, parse_float=lambda n: "#" + n)
    for path, members in data["kv2"].items():
        body = re.sub(r'"#(-?[\d.]+)"', r"\1", json.dumps({"data": members}))
        assert s.client().request("POST", f"secret/data/{path}", raw=body.encode()).status == 200, path
    assert s.client().post("sys/mounts/kv1", {"type": "kv", "options": {"version": "1"}}).status == 204
    for path, members in data["kv1"].items():
        body = re.sub(r'"#(-?[\d.]+)"', r"\1", json.dumps(members))
        assert s.client().request("POST", f"kv1/{path}", raw=body.encode()).status == 204, path


def start(s, make_agent, files, kv1=False):
    a = make_agent(s, "web1", files)
    a.join(s.add_host("web1", ["secret/*", "kv1/*"] if kv1 else ["secret/*"])["join_token"])
    a.start()
    return a


def test_templates_become_what_consul_template_makes_of_them(own_server, make_agent):
    fill(own_server)
    a = start(own_server, make_agent,
              [{"binding": "t", "name": name, "template_text": template(name)} for name in NAMES], kv1=True)
    for name in NAMES:
        a.wait_content("t", name, wanted(name))


@pytest.fixture
def users(own_server, make_agent):
    s = own_server
    s.put("users/alice", {"role": "admin"})
    s.put("users/bob", {"role": "reader"})
    s.put("app/db", {"password": "CANARY-1"})
    text = ("{{ range secrets \"secret/metadata/users\" }}{{ $u := . }}"
            "{{ with secret (print \"secret/data/users/\" .) }}{{ $u }}={{ .Data.data.role }};{{ end }}{{ end }}")
    a = start(s, make_agent, [{"binding": "t", "name": "users", "template_text": text},
                              {"binding": "t", "name": "db", "template_text":
                               "{{ with secret \"secret/data/app/db\" }}{{ .Data.data.password | split \"-\" | join \"+\" }}"
                               " v{{ .Data.metadata.version }}{{ end }}"}])
    a.wait_content("t", "users", "alice=admin;bob=reader;")
    a.wait_content("t", "db", "CANARY+1 v1")
    return s, a


def test_a_template_follows_its_secrets_and_its_listing(users):
    s, a = users
    s.put("users/bob", {"role": "writer"})
    a.wait_content("t", "users", "alice=admin;bob=writer;")
    s.put("users/carol", {"role": "reader"})
    a.wait_content("t", "users", "alice=admin;bob=writer;carol=reader;")
    s.put("app/db", {"password": "x-y-z"})
    a.wait_content("t", "db", "x+y+z v2")


def test_a_value_that_a_template_cannot_take_leaves_its_file(users):
    s, a = users
    s.put("app/db", {"password": {"CANARY-2": "CANARY-3"}})
    wait_for("the rejection", lambda: "wrong type: expected string" in json.dumps(a.status()))
    assert a.content("t", "db") == "CANARY+1 v1"
    assert "t/db:1:" in json.dumps(a.status()), "the place"
    assert "CANARY" not in json.dumps(a.status()) + a.log()
    s.put("app/db", {"password": "a-b"})
    a.wait_content("t", "db", "a+b v3")


def test_what_is_not_supported_is_refused_at_load(own_server, make_agent):
    a = make_agent(own_server, "web1", [{"binding": "t", "name": "x", "template_text": "a\n {{ key \"service/x\" }}"}])
    a.join(own_server.add_host("web1", ["secret/*"])["join_token"])
    a.start()
    assert a.proc.wait(30) != 0
    assert 't/x:2:5: function \\"key\\" is not supported' in a.log() or \
        't/x:2:5: function "key" is not supported' in a.log(), a.log()
