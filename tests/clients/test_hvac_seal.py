# SPDX-License-Identifier: Apache-2.0
"""hvac from a new server on: initialise, unseal, seal, rekey, generate a root token."""
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
