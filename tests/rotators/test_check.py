# SPDX-License-Identifier: Apache-2.0
"""`vaultctl rotator check`: our own rotators pass it, and rotators with known faults do not."""
import json
import os
import pathlib
import subprocess
import tempfile

import pytest

from databases import MariaDB, Postgres, Redis
from rotator import new_password
from vaultd import BIN, DEADLINE

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "docs/examples/rotator.sh"
KINDS = {"postgres": Postgres, "mysql": MariaDB, "redis": Redis}

ENGINE = {
    "postgres": {"creation_statements": ["CREATE ROLE \"{{name}}\" LOGIN PASSWORD '{{password}}' VALID UNTIL '{{expiration}}'"]},
    "mysql": {"creation_statements": ["CREATE USER '{{name}}'@'%' IDENTIFIED BY '{{password}}'"]},
    "redis": {"creation_statements": ['["~*", "+@read"]']},
}


@pytest.fixture(scope="module", params=KINDS)
def target(request):
    kind = KINDS[request.param]
    if not kind.available:
        pytest.skip(f"{request.param} is not installed")
    with kind() as server:
        yield request.param, server


def make_account(name, db, user):
    password = new_password()
    if name == "postgres":
        db.sql(f"CREATE ROLE {user} LOGIN PASSWORD '{password}'")
    elif name == "mysql":
        db.sql(f"CREATE USER {user}@'%' IDENTIFIED BY '{password}'")
    else:
        db.cli("ACL", "SETUSER", user, "on", ">" + password, "+ping", "+acl")
    return {"username": user, "password": password}


def check(program, file, *words, env=None):
    r = subprocess.run([BIN / "vaultctl", "rotator", "check", program, "--config", "-", "-format=json", *words],
                       input=json.dumps(file).encode(), capture_output=True, timeout=DEADLINE * 10, check=False)
    report = json.loads(r.stdout) if r.stdout else None
    return r.returncode, report, r.stderr.decode()


def failures(report):
    return [row for row in report["checks"] if row["result"] == "FAIL"]


def passes(name, file, *words):
    status, report, err = check(BIN / f"vault-rotator-{name}", file, *words)
    assert status == 0 and not failures(report), (err, failures(report))
    assert report["passed"] > 15, report
    return {row["check"]: row["result"] for row in report["checks"]}


def test_one_account(target):
    name, db = target
    current = make_account(name, db, "one")
    rows = passes(name, {"config": {"host": db.host, "port": db.port, "account": "one"}, "admin": db.admin,
                         "current": current, "engine": ENGINE[name]})
    assert rows["killed at random moments, it can go on"] == "pass"
    assert rows["user_create: the account works"] == "pass"
    assert rows["probe: unknown without the target"] == "pass"
    assert db.can_login(**current), "the value of the file is set again"


def test_one_account_by_itself(target):
    name, db = target
    current = make_account(name, db, "own")
    passes(name, {"config": {"host": db.host, "port": db.port, "account": "own"}, "admin": None, "current": current}, "--rounds=5")
    assert db.can_login(**current)


def test_two_accounts(target):
    name, db = target
    current, idle = make_account(name, db, "two_a"), make_account(name, db, "two_b")
    passes(name, {"config": {"host": db.host, "port": db.port, "accounts": ["two_a", "two_b"]}, "admin": db.admin,
                  "current": current, "idle": idle}, "--rounds=5")
    assert db.can_login(**current) and db.can_login(**idle)


@pytest.mark.parametrize("target", ["redis"], indirect=True)
def test_two_values(target):
    name, db = target
    current = make_account(name, db, "key")
    passes(name, {"config": {"host": db.host, "port": db.port, "account": "key", "strategy": "dual_key"}, "admin": db.admin,
                  "current": current}, "--rounds=5")
    assert db.can_login(**current)


# --- the example, and what could be wrong with it ------------------------------------------


@pytest.fixture
def memory():
    """A directory whose fsync costs nothing, as the example has many."""
    shm = "/dev/shm"
    with tempfile.TemporaryDirectory(dir=shm if os.access(shm, os.W_OK) else None) as d:
        yield pathlib.Path(d)


@pytest.fixture
def files(memory):
    """A target for the example, and the file that describes it: files(accounts)."""
    for name in ("accounts", "mute"):
        (memory / name).mkdir()

    def make(*names):
        for name in names:
            (memory / "accounts" / name).write_text(f"old-value-{name}\n")
            if not (memory / "mute" / name).exists():
                os.mkfifo(memory / "mute" / name)
        fields = [{"username": name, "password": f"old-value-{name}"} for name in names]
        which = {"account": names[0]} if len(names) == 1 else {"accounts": list(names)}
        return {"config": {"directory": str(memory / "accounts"), **which}, "current": fields[0], "idle": fields[-1],
                "unreachable": {"directory": str(memory / "nowhere")}, "mute": {"directory": str(memory / "mute")},
                "deadline_ms": 3000}

    return make


@pytest.mark.parametrize("names", [["a"], ["a", "b"]])
def test_the_example_passes(files, memory, names):
    status, report, err = check(EXAMPLE, files(*names), "--rounds=15")
    assert status == 0 and not failures(report), (err, failures(report))
    for name in names:
        assert (memory / "accounts" / name).read_text() == f"old-value-{name}\n"


# Changes of the example, and a check that fails then.
FAULTS = {
    "every value is valid": (1, "\techo invalid\n\t\tfi", "\techo valid\n\t\tfi", "probe: a wrong value is invalid"),
    "invalid without the target": (1, "echo unknown", "echo invalid", "probe: unknown without the target"),
    "the probe changes the target": (1, "probe() {", "probe() {\n\techo x >\"$directory/$current_user\"", "probe: and still is after a probe"),
    "a second set fails": (1, "reply noop 'the account has", "fail permanent 'the account has", "set: twice"),
    "set does nothing": (1, "\tstore \"$1\" \"$2\"\n\treply ok", "\treply ok", "set: the new value is valid"),
    "set takes any account": (1, "*) fail permanent 'the account is none of the configuration' ;;", "*) reply ok ;;",
                              "set: an account that is not configured is left alone"),
    "retryable is permanent": (1, "fail retryable 'the directory", "fail permanent 'the directory", "set: retryable without the target"),
    "set leaves half of it": (1, "printf '%s\\n' \"$2\" >\"$directory/.$1.new\" &&", ": >\"$directory/$1\"; sleep 0.1; printf '%s\\n' \"$2\" >\"$directory/.$1.new\" &&",
                              "killed at random moments, it can go on"),
    "test always passes": (1, "fail permanent 'the new value does not work'", ":", "test: a wrong value does not pass"),
    "revert does nothing": (1, "set_value \"$current_user\" \"$current\" \"$pending_user\" \"$pending\"", "reply ok", "revert: the old value is valid again"),
    "retire does nothing": (2, "store \"$previous_user\"", ": \"$previous_user\"", "retire: the old value is not valid any more"),
    "retire takes what is in use": (2, "fail permanent 'the account is in use'\n\tcheck_target", ":\n\tcheck_target", "retire: never of the value in use"),
    "two accounts share one value": (2, "\tstore \"$1\" \"$2\"\n", "\tstore \"$account1\" \"$2\"; store \"$account2\" \"$2\"\n", "set: the old value is valid, too"),
    "a status of its own": (1, "\t[ \"$stored\" != \"$2\" ] || reply noop", "\t[ \"$stored\" != \"$2\" ] || reply okay", "every reply keeps the contract"),
    "a class of its own": (1, "fail permanent 'the new value does not work'", "fail hopeless 'the new value does not work'", "every reply keeps the contract"),
    "a value on standard error": (1, "store() {", "store() {\n\techo \"now $2\" >&2", "no secret value is told"),
    "a value in a message": (1, "reply ok\n}\n\ntest_value", "reply ok \"now $2\"\n}\n\ntest_value", "no secret value is told"),
    "a crash": (1, "|| fail permanent 'not a request'", "|| kill -SEGV $$", "refuses what is no request"),
    "anything is a request": (1, "|| fail permanent 'not a request'", "|| reply ok", "refuses what is no request"),
    "no end": (1, "set -u", "set -u\ntrap '' TERM", "ends by its deadline when the target says nothing"),
    "a flood": (1, "store() {", "store() {\n\thead -c 100000 /dev/zero >&2", "every reply keeps the contract"),
    "another description each time": (1, "describe && exit 0", "describe | sed s/128/$((128 + $$))/ && exit 0", "describe says the same twice"),
    "a strategy that it has not": (1, '"single","dual_user"', '"dual_user"', "describe is complete"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(files, tmp_path, fault):
    accounts, good, bad, check_name = FAULTS[fault]
    text = EXAMPLE.read_text()
    assert text.count(good) == 1, good
    program = tmp_path / "faulty"
    program.write_text(text.replace(good, bad))
    program.chmod(0o755)
    rounds = "--rounds=30" if "killed" in check_name else "--rounds=0"
    status, report, err = check(program, files("a", "b") if accounts == 2 else files("a"), rounds)
    assert status == 22, (err, report)
    assert check_name in [row["check"] for row in failures(report)], report


def test_what_is_said_on_wrong_use(files, tmp_path):
    file = files("a")
    assert check(tmp_path / "nothing", file)[0] == 5
    for change in ({"config": []}, {"current": {}}, {"strategy": "triple"}, {"deadline_ms": 1}, {"strategy": "dual_user", "idle": None}):
        status, _, err = check(EXAMPLE, {**file, **change})
        assert status == 3 and err.startswith("vaultctl: "), (change, err)
    assert check(EXAMPLE, file, "--rounds=-1")[0] == 2
    status, _, err = check(EXAMPLE, [])
    assert status == 3 and "JSON object" in err
