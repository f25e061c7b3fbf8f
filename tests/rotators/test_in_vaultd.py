# SPDX-License-Identifier: Apache-2.0
"""Our rotators below vaultd: what its sandbox and limits leave them is enough, TLS included."""
import pytest

from databases import MariaDB, Postgres, Redis, self_signed

KINDS = {"postgres": Postgres, "mysql": MariaDB, "redis": Redis}


@pytest.fixture(scope="module", params=KINDS)
def target(request):
    kind = KINDS[request.param]
    if not kind.available:
        pytest.skip(f"{request.param} is not installed")
    with kind(tls=True) as db:
        yield request.param, db


def write(client, name, db, **config):
    return client.post(f"sys/rotation/targets/{name}", {
        "rotator": name, "config": {"host": "localhost", "port": db.port, **config}, "admin": db.admin})


def test_they_are_there(c):
    listed = c.list("sys/rotation/rotators").data["key_info"]
    for name in KINDS:
        assert listed[name]["builtin"] is True
        assert "probe" in c.get(f"sys/rotation/rotators/{name}").data["describe"]["ops"]


def test_tls_with_a_certificate_as_text(c, target, tmp_path):
    name, db = target
    ca = db.ca.read_text()
    r = write(c, name, db, ca=ca, sslmode="verify-full")
    assert r.status == 204, r
    assert write(c, name, db, sslmode="require").status == 204
    other, _ = self_signed(tmp_path)
    for config in ({"ca": other.read_text()}, {"sslmode": "verify-full"}):
        r = write(c, name, db, **config)
        assert r.status in (400, 502), r


def test_an_administrator_who_is_refused(c, target):
    name, db = target
    r = c.post(f"sys/rotation/targets/{name}", {
        "rotator": name, "config": {"host": "localhost", "port": db.port, "ca": db.ca.read_text()},
        "admin": {**db.admin, "password": "not-the-password"}})
    assert r.status == 400 and "refuses 'admin'" in r.errors[0], r
    assert "not-the-password" not in str(r.errors)
