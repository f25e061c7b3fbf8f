# SPDX-License-Identifier: Apache-2.0
"""Rotations with a real agent on the same host, and what it costs while nothing happens."""

import ctypes
import os
import select
import threading
import time

import procs
import vaultd

IN_MOVED_TO = 0x80


class Watch(threading.Thread):
    """Times at which something is renamed into a directory, as the agent swaps its files."""

    def __init__(self, directory):
        super().__init__(daemon=True)
        libc = ctypes.CDLL(None, use_errno=True)
        self.fd = libc.inotify_init1(os.O_CLOEXEC)
        if self.fd < 0 or libc.inotify_add_watch(self.fd, os.fsencode(directory), IN_MOVED_TO) < 0:
            raise OSError(ctypes.get_errno(), f"inotify: {directory}")
        self.seen = []
        self.done = threading.Event()

    def run(self):
        while not self.done.is_set():
            if select.select([self.fd], [], [], 0.5)[0]:
                os.read(self.fd, 65536)
                self.seen.append((time.monotonic(), time.time()))

    def stop(self):
        self.done.set()
        self.join()
        os.close(self.fd)

    def first_after(self, start):
        return next((at for at in self.seen if at[0] >= start), None)


def start_agent(server, tmp):
    """An agent that keeps secret/rotate/db's password in a file."""
    server.put("rotate/db", {"username": "app", "password": "the first"})
    r = server.client().post("sys/rotation/config/secret/rotate/db", {"field": "password"})
    assert r.status in (200, 204), r
    agent = vaultd.Agent(tmp, server, "bench1", [
        {"path": "secret/rotate/db", "field": "password", "binding": "db", "name": "password"}])
    agent.join(server.add_host("bench1", ["secret/rotate/*"])["join_token"])
    agent.start()
    agent.wait_content("db", "password", "the first")
    return agent


def rotate(server, agent, count, warm=3):
    """Milliseconds, per rotation: request to reply, request to file, publish to file."""
    client, out = server.client(), []
    watch = Watch(agent.run_dir / "db")
    watch.start()
    try:
        for i in range(warm + count):
            start = time.monotonic()
            r = client.post("sys/rotation/rotate/secret/rotate/db", {"timeout": "10s"})
            end = time.monotonic()
            assert r.status == 200 and r.data["state"] == "converged", r
            vaultd.wait_for("the file's event", lambda s=start: watch.first_after(s), 5)
            file, file_wall = watch.first_after(start)
            if i >= warm:
                out.append(((end - start) * 1000, (file - start) * 1000,
                            file_wall * 1000 - r.data["started_ms"]))
            time.sleep(0.02)
    finally:
        watch.stop()
    want = server.read("rotate/db")["password"]
    assert agent.content("db", "password") == want, "the file lacks the last value"
    return list(zip(*out))


def command(server, count=10):
    """Milliseconds that `vaultctl rotate` takes, from exec to exit."""
    out = []
    for _ in range(count):
        start = time.monotonic()
        server.ctl("rotate", "secret/rotate/db")
        out.append((time.monotonic() - start) * 1000)
    return out


def idle(server, agent, seconds):
    """(wake-ups, CPU us) of the agent and of all of vaultd in so many idle seconds."""
    groups = [agent.proc.pid], all_pids(server)
    time.sleep(3)
    before = [(procs.wakeups(g), procs.cpu_us(g)) for g in groups]
    time.sleep(seconds)
    after = [(procs.wakeups(g), procs.cpu_us(g)) for g in groups]
    return [(a[0] - b[0], a[1] - b[1]) for a, b in zip(after, before)]


def all_pids(server):
    return [server.proc.pid] + [p for pids in server.roles().values() for p in pids]
