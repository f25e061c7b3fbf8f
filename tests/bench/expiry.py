# SPDX-License-Identifier: Apache-2.0
"""Do tokens that expire in great numbers hold up those who read?"""

import dataclasses
import math
import time

import load
import steady

TOKENS = 100_000
SPAN_S = 60  # in which all of them expire
RATE = 500  # reads a second meanwhile
BEFORE_S = 10
PROBE = 10_000
READ = "secret/data/bench/0000"


@dataclasses.dataclass
class Result:
    created: float  # tokens per second
    before: list  # milliseconds that reads took, sorted
    during: list
    late_s: float  # from when the last token was due to its record


def _p99(sorted_ms):
    return sorted_ms[int(len(sorted_ms) * 0.99)]


def ratio(result):
    return _p99(result.during) / _p99(result.before)


def _sleep_until(when):
    assert when > time.monotonic(), "the tokens took too long to create"
    time.sleep(when - time.monotonic())


def measure(server, audited):
    """Create all tokens, measure reads, then measure them while the tokens expire."""
    probe = PROBE / load.once(server.url, 64, 120, ("expire", server.root, PROBE, 36000, 0))
    first = math.ceil(TOKENS / probe * 2) + BEFORE_S + 5
    start = time.monotonic()
    took = load.once(server.url, 64, first, ("expire", server.root, TOKENS, first, SPAN_S))
    before = steady.reads(server, READ, RATE, BEFORE_S)
    records = audited(server)
    _sleep_until(start + first)
    during = steady.reads(server, READ, RATE, SPAN_S)
    own = 1
    while audited(server) < records + len(during) + TOKENS + own:
        assert time.monotonic() < start + first + 4 * SPAN_S, "tokens outlive their time"
        own += 1
        time.sleep(0.2)
    return Result(TOKENS / took, before, during, time.monotonic() - start - first - SPAN_S)
