# SPDX-License-Identifier: Apache-2.0
"""60: what runs in a container has its directory, and tries to lead the agent out of it.

The attacker is the owner of everything in the binding's directory, and moves links and directories about while the agent
writes. The container itself is in tests/e2e/test_agent_docker.py."""
import os
import pathlib
import shutil
import threading

import pytest

from vaultd import wait_for

FILES = [{"path": "secret/app/db", "field": "password", "binding": "db", "name": "password"},
         {"path": "secret/app/other", "field": "password", "binding": "calm", "name": "password"}]
SECRET = "S60-value"
ROUNDS = 30


def swap(path, make):
    """Put something else in the place of ${path}."""
    try:
        if path.is_symlink() or path.is_file():
            path.unlink()
        elif path.is_dir():
            shutil.rmtree(path)
        make(path)
    except OSError:
        pass  # the agent was faster


ATTACKS = {
    "the link to the generation leads out": lambda d, out: swap(d / "..data", lambda p: p.symlink_to(out)),
    "the file is a link to another": lambda d, out: swap(d / "password", lambda p: p.symlink_to(out / "victim")),
    "generations are links": lambda d, out: [swap(d / f"..g{n:06}", lambda p: p.symlink_to(out)) for n in range(1, 40)],
    "the next link is there already": lambda d, out: swap(d / "..data_tmp", lambda p: p.symlink_to(out / "victim")),
    "the directory is a link": lambda d, out: swap(d, lambda p: p.symlink_to(out)),
    "the directory is /dev": lambda d, out: swap(d, lambda p: p.symlink_to("/dev")),
    "the directory is a file": lambda d, out: swap(d, lambda p: p.write_text("x")),
    "a pipe": lambda d, out: [swap(d / n, os.mkfifo) for n in ("password", "..data", "..data_tmp")],
}


@pytest.fixture
def victim(tmp_path):
    out = tmp_path / "outside"
    out.mkdir(mode=0o700)
    (out / "victim").write_text("untouched")
    (out / "password").write_text("untouched")
    return out


def outside(out):
    return {str(p.relative_to(out)): p.read_text() for p in out.rglob("*") if p.is_file()}


@pytest.mark.parametrize("attack", ATTACKS)
def test_60_links_and_races(own_server, make_agent, victim, attack):
    s = own_server
    s.put("app/db", {"password": SECRET})
    s.put("app/other", {"password": SECRET})
    a = make_agent(s, "web1", FILES)
    a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
    a.start()
    a.wait_content("db", "password", SECRET)
    a.wait_content("calm", "password", SECRET)
    before, dev = outside(victim), set(os.listdir("/dev"))
    stop = threading.Event()

    def evil():
        while not stop.is_set():
            ATTACKS[attack](a.run_dir / "db", victim)

    t = threading.Thread(target=evil)
    t.start()
    try:
        for i in range(ROUNDS):
            s.put("app/db", {"password": f"{SECRET}-{i}"})
            s.put("app/other", {"password": f"{SECRET}-{i}"})
            a.wait_content("calm", "password", f"{SECRET}-{i}")
            assert a.proc.poll() is None
    finally:
        stop.set()
        t.join()
    assert outside(victim) == before, "nothing is written, wiped or made outside"
    assert {n for n in os.listdir("/dev") if n in ("password", "..data") or n.startswith("..g")} - dev == set()
    assert SECRET not in a.log()
    # Left alone, the agent puts things right: a restart clears what is in the way.
    d = a.run_dir / "db"
    if d.is_symlink() or not d.is_dir():
        d.unlink()
    for p in list(d.iterdir()) if d.is_dir() else []:
        if not p.is_dir() or p.is_symlink():
            p.unlink()
    a.stop()
    a.start()
    a.wait_content("db", "password", f"{SECRET}-{ROUNDS - 1}", 60)
    assert outside(victim) == before


def test_60_nothing_is_inherited_or_told(own_server, make_agent, tmp_path):
    """What the agent starts has its three descriptors and a clean environment; nothing of the agent says a value."""
    script, out = tmp_path / "look", tmp_path / "seen"
    script.write_text(f"#!/bin/sh\n{{ ls -l /proc/$$/fd; cat /proc/$$/environ | tr '\\0' '\\n'; }} > {out}.tmp; mv {out}.tmp {out}\n")
    script.chmod(0o755)
    s = own_server
    s.put("app/db", {"password": SECRET})
    a = make_agent(s, "web1", FILES[:1])
    a.extra = {"bindings": f'[{{name: db, reload: exec, command: ["{script}"], settle: 0s}}]'}
    a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
    a.start()
    a.wait_content("db", "password", SECRET)
    seen = wait_for("the command", lambda: out.exists() and out.read_text())
    for line in seen.splitlines():
        if " -> " in line:  # a shell keeps its script and what it redirects at higher numbers
            assert line.split(" -> ")[1].startswith(("/dev/null", "pipe:", str(script), str(out))), seen
    env = {line.split("=")[0] for line in seen.splitlines() if "=" in line and " " not in line.split("=")[0]}
    assert {"VAULT_BINDING", "VAULT_VERSION", "VAULT_DIR"} <= env
    assert SECRET not in seen and "CREDENTIALS" not in seen and "VAULT_TOKEN" not in seen
    for pid in [a.proc.pid, *map(int, pathlib.Path(f"/proc/{a.proc.pid}/task/{a.proc.pid}/children").read_text().split())]:
        for name in ("environ", "cmdline"):
            assert SECRET.encode() not in pathlib.Path(f"/proc/{pid}/{name}").read_bytes()
    assert SECRET not in a.log()
