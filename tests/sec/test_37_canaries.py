# SPDX-License-Identifier: Apache-2.0
"""37: what is secret is in no file, log or process table; each way in has a canary of its own."""
import base64
import contextlib
import os
import re
import secrets
import signal
import subprocess

import pytest

import vaultd
from seclib import head, policy, raw


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


FORM = {"Content-Type": "application/x-www-form-urlencoded"}
PATCH = {"Content-Type": "application/merge-patch+json"}


def ok(r):
    assert r.status in (200, 204), r
    return r


def send_odd_bodies(s, c, canary):
    """Values that come by other ways than a JSON body, and in bodies that are turned down."""
    c.post("secret/data/canary/form", raw=("k=" + canary("form body")).encode(), headers=FORM)
    c.post("auth/token/lookup", raw=("token=" + canary("token in a form")).encode(), headers=FORM)
    c.get("secret/data/canary/a?version=" + canary("query"))
    c.get("secret/data/canary/a?" + canary("name in a query") + "=1")
    c.delete("secret/data/canary/none?versions=" + canary("query of a DELETE"))
    c.get("sys/audit-log/records?from=" + canary("query of numbers"))
    for body in ('{"data": {"k": "%s"}', '{"data": "%s"}', '{"options": {"cas": "%s"}, "data": {}}'):
        assert c.request("PATCH", "secret/data/canary/a", raw=(body % canary("PATCH " + body)).encode(), headers=PATCH).status == 400
    assert c.request("PATCH", "secret/data/canary/a", {"data": {"k": canary("PATCH of another type")}}).status in (400, 415)
    ok(c.request("PATCH", "secret/metadata/canary/a", {"custom_metadata": {"p": canary("PATCH of metadata")}}, headers=PATCH))
    assert c.post("secret/data/canary/a", {"data": {"k": canary("wrong cas")}, "options": {"cas": 77}}).status == 400
    assert c.post("secret/data/canary/x", {"data": {"k": canary("no permission")}}, token=canary("with it")).status == 403


def enter_passwords(s, c, canary):
    ok(c.post("sys/auth/userpass", {"type": "userpass"}))
    ok(c.post("auth/userpass/users/ann", {"password": canary("password")}))
    login = {"password": canary.made["password"].decode()}
    canary.keep("token of a password", ok(c.post("auth/userpass/login/ann", login, token=None)).json["auth"]["client_token"])
    ok(c.post("auth/userpass/users/ann/password", {"password": canary("next password")}))
    for who in ("ann", "nobody"):
        assert c.post(f"auth/userpass/login/{who}", {"password": canary("wrong password of " + who)}, token=None).status == 400
    assert c.post("auth/userpass/login/ann", raw=('{"password": "%s"' % canary("password in broken JSON")).encode()).status == 400
    c.post("auth/userpass/login/ann?password=" + canary("password in a query"), token=None)
    c.post("auth/userpass/login/" + canary("password as a name"), {"password": "x"}, token=None)
    c.post("auth/userpass/users/bob", {"password_hash": canary("no hash")})


def use_approle(s, c, canary):
    ok(c.post("sys/auth/approle", {"type": "approle"}))
    ok(c.post("auth/approle/role/r", {"token_policies": ["default"]}))
    role_id = ok(c.get("auth/approle/role/r/role-id")).data["role_id"]
    made = ok(c.post("auth/approle/role/r/secret-id", {"metadata": '{"m": "%s"}' % canary("metadata of a secret id")})).data
    canary.keep("secret id", made["secret_id"])
    ok(c.post("auth/approle/role/r/custom-secret-id", {"secret_id": canary("secret id of one's own")}))
    for what in ("secret id", "secret id of one's own"):
        login = {"role_id": role_id, "secret_id": canary.made[what].decode()}
        canary.keep("token by " + what, ok(c.post("auth/approle/login", login, token=None)).json["auth"]["client_token"])
    for body in ({"role_id": role_id, "secret_id": canary("wrong secret id")}, {"role_id": canary("wrong role id"), "secret_id": "x"}):
        assert c.post("auth/approle/login", body, token=None).status == 400
    ok(c.post("auth/approle/role/r/secret-id/lookup", {"secret_id": canary.made["secret id"].decode()}))
    ok(c.post("auth/approle/role/r/secret-id/destroy", {"secret_id": canary.made["secret id"].decode()}))
    c.post("auth/approle/role/r/secret-id/lookup", {"secret_id": canary("secret id that is none")})


def use_wrapping(s, c, canary):
    wrapped = ok(c.get("secret/data/canary/a", headers={"X-Vault-Wrap-TTL": "60"})).json["wrap_info"]["token"]
    canary.keep("wrapping token that waits", wrapped)
    for what in ("unwrapped", "rewrapped"):
        mine = ok(c.post("sys/wrapping/wrap", {"k": canary("wrapped value, " + what)}, headers={"X-Vault-Wrap-TTL": "60"}))
        canary.keep("wrapping token, " + what, mine.json["wrap_info"]["token"])
    r = ok(c.post("sys/wrapping/unwrap", token=canary.made["wrapping token, unwrapped"].decode()))
    assert r.data["k"] == canary.made["wrapped value, unwrapped"].decode()
    r = ok(c.post("sys/wrapping/rewrap", {"token": canary.made["wrapping token, rewrapped"].decode()}))
    canary.keep("second wrapping token", r.json["wrap_info"]["token"])
    assert c.post("sys/wrapping/unwrap", {"token": canary("no wrapping token")}).status == 400
    c.post("sys/wrapping/lookup", {"token": canary("no wrapping token to look up")})


def use_batch_tokens(s, c, canary):
    batch = ok(c.post("auth/token/create", {"type": "batch", "policies": ["canary"], "meta": {"m": canary("meta of a batch token")}}))
    canary.keep("batch token", batch.json["auth"]["client_token"])
    mine = canary.made["batch token"].decode()
    assert c.get("secret/data/canary/a", token=mine).status == 200
    assert c.get("secret/data/other", token=mine).status == 403
    c.post("auth/token/lookup", {"token": mine})
    c.post("auth/token/revoke", {"token": mine})


def rekey(s, c, canary):
    """The old shares and the new ones, and a root token that a quorum makes."""
    nonce = ok(c.post("sys/rekey/init", {"secret_shares": 2, "secret_threshold": 2})).json["nonce"]
    c.post("sys/rekey/update", {"key": canary("as a share to rekey"), "nonce": nonce})
    made = ok(c.post("sys/rekey/update", {"key": s.shares[0], "nonce": nonce})).json
    for i, share in enumerate(made["keys"]):
        canary.keep(f"share {i} of the rekey", share)
        canary.keep(f"share {i} of the rekey, in base64", made["keys_base64"][i])
    s.shares, s.threshold = made["keys_base64"], 2
    attempt = ok(c.post("sys/generate-root/attempt", {})).json
    canary.keep("one-time pad", attempt["otp"])
    c.post("sys/generate-root/update", {"key": canary("as a share for a root token"), "nonce": attempt["nonce"]})
    for share in s.shares:
        r = ok(c.post("sys/generate-root/update", {"key": share, "nonce": attempt["nonce"]}))
    encoded = r.json["encoded_token"]
    raw_token = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    canary.keep("encoded root token", encoded)
    canary.keep("generated root token", bytes(x ^ y for x, y in zip(raw_token, attempt["otp"].encode())).decode())


def park_and_hang_up(s, canary):
    """A body whose sender is gone while it waits: for the rest of it, for a password's hash."""
    body = ('{"data": {"k": "%s"}}' % canary("half a body")).encode()
    head_ = head(s, "POST", "/v1/secret/data/canary/half", f"Content-Length: {len(body) + 9}")
    body2 = ('{"password": "%s"}' % canary("password of who hung up")).encode()
    head2 = head(s, "POST", "/v1/auth/userpass/login/ann", f"Content-Length: {len(body2)}", token=False)
    for data in (head_ + body, head2 + body2):
        with contextlib.closing(vaultd.connect(s.port, s.tls)) as sock:
            sock.sendall(data)


def use_other_engines(s, c, canary):
    ok(c.post("cubbyhole/c", {"k": canary("cubbyhole")}))
    assert ok(c.get("cubbyhole/c")).data["k"] == canary.made["cubbyhole"].decode()
    ok(c.post("cubbyhole/" + canary("path of a cubbyhole"), {"k": "v"}))
    ok(c.post("sys/mounts/v1", {"type": "kv", "options": {"version": "1"}}))
    ok(c.post("v1/a", {"k": canary("version 1"), canary("field name of version 1"): 1}))
    assert ok(c.get("v1/a")).data["k"] == canary.made["version 1"].decode()
    ok(c.post("v1/gone", {"k": canary("version 1, deleted")}))
    ok(c.delete("v1/gone"))
    c.post("v1/bad", raw=('{"k": "%s"' % canary("version 1, broken")).encode())


WAYS = (send_odd_bodies, enter_passwords, use_approle, use_wrapping, use_other_engines, use_batch_tokens, rekey)


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


def wrap_things(c, canary):
    h = {"X-Vault-Wrap-TTL": "60"}
    kept = c.post("sys/wrapping/wrap", {canary("wrapped name"): canary("wrapped")}, headers=h).json["wrap_info"]["token"]
    canary.keep("wrapping token", kept)
    used = c.get("secret/data/canary/a", headers=h).json["wrap_info"]["token"]
    canary.keep("used wrapping token", used)
    assert c.post("sys/wrapping/unwrap", {"token": used}).status == 200
    assert c.post("sys/wrapping/unwrap", {"token": used}).status == 400
    login = c.post("auth/token/create", {"policies": ["canary"]}, headers=h).json["wrap_info"]["token"]
    inner = c.post("sys/wrapping/unwrap", token=login).json["auth"]["client_token"]
    canary.keep("token that was wrapped", inner)
    canary.keep("rewrapped", c.post("sys/wrapping/rewrap", token=kept).json["wrap_info"]["token"])


@pytest.fixture
def swept(own_server, make_agent):
    s, canary = own_server, Canaries()
    c = s.client()
    canary.keep("root token", s.root)
    for i, share in enumerate(s.shares):
        canary.keep(f"share {i}", share)
    send_requests(s, c, canary)
    make_tokens(c, canary)
    for way in WAYS:
        way(s, c, canary)
    park_and_hang_up(s, canary)
    wrap_things(c, canary)
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


def test_an_agent_that_crashes_leaves_no_value_behind(own_server, make_agent):
    """Nor what it starts: no core file, whatever the system's settings, and no stranger reads its memory."""
    s, canary = own_server, Canaries()
    s.put("canary/a", {"text": canary("text")})
    a = make_agent(s, "h37", [{"path": "secret/canary/a", "field": "text", "binding": "b", "name": "text"}])
    a.extra = {"bindings": '[{name: b, reload: exec, command: ["/bin/true"], settle: 0s}]'}
    a.join(s.add_host("h37", ["secret/canary/*"])["join_token"])
    a.start()
    a.wait_content("b", "text", canary.made["text"].decode())
    children = open(f"/proc/{a.proc.pid}/task/{a.proc.pid}/children").read().split()
    assert children, "commands are run by another process"
    for pid in (a.proc.pid, *map(int, children)):
        with open(f"/proc/{pid}/limits") as f:
            assert re.search(r"Max core file size\s+0\s+0\s", f.read())
        assert os.stat(f"/proc/{pid}/mem").st_uid == 0, "it is not dumpable: its memory is root's"
        for name in ("environ", "cmdline"):
            with open(f"/proc/{pid}/{name}", "rb") as f:
                assert not list(canary.hits(f.read()))
    a.proc.send_signal(signal.SIGABRT)
    assert a.proc.wait(30) == -signal.SIGABRT
    found = [p for p in a.tmp.rglob("*") if p.is_file() and not p.is_relative_to(a.run_dir)]
    assert not [p for p in found if p.name.startswith("core") or list(canary.hits(p.read_bytes()))]
