# SPDX-License-Identifier: Apache-2.0
"""vaultctl as people and scripts meet it: usage, formats, terminals, and no secret in argv."""
import json
import os
import pathlib
import pty
import select
import signal
import subprocess
import time

import pytest

from vaultd import BIN, DEADLINE

CANARY = "correct-horse-battery"


@pytest.fixture(scope="module")
def ctl(server):
    server.put("cli/db", {"password": CANARY, "user": "app"})
    return server.ctl


def environment(server):
    return {"PATH": os.environ["PATH"], "HOME": str(server.tmp), "VAULT_ADDR": server.url, "TERM": "dumb",
            "VAULT_PIN": server.pin, "VAULT_TOKEN": server.root}


def on_terminal(server, *args, answers=(), env=None):
    """vaultctl with a terminal of its own: (exit status, all that was shown on it).  An answer is
    (text to wait for, what is typed then)."""
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(BIN / "vaultctl", ["vaultctl", *map(str, args)], {**environment(server), **(env or {})})
    shown, left, end = b"", list(answers), time.monotonic() + DEADLINE
    try:
        while True:
            if not select.select([fd], [], [], max(0, end - time.monotonic()))[0]:
                os.kill(pid, signal.SIGKILL)
                raise AssertionError(f"no end and no output any more; shown: {shown!r}")
            try:
                piece = os.read(fd, 65536)
            except OSError:  # the other side is closed
                piece = b""
            if not piece:
                break
            shown += piece
            if left and left[0][0].encode() in shown:
                os.write(fd, left.pop(0)[1].encode())
    finally:
        os.close(fd)  # hangs up: vaultctl ends, if it has not
        status = os.waitpid(pid, 0)[1]
    assert left == [], shown
    return os.waitstatus_to_exitcode(status), shown.decode()


# ---- secrets stay out of argv ----

@pytest.mark.parametrize("args", [("password=" + CANARY,), ("user=@/dev/null", "password=" + CANARY),
                                  ("password=",)])
def test_values_in_argv_are_refused_and_not_repeated(ctl, args):
    p = ctl("kv", "put", "secret/cli/argv", *args, check=False)
    assert p.returncode == 2
    assert "password=…: values are not taken from the command line" in p.stderr
    assert CANARY not in p.stdout + p.stderr
    assert ctl("kv", "get", "secret/cli/argv", check=False).returncode == 5


@pytest.mark.parametrize("args", [("operator", "unseal", "c2hhcmU="), ("login", "some-token"),
                                  ("token", "lookup", "--token", "x"), ("kv", "get", "--token=x", "secret/a")])
def test_shares_and_tokens_in_argv_are_refused(ctl, args):
    p = ctl(*args, check=False)
    assert p.returncode == 2 and p.stdout == "", p.stderr


def test_values_come_from_files_standard_input_and_documents(server, ctl, tmp_path):
    (tmp_path / "value").write_text("from a file\n")
    ctl("kv", "put", "secret/cli/in", f"a=@{tmp_path / 'value'}", "b=-", stdin="two\nlines\n")
    assert server.read("cli/in") == {"a": "from a file", "b": "two\nlines"}
    ctl("kv", "put", "secret/cli/in", "c", stdin="one line\nnot this\n")
    assert server.read("cli/in") == {"c": "one line"}
    ctl("kv", "put", "secret/cli/in", "-", stdin='{"d": {"nested": [1, "é"]}}')
    assert server.read("cli/in") == {"d": {"nested": [1, "é"]}}
    (tmp_path / "doc").write_text('{"e": 1')
    p = ctl("kv", "put", "secret/cli/in", f"@{tmp_path / 'doc'}", check=False)
    assert p.returncode == 3 and "not a JSON object (line 1" in p.stderr
    p = ctl("kv", "put", "secret/cli/in", "f=@/no/such/file", check=False)
    assert p.returncode == 5
    assert server.read("cli/in") == {"d": {"nested": [1, "é"]}}


# ---- terminals ----

def test_a_terminal_shows_masked_values(server, ctl):
    status, shown = on_terminal(server, "kv", "get", "secret/cli/db")
    assert status == 0
    assert CANARY not in shown and shown.count("********") == 2
    assert "password" in shown and "add --reveal" in shown
    status, shown = on_terminal(server, "kv", "get", "--format=json", "secret/cli/db")
    assert status == 0 and CANARY not in shown and "********" in shown


def test_a_terminal_shows_values_when_asked(server, ctl):
    status, shown = on_terminal(server, "kv", "get", "--reveal", "secret/cli/db")
    assert status == 0 and CANARY in shown and "********" not in shown
    status, shown = on_terminal(server, "kv", "get", "--field", "password", "secret/cli/db")
    assert (status, shown) == (0, CANARY + "\r\n")


def test_a_pipe_gets_values_and_nothing_more(ctl):
    assert ctl("kv", "get", "--field", "password", "secret/cli/db").stdout == CANARY
    assert ctl("kv", "get", "secret/cli/db", fmt=None).stdout.count(CANARY) == 1


def test_a_prompt_does_not_echo(server, ctl):
    status, shown = on_terminal(server, "kv", "put", "secret/cli/typed", "password",
                                answers=[("password: ", "typed-in\n")])
    assert status == 0, shown
    assert "typed-in" not in shown
    assert server.read("cli/typed") == {"password": "typed-in"}


def test_destroying_asks_on_a_terminal_and_wants_yes_elsewhere(server, ctl):
    server.put("cli/doomed", {"v": "1"})
    p = ctl("kv", "purge", "secret/cli/doomed", check=False)
    assert p.returncode == 2 and "add --yes to confirm" in p.stderr
    status, shown = on_terminal(server, "kv", "purge", "secret/cli/doomed", answers=[("[y/N]", "n\n")])
    assert status == 2 and "not confirmed" in shown
    assert server.read("cli/doomed") == {"v": "1"}
    status, _ = on_terminal(server, "kv", "purge", "secret/cli/doomed", answers=[("[y/N]", "y\n")])
    assert status == 0
    assert server.client().get("secret/data/cli/doomed").status == 404


def test_control_characters_never_reach_the_terminal(server, ctl):
    server.put("cli/evil", {"v": "\x1b[2Jgone\x07", "n\x1b[31m": "x"})
    for args in (("--reveal",), ("--reveal", "--format=json")):
        status, shown = on_terminal(server, "kv", "get", *args, "secret/cli/evil")
        assert status == 0 and "\x1b" not in shown and "\x07" not in shown, shown


# ---- formats ----

def test_json_format_by_flag_and_by_environment(ctl):
    for kw in ({"fmt": "json"}, {"fmt": None}):
        args = () if kw["fmt"] else ("-format=json",)
        doc = json.loads(ctl("kv", "get", *args, "secret/cli/db", **kw).stdout)
        assert doc["data"]["data"] == {"password": CANARY, "user": "app"}
    doc = json.loads(ctl("kv", "list", "secret/cli").stdout)
    assert "db" in doc["data"]["keys"]
    assert "db" in ctl("kv", "list", "secret/cli", "--format", "table").stdout.splitlines()


@pytest.mark.parametrize("args", [("status",), ("token", "lookup"), ("policy", "list"), ("host", "list"),
                                  ("host-role", "list"), ("rotation", "list"), ("lease", "list"),
                                  ("host", "pins"), ("kv", "metadata", "secret/cli/db")])
def test_every_reading_command_speaks_json_and_tables(ctl, args):
    p = ctl(*args, check=False)
    if p.returncode == 5:  # nothing there yet
        assert p.stdout == "" and p.stderr.startswith("vaultctl: ")
        return
    assert p.returncode == 0, p.stderr
    assert isinstance(json.loads(p.stdout), dict) and p.stderr == ""
    table = ctl(*args, fmt=None).stdout
    assert table and not table.lstrip().startswith("{")


def test_bad_formats_are_refused(ctl):
    p = ctl("status", "--format", "xml", check=False)
    assert p.returncode == 2 and "'xml' is neither table nor json" in p.stderr
    p = ctl("status", check=False, fmt="yaml")
    assert p.returncode == 2 and "VAULT_FORMAT" in p.stderr


# ---- usage ----

@pytest.mark.parametrize("args, said", [
    (("nonsense",), "unknown command 'nonsense'"),
    (("kv",), "unknown command 'kv'"),
    (("kv", "frobnicate", "x"), "unknown command 'kv frobnicate'"),
    (("kv", "get"), "usage: vaultctl kv get PATH"),
    (("kv", "get", "a", "b"), "usage: vaultctl kv get PATH"),
    (("kv", "get", "--nope", "a"), "unknown flag '--nope'"),
    (("kv", "get", "a", "--version"), "--version needs a value (N)"),
    (("kv", "get", "secret/cli/db", "--version", "two"), "--version: 'two' is no number"),
    (("kv", "get", "--reveal=maybe", "a"), "--reveal takes no value"),
    (("kv", "destroy", "--yes", "secret/cli/db", "x"), "'x' is no version number"),
    (("rotate", "secret/cli/db", "--timeout", "soon"), "--timeout: 'soon' is no duration such as 60s"),
    (("rotation", "set", "secret/cli/db"), "nothing to set"),
    (("host", "add", "web"), "--role is needed"),
    (("token", "revoke"), "name an accessor, or give --self"),
    (("operator", "init", "-key-shares", "0"), "is no number from 1 to 255"),
    (("audit", "verify"), "give the log's verifier key"),
    (("audit", "list", "--limit", "few"), "-limit wants a number"),
    (("restore", "/dev/null"), "--data-dir is needed"),
    (("completion", "csh"), "'csh' is not bash, zsh or fish"),
    (("help", "nonsense"), "no command 'nonsense'"),
])
def test_wrong_usage_ends_with_2_and_says_why(ctl, args, said):
    p = ctl(*args, check=False)
    assert p.returncode == 2 and p.stdout == ""
    assert p.stderr.startswith("vaultctl: ") and said in p.stderr
    assert p.stderr.count("\n") == 1


def test_exit_statuses_tell_errors_apart(server, ctl):
    assert ctl("kv", "get", "secret/cli/none", check=False).returncode == 5
    assert ctl("kv", "get", "secret/cli/db", check=False, token="nonsense").returncode == 4
    assert ctl("kv", "get", "secret/cli/db", "--field", "none", check=False).returncode == 5
    p = ctl("status", check=False, env={"VAULT_ADDR": "https://127.0.0.1:1"})
    assert p.returncode == 17 and "127.0.0.1:1" in p.stderr
    wrong = "sha256//" + "A" * 43 + "="
    p = ctl("kv", "get", "secret/cli/db", "--pin", wrong, check=False)
    assert p.returncode not in (0, 2) and CANARY not in p.stdout + p.stderr


def test_a_sealed_server_is_told_by_7(own_server):
    own_server.put("a", {"v": "1"})
    own_server.ctl("operator", "seal")
    p = own_server.ctl("kv", "get", "secret/a", check=False)
    assert p.returncode == 7 and "sealed" in p.stderr
    doc = own_server.ctl_json("operator", "unseal", stdin=own_server.shares[0] + "\n")
    assert doc["sealed"] is False
    assert own_server.ctl("kv", "get", "--field", "v", "secret/a").stdout == "1"


def test_login_keeps_the_token_for_the_owner_alone(server, ctl, tmp_path):
    token = json.loads(ctl("token", "create", "-policy", "default").stdout)["auth"]["client_token"]
    env = {"HOME": str(tmp_path)}
    p = ctl("login", stdin=token + "\n", token=None, env=env, fmt=None)
    assert token not in p.stdout + p.stderr
    kept = tmp_path / ".vault-token"
    assert kept.read_text().strip() == token and kept.stat().st_mode & 0o777 == 0o600
    assert json.loads(ctl("token", "lookup", token=None, env=env).stdout)["data"]["policies"] == ["default"]
    ctl("logout", token=None, env=env)
    assert not kept.exists()
    assert server.client(token).get("auth/token/lookup-self").status == 403


# ---- help and completion ----

def every_command(ctl):
    rows = [line[2:30].split() for line in ctl("help").stdout.splitlines() if line.startswith("  ")]
    assert len(rows) > 40
    return rows


def test_help_of_everything(ctl):
    text = ctl("help", token=None).stdout
    for args in ((), ("--help",), ("-h",)):
        assert ctl(*args, token=None).stdout == text
    assert "21 hosts are late" in text
    for words in every_command(ctl):
        one = ctl("help", *words, token=None).stdout
        assert one.startswith(f"usage: vaultctl {' '.join(words)} "), words
        assert ctl(*words, "--help", token=None).stdout == one
    assert ctl("rotate", "secret/x", "-h", token=None).stdout == ctl("help", "rotate", token=None).stdout
    assert "no command 'nonsense'" in ctl("nonsense", "--help", check=False).stderr


def test_version(ctl):
    assert ctl("version", token=None).stdout.startswith("vaultctl ")


def test_bash_completion_parses_and_completes(ctl, tmp_path):
    script = tmp_path / "vaultctl.bash"
    script.write_text(ctl("completion", "bash", token=None).stdout)
    p = subprocess.run(["bash", "-n", script], text=True, capture_output=True, timeout=30)
    assert (p.returncode, p.stderr) == (0, "")

    def complete(*words):
        ask = (f'. {script}; COMP_WORDS=({" ".join(map(repr, words))}); COMP_CWORD={len(words) - 1}; _vaultctl; '
               'echo "${COMPREPLY[@]}"')
        return subprocess.run(["bash", "-c", ask], text=True, capture_output=True, timeout=30,
                              check=True).stdout.split()

    nouns = {words[0] for words in every_command(ctl)}
    assert set(complete("vaultctl", "")) == nouns
    assert complete("vaultctl", "rotat") == ["rotate", "rotation", "rotator"]
    assert set(complete("vaultctl", "kv", "")) == {w[1] for w in every_command(ctl) if w[0] == "kv"}
    assert complete("vaultctl", "kv", "ge") == ["get"]


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_completions_name_every_command(ctl, shell):
    words = set(ctl("completion", shell, token=None).stdout.replace("'", " ").split())
    assert {w for row in every_command(ctl) for w in row} <= words


def test_output_that_cannot_be_written_is_an_error(server, ctl):
    if not pathlib.Path("/dev/full").exists():
        pytest.skip("no /dev/full")
    with open("/dev/full", "w") as full:
        p = subprocess.run([str(BIN / "vaultctl"), "help"], stdout=full, stderr=subprocess.PIPE, text=True,
                           env=environment(server), timeout=30)
    assert p.returncode == 18 and "writing the output failed" in p.stderr
