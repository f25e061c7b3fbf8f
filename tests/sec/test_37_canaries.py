# SPDX-License-Identifier: Apache-2.0
"""37: what is secret is in no file, log or process table; each way in has a canary of its own."""
import base64
import os
import re
import secrets
import subprocess

import pytest

import vaultd
from seclib import policy, raw


class Canaries:
    """Unique texts; looked for as they are, and in hex and base64."""

    def __init__(self):
        self.made = {}

    def __call__(self, what):
        text = "Zq" + secrets.token_hex(12) + "qZ"
        self.made[what] = text.encode()
        return text

    def keep(self, what, text):
        self.made[what] = text.encode()
        return text

    def hits(self, data):
        for what, text in self.made.items():
            forms = [text, text.hex().encode(), text[::-1]]
            forms += [base64.b64encode(b"\0" * skip + text)[4:-4] for skip in range(3)]
            if any(f in data for f in forms):
                yield what


def memory_of_process_table(pids):
    for pid in pids:
        for name in ("cmdline", "environ", "comm"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as f:
                    yield f"{name} of {pid}", f.read()
            except OSError:
                continue


def files_below(*roots):
    for root in roots:
        for d, _, names in os.walk(root):
            for n in names:
                path = os.path.join(d, n)
                if os.path.isfile(path):
                    with open(path, "rb") as f:
                        yield path, f.read()


def send_requests(s, c, canary):
    number = 10 ** 17 + secrets.randbelow(10 ** 17)
    canary.keep("number", str(number))
    s.put("canary/a", {"text": canary("string"), "list": [canary("in a list"), {"deep": canary("deep")}], "n": number,
                       canary("field name"): True})
    s.put("canary/b", {"bytes": base64.b64encode(os.urandom(4) + canary("bytes").encode()).decode()})
    assert c.post("secret/metadata/canary/a", {"custom_metadata": {"m": canary("metadata")}}).status == 204
    assert c.request("PATCH", "secret/data/canary/a", {"data": {"patched": canary("patched")}},
                     headers={"Content-Type": "application/merge-patch+json"}).status == 200
    s.put("canary/" + canary("path"), {"k": "v"})
    assert c.get("secret/data/canary/a").status == 200
    for body in ('{"data": {"a": "%s"', '{"data": {"a": "%s\x01"}}', '{"data": "%s"}', '{"data": {}, "%s": 1} x', '["%s"]',
                 '%s', '{"data":{"a":"%s\\ud800"}}', '{"data":{"a":1,"a":"%s"}}'):
        assert c.post("secret/data/canary/bad", raw=(body % canary("broken JSON " + body)).encode()).status == 400
    for name in ("Cookie", "User-Agent", "X-Other", "Referer", "X-Vault-Namespace", "X-Vault-Wrap-TTL", "Content-Type"):
        c.get("secret/data/canary/a", headers={name: canary("header " + name)})
    for tok in (canary("wrong token"), "vlt_s_" + canary("malformed token")):
        assert c.get("secret/data/canary/a", token=tok).status == 403
    c.get("auth/token/lookup-self", token=None, headers={"Authorization": "Bearer " + canary("bearer")})
    c.get("auth/token/lookup?token=" + canary("token in a query"))
    c.post("auth/token/revoke", {"token": canary("token in a body")})
    c.post("sys/unseal", {"key": canary("as a share")})
    c.post("sys/capabilities-self", {"path": 5, "colour": canary("unknown value")})
    raw(s, "GET", "/v1/secret/data/x", "X-Vault-Token\0: " + canary("broken header"))
    raw(s, "GET", "/v1/secret/data/%00" + canary("broken path"))
    raw(s, "POST", "/v1/secret/data/x", "Content-Length: 2000024", body=canary("too large").encode() * 76924)


def make_tokens(c, canary):
    policy(c, "canary", 'path "secret/data/canary/a" { capabilities = ["read"] }')
    tok = c.post("auth/token/create", {"policies": ["canary"]}).json["auth"]["client_token"]
    canary.keep("token", tok)
    canary.keep("token that was revoked", c.post("auth/token/create", {}).json["auth"]["client_token"])
    assert c.post("auth/token/revoke", {"token": canary.made["token that was revoked"].decode()}).status == 204
    canary.keep("token of one's own", "own-" + canary("given id"))
    assert c.post("auth/token/create", {"id": canary.made["token of one's own"].decode()}).status == 200
    assert c.get("secret/data/canary/a", token=tok).status == 200
    assert c.get("secret/data/other", token=tok).status == 403


@pytest.fixture
def swept(own_server, make_agent):
    s, canary = own_server, Canaries()
    c = s.client()
    canary.keep("root token", s.root)
    for i, share in enumerate(s.shares):
        canary.keep(f"share {i}", share)
    send_requests(s, c, canary)
    make_tokens(c, canary)
    added = s.add_host("h37", ["secret/canary/*"])
    canary.keep("join token", added["join_token"])
    agent = make_agent(s, "h37", [{"path": "secret/canary/a", "field": "text", "binding": "b", "name": "text"}])
    agent.join(added["join_token"])
    agent.start()
    agent.wait_content("b", "text", canary.made["string"].decode())
    value = canary("through vaultctl")
    s.ctl("kv", "put", "secret/canary/c", "-", stdin='{"k": "%s"}' % value)
    s.ctl("kv", "put", "secret/canary/c", "k=" + canary("refused by vaultctl"), check=False)
    yield s, agent, canary
    agent.stop()


def test_no_canary_anywhere(swept, tmp_path):
    s, agent, canary = swept
    pids = [s.proc.pid, agent.proc.pid, *[p for role in s.roles().values() for p in role]]
    seen = {}

    def look(place, data):
        for what in canary.hits(data):
            seen.setdefault(what, []).append(place)

    for place, data in memory_of_process_table(pids):
        look(place, data)
    for path, data in files_below(s.data_dir, agent.state_dir):
        look(path, data)
    agent.stop()
    s.stop()
    files = list(files_below(tmp_path))
    names = {os.path.basename(p) for p, _ in files}
    assert {"vault.db", "vaultd.log", "agent.log"} <= names
    for path, data in files:
        look(path, data)
        look("the name of " + path, path.encode())
    assert seen == {}


def test_the_sweep_would_see_it(swept):
    """The value is on the tmpfs, where it belongs, and the sweep finds it there."""
    _, agent, canary = swept
    found = {what for _, data in files_below(agent.run_dir) for what in canary.hits(data)}
    assert found == {"string"}
    text = canary.made["string"]
    for data in (text, b"x" + base64.b64encode(b"1" + text), text.hex().encode()):
        assert list(canary.hits(data)) == ["string"]


def test_replies_do_not_echo(server, c):
    """Errors name a place in the input, never the input."""
    canary = Canaries()
    for body in ('{"a": "%s', '{"data": {"a": "%s\x02"}}', '%s', '{"data": 1, "data": "%s"}', '{"data": "%s"}'):
        r = c.post("secret/data/x", raw=(body % canary("body " + body)).encode())
        assert r.status == 400 and not list(canary.hits(r.raw)), r
    r = c.get("secret/data/x", token=canary("token"))
    assert r.status == 403 and not list(canary.hits(r.raw))
    r = c.post("sys/policies/acl/x", {"policy": 'path "%s" { nonsense' % canary("policy")})
    assert r.status == 400


def test_core_dumps_hold_nothing(server):
    """No role may leave a core file behind."""
    for pids in server.roles().values():
        for pid in pids:
            with open(f"/proc/{pid}/limits") as f:
                assert re.search(r"Max core file size\s+0\s+0\s", f.read())
    assert subprocess.run(["find", str(server.tmp), "-name", "core*"], capture_output=True, text=True).stdout == ""
    assert vaultd.BIN.is_dir()
