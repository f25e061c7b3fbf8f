# SPDX-License-Identifier: Apache-2.0
"""auth/cert: roles, logins with TLS client certificates, renewal, what net is told to trust."""
import pytest
from cryptography import x509

import certs
import vaultd

NO_CLIENT = "invalid certificate or no client certificate supplied"
NO_CHAIN = "no chain matching all constraints could be found for this login certificate"
LISTS = ["allowed_names", "allowed_common_names", "allowed_dns_sans", "allowed_email_sans", "allowed_uri_sans",
         "allowed_organizational_units", "required_extensions", "allowed_metadata_extensions"]
TOKEN_DEFAULTS = {"token_ttl": 0, "token_max_ttl": 0, "token_explicit_max_ttl": 0, "token_period": 0,
                  "token_num_uses": 0, "token_policies": [], "token_bound_cidrs": [],
                  "token_no_default_policy": False, "token_strictly_bind_ip": False, "token_type": "default"}
OCSP = {"ocsp_enabled": False, "ocsp_ca_certificates": "", "ocsp_servers_override": [], "ocsp_fail_open": False,
        "ocsp_query_all_servers": False}
OID = "1.3.6.1.4.1.55555.1"


@pytest.fixture(scope="module")
def pki(tmp_path_factory):
    return certs.Pki(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def ca(pki):
    return pki.ca("an authority")


@pytest.fixture(scope="module")
def other_ca(pki):
    return pki.ca("another authority")


@pytest.fixture(scope="module")
def web(pki, ca):
    return pki.make("web1", ca, ou=("ops", "db"), ext=[(OID, certs.der_utf8("rack 7"))], san=[
        x509.DNSName("web1.example.org"), x509.RFC822Name("root@example.org"),
        x509.UniformResourceIdentifier("spiffe://example.org/web1")])


@pytest.fixture(scope="module", autouse=True)
def method(server):
    c = server.client()
    assert c.post("sys/auth/cert", {"type": "cert"}).status == 204
    c.close()


@pytest.fixture(autouse=True)
def no_roles(c, method):
    """Each test starts without roles."""
    yield
    assert c.post("auth/cert/config", {"disable_binding": False}).status == 204
    r = c.list("auth/cert/certs")
    for name in r.data["keys"] if r.status == 200 else []:
        assert c.delete(f"auth/cert/certs/{name}").status == 204


def role(c, name, *trusted, **body):
    r = c.post(f"auth/cert/certs/{name}", {"certificate": "".join(t.pem for t in trusted), **body})
    assert r.status == 204, r


def login(server, cert, name=None, mount="cert"):
    c = server.client(token=None, cert=cert.files if cert else None)
    try:
        return c.post(f"auth/{mount}/login", {"name": name} if name else {})
    finally:
        c.close()


def refused(r, text=NO_CLIENT):
    assert (r.status, r.errors) == (400, [text]), r


def renew(server, caller, cert=None, path="auth/token/renew-self", **body):
    c = server.client(token=caller, cert=cert.files if cert else None)
    try:
        return c.post(path, body)
    finally:
        c.close()


# --- roles ----------------------------------------------------------------------------------


def test_role_read_back(c, ca, other_ca):
    assert c.get("auth/cert/certs/web").status == 404
    role(c, "Web", ca, other_ca, allowed_dns_sans="*.a, *.b", token_policies=["web"], token_ttl="30m")
    want = {**TOKEN_DEFAULTS, **OCSP, **{x: [] for x in LISTS}, "certificate": ca.pem + other_ca.pem,
            "display_name": "web", "allowed_dns_sans": ["*.a", "*.b"], "token_policies": ["web"], "token_ttl": 1800}
    assert c.get("auth/cert/certs/web").data == want
    assert c.list("auth/cert/certs").data["keys"] == ["web"]
    assert c.post("auth/cert/certs/web", {"display_name": "The web"}).status == 204
    assert c.get("auth/cert/certs/web").data == {**want, "display_name": "The web"}
    assert c.delete("auth/cert/certs/web").status == 204
    assert c.get("auth/cert/certs/web").status == c.list("auth/cert/certs").status == 404


def test_old_names_are_read_back(c, ca):
    role(c, "old", ca, policies="b,a", lease=60, max_ttl="2h", period=5, bound_cidrs="127.0.0.1/32")
    d = c.get("auth/cert/certs/old").data
    assert d["policies"] == d["token_policies"] == ["a", "b"] and d["token_ttl"] == 60 and "ttl" not in d
    assert d["max_ttl"] == d["token_max_ttl"] == 7200 and d["period"] == d["token_period"] == 5
    assert d["bound_cidrs"] == d["token_bound_cidrs"] == ["127.0.0.1"]
    assert c.post("auth/cert/certs/old", {"token_max_ttl": 7300, "ttl": 61}).status == 204
    d = c.get("auth/cert/certs/old").data
    assert "max_ttl" not in d and d["ttl"] == d["token_ttl"] == 61 and d["policies"] == ["a", "b"]


def damaged(pem):
    head, body, tail = pem.partition("\n")[0], pem.split("\n")[1:-2], "-----END CERTIFICATE-----\n"
    return "\n".join([head, *body[:-2], tail])


BAD_PEM = {
    "nothing": lambda ca: "",
    "text": lambda ca: "not a certificate",
    "der": lambda ca: ca.pem.split("\n")[1],
    "no end": lambda ca: ca.pem.rpartition("-----END")[0],
    "cut": lambda ca: damaged(ca.pem),
    "no base64": lambda ca: ca.pem.replace("\n", "\n!", 2),
    "empty": lambda ca: "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    "no der": lambda ca: "-----BEGIN CERTIFICATE-----\naGFsbG8=\n-----END CERTIFICATE-----\n",
    "one good, one bad": lambda ca: ca.pem + damaged(ca.pem),
}


@pytest.mark.parametrize("what", BAD_PEM)
def test_what_is_no_certificate_is_refused(c, ca, what):
    refused(c.post("auth/cert/certs/bad", {"certificate": BAD_PEM[what](ca)}), "failed to parse certificate")
    assert c.get("auth/cert/certs/bad").status == 404


def test_certificate_is_required_once(c, ca):
    refused(c.post("auth/cert/certs/new", {"token_ttl": 5}), "failed to parse certificate")
    role(c, "new", ca)
    assert c.post("auth/cert/certs/new", {"token_ttl": 5}).status == 204
    refused(c.post("auth/cert/certs/new", {"certificate": ""}), "failed to parse certificate")


def test_text_around_certificates_is_passed_over(server, c, ca, web):
    body = f"Subject: an authority\r\n{ca.pem}".replace("\n", "\r\n") + "# the end\n"
    assert c.post("auth/cert/certs/web", {"certificate": body}).status == 204
    assert c.get("auth/cert/certs/web").data["certificate"] == body
    assert login(server, web).status == 200


def test_a_key_is_not_stored(c, ca):
    r = c.post("auth/cert/certs/bad", {"certificate": ca.pem + ca.key_file.read_text()})
    refused(r, "'certificate' holds something else than certificates")
    assert c.get("auth/cert/certs/bad").status == 404


def test_sizes_are_bounded(c, pki, ca):
    many = [pki.ca(f"authority {i}").pem for i in range(33)]
    refused(c.post("auth/cert/certs/big", {"certificate": "".join(many)}), "'certificate': at most 32 certificates")
    refused(c.post("auth/cert/certs/big", {"certificate": "x" * 65537}), "'certificate': at most 65536 bytes")
    for body, text in (({"allowed_names": ["x"] * 257}, "'allowed_names': at most 256"),
                       ({"allowed_uri_sans": ["x" * 257]},
                        "'allowed_uri_sans': each must be text of at most 256 bytes"),
                       ({"display_name": "x" * 129}, "'display_name' must be text of at most 128 bytes")):
        refused(c.post("auth/cert/certs/big", {"certificate": ca.pem, **body}), text)


@pytest.mark.parametrize("field,value", [
    ("ocsp_enabled", True), ("ocsp_enabled", "true"), ("ocsp_enabled", 1), ("ocsp_fail_open", True),
    ("ocsp_query_all_servers", True), ("ocsp_servers_override", ["http://x"]), ("ocsp_servers_override", "http://x"),
    ("ocsp_ca_certificates", "x")])
def test_ocsp_is_refused(c, ca, field, value):
    refused(c.post("auth/cert/certs/o", {"certificate": ca.pem, field: value}),
            f"'{field}' cannot be set: OCSP is not supported, the vault opens no connections; write a revocation list to "
            "crls/:name instead")


def test_no_ocsp_may_be_said(c, ca):
    role(c, "o", ca, **OCSP)


@pytest.mark.parametrize("field,value", [
    ("required_extensions", "1.2.3"), ("required_extensions", ":x"), ("required_extensions", "a.b:x"),
    ("required_extensions", "hex:1.2"), ("allowed_metadata_extensions", "1..2"),
    ("allowed_metadata_extensions", "name")])
def test_extension_rules_are_checked(c, ca, field, value):
    r = c.post("auth/cert/certs/x", {"certificate": ca.pem, field: [value]})
    assert r.status == 400 and r.errors[0].startswith(f"'{field}': each must be"), r


def test_config(c, server):
    want = {"disable_binding": False, "enable_identity_alias_metadata": False, "ocsp_cache_size": 100}
    assert c.get("auth/cert/config").data == want
    assert c.post("auth/cert/config", {"enable_identity_alias_metadata": True}).status == 204
    assert c.get("auth/cert/config").data == {**want, "enable_identity_alias_metadata": True}
    assert c.post("auth/cert/config", {"enable_identity_alias_metadata": False, "ocsp_cache_size": 200}).status == 204
    assert c.get("auth/cert/config").data == {**want, "ocsp_cache_size": 200}
    refused(c.post("auth/cert/config", {"ocsp_cache_size": 1}), "invalid cache size, must be >= 2 and <= 100000")


# --- logins ---------------------------------------------------------------------------------


def test_login_by_an_authority(server, c, ca, web):
    role(c, "web", ca, token_policies=["web"], display_name="The Web", allowed_metadata_extensions=[OID, "1.2.3"])
    r = login(server, web)
    assert r.status == 200, r
    auth = r.json["auth"]
    assert auth["metadata"] == {
        "cert_name": "web", "common_name": "web1", "serial_number": str(web.crt.serial_number),
        "subject_key_id": certs.colons(web.extension(x509.SubjectKeyIdentifier).digest),
        "authority_key_id": certs.colons(web.extension(x509.AuthorityKeyIdentifier).key_identifier),
        OID.replace(".", "-"): "rack 7"}
    assert auth["policies"] == ["default", "web"] and auth["orphan"] and auth["renewable"]
    me = server.client(token=auth["client_token"]).get("auth/token/lookup-self").data
    assert (me["display_name"], me["path"]) == ("cert-The Web", "auth/cert/login")
    assert me["meta"] == auth["metadata"]


def test_no_key_identifiers(server, c, pki, ca):
    role(c, "web", ca)
    meta = login(server, pki.make("bare", ca, key_ids=False)).json["auth"]["metadata"]
    assert meta["subject_key_id"] == meta["authority_key_id"] == ""


def test_through_an_intermediate(server, c, pki, ca):
    middle = pki.ca("middle", issuer=ca)
    leaf = pki.make("deep", middle)
    role(c, "web", ca)
    refused(login(server, leaf))
    assert login(server, leaf.show(middle)).status == 200
    assert c.delete("auth/cert/certs/web").status == 204
    role(c, "middle", middle)
    assert login(server, leaf).status == 200, "an intermediate is trusted by itself"


def test_a_pinned_certificate(server, c, pki, ca, web):
    role(c, "pin", web)
    assert login(server, web).json["auth"]["metadata"]["cert_name"] == "pin"
    refused(login(server, pki.make("web1", ca, key=web.key, serial=web.crt.serial_number)))


def test_a_chain_is_not_pinned(c, ca, web):
    for body in (web.pem + ca.pem, ca.pem + web.pem):
        refused(c.post("auth/cert/certs/pin", {"certificate": body}),
                "'certificate' must be certificates of CAs, or one certificate of a client alone")


def test_a_pinned_certificate_is_for_clients(server, c, pki, ca):
    server_only = pki.make("srv", ca, eku=(certs.SERVER,))
    refused(c.post("auth/cert/certs/pin", {"certificate": server_only.pem}),
            "nonCA certificates should have TLS client authentication set as an extended key usage")
    role(c, "pin", pki.make("any", ca, eku=()))


def test_whoever_is_not_vouched_for(server, c, pki, ca, other_ca, web):
    role(c, "web", ca)
    refused(login(server, None))
    refused(login(server, pki.make("web1", other_ca)))
    refused(login(server, pki.make("web1")))
    refused(login(server, pki.make("web1", ca, days=(-30, -1))))
    refused(login(server, pki.make("web1", ca, days=(1, 30))))
    refused(login(server, pki.make("web1", ca, eku=(certs.SERVER,))))
    assert login(server, web).status == 200


def test_lists_narrow(server, c, ca, web):
    good = {"allowed_names": ["web*", "none"], "allowed_common_names": "none,web1", "allowed_dns_sans": "*.example.org",
            "allowed_email_sans": "*@example.org", "allowed_uri_sans": ["spiffe://*/web1"],
            "allowed_organizational_units": "db", "required_extensions": f"{OID}:rack *,hex:{OID}:0c06*37"}
    bad = {"allowed_names": ["WEB1"], "allowed_common_names": "web", "allowed_dns_sans": "web1",
           "allowed_email_sans": "*@example.com", "allowed_uri_sans": "spiffe://*/web",
           "allowed_organizational_units": "d", "required_extensions": f"{OID}:rack *,1.2.3:*"}
    role(c, "web", ca, **good)
    assert login(server, web).status == login(server, web, "WEB").status == 200
    for field in bad:
        role(c, "web", ca, **{**good, field: bad[field]})
        refused(login(server, web), NO_CHAIN)
        refused(login(server, web, "web"), NO_CHAIN)
    role(c, "web", ca, **good)
    assert login(server, web).status == 200


def test_allowed_names_are_of_three_kinds(server, c, ca, web):
    for pattern in ("web1", "*.example.org", "root@*"):
        role(c, "web", ca, allowed_names=pattern)
        assert login(server, web).status == 200, pattern
    role(c, "web", ca, allowed_names="spiffe:*")
    refused(login(server, web), NO_CHAIN)


def test_the_first_role_by_name_counts(server, c, ca, other_ca, web):
    role(c, "c", ca)
    role(c, "b", ca, other_ca)
    role(c, "a", other_ca)
    role(c, "aa", ca, allowed_common_names="other")
    assert login(server, web).json["auth"]["metadata"]["cert_name"] == "b"
    assert login(server, web, "c").json["auth"]["metadata"]["cert_name"] == "c"
    refused(login(server, web, "a"))
    refused(login(server, web, "aa"), NO_CHAIN)
    for name in ("unknown", "Bad Name", "../b"):
        refused(login(server, web, name))


def test_many_roles(server, c, ca, web):
    """More than one slice of a search."""
    for i in range(100):
        role(c, f"r{i:03}", ca, allowed_common_names=["web1" if i in (41, 83) else "other"])
    assert login(server, web).json["auth"]["metadata"]["cert_name"] == "r041"
    assert c.delete("auth/cert/certs/r041").status == 204
    assert login(server, web).json["auth"]["metadata"]["cert_name"] == "r083"
    assert c.delete("auth/cert/certs/r083").status == 204
    refused(login(server, web), NO_CHAIN)


def test_addresses(server, c, ca, web):
    role(c, "web", ca, token_bound_cidrs="10.0.0.0/8")
    r = login(server, web)
    assert (r.status, r.errors) == (403, ["permission denied"])
    role(c, "web", ca, token_bound_cidrs="127.0.0.0/8")
    assert login(server, web).status == 200


def test_root_cannot_be_given(server, c, ca, web):
    role(c, "web", ca, token_policies="root")
    refused(login(server, web), "auth methods cannot create root tokens")


def test_a_token_is_not_tied_to_the_connection(server, c, ca, web):
    role(c, "web", ca)
    token = login(server, web).json["auth"]["client_token"]
    assert server.client(token=token).get("auth/token/lookup-self").status == 200


# --- renewal --------------------------------------------------------------------------------


def test_renewal_needs_the_same_certificate(server, c, pki, ca, web):
    role(c, "web", ca, token_ttl="10m")
    token = login(server, web).json["auth"]["client_token"]
    assert renew(server, token, web).status == 200
    sibling = pki.make("web1", ca, ou=("ops", "db"))
    assert login(server, sibling).status == 200
    refused(renew(server, token, sibling),
            "client identity during renewal not matching client identity used during login")
    refused(renew(server, token))
    refused(renew(server, c.token, path="auth/token/renew", token=token))
    assert renew(server, c.token, web, path="auth/token/renew", token=token).status == 200


def test_renewal_without_binding(server, c, ca, web):
    role(c, "web", ca, token_ttl="10m")
    token = login(server, web).json["auth"]["client_token"]
    assert c.post("auth/cert/config", {"disable_binding": True}).status == 204
    assert renew(server, token).status == 200
    assert c.post("auth/cert/config", {"disable_binding": False}).status == 204
    refused(renew(server, token))


@pytest.mark.parametrize("bound", [True, False])
def test_renewal_asks_the_role_again(server, c, ca, web, bound):
    assert c.post("auth/cert/config", {"disable_binding": not bound}).status == 204
    role(c, "web", ca, token_policies="web", token_ttl="10m")
    token = login(server, web).json["auth"]["client_token"]
    role(c, "web", ca, token_policies="other")
    refused(renew(server, token, web), "policies have changed, not renewing")
    role(c, "web", ca, token_policies="web", token_ttl="20m")
    assert renew(server, token, web).status == 200
    assert c.delete("auth/cert/certs/web").status == 204
    refused(renew(server, token, web), "the certificate role of the login is gone")


def test_renewal_by_a_role_that_trusts_another(server, c, ca, other_ca, web):
    role(c, "web", ca)
    token = login(server, web).json["auth"]["client_token"]
    role(c, "web", other_ca)
    refused(renew(server, token, web))
    role(c, "web", ca, allowed_common_names="web2")
    refused(renew(server, token, web), NO_CHAIN)


# --- what net trusts ------------------------------------------------------------------------


def test_trust_follows_the_roles_at_once(server, c, ca, other_ca, web):
    conn = server.client(token=None, cert=web.files)
    refused(conn.post("auth/cert/login"))
    for _ in range(3):
        role(c, "web", ca)
        assert conn.post("auth/cert/login").status == 200
        role(c, "web", other_ca)
        refused(conn.post("auth/cert/login"))
        role(c, "web2", ca)
        assert conn.post("auth/cert/login").status == 200
        assert c.delete("auth/cert/certs/web2").status == 204
        refused(conn.post("auth/cert/login"))
    conn.close()


def test_a_refused_write_changes_nothing(server, c, ca, other_ca, web):
    role(c, "web", ca)
    r = c.post("auth/cert/certs/web", {"certificate": other_ca.pem, "token_ttl": -1})
    assert r.status == 400
    assert login(server, web).status == 200
    assert c.get("auth/cert/certs/web").data["certificate"] == ca.pem


def test_mounts_are_apart(server, c, ca, web):
    assert c.post("sys/auth/two", {"type": "cert"}).status == 204
    role(c, "web", ca)
    refused(login(server, web, mount="two"))
    refused(login(server, web, "web", mount="two"))
    assert c.post("auth/two/certs/second", {"certificate": ca.pem}).status == 204
    r = login(server, web, mount="two")
    assert r.json["auth"]["metadata"]["cert_name"] == "second"
    token = r.json["auth"]["client_token"]
    assert c.delete("sys/auth/two").status == 204
    assert server.client(token=token).get("auth/token/lookup-self").status == 403
    assert login(server, web).status == 200, "the other mount's role trusts it still"
    assert c.post("sys/auth/two", {"type": "cert"}).status == 204
    refused(login(server, web, mount="two"))
    assert c.list("auth/two/certs").status == 404
    assert c.delete("sys/auth/two").status == 204


def test_across_seal_and_restart(own_server, pki, ca, web):
    s = own_server
    c = s.client()
    assert c.post("sys/auth/cert", {"type": "cert"}).status == 204
    role(c, "web", ca)
    assert login(s, web).status == 200
    conn = s.client(token=None, cert=web.files)
    assert conn.post("auth/cert/login").status == 200
    assert c.post("sys/seal").status == 204
    assert conn.post("auth/cert/login").status == 503
    s.unseal()
    assert conn.post("auth/cert/login").status == 200
    assert c.delete("auth/cert/certs/web").status == 204
    role(c, "again", ca)
    s.kill_role("net")
    vaultd.wait_for("another net", lambda: serves(s))
    assert login(s, web).json["auth"]["metadata"]["cert_name"] == "again"
    s.kill_role("core")
    s.wait_sealed()
    s.unseal()
    assert login(s, web).json["auth"]["metadata"]["cert_name"] == "again"


def serves(s):
    try:
        return s.client(token=None).get("sys/health").status == 200
    except OSError:
        return False


def test_vaultctl(own_server, tmp_path, ca, web):
    s = own_server
    s.ctl("auth", "enable", "cert")
    s.ctl("cert", "write", "web", ca.file, "--token-policies", "web")
    assert s.ctl_json("cert", "list")["data"]["keys"] == ["web"]
    assert s.ctl_json("cert", "read", "web")["data"]["token_policies"] == ["web"]
    p = s.ctl("login", "--method", "cert", "--client-cert", web.file, "--client-key", web.key_file, token=None)
    assert "web" in p.stdout, p.stdout
    s.ctl("cert", "delete", "web", "--yes")
    p = s.ctl("login", "--method", "cert", "--client-cert", web.file, "--client-key", web.key_file, token=None,
              check=False)
    assert p.returncode != 0 and NO_CLIENT in p.stderr
