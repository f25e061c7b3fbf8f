# SPDX-License-Identifier: Apache-2.0
"""Many simulated agents at once (tests/bench/fleet): one process, one secret that all of them hold."""
import json
import select
import subprocess
import time

import vaultd

PATH = "secret/fleet/shared"
PROGRAM = (vaultd.BIN / "vaultd").resolve().parents[1] / "tests" / "vault-fleet"


class Fleet:
    """Talks to vault-fleet; the server has TLS."""

    def __init__(self, server, agents, in_flight=32, check_every=1, patience=4 * vaultd.DEADLINE):
        self.server, self.agents, self.patience = server, agents, patience
        server.put("fleet/shared", {"password": "the first"})
        r = server.client().post("sys/hosts/roles/fleet", {"paths": [PATH], "lease_ttl": "24h"})
        assert r.status in (200, 204), r
        self.proc = subprocess.Popen(
            [PROGRAM, f"--api={server.port}", f"--hosts={server.hosts_port}", f"--pin={server.pin}", "--role=fleet",
             f"--path={PATH}", f"--agents={agents}", f"--in-flight={in_flight}", f"--check-every={check_every}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.proc.stdin.write(server.root + "\n")

    def say(self, line):
        self.proc.stdin.write(line + "\n")
        return ""

    def hear(self):
        assert self.answered(self.patience), f"no answer; {self.say('counts')}{self.proc.stdout.readline()}"
        line = self.proc.stdout.readline()
        assert line, f"vault-fleet ended with {self.proc.wait()}"
        return json.loads(line)

    def answered(self, seconds=0):
        """Is there an answer to hear?"""
        return bool(select.select([self.proc.stdout], [], [], seconds)[0])

    def ask(self, line):
        self.say(line)
        return self.hear()

    def enrol(self):
        """Seconds until all had joined and watched."""
        start = time.monotonic()
        self.ask("enrol")
        return time.monotonic() - start

    def write(self, value):
        """A new version: milliseconds until it was acknowledged, p50, p99 and of all."""
        start = self.now()
        version = self.server.put("fleet/shared", {"password": value})
        return self.ask(f"acked {version} {start}")

    def rotate(self, timeout="60s"):
        """The same by a rotation that waits for them: what they saw, and what the rotation said."""
        start = self.now()
        r = self.server.client().post(f"sys/rotation/rotate/{PATH}", {"timeout": timeout})
        took = (self.now() - start) / 1e6
        assert r.status == 200 and r.data["state"] == "converged", r
        return self.ask(f"acked {r.data['version']} {start}"), took, r.data

    @staticmethod
    def now():
        """The clock of `back` and `acked`."""
        return time.monotonic_ns()

    def counts(self):
        return self.ask("counts")

    def stop(self):
        self.proc.stdin.close()
        self.proc.stdout.close()
        assert self.proc.wait(30) == 0
