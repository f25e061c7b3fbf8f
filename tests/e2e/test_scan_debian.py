# SPDX-License-Identifier: Apache-2.0
"""vaultctl scan on what Debian's packages really hold: a tree that debootstrap makes, and images of it. Nothing is found
in them but what these tests put there."""
import contextlib
import shutil
import subprocess

import pytest

from databases import find
from dockerd import Dockerd, unavailable
from images import Image, docker_save
from scanning import scan, token

pytestmark = pytest.mark.slow
LEAST = 100_000_000  # bytes in the required packages of Debian 12, unpacked


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """The first stage is enough: every file of every package is there, and no program of them has run."""
    if find("debootstrap") is None:
        pytest.skip("debootstrap is not installed (./dev setup)")
    root = tmp_path_factory.mktemp("debian")
    p = subprocess.run([find("debootstrap"), "--foreign", "--variant=minbase", "bookworm", root], capture_output=True, text=True,
                       check=False, timeout=600, stdin=subprocess.DEVNULL)
    if p.returncode != 0:
        pytest.skip(f"no tree can be made here: {p.stdout[-200:]}{p.stderr[-200:]}")
    shutil.rmtree(root / "debootstrap")
    yield root
    shutil.rmtree(root, ignore_errors=True)


def packed(root):
    p = subprocess.run(["tar", "-C", root, "--exclude=./dev/*", "-c", "."], stdout=subprocess.PIPE, check=True)
    return p.stdout


def test_no_file_of_the_packages_is_a_finding(tree):
    r = scan("fs", tree)
    assert r.status == 0 and r.summary["complete"] and r.summary["bytes"] > LEAST, r


def test_one_file_among_all_of_them(tree, tmp_path):
    secret = token("debian")
    (tree / "usr/share/planted").write_text(f"token = {secret}\n")
    try:
        layer = packed(tree)
    finally:
        (tree / "usr/share/planted").unlink()
    r = scan("image", docker_save(tmp_path / "i.tar", [("debian:1", Image([layer]))]))
    assert r.status == 1 and r.summary["complete"] and r.summary["bytes"] > LEAST, r
    assert [(f["file"], f["visibility"]) for f in r.findings] == [("usr/share/planted", "visible")], r
    assert secret not in str(r)


@pytest.fixture
def engine():
    why = unavailable()
    if why:
        pytest.skip(why)
    e = Dockerd(live_restore=False).start()
    yield e
    with contextlib.suppress(AssertionError):
        e.close()


def test_an_image_that_is_built_on_it(engine, tree, tmp_path):
    """Its own programs remove the secret again, and install nothing else."""
    with subprocess.Popen(["tar", "-C", tree, "--exclude=./dev/*", "-c", "."], stdout=subprocess.PIPE) as tar:
        engine.cli("import", "-", "debian:1", stdin=tar.stdout)
    (tmp_path / "secret").write_text(f"token = {token('built')}\n")
    (tmp_path / "Dockerfile").write_text(
        f"FROM debian:1\nCOPY secret /etc/secret\nRUN [\"/bin/rm\", \"/etc/secret\"]\nENV TOKEN={token('env')}\n")
    engine.cli("build", "-q", "-t", "built:1", "--network", "none", tmp_path)
    r = scan("image", "built:1", f"--docker-socket={engine.socket}")
    assert r.status == 1 and r.summary["complete"] and r.summary["bytes"] > LEAST, r
    assert r.at("etc/secret")["visibility"] == "deleted", r
    # Else in what Docker itself has written: its configuration and history, by JSON pointers.
    assert all("#/" in f["file"] for f in r.findings if f["file"] != "etc/secret"), r
