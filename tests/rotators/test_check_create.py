# SPDX-License-Identifier: Apache-2.0
"""`vaultctl rotator check` of rotators whose target makes the values: ours pass it, and one with known faults does not."""
import os
import pathlib

import pytest

from certs import Pki
from sshd import Sshd, keygen
from test_check import check, failures, memory  # pylint: disable=unused-import
from vaultd import BIN

KEYMAKER = pathlib.Path(__file__).resolve().parents[1] / "lib/keymaker.py"
SIGNS = ("2.5.29.15", bytes.fromhex("03020106"))  # key usage: certificates and lists


def passes(program, file, *words):
    status, report, err = check(program, file, *words)
    assert status == 0 and not failures(report), (err, failures(report))
    rows = {row["check"]: row["result"] for row in report["checks"]}
    for name in ("create: twice", "test: twice", "retire: twice", "killed at random moments, it can go on",
                 "cut short by its deadline, it can go on", "refuses what is no request"):
        assert rows[name] == "pass", (name, rows)
    return rows


# --- ours ----------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path):
    ca = Pki(tmp_path).ca("test authority", ext=[SIGNS])
    return {"config": {"common_name": "db1.example.com", "allowed_domains": ["example.com"], "ttl": "1h"}, "strategy": "reissue",
            "admin": {"ca_certificate": ca.pem, "ca_private_key": ca.key_file.read_text()}}


@pytest.mark.skipif(not (BIN / "vault-rotator-x509").exists(), reason="not built")
@pytest.mark.parametrize("with_list", [False, True])
def test_certificates(authority, tmp_path, with_list):
    if with_list:
        authority["config"]["crl_file"] = str(tmp_path / "crl.pem")
    rows = passes(BIN / "vault-rotator-x509", authority, "--rounds=10")
    assert ("retire: the old value is invalid then" in rows) == with_list
    assert (tmp_path / "crl.pem").exists() == with_list


@pytest.fixture(scope="module")
def host():
    if not Sshd.available or not (BIN / "vault-rotator-ssh-key").exists():
        pytest.skip("no sshd, or not built")
    with Sshd() as h:
        yield h


def test_key_pairs(host):
    before = host.keys()
    rows = passes(BIN / "vault-rotator-ssh-key", {"config": host.config, "strategy": "dual_key", "admin": host.admin}, "--rounds=8")
    assert rows["taken back: the new value is invalid then"] == rows["probe: unknown without the target"] == "pass"
    assert rows["ends by its deadline when the target says nothing"] == rows["login: as the administrator"] == "pass"
    assert host.keys() == before, "whatever was killed, nothing of it is left"


def test_key_pairs_of_an_account_that_acts_itself(host, tmp_path):
    key = keygen(tmp_path / "own")
    host.file.write_text(host.file.read_text() + (tmp_path / "own.pub").read_text())
    host.own()
    before = host.keys()
    current = {"username": host.account, "private_key": key.read_text()}
    passes(BIN / "vault-rotator-ssh-key", {"config": host.config, "strategy": "dual_key", "current": current}, "--rounds=4")
    assert host.keys() == before and host.can_login(current["private_key"])


# --- an example, and what could be wrong with it ---------------------------------------------


@pytest.fixture
def keys(memory):
    for name in ("keys", "mute"):
        (memory / name).mkdir()
    os.mkfifo(memory / "mute" / "hang")
    return {"config": {"directory": str(memory / "keys"), "account": "app"}, "strategy": "dual_key", "admin": {"token": "admin-token"},
            "unreachable": {"directory": "/nowhere"}, "mute": {"directory": str(memory / "mute")}, "deadline_ms": 5000}


def test_the_example_passes(keys, memory):
    passes(KEYMAKER, keys, "--rounds=10")
    assert not os.listdir(memory / "keys")


def test_a_value_of_the_file_stays(keys, memory):
    (memory / "keys" / "given").write_text("a-key-that-was-there")
    passes(KEYMAKER, {**keys, "current": {"username": "app", "key": "a-key-that-was-there"}}, "--rounds=10")
    assert os.listdir(memory / "keys") == ["given"]


# Changes of the example, and a check that fails then.
FAULTS = {
    "the key on standard error": ("    names()\n    key = secrets.token_hex(20)", "    key = secrets.token_hex(20)\n    print(key, file=sys.stderr)",
                                  "no secret value is told"),
    "the key in a message": ("reply(fields={", "reply(message='now ' + key, fields={", "no secret value is told"),
    "a line of the key": ('    names()\n    key = secrets.token_hex(20)\n', '    key = "\\n".join(secrets.token_hex(20) for _ in range(3))\n'
                          "    print(repr(key), file=sys.stderr)\n", "no secret value is told"),
    "the administrator's token": ("def login():", "def login():\n    print(request['admin'], file=sys.stderr)", "no secret value is told"),
    "no JSON": ("    reply(fields={", "    print('made', end=' ')\n    reply(fields={", "create: makes the first value"),
    "no fields": ('reply(fields={"username": request["config"]["account"], "key": key, "key_id": attempt})', "reply()",
                  "create: makes the first value"),
    "a number among the fields": ('"key_id": attempt}', '"key_id": attempt, "bits": 160}', "create: the fields are texts"),
    "a second call fails": ("    names()\n    key =", "    if attempt in names():\n        fail('permanent', 'made already')\n    key =", "create: twice"),
    "a second call makes a second key": ("os.replace(new, os.path.join(directory, attempt))", "os.replace(new, os.path.join(directory, key))",
                                         "create: a second call leaves no second value"),
    "a key that does not work": ("f.write(key)", "f.write(key[1:])", "probe: the value in use is valid"),
    "a new key ends the old one": ("    names()\n    key =", "    for n in names():\n        os.unlink(os.path.join(directory, n))\n    key =",
                                   "create: the old value is valid, too"),
    "everything is valid": ('"valid" if holder_of(fields(which)["key"]) else "invalid"', '"valid"', "probe: what is no value is not valid"),
    "the probe changes the target": ("def probe():", "def probe():\n    for n in names():\n        os.unlink(os.path.join(directory, n))",
                                     "probe: the value in use is valid"),
    "test always passes": ("fail(\"permanent\", \"the key opens nothing\")", "pass", "test: what is no value does not pass"),
    "retire does nothing": ("os.unlink(os.path.join(directory, old))", "pass", "retire: the old value is invalid then"),
    "retire takes what is in use": ("fail(\"permanent\", \"the key is in use\")", "pass", "retire: never of the value in use"),
    "what is gone is an error": ("reply(\"noop\")", "fail(\"permanent\", \"no such key\")", "retire: twice"),
    "invalid without the target": ("fail(\"retryable\", f\"the directory", "reply(probe={'current': 'invalid', 'pending': 'invalid'})  # f\"the directory",
                                   "probe: unknown without the target"),
    "retryable is permanent": ("fail(\"retryable\", f\"the directory", "fail(\"permanent\", f\"the directory", "create: retryable without the target"),
    "the deadline is ignored": ("import sys\n", "import signal\nimport sys\n\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n",
                                "ends by its deadline when the target says nothing"),
    "half a file": ("    with open(new, \"w\"", "    import time\n    with open(os.path.join(directory, attempt), \"w\", encoding=\"ascii\") as f:\n"
                    "        f.write('')\n    if names() and any(n != attempt for n in names()):\n"
                    "        for n in names():\n            v = stored(n)\n            with open(os.path.join(directory, n), \"w\", encoding=\"ascii\") as f:\n"
                    "                f.write('')\n                f.flush()\n                time.sleep(0.1)\n                f.write(v)\n    with open(new, \"w\"",
                    "killed at random moments, it can go on"),
    "anything is a request": ("if not ok:\n    fail(\"permanent\", \"not a request\")", "if not ok:\n    reply()", "refuses what is no request"),
    "no retire": (', "retire", "login"]', ', "login"]', "describe is complete"),
    "the administrator gets in no more": ('!= "admin-token"', '!= "another"', "login: as the administrator"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_faults_are_found(keys, tmp_path, fault):
    good, bad, check_name = FAULTS[fault]
    text = KEYMAKER.read_text()
    assert text.count(good) == 1, good
    program = tmp_path / "faulty"
    program.write_text(text.replace(good, bad))
    program.chmod(0o755)
    status, report, err = check(program, keys, "--rounds=30" if "killed" in check_name else "--rounds=0")
    assert status == 22, (err, report)
    assert check_name in [row["check"] for row in failures(report)], report


def test_what_is_said_on_wrong_use(keys):
    file = {**keys, "strategy": "single"}
    status, report, _ = check(KEYMAKER, file)
    assert status == 22 and failures(report)[0]["check"] == "describe is complete"
