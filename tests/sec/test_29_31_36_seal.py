# SPDX-License-Identifier: Apache-2.0
"""29, 31, 36: who may do what to the seal; bad shares; nothing is served while sealed."""
import base64
import os
import re

import pytest

import vaultd
from seclib import audit_size, elsewhere, records


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    s = vaultd.Server(tmp_path_factory.mktemp("five"))
    s.start()
    s.init(5, 3)
    s.put("app", {"k": "the-value"})
    yield s
    s.stop()


@pytest.fixture
def sealed(five):
    c = five.client(token=None)
    if not c.get("sys/seal-status").json["sealed"]:
        assert five.client().post("sys/seal").status == 204
    assert c.post("sys/unseal", {"reset": True}).json["progress"] == 0
    yield c
    c.close()


OPERATIONS = [("POST", "sys/seal"), ("PUT", "sys/seal"), ("POST", "sys/rekey/init"), ("PUT", "sys/rekey/update"),
              ("DELETE", "sys/rekey/init"), ("GET", "sys/rekey/init"), ("POST", "sys/generate-root/attempt"),
              ("DELETE", "sys/generate-root/attempt"), ("POST", "sys/generate-root/update"), ("POST", "sys/rotate"),
              ("POST", "sys/step-down"), ("DELETE", "sys/init"), ("DELETE", "sys/unseal"), ("POST", "sys/backup"),
              ("GET", "sys/backup/data"), ("POST", "sys/rekey-recovery-key/init"),
              ("PUT", "sys/rekey/verify"), ("DELETE", "sys/rekey/verify"), ("DELETE", "sys/rekey/backup"),
              ("POST", "sys/rotate/keyring"), ("POST", "sys/rotate/config")]


@pytest.mark.parametrize("method, path", OPERATIONS)
def test_29_nobody_may(server, c, method, path):
    since = audit_size(c)
    for token in (None, "vlt_s_" + "0" * 49):
        r = elsewhere(server, token).request(method, path)
        assert r.status in (401, 403, 404, 405), r
        assert r.errors or r.status in (404, 405)
    log = [r for r in records(c, since) if r["path"].startswith(path)]
    assert len(log) == 2 and all(r["outcome"] != "ok" for r in log), "one record each"
    assert c.get("sys/health", token=None).status == 200, "still open"


def test_29_init_and_unseal_change_nothing(server, c):
    since = audit_size(c)
    stranger = elsewhere(server)
    assert stranger.post("sys/init", {"secret_shares": 1, "secret_threshold": 1}).status == 400
    assert stranger.post("sys/unseal", {"reset": True}).status == 400
    log = [(r["path"], r["outcome"]) for r in records(c, since)]
    assert log.count(("sys/init", "error")) == 1 and log.count(("sys/unseal", "error")) == 1
    assert c.get("secret/data/none").status == 404


SLOTS = [("sys/rekey/init", {"secret_shares": 1, "secret_threshold": 1}), ("sys/generate-root/attempt", {})]


@pytest.mark.parametrize("path, body", SLOTS)
def test_30_a_slot_is_not_occupied_by_who_may_not(server, c, path, body):
    """Ten thousand starts of strangers and of a weak token; then an operator gets the slot at once."""
    c.post("sys/policies/acl/p30", {"policy": 'path "sys/*" { capabilities = ["update", "read", "delete"] }'})
    weak = c.post("auth/token/create", {"policies": ["p30"]}).json["auth"]["client_token"]
    stranger = server.client(token=None)
    for i in range(5000):
        assert stranger.post(path, body, token=None).status == 403
        assert stranger.post(path, body, token=weak).status == 403
    assert c.get(path).json["started"] is False
    r = c.post(path, body)
    assert r.status == 200 and r.json["started"] is True
    for token in (None, weak):
        assert stranger.delete(path, token=token).status == 403
        assert stranger.delete(f"{path}?nonce={r.json['nonce']}", token=token).status == 403
    assert c.get(path).json["nonce"] == r.json["nonce"]
    assert c.delete(path).status == 204


def test_31_shares_of_before_a_rekey(server, c):
    """Another epoch of the same vault."""
    old = server.shares[0]
    nonce = c.post("sys/rekey/init", {"secret_shares": 2, "secret_threshold": 2}).json["nonce"]
    made = c.post("sys/rekey/update", {"key": old, "nonce": nonce}).json
    assert made["complete"] is True
    nonce = c.post("sys/rekey/init", {"secret_shares": 1, "secret_threshold": 1}).json["nonce"]
    for share in (old, made["keys"][0][:64], made["keys"][0][:-2] + "03"):
        r = c.post("sys/rekey/update", {"key": share, "nonce": nonce})
        assert r.status == 400 and ("not counted" in r.errors[0] or "33 bytes" in r.errors[0]), r
        assert c.get("sys/rekey/init").json["progress"] == 0
    for share in made["keys"]:
        r = c.post("sys/rekey/update", {"key": share, "nonce": nonce})
    server.shares = r.json["keys_base64"]
    assert c.post("sys/seal").status == 204
    assert c.post("sys/unseal", {"key": old}, token=None).status == 400
    server.unseal()


def flip(share, at, bit=1):
    raw = bytearray(base64.b64decode(share))
    raw[at] ^= bit
    return base64.b64encode(bytes(raw)).decode()


def progress(c):
    return c.get("sys/seal-status").json["progress"]


def test_31_duplicate_share(five, sealed):
    assert sealed.post("sys/unseal", {"key": five.shares[0]}).json["progress"] == 1
    for _ in range(5):
        r = sealed.post("sys/unseal", {"key": five.shares[0]})
        assert r.status in (200, 400) and progress(sealed) == 1


def bad_shares(five, other):
    raw = base64.b64decode(five.shares[1])
    yield "index 0", base64.b64encode(raw[:-1] + b"\0").decode()
    for at in (0, 7, 16, 31):
        for bit in (1, 0x80):
            yield f"byte {at} flipped by {bit}", flip(five.shares[1], at, bit)
    yield "other index", base64.b64encode(raw[:-1] + bytes([raw[-1] ^ 0x55])).decode()
    yield "another vault's", other
    yield "random", base64.b64encode(os.urandom(33)).decode()
    yield "zeros", base64.b64encode(bytes(33)).decode()
    yield "too short", base64.b64encode(raw[:-1]).decode()
    yield "too long", base64.b64encode(raw + b"\0").decode()
    yield "no base64", "!" * 44
    yield "empty", ""


@pytest.fixture(scope="module")
def other_share(tmp_path_factory):
    s = vaultd.Server(tmp_path_factory.mktemp("other"))
    s.start()
    s.init(5, 3, unseal=False)
    s.stop()
    return s.shares[1]


def test_31_bad_shares(five, sealed, other_share):
    """None of them, in any place of the sequence, opens the vault or harms its shares."""
    for what, bad in bad_shares(five, other_share):
        for place in (0, 2):
            assert sealed.post("sys/unseal", {"reset": True}).status == 200
            for good in (0, 2)[:place]:
                assert sealed.post("sys/unseal", {"key": five.shares[good]}).status == 200
            r = sealed.post("sys/unseal", {"key": bad})
            for good in (0, 2)[place:]:
                r = sealed.post("sys/unseal", {"key": five.shares[good]})
            assert sealed.get("sys/seal-status").json["sealed"] is True, (what, place, r)
            assert five.shares[1] not in r.raw.decode()
    assert sealed.post("sys/unseal", {"reset": True}).status == 200
    five.unseal()
    assert five.read("app") == {"k": "the-value"}


def test_31_a_flipped_share_is_refused_when_it_comes(five, sealed):
    assert sealed.post("sys/unseal", {"key": five.shares[0]}).json["progress"] == 1
    r = sealed.post("sys/unseal", {"key": flip(five.shares[1], 5)})
    assert r.status == 400 and progress(sealed) == 1, r
    assert "wrong key" not in r.errors[0].lower()


ROUTES = re.compile(r'\{\s*"([\w-]+)",\s*((?:M_\w+[ |]*)+),\s*"([^"]+)",\s*([\w| ]+),')
ONE_FIELD = re.compile(r'ONE_FIELD\("([^"]+)"')
MOUNTS = {"kv": "secret", "kv1": "kv1", "kv_upgrade": "kv1", "cubbyhole": "cubbyhole", "system": "sys", "token": "auth/token", "host": "auth/host",
          "userpass": "auth/userpass", "cert": "auth/cert", "approle": "auth/approle",
          "database": "database"}


def table(root):
    """All routes, out of the tables that vaultd is built from."""
    for f in sorted((root / "server/core").rglob("api_*.c")):
        for mount, methods, pattern, flags in ROUTES.findall(f.read_text()):
            path = MOUNTS[mount] + "/" + pattern.replace("*path", "app").replace(":name", "app").replace(":id", "app")
            for m in re.findall(r"M_(\w+)", methods):
                yield m, path, flags
        for field in ONE_FIELD.findall(f.read_text()):
            for m in ("GET", "POST", "DELETE"):
                yield m, f"auth/approle/role/app/{field}", "0"


def test_36_sealed_is_503_everywhere(five, sealed, pytestconfig):
    routes = list(table(pytestconfig.rootpath.parent if (pytestconfig.rootpath / "sec").exists() else pytestconfig.rootpath))
    assert len(routes) > 80
    anywhere = {p for _, p, flags in routes if "R_WHEN_SEALED" in flags}
    assert anywhere == {"sys/init", "sys/unseal"}
    h = {"Content-Type": "application/merge-patch+json"}
    for token in (five.root, None):
        client, hosts = five.client(token), five.hosts_client(token)
        for method, path, flags in routes:
            if path in anywhere:
                continue
            for where in (client, hosts) if "R_HOSTS" in flags else (client,):
                r = where.request(method, path, {} if method in ("POST", "PATCH") else None, headers=h)
                assert (r.status, r.errors) == (503, ["Vault is sealed"]), (method, path, r)
    for path in ("no/such/route", "secret", "sys", "secret/data/app"):
        assert five.client().get(path).status == five.client().get(path + "?help=1").status == 503
    assert sealed.get("sys/health").status == 503
    assert sealed.get("sys/seal-status").status == 200


def test_36_what_was_asked_while_sealed_is_in_the_log(five, sealed):
    for token in (None, five.root):
        assert elsewhere(five, token).get("secret/data/sealed-probe").status == 503
    five.unseal()
    log = [r for r in records(five.client()) if r["path"] == "secret/data/sealed-probe"]
    assert [r["outcome"] for r in log] == ["error"] * 2 and all(r["note"]["journal"] for r in log)
