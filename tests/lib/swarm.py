# SPDX-License-Identifier: Apache-2.0
"""swarm-driver, the agent's part in a Swarm without the agent, and what a test asks Docker about the Swarm."""
import base64
import contextlib
import http.client
import json
import queue
import socket
import subprocess
import threading

import pytest

import dockerd
from vaultd import BIN, DEADLINE, wait_for

DRIVER = (BIN / "vaultd").resolve().parents[1] / "tests" / "swarm-driver"


class _Unix(http.client.HTTPConnection):
    def __init__(self, path):
        super().__init__("docker")
        self.path = str(path)

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(60)
        self.sock.connect(self.path)


class Api:
    """Docker's API as it is, for what its CLI does not say."""

    def __init__(self, engine):
        self.socket = engine.socket

    def call(self, method, path, body=None):
        c = _Unix(self.socket)
        c.request(method, "/v1.41" + path, None if body is None else json.dumps(body), {"Content-Type": "application/json"})
        r = c.getresponse()
        data = r.read()
        c.close()
        return r.status, json.loads(data) if data.strip() else None

    def service(self, name):
        return self.call("GET", f"/services/{name}")[1]

    def refs(self, name):
        found = self.service(name)["Spec"]["TaskTemplate"]["ContainerSpec"].get("Secrets") or []
        return {r["File"]["Name"]: r["SecretName"] for r in found}

    def update(self, name, change):
        """Somebody else's update of a service: change(spec)."""
        while True:
            s = self.service(name)
            change(s["Spec"])
            status, said = self.call("POST", f"/services/{s['ID']}/update?version={s['Version']['Index']}", s["Spec"])
            if status == 200:
                return
            assert "out of sequence" in said["message"], said

    def label(self, secret, labels):
        s = self.call("GET", f"/secrets/{secret}")[1]
        status, said = self.call("POST", f"/secrets/{s['ID']}/update?version={s['Version']['Index']}",
                                 {"Name": s["Spec"]["Name"], "Labels": labels})
        assert status == 200, said

    def secrets(self):
        return {s["Spec"]["Name"] for s in self.call("GET", "/secrets")[1]}


@contextlib.contextmanager
def one_manager():
    """A Swarm of one manager, for a module of tests."""
    why = dockerd.unavailable()
    if why:
        pytest.skip(why)
    engine = dockerd.Dockerd(swarm=True)
    try:
        yield engine.start()
    finally:
        engine.close()


class Services:
    """What a test has in the Swarm; close() leaves none of it."""

    def __init__(self, engine):
        self.engine, self.api, self.services = engine, Api(engine), []

    def secret(self, name, value, **labels):
        """One that is there before the vault knows of it; its id."""
        data = base64.b64encode(value.encode()).decode()
        status, made = self.api.call("POST", "/secrets/create", {"Name": name, "Data": data, "Labels": labels})
        assert status == 201, made
        return made["ID"]

    def create(self, name, main, *options):
        """A service of one task that says quickly whether it lives, running ${main}."""
        self.services.append(name)
        self.engine.cli("service", "create", "-d", "--no-resolve-image", "--name", name, "--update-delay", "0s",
                        "--update-monitor", "300ms", "--restart-delay", "300ms", "--stop-grace-period", "0s", *options,
                        dockerd.IMAGE, "sh", "-c", main)

    def tasks(self, name):
        return self.api.call("GET", '/tasks?filters={"service":["%s"],"desired-state":["running"]}' % name)[1]

    def running(self, name):
        tasks = self.tasks(name)
        return tasks and all(t["Status"]["State"] == "running" for t in tasks)

    def close(self):
        for s in self.services:
            self.engine.try_cli("service", "rm", s)
        wait_for("tasks to go", lambda: not self.engine.cli("ps", "-q").strip())
        for s in self.api.secrets():
            self.api.call("DELETE", f"/secrets/{s}")


class Driver:
    """The vault, as far as a Swarm's agent sees it: bindings, values, and rows that are kept."""

    def __init__(self, engine, rows=()):
        self.rows, self.history, self.said = {}, [], queue.Queue()
        self.process = subprocess.Popen([DRIVER, str(engine.socket)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.reader = threading.Thread(target=self.read, daemon=True)
        self.reader.start()
        self.about = self.wait("about")
        for row in rows:
            self.rows[row["binding"], row["service"]] = row
            self.send(row=row)

    def read(self):
        for line in self.process.stdout:
            o = json.loads(line)
            if "row" in o:
                row = dict(o["row"], at=o.get("at", 0))
                self.rows[row["binding"], row["service"]] = row
                self.history.append(row)
            else:
                self.said.put(o)

    def send(self, **o):
        self.process.stdin.write(json.dumps(o) + "\n")
        self.process.stdin.flush()

    def wait(self, key):
        while True:
            o = self.said.get(timeout=DEADLINE * 2)
            if key in o:
                return o[key] if key != "status" else o

    def status(self):
        self.send(status=True)
        return self.wait("status")

    def bind(self, name, version, value, **more):
        self.send(binding={"name": name, "version": version, "value": value, "path": f"secret/{name}", "target": name,
                           "soak_ms": 0, **more})

    def row(self, name):
        """Of the one service of that name, whatever binding."""
        return next((r for r in self.rows.values() if r["name"] == name), {})

    def wait_state(self, name, state, version):
        def there():
            r = self.row(name)
            return r.get("state") == state and r.get("version") == version
        try:
            wait_for(f"{name} to be {state} {version}", there, DEADLINE * 4)
        except AssertionError:
            raise AssertionError(f"{name} is not {state} {version}: {self.history[-12:]} {self.status()}") from None

    def close(self, kill=False):
        if kill:
            self.process.kill()
        else:
            self.process.stdin.close()
        self.process.wait(DEADLINE)
        self.reader.join(DEADLINE)
        return self.process.returncode
