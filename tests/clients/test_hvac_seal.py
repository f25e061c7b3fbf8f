# SPDX-License-Identifier: Apache-2.0
"""hvac from a new server on: initialise, unseal, seal, rekey, generate a root token."""
import base64

import hvac.exceptions
import pytest
import vaultd

from hvaclib import client_of


@pytest.fixture
def fresh(tmp_path):
    """A vaultd that is not initialised."""
    s = vaultd.Server(tmp_path)
    s.start()
    yield s
    s.stop()


def test_from_birth_to_seal(fresh):
    client = client_of(fresh, "")
    assert client.sys.read_init_status() == {"initialized": False}
    assert not client.sys.is_initialized()
    assert client.sys.read_health_status().status_code == 501
    with pytest.raises(hvac.exceptions.VaultDown) as e:
        client.read("secret/data/x")
    assert e.value.errors == ["Vault is sealed"]
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        client.sys.initialize(secret_shares=2, secret_threshold=3)
    assert e.value.errors == ["invalid seal configuration: threshold cannot be larger than shares"]

    made = client.sys.initialize(secret_shares=5, secret_threshold=3)
    assert len(made["keys"]) == len(made["keys_base64"]) == 5
    assert all(len(k) == 66 for k in made["keys"])
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        client.sys.initialize()
    assert e.value.errors == ["Vault is already initialized"]
    assert client.sys.is_initialized() and client.sys.is_sealed()
    assert client.sys.read_health_status().status_code == 503

    status = client.sys.submit_unseal_key(made["keys"][0])
    assert (status["sealed"], status["t"], status["n"], status["progress"]) == (True, 3, 5, 1)
    assert status["nonce"]
    assert client.sys.submit_unseal_key(made["keys"][0])["progress"] == 1, "the same one again"
    assert client.sys.submit_unseal_key(reset=True)["progress"] == 0
    with pytest.raises(hvac.exceptions.InvalidRequest):
        client.sys.submit_unseal_keys([made["keys"][0], made["keys"][1], "00" * 33])
    status = client.sys.submit_unseal_keys(made["keys_base64"][2:5])
    assert (status["sealed"], status["progress"]) == (False, 0)
    fresh.wait_unsealed()

    client.token = made["root_token"]
    assert client.is_authenticated()
    client.secrets.kv.v2.create_or_update_secret(path="x", secret={"k": "v"})
    assert client.sys.seal().status_code == 204
    assert client.sys.is_sealed()
    with pytest.raises(hvac.exceptions.VaultDown):
        client.secrets.kv.v2.read_secret_version(path="x", raise_on_deleted_version=True)
    client.sys.submit_unseal_keys(made["keys"][:3])
    fresh.wait_unsealed()
    assert client.secrets.kv.v2.read_secret_version(path="x", raise_on_deleted_version=True)["data"]["data"] == {"k": "v"}


# --- new shares, and a root token when all are lost -------------------------------------


@pytest.fixture(scope="module")
def quorum(tmp_path_factory):
    """Three shares of which two open it; who has no token may replace them."""
    s = vaultd.Server(tmp_path_factory.mktemp("quorum"), config={"unauthenticated_rekey": True})
    s.start()
    s.init(3, 2)
    yield s
    s.stop()


@pytest.mark.parametrize("as_root", [True, False])
def test_rekey(quorum, as_root):
    sys = client_of(quorum, None if as_root else "").sys
    idle = sys.read_rekey_progress()
    assert (idle["started"], idle["required"], idle["pgp_fingerprints"]) == (False, 2, None)
    begun = sys.start_rekey(secret_shares=4, secret_threshold=2)
    assert (begun["started"], begun["t"], begun["n"], begun["progress"]) == (True, 2, 4, 0)
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        sys.start_rekey(secret_shares=4, secret_threshold=2)
    assert e.value.errors == ["rekey already in progress"]
    assert sys.rekey(quorum.shares[0], nonce=begun["nonce"])["progress"] == 1
    with pytest.raises(hvac.exceptions.InvalidRequest):
        sys.rekey(quorum.shares[0], nonce=begun["nonce"])
    done = sys.rekey(quorum.shares[1], nonce=begun["nonce"])
    assert done["complete"] is True and len(done["keys"]) == len(done["keys_base64"]) == 4
    client_of(quorum).sys.seal()
    with pytest.raises(hvac.exceptions.InvalidRequest):
        sys.submit_unseal_keys(quorum.shares[:2])
    sys.submit_unseal_key(reset=True)
    quorum.shares = done["keys"]
    assert sys.submit_unseal_keys(quorum.shares[2:4])["sealed"] is False
    quorum.wait_unsealed()


def test_rekey_in_one_go(quorum):
    sys = client_of(quorum).sys
    nonce = sys.start_rekey(secret_shares=3, secret_threshold=2)["nonce"]
    done = sys.rekey_multi(quorum.shares[:2], nonce=nonce)
    assert done["complete"] is True
    quorum.shares = done["keys"]


def test_rekey_that_must_be_verified(quorum):
    sys = client_of(quorum).sys
    nonce = sys.start_rekey(secret_shares=2, secret_threshold=2, require_verification=True)["nonce"]
    done = sys.rekey_multi(quorum.shares[:2], nonce=nonce)
    assert done["verification_required"] is True and done["verification_nonce"]
    assert sys.read_rekey_verify_progress()["t"] == 2
    verified = sys.rekey_verify_multi(done["keys"], nonce=done["verification_nonce"])
    assert verified["complete"] is True
    quorum.shares = done["keys"]


def test_cancelled_rekey(own_server, quorum):
    sys = client_of(own_server).sys
    sys.start_rekey(secret_shares=3, secret_threshold=2)
    assert sys.cancel_rekey().status_code == 204
    assert sys.read_rekey_progress()["started"] is False
    # Where nobody needs a token, nobody may cancel another's without its nonce.
    nonce = client_of(quorum, "").sys.start_rekey(secret_shares=3, secret_threshold=2)["nonce"]
    with pytest.raises(hvac.exceptions.InvalidRequest):
        client_of(quorum, "").sys.cancel_rekey()
    client_of(quorum, "").adapter.delete("/v1/sys/rekey/init", params={"nonce": nonce})


@pytest.mark.parametrize("as_root", [True, False])
def test_generate_root(quorum, as_root):
    sys = client_of(quorum, None if as_root else "").sys
    begun = sys.start_root_token_generation()
    assert begun["started"] is True and len(begun["otp"]) == begun["otp_length"]
    assert sys.read_root_generation_progress()["progress"] == 0
    assert sys.generate_root(quorum.shares[0], begun["nonce"])["progress"] == 1
    done = sys.generate_root(quorum.shares[1], begun["nonce"])
    assert done["complete"] is True
    encoded = base64.b64decode(done["encoded_token"] + "=" * (-len(done["encoded_token"]) % 4))
    token = bytes(a ^ b for a, b in zip(encoded, begun["otp"].encode())).decode()
    new = client_of(quorum, token)
    assert new.auth.token.lookup_self()["data"]["policies"] == ["root"]
    new.auth.token.revoke_self()


def test_cancelled_generate_root(own_server):
    sys = client_of(own_server).sys
    sys.start_root_token_generation()
    assert sys.cancel_root_generation().status_code == 204
    assert sys.read_root_generation_progress()["started"] is False


def test_nobody_may_rekey_by_default(fresh):
    fresh.init()
    client = client_of(fresh, "")
    for call in (client.sys.start_rekey, client.sys.start_root_token_generation):
        with pytest.raises(hvac.exceptions.Forbidden):
            call()
