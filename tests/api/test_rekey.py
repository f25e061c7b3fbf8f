# SPDX-License-Identifier: Apache-2.0
"""sys/rekey and sys/generate-root: what a quorum of shares may do to an open vault."""
import base64
import re

import pytest

import vaultd

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
IDLE = {"nonce": "", "started": False, "t": 0, "n": 0, "progress": 0, "required": 2, "pgp_fingerprints": None,
        "backup": False, "verification_required": False, "verification_nonce": ""}
ROOT_IDLE = {"nonce": "", "started": False, "progress": 0, "required": 2, "complete": False, "encoded_token": "",
             "encoded_root_token": "", "pgp_fingerprint": "", "otp": "", "otp_length": 55}
WRONG = "only who began the operation, or names its nonce, may cancel it"


@pytest.fixture(scope="module")
def vault(tmp_path_factory):
    """Three shares, two of them open it."""
    s = vaultd.Server(tmp_path_factory.mktemp("three"))
    s.start()
    s.init(3, 2)
    s.put("app", {"k": "v"})
    yield s
    s.stop()


@pytest.fixture
def c(vault):
    c = vault.client()
    for path in ("sys/rekey/init", "sys/generate-root/attempt"):
        c.delete(path + "?nonce=" + c.get(path).json["nonce"])
    yield c
    c.close()


def begin(c, n=3, t=2, **more):
    r = c.request("PUT", "sys/rekey/init", {"secret_shares": n, "secret_threshold": t, **more})
    assert r.status == 200, r
    return r.json["nonce"]


def offer(c, path, nonce, share):
    return c.request("PUT", path, {"key": share, "nonce": nonce})


def replace(vault, c, n, t, **more):
    nonce = begin(c, n, t, **more)
    for share in vault.shares[:vault.threshold]:
        r = offer(c, "sys/rekey/update", nonce, share)
        assert r.status == 200, r
    assert r.json["complete"] is True and r.json["nonce"] == nonce
    return r.json


def take_over(vault, made, t):
    vault.shares, vault.threshold = made["keys_base64"], t


def opens(vault, shares):
    """Seal, offer, and say whether it is open; it is open afterwards anyway."""
    assert vault.client().post("sys/seal").status == 204
    c = vault.client(token=None)
    for share in shares:
        r = c.post("sys/unseal", {"key": share})
    ok = r.status == 200 and not r.json["sealed"]
    if not ok:
        c.post("sys/unseal", {"reset": True})
        vault.unseal()
    vault.wait_unsealed()
    return ok


def test_idle(c):
    r = c.get("sys/rekey/init")
    assert (r.status, r.json) == (200, IDLE)
    r = c.get("sys/rekey/backup")
    assert (r.status, r.json) == (404, {"errors": []})
    assert c.delete("sys/rekey/backup").status == 204
    assert c.delete("sys/rekey/init").status == 204, "nothing to cancel"
    for method, path, text in (("GET", "sys/rekey/verify", "no rekey configuration found"),
                               ("PUT", "sys/rekey/update", "no barrier rekey in progress"),
                               ("PUT", "sys/rekey/verify", "no rekey verification in progress"),
                               ("DELETE", "sys/rekey/verify", "no rekey verification in progress"),
                               ("GET", "sys/rekey-recovery-key/init", "recovery rekeying not supported")):
        r = c.request(method, path, {"key": "00" * 33, "nonce": "x"} if method == "PUT" else None)
        assert (r.status, r.errors) == (400, [text]), path


@pytest.mark.parametrize("body, text", [
    ({}, "invalid seal configuration: shares must be at least one"),
    ({"secret_shares": 3, "secret_threshold": 0}, "invalid seal configuration: threshold must be at least one"),
    ({"secret_shares": 3, "secret_threshold": 1},
     "invalid seal configuration: threshold must be greater than one for multiple shares"),
    ({"secret_shares": 2 ** 40, "secret_threshold": 3}, "invalid seal configuration: shares must be less than 256"),
    ({"secret_shares": 3, "secret_threshold": 4}, "invalid seal configuration: threshold cannot be larger than shares"),
    ({"secret_shares": 1, "secret_threshold": 1, "backup": True},
     "cannot request a backup of the new keys without providing PGP keys for encryption"),
    ({"secret_shares": 1, "secret_threshold": 1, "pgp_keys": ["k"]},
     "pgp_keys is not supported: this server encrypts nothing to PGP keys"),
])
def test_begin_refuses(c, body, text):
    r = c.post("sys/rekey/init", body)
    assert (r.status, r.errors) == (400, [text])
    assert c.get("sys/rekey/init").json == IDLE


def test_step_by_step(vault, c):
    r = c.post("sys/rekey/init", {"secret_shares": 5, "secret_threshold": 3})
    nonce = r.json["nonce"]
    assert r.status == 200 and UUID.match(nonce)
    assert r.json == {**IDLE, "nonce": nonce, "started": True, "t": 3, "n": 5}
    r = c.post("sys/rekey/init", {"secret_shares": 5, "secret_threshold": 3})
    assert (r.status, r.errors) == (400, ["rekey already in progress"])
    r = offer(c, "sys/rekey/update", "", vault.shares[0])
    assert (r.status, r.errors) == (400, ["'nonce' must be specified in request body as JSON"])
    r = c.post("sys/rekey/update", {"nonce": nonce})
    assert (r.status, r.errors) == (400, ["'key' must be specified in request body as JSON"])
    r = offer(c, "sys/rekey/update", "other", vault.shares[0])
    assert (r.status, r.errors) == (400, [f'incorrect nonce supplied; nonce for this rekey operation is "{nonce}"'])
    r = offer(c, "sys/rekey/update", nonce, vault.shares[0])
    assert r.json == {**IDLE, "nonce": nonce, "started": True, "t": 3, "n": 5, "progress": 1}
    r = offer(c, "sys/rekey/update", nonce, vault.shares[0])
    assert (r.status, r.errors) == (400, ["given key has already been provided during this generation operation"])
    bad = bytearray(base64.b64decode(vault.shares[1]))
    bad[3] ^= 1
    r = offer(c, "sys/rekey/update", nonce, bytes(bad).hex())
    assert r.status == 400 and "not counted" in r.errors[0]
    assert c.get("sys/rekey/init").json["progress"] == 1
    assert c.delete("sys/rekey/init").status == 204
    assert c.get("sys/rekey/init").json == IDLE


def test_other_shares(vault, c):
    old = list(vault.shares)
    made = replace(vault, c, 4, 3)
    assert set(made) == {"nonce", "complete", "keys", "keys_base64", "pgp_fingerprints", "backup",
                         "verification_required", "verification_nonce"}
    assert [bytes.fromhex(k) for k in made["keys"]] == [base64.b64decode(k) for k in made["keys_base64"]]
    assert len(set(made["keys"])) == 4 and made["verification_required"] is False
    status = c.get("sys/seal-status").json
    assert (status["n"], status["t"]) == (4, 3)
    assert vault.read("app") == {"k": "v"}, "nobody was interrupted"
    take_over(vault, made, 3)
    assert not opens(vault, old[:3])
    assert opens(vault, vault.shares[1:4])
    assert vault.read("app") == {"k": "v"}
    vault.kill_role("core")
    vault.wait_sealed()
    vault.unseal()
    assert vault.read("app") == {"k": "v"}
    take_over(vault, replace(vault, c, 3, 2), 2)


def test_verification(vault, c):
    old = list(vault.shares)
    made = replace(vault, c, 5, 3, require_verification=True)
    again, keys = made["verification_nonce"], made["keys_base64"]
    assert made["verification_required"] is True and UUID.match(again)
    r = c.get("sys/rekey/init").json
    assert (r["started"], r["verification_required"], r["verification_nonce"]) == (True, True, again)
    r = offer(c, "sys/rekey/update", made["nonce"], old[0])
    assert (r.status, r.errors) == (400, ["rekey operation already finished; verification must be performed; "
                                          f'nonce for the verification operation is "{again}"'])
    assert c.get("sys/rekey/verify").json == {"nonce": again, "started": True, "t": 3, "n": 5, "progress": 0}
    r = offer(c, "sys/rekey/verify", again, old[0])
    assert r.status == 400 and "not counted" in r.errors[0], "an old share proves nothing"
    r = offer(c, "sys/rekey/verify", again, keys[4])
    assert r.json == {"nonce": again, "started": True, "t": 3, "n": 5, "progress": 1}
    r = c.delete("sys/rekey/verify")
    assert r.status == 200 and r.json["progress"] == 0 and r.json["nonce"] != again
    again = r.json["nonce"]
    assert (c.get("sys/seal-status").json["n"], c.get("sys/seal-status").json["t"]) == (3, 2), "not yet"
    for i in (4, 0, 2):
        r = offer(c, "sys/rekey/verify", again, keys[i])
        assert r.status == 200, r
    assert r.json == {"nonce": again, "complete": True}
    take_over(vault, made, 3)
    assert not opens(vault, old[:2])
    assert opens(vault, keys[:3])
    take_over(vault, replace(vault, c, 3, 2), 2)


def test_unverified_shares_do_not_count(vault, c):
    made = replace(vault, c, 3, 2, require_verification=True)
    assert offer(c, "sys/rekey/verify", made["verification_nonce"], made["keys"][0]).status == 200
    assert not opens(vault, made["keys"][:2]), "sealing ends the operation"
    assert opens(vault, vault.shares[:2])
    assert c.get("sys/rekey/init").json == IDLE


def test_cancel_is_for_who_began_it(vault, c):
    text = 'path "sys/rekey/*" { capabilities = ["read", "update", "delete", "sudo"] }'
    assert c.post("sys/policies/acl/rekeyer", {"policy": text}).status == 204
    other = c.post("auth/token/create", {"policies": ["rekeyer"]}).json["auth"]["client_token"]
    nonce = begin(c)
    for path in ("sys/rekey/init", "sys/rekey/init?nonce=x"):
        r = c.delete(path, token=other)
        assert (r.status, r.errors) == (400, [WRONG])
    assert c.get("sys/rekey/init").json["nonce"] == nonce
    assert c.delete("sys/rekey/init?nonce=" + nonce, token=other).status == 204
    assert c.get("sys/rekey/init").json == IDLE


PATHS = [("GET", "rekey/init"), ("PUT", "rekey/init"), ("DELETE", "rekey/init"), ("PUT", "rekey/update"),
         ("GET", "rekey/verify"), ("PUT", "rekey/verify"), ("DELETE", "rekey/verify"), ("GET", "rekey/backup"),
         ("DELETE", "rekey/backup"), ("GET", "generate-root/attempt"), ("PUT", "generate-root/attempt"),
         ("DELETE", "generate-root/attempt"), ("PUT", "generate-root/update")]


@pytest.mark.parametrize("method, path", PATHS)
def test_needs_sudo(c, method, path):
    text = 'path "sys/*" { capabilities = ["create", "read", "update", "delete", "list"] }'
    assert c.post("sys/policies/acl/no-sudo", {"policy": text}).status == 204
    weak = c.post("auth/token/create", {"policies": ["no-sudo"]}).json["auth"]["client_token"]
    for token in (None, weak):
        r = c.request(method, "sys/" + path, {} if method == "PUT" else None, token=token)
        assert r.status == 403 and "permission denied" in r.errors[0]
    assert c.get("sys/rekey/init").json == IDLE and c.get("sys/generate-root/attempt").json == ROOT_IDLE


def decode(encoded, otp):
    raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4))
    return bytes(a ^ b for a, b in zip(raw, otp.encode(), strict=True)).decode()


def test_generate_root(vault, c):
    assert c.get("sys/generate-root/attempt").json == ROOT_IDLE
    r = c.request("PUT", "sys/generate-root/attempt", {})
    nonce, otp = r.json["nonce"], r.json["otp"]
    assert r.status == 200 and UUID.match(nonce) and re.fullmatch("[0-9A-Za-z]{55}", otp)
    assert r.json == {**ROOT_IDLE, "nonce": nonce, "started": True, "otp": otp}
    assert c.get("sys/generate-root/attempt").json == {**ROOT_IDLE, "nonce": nonce, "started": True}
    r = c.request("PUT", "sys/generate-root/attempt", {})
    assert (r.status, r.errors) == (400, ["root generation already in progress"])
    r = offer(c, "sys/generate-root/update", "x", vault.shares[0])
    assert (r.status, r.errors) == (400, [
        f'incorrect nonce supplied; nonce for this root generation operation is "{nonce}"'])
    r = offer(c, "sys/generate-root/update", nonce, vault.shares[2])
    assert r.json == {**ROOT_IDLE, "nonce": nonce, "started": True, "progress": 1}
    assert offer(c, "sys/generate-root/update", nonce, vault.shares[2]).status == 400
    r = offer(c, "sys/generate-root/update", nonce, vault.shares[1])
    encoded = r.json["encoded_token"]
    assert r.json == {**ROOT_IDLE, "nonce": nonce, "started": True, "progress": 2, "complete": True, "encoded_token": encoded,
                      "encoded_root_token": encoded}
    token = decode(encoded, otp)
    r = c.get("auth/token/lookup-self", token=token)
    assert r.status == 200 and r.data["policies"] == ["root"] and r.data["ttl"] == 0
    assert c.post("auth/token/revoke-self", token=token).status == 204
    assert c.get("sys/generate-root/attempt").json == ROOT_IDLE


def test_generate_root_with_the_callers_otp(vault, c):
    r = c.post("sys/generate-root/attempt", {"otp": "short"})
    assert (r.status, r.errors) == (400, ["OTP string is wrong length"])
    r = c.post("sys/generate-root/attempt", {"pgp_key": "k"})
    assert r.status == 400 and "pgp_key is not supported" in r.errors[0]
    otp = "x" * 55
    r = c.post("sys/generate-root/attempt", {"otp": otp})
    assert r.json["otp"] == "" and r.json["started"]
    for share in vault.shares[:2]:
        r = offer(c, "sys/generate-root/update", r.json["nonce"], share)
    token = decode(r.json["encoded_token"], otp)
    assert token.startswith("vlt_s_") and c.get("auth/token/lookup-self", token=token).status == 200


def test_generate_root_is_cancelled(vault, c):
    nonce = c.post("sys/generate-root/attempt").json["nonce"]
    assert offer(c, "sys/generate-root/update", nonce, vault.shares[0]).status == 200
    assert c.delete("sys/generate-root/attempt").status == 204
    assert c.get("sys/generate-root/attempt").json == ROOT_IDLE
    r = offer(c, "sys/generate-root/update", nonce, vault.shares[1])
    assert (r.status, r.errors) == (400, ["no root generation in progress"])


def test_without_a_token_where_that_is_configured(tmp_path):
    s = vaultd.Server(tmp_path, config={"unauthenticated_rekey": True})
    s.start()
    try:
        s.init(1, 1)
        c = s.client(token=None)
        made = replace(s, c, 2, 2)
        take_over(s, made, 2)
        assert opens(s, s.shares)
        r = c.post("sys/generate-root/attempt")
        nonce, otp = r.json["nonce"], r.json["otp"]
        for share in s.shares:
            r = offer(c, "sys/generate-root/update", nonce, share)
        assert c.get("auth/token/lookup-self", token=decode(r.json["encoded_token"], otp)).status == 200
        begin(c)
        assert c.delete("sys/rekey/init").status == 400, "it needs the nonce"
    finally:
        s.stop()


def test_recovery_shares(tmp_path):
    key = tmp_path / "auto.key"
    key.write_bytes(bytes(range(32)))
    key.chmod(0o600)
    s = vaultd.Server(tmp_path, config={"auto_unseal": {"key_file": str(key)}})
    s.start()
    try:
        r = s.client(token=None).post("sys/init", {"recovery_shares": 2, "recovery_threshold": 2})
        s.root, old = r.json["root_token"], r.json["recovery_keys_base64"]
        s.wait_unsealed()
        c = s.client()
        r = c.post("sys/rekey/init", {"secret_shares": 1, "secret_threshold": 1})
        assert r.status == 400 and "sys/rekey-recovery-key" in r.errors[0]
        base = "sys/rekey-recovery-key"
        nonce = c.post(base + "/init", {"secret_shares": 3, "secret_threshold": 2}).json["nonce"]
        for share in old:
            r = offer(c, base + "/update", nonce, share)
        assert r.status == 200 and len(r.json["keys"]) == 3
        before = s.roles()["core"]
        s.kill_role("core")
        vaultd.wait_for("a new core", lambda: set(s.roles().get("core", [])) - set(before))
        s.wait_unsealed()
        vaultd.wait_for("core to answer", lambda: c.get("sys/generate-root/attempt").status == 200)
        nonce = c.post("sys/generate-root/attempt").json["nonce"]
        assert offer(c, "sys/generate-root/update", nonce, old[0]).status == 400
        for share in r.json["keys"][1:]:
            last = offer(c, "sys/generate-root/update", nonce, share)
        assert last.json["complete"] is True
    finally:
        s.stop()


def test_generate_root_under_openbaos_name(vault, c):
    """bao operator generate-root: the same operation, answered in an envelope, and never without a token."""
    path = "sys/generate-root-token/"
    assert c.get(path + "attempt").data == ROOT_IDLE
    assert c.get(path + "attempt", token=None).status == 403
    begun = c.request("PUT", path + "attempt", {}).data
    assert c.get("sys/generate-root/attempt").json["nonce"] == begun["nonce"]
    assert c.delete(path + "attempt").status == 204
    begun = c.request("PUT", path + "attempt", {}).data
    for share in vault.shares[:2]:
        r = offer(c, path + "update", begun["nonce"], share)
    token = decode(r.data["encoded_token"], begun["otp"])
    assert c.post("auth/token/revoke-self", token=token).status == 204
