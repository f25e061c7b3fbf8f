# SPDX-License-Identifier: Apache-2.0
"""sys/policies/password: what generated passwords look like."""
import base64
import collections

import pytest

LETTERS, DIGITS, OTHERS = "abcdefghijklmnopqrstuvwxyz", "0123456789", "-_!"
BASE = "sys/policies/password"
POLICY = f'''# for databases
length = 20
rule "charset" {{
  charset = "{LETTERS}"
  min-chars = 2
}}
rule "charset" {{
  charset = "{DIGITS}"
  min-chars = 1
}}
rule "charset" {{
  charset = "{OTHERS}"
  min-chars = 1
}}
'''


@pytest.fixture(scope="module", autouse=True)
def stored(server):
    assert server.client().post(BASE + "/db", {"policy": POLICY}).status == 204


def test_read_back_as_written(c):
    r = c.get(BASE + "/db")
    assert r.status == 200 and r.data == {"policy": POLICY}
    assert "policy" not in r.json
    assert c.get(BASE + "/DB").data == {"policy": POLICY}, "names are folded"
    assert "db" in c.list(BASE).data["keys"]
    assert c.get(BASE).status == 405


def test_passwords(c):
    made = [c.get(BASE + "/db/generate").data["password"] for _ in range(300)]
    assert len(set(made)) == 300
    for p in made:
        assert len(p) == 20 and set(p) <= set(LETTERS + DIGITS + OTHERS)
        kinds = collections.Counter("l" if x in LETTERS else "d" if x in DIGITS else "o" for x in p)
        assert kinds["l"] >= 2 and kinds["d"] >= 1 and kinds["o"] >= 1, p
    assert c.post(BASE + "/db/generate", {}).status == 405


@pytest.mark.parametrize("encode", [str, lambda s: base64.b64encode(s.encode()).decode(), lambda s: base64.encodebytes(s.encode()).decode()])
def test_forms_of_the_text(c, encode):
    assert c.request("PUT", BASE + "/forms", {"policy": encode(POLICY)}).status == 204
    assert c.get(BASE + "/forms").data == {"policy": POLICY}
    assert c.delete(BASE + "/forms").status == 204
    r = c.get(BASE + "/forms")
    assert (r.status, r.json) == (404, {"errors": ["policy does not exist"]})


def test_reading_is_not_generating(c):
    c.post("sys/policies/acl/reader", {"policy": f'path "{BASE}/db" {{ capabilities = ["read"] }}'})
    token = c.post("auth/token/create", {"policies": ["reader"]}).json["auth"]["client_token"]
    assert c.get(BASE + "/db", token=token).status == 200
    assert c.get(BASE + "/db/generate", token=token).status == 403
    assert c.post(BASE + "/db", {"policy": POLICY}, token=token).status == 403


def test_it_outlives_a_seal(own_server):
    c = own_server.client()
    assert c.post(BASE + "/p", {"policy": POLICY}).status == 204
    assert c.post("sys/seal").status == 204
    own_server.unseal()
    assert len(c.get(BASE + "/p/generate").data["password"]) == 20


def test_a_bad_one_leaves_the_old_one(c):
    for text in ("length = 20", POLICY.replace("20", "200"), POLICY + "}", POLICY.replace("min-chars", "min_chars")):
        r = c.post(BASE + "/db", {"policy": text})
        assert r.status == 400 and len(r.errors) == 1, text
    assert c.get(BASE + "/db").data == {"policy": POLICY}
