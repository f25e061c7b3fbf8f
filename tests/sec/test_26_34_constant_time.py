# SPDX-License-Identifier: Apache-2.0
"""26, 34: neither a token's check nor secret sharing takes a time, a branch or an address from a secret."""
import subprocess

import pytest

import vaultd

PROGRAMS = (vaultd.BIN / "vaultd").resolve().parents[1] / "tests"
T_MAX = 4.5

pytestmark = pytest.mark.skipif(vaultd.SANITIZED, reason="a sanitizer branches on what it looks at")


def valgrind(*args):
    return subprocess.run(["valgrind", "-q", "--error-exitcode=9", PROGRAMS / "ct-shamir", *args],
                          capture_output=True, text=True, timeout=120, check=False)


def t_of_token_check(*args):
    p = subprocess.run([PROGRAMS / "ct-token", "200000", *args], capture_output=True, text=True, timeout=120, check=True)
    return float(p.stdout)


def test_34_sharing_under_valgrind():
    p = valgrind()
    assert p.returncode == 0, p.stderr[-4000:]


@pytest.mark.parametrize("fault, report", [("branch", "Conditional jump or move depends"), ("index", "Use of uninitialised value")])
def test_34_valgrind_would_see_it(fault, report):
    p = valgrind(fault)
    assert p.returncode == 9 and report in p.stderr, p.stderr[-4000:]


@pytest.mark.slow
def test_26_token_check_tells_nothing_of_the_token():
    """Another program's burst in one of the classes passes; what the code does stays."""
    seen = []
    while len(seen) < 3 and not any(t < T_MAX for t in seen):
        seen.append(t_of_token_check())
    assert min(seen) < T_MAX, seen


@pytest.mark.slow
def test_26_the_clock_would_see_it():
    assert t_of_token_check("fault") > T_MAX
