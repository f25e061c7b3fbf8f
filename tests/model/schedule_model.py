#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Random schedules in real time zones: our slots against those found minute by minute.

    schedule_model.py PROGRAM [SEED [CASES]]

Local time is Python's zoneinfo here.  The files are the system's, and once more the same
zones as zic writes them without the transitions that their rule gives."""
import datetime as dt
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import zoneinfo

UTC = dt.timezone.utc
DAY = 86400
EPOCH = dt.datetime(1970, 1, 1)
SYSTEM = "/usr/share/zoneinfo"
NAMED = ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Kathmandu", "Pacific/Apia",
         "Africa/Casablanca", "America/Havana", "Africa/Cairo", "Asia/Beirut", "Europe/Dublin",
         "America/Nuuk", "Asia/Tehran", "Asia/Gaza", "America/Caracas", "Antarctica/Troll", "Pacific/Kiritimati",
         "America/Sao_Paulo", "Asia/Pyongyang", "America/Scoresbysund", "UTC"]
MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]


# ---- expressions, and what they mean ----

def item(r, low, high, names):
    def spell(v):
        return r.choice([str.lower, str.upper, str.title])(names[v - low]) if names and r.random() < 0.3 else str(v)
    kind = r.random()
    a = r.randint(low, high)
    if kind < 0.45:
        return spell(a), {a}
    if kind < 0.55:
        step = r.randint(1, max(1, (high - low) // 2))
        return f"{a}/{step}", set(range(a, high + 1, step))
    b = r.randint(a, high)
    if kind < 0.8:
        return f"{spell(a)}-{spell(b)}", set(range(a, b + 1))
    step = r.randint(1, max(1, (high - low) // 2))
    return f"{a}-{b}/{step}", set(range(a, b + 1, step))


def field(r, low, high, star, names=None):
    if r.random() < star:
        step = r.choice([1, 1, 2, 3, 5]) if r.random() < 0.5 else 1
        return ("*" if step == 1 else f"*/{step}"), set(range(low, high + 1, step))
    parts = [item(r, low, high, names) for _ in range(r.choice([1, 1, 1, 2, 3]))]
    return ",".join(p[0] for p in parts), set().union(*(p[1] for p in parts))


class Cron:
    def __init__(self, r):
        minute = (str(r.choice([0, 0, 15, 30, 45, 59])),) * 2 if r.random() < 0.5 else None
        parts = [(minute[0], {int(minute[0])}) if minute else field(r, 0, 59, 0.15),
                 field(r, 0, 23, 0.35), field(r, 1, 31, 0.6), field(r, 1, 12, 0.75, MONTHS),
                 field(r, 0, 6, 0.6, WEEKDAYS)]
        self.text = " ".join(p[0] for p in parts)
        self.minute, self.hour, self.dom, self.month, self.dow = (p[1] for p in parts)
        self.absolute = parts[1][0][0] == "*"
        self.either = parts[2][0][0] != "*" and parts[4][0][0] != "*"

    def day(self, date):
        dom, dow = date.day in self.dom, date.isoweekday() % 7 in self.dow
        return date.month in self.month and (dom or dow if self.either else dom and dow)


# ---- local time ----

def local(tz, t):
    return dt.datetime.fromtimestamp(t, UTC).astimezone(tz).replace(tzinfo=None)


def stamp(naive, tz, fold=0):
    return round((naive.replace(tzinfo=tz, fold=fold) - dt.datetime(1970, 1, 1, tzinfo=UTC)).total_seconds())


def instant(naive, tz):
    """The first instant of a local time, or the end of the gap that it is in."""
    t = stamp(naive, tz)
    if local(tz, t) == naive:
        return t
    low, high = stamp(naive, tz, fold=1), t
    assert low < high and local(tz, low) < naive <= local(tz, high), (naive, tz)
    while high - low > 1:
        middle = (low + high) // 2
        if local(tz, middle) < naive:
            low = middle
        else:
            high = middle
    return high


# ---- slots ----

def counts(cron, blackouts, date):
    for first, last, carry in blackouts:
        if first <= date <= last:
            return False
        if carry and date == last + dt.timedelta(1):
            return True
    return cron.day(date)


def carry_all(cron, blackouts):
    out = []
    for first, last in blackouts:
        days = (last - first).days + 1
        out.append((first, last, any(cron.day(first + dt.timedelta(n)) for n in range(days))))
    return out


def cron_slots(cron, tz, blackouts, start, end):
    """Every slot in (start, end], by looking at each minute."""
    blackouts = carry_all(cron, blackouts)
    found = set()
    if cron.absolute:
        t = start + 1
        while t <= end:
            at = local(tz, t)
            if at.second:
                t += 60 - at.second
                at = local(tz, t)
                if t > end:
                    break
                if at.second:
                    t += 1
                    continue
            if at.minute in cron.minute and at.hour in cron.hour and counts(cron, blackouts, at.date()):
                found.add(t)
            t += 1 if local(tz, t + 60).second else 60
        return found
    date, last = local(tz, start).date() - dt.timedelta(2), local(tz, end).date() + dt.timedelta(2)
    while date <= last:
        if counts(cron, blackouts, date):
            for minute in range(1440):
                if minute // 60 in cron.hour and minute % 60 in cron.minute:
                    t = instant(dt.datetime(date.year, date.month, date.day, minute // 60, minute % 60), tz)
                    if start < t <= end and not any(x <= local(tz, t).date() <= y for x, y, _ in blackouts):
                        found.add(t)
        date += dt.timedelta(1)
    return found


def every_slots(anchor, period, tz, blackouts, start, end):
    found, lost = set(), {}
    for t in range(anchor, end + 1, period):
        at = local(tz, t)
        inside = [b for b in blackouts if b[0] <= at.date() <= b[1]]
        if inside:
            lost[inside[0]] = at
        else:
            found.add(t)
    if period > DAY:
        for (_, last), at in lost.items():
            found.add(instant(dt.datetime.combine(last + dt.timedelta(1), at.time()), tz))
    return {t for t in found if start < t <= end}


# ---- cases ----

def blackouts_near(r, tz, start, end):
    """Disjoint and apart, as ours are after parsing."""
    out, date, last = [], local(tz, start).date(), local(tz, end).date()
    for _ in range(r.choice([0, 0, 1, 2, 3])):
        first = date + dt.timedelta(r.randint(1, max(2, (last - date).days // 2)))
        to = first + dt.timedelta(r.choice([0, 1, 3, 10]))
        out.append((first, to))
        date = to + dt.timedelta(1)
    return out


def near_change(r, tz):
    """An instant, often some hours before clocks change."""
    t = r.randint(0, 4_000_000_000) if r.random() < 0.5 else r.randint(1_700_000_000, 2_300_000_000)
    if r.random() < 0.2:
        return t
    offset = local(tz, t) - EPOCH - dt.timedelta(seconds=t)
    for day in range(0, 380):
        if local(tz, t + day * DAY) - EPOCH - dt.timedelta(seconds=t + day * DAY) != offset:
            return t + (day - 1) * DAY - r.randint(0, 3 * DAY)
    return t


def case(r, names):
    name = r.choice(NAMED) if r.random() < 0.6 else r.choice(names)
    tz = zoneinfo.ZoneInfo(name)
    start = max(near_change(r, tz), 3 * DAY)
    if r.random() < 0.2:
        period = r.choice([3600, 5 * 3600, DAY, DAY + 1, 3 * DAY, 7 * DAY, 30 * DAY])
        end = start + 60 * DAY
        anchor = max(0, start - r.randint(0, 40 * DAY))
        blackouts = blackouts_near(r, tz, start, end)
        spec = {"every": period, "anchor": dt.datetime.fromtimestamp(anchor, UTC).isoformat()}
        want = every_slots(anchor, period, tz, blackouts, start, end)
    else:
        cron = Cron(r)
        end = start + r.choice([5, 5, 5, 12, 40]) * DAY
        blackouts = blackouts_near(r, tz, start, end) if r.random() < 0.3 else []
        spec = {"cron": cron.text, "anchor": "1970-01-01T00:00:00Z"}
        want = cron_slots(cron, tz, blackouts, start, end)
    blackout_text = [f"{a}/{b}" if a != b or r.random() < 0.5 else str(a) for a, b in blackouts]
    r.shuffle(blackout_text)
    spec.update(tz=name, blackout=blackout_text, jitter=r.choice(["auto", "none", "5m"]),
                window=r.choice(["1h", "0", "10m", "12h"]))
    return {"schedule": spec, "from": start, "to": end}, sorted(want)


def ask(program, directory, questions):
    done = subprocess.run([program, directory], input="".join(json.dumps(q) + "\n" for q in questions), text=True,
                          check=True, stdout=subprocess.PIPE)
    replies = done.stdout.splitlines()
    assert len(replies) == len(questions), f"{len(replies)} replies to {len(questions)} questions"
    return replies


def compare_slots(program, directory, names, r, cases):
    """How many slots were compared, or None."""
    pairs = [case(r, names) for _ in range(cases)]
    total = refused = 0
    for (question, want), reply in zip(pairs, ask(program, directory, [q for q, _ in pairs])):
        if "does not occur within" in reply and not want:
            refused += 1
            continue
        got = reply.split()
        if got != [str(t) for t in want]:
            wanted = [str(t) for t in want]
            print("they differ:", json.dumps(question), f"ours lack {[t for t in wanted if t not in set(got)][:9]}",
                  f"ours add {[t for t in got if t not in set(wanted)][:9]}", sep="\n")
            return None
        total += len(want)
    print(f"{directory}: {cases} schedules, {total} slots, {refused} never occur", flush=True)
    # A generator of what never happens compares nothing.
    return total if total > cases and refused < cases // 4 else None


def compare_zones(program, directory, names, r):
    """Offsets and abbreviations of every zone."""
    questions = [{"tz": n, "at": [r.randint(-3_000_000_000, 7_000_000_000) for _ in range(60)]} for n in names]
    for q, reply in zip(questions, ask(program, directory, questions)):
        tz = zoneinfo.ZoneInfo(q["tz"])
        for t, got in zip(q["at"], reply.split(), strict=True):
            at = (dt.datetime(1970, 1, 1, tzinfo=UTC) + dt.timedelta(seconds=t)).astimezone(tz)
            want = f"{round(at.utcoffset().total_seconds())}:{int(bool(at.dst()))}:{at.tzname()}"
            # Python makes up dst() for what the file calls so; the flag alone may differ.
            if want.split(":")[::2] != got.split(":")[::2]:
                print(f"they differ: {q['tz']} at {t}: model {want}, ours {got}")
                return False
    print(f"{directory}: {len(names)} zones", flush=True)
    return True


def run(program, directory, seed, cases):
    zoneinfo.reset_tzpath(to=[directory])
    zoneinfo.ZoneInfo.clear_cache()
    names = sorted(n for n in zoneinfo.available_timezones() if n not in ("localtime", "posixrules", "Factory"))
    r = random.Random(seed)
    return compare_zones(program, directory, names, r) and compare_slots(program, directory, names, r, cases)


def main():
    program = sys.argv[1]
    seed = int(sys.argv[2]) if len(sys.argv) > 2 else 20261127
    cases = int(sys.argv[3]) if len(sys.argv) > 3 else 600
    print(f"schedule model: seed {seed}, {cases} schedules", flush=True)
    if not run(program, SYSTEM, seed, cases):
        return 1
    with tempfile.TemporaryDirectory() as slim:
        subprocess.run(["/usr/sbin/zic", "-b", "slim", "-d", slim, SYSTEM + "/tzdata.zi"], check=True)
        assert (pathlib.Path(slim) / "Europe/Berlin").stat().st_size < 1000, "not slim"
        return 0 if run(program, slim, seed + 1, cases // 4) else 1


if __name__ == "__main__":
    sys.exit(main())
