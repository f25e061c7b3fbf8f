# SPDX-License-Identifier: Apache-2.0
"""The agent's view of Docker without the agent: tests/e2e/docker_driver.c as a process."""
import itertools
import json
import queue
import subprocess
import threading

import vaultd
from vaultd import DEADLINE

PROGRAM = (vaultd.BIN / "vaultd").resolve().parents[1] / "tests" / "docker-driver"


class View:
    """events is all that it said, in order; expect() waits for what is not consumed yet."""

    def __init__(self, socket, run_dir, *volumes):
        self.log = open(f"{run_dir}.log", "ab")
        self.process = subprocess.Popen([str(a) for a in (PROGRAM, socket, run_dir, *volumes)], stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, stderr=self.log, text=True)
        self.events, self.inbox, self.tags = [], queue.Queue(), itertools.count()
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self):
        for line in self.process.stdout:
            self.inbox.put(json.loads(line))
        self.inbox.put({"event": "end"})

    def close(self):
        self.process.stdin.close()
        assert self.process.wait(DEADLINE) == 0
        self.thread.join()
        self.log.close()
        text = open(self.log.name, encoding="utf-8", errors="replace").read()
        vaultd.check_log(text)
        return text

    def expect(self, event, seconds=DEADLINE, **fields):
        """The next event of that kind whose fields are these; others before it are kept in events."""
        while True:
            try:
                got = self.inbox.get(timeout=seconds)
            except queue.Empty:
                raise AssertionError(f"no {event} {fields}; it said {self.events[-5:]}") from None
            self.events.append(got)
            assert got["event"] != "end", f"it ended: {open(self.log.name, encoding='utf-8').read()[-2000:]}"
            if got["event"] == event and all(got.get(k) == v for k, v in fields.items()):
                return got

    def drain(self):
        while not self.inbox.empty():
            self.events.append(self.inbox.get())

    def say(self, *command):
        self.process.stdin.write(json.dumps(command) + "\n")
        self.process.stdin.flush()

    def start_call(self, verb, *args):
        tag = f"t{next(self.tags)}"
        self.say(verb, tag, *args)
        return tag

    def call(self, verb, *args):
        return self.expect("done", tag=self.start_call(verb, *args))

    def status(self):
        self.say("status")
        return self.expect("status")["status"]
