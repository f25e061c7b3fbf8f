# SPDX-License-Identifier: Apache-2.0
"""A few hundred agents at once (tests/bench/fleet): everybody gets every change, nobody sees an error."""
import os
import signal

import pytest

import fleet
import vaultd

AGENTS = 200
WRONG = ("refused", "distrusted", "disbelieved")


@pytest.fixture(scope="module")
def crowd(tmp_path_factory):
    home = tmp_path_factory.mktemp("fleet")
    key = home / "unseal.key"
    key.write_bytes(os.urandom(32))
    key.chmod(0o600)
    server = vaultd.Server(home, config={"auto_unseal": {"key_file": str(key)}})
    server.start()
    server.init(unseal=False)
    server.wait_unsealed()
    f = fleet.Fleet(server, AGENTS)
    f.enrol()
    yield f
    counts = f.counts()
    f.stop()
    server.stop()
    assert {k: counts[k] for k in WRONG} == dict.fromkeys(WRONG, 0)


def leases(crowd):
    return crowd.server.client().list("sys/vault-leases").data["key_info"].values()


def test_one_connection_each(crowd):
    """Joining takes another one; what follows does not, nor do changes."""
    before = crowd.counts()
    assert before["connections"] == 2 * AGENTS and before["offline"] == 0
    crowd.write("without a new connection")
    after = crowd.counts()
    assert after["connections"] == before["connections"]
    # Each has verified what told it of the change, and the value.
    assert after["checked"] - before["checked"] >= 2 * AGENTS


def test_all_have_the_newest(crowd):
    for i in range(3):
        crowd.write(f"value {i}")
    versions = [(x["state"], x["applied"]) for x in leases(crowd)]
    current = crowd.server.client().get("secret/data/fleet/shared").data["metadata"]["version"]
    assert versions == [("applied", current)] * AGENTS


def test_a_rotation_waits_for_all(crowd):
    r = crowd.server.client().post(f"sys/rotation/config/{fleet.PATH}", {"field": "password"})
    assert r.status in (200, 204), r
    _, _, said = crowd.rotate()
    assert (said["holders_total"], said["holders_applied"], said["holders_waiting"]) == (AGENTS, AGENTS, 0)


@pytest.mark.parametrize("how", ["restart", "kill net", "kill core"])
def test_all_come_back(crowd, how):
    before, server = crowd.counts(), crowd.server
    start = crowd.now()
    if how == "restart":
        server.stop()
        server.start()
    else:
        for pid in server.roles()[how.split()[1]]:
            os.kill(pid, signal.SIGKILL)
    server.wait_unsealed()
    crowd.ask(f"back {start}")
    crowd.write(f"after {how}")
    after = crowd.counts()
    assert {k: after[k] - before[k] for k in WRONG} == dict.fromkeys(WRONG, 0)
    assert after["offline"] > before["offline"]
