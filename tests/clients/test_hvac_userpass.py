# SPDX-License-Identifier: Apache-2.0
"""hvac and userpass."""
import hvac.exceptions
import pytest

from hvaclib import client_of


@pytest.fixture(scope="module", autouse=True)
def enabled(server):
    client_of(server).sys.enable_auth_method("userpass")


@pytest.fixture
def users(hv):
    return hv.auth.userpass


def test_users(users, name):
    assert users.create_or_update_user(name, password="pass word", policies=["web"], token_ttl="30m").status_code == 204
    user = users.read_user(name)["data"]
    assert user["token_policies"] == ["web"] and user["token_ttl"] == 1800
    assert "password" not in user
    assert name in users.list_user()["data"]["keys"]
    assert users.delete_user(name).status_code == 204
    with pytest.raises(hvac.exceptions.InvalidPath):
        users.read_user(name)


def test_login(users, connect, name):
    users.create_or_update_user(name, password="pass word", policies=["web"])
    client = connect()
    auth = client.auth.userpass.login(name, "pass word")["auth"]
    assert auth["metadata"] == {"username": name} and auth["policies"] == ["default", "web"]
    assert client.is_authenticated()
    assert client.auth.token.lookup_self()["data"]["display_name"] == f"userpass-{name}"
    assert users.update_password_on_user(name, "another").status_code == 204
    assert connect().auth.userpass.login(name, "another")["auth"]["client_token"]
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        connect().auth.userpass.login(name, "pass word")
    assert e.value.errors == ["invalid username or password"]


def test_unknown_user(connect):
    with pytest.raises(hvac.exceptions.InvalidRequest) as e:
        connect().auth.userpass.login("nobody", "x")
    assert e.value.errors == ["invalid username or password"]


def test_a_new_user_needs_a_password(users, name):
    with pytest.raises(hvac.exceptions.InvalidRequest):
        users.create_or_update_user(name, policies=["web"])


def test_lockout(users, connect, name):
    users.create_or_update_user(name, password="right")
    for _ in range(5):
        with pytest.raises(hvac.exceptions.InvalidRequest):
            connect().auth.userpass.login(name, "wrong")
    with pytest.raises(hvac.exceptions.Forbidden) as e:
        connect().auth.userpass.login(name, "right")
    assert e.value.errors == ["permission denied"]
