# SPDX-License-Identifier: Apache-2.0
"""Clients that other people wrote, against a vaultd that is configured as people configure it."""
import itertools

import pytest

from hvaclib import client_of


@pytest.fixture(scope="module", autouse=True)
def nobody_at_home(tmp_path_factory):
    """No token of the caller's: clients read ~/.vault-token and VAULT_*."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        for name in ("VAULT_TOKEN", "VAULT_ADDR", "VAULT_CACERT", "VAULT_NAMESPACE"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture
def hv(server):
    client = client_of(server)
    yield client
    client.adapter.close()


@pytest.fixture
def connect(server):
    """Makes further clients: connect(token)."""
    made = []

    def make(token="", **options):
        made.append(client_of(server, token, **options))
        return made[-1]

    yield make
    for client in made:
        client.adapter.close()


numbers = itertools.count(1)


@pytest.fixture
def name():
    """A name that nothing else in the test run has."""
    return f"n{next(numbers)}"
