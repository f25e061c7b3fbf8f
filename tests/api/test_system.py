# SPDX-License-Identifier: Apache-2.0
"""sys/init, unseal, seal, seal-status, health and leader."""
import base64
import re
import time

import pytest

import vaultd

UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
STATUS_KEYS = {"type", "initialized", "sealed", "t", "n", "progress", "nonce", "version", "build_date",
               "migration", "recovery_seal", "storage_type"}
HEALTH_KEYS = {"initialized", "sealed", "standby", "performance_standby", "replication_performance_mode",
               "replication_dr_mode", "server_time_utc", "version", "enterprise"}
CLUSTER = {"cluster_name", "cluster_id"}


@pytest.fixture(scope="module")
def blank(tmp_path_factory):
    """A vaultd that nobody has initialised."""
    s = vaultd.Server(tmp_path_factory.mktemp("blank"))
    s.start()
    yield s
    s.stop()


@pytest.fixture(scope="module")
def five(tmp_path_factory):
    """Five shares, three of them open it; still sealed."""
    s = vaultd.Server(tmp_path_factory.mktemp("five"))
    s.start()
    s.init(5, 3, unseal=False)
    yield s
    s.stop()


@pytest.fixture(scope="module")
def other_share(blank, tmp_path_factory):
    s = vaultd.Server(tmp_path_factory.mktemp("other"))
    s.start()
    s.init(5, 3, unseal=False)
    s.stop()
    return s.shares[0]


@pytest.fixture
def sealed(five):
    c = five.client(token=None)
    if not c.get("sys/seal-status").json["sealed"]:
        assert five.client().post("sys/seal").status == 204
    assert c.post("sys/unseal", {"reset": True}).json["progress"] == 0
    yield c
    c.close()


def status(c):
    r = c.get("sys/seal-status")
    assert r.status == 200
    return r.json


def test_uninitialized_shapes(blank):
    c = blank.client(token=None)
    r = c.get("sys/init")
    assert (r.status, r.json) == (200, {"initialized": False})
    s = status(c)
    assert set(s) == STATUS_KEYS
    assert (s["type"], s["initialized"], s["sealed"], s["t"], s["n"], s["progress"], s["nonce"]) == \
        ("shamir", False, True, 0, 0, 0, "")
    assert re.fullmatch(r"1\.1[5-9]\.\d+", s["version"])
    h = c.get("sys/health")
    assert h.status == 501 and set(h.json) == HEALTH_KEYS
    assert (h.json["initialized"], h.json["sealed"], h.json["standby"]) == (False, True, False)
    r = c.post("sys/unseal", {"key": "00" * 33})
    assert r.status == 400 and "Vault is not initialized" in r.errors[0]


@pytest.mark.parametrize("body, text", [
    ({"secret_shares": 0, "secret_threshold": 0}, "shares must be at least one"),
    ({}, "shares must be at least one"),
    ({"secret_shares": 1, "secret_threshold": 0}, "threshold must be at least one"),
    ({"secret_shares": 3, "secret_threshold": 1}, "threshold must be greater than one for multiple shares"),
    ({"secret_shares": 256, "secret_threshold": 3}, "shares must be less than 256"),
    ({"secret_shares": 3, "secret_threshold": 5}, "threshold cannot be larger than shares"),
])
def test_init_refuses_bad_shares(blank, body, text):
    r = blank.client(token=None).post("sys/init", body)
    assert (r.status, r.errors) == (400, ["invalid seal configuration: " + text])


@pytest.mark.parametrize("body, text", [
    ({"secret_shares": "x", "secret_threshold": 1}, 'for field "secret_shares"'),
    ({"secret_shares": 1, "secret_threshold": 1, "recovery_shares": 1, "recovery_threshold": 1},
     "not applicable to seal type shamir"),
    ({"secret_shares": 1, "secret_threshold": 1, "pgp_keys": ["k"]}, "not supported"),
])
def test_init_refuses_other_fields(blank, body, text):
    r = blank.client(token=None).post("sys/init", body)
    assert r.status == 400 and text in r.errors[0]
    assert blank.client(token=None).get("sys/init").json["initialized"] is False


def test_init_reply(five):
    r = five.client(token=None).get("sys/init")
    assert (r.status, r.json) == (200, {"initialized": True})
    assert len(five.shares) == len(set(five.shares)) == 5
    assert five.root.startswith("vlt_s_")


def test_init_reply_shape(tmp_path):
    s = vaultd.Server(tmp_path)
    s.start()
    try:
        r = s.init(3, 2, unseal=False)
        assert set(r.json) == {"keys", "keys_base64", "root_token"}
        assert [bytes.fromhex(k) for k in r.json["keys"]] == \
            [base64.b64decode(k) for k in r.json["keys_base64"]]
        assert status(s.client(token=None))["sealed"] is True
    finally:
        s.stop()


def test_init_twice(five):
    r = five.client(token=None).request("PUT", "sys/init", {"secret_shares": 1, "secret_threshold": 1})
    assert (r.status, r.errors) == (400, ["Vault is already initialized"])


def test_unseal_step_by_step(five, sealed):
    r = sealed.post("sys/unseal", {"key": five.shares[4]})
    assert r.status == 200 and set(r.json) == STATUS_KEYS
    assert (r.json["sealed"], r.json["t"], r.json["n"], r.json["progress"]) == (True, 3, 5, 1)
    nonce = r.json["nonce"]
    assert UUID.match(nonce)
    hexed = base64.b64decode(five.shares[1]).hex()
    r = sealed.request("PUT", "sys/unseal", {"Key": hexed.upper()})
    assert (r.json["progress"], r.json["nonce"]) == (2, nonce)
    assert status(sealed)["progress"] == 2
    r = sealed.post("sys/unseal", {"key": five.shares[2]})
    assert r.status == 200 and set(r.json) == STATUS_KEYS | CLUSTER
    assert (r.json["sealed"], r.json["progress"], r.json["nonce"]) == (False, 0, "")
    five.wait_unsealed()
    assert status(sealed)["sealed"] is False
    r = sealed.post("sys/unseal", {"key": five.shares[0]})
    assert r.status == 200 and r.json["sealed"] is False
    r = sealed.post("sys/unseal", {"reset": True})
    assert (r.status, r.errors) == (400, ["vault is unsealed"])


def test_repeated_share_makes_no_progress(five, sealed):
    for _ in range(2):
        r = sealed.post("sys/unseal", {"key": five.shares[0]})
        assert r.status == 200 and r.json["progress"] == 1


def test_reset_forgets_shares(five, sealed):
    sealed.post("sys/unseal", {"key": five.shares[0]})
    r = sealed.post("sys/unseal", {"key": five.shares[1]})
    assert r.json["progress"] == 2
    r = sealed.post("sys/unseal", {"reset": True})
    assert r.status == 200
    assert (r.json["progress"], r.json["nonce"]) == (0, "")


@pytest.mark.parametrize("body, text", [
    ({}, "'key' must be specified in request body as JSON, or 'reset' set to true"),
    ({"key": ""}, "'key' must be specified in request body as JSON, or 'reset' set to true"),
    ({"key": 17}, "'key' must be specified in request body as JSON, or 'reset' set to true"),
    ({"key": "no base64!"}, "'key' must be a valid hex or base64 string"),
    ({"key": base64.b64encode(b"\xff" * 15).decode()}, "key is shorter than minimum 16 bytes"),
    ({"key": base64.b64encode(bytes(34)).decode()}, "key is longer than maximum 33 bytes"),
])
def test_unseal_refuses_malformed_keys(sealed, body, text):
    r = sealed.post("sys/unseal", body)
    assert (r.status, r.errors) == (400, [text])
    assert status(sealed)["progress"] == 0


def test_foreign_share_is_named_and_changes_nothing(five, sealed, other_share):
    sealed.post("sys/unseal", {"key": five.shares[0]})
    r = sealed.post("sys/unseal", {"key": other_share})
    assert r.status == 400 and "share" in r.errors[0], r
    assert status(sealed)["progress"] == 1


def test_damaged_share_is_refused(five, sealed):
    raw = bytearray(base64.b64decode(five.shares[0]))
    raw[7] ^= 4
    sealed.post("sys/unseal", {"key": five.shares[1]})
    r = sealed.post("sys/unseal", {"key": bytes(raw).hex()})
    assert r.status == 400 and "share" in r.errors[0], r
    assert status(sealed)["progress"] == 1


def test_sealed_precedes_everything(five, sealed):
    for method, path in [("GET", "secret/data/x"), ("POST", "secret/data/x"), ("GET", "nowhere/at/all"),
                         ("LIST", "sys/hosts"), ("DELETE", "sys/leader/x"), ("GET", "auth/token/lookup-self"),
                         ("POST", "auth/host/login"), ("GET", "sys/vaultd/status"), ("POST", "sys/seal"),
                         ("PATCH", "secret/data/x")]:
        h = {"Content-Type": "application/merge-patch+json"} if method == "PATCH" else {}
        for token in (None, five.root, "nonsense"):
            r = sealed.request(method, path, {} if method in ("POST", "PATCH") else None, token=token, headers=h)
            assert (r.status, r.errors) == (503, ["Vault is sealed"]), (method, path, token, r)


def test_health_codes(blank, five, sealed):
    b = blank.client(token=None)
    assert b.get("sys/health").status == 501
    assert b.get("sys/health?uninitcode=299&sealedcode=298").status == 299
    assert sealed.get("sys/health").status == 503
    assert sealed.get("sys/health?sealedcode=298&uninitcode=299").status == 298
    assert sealed.get("sys/health?sealedcode=200").json["sealed"] is True
    five.unseal()
    r = sealed.get("sys/health?standbyok=true&perfstandbyok=true&standbycode=299")
    assert r.status == 200 and set(r.json) == HEALTH_KEYS | CLUSTER
    assert UUID.match(r.json["cluster_id"]) and r.json["cluster_name"].startswith("vault-cluster-")
    assert abs(r.json["server_time_utc"] - time.time()) < 60
    assert sealed.get("sys/health?activecode=234").status == 234
    for query in ("activecode=x", "sealedcode=2.5", "uninitcode=999"):
        r = sealed.get("sys/health?" + query)
        assert (r.status, r.json) == (400, {"errors": []}), query


def test_health_head(five, sealed):
    r = sealed.request("HEAD", "sys/health")
    assert (r.status, r.raw) == (503, b"")
    five.unseal()
    r = sealed.request("HEAD", "sys/health?activecode=222")
    assert (r.status, r.raw) == (222, b"")
    assert r.headers["content-type"] == "application/json"
    assert sealed.request("HEAD", "secret/data/x", token=five.root).status == 405
    assert sealed.get("sys/health").status == 200, "the connection must stay in step after HEAD"


def test_leader(sealed):
    r = sealed.get("sys/leader")
    assert (r.status, r.json) == (200, {
        "ha_enabled": False, "is_self": False, "active_time": "0001-01-01T00:00:00Z", "leader_address": "",
        "leader_cluster_address": "", "performance_standby": False, "performance_standby_last_remote_wal": 0})


def test_seal_needs_sudo_and_closes(five, sealed):
    five.unseal()
    c = five.client()
    r = c.post("auth/token/create", {"policies": ["default"]})
    plain = r.json["auth"]["client_token"]
    assert c.post("sys/seal", token=None).status == 403
    assert c.post("sys/seal", token=plain).status == 403
    assert c.get("sys/health").status == 200
    r = c.request("PUT", "sys/seal")
    assert (r.status, r.raw) == (204, b"")
    assert c.get("sys/health").status == 503
    assert c.get("secret/data/x").status == 503
    five.unseal()
    assert c.get("auth/token/lookup-self", token=plain).status == 200, "tokens outlive a seal"


def test_status_needs_a_token_and_names_the_sandbox(five, sealed):
    five.unseal()
    c = five.client()
    assert c.get("sys/vaultd/status", token=None).status == 403
    r = c.get("sys/vaultd/status")
    assert r.status == 200
    assert {"version", "sandbox", "memory", "swap", "audit_size", "schema"} <= set(r.data)
    assert r.data["schema"] >= 1 and r.data["swap"] in ("off", "exposed")
    assert r.data["audit_size"] > 0
