# SPDX-License-Identifier: Apache-2.0
"""vaultctl over the whole API: engines, methods, users, tokens, any path."""
import json
import os
import subprocess

import pytest

import vaultd
from vaultd import BIN


class Ctl:
    """vaultctl with a home of its own."""

    def __init__(self, server, home, token=None):
        self.env = {"PATH": os.environ["PATH"], "HOME": str(home), "VAULT_ADDR": server.url, "TERM": "dumb",
                    "VAULT_PIN": server.pin}
        if token:
            self.env["VAULT_TOKEN"] = token

    def run(self, *args, stdin=""):
        return subprocess.run([BIN / "vaultctl", *args], env=self.env, input=stdin, text=True, capture_output=True,
                              timeout=60, check=False)

    def ok(self, *args, stdin=""):
        r = self.run(*args, stdin=stdin)
        assert r.returncode == 0, (args, r.stdout, r.stderr)
        return r.stdout

    def json(self, *args, stdin=""):
        return json.loads(self.ok(*args, "--format=json", stdin=stdin))


@pytest.fixture
def ctl(server, tmp_path):
    return Ctl(server, tmp_path, server.root)


@pytest.fixture
def anonymous(server, tmp_path):
    return Ctl(server, tmp_path)


def test_engines(ctl):
    ctl.ok("secrets", "enable", "kv", "--path", "team/two", "--version", "2", "--description", "of the team")
    assert "team/two/" in ctl.ok("secrets", "list")
    entry = ctl.json("secrets", "list")["team/two/"]
    assert (entry["type"], entry["options"], entry["description"]) == ("kv", {"version": "2"}, "of the team")
    ctl.ok("secrets", "tune", "team/two", "--max-lease-ttl", "2h")
    assert ctl.json("secrets", "tune", "team/two")["data"]["max_lease_ttl"] == 7200
    ctl.ok("kv", "put", "team/two/app", "pw", stdin="x\n")
    ctl.ok("secrets", "move", "team/two", "team/three")
    assert ctl.ok("kv", "get", "team/three/app", "--field", "pw").strip() == "x"
    ctl.ok("secrets", "move", "team/three", "team/two")
    r = ctl.run("secrets", "disable", "team/two")
    assert r.returncode == 2 and "--yes" in r.stderr
    ctl.ok("secrets", "disable", "team/two", "--yes")
    assert "team/two/" not in ctl.ok("secrets", "list")
    r = ctl.run("secrets", "enable", "nosuch")
    assert r.returncode == 3 and "plugin not found in the catalog: nosuch" in r.stderr


def test_any_path(ctl):
    out = ctl.json("write", "secret/data/any", "-", stdin='{"data": {"n": 1234567890123456789, "s": "x"}}')
    assert out["data"]["version"] == 1
    assert ctl.ok("read", "secret/data/any", "--field", "s").strip() == "x"
    ctl.ok("write", "secret/metadata/any", "max_versions:=3", 'custom_metadata:={"a": "b"}')
    meta = ctl.json("read", "secret/metadata/any")["data"]
    assert (meta["max_versions"], meta["custom_metadata"]) == (3, {"a": "b"})
    assert "any" in ctl.ok("list", "secret/metadata").splitlines()
    r = ctl.run("write", "secret/data/any", "data=hunter2")
    assert r.returncode == 2 and "hunter2" not in r.stderr
    assert ctl.run("delete", "secret/metadata/any").returncode == 2
    ctl.ok("delete", "secret/metadata/any", "--yes")
    assert ctl.run("read", "secret/metadata/any").returncode == 5


def test_wrapping_what_a_command_is_about(ctl):
    """Not what it asks beside that, and needs to read itself."""
    ctl.ok("kv", "put", "secret/wrapped", "pw", stdin="hidden\n")
    wrap = ("--wrap-ttl", "60s")
    for args, inner in ((("kv", "get", "secret/wrapped"), lambda d: d["data"]["data"] == {"pw": "hidden"}),
                        (("kv", "list", "secret"), lambda d: "wrapped" in d["data"]["keys"]),
                        (("kv", "metadata", "secret/wrapped"), lambda d: d["data"]["current_version"] == 1),
                        (("kv", "put", "secret/wrapped2", "@/dev/stdin"), lambda d: d["data"]["version"] >= 1),
                        (("read", "secret/data/wrapped"), lambda d: d["data"]["data"] == {"pw": "hidden"})):
        out = ctl.json(*args, *wrap, stdin="{}")
        assert out["data"] is None, args
        assert inner(ctl.json("unwrap", stdin=out["wrap_info"]["token"])), args
        assert "hidden" not in ctl.ok(*args, *wrap, stdin="{}"), args
    assert "secret/" in ctl.ok("secrets", "list", *wrap)
    assert "default" in ctl.ok("policy", "list", *wrap)


def test_version_history(ctl):
    title, first = ctl.ok("operator", "version-history").splitlines()
    version, = ctl.json("operator", "version-history")["data"]["keys"]
    assert title.split() == ["VERSION", "INSTALLED", "BUILT"] and first.split()[0] == version and len(first.split()) == 3


def test_scan(ctl):
    for path in ("scanned/a", "scanned/b/c", "scanned/b/d/e"):
        ctl.ok("kv", "put", "secret/" + path, "pw", stdin="x\n")
    below = ["a", "b/c", "b/d/e"]
    assert ctl.ok("kv", "scan", "secret/scanned").split() == below
    assert ctl.ok("scan", "secret/metadata/scanned").split() == below
    assert ctl.ok("kv", "list", "secret/scanned").split() == ["a", "b/"]
    assert ctl.ok("list", "secret/detailed-metadata/scanned").split() == ["a", "b/"]
    assert ctl.json("scan", "secret/detailed-metadata/scanned")["data"]["key_info"]["b/c"]["current_version"] == 1


def test_numbers_stay_as_they_are(ctl):
    text = '{"a":18446744073709551616,"b":0.10,"c":1e400,"d":[-9223372036854775809,1.5],"e":7,"f":"0.10"}'
    ctl.ok("write", "secret/data/numbers", "-", stdin='{"data": %s}' % text)
    for args in (("read", "secret/data/numbers"), ("kv", "get", "secret/numbers")):
        out = ctl.ok(*args, "--format=json")
        assert text in "".join(out.split()), out
    for field, value in (("a", "18446744073709551616"), ("b", "0.10"), ("c", "1e400"), ("e", "7"), ("f", "0.10")):
        assert ctl.ok("kv", "get", "secret/numbers", "--field", field).strip() == value
        assert ctl.ok("read", "secret/data/numbers", "--field", field).strip() == value
    assert "1e400" in ctl.ok("kv", "get", "secret/numbers", "--reveal")
    ctl.ok("write", "secret/metadata/numbers", "max_versions:=3")
    assert ctl.json("read", "secret/metadata/numbers")["data"]["max_versions"] == 3
    long = '{"k": "%s"}' % ("v" * 9000)
    ctl.ok("write", "secret/data/long", "-", stdin='{"data": {"o": %s}}' % long)
    assert json.loads(ctl.ok("kv", "get", "secret/long", "--field", "o")) == json.loads(long)


def test_password_policies(ctl, tmp_path):
    text = 'length = 12\nrule "charset" { charset = "xyz" min-chars = 1 }\n'
    file = tmp_path / "p.hcl"
    file.write_text(text)
    ctl.ok("password-policy", "write", "short", file)
    ctl.ok("password-policy", "write", "other", stdin=text)
    assert ctl.ok("password-policy", "read", "short") == text
    assert ctl.ok("password-policy", "list").split() == ["other", "short"]
    made = ctl.json("password-policy", "generate", "short")["data"]["password"]
    assert len(made) == 12 and set(made) <= set("xyz")
    r = ctl.run("password-policy", "write", "short", stdin="length = 12")
    assert r.returncode == 3 and "no charset specified" in r.stderr
    ctl.ok("password-policy", "delete", "other")
    assert ctl.ok("password-policy", "list").split() == ["short"]
    assert ctl.run("password-policy", "generate", "other").returncode == 5


def test_version_1_and_cubbyhole(ctl):
    ctl.ok("secrets", "enable", "kv", "--path", "one", "--version", "1")
    ctl.ok("write", "one/app/db", "pw", "port:=5432", stdin="x\n")
    assert ctl.ok("list", "one/app").split() == ["db"]
    assert ctl.json("read", "one/app/db")["data"] == {"pw": "x", "port": 5432}
    ctl.ok("delete", "one/app/db", "--yes")
    assert ctl.run("read", "one/app/db").returncode == 5
    ctl.ok("write", "cubbyhole/mine", "pw", stdin="y\n")
    assert ctl.ok("read", "cubbyhole/mine", "--field", "pw").strip() == "y"


def test_secrets_without_versions(ctl):
    ctl.ok("secrets", "enable", "kv", "--path", "plain", "--version", "1")
    ctl.ok("kv", "put", "plain/app/db", "pw", stdin="x\n")
    assert ctl.ok("kv", "get", "plain/app/db", "--field", "pw").strip() == "x"
    assert ctl.json("kv", "get", "plain/app/db")["data"] == {"pw": "x"}
    assert ctl.ok("kv", "get", "plain/app/db").split() == ["pw", "x"]
    assert ctl.ok("kv", "list", "plain").split() == ["app/"]
    for args in (("metadata", "plain/app/db"), ("delete", "plain/app/db", "1"), ("undelete", "plain/app/db", "1"),
                 ("destroy", "plain/app/db", "1", "--yes"), ("get", "plain/app/db", "--version", "1"),
                 ("put", "plain/app/db", "@/dev/null", "--cas", "0")):
        r = ctl.run("kv", *args)
        assert r.returncode != 0 and ("keeps no versions" in r.stderr or "JSON" in r.stderr), (args, r.stderr)
    ctl.ok("kv", "delete", "plain/app/db")
    assert ctl.run("kv", "get", "plain/app/db").returncode == 5
    ctl.ok("kv", "put", "plain/app/db", "pw", stdin="x\n")
    ctl.ok("kv", "purge", "plain/app/db", "--yes")
    assert ctl.run("kv", "get", "plain/app/db").returncode == 5


def test_patch(ctl):
    ctl.ok("write", "secret/data/patched", "-", stdin='{"data": {"a": "1", "b": "2"}}')
    ctl.ok("patch", "secret/data/patched", "-", stdin='{"data": {"b": null, "c": "3"}}')
    assert ctl.json("read", "secret/data/patched")["data"]["data"] == {"a": "1", "c": "3"}


def test_users_log_in(ctl, anonymous):
    ctl.ok("auth", "enable", "userpass", "--path", "people")
    try:
        ctl.ok("user", "write", "ann", "--mount", "people", "--token-ttl", "1h", stdin="correct\n")
        assert ctl.ok("user", "list", "--mount", "people").split() == ["ann"]
        out = anonymous.ok("login", "--method", "userpass", "--mount", "people", "--user", "ann", stdin="correct\n")
        assert "vlt_" not in out
        kept = os.path.join(anonymous.env["HOME"], ".vault-token")
        assert os.stat(kept).st_mode & 0o777 == 0o600
        assert anonymous.json("token", "lookup")["data"]["display_name"] == "people-ann"
        r = anonymous.run("login", "--method", "userpass", "--mount", "people", "--user", "ann", stdin="wrong\n")
        assert r.returncode == 3 and "invalid username or password" in r.stderr
        ctl.ok("user", "write", "ann", "--mount", "people", "--keep-password", "--token-ttl", "2h")
        assert ctl.json("user", "read", "ann", "--mount", "people")["data"]["token_ttl"] == 7200
        ctl.ok("user", "password", "ann", "--mount", "people", stdin="new\n")
        for _ in range(5):
            anonymous.run("login", "--method", "userpass", "--mount", "people", "--user", "ann", stdin="wrong\n")
        assert ctl.ok("user", "locked").split() == ["ann"]
        ctl.ok("user", "unlock", "ann", "--mount", "people")
        anonymous.ok("login", "--method", "userpass", "--mount", "people", "--user", "ann", stdin="new\n")
        anonymous.ok("logout")
        assert not os.path.exists(kept)
        ctl.ok("user", "delete", "ann", "--mount", "people", "--yes")
    finally:
        ctl.ok("auth", "disable", "people", "--yes")


def test_login_wants_what_the_method_needs(anonymous):
    for args, text in ((["--method", "userpass"], "--user"), (["--method", "approle"], "--role-id"),
                       (["--method", "cert"], "--client-cert"), (["--method", "ldap"], "none of token")):
        r = anonymous.run("login", *args, stdin="x\n")
        assert r.returncode == 2 and text in r.stderr, r


def test_tokens(ctl):
    made = ctl.json("token", "create", "--policy", "default", "--ttl", "1h", "--use-limit", "9", "--not-renewable",
                    "--meta", '{"who": "ci"}')["auth"]
    assert (made["policies"], made["lease_duration"], made["num_uses"], made["renewable"], made["metadata"]) == \
        (["default"], 3600, 9, False, {"who": "ci"})
    assert made["accessor"] in ctl.ok("token", "list").split()
    assert ctl.json("token", "capabilities", "secret/data/x") == {"secret/data/x": ["root"]}
    ctl.ok("token", "revoke", made["accessor"])
    assert made["accessor"] not in ctl.ok("token", "list").split()
    r = ctl.run("token", "create", "--role", "x", "--orphan")
    assert r.returncode == 2


def test_variables_set_to_nothing_are_not_set(ctl):
    ctl.env |= {name: "" for name in ("VAULT_CACERT", "VAULT_CLIENT_CERT", "VAULT_CLIENT_KEY", "VAULT_WRAP_TTL")}
    assert ctl.json("status")["sealed"] is False


def test_token_roles(ctl):
    ctl.ok("token-role", "write", "ci", "--allowed-policies", "default", "--token-period", "1h", "--orphan")
    assert "ci" in ctl.ok("token-role", "list").split()
    role = ctl.json("token-role", "read", "ci")["data"]
    assert (role["allowed_policies"], role["token_period"], role["orphan"]) == (["default"], 3600, True)
    made = ctl.json("token", "create", "--role", "ci", "--policy", "default")["auth"]
    assert made["lease_duration"] == 3600 and made["orphan"]
    r = ctl.run("token", "create", "--role", "ci", "--policy", "root")
    assert r.returncode == 3
    ctl.ok("token-role", "delete", "ci", "--yes")
    assert ctl.run("token-role", "read", "ci").returncode == 5


def test_approle(ctl, anonymous):
    ctl.ok("auth", "enable", "approle", "--path", "machines")
    at = ("--mount", "machines")
    try:
        ctl.ok("approle", "write", "web", "--secret-id-ttl", "1h", "--token-ttl", "5m", *at)
        assert ctl.ok("approle", "list", *at).split() == ["web"]
        assert ctl.json("approle", "read", "web", *at)["data"]["token_ttl"] == 300
        role_id = ctl.json("approle", "role-id", "web", *at)["data"]["role_id"]
        made = ctl.json("approle", "secret-id", "web", "--metadata", '{"host": "h1"}', *at)["data"]
        assert ctl.ok("approle", "secret-ids", "web", *at).split() == [made["secret_id_accessor"]]
        login = ("login", "--method", "approle", "--role-id", role_id, *at)
        out = anonymous.ok(*login, stdin=made["secret_id"] + "\n")
        assert made["secret_id"] not in out and "vlt_" not in out
        assert anonymous.json("token", "lookup")["data"]["meta"] == {"role_name": "web", "host": "h1"}
        ctl.ok("approle", "revoke", "web", made["secret_id_accessor"], *at)
        r = anonymous.run(*login, stdin=made["secret_id"] + "\n")
        assert r.returncode == 3 and made["secret_id"] not in r.stderr
        ctl.ok("approle", "delete", "web", "--yes", *at)
    finally:
        ctl.ok("auth", "disable", "machines", "--yes")


def test_a_login_can_be_revoked_by_prefix(ctl, anonymous):
    ctl.ok("auth", "enable", "userpass", "--path", "gone")
    ctl.ok("user", "write", "ann", "--mount", "gone", stdin="pw\n")
    anonymous.ok("login", "--method", "userpass", "--mount", "gone", "--user", "ann", stdin="pw\n")
    assert ctl.run("lease", "revoke-prefix", "auth/gone").returncode == 2
    ctl.ok("lease", "revoke-prefix", "auth/gone", "--yes")
    assert anonymous.run("token", "lookup").returncode == 4
    ctl.ok("auth", "disable", "gone", "--yes")


def test_wrapping(ctl, anonymous):
    wrapped = ctl.json("wrap", "pw", "note:=hello", "--wrap-ttl", "60s", stdin="s3cret\n")["wrap_info"]
    assert wrapped["ttl"] == 60 and "s3cret" not in json.dumps(wrapped)
    token = wrapped["token"] + "\n"
    assert anonymous.json("wrap", "lookup", stdin=token)["data"]["creation_path"] == "sys/wrapping/wrap"
    assert anonymous.json("unwrap", stdin=token)["data"] == {"pw": "s3cret", "note": "hello"}
    r = anonymous.run("unwrap", stdin=token)
    assert r.returncode == 3 and wrapped["token"] not in r.stderr
    out = ctl.json("token", "create", "--policy", "default", "--wrap-ttl", "1m")
    assert out["auth"] is None and out["wrap_info"]["wrapped_accessor"]


@pytest.fixture
def quorum(tmp_path):
    server = vaultd.Server(tmp_path)
    server.start()
    server.init(shares=3, threshold=2)
    yield server, Ctl(server, tmp_path, server.root)
    server.stop()


def test_new_shares_and_root_token(quorum):
    server, ctl = quorum
    lines = "\n".join(server.shares[:2]) + "\n"
    out = ctl.json("operator", "rekey", "--key-shares", "2", "--key-threshold", "2", stdin=lines)
    fresh = "\n".join(out["keys_base64"]) + "\n"
    assert len(out["keys_base64"]) == 2
    token = ctl.json("operator", "generate-root", stdin=fresh)["root_token"]
    assert server.client(token).get("auth/token/lookup-self").data["policies"] == ["root"]
    r = ctl.run("operator", "generate-root", stdin=lines)
    assert r.returncode != 0
    ctl.ok("operator", "generate-root", "--cancel")
    ctl.ok("operator", "rotate-key")
    assert ctl.json("operator", "key-status")["data"]["term"] == 2
    ctl.ok("operator", "seal")
    for share in out["keys_base64"]:
        ctl.ok("operator", "unseal", stdin=share + "\n")
    assert ctl.json("status")["sealed"] is False
