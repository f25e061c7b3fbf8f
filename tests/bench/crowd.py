# SPDX-License-Identifier: Apache-2.0
"""vaultd with thousands of agents connected: memory, a change that reaches all, a restart."""

import collections
import itertools
import time

import fleet
import procs
import steady

AGENTS = 10_000
IN_FLIGHT = 128
CHECKED = 500  # so many of them verify signatures too: real ones have processors of their own
CHANGES = 5
FILL = 20_000  # secrets: more than caches hold
READS = 200  # a second
SLICE_S = 2

Change = collections.namedtuple("Change", "p50 p99 last core_us net_us agent_us")
Restart = collections.namedtuple("Restart", "down_ms back counts quiet reads")


def net_pids(server):
    return server.roles()["net"]


class Crowd:
    def __init__(self, server, agents):
        self.server, self.agents = server, agents
        self.before = self.memory()
        self.fleet = fleet.Fleet(server, agents, min(IN_FLIGHT, agents), max(1, agents // CHECKED), patience=600)
        self.took = self.fleet.enrol()
        time.sleep(1)

    def memory(self):
        """MiB of net and of core; None where we may not see it."""
        return [procs.memory(pids)["pss"] for pids in (net_pids(self.server), self.server.roles()["core"])]

    def grown(self):
        return [None if b is None else a - b for a, b in zip(self.memory(), self.before)]

    def cpu(self):
        return [procs.cpu_us(pids) for pids in
                (self.server.roles()["core"], net_pids(self.server), [self.fleet.proc.pid])]

    def change(self, act):
        """One change, and what it cost per agent; all that followed from it is over."""
        before = self.cpu()
        seen = act()
        vaultd_at_rest(self)
        spent = [(a - b) / self.agents for a, b in zip(self.cpu(), before)]
        return Change(seen["p50_ms"], seen["p99_ms"], seen["max_ms"], *spent)

    def writes(self):
        values = map(str, itertools.count())
        return [self.change(lambda: self.fleet.write(next(values))) for _ in range(CHANGES)]

    def rotation(self):
        r = self.server.client().post(f"sys/rotation/config/{fleet.PATH}", {"field": "password"})
        assert r.status in (200, 204), r
        return self.change(self.rotate)

    def rotate(self):
        """When they have said so, and when the vault had heard the last."""
        seen, took, _ = self.fleet.rotate()
        return {**seen, "max_ms": max(took, seen["max_ms"])}

    def restart(self, path):
        """Ordinary reads, over TLS, from when the server serves until the fleet is back."""
        quiet = steady.reads(self.server, path, READS, SLICE_S)
        before, start = self.fleet.counts(), time.monotonic_ns()
        self.server.stop()
        self.server.start()
        self.server.wait_unsealed()
        down = (time.monotonic_ns() - start) / 1e6
        self.fleet.say(f"back {start}")
        reads = []
        while not reads or not self.fleet.answered():
            reads += steady.reads(self.server, path, READS, SLICE_S)
        back = self.fleet.hear()
        counts = {k: v - before[k] for k, v in self.fleet.counts().items()}
        return Restart(down, back, counts, quiet, sorted(reads))

    def stop(self):
        self.fleet.stop()


def vaultd_at_rest(crowd):
    """Until nobody works on what the last change has left behind."""
    while True:
        before = sum(crowd.cpu())
        time.sleep(0.5)
        if sum(crowd.cpu()) - before < 25_000:
            return
