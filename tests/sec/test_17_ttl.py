# SPDX-License-Identifier: Apache-2.0
"""17: a token's end, whatever is asked for it."""
import time

import pytest

import vaultd
from seclib import policy, token

MAX_TTL = 32 * 24 * 3600


def self_of(c, tok):
    return c.get("auth/token/lookup-self", token=tok)


@pytest.mark.parametrize("ttl", [-1, "-1", "-1s", "-0.5h", 2 ** 63, str(2 ** 63), -2 ** 63, 2 ** 64, "1e400", "9999999999h",
                                 "nan", "inf", "0x10", "1s1", "1h-1h", "\u0661", [1], {"s": 1}, True])
@pytest.mark.parametrize("field", ["ttl", "explicit_max_ttl", "period"])
def test_senseless_durations(c, field, ttl):
    r = c.post("auth/token/create", {"policies": ["default"], field: ttl})
    if r.status == 200:
        assert 0 < r.json["auth"]["lease_duration"] <= MAX_TTL, (field, ttl)
    else:
        assert r.status == 400, r


@pytest.mark.parametrize("ttl", [0, "", "0s", None])
def test_zero_is_the_default_and_never_for_ever(c, ttl):
    a = token(c, "default", ttl=ttl)
    assert a["lease_duration"] == MAX_TTL
    assert self_of(c, a["client_token"]).data["expire_time"] is not None


@pytest.mark.parametrize("increment", [MAX_TTL * 2, 2 ** 33, "800000h", 0, None])
def test_renewal_stays_under_the_hard_end(c, increment):
    a = token(c, "default", ttl=60, explicit_max_ttl=120)
    r = c.post("auth/token/renew-self", {"increment": increment}, token=a["client_token"])
    assert r.status == 200, r
    assert r.json["auth"]["lease_duration"] <= 120
    assert self_of(c, a["client_token"]).data["ttl"] <= 120


@pytest.mark.parametrize("increment", [-1, "-5s", 2 ** 62, 2 ** 63, "x"])
def test_senseless_renewal_changes_nothing(c, increment):
    a = token(c, "default", ttl=60)
    r = c.post("auth/token/renew-self", {"increment": increment}, token=a["client_token"])
    assert r.status == 400 or r.json["auth"]["lease_duration"] <= MAX_TTL
    assert self_of(c, a["client_token"]).data["ttl"] <= MAX_TTL


def test_dead_at_its_hard_end(server, c):
    """Renewed as often as can be, it ends when it was to end."""
    a = token(c, "default", ttl=2, explicit_max_ttl=2)
    end = time.monotonic() + 2.5
    mine = server.client(a["client_token"])

    def renewed_to_death():
        late = time.monotonic() > end
        r = mine.post("auth/token/renew-self", {"increment": 3600})
        assert r.status == 403 or not late, "it outlived its end"
        return r.status == 403
    vaultd.wait_for("the token's end", renewed_to_death, 10)
    assert self_of(c, a["client_token"]).status == 403
    r = c.post("auth/token/renew", {"token": a["client_token"]})
    assert r.status in (400, 403)
    assert c.post("auth/token/renew-accessor", {"accessor": a["accessor"]}).status in (400, 403)


def test_child_of_an_expiring_root(c):
    short = c.post("auth/token/create", {"policies": ["root"], "ttl": 60}).json["auth"]["client_token"]
    assert c.post("auth/token/create", {"policies": ["root"]}, token=short).status == 400


def test_child_ends_with_its_parent(c):
    policy(c, "maker17", 'path "auth/token/create" { capabilities = ["update"] }')
    parent = token(c, "maker17", ttl=1, explicit_max_ttl=1)["client_token"]
    r = c.post("auth/token/create", {"ttl": "24h"}, token=parent)
    assert r.status == 200
    child = r.json["auth"]["client_token"]
    vaultd.wait_for("the child's end", lambda: self_of(c, child).status == 403, 10)
    assert self_of(c, parent).status == 403


def test_periodic_ends_at_its_explicit_maximum(server, c):
    a = token(c, "default", period=1, explicit_max_ttl=3)
    mine, end = server.client(a["client_token"]), time.monotonic() + 3.5

    def renewed_to_death():
        late = time.monotonic() > end
        r = mine.post("auth/token/renew-self", {"increment": 3600})
        assert r.status == 403 or not late, "it outlived its end"
        assert r.status == 403 or r.json["auth"]["lease_duration"] <= 1
        return r.status == 403
    vaultd.wait_for("the token's end", renewed_to_death, 10)
    mine.close()


@pytest.mark.parametrize("increment", [2 ** 33, "800000h", MAX_TTL * 2])
def test_a_period_is_no_way_past_the_system(c, increment):
    a = token(c, "default", period=increment)
    assert 0 < a["lease_duration"] <= MAX_TTL
    r = c.post("auth/token/renew-self", {"increment": increment}, token=a["client_token"])
    assert r.json["auth"]["lease_duration"] <= MAX_TTL


@pytest.mark.parametrize("params", [{"token_max_ttl": 120}, {"token_explicit_max_ttl": 120},
                                    {"token_period": "20h", "token_explicit_max_ttl": 120}])
def test_logins_stay_under_what_their_role_says(c, params):
    c.post("sys/auth/approle17", {"type": "approle"})
    assert c.post("auth/approle17/role/r", {"role_id": "r"}).status == 204
    c.delete("auth/approle17/role/r")
    assert c.post("auth/approle17/role/r", {"role_id": "r", **params}).status == 204
    s = c.post("auth/approle17/role/r/secret-id", {}).data["secret_id"]
    a = c.post("auth/approle17/login", {"role_id": "r", "secret_id": s}, token=None).json["auth"]
    assert 0 < a["lease_duration"] <= 120
    r = c.post("auth/token/renew-self", {"increment": "10h"}, token=a["client_token"])
    assert r.status == 200 and r.json["auth"]["lease_duration"] <= 120
    assert self_of(c, a["client_token"]).data["ttl"] <= 120
