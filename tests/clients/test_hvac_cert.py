# SPDX-License-Identifier: Apache-2.0
"""hvac, requests and TLS client certificates."""
import certs
import hvac.exceptions
import pytest

from hvaclib import ca_of, client_of


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certs.Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def ca(pki):
    return pki.ca("an authority")


@pytest.fixture(scope="module", autouse=True)
def enabled(server):
    client_of(server).sys.enable_auth_method("cert")


@pytest.fixture
def roles(hv):
    return hv.auth.cert


def log_in(server, cert, **options):
    """A client that logs in with its certificate and goes on with the token."""
    client = client_of(server, "", cert=cert.files)
    return client, client.auth.cert.login(cert_pem=cert.files[0], key_pem=cert.files[1], **options)


def test_roles(roles, ca, name):
    assert roles.create_ca_certificate_role(name, certificate_file=str(ca.file), token_policies=["web"], token_ttl=1200,
                                            allowed_common_names="web*", display_name="machines").status_code == 204
    role = roles.read_ca_certificate_role(name)["data"]
    assert role["certificate"].strip() == ca.pem.strip()
    assert (role["token_policies"], role["token_ttl"], role["allowed_common_names"]) == (["web"], 1200, ["web*"])
    assert role["display_name"] == "machines"
    assert name in roles.list_certificate_roles()["data"]["keys"]
    assert roles.delete_certificate_role(name).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath):
        roles.read_ca_certificate_role(name)


def test_login(server, roles, pki, ca, name):
    roles.create_ca_certificate_role(name, certificate_file=str(ca.file), token_policies=["web"], token_ttl=1200)
    client, got = log_in(server, pki.make(f"host-{name}", ca), name=name)
    auth = got["auth"]
    assert (auth["policies"], auth["lease_duration"], auth["orphan"]) == (["default", "web"], 1200, True)
    assert (auth["metadata"]["cert_name"], auth["metadata"]["common_name"]) == (name, f"host-{name}")
    assert client.token == auth["client_token"] and client.is_authenticated()
    assert client.auth.token.renew_self()["auth"]["lease_duration"] == 1200
    roles.delete_certificate_role(name)


def test_constraints(server, roles, pki, ca, name):
    roles.create_ca_certificate_role(name, certificate_file=str(ca.file), allowed_common_names="web-*")
    assert log_in(server, pki.make("web-1", ca), name=name)[1]["auth"]
    for stranger in (pki.make("db-1", ca), pki.make("web-1", pki.ca("another authority"))):
        with pytest.raises(hvac.exceptions.InvalidRequest):
            log_in(server, stranger, name=name)
    roles.delete_certificate_role(name)


def test_no_certificate(server, roles, ca, name):
    roles.create_ca_certificate_role(name, certificate_file=str(ca.file))
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        client_of(server, "").adapter.post("/v1/auth/cert/login", json={"name": name})
    assert e.value.errors == ["invalid certificate or no client certificate supplied"]
    roles.delete_certificate_role(name)


def test_config(roles):
    assert roles.configure_tls_certificate(disable_binding=True).status_code == 204
    assert roles.configure_tls_certificate(disable_binding=False).status_code == 204


def test_revocation_lists(server, hv, roles, pki, ca, name):
    """hvac has no calls of its own for them: its generic ones are used."""
    roles.create_ca_certificate_role(name, certificate_file=str(ca.file))
    leaf = pki.make(f"host-{name}", ca)
    client, _ = log_in(server, leaf, name=name)
    assert hv.write_data(f"auth/cert/crls/{name}", data={"crl": certs.crl(ca, leaf).pem}).status_code == 204
    assert hv.read(f"auth/cert/crls/{name}")["data"]["serials"] == {str(leaf.crt.serial_number): {}}
    assert hv.list("auth/cert/crls")["data"]["keys"] == [name]
    for refused in (lambda: log_in(server, leaf, name=name), client.auth.token.renew_self):
        with pytest.raises(hvac.exceptions.InvalidRequest):
            refused()
    hv.delete(f"auth/cert/crls/{name}")
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        hv.read(f"auth/cert/crls/{name}")
    assert e.value.errors == [f"no such CRL {name}"]
    assert log_in(server, leaf, name=name)
    roles.delete_certificate_role(name)
