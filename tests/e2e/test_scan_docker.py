# SPDX-License-Identifier: Apache-2.0
"""vaultctl scan with a real Docker Engine: images streamed, containers, a swarm; and sockets that stall or lie."""
import contextlib
import os
import socket
import subprocess
import threading

import pytest

from dockerd import Dockerd, unavailable
from images import Image, Layer, docker_save, oci_layout
from scanning import scan, token, workers_of
from vaultd import BIN


JOIN = "SWMTKN-1-" + "3pu6hszjas19xyp7ghgosyx9k8atbfcr8p2is99znpy26u2lkl" + "-7p73s1dx5in4tatdymyhg9hu2"


def line(seed):
    return f"key = {token(seed)}\n".encode()


@pytest.fixture(scope="module")
def engine():
    why = unavailable()
    if why:
        pytest.skip(why)
    e = Dockerd(live_restore=False).start()
    yield e
    with contextlib.suppress(AssertionError):
        e.cli("swarm", "leave", "--force")
    e.close()


def ask(engine, *args):
    return scan(*args, f"--docker-socket={engine.socket}")


def test_an_image_of_the_engine(engine, tmp_path):
    image = Image([Layer().file("gone", line("gone")).file("stays", line("stays")), Layer().gone("gone")],
                  {"Env": [f"TOKEN={token('env')}"]})
    engine.cli("load", "-i", docker_save(tmp_path / "i.tar", [("leaky:1", image)]))
    r = ask(engine, "image", "leaky:1")
    assert r.status == 1 and r.summary["complete"], r
    assert r.at("gone")["visibility"] == "deleted" and r.at("stays")["visibility"] == "visible", r
    assert r.at("config#/config/Env/0")["channel"] == "env", r
    assert "leaky:1" in r.at("stays")["source"], r


def test_an_image_that_was_built(engine, tmp_path):
    """What the Engine itself writes: docker save to a file and read from there, and streamed."""
    folder = tmp_path / "context"
    folder.mkdir()
    (folder / "file").write_bytes(line("built"))
    (folder / "Dockerfile").write_text(
        f"FROM box:1\nARG TOK\nENV T={token('benv')}\nCOPY file /secret\nRUN [\"/bin/touch\", \"/x\"]\n")
    built = engine.try_cli("build", "-q", "-t", "built:1", "--network", "none", "--build-arg", f"TOK={token('arg')}", folder)
    if built.returncode != 0:
        pytest.skip(f"no images can be built here: {built.stderr[-200:]}")
    engine.cli("save", "-o", tmp_path / "built.tar", "built:1")
    streamed, saved = ask(engine, "image", "built:1"), scan("image", tmp_path / "built.tar")
    for r in (streamed, saved):
        assert r.status == 1 and r.summary["complete"], r
        assert r.at("secret")["visibility"] == "visible", r
        assert r.at("config#/config/Env/1")["channel"] == "env", r
        assert any(f["channel"] == "build-arg" for f in r.findings), r


def test_an_oci_layout_that_was_loaded(engine, tmp_path):
    path = oci_layout(tmp_path / "i.tar", [("oci:1", Image([Layer().file("f", line("oci"))]))])
    if engine.try_cli("load", "-i", path).returncode != 0:
        pytest.skip("this Engine loads no OCI layouts")
    assert scan("image", path).files() == ["f"]


def test_an_image_that_is_not_there(engine):
    r = ask(engine, "image", "never:1")
    assert r.status == 3 and "has none" in r.err, r
    assert not r.missed, "why it was not scanned is told once"
    assert scan("image", "x:1", "--docker-socket=/nonexistent").status == 3


def test_a_containers_configuration(engine):
    engine.create("c1", "sleep", "1000", labels={"l": token("label")}, options=("-e", f"TOKEN={token('cenv')}"))
    r = ask(engine, "container", "c1")
    assert r.status == 1, r
    assert {f["channel"] for f in r.findings} == {"env", "label"}, r
    assert all(f["source"] == "c1" for f in r.findings), r
    engine.remove("c1")


def test_all_containers_that_run(engine):
    engine.create("c1", "sleep", "1000", options=("-e", f"TOKEN={token('one')}"))
    engine.create("c2", "sleep", "1000", options=("-e", f"JOIN={JOIN}"))
    engine.create("c3", "sleep", "1000", labels={"l": token("three")})
    engine.cli("start", "c2", "c3")
    r = ask(engine, "container")
    assert r.status == 1 and r.summary["complete"], r
    assert sorted((f["source"], f["rule"]) for f in r.findings) == [("c2", "swarm-join-token"), ("c3", "github-pat")], r
    for name in ("c1", "c2", "c3"):
        engine.remove(name)
    r = ask(engine, "container")
    assert r.status == 0 and not r.missed, r


def test_a_swarm(engine, tmp_path):
    if engine.try_cli("swarm", "init", "--advertise-addr", "127.0.0.1", "--listen-addr", "127.0.0.1:0").returncode != 0:
        pytest.skip("no swarm can be made here")
    (tmp_path / "config").write_bytes(b"first\n" + line("config"))
    engine.cli("config", "create", "settings", tmp_path / "config")
    engine.cli("service", "create", "--name", "s1", "--detach", "--replicas", "0", "--env", f"TOKEN={token('senv')}", "--env", f"JOIN={JOIN}",
               "--label", f"l={token('slabel')}", "box:1", "sleep", token("sarg"))
    r = ask(engine, "swarm")
    assert r.status == 1 and r.summary["complete"], r
    assert r.at("settings")["line"] == 2 and r.at("settings")["channel"] == "swarm-config", r
    assert any(f["rule"] == "swarm-join-token" for f in r.findings), r
    specs = [f for f in r.findings if f["channel"] == "service-spec"]
    assert any("Env" in f["file"] for f in specs) and any("Labels" in f["file"] for f in specs), r
    assert any("Args" in f["file"] for f in specs), r


# --- sockets that are no Docker Engine ---

@contextlib.contextmanager
def server(path, answer):
    """Each connection gets ${answer}(connection), then is held until the end."""
    held = []
    s = socket.socket(socket.AF_UNIX)
    s.bind(str(path))
    s.listen()

    def serve():
        with contextlib.suppress(OSError):
            while True:
                c, _ = s.accept()
                held.append(c)
                c.recv(65536)
                answer(c)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield path
    s.shutdown(socket.SHUT_RDWR)
    s.close()
    for c in held:
        c.close()
    thread.join()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-tar\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


def test_a_socket_that_stalls_ends_with_a_clear_error(tmp_path):
    data = docker_save(tmp_path / "i.tar", [("a:1", Image([Layer().file("f", line("f"))]))]).read_bytes()
    with server(tmp_path / "sock", lambda c: c.sendall(HEAD + chunk(data[:3000]))) as path:
        r = scan("image", "a:1", f"--docker-socket={path}", "--stall=1")
    assert r.status in (1, 3) and "stalled" in r.err and not r.summary["complete"], r


def test_a_streamed_image_is_in_no_file(tmp_path):
    """While half of it has come, no process has a file open but sockets, pipes and devices; memory for small files is empty."""
    data = docker_save(tmp_path / "i.tar", [("a:1", Image([Layer().file("f", line("f")).file("big", os.urandom(4 << 20))]))]).read_bytes()
    half, rest = threading.Event(), threading.Event()

    def answer(c):
        c.sendall(HEAD + chunk(data[:len(data) // 2]))
        half.set()
        rest.wait(60)
        c.sendall(chunk(data[len(data) // 2:]) + b"0\r\n\r\n")

    with server(tmp_path / "sock", answer) as path, \
         subprocess.Popen([str(BIN / "vaultctl"), "scan", "image", "a:1", f"--docker-socket={path}", "--format=jsonl"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          env={"HOME": "/nonexistent"}) as p:
        assert half.wait(60)
        fds = [f"/proc/{pid}/fd/{fd}" for pid in (p.pid, *workers_of(p.pid)) for fd in os.listdir(f"/proc/{pid}/fd")]
        opened = {os.readlink(fd) for fd in fds if os.stat(fd).st_blocks or not os.readlink(fd).startswith("/memfd:")}
        rest.set()
        out, _ = p.communicate()
    assert p.returncode == 1 and token("f")[:8] not in out.decode() and b'"f"' in out, out
    assert all(o.startswith(("socket:", "pipe:", "anon_inode:", "/dev/")) for o in opened), opened


def test_an_image_that_is_deleted_while_its_layer_is_read(tmp_path):
    """The Engine's answer ends in the middle of a layer; what was found before stays."""
    image = Image([Layer().file("first", line("first")), Layer().file("big", os.urandom(4 << 20))])
    data = docker_save(tmp_path / "i.tar", [("a:1", image)]).read_bytes()

    def answer(c):
        c.sendall(HEAD + chunk(data[:len(data) - (2 << 20)]))
        c.shutdown(socket.SHUT_RDWR)

    with server(tmp_path / "sock", answer) as path:
        r = scan("image", "a:1", f"--docker-socket={path}")
    assert r.status == 1 and r.at("first") and not r.summary["complete"], r
    assert r.err.strip() and r.missed, r


def test_an_answer_that_breaks_off(tmp_path):
    """As when an image is deleted while it is read."""
    def answer(c):
        c.sendall(HEAD + chunk(b"x" * 100))
        c.shutdown(socket.SHUT_RDWR)

    with server(tmp_path / "sock", answer) as path:
        r = scan("image", "a:1", f"--docker-socket={path}")
    assert r.status == 3 and not r.summary["complete"], r


@pytest.mark.parametrize("answer", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 500 no\r\nContent-Length: 0\r\n\r\n",
                                    b"HTTP/1.1 301 x\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"])
def test_answers_of_all_kinds(tmp_path, answer):
    def reply(c):
        c.sendall(answer)
        c.shutdown(socket.SHUT_RDWR)

    with server(tmp_path / "sock", reply) as path:
        for what in (("image", "a:1"), ("container", "c"), ("swarm",)):
            r = scan(*what, f"--docker-socket={path}")
            assert r.status == 3 and not r.missed, r


def test_documents_of_all_kinds(tmp_path):
    for body in (b"{", b"null", b"[]", b'{"Config":[1],"Args":{"a":["b"]}}', b"[" * 50000):
        (tmp_path / "sock").unlink(missing_ok=True)
        head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body)
        with server(tmp_path / "sock", lambda c, data=head + body: c.sendall(data)) as path:
            assert scan("container", "c", f"--docker-socket={path}").status in (0, 4)
