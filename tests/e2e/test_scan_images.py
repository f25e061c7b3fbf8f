# SPDX-License-Identifier: Apache-2.0
"""vaultctl scan image on archives made by hand: all layouts, what later layers hide, and archives that lie."""
import base64
import contextlib
import gzip
import json
import os
import subprocess
import tarfile

import pytest

from images import Image, Layer, digest, docker_save, oci_folder, oci_layout, oci_members, pax, write_tar
from scanning import scan, token, workers_of
from vaultd import BIN, SANITIZED, wait_for


def line(seed):
    return f"key = {token(seed)}\n".encode()


def app():
    lower = Layer().folder("etc").file("etc/gone", line("gone")).file("etc/over", line("over"))
    lower.file("opt/dir/x", line("opaque")).file("srv/y", line("parent")).file("keep", b"\n" + line("keep"))
    upper = Layer().gone("etc/gone").file("etc/over", b"clean\n").opaque("opt/dir").gone("srv")
    return Image([lower, upper], {
        "Env": [f"TOKEN={token('env')}"], "Labels": {"a/b": token("label")}, "Cmd": ["run", "--token", token("cmd")],
        "Healthcheck": {"Test": ["CMD", "curl", "-H", f"Authorization: token {token('health')}"]},
    }, history=[{"created_by": f"RUN |1 TOK={token('arg')} /bin/sh -c echo {token('history')} # buildkit"}])


STATES = {"etc/gone": "deleted", "etc/over": "overwritten", "opt/dir/x": "deleted", "srv/y": "deleted", "keep": "visible"}
CONFIG = {"config#/config/Env/0": "env", "config#/config/Labels/a~1b": "label", "config#/config/Cmd": "cmd",
          "config#/config/Healthcheck/Test": "healthcheck"}


def check_app(r, image):
    assert r.status == 1 and not r.missed, r
    for file, state in STATES.items():
        found = r.at(file)
        assert found["visibility"] == state and found["source"] == "app:1 linux/amd64", r
        assert found["layer"] == digest(image.layers[0]), r
        assert found.get("later_layer") == (None if state == "visible" else digest(image.layers[1])), r
    assert r.at("keep")["line"] == 2
    for file, channel in CONFIG.items():
        assert r.at(file)["channel"] == channel, r
    assert sorted(f["channel"] for f in r.findings if "history" in f["file"]) == ["build-arg", "history"], r


def test_docker_save(tmp_path):
    image = app()
    path = docker_save(tmp_path / "image.tar", [("app:1", image)])
    check_app(scan("image", path), image)


@pytest.mark.parametrize("how", ["gzip", "zstd", "xz", "plain"])
def test_oci_layout(tmp_path, how):
    image = app()
    check_app(scan("image", oci_layout(tmp_path / "image.tar", [("app:1", image)], how)), image)


def test_oci_directory(tmp_path):
    image = app()
    check_app(scan("image", oci_folder(tmp_path / "layout", [("app:1", image)])), image)


@pytest.mark.parametrize("kind", ["docker", "oci"])
def test_a_stream_is_read_in_one_pass(tmp_path, kind):
    image = app()
    make = docker_save if kind == "docker" else oci_layout
    path = make(tmp_path / "image.tar", [("app:1", image)])
    check_app(scan("image", "-", stdin=path.read_bytes()), image)


def test_a_compressed_archive(tmp_path):
    image = app()
    path = docker_save(tmp_path / "image.tar", [("app:1", image)])
    (tmp_path / "image.tar.gz").write_bytes(gzip.compress(path.read_bytes()))
    check_app(scan("image", tmp_path / "image.tar.gz"), image)


def test_all_images_and_platforms_and_attestations(tmp_path):
    arm = Image([Layer().file("arm", line("arm"))], platform=("linux", "arm64"))
    amd = Image([Layer().file("amd", line("amd"))])
    r = scan("image", oci_layout(tmp_path / "i.tar", [("a:1", amd), ("a:1", arm)],
                                 attestation={"predicate": {"build-arg:TOKEN": token("attest")}}))
    assert r.at("arm")["source"] == "a:1 linux/arm64" and r.at("amd")["source"] == "a:1 linux/amd64", r
    assert r.at("attestation#/predicate/build-arg:TOKEN")["channel"] == "build-arg", r


def test_provenance_as_buildkit_writes_it(tmp_path):
    """Both versions of SLSA's predicate: build arguments, the environment, and the Dockerfile itself in base64."""
    source = base64.b64encode(f"FROM x\nENV T={token('source')}\n".encode()).decode()
    old = {"predicateType": "https://slsa.dev/provenance/v0.2", "predicate": {"invocation": {
        "parameters": {"frontend": "dockerfile.v0", "args": {"build-arg:TOKEN": token("v02")}}},
        "metadata": {"https://mobyproject.org/buildkit@v1#metadata": {"source": {"infos": [{"data": source}]}}}}}
    new = {"predicateType": "https://slsa.dev/provenance/v1", "predicate": {"buildDefinition": {"externalParameters": {
        "request": {"args": {"build-arg:TOKEN": token("v1"), "label:x": "y"}}}}}}
    images = [("a:1", Image([Layer().file("f", b"x")])),
              ("a:1", Image([Layer().file("g", line("arm"))], platform=("linux", "arm64")))]
    for document, args, more in ((old, "invocation/parameters/args", [token("source")]),
                                 (new, "buildDefinition/externalParameters/request/args", [])):
        document["_type"] = "https://in-toto.io/Statement/v0.1"
        r = scan("image", oci_layout(tmp_path / "i.tar", images, attestation=document))
        assert r.summary["complete"] and len(r.findings) == 2 + len(more), r
        assert r.at("g")["source"] == "a:1 linux/arm64", r
        assert r.at(f"attestation#/predicate/{args}/build-arg:TOKEN")["channel"] == "build-arg", r
        assert [f["decoded"] for f in r.findings if f.get("decoded")] == ["base64"] * len(more), r


def test_a_shared_layer_is_visible_if_any_image_shows_it(tmp_path):
    base = Layer().file("f", line("shared"))
    hides, shows = Image([base, Layer().gone("f")]), Image([base, Layer().file("g", b"x")])
    r = scan("image", docker_save(tmp_path / "i.tar", [("hides:1", hides), ("shows:1", shows)]))
    assert len(r.findings) == 1 and r.at("f")["visibility"] == "visible", r
    assert r.at("f")["source"].startswith("shows:1"), r


def test_archives_inside_layers_share_the_state_of_the_archive(tmp_path):
    inner = tmp_path / "inner.tar"
    write_tar(inner, [("deep", line("deep"))])
    image = Image([Layer().file("a.tgz", gzip.compress(inner.read_bytes())), Layer().gone("a.tgz")])
    r = scan("image", docker_save(tmp_path / "i.tar", [("a:1", image)]))
    assert r.at("a.tgz!deep")["visibility"] == "deleted", r


# --- archives that lie: nothing is written, what is planted is found, and it is never "clean" ---

def incomplete(r, why, *files):
    assert not r.summary["complete"] and why in r.reasons(), r
    assert r.status == (1 if files else 4), r
    for f in files:
        r.at(f)


def one_layer(tmp_path, layer):
    return scan("image", docker_save(tmp_path / "i.tar", [("a:1", Image([layer]))]))


def test_paths_that_would_escape_are_only_names(tmp_path):
    mark = tmp_path / "mark"
    layer = Layer().link("l", str(tmp_path)).file("l/mark", line("a")).file(f"../../../../{mark}", line("b"))
    layer.file(str(mark), line("c")).member("hard", type=tarfile.LNKTYPE, linkname="/etc/passwd")
    r = one_layer(tmp_path, layer)
    assert r.status == 1 and not mark.exists(), r
    assert set(r.files()) >= {"l/mark"} and len(r.findings) == 3, r


def ustar(name, size):
    info = tarfile.TarInfo(name)
    info.size = size
    return info.tobuf(tarfile.USTAR_FORMAT)


def padded(data):
    return data + b"\0" * (-len(data) % 512)


def test_what_a_disagreement_of_headers_hides_is_found(tmp_path):
    """PAX says that a whole archive is the content of one file; the block says that the file is empty."""
    hidden = ustar("hidden", len(line("h"))) + padded(line("h"))
    layer = Layer().raw(pax([("size", len(hidden))]) + ustar("outer", 0) + hidden).file("after", line("after"))
    r = one_layer(tmp_path, layer)
    incomplete(r, "disagree on its size", "after")
    assert len(r.findings) == 2, r


def test_the_other_way_round(tmp_path):
    hidden = ustar("hidden", len(line("h"))) + padded(line("h"))
    layer = Layer().raw(pax([("size", 0)]) + ustar("outer", len(hidden)) + hidden)
    incomplete(one_layer(tmp_path, layer), "disagree on its size", "hidden")


@pytest.mark.parametrize("records", [[("size", "-1")], [("size", "1e3")], [("path", "x" * 5000)]])
def test_malformed_extended_headers(tmp_path, records):
    layer = Layer().raw(pax(records) + ustar("f", 3) + padded(b"abc") + line("rest") + b"\0" * 400)
    r = one_layer(tmp_path, layer)
    incomplete(r, "f", "(behind the damage)")


def test_extended_headers_without_end(tmp_path):
    layer = Layer().raw(pax([("comment", "c" * 1000)]) * 80).file("f", line("x"))
    incomplete(one_layer(tmp_path, layer), "extended headers", "(behind the damage)")


def test_what_follows_the_end_is_read_too(tmp_path):
    layer = Layer().file("a", b"x").raw(b"\0" * 1024 + line("behind"))
    r = one_layer(tmp_path, layer)
    assert r.status == 1 and "(behind the end)" in r.files(), r


def test_a_damaged_header_does_not_hide_the_rest(tmp_path):
    layer = Layer().file("a", line("a")).raw(b"garbage" * 100 + line("b"))
    incomplete(one_layer(tmp_path, layer), "checksum", "a", "(behind the damage)")


def old_sparse(name, regions, real):
    block = bytearray(ustar(name, 0))
    block[156:157] = b"S"
    block[257:265] = b"ustar  \0"
    block[482] = 1 if regions > 4 else 0
    block[483:495] = b"%011o\0" % real
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    out = bytes(block)
    for i in range(4, regions, 21):
        more = bytearray(512)
        more[504] = 1 if i + 21 < regions else 0
        out += bytes(more)
    return out


def test_sparse_files_are_bounded(tmp_path):
    incomplete(one_layer(tmp_path, Layer().raw(old_sparse("s", 2000, 10))), "too many regions")
    incomplete(one_layer(tmp_path, Layer().raw(old_sparse("s", 1, 7 << 30) * 4)), "too many bytes")


def test_a_layer_that_is_a_bomb(tmp_path):
    bomb = gzip.compress(Layer().file("z", bytes(700 << 20)).file("f", line("x")).bytes(), 9)
    r = scan("image", write_tar(tmp_path / "i.tar", [
        ("l/layer.tar", bomb), ("c.json", b'{"rootfs":{"diff_ids":["sha256:0"]}}'),
        ("manifest.json", json.dumps([{"Config": "c.json", "RepoTags": ["a:1"], "Layers": ["l/layer.tar"]}]).encode())]))
    incomplete(r, "suspiciously much")


def members(images, **kw):
    return dict(oci_members(images, **kw))


def test_a_blob_that_is_not_what_its_name_says(tmp_path):
    image = Image([Layer().file("f", line("f"))])
    blobs = members([("a:1", image)], how="plain")
    other = Layer().file("f", line("other")).bytes()
    blobs["blobs/sha256/" + digest(image.layers[0])[7:]] = other
    r = scan("image", write_tar(tmp_path / "i.tar", blobs.items()))
    incomplete(r, "its digest is not the one that names it", "f")


def test_a_configuration_that_is_not_what_its_name_says(tmp_path):
    image = Image([Layer().file("f", b"x")])
    blobs = members([("a:1", image)])
    blobs["blobs/sha256/" + digest(image.config())[7:]] = json.dumps(
        {"config": {"Env": [f"T={token('e')}"]}, "rootfs": {"diff_ids": ["sha256:0"]}}).encode()
    incomplete(scan("image", write_tar(tmp_path / "i.tar", blobs.items())), "its digest", "config#/config/Env/0")


def test_manifests_that_disagree(tmp_path):
    seen, hidden = Image([Layer().file("seen", line("s"))]), Layer().file("hidden", line("h")).bytes()
    blobs = members([("a:1", seen)], how="plain")
    name = "blobs/sha256/" + digest(hidden)[7:]
    blobs[name] = hidden
    blobs["manifest.json"] = json.dumps([{"Config": "blobs/sha256/" + digest(seen.config())[7:], "RepoTags": ["a:1"],
                                          "Layers": [name]}]).encode()
    incomplete(scan("image", write_tar(tmp_path / "i.tar", blobs.items())), "ambiguous", "seen", "hidden")


def test_a_document_that_is_index_and_manifest(tmp_path):
    image = Image([Layer().file("f", line("f"))])
    blobs = members([("a:1", image)])
    index = json.loads(blobs["index.json"])
    index["layers"], index["config"] = [], {}
    blobs["index.json"] = json.dumps(index).encode()
    incomplete(scan("image", write_tar(tmp_path / "i.tar", blobs.items())), "ambiguous", "f")


def test_names_twice_in_the_archive_and_in_a_document(tmp_path):
    image = Image([Layer().file("f", line("f"))])
    blobs = [*oci_members([("a:1", image)]), ("index.json", b'{"manifests":[],"manifests":[]}')]
    r = scan("image", write_tar(tmp_path / "i.tar", blobs))
    assert not r.summary["complete"] and "twice" in r.reasons(), r
    assert r.status == 1 and r.findings, "the layer is read although the manifest is not understood"


def test_a_layer_that_nobody_names_is_read(tmp_path):
    image = Image([Layer().file("f", b"x")])
    blobs = [*oci_members([("a:1", image)]), ("blobs/extra", Layer().file("extra", line("e")).bytes())]
    r = scan("image", write_tar(tmp_path / "i.tar", blobs))
    assert r.status == 1 and r.files() == ["extra"], r


def test_a_layer_that_is_elsewhere(tmp_path):
    image = Image([Layer().file("f", b"x")])
    blobs = members([("a:1", image)])
    for name, data in list(blobs.items()):
        if b'"layers": [' in data:
            m = json.loads(data)
            m["layers"][0]["urls"] = ["https://example.org/layer"]
            m["layers"].append({"digest": "sha256:" + "0" * 64, "size": 5})
            blobs[name] = json.dumps(m).encode()
    r = scan("image", write_tar(tmp_path / "i.tar", blobs.items()))
    assert "elsewhere" in r.reasons() and "not in the archive" in r.reasons() and r.status == 4, r


@pytest.mark.parametrize("part", [0.1, 0.5, 0.95])
@pytest.mark.parametrize("streamed", [False, True])
def test_truncated_archives(tmp_path, part, streamed):
    data = docker_save(tmp_path / "i.tar", [("a:1", app())]).read_bytes().rstrip(b"\0")
    data = data[:int(len(data) * part)]
    (tmp_path / "cut.tar").write_bytes(data)
    r = scan("image", "-", stdin=data) if streamed else scan("image", tmp_path / "cut.tar")
    assert r.status in (1, 4) and not r.summary["complete"], r


def test_garbage_is_no_image(tmp_path):
    (tmp_path / "g").write_bytes(os.urandom(100000))
    incomplete(scan("image", tmp_path / "g"), "checksum")


def deep_json(depth):
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("name", ["manifest.json", "index.json"])
@pytest.mark.parametrize("data", [b"", b"{", b"null", b"\xff\xfe", b'{"manifests":5}', b"[1,2]", deep_json(100000),
                                  b'[{"Layers":{"a":1},"Config":7,"RepoTags":"x"}]'])
def test_manifests_of_any_kind(tmp_path, name, data):
    layer = Layer().file("f", line("f")).bytes()
    r = scan("image", write_tar(tmp_path / "i.tar", [(name, data), ("x/layer.tar", layer)]))
    assert r.at("f"), r


def test_many_members_and_long_names(tmp_path):
    layer = Layer()
    for i in range(20000):
        layer.file(f"d/{i}", b"")
    layer.file("n" * 3000, line("long"))
    r = one_layer(tmp_path, layer)
    assert r.status == 1 and len(r.findings[0]["file"]) == 3000, r


def test_a_line_of_a_gigabyte(tmp_path):
    path = tmp_path / "line"
    with open(path, "wb") as f:
        f.truncate(1 << 30)
        f.seek(0, 2)
        f.write(b" " + line("end"))
    r = scan("fs", path)
    assert r.status == 1 and r.findings[0]["line"] == 1 and len(r.findings[0].get("excerpt", "")) <= 160, r


@pytest.mark.skipif(SANITIZED, reason="sanitizers need more memory")
def test_memory_does_not_grow_with_the_image(tmp_path):
    with open(tmp_path / "big", "wb") as f:
        for i in range(64):
            f.write(os.urandom(1 << 20) + bytes(3 << 20))
        f.write(line("big"))
    image = Image([Layer().file("big", (tmp_path / "big").read_bytes()), Layer().file("b", b"x")])
    path = oci_layout(tmp_path / "i.tar", [("a:1", image)])
    with subprocess.Popen([str(BIN / "vaultctl"), "scan", "image", str(path), "-", "--workers=2", "--format=jsonl"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"HOME": "/nonexistent"}) as p:
        wait_for("the archive to be read", lambda: workers_of(p.pid) and str(path) not in open_files(p.pid))
        peaks = [peak(pid) for pid in (p.pid, *workers_of(p.pid))]
        out, _ = p.communicate()
    assert p.returncode == 1 and b'"big"' in out, out
    assert peaks[0] < 96 << 10 and all(one < 64 << 10 for one in peaks[1:]), peaks


def open_files(pid):
    found = set()
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            found.add(os.readlink(f"/proc/{pid}/fd/{fd}"))
    return found


def peak(pid):
    """KiB that a process had in memory at most, shared ones counted."""
    with open(f"/proc/{pid}/status", encoding="utf-8") as f:
        return int(next(row for row in f if row.startswith("VmHWM:")).split()[1])
