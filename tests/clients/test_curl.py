# SPDX-License-Identifier: Apache-2.0
"""curl as people and shell scripts use it: with the certificate that vaultd made, and no flag to ignore it."""
import json
import subprocess

import pytest

from hvaclib import ca_of


@pytest.fixture
def curl(server):
    def run(*args, token=server.root, stdin=None, check=True):
        """(status, body); arguments that begin with "v1/" become URLs."""
        argv = ["curl", "--silent", "--show-error", "--cacert", ca_of(server), "--max-time", "30",
                "--write-out", "\n%{http_code}"]
        if token:
            argv += ["--header", f"X-Vault-Token: {token}"]
        argv += [f"{server.url}/{a}" if a.startswith("v1/") else a for a in args]
        p = subprocess.run(argv, input=stdin, capture_output=True, timeout=60)
        if check:
            assert p.returncode == 0, p.stderr
        body, _, status = p.stdout.rpartition(b"\n")
        return int(status), body

    return run


def data(reply, status=200):
    assert reply[0] == status, reply
    return json.loads(reply[1])["data"]


def test_trust(server, curl):
    assert curl("v1/sys/health", token=None)[0] == 200
    p = subprocess.run(["curl", "-s", f"{server.url}/v1/sys/health"], capture_output=True, timeout=30)
    assert p.returncode == 60, "without --cacert: peer certificate cannot be authenticated"


def test_localhost_is_another_name(server, curl):
    assert curl(f"https://localhost:{server.port}/v1/sys/health", token=None)[0] == 200


def test_post_without_a_content_type_of_its_own(curl, name):
    """-d says it is a form; it is JSON all the same."""
    assert data(curl("-d", '{"data":{"k":"v"}}', f"v1/secret/data/{name}"))["version"] == 1
    assert data(curl(f"v1/secret/data/{name}"))["data"] == {"k": "v"}


def test_put_from_stdin(curl, name):
    """-T sends PUT, chunked, without a Content-Type."""
    assert data(curl("-T", "-", f"v1/secret/data/{name}", stdin=b'{"data":{"n":1}}'))["version"] == 1
    assert data(curl(f"v1/secret/data/{name}"))["data"] == {"n": 1}


def test_a_form(curl, name):
    status, body = curl("-d", "ttl=1h", "-d", "policies=default", "v1/auth/token/create")
    assert status == 200 and json.loads(body)["auth"]["lease_duration"] == 3600


def test_list(curl, name):
    curl("-d", '{"data":{}}', f"v1/secret/data/{name}/a")
    assert data(curl("-X", "LIST", f"v1/secret/metadata/{name}"))["keys"] == ["a"]
    assert data(curl(f"v1/secret/metadata/{name}?list=true"))["keys"] == ["a"]


def test_patch(curl, name):
    curl("-d", '{"data":{"a":1}}', f"v1/secret/data/{name}")
    patch = ("-X", "PATCH", "-d", '{"data":{"b":2}}', f"v1/secret/data/{name}")
    assert curl(*patch)[0] == 415
    assert data(curl("-H", "Content-Type: application/merge-patch+json", *patch))["version"] == 2


def test_delete(curl, name):
    curl("-d", '{"data":{"a":1}}', f"v1/secret/data/{name}")
    assert curl("-X", "DELETE", f"v1/secret/data/{name}") == (204, b"")
    assert data(curl(f"v1/secret/data/{name}"), 404)["data"] is None


def test_bearer(server, curl):
    status, body = curl("-H", f"Authorization: Bearer {server.root}", "v1/auth/token/lookup-self", token=None)
    assert status == 200 and json.loads(body)["data"]["policies"] == ["root"]
    assert curl("v1/auth/token/lookup-self", token=None)[0] == 403


def test_head(curl):
    status, head = curl("--head", "v1/sys/health", token=None)
    assert status == 200
    assert b"content-type: application/json\r\n" in head.lower()
    assert b"cache-control: no-store\r\n" in head.lower()
    assert curl("--head", "v1/sys/health?activecode=299", token=None)[0] == 299


def test_one_connection_serves_many(server):
    p = subprocess.run(["curl", "-sS", "--cacert", ca_of(server), "--write-out", "%{http_code} %{num_connects}\n",
                        *["-o", "/dev/null", f"{server.url}/v1/sys/health"] * 10], capture_output=True, text=True,
                       timeout=60)
    assert p.stdout.splitlines() == ["200 1"] + ["200 0"] * 9


def test_expect_100_continue(curl, name):
    """What curl does before a large body."""
    big = json.dumps({"data": {"k": "x" * 300_000}}).encode()
    assert data(curl("-H", "Expect: 100-continue", "--data-binary", "@-", f"v1/secret/data/{name}", stdin=big))[
        "version"] == 1


def test_too_large(curl, name):
    big = json.dumps({"data": {"k": "x" * (1 << 20)}}).encode()
    status, body = curl("--data-binary", "@-", f"v1/secret/data/{name}", stdin=big)
    assert (status, json.loads(body)) == (413, {"errors": ["http: request body too large"]})


def test_compressed(curl):
    """An encoding that was offered need not be used."""
    status, body = curl("--compressed", "v1/sys/health", token=None)
    assert status == 200 and json.loads(body)["initialized"] is True


def test_paths_are_sent_as_they_are(curl):
    assert curl("--path-as-is", "v1/secret/data/a/../b")[0] == 400
    assert curl("v1/secret/data/%2e%2e/b")[0] == 400


@pytest.mark.parametrize("version", ["--http1.0", "--http1.1", "--http2"])
def test_versions_of_http(curl, version):
    assert curl(version, "v1/sys/health", token=None)[0] == 200


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_versions_of_tls(curl, version):
    assert curl(f"--tlsv{version}", "--tls-max", version, "v1/sys/health", token=None)[0] == 200


def test_old_tls_is_refused(server):
    p = subprocess.run(["curl", "-sS", "--cacert", ca_of(server), "--tlsv1.0", "--tls-max", "1.1", "--ciphers",
                        "DEFAULT@SECLEVEL=0", f"{server.url}/v1/sys/health"], capture_output=True, timeout=30)
    assert p.returncode == 35, p.stderr
