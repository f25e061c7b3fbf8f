# SPDX-License-Identifier: Apache-2.0
"""hvac and certificates: roles, logins with a client certificate."""
import subprocess

import hvac.exceptions
import pytest

from hvaclib import client_of


@pytest.fixture(scope="module", autouse=True)
def enabled(server):
    client_of(server).sys.enable_auth_method("cert")


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """A certificate of the client's own, with its key: two file names."""
    tmp = tmp_path_factory.mktemp("own")
    pem, key = str(tmp / "own.pem"), str(tmp / "own.key")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days",
                    "2", "-keyout", key, "-out", pem, "-subj", "/OU=ops/CN=web1", "-addext",
                    "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=clientAuth"],
                   check=True, capture_output=True)
    return pem, key


@pytest.fixture
def roles(hv):
    return hv.auth.cert


def text_of(path):
    with open(path) as f:
        return f.read()


def test_certificate_roles(roles, name, own):
    roles.create_ca_certificate_role(name, text_of(own[0]), allowed_common_names="web*", token_policies=["web"],
                                     token_ttl=1800)
    role = roles.read_ca_certificate_role(name)["data"]
    assert role["certificate"] == text_of(own[0]) and role["display_name"] == name
    assert role["allowed_common_names"] == ["web*"] and role["token_policies"] == ["web"] and role["token_ttl"] == 1800
    assert name in roles.list_certificate_roles()["data"]["keys"]
    assert roles.delete_certificate_role(name).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath):
        roles.read_ca_certificate_role(name)


def test_configuration(roles):
    assert roles.configure_tls_certificate().status_code == 204


def test_login(roles, connect, name, own):
    roles.create_ca_certificate_role(name, text_of(own[0]), token_policies=["web"])
    client = connect("")
    auth = client.auth.cert.login(name=name, cert_pem=own[0], key_pem=own[1])["auth"]
    assert auth["policies"] == ["default", "web"] and auth["metadata"]["cert_name"] == name
    assert auth["metadata"]["common_name"] == "web1"
    roles.delete_certificate_role(name)
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        connect("").auth.cert.login(name=name, cert_pem=own[0], key_pem=own[1])
    assert e.value.errors == ["invalid certificate or no client certificate supplied"]


def test_revocation_lists_are_refused(hv):
    with pytest.raises(hvac.exceptions.InvalidRequest):
        hv.write("auth/cert/crls/mine", crl="x")
