# SPDX-License-Identifier: Apache-2.0
"""A Swarm of several managers: each a real Docker Engine in a network namespace of its own, joined by a bridge in one
more; nothing of it is in the machine's own network.

    swarm = Managers(3)
    swarm.start()
    swarm.raft_leader().kill()
    swarm.close()
"""
import contextlib
import json
import os
import subprocess

import dockerd
from vaultd import DEADLINE, wait_for


def ip(*words, check=True):
    p = subprocess.run(["ip", *map(str, words)], capture_output=True, text=True, check=False, timeout=DEADLINE)
    assert not check or p.returncode == 0, f"ip {words}: {p.stderr}"
    return p


def unavailable():
    """Why no such Swarm can be here, or None."""
    why = dockerd.unavailable()
    if why:
        return why
    name = f"vsw{os.getpid()}try"
    made = ip("netns", "add", name, check=False)
    ip("netns", "del", name, check=False)
    return None if made.returncode == 0 else f"no network namespace can be made: {made.stderr.strip()}"


class Managers:
    def __init__(self, n):
        self.net = f"vsw{os.getpid()}"
        self.engines = [dockerd.Dockerd(netns=f"{self.net}m{i}") for i in range(n)]

    def address(self, i):
        return f"10.91.0.{i + 1}"

    def start(self):
        self.connect()
        for e in self.engines:
            e.start()
        first = self.engines[0]
        first.cli("swarm", "init", "--advertise-addr", self.address(0), "--listen-addr", f"{self.address(0)}:2377")
        token = first.cli("swarm", "join-token", "-q", "manager").strip()
        for i, e in enumerate(self.engines[1:], 1):
            e.cli("swarm", "join", "--token", token, "--advertise-addr", self.address(i), "--listen-addr",
                  f"{self.address(i)}:2377", f"{self.address(0)}:2377")
        self.wait_whole()
        return self

    def connect(self):
        hub = f"{self.net}hub"
        ip("netns", "add", hub)
        ip("-n", hub, "link", "add", "hub", "type", "bridge")
        ip("-n", hub, "link", "set", "hub", "up")
        for i, e in enumerate(self.engines):
            ip("netns", "add", e.netns)
            ip("-n", e.netns, "link", "set", "lo", "up")
            ip("-n", hub, "link", "add", f"m{i}", "type", "veth", "peer", "name", "eth0", "netns", e.netns)
            ip("-n", hub, "link", "set", f"m{i}", "master", "hub", "up")
            ip("-n", e.netns, "addr", "add", f"{self.address(i)}/24", "dev", "eth0")
            ip("-n", e.netns, "link", "set", "eth0", "up")

    def running(self):
        return [e for e in self.engines if e.process is not None]

    def nodes(self, engine):
        """What this one knows of the managers; nothing without a leader."""
        p = engine.try_cli("node", "ls", "-q")
        ids = p.stdout.split() if p.returncode == 0 else []
        return json.loads(engine.cli("node", "inspect", *ids)) if ids else []

    def leader_address(self):
        for e in self.running():
            for n in self.nodes(e):
                if n.get("ManagerStatus", {}).get("Leader"):
                    return n["ManagerStatus"]["Addr"].partition(":")[0]
        return None

    def raft_leader(self):
        at = wait_for("the Swarm to have a leader", self.leader_address, DEADLINE * 4)
        return next(e for i, e in enumerate(self.engines) if self.address(i) == at)

    def wait_whole(self):
        """All that run have quorum, see each other, and can be given tasks."""
        def whole():
            return all(sum(n["Status"]["State"] == "ready" and n["ManagerStatus"].get("Reachability") == "reachable"
                           for n in self.nodes(e)) >= len(self.running()) for e in self.running())
        wait_for("the managers to see each other", whole, DEADLINE * 4)

    def back(self, engine):
        """One that was killed: it goes on with the same Swarm."""
        engine.start()

    def close(self):
        for e in self.engines:
            if e.process is None:
                with contextlib.suppress(AssertionError, OSError):
                    e.launch()
                    wait_for("dockerd", e.answers, DEADLINE)
        for e in self.engines:
            e.close()
        for name in [*(e.netns for e in self.engines), f"{self.net}hub"]:
            ip("netns", "del", name, check=False)
