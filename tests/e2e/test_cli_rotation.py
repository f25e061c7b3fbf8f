# SPDX-License-Identifier: Apache-2.0
"""vaultctl rotate, rotation and target: what operators see, and how each end is told."""
import json
import os
import pty
import signal
import subprocess

import pytest

import faketarget
import vaultd
from vaultd import BIN, wait_for

ADMIN = "the-admin-password"


@pytest.fixture(scope="module")
def env(tmp_path_factory):
    tmp = tmp_path_factory.mktemp("ctl")
    target = faketarget.FakeTarget(tmp, {"admin": ADMIN})
    (tmp / "server").mkdir()
    server = vaultd.Server(tmp / "server", config={"rotators": target.config})
    server.target = target
    server.start()
    server.init()
    server.ctl("target", "set", "db", "--rotator", "fake", "host=db.example", "port=5432", "--admin-user", "admin",
               stdin=ADMIN + "\n")
    yield server
    server.stop()
    target.close()


@pytest.fixture
def secret(env, request):
    """A secret with one account at the target, and the rule for it."""
    name = request.node.name.replace("[", "-").replace("]", "")
    env.target.answers.clear()
    env.target.accounts[name] = "first-password"
    env.put(name, {"username": name, "password": "first-password"})
    # A target of its own: one where logins have failed is left alone for a while.
    env.ctl("target", "set", name, "--rotator", "fake", "--admin-user", "admin", stdin=ADMIN + "\n")
    env.ctl("rotation", "set", f"secret/{name}", "--strategy", "single", "--target", name, "--accounts", name,
            "--field", "password", "--timeout", "5s")
    yield f"secret/{name}"
    env.target.answers.clear()


def rotate(env, path, *args, **kw):
    return env.ctl("rotate", path, *args, check=False, **kw)


def test_a_target_is_set_shown_and_checked(env, tmp_path):
    shown = env.ctl("target", "show", "db", fmt="table").stdout
    assert ADMIN not in shown and "fake" in shown and "db.example" in shown
    data = env.ctl_json("target", "show", "db")["data"]
    assert data["config"] == {"host": "db.example", "port": 5432} and data["admin_username"] == "admin"
    assert env.ctl("target", "check", "db", fmt="table").stdout.startswith("The target answers")
    assert "db" in env.ctl("target", "list", fmt="table").stdout.split()
    (tmp_path / "pw").write_text("wrong-password\n")
    (tmp_path / "config").write_text('{"host": "a", "tls": {"ca": "x"}}')
    args = ("target", "set", "other", "--rotator", "fake", "--config", tmp_path / "config", "host=b")
    p = env.ctl(*args, "--admin-user", "admin", "--admin-password", tmp_path / "pw", check=False)
    assert p.returncode == 3 and "login failed" in p.stderr and "wrong-password" not in p.stderr
    env.ctl(*args, "--no-verify", "--admin", "-", stdin=json.dumps({"username": "admin", "password": "later"}))
    data = env.ctl_json("target", "show", "other")["data"]
    assert data["config"] == {"host": "b", "tls": {"ca": "x"}} and data["admin_username"] == "admin"
    assert env.ctl("target", "check", "other", check=False).returncode == 3
    assert env.ctl("target", "delete", "other", check=False).returncode == 2
    env.ctl("target", "delete", "other", "--yes")
    assert env.ctl("target", "show", "other", check=False).returncode == 5
    assert env.ctl("target", "check", "other", check=False).returncode == 5


@pytest.mark.parametrize("args, said", [
    (("target", "set", "x"), "nothing to set"),
    (("target", "set", "x", "hunter2"), "no KEY=VALUE"),
    (("target", "set", "x", "--admin-password", "f"), "--admin-password needs --admin-user"),
    (("target", "set", "x", "--admin", "f", "--admin-user", "u"), "not both"),
    (("rotation", "next", "secret/x", "--count", "few"), "--count: 'few' is no number"),
    (("rotate", "secret/x", "--timeout", "0s"), "--timeout"),
    (("rotate", "secret/x", "--wait", "--no-wait"), "not both"),
    (("rotation", "abort", "secret/x", "--forget"), "--yes"),
])
def test_wrong_usage(env, args, said):
    p = env.ctl(*args, check=False)
    assert p.returncode == 2 and said in p.stderr and p.stdout == ""


def test_a_rule_takes_every_setting(env):
    env.put("rule", {"username": "a", "password": "x"})
    env.ctl("rotation", "set", "secret/rule", "--field", "password", "--length", "20", "--classes", "lower,digit",
            "--cron", "0 3 * * 1-5", "--tz", "Europe/Berlin", "--window", "2h", "--jitter", "none", "--blackout",
            "2030-12-20/2031-01-03,2030-05-01", "--max-age", "45d", "--min-interval", "1h", "--missed", "run",
            "--timeout", "90s", "--strategy", "single", "--target", "db", "--accounts", "rule", "--username-field",
            "login", "--policy", "proceed", "--grace", "10m")
    rule = env.ctl_json("rotation", "show", "secret/rule")["data"]
    want = {"field": "password", "length": 20, "classes": ["lower", "digit"], "cron": "0 3 * * 1-5",
            "tz": "Europe/Berlin", "jitter": "none", "missed": "run", "timeout": 90, "strategy": "single",
            "target": "db", "accounts": ["rule"], "username_field": "login", "policy": "proceed", "grace": 600}
    assert {k: rule[k] for k in want} == want
    assert len(rule["blackout"]) == 2
    slots = env.ctl_json("rotation", "next", "secret/rule", "--count", "3")["data"]["slots"]
    assert len(slots) == 3 and all("03:00" in s["local"] for s in slots)
    assert "03:00" in env.ctl("rotation", "next", "secret/rule", fmt="table").stdout
    env.ctl("rotation", "pause", "secret/rule")
    assert "Paused" in env.ctl("rotation", "next", "secret/rule", fmt="table").stderr
    assert env.ctl_json("rotation", "show", "secret/rule")["data"]["paused"] is True
    env.ctl("rotation", "unpause", "secret/rule")
    table = env.ctl("rotation", "list", fmt="table").stdout
    assert "secret/rule" in table and "STRATEGY" in table
    p = env.ctl("rotation", "set", "secret/rule", "--config", "-", stdin='{"host": "elsewhere"}', check=False)
    assert p.returncode == 3 and 'takes no "host"' in p.stderr
    env.ctl("rotation", "unset", "secret/rule")
    assert env.ctl("rotation", "show", "secret/rule", check=False).returncode == 5


def test_what_would_be_done(env, secret):
    shown = env.ctl("rotate", secret, "--dry-run", fmt="table").stdout.split()
    assert shown[shown.index("account") + 1] == secret.removeprefix("secret/")
    assert env.ctl_json("rotation", "history", secret)["data"]["attempts"] == []
    assert "never" in env.ctl("rotation", "history", secret, fmt="table").stdout


def test_it_converges(env, secret):
    p = rotate(env, secret, fmt="table")
    assert p.returncode == 0 and "converged" in p.stdout and "No host holds" in p.stdout
    value = env.read(secret.removeprefix("secret/"))["password"]
    assert env.target.accounts[secret.removeprefix("secret/")] == value != "first-password"
    assert value not in p.stdout + p.stderr
    p = env.ctl("rotation", "check", secret, fmt="table")
    assert "works at its target" in p.stdout
    assert json.loads(rotate(env, secret, "--leaked").stdout)["data"]["cause"] == "leak"
    table = env.ctl("rotation", "history", secret, fmt="table").stdout
    assert [line.split()[1] for line in table.splitlines()] == ["CAUSE", "leak", "check", "request"]
    p = rotate(env, secret, "--no-wait")
    assert p.returncode == 0
    wait_for("its end", lambda: env.ctl_json("rotation", "status", secret)["data"]["last"]["ended"])


def test_a_failure_says_that_the_old_value_is_valid(env, secret):
    env.target.answers["set"] = faketarget.error("permanent", "no such account")
    p = rotate(env, secret, fmt="table")
    assert p.returncode == 26 and "no such account" in p.stderr and "the old value is valid" in p.stderr
    assert env.read(secret.removeprefix("secret/"))["password"] == "first-password"
    p = env.ctl("rotation", "status", secret, fmt="table")
    assert "The last rotation:" in p.stdout and "no such account" in p.stderr


def held(env, secret):
    """By a target that nobody may log in to any more."""
    env.target.answers["set"] = [faketarget.error("auth", "the administrator is locked")]
    p = rotate(env, secret, fmt="table")
    assert p.returncode == 25 and "'vaultctl rotation resume'" in p.stderr and "locked" in p.stderr
    assert json.loads(env.ctl("rotation", "status", secret).stdout)["data"]["last"]["held_from"] == "setting"


def test_a_held_rotation_is_resumed(env, secret):
    held(env, secret)
    assert "setting" in env.ctl("rotation", "resume", secret, fmt="table").stdout
    wait_for("its end", lambda: env.ctl_json("rotation", "status", secret)["data"]["last"]["state"] == "converged")


def test_a_held_rotation_is_aborted(env, secret):
    held(env, secret)
    env.ctl("rotation", "abort", secret)
    wait_for("its end", lambda: env.ctl_json("rotation", "status", secret)["data"]["last"]["state"] == "failed")
    assert env.target.accounts[secret.removeprefix("secret/")] == "first-password"


def test_a_held_rotation_is_forgotten_or_adopted(env, secret):
    held(env, secret)
    out = env.ctl("rotation", "abort", secret, "--forget", "--yes", fmt="table").stdout
    assert "aborted" in out
    p = env.ctl("rotation", "resume", secret, check=False)
    assert p.returncode == 3 and "no rotation of this secret is under way" in p.stderr
    env.target.accounts[secret.removeprefix("secret/")] = "somebody changed it"
    p = env.ctl("rotation", "check", secret, check=False, fmt="table")
    assert p.returncode == 25 and "adopt" in p.stderr
    env.ctl("rotation", "adopt", secret)
    wait_for("its end", lambda: env.ctl_json("rotation", "status", secret)["data"]["last"]["state"] == "converged")
    assert env.ctl("rotation", "check", secret).returncode == 0


def test_late_hosts_are_named(env, make_agent):
    env.put("late", {"password": "x"})
    token = env.add_host("slowpoke", ["secret/late"], role="slow")["join_token"]
    agent = make_agent(env, "slowpoke", [{"path": "secret/late", "field": "password", "binding": "db", "name": "password"}])
    agent.join(token)
    agent.start()
    wait_for("the host to hold it", lambda: env.ctl_json("rotate", "secret/late", "--dry-run")["data"]["holders_total"])
    agent.proc.send_signal(signal.SIGSTOP)
    try:
        p = rotate(env, "secret/late", "--timeout", "300ms", fmt="table")
    finally:
        agent.proc.send_signal(signal.SIGCONT)
    assert p.returncode == 21 and "1 of 1 holders have not applied the new version: slowpoke" in p.stderr
    assert "slowpoke" in p.stdout


def test_progress_on_a_terminal(env, secret):
    """Each state as it comes, on standard error; the end is the same."""
    env.target.answers["set"] = [faketarget.error("retryable", "try later")]
    main, sub = pty.openpty()
    e = {"PATH": os.environ["PATH"], "HOME": str(env.tmp), "VAULT_ADDR": env.url, "VAULT_PIN": env.pin,
         "VAULT_TOKEN": env.root, "VAULT_FORMAT": "table"}
    p = subprocess.Popen([str(BIN / "vaultctl"), "rotate", secret], env=e, stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=sub, text=True)
    os.close(sub)
    seen = b""
    while True:
        try:
            piece = os.read(main, 4096)
        except OSError:  # the other side is closed
            break
        if not piece:
            break
        seen += piece
    os.close(main)
    out = p.communicate(timeout=60)[0]
    assert p.returncode == 0 and "converged" in out
    assert b"setting" in seen and b"try later" in seen and b"\x1b[K" in seen
