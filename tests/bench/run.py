#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Measure a release build and print one table; ./dev bench [SECTION...] runs this.

    agent     memory, wake-ups and rotations with an agent
    reads     audited reads against their goals
    api       every kind of request, over plain HTTP and TLS
    expiry    reads while 100,000 tokens expire
    schedules reads while 10,000 schedules come due in one window
    herd      reads while 10,000 schedules of Redis accounts are due at one moment
    holders   a PostgreSQL password that 100 agents hold
    restart   how soon 100,000 secrets are served again
    scan      the leak scanner, and other ones that it installs for that in build/scan-peers
    footprint what an agent with 100, and one with 1,000 secrets takes
    swarm     a manager of a Docker Swarm: 300 bindings, one binding of 20 tasks, the driver
    fleet     10,000 agents connected, or fleet:N of them

Rates are compared with a yardstick of the same run (yardstick.c), because the machine's own
speed changes from hour to hour.  BENCH_DIR says where the data go: a real disk, please.
"""

import os
import pathlib
import shutil
import statistics
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent),
                str(pathlib.Path(__file__).resolve().parents[1] / "lib")]

import api  # noqa: E402
import crowd  # noqa: E402
import expiry  # noqa: E402
import footprint  # noqa: E402
import herd  # noqa: E402
import load  # noqa: E402
import procs  # noqa: E402
import restart  # noqa: E402
import rotation  # noqa: E402
import scan  # noqa: E402
import schedules  # noqa: E402
import services  # noqa: E402
import vaultd  # noqa: E402

READ_PATHS = 1000
FILL = 100_000
ROTATIONS = 50
IDLE_S = 30


class Table:
    def __init__(self):
        self.rows = []

    def add(self, what, measured, goal="", verdict=""):
        self.rows.append((what, measured, goal, verdict))
        print(f"bench: {what}: {measured}", file=sys.stderr, flush=True)

    def judge(self, what, measured, goal, reached, remark=""):
        self.add(what, measured, goal, ("reached" if reached else "MISSED") + remark)

    def show(self):
        rows = [("what", "measured", "goal", "verdict"), *self.rows]
        widths = [max(len(r[i]) for r in rows) for i in range(3)]
        rows.insert(1, tuple("-" * w for w in (*widths, 7)))
        for r in rows:
            print("  ".join([*(r[i].ljust(widths[i]) for i in range(3)), r[3]]).rstrip())


def percentiles(values, digits=1):
    """p50 and p99 as text, and p50."""
    ordered = sorted(values)
    p50 = statistics.median(ordered)
    return f"p50 {p50:.{digits}f} ms, p99 {ordered[int(len(ordered) * 0.99)]:.{digits}f} ms", p50


def sync_ms(tmp):
    """What one durable 4 KiB write costs here."""
    out = []
    fd = os.open(tmp / "sync", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        for i in range(210):
            start = time.monotonic()
            os.pwrite(fd, b"x" * 4096, i % 16 * 4096)
            os.fdatasync(fd)
            out.append((time.monotonic() - start) * 1000)
    finally:
        os.close(fd)
    return out[10:]


def new_server(tmp, name, tls=False):
    """Of its own, unsealed; one account may log in as often as it likes."""
    home = tmp / name
    home.mkdir()
    key = home / "unseal.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    server = vaultd.Server(home, tls=tls, config={"auto_unseal": {"key_file": str(key)},
                                                  "rate_limit": {"login": 0}})
    try:
        server.start()
        server.init(unseal=False)
        server.wait_unsealed()
    except BaseException:
        if server.proc is not None:
            server.stop()
        raise
    return server


def put_paths(server):
    client = server.client()
    for i in range(READ_PATHS):
        r = client.post(f"secret/data/bench/{i:04d}",
                        {"data": {"username": "app", "password": f"{i:032d}"}})
        assert r.status == 200, r
    r = client.get("secret/data/bench/0000")
    assert r.status == 200, r
    return len(r.raw)


def names_of(server):
    """The processes that a plain request passes: core, and the net that has the listener."""
    return {"core": server.roles()["core"], "net": server.roles()["net"]}


def audited(server):
    return server.client().get("sys/audit-log/checkpoint").data["size"]


def noise(*runs):
    """Other programs slow the yardstick more than vaultd: such a ratio flatters."""
    return ", but noisy" if max(r.others for r in runs) > load.QUIET else ""


def add_run(table, what, run, yard, goal, cpu=""):
    of = run.rate / yard.rate
    text = (f"{run.rate:,.0f}/s = {of * 100:.0f} % of {yard.rate:,.0f}/s; {cpu}"
            f"p50 {run.p50_ms:.2f} p99 {run.p99_ms:.2f} ms")
    if noise(run, yard):
        text += f" (others: {max(run.others, yard.others):.1f} cores)"
    if run.errors:
        raise RuntimeError(f"{what}: {run.errors} requests failed")
    if goal:
        verdict = "MISSED" if of < goal else "stretch" if of >= 0.45 else "reached"
        table.add(what, text, f">= {goal * 100:.0f} % (stretch 45 %)", verdict + noise(run, yard))
    else:
        table.add(what, text)


def bench_reads(table, server, yardstick):
    script = ("read", server.root, READ_PATHS)
    together = load.Together((server.url, names_of(server)), yardstick, {"read": script}, script)
    for connections in api.CONNECTIONS:
        before = audited(server)
        runs, yard = together.measure(connections, 2)
        run = runs["read"]
        assert audited(server) - before >= run.requests, "reads without an audit record"
        add_run(table, f"audited reads, {connections} connections", run, yard, 0.30)
        core, net = run.cpu_us["core"], run.cpu_us["net"]
        if connections == 64:
            table.judge("  CPU per read in core", f"{core:.1f} us", "<= 20 us", core <= 20,
                        noise(run))
            table.judge("  CPU per read in net", f"{net:.1f} us", "<= 25 us", net <= 25,
                        noise(run))
        else:
            table.add("  CPU per read in core, net", f"{core:.1f} us, {net:.1f} us")
        table.add("  CPU per request of the yardstick", f"{yard.cpu_us['yardstick']:.1f} us")


def bench_api(table, tmp, yardstick, tls):
    server = new_server(tmp, "api-tls" if tls else "api", tls)
    try:
        put_paths(server)
        loads = api.prepare(server, READ_PATHS)
        ruler = ("read", server.root, READ_PATHS)
        for connections, runs, yard in api.measure(server, names_of(server), yardstick, loads,
                                                   ruler, audited):
            for name, run in runs.items():
                what = f"{name}, {'TLS, ' if tls else ''}{connections} connections"
                cpu = f"core {run.cpu_us['core']:.0f} + net {run.cpu_us['net']:.0f} us; "
                add_run(table, what, run, yard, None, cpu)
    finally:
        server.stop()


def bench_expiry(table, tmp):
    server = new_server(tmp, "expiry")
    try:
        put_paths(server)
        result = expiry.measure(server, audited)
    finally:
        server.stop()
    table.add(f"tokens created, {expiry.TOKENS:,}, 64 connections", f"{result.created:,.0f}/s")
    table.add(f"reads at {expiry.RATE}/s before they expire", percentiles(result.before, 2)[0])
    of = expiry.ratio(result)
    table.judge(f"the same while they expire in {expiry.SPAN_S} s",
                f"{percentiles(result.during, 2)[0]}, max {result.during[-1]:.1f} ms; "
                f"p99 {of:.1f}x", "p99 <= 3x", of <= 3)
    table.add("last token gone after its time", f"{result.late_s:.1f} s")


def bench_schedules(table, tmp):
    server = new_server(tmp, "schedules")
    try:
        put_paths(server)
        result = schedules.measure(server)
    finally:
        server.stop()
    table.add(f"reads at {schedules.RATE}/s before schedules are due", percentiles(result.before, 2)[0])
    of = schedules.p99(result.during) / schedules.p99(result.before)
    table.judge(f"the same while {schedules.SCHEDULES:,} are, in {schedules.WINDOW_S // 2} s",
                f"{percentiles(result.during, 2)[0]}, max {result.during[-1]:.1f} ms; p99 {of:.1f}x", "p99 <= 2x", of <= 2)
    table.add("rotations begun in each tenth of the spread", " ".join(map(str, result.per_tenth)))
    table.add("how long after its moment one began", f"{percentiles(result.late_ms)[0]}, max {result.late_ms[-1]:.0f} ms; "
              f"{result.unlike} did not converge")


def bench_herd(table, tmp):
    if not herd.available:
        table.add("a herd of Redis accounts", "no Redis here")
        return
    server = new_server(tmp, "herd")
    try:
        put_paths(server)
        result = herd.measure(server)
    finally:
        server.stop()
    table.add(f"reads at {schedules.RATE}/s before the herd is due", percentiles(result.before, 2)[0])
    of = schedules.p99(result.during) / schedules.p99(result.before)
    table.judge(f"the same while {schedules.SCHEDULES:,} Redis accounts are, for {herd.SECONDS} s",
                f"{percentiles(result.during, 2)[0]}, max {result.during[-1]:.1f} ms; p99 {of:.1f}x", "p99 <= 2x", of <= 2)
    table.judge("of them begun in a minute, whichever it is", f"{result.most_a_minute} of {result.begun}; "
                f"{result.unlike} did not converge", "<= 20", result.most_a_minute <= 20)
    table.judge("of them at work at a time", f"{result.most_at_once}", "<= 8", result.most_at_once <= 8)


def bench_holders(table, tmp):
    if not schedules.Postgres.available:
        table.add("a PostgreSQL password", "no PostgreSQL here")
        return
    server = new_server(tmp, "holders", tls=True)
    try:
        took = schedules.holders(server, tmp)
    finally:
        server.stop()
    table.judge(f"rotation of a PostgreSQL password that {schedules.AGENTS} agents hold",
                f"{percentiles(took, 0)[0]}, max {took[-1]:.0f} ms", "<= 1,000 ms", took[-1] <= 1000)


def add_memory(table, server, agent):
    vault = procs.memory(rotation.all_pids(server))
    if vault["pss"] is None:
        table.add("memory", f"vaultd RSS {vault['rss']:.1f} MiB", "", "PSS needs root")
        return
    table.judge(f"vaultd idle, {len(rotation.all_pids(server))} processes",
                f"PSS {vault['pss']:.1f} MiB, RSS {vault['rss']:.1f} MiB", "PSS <= 20 MiB",
                vault["pss"] <= 20)
    m = procs.memory([agent.proc.pid])
    if m["pss"] is None:
        table.add("agent idle", f"RSS {m['rss']:.1f} MiB", "", "private memory needs root")
        return
    table.judge("agent idle", f"private {m['private']:.1f} MiB, PSS {m['pss']:.1f} MiB, "
                f"RSS {m['rss']:.1f} MiB", "private <= 3 MiB", m["private"] <= 3)


def bench_agent(table, server, agent):
    add_memory(table, server, agent)
    (wakes, cpu), (all_wakes, all_cpu) = rotation.idle(server, agent, IDLE_S)
    table.judge(f"agent wake-ups in {IDLE_S} idle s", f"{wakes}, {cpu / 1000:.0f} ms CPU",
                "heartbeats only (<= 2)", wakes <= 2)
    table.add(f"vaultd wake-ups in {IDLE_S} idle s", f"{all_wakes}, {all_cpu / 1000:.0f} ms CPU")
    reply, file, published = rotation.rotate(server, agent, ROTATIONS)
    text, p50 = percentiles(file)
    table.judge("rotation, request to file", text, "p50 <= 10 ms", p50 <= 10)
    table.add("rotation, publish to file", percentiles(published)[0])
    table.add("rotation, request to reply", percentiles(reply)[0])
    table.add("vaultctl rotate, exec to exit", percentiles(rotation.command(server))[0])


def bench_restart(table, tmp):
    server = new_server(tmp, "many")
    try:
        rate = restart.fill(server, FILL)
        table.add(f"fill with {FILL:,} secrets", f"{rate:,.0f}/s, {FILL / rate:.1f} s")
        times = [restart.restart(server, "fill/099999") for _ in range(3)]
        ms = statistics.median(times)
        table.judge(f"restart to serving, {FILL:,} secrets", f"{ms:.0f} ms", "<= 1,000 ms",
                    ms <= 1000)
        ms = restart.core_killed(server, "fill/000000")  # once: a second start is held back
        table.add("kill -9 of core to serving", f"{ms:.0f} ms")
        m = procs.memory(rotation.all_pids(server))
        if m["pss"] is not None:
            table.add(f"vaultd with {FILL:,} secrets", f"PSS {m['pss']:.1f} MiB")
    finally:
        server.stop()


def add_change(table, what, changes):
    mid = sorted(changes, key=lambda c: c.p99)[len(changes) // 2]
    text = f"p50 {mid.p50:,.0f} ms, p99 {mid.p99:,.0f} ms, last {mid.last:,.0f} ms"
    table.judge(what, text, "p99 <= 2,000 ms", mid.p99 <= 2000)
    table.add("  CPU per agent in core, net; in the agents", f"{mid.core_us:.0f} us, {mid.net_us:.0f} us; "
              f"{mid.agent_us:.0f} us")


def add_restart(table, r, agents):
    what = f"restart, until all {agents:,} agents are back"
    table.judge(what, f"p50 {r.back['p50_ms'] / 1000:.1f} s, last {r.back['max_ms'] / 1000:.1f} s; "
                f"down for {r.down_ms / 1000:.1f} s", "<= 60 s", r.back["max_ms"] <= 60_000)
    errors = r.counts["refused"] + r.counts["distrusted"] + r.counts["disbelieved"]
    table.judge("  errors; attempts that failed", f"{errors}; {r.counts['unavailable']} told to come again, "
                f"{r.counts['unreachable']} cut or not accepted, {r.counts['timeouts']} timed out", "0 errors", errors == 0)
    before, now = (sorted(x)[int(len(x) * 0.99)] for x in (r.quiet, r.reads))
    table.judge(f"  reads at {crowd.READS}/s meanwhile", f"{percentiles(r.reads, 2)[0]}, max {r.reads[-1]:.0f} ms; "
                f"p99 {now / before:.1f}x of {before:.2f} ms", "p99 <= 50 ms", now <= 50)


PRIVATE_MIB = {100: 3, 1000: 6}


def bench_footprint(table, tmp):
    server = new_server(tmp, "footprint", tls=True)
    try:
        (first, last), idle = footprint.measure(server, tmp)
    finally:
        server.stop()
    table.judge(f"agent, start to first file; to all {footprint.SIZES[0]}", f"{first:.0f} ms; {last:.0f} ms", "<= 150 ms", first <= 150)
    for x in idle:
        m, name = x.memory, f"agent with {x.secrets:,} secrets"
        if m["private"] is None:
            table.add(name, f"RSS {m['rss']:.1f} MiB", "", "private memory needs root")
        else:
            goal = PRIVATE_MIB[x.secrets]
            table.judge(name, f"private {m['private']:.2f} MiB, PSS {m['pss']:.1f} MiB, RSS {m['rss']:.1f} MiB",
                        f"private <= {goal} MiB", m["private"] <= goal)
        table.judge(f"  wake-ups in {footprint.IDLE_S} s", f"{x.wakeups}, {x.cpu_us / 1000:.1f} ms CPU", "<= 2", x.wakeups <= 2)
        table.judge("  connections", f"{x.connections}", "1", x.connections == 1)


def bench_swarm(table, tmp):
    why = services.dockerd.unavailable()
    if why:
        table.add("swarm", "not measured", "", why)
        return
    server = new_server(tmp, "swarm", tls=True)
    try:
        x = services.measure(server, tmp)
    finally:
        server.stop()
    m = x.memory
    table.judge(f"agent on a manager, {services.BINDINGS} bindings",
                f"private {m['private']:.2f} MiB, PSS {m['pss']:.1f} MiB, RSS {m['rss']:.1f} MiB", "private <= 6 MiB", m["private"] <= 6)
    table.judge("  looks at all after a start", f"{x.resync_ms:.0f} ms", "<= 2 s", x.resync_ms <= 2000)
    per_minute = x.calls * 60 / services.IDLE_S
    table.judge("  calls of Docker's API at rest", f"{per_minute:.0f} a minute", "<= 2", per_minute <= 2)
    over = statistics.median(x.overheads)
    table.judge(f"rotation of {services.SERVICES} services x {services.REPLICAS} tasks, without Docker's updates",
                f"{over:.0f} ms ({', '.join(f'{o:.0f}' for o in x.overheads)})", "<= 300 ms", over <= 300)
    answers, p50 = percentiles(x.answers, 3)
    echoes, echo = percentiles(x.echoes, 3)
    table.judge("secret driver's answer", f"{answers}, max {max(x.answers):.1f} ms; {p50 / echo:.1f}x an echo ({echoes})", "<= 10 ms",
                sorted(x.answers)[int(len(x.answers) * 0.99)] <= 10)


def bench_fleet(table, tmp, agents):
    server = new_server(tmp, "fleet", tls=True)
    try:
        put_paths(server)
        restart.fill(server, crowd.FILL)  # core's caches: they are not for connections
        c = crowd.Crowd(server, agents)
        table.add(f"{agents:,} agents join, log in, lease, fetch, watch", f"{c.took:.1f} s, {agents / c.took:.0f}/s")
        net, core = c.grown()
        if net is not None:
            table.judge(f"PSS for {agents:,} connections", f"net {net:.1f} MiB, core {core:.1f} MiB",
                        "net + core <= 200 MiB", net + core <= 200)
        add_change(table, f"a write that {agents:,} agents hold", c.writes())
        add_change(table, "a rotation of the same", [c.rotation()])
        add_restart(table, c.restart("secret/data/bench/0000"), agents)
        c.stop()
    finally:
        server.stop()


SECTIONS = ("agent", "reads", "api", "expiry", "schedules", "herd", "holders", "restart", "footprint", "swarm", "scan",
            "fleet")


def bench_main(table, tmp, sections):
    """What is measured on one server with 1,000 secrets and an agent."""
    cleanup = []
    try:
        server = new_server(tmp, "main")
        cleanup.append(server.stop)
        yardstick = load.Yardstick(tmp, vaultd.free_port(), put_paths(server))
        cleanup.append(yardstick.stop)
        if "agent" in sections:
            agent = rotation.start_agent(server, tmp)
            cleanup.append(agent.clean)
            bench_agent(table, server, agent)
        if "reads" in sections:
            bench_reads(table, server, yardstick)
        if "api" in sections:
            bench_api(table, tmp, yardstick, tls=False)
            bench_api(table, tmp, yardstick, tls=True)
    finally:
        for stop in reversed(cleanup):
            stop()


def bench(table, tmp, sections):
    table.add("durable 4 KiB write to this disk", percentiles(sync_ms(tmp), 2)[0])
    if {"agent", "reads", "api"} & set(sections):
        bench_main(table, tmp, sections)
    if "expiry" in sections:
        bench_expiry(table, tmp)
    if "schedules" in sections:
        bench_schedules(table, tmp)
    if "herd" in sections:
        bench_herd(table, tmp)
    if "holders" in sections:
        bench_holders(table, tmp)
    if "restart" in sections:
        bench_restart(table, tmp)
    if "footprint" in sections:
        bench_footprint(table, tmp)
    if "swarm" in sections:
        bench_swarm(table, tmp)
    if "scan" in sections:
        scan.bench(table, tmp)
    if "fleet" in sections:
        bench_fleet(table, tmp, sections["fleet"])


def main():
    asked = [x.partition(":") for x in sys.argv[1:] or SECTIONS]
    sections = {name: int(size or crowd.AGENTS) for name, _, size in asked}
    if set(sections) - set(SECTIONS):
        sys.exit(__doc__)
    start = time.monotonic()
    base = pathlib.Path(os.environ.get("BENCH_DIR", "/var/tmp"))
    tmp = pathlib.Path(tempfile.mkdtemp(prefix="vault-bench-", dir=base))
    table = Table()
    loads = os.getloadavg()
    try:
        bench(table, tmp, sections)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
        table.show()
    print(f"\n{os.cpu_count()} CPUs shared with the load generator; load average before: "
          f"{loads[0]:.1f}; data in {base}; {time.monotonic() - start:.0f} s")


if __name__ == "__main__":
    main()
