# SPDX-License-Identifier: Apache-2.0
"""What vault-agent takes of a host while nothing happens, and how soon it delivers."""

import collections
import shutil
import statistics
import time

import procs
import vaultd

SIZES = (100, 1000)  # secrets, each of its own, in bindings of FILES files
FILES = 20
STARTS = 9
SETTLE_S = 65  # generations that were replaced go, and the first heartbeat
IDLE_S = 60

Idle = collections.namedtuple("Idle", "secrets memory wakeups cpu_us connections")


def files(count):
    return [{"path": f"secret/foot/{i:04d}", "field": "password", "binding": f"app{i // FILES}", "name": f"password{i % FILES}"}
            for i in range(count)]


def put(server):
    c = server.client()
    for i in range(max(SIZES)):
        r = c.post(f"secret/data/foot/{i:04d}", {"data": {"user": "app", "password": f"{i:032d}"}})
        assert r.status == 200, r


def make(server, tmp, count):
    """An agent that has joined and is not running."""
    a = vaultd.Agent(tmp, server, f"foot{count}", files(count))
    a.join(server.add_host(a.name, ["secret/foot/*"])["join_token"])
    return a


def last_file(agent):
    f = agent.files[-1]
    return agent.file(f["binding"], f["name"])


def wait_for(path, seconds=30):
    end = time.monotonic() + seconds
    while not path.exists():
        assert time.monotonic() < end, path
        time.sleep(0.0005)


def start_ms(agent):
    """From exec until the first file is there, and until all are: medians."""
    first, last = [], []
    for _ in range(STARTS):
        for d in agent.run_dir.iterdir():
            shutil.rmtree(d) if d.is_dir() and not d.is_symlink() else d.unlink()
        start = time.monotonic()
        agent.start()
        wait_for(agent.file("app0", "password0"))
        first.append((time.monotonic() - start) * 1000)
        wait_for(last_file(agent))
        last.append((time.monotonic() - start) * 1000)
        agent.stop()
    return statistics.median(first), statistics.median(last)


def idle(agents):
    """All of them at once, over IDLE_S seconds."""
    for a in agents:
        a.start()
        wait_for(last_file(a))
    time.sleep(SETTLE_S)
    pids = [[a.proc.pid] for a in agents]
    before = [(procs.wakeups(p), procs.cpu_us(p)) for p in pids]
    time.sleep(IDLE_S)
    out = [Idle(len(a.files), procs.memory(p), procs.wakeups(p) - w, procs.cpu_us(p) - us, a.connections())
           for a, p, (w, us) in zip(agents, pids, before)]
    for a in agents:
        a.stop()
    return out


def measure(server, tmp):
    """Starts of the smaller one, and what each is while nothing happens."""
    put(server)
    agents = [make(server, tmp, n) for n in SIZES]
    try:
        return start_ms(agents[0]), idle(agents)
    finally:
        for a in agents:
            a.clean()
