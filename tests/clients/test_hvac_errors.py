# SPDX-License-Identifier: Apache-2.0
"""What hvac makes of refusals, and how clients that try again get through."""
import hvac
import hvac.exceptions
import pytest
import requests
import urllib3.util
import vaultd

from hvaclib import ca_of, client_of

DENIED = "1 error occurred:\n\t* permission denied\n\n"


@pytest.fixture
def weak(hv, connect):
    return connect(hv.auth.token.create(policies=["default"])["auth"]["client_token"])


def raised(kind, call, *args, **kw):
    with pytest.raises(kind) as e:
        call(*args, **kw)
    assert type(e.value) is kind
    return e.value


def test_invalid_request(hv):
    e = raised(hvac.exceptions.InvalidRequest, hv.adapter.post, "/v1/secret/data/x", json={})
    assert e.errors == ["no data provided"]
    assert str(e).startswith("no data provided, on post https://127.0.0.1:")
    e = raised(hvac.exceptions.InvalidRequest, hv.adapter.post, "/v1/secret/data/x", data=b"{")
    assert e.errors[0].startswith("failed to decode JSON input")


def test_forbidden(weak, connect):
    assert raised(hvac.exceptions.Forbidden, weak.read, "secret/data/x").errors == [DENIED]
    for token in ("", "hvs.nonsense"):
        e = raised(hvac.exceptions.Forbidden, connect(token).read, "secret/data/x")
        assert "permission denied" in e.errors[0]


def test_invalid_path(hv, weak):
    e = raised(hvac.exceptions.InvalidPath, hv.adapter.get, "/v1/nowhere/x")
    assert e.errors == ['no handler for route "nowhere/x". route entry not found.']
    raised(hvac.exceptions.Forbidden, weak.adapter.get, "/v1/nowhere/x")
    e = raised(hvac.exceptions.InvalidPath, hv.adapter.get, "/v1/sys/nothing")
    assert e.errors == ["1 error occurred:\n\t* unsupported path\n\n"]
    assert raised(hvac.exceptions.InvalidPath, hv.adapter.get, "/v1/secret/data/none").json == {"errors": []}


def test_unexpected(hv):
    e = raised(hvac.exceptions.UnexpectedError, hv.adapter.delete, "/v1/sys/init")
    assert e.errors == ["1 error occurred:\n\t* unsupported operation\n\n"]
    e = raised(hvac.exceptions.UnexpectedError, hv.adapter.post, "/v1/secret/data/x",
               json={"data": {"x": "x" * (1 << 20)}})
    assert "request body too large" in e.errors[0]
    e = raised(hvac.exceptions.UnexpectedError, hv.adapter.request, "patch", "/v1/secret/data/x", json={})
    assert e.errors[0].startswith("PATCH requires Content-Type of application/merge-patch+json")


def test_a_session_of_their_own(server):
    session = requests.Session()
    session.verify = ca_of(server)
    client = hvac.Client(url=server.url, token=server.root, session=session)
    assert client.is_authenticated()


def test_a_certificate_nobody_vouches_for(server):
    raised(requests.exceptions.SSLError, hvac.Client(url=server.url, token=server.root).is_authenticated)


def test_raw_adapter(server):
    client = client_of(server, adapter=hvac.adapters.RawAdapter)
    reply = client.adapter.get("/v1/auth/token/lookup-self")
    assert reply.status_code == 200 and reply.headers["Content-Type"] == "application/json"
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_body_with_get(hv):
    """hvac sends one where an endpoint has arguments."""
    assert hv.adapter.get("/v1/auth/token/lookup-self", json={"x": 1})["data"]["policies"] == ["root"]


class UnsealFirst(urllib3.util.Retry):
    """Tries again at once; before the first time the operator comes."""

    def increment(self, *args, **kw):
        if self.server.sealed:
            self.server.sealed = False
            self.server.unseal()
        again = super().increment(*args, **kw)
        again.server = self.server
        return again


def test_retries_until_unsealed(own_server):
    client = client_of(own_server)
    client.secrets.kv.v2.create_or_update_secret(path="x", secret={"k": "v"})
    client.sys.seal()
    raised(hvac.exceptions.VaultDown, client.read, "secret/data/x")
    own_server.sealed = True
    retry = UnsealFirst(total=3, status_forcelist=[503], allowed_methods=None, raise_on_status=False)
    retry.server = own_server
    session = requests.Session()
    session.verify = ca_of(own_server)
    session.mount("https://", requests.adapters.HTTPAdapter(max_retries=retry))
    patient = hvac.Client(url=own_server.url, token=own_server.root, session=session)
    assert patient.read("secret/data/x")["data"]["data"] == {"k": "v"}
    assert own_server.sealed is False


def test_a_restart_between_two_requests(own_server):
    """The pooled connection is dead, the token is not."""
    client = client_of(own_server)
    client.secrets.kv.v2.create_or_update_secret(path="x", secret={"k": "v"})
    own_server.stop()
    own_server.start()
    own_server.unseal()
    assert client.read("secret/data/x")["data"]["data"] == {"k": "v"}


@pytest.fixture
def strict(tmp_path):
    """A vaultd that lets one address ask little."""
    s = vaultd.Server(tmp_path, config={"rate_limit": {
        "requests": 5, "requests_burst": 40, "token": 0, "loopback": True}})
    s.start()
    s.init()
    yield s
    s.stop()


def test_rate_limit(strict):
    client = client_of(strict)
    with pytest.raises(hvac.exceptions.RateLimitExceeded) as e:
        for _ in range(1000):
            client.read("secret/data/none")
    assert e.value.errors == ['request path "secret/data/none": rate limit quota exceeded']
    assert e.value.text and e.value.json == {"errors": e.value.errors}
    # urllib3 obeys Retry-After.
    session = requests.Session()
    session.verify = ca_of(strict)
    retry = urllib3.util.Retry(total=5, status_forcelist=[429], allowed_methods=None)
    session.mount("https://", requests.adapters.HTTPAdapter(max_retries=retry))
    patient = hvac.Client(url=strict.url, token=strict.root, session=session)
    assert [patient.read("secret/data/none") for _ in range(3)] == [None] * 3
