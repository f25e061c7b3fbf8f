# SPDX-License-Identifier: Apache-2.0
"""What vault-agent takes and does on a manager of a real Docker Swarm, whose Engine is its own."""

import collections
import datetime
import json
import os
import pathlib
import socket
import statistics
import subprocess
import threading
import time

import dockerd
import procs
import vaultd
from swarm import Api

BINDINGS = 300
SERVICES, REPLICAS = 5, 4
ROTATIONS = 3
IDLE_S = 60
SETTLE_S = 130  # looks that follow the last update, and what the Engine is asked now and then
ASKED = 3000
PLUGIN = dockerd.plugin_socket("bench")
HERE = pathlib.Path(__file__).resolve().parent

Result = collections.namedtuple("Result", "memory calls resync_ms overheads answers echoes")


def until(what, done, seconds, pause=0.02):
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, what
        time.sleep(pause)


class Manager:
    def __init__(self, engine, server, tmp):
        self.engine, self.api, self.s = engine, Api(engine), server
        self.a = vaultd.Agent(tmp, server, "manager", [])
        self.a.extra = {"swarm": json.dumps({"sync": True, "driver": True, "driver_socket": str(PLUGIN),
                                            "socket": str(engine.socket)})}
        self.a.join(server.add_host("manager", ["secret/swarm/*"])["join_token"])

    def call(self, method, path, body=None):
        """By a connection of its own: minutes may lie between two."""
        c = self.s.client()
        try:
            return c.request(method, path, body)
        finally:
            c.close()

    def put(self, name, value):
        r = self.call("POST", f"secret/data/swarm/{name}", {"data": {"password": value}})
        assert r.status == 200, r
        return r.data

    def bind(self, name, path, **spec):
        r = self.call("POST", f"sys/swarm/bindings/{name}", {"roles": ["web"], "path": f"secret/swarm/{path}",
                                                             "field": "password", "soak": "0s", **spec})
        assert r.status in (200, 204), r

    def service(self, name, target, replicas):
        self.engine.cli("service", "create", "-d", "--no-resolve-image", "--name", name, "--replicas", replicas,
                        "--secret", f"source=first,target={target}", "--update-delay", "0s", "--update-monitor", "500ms",
                        "--update-order", "start-first", "--update-parallelism", "2", "--stop-grace-period", "0s",
                        dockerd.IMAGE, "sleep", "100000")

    def status(self):
        return (self.a.status() or {}).get("swarm", {})

    def rows(self, version=None):
        """(binding, state) of all services."""
        return [(b["name"], r["state"]) for b in self.status().get("bindings", []) for r in b["services"]
                if version is None or r["version"] == version]

    def finished(self, n):
        rows = self.rows()
        return self.status().get("scanned") and len(rows) == n and all(state == "done" for _, state in rows)


def fill(m):
    """One service without tasks for each binding: what the agent does is the same, and Docker has nothing to run."""
    m.api.call("POST", "/secrets/create", {"Name": "first", "Data": "emVybw=="})
    first = next(s["ID"] for s in m.api.call("GET", "/secrets")[1] if s["Spec"]["Name"] == "first")
    for i in range(BINDINGS):
        name = f"app{i:03d}"
        m.put(name, f"{i:032d}")
        m.bind(name, name, services=[name], targets=[{"target": "db"}])
        ref = {"File": {"Name": "db", "UID": "0", "GID": "0", "Mode": 256}, "SecretID": first, "SecretName": "first"}
        status, said = m.api.call("POST", "/services/create", {
            "Name": name, "Mode": {"Replicated": {"Replicas": 0}},
            "TaskTemplate": {"ContainerSpec": {"Image": dockerd.IMAGE, "Command": ["sleep", "100000"], "Secrets": [ref]}}})
        assert status == 201, said


def resync(m):
    """From a start of the agent until it has looked at everything and knows that all is done: without its login."""
    m.a.stop()
    mark = len(m.a.log())
    m.a.start()
    until("the agent to lead", lambda: "leads the Swarm" in m.a.log()[mark:], 60, 0.002)
    start = time.monotonic()
    until("all to be looked at", lambda: m.finished(BINDINGS), 60, 0.002)
    return (time.monotonic() - start) * 1000


def idle(m):
    time.sleep(SETTLE_S)
    before = m.status()["calls"]
    time.sleep(IDLE_S)
    return procs.memory([m.a.proc.pid]), m.status()["calls"] - before


class Events(threading.Thread):
    """When Docker has accepted an update, and when it calls it completed: {service: (ms, ms)}."""

    def __init__(self, engine):
        super().__init__(daemon=True)
        self.accepted, self.completed = {}, {}
        self.process = subprocess.Popen([dockerd.find("docker", "/usr/bin"), "-H", f"unix://{engine.socket}", "events", "--filter",
                                         "type=service", "--format", "{{json .}}"], stdout=subprocess.PIPE, text=True)
        self.start()

    def run(self):
        for line in self.process.stdout:
            e = json.loads(line)
            about, at = e["Actor"]["Attributes"], e["timeNano"] / 1e6
            if e["Action"] == "update" and "updatestate.new" not in about:
                self.accepted[about["name"]] = at
            elif about.get("updatestate.new") == "completed":
                self.completed[about["name"]] = at

    def stop(self):
        self.process.terminate()
        self.process.wait()


def wall_ms(text):
    head, _, fraction = text.rstrip("Z").partition(".")
    whole = datetime.datetime.fromisoformat(head).replace(tzinfo=datetime.timezone.utc).timestamp()
    return (whole + float("0." + (fraction or "0"))) * 1000


def overhead(m, names, version):
    """From the write of a version until the vault has heard that all services have it, without Docker's own updates of them,
    which come one after another."""
    events = Events(m.engine)
    time.sleep(1)
    start = wall_ms(m.put("wide", f"value-{version}")["created_time"])

    def rows():
        found = m.call("GET", "sys/swarm/bindings/wide/status").data["clusters"]
        return [r for k in found for r in k["services"] if r["version"] == version and r["state"] == "done"]
    until("all services to be done", lambda: len(rows()) == len(names), 180, 0.2)
    end = max(wall_ms(r["since"]) for r in rows())
    until("events", lambda: set(events.completed) >= set(names), 30)
    events.stop()
    return end - start - sum(events.completed[n] - events.accepted[n] for n in names)


def wide(m):
    names = [f"wide{i}" for i in range(SERVICES)]
    for n in names:
        m.service(n, "wide", REPLICAS)
    m.put("wide", "value-1")
    m.bind("wide", "wide", services=names, targets=[{"target": "wide"}])
    until("the first version", lambda: m.finished(BINDINGS + SERVICES), 240, 0.5)
    return [overhead(m, names, v) for v in range(2, 2 + ROTATIONS)]


def call(path, request):
    with socket.socket(socket.AF_UNIX) as s:
        start = time.perf_counter()
        s.connect(str(path))
        s.sendall(request)
        got = b""
        while chunk := s.recv(65536):
            got += chunk
        return (time.perf_counter() - start) * 1000, got


def answers(m, tmp):
    """Times of the driver's answers and of a plain echo of as many bytes, in turns."""
    m.put("drv", "x" * 32)
    m.bind("drv", "drv", services=["drv"], mode="driver")
    until("the value", lambda: m.status()["driver"]["values"] > 0, 60, 0.1)
    body = json.dumps({"SecretName": "drv", "SecretLabels": {}, "ServiceName": "drv", "ServiceID": "s" * 25,
                       "TaskID": "t" * 25}).encode()
    request = (f"POST /SecretProvider.GetSecret HTTP/1.1\r\nHost: \r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
    _, got = call(PLUGIN, request)
    assert b"Value" in got, got
    program, path = tmp / "echo", tmp / "echo.sock"
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", program, HERE / "echo.c"], check=True)
    echo = subprocess.Popen([program, path, str(len(got))])
    try:
        until("the echo", path.exists, 10)
        time.sleep(0.2)
        both = [(call(PLUGIN, request)[0], call(path, request)[0]) for _ in range(ASKED)]
    finally:
        echo.terminate()
        echo.wait()
    return [a for a, _ in both], [b for _, b in both]


def measure(server, tmp):
    engine = dockerd.Dockerd(swarm=True)
    try:
        m = Manager(engine.start(), server, tmp)
        fill(m)
        m.a.start()
        until("all bindings to be synced", lambda: m.finished(BINDINGS), 240, 0.5)
        again = statistics.median(resync(m) for _ in range(3))
        memory, calls = idle(m)
        times, echoes = answers(m, tmp)
        out = Result(memory, calls, again, wide(m), times, echoes)
        m.a.clean()
        return out
    finally:
        engine.close()
        PLUGIN.unlink(missing_ok=True)
