# SPDX-License-Identifier: Apache-2.0
"""Load by wrk, on vaultd and on the yardstick."""

import dataclasses
import os
import pathlib
import resource
import signal
import statistics
import subprocess
import time

import procs

HERE = pathlib.Path(__file__).resolve().parent
QUIET = 0.15  # of a core that other programs may use in a run that counts


@dataclasses.dataclass
class Run:
    rate: float
    p50_ms: float
    p99_ms: float
    errors: int
    requests: int
    others: float  # cores that other programs used meanwhile
    cpu_us: dict  # name of a process -> CPU per request


def medians(runs):
    """The run of medians; errors are summed, others is the worst."""
    def mid(get):
        return statistics.median(map(get, runs))
    return Run(mid(lambda r: r.rate), mid(lambda r: r.p50_ms), mid(lambda r: r.p99_ms),
               sum(r.errors for r in runs), sum(r.requests for r in runs),
               max(r.others for r in runs),
               {k: mid(lambda r, k=k: r.cpu_us[k]) for k in runs[0].cpu_us})


def once(url, connections, limit_s, script):
    """What load.lua sends once each; how many seconds it took."""
    p = subprocess.Popen(["wrk", "-t1", f"-c{connections}", f"-d{limit_s}", "--timeout=30",
                          "-s", str(HERE / "load.lua"), url, "--", *map(str, script)],
                         stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    start = time.monotonic()
    try:
        line = next((x for x in p.stdout if x.startswith("FILLED")), "not in time")
        took = time.monotonic() - start
    finally:
        p.send_signal(signal.SIGINT)
        p.stdout.close()
        p.wait(30)
    if line.split()[1:] != ["0"]:
        raise RuntimeError(f"{script[0]}: {line}")
    return took


def wrk(url, connections, seconds, script, pids):
    """One run; pids: name -> list of pids to account."""
    before = {k: procs.cpu_us(v) for k, v in pids.items()}
    busy, own = procs.busy_us(), resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    p = subprocess.run(["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--timeout=10",
                        "-s", str(HERE / "load.lua"), url, "--", *map(str, script)],
                       capture_output=True, text=True, timeout=seconds + 60, check=False)
    took = time.monotonic() - start
    child = resource.getrusage(resource.RUSAGE_CHILDREN)
    line = [x for x in p.stdout.splitlines() if x.startswith("RESULT")]
    if not line:
        raise RuntimeError(f"wrk failed: {p.stdout}{p.stderr}")
    requests, us, p50, p99, errors = map(int, line[0].split()[1:])
    used = {k: procs.cpu_us(v) - before[k] for k, v in pids.items()}
    wrk_us = (child.ru_utime - own.ru_utime + child.ru_stime - own.ru_stime) * 1e6
    others = (procs.busy_us() - busy - wrk_us - sum(used.values())) / 1e6 / took
    return Run(requests * 1e6 / us, p50 / 1000, p99 / 1000, errors, requests, max(others, 0),
               {k: v / max(requests, 1) for k, v in used.items()})


def settle(pids):
    """Wait until nobody works on what the last run has left behind."""
    used, end = sum(map(procs.cpu_us, pids.values())), time.monotonic() + 5
    while time.monotonic() < end:
        time.sleep(0.02)
        now = sum(map(procs.cpu_us, pids.values()))
        if now - used < 2000:
            return
        used = now


class Together:
    """Loads on vaultd and one on the yardstick, in turns: {name: arguments of load.lua}."""

    def __init__(self, target, yardstick, loads, ruler):
        self.target, self.yardstick, self.loads, self.ruler = target, yardstick, loads, ruler

    def measure(self, connections, seconds, want=3, tries=5, warm=1):
        """Medians of the ${want} quietest rounds: {name: run}, and the yardstick's run."""
        (url, pids), rounds = self.target, []
        if warm:
            for script in self.loads.values():
                wrk(url, connections, warm, script, {})
            wrk(self.yardstick.url, connections, warm, self.ruler, {})
        while len(rounds) < tries and sum(r[0] <= QUIET for r in rounds) < want:
            runs = {}
            for name, script in self.loads.items():
                runs[name] = wrk(url, connections, seconds, script, pids)
                settle(pids)
            ruler = wrk(self.yardstick.url, connections, seconds, self.ruler,
                        {"yardstick": [self.yardstick.proc.pid]})
            rounds.append((max(r.others for r in (*runs.values(), ruler)), runs, ruler))
        # without enough quiet rounds: the quietest
        best = [r[1:] for r in sorted(rounds, key=lambda r: r[0])[:want]]
        return ({k: medians([runs[k] for runs, _ in best]) for k in self.loads},
                medians([ruler for _, ruler in best]))


class Yardstick:
    """tests/bench/yardstick.c, compiled and running."""

    def __init__(self, tmp, port, body_bytes):
        program = pathlib.Path(tmp) / "yardstick"
        subprocess.run([os.environ.get("CC", "cc"), "-O2", "-D_GNU_SOURCE", "-o", program,
                        HERE / "yardstick.c", "-lmicrohttpd"], check=True)
        self.url = f"http://127.0.0.1:{port}"
        self.proc = subprocess.Popen([program, str(port), str(body_bytes)],
                                     stdin=subprocess.DEVNULL)

    def stop(self):
        self.proc.terminate()
        self.proc.wait(10)
