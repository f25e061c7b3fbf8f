# SPDX-License-Identifier: Apache-2.0
import pytest

import dockerd
import vaultd


# Where tests run in several workers: these begin first, so that none of them is left alone at the end.
LONGEST = ("docker", "test_rotation", "test_rotation_limits", "test_rotation_made")


def group_of(item):
    """What one worker runs: a file, whose tests share a vault; all that there is with Docker, since an Engine looks for
    the plugins of others, too."""
    return "docker" if "engine" in item.fixturenames or item.path.stem.startswith(("test_docker", "test_swarm")) else item.path.stem


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    if not config.getoption("loadgroup", False):
        return
    for item in items:
        item.add_marker(pytest.mark.xdist_group(group_of(item)))
    order = {name: i for i, name in enumerate(LONGEST)}
    items.sort(key=lambda item: order.get(group_of(item), len(order)))


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """An initialised, unsealed vaultd over TLS, shared by the tests of one file."""
    s = vaultd.Server(tmp_path_factory.mktemp("server"))
    s.start()
    s.init()
    yield s
    s.stop()


@pytest.fixture
def own_server(tmp_path):
    """A vaultd that the test may seal, kill and fill."""
    s = vaultd.Server(tmp_path)
    s.start()
    s.init()
    yield s
    if s.proc is not None:
        s.stop()


@pytest.fixture
def c(server):
    client = server.client()
    yield client
    client.close()


@pytest.fixture
def make_agent(tmp_path):
    agents = []

    def make(server, name, files):
        a = vaultd.Agent(tmp_path, server, name, files)
        agents.append(a)
        return a

    yield make
    for a in agents:
        a.clean()


@pytest.fixture(scope="session")
def engine():
    """A real Docker Engine, shared by all tests of the session."""
    why = dockerd.unavailable()
    if why:
        pytest.skip(why)
    e = dockerd.Dockerd()
    try:
        yield e.start()
    finally:
        e.close()
