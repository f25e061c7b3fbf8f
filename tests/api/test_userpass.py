# SPDX-License-Identifier: Apache-2.0
"""auth/userpass: users, logins, lockout, renewal."""
import concurrent.futures

import pytest

BAD = "invalid username or password"
TOKEN_DEFAULTS = {"token_ttl": 0, "token_max_ttl": 0, "token_explicit_max_ttl": 0, "token_period": 0,
                  "token_num_uses": 0, "token_policies": [], "token_bound_cidrs": [],
                  "token_no_default_policy": False, "token_strictly_bind_ip": False, "token_type": "default"}
# "U*U", from the test vectors of crypt_blowfish
BCRYPT = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"


@pytest.fixture(scope="module", autouse=True)
def method(server):
    c = server.client()
    r = c.post("sys/auth/userpass", {"type": "userpass"})
    assert r.status == 204, r
    c.close()


def user(c, name, **body):
    return c.post(f"auth/userpass/users/{name}", {"password": "right", **body})


def login(c, name, password, mount="userpass"):
    return c.post(f"auth/{mount}/login/{name}", {"password": password}, token=None)


def test_user_read_back(c):
    assert user(c, "ann", token_policies=["web", "app"], token_ttl="30m", token_max_ttl=7200).status == 204
    r = c.get("auth/userpass/users/ann")
    assert r.status == 200
    assert r.data == {**TOKEN_DEFAULTS, "token_policies": ["app", "web"], "token_ttl": 1800, "token_max_ttl": 7200}


def test_absent_fields_keep_their_value(c):
    assert user(c, "keep", token_policies=["web"], token_num_uses=3).status == 204
    assert c.post("auth/userpass/users/keep", {"token_ttl": "5m"}).status == 204
    d = c.get("auth/userpass/users/keep").data
    assert (d["token_policies"], d["token_num_uses"], d["token_ttl"]) == (["web"], 3, 300)
    assert login(c, "keep", "right").status == 200


def test_old_names_are_read_back(c):
    assert user(c, "old", policies="b,a", ttl=60).status == 204
    d = c.get("auth/userpass/users/old").data
    assert d["policies"] == d["token_policies"] == ["a", "b"] and d["token_ttl"] == 60
    assert c.post("auth/userpass/users/old", {"token_policies": ["c"]}).status == 204
    assert "policies" not in c.get("auth/userpass/users/old").data


@pytest.mark.parametrize("body,text", [
    ({}, "missing password"),
    ({"password": ""}, "missing password"),
    ({"password": "a", "password_hash": BCRYPT}, "only one of 'password' and 'password_hash' may be given"),
    ({"password_hash": "$1$abc$def"}, "'password_hash' must be a bcrypt or argon2id hash"),
    ({"password": "a", "token_ttl": 20, "token_max_ttl": 10},
     "'token_ttl' cannot be greater than 'token_max_ttl'"),
    ({"password": "x" * 1024}, "a password may have at most 1023 bytes"),
])
def test_bad_user_is_refused_and_not_stored(c, body, text):
    r = c.post("auth/userpass/users/refused", body)
    assert (r.status, r.errors) == (400, [text])
    assert c.get("auth/userpass/users/refused").status == 404


def test_list_and_delete(c):
    for name in ("l2", "l1"):
        assert user(c, name).status == 204
    keys = c.list("auth/userpass/users").data["keys"]
    assert [k for k in keys if k in ("l1", "l2")] == ["l1", "l2"] and keys == sorted(keys)
    assert c.delete("auth/userpass/users/l1").status == 204
    assert c.delete("auth/userpass/users/l1").status == 204
    assert "l1" not in c.list("auth/userpass/users").data["keys"]
    assert login(c, "l1", "right").status == 400


def test_login(c):
    assert user(c, "Bob", token_policies=["web"], token_ttl="1h", token_num_uses=5).status == 204
    r = login(c, "bob", "right")
    assert r.status == 200 and r.json["data"] is None
    a = r.json["auth"]
    assert a["policies"] == a["token_policies"] == ["default", "web"]
    assert (a["metadata"], a["lease_duration"], a["renewable"], a["orphan"], a["num_uses"], a["token_type"]) == \
        ({"username": "bob"}, 3600, True, True, 5, "service")
    d = c.get("auth/token/lookup-self", token=a["client_token"]).data
    assert (d["display_name"], d["path"], d["meta"]) == \
        ("userpass-bob", "auth/userpass/login/bob", {"username": "bob"})
    assert login(c, "BOB", "right").status == 200


def test_wrong_password_and_unknown_user_look_alike(c):
    assert user(c, "carl").status == 204
    wrong, unknown = login(c, "carl", "wrong"), login(c, "nobody-here", "wrong")
    for r in (wrong, unknown):
        assert (r.status, r.json) == (400, {"errors": [BAD]})
    assert {k: v for k, v in wrong.headers.items() if k != "date"} == \
        {k: v for k, v in unknown.headers.items() if k != "date"}
    assert login(c, "carl", "").errors == ["missing password"]


def test_imported_hash(c):
    assert c.post("auth/userpass/users/imported", {"password_hash": BCRYPT}).status == 204
    assert login(c, "imported", "U*U").status == 200
    assert login(c, "imported", "U*V").status == 400


def test_new_password(c):
    assert user(c, "dora").status == 204
    assert c.post("auth/userpass/users/dora/password", {"password": "changed"}).status == 204
    assert login(c, "dora", "right").status == 400
    assert login(c, "dora", "changed").status == 200
    r = c.post("auth/userpass/users/nobody/password", {"password": "x"})
    assert (r.status, r.errors) == (400, ["username does not exist"])
    r = c.post("auth/userpass/users/dora/password", {})
    assert (r.status, r.errors) == (400, ["missing password"])


def test_new_policies_end_renewal(c):
    assert user(c, "emil", token_policies=["web"]).status == 204
    token = login(c, "emil", "right").json["auth"]["client_token"]
    r = c.post("auth/token/renew-self", {}, token=token)
    assert r.status == 200 and r.json["auth"]["policies"] == ["default", "web"]
    assert c.post("auth/userpass/users/emil/policies", {"token_policies": ["other"]}).status == 204
    r = c.post("auth/token/renew-self", {}, token=token)
    assert (r.status, r.errors) == (400, ["policies have changed, not renewing"])
    assert c.delete("auth/userpass/users/emil").status == 204
    assert c.post("auth/token/renew-self", {}, token=token).status == 400


def test_root_cannot_be_given(c):
    assert user(c, "sly", token_policies=["root"]).status == 204
    r = login(c, "sly", "right")
    assert (r.status, r.errors) == (400, ["auth methods cannot create root tokens"])


def test_lockout_and_unlock(c):
    assert user(c, "frida").status == 204
    for name in ("frida", "nobody-frida"):
        for _ in range(5):
            assert login(c, name, "wrong").status == 400
        locked = [login(c, name, p) for p in ("right", "wrong")]
        assert [r.status for r in locked] == [403, 403]
        assert locked[0].json == locked[1].json == {"errors": ["permission denied"]}
    accessor = c.get("sys/auth").json["userpass/"]["accessor"]
    d = c.get("sys/locked-users").data
    assert d["total"] == 2 and d["by_namespace"][0]["namespace_id"] == "root"
    [m] = d["by_namespace"][0]["mount_accessors"]
    assert (m["mount_accessor"], m["counts"], sorted(m["alias_identifiers"])) == \
        (accessor, 2, ["frida", "nobody-frida"])
    assert c.post(f"sys/locked-users/{accessor}/unlock/frida").status == 204
    assert login(c, "frida", "right").status == 200
    assert login(c, "nobody-frida", "right").status == 403
    assert c.post("sys/locked-users/auth_userpass_none/unlock/frida").status == 400
    assert c.post(f"sys/locked-users/{accessor}/unlock/nobody-frida").status == 204
    assert c.get("sys/locked-users").data["total"] == 0


def test_success_forgets_failures(c):
    assert user(c, "gert").status == 204
    for _ in range(2):
        for _ in range(4):
            assert login(c, "gert", "wrong").status == 400
        assert login(c, "gert", "right").status == 200


def test_lockout_can_be_tuned(c):
    assert c.post("sys/auth/strict", {"type": "userpass"}).status == 204
    r = c.post("sys/auth/strict/tune", {"user_lockout_config": {"lockout_threshold": "2"}})
    assert r.status == 204, r
    assert c.post("auth/strict/users/hans", {"password": "right"}).status == 204
    assert [login(c, "hans", "wrong", "strict").status for _ in range(3)] == [400, 400, 403]
    r = c.post("sys/auth/strict/tune", {"user_lockout_config": {"lockout_disable": True}})
    assert r.status == 204, r
    assert c.post("auth/strict/users/ida", {"password": "right"}).status == 204
    assert [login(c, "ida", "wrong", "strict").status for _ in range(6)] == [400] * 6


def test_parallel_guesses_share_one_count(server, c):
    assert user(c, "jo").status == 204

    def guess(i):
        own = server.client()
        try:
            while True:
                r = login(own, "jo", f"guess-{i}")
                if r.status not in (429, 503):  # the checks are busy, or this is asked too often
                    return r.status
        finally:
            own.close()

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        seen = list(pool.map(guess, range(12)))
    assert seen.count(400) <= 5 and set(seen) <= {400, 403}, seen


def test_names_fold_and_variants_are_refused(c):
    assert user(c, "kurt").status == 204
    for name in ("%20kurt", "kurt%20", "k%C3%BCrt", "kurt%2e%2e%2fx", "kurt%00"):
        assert login(c, name, "wrong").status == 400, name
    assert login(c, "KURT", "right").status == 200
