# SPDX-License-Identifier: Apache-2.0
"""What /proc says about processes and the machine."""

import os
import pathlib

TICK_US = 1e6 / os.sysconf("SC_CLK_TCK")


def _fields(pid):
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()


def _scheduled_us(pid):
    """What the scheduler has counted for the threads that a process has now: no ticks."""
    return sum(int((task / "schedstat").read_text().split()[0])
               for task in pathlib.Path(f"/proc/{pid}/task").iterdir()) / 1000


def cpu_us(pids):
    """User and system time that the processes have used, in microseconds."""
    if pathlib.Path("/proc/self/schedstat").exists():
        return sum(map(_scheduled_us, pids))
    return sum((int(f[11]) + int(f[12])) * TICK_US for f in map(_fields, pids))


def busy_us():
    """What the whole machine has used, interrupts aside."""
    user, nice, system = pathlib.Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:4]
    return (int(user) + int(nice) + int(system)) * TICK_US


def memory(pids):
    """Sums in MiB of rss, pss and private; pss and private are None if not ours to see."""
    sums = dict.fromkeys(("rss", "pss", "private"), 0.0)
    for pid in pids:
        try:
            text = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        except PermissionError:
            sums["rss"] += _status(pid, "VmRSS") / 1024
            sums["pss"] = sums["private"] = None
            continue
        kib = {w[0][:-1]: int(w[1]) for w in map(str.split, text.splitlines()[1:])}
        sums["rss"] += kib["Rss"] / 1024
        if sums["pss"] is not None:
            sums["pss"] += kib["Pss"] / 1024
            sums["private"] += (kib["Private_Clean"] + kib["Private_Dirty"]) / 1024
    return sums


def _status(pid, key):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(key + ":"):
            return int(line.split()[1])
    return 0


def wakeups(pids):
    """How often the threads of the processes have gone to sleep of their own accord."""
    return sum(_status(f"{pid}/task/{task.name}", "voluntary_ctxt_switches")
               for pid in pids for task in pathlib.Path(f"/proc/{pid}/task").iterdir())
