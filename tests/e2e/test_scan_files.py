# SPDX-License-Identifier: Apache-2.0
"""vaultctl scan on files, trees, standard input, git, Compose files, Dockerfiles and processes."""
import fcntl
import gzip
import io
import os
import pathlib
import subprocess
import tarfile
import zipfile

import pytest

from scanning import scan, token, workers_of
from vaultd import BIN, wait_for

T = token("files")
RULES = pathlib.Path(__file__).resolve().parents[2] / "scanner/rules"


def line(text=T):
    return f"first\nkey = {text}\n".encode()


def test_clean_tree_is_0_and_a_finding_is_1_with_file_and_line(tmp_path):
    (tmp_path / "a.txt").write_text("nothing\n")
    r = scan("fs", tmp_path)
    assert r.status == 0 and r.summary["complete"], r
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/b.txt").write_bytes(line())
    r = scan("fs", tmp_path)
    assert r.status == 1, r
    found = r.at(str(tmp_path / "sub/b.txt"))
    assert found["line"] == 2 and found["channel"] == "file", r
    assert T not in str(r.lines), "the secret itself is in the output"


def test_a_source_that_is_not_there_is_3_and_wrong_usage_2(tmp_path):
    assert scan("fs", tmp_path / "none").status == 3
    assert scan("fs").status == 2
    assert scan("fs", tmp_path, "--workers=0").status == 2
    (tmp_path / "x").write_bytes(line())
    r = scan("fs", tmp_path / "none", tmp_path)
    assert r.status == 1 and not r.summary["complete"], r


def test_links_pipes_and_devices_are_left_alone(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(line())
    tree = tmp_path / "tree"
    tree.mkdir()
    os.symlink(outside, tree / "link")
    os.symlink(outside / "secret", tree / "file")
    os.symlink(tree, tree / "loop")
    os.mkfifo(tree / "pipe")
    r = scan("fs", tree)
    assert r.status == 0 and not r.missed, r
    assert scan("fs", tree / "file").status == 1, "a link that is named is followed"


@pytest.mark.skipif(os.getuid() == 0, reason="root may read everything")
def test_a_file_that_may_not_be_read_makes_it_incomplete(tmp_path):
    (tmp_path / "closed").write_bytes(line())
    (tmp_path / "closed").chmod(0)
    r = scan("fs", tmp_path)
    assert r.status == 4 and "permission denied" in r.reasons(), r


def test_excluded_names_and_git_objects(tmp_path):
    for name in ("keep", "drop.log", "vendor/x", ".git/objects/ab/cd", ".git/config"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(line())
    r = scan("fs", tmp_path, "--exclude=*.log,vendor")
    assert r.files() == [str(tmp_path / ".git/config"), str(tmp_path / "keep")], r
    assert scan("fs", tmp_path, "--exclude=" + ",".join(["x"] * 63 + ["*"])).status == 0
    r = scan("fs", tmp_path, "--exclude=" + ",".join(["x"] * 64 + ["*"]))
    assert r.status == 2 and "more than 64" in r.err, r


def test_nuls_and_bytes_that_are_no_utf_8(tmp_path):
    (tmp_path / "nuls").write_bytes(b"\0\0a\0" + line(token("nuls")) + b"\0" * 1000 + line(token("more")))
    (tmp_path / "latin").write_bytes(b"\xfe\xe9 caf\xe9\n" + line(token("latin")) + b"\xc3\n\xed\xa0\x80")
    (tmp_path / "cut").write_bytes(b"key = " + token("cut").encode() + b"\xf0\x9f")
    r = scan("fs", tmp_path)
    assert r.summary["complete"] and r.files() == [str(tmp_path / n) for n in ("cut", "latin", "nuls", "nuls")], r
    assert "\xff" not in str(r.lines), "what is no UTF-8 is replaced"


def test_standard_input(tmp_path):
    r = scan("fs", "-", stdin=line())
    assert r.status == 1 and r.findings[0]["channel"] == "stdin" and r.findings[0]["line"] == 2, r


def test_thousands_of_small_files(tmp_path):
    for i in range(3000):
        (tmp_path / f"f{i}").write_bytes(line() if i % 1000 == 7 else b"x")
    r = scan("fs", tmp_path, "--workers=3")
    assert r.files() == sorted(str(tmp_path / f"f{i}") for i in (7, 1007, 2007)), r
    assert r.summary["blobs"] == 3000


def tar_of(name, data):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        info = tarfile.TarInfo(name)
        info.size = len(data)
        tar.addfile(info, io.BytesIO(data))
    return out.getvalue()


def zip_of(name, data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr(name, data)
    return out.getvalue()


OWN_RULE = """rules:
  - id: own-token
    title: A token of ours
    regex: '\\b(ourtok_[a-z0-9]{12})\\b'
    anchors: [ourtok_]
    severity: high
    confidence: H
    examples:
      positive: ["t = ourtok_k3v9x2m4q8z1"]
      negative: ["t = ourtok_"]
"""


@pytest.mark.parametrize("own", [False, True], ids=["built-in", "with-own"])
def test_every_kind_of_processor_finds_the_same(tmp_path, own):
    """In all examples of all rules, what is filtered, too.  Rules of one's own are compiled on the spot."""
    (tmp_path / "own.yaml").write_text(OWN_RULE)
    (tmp_path / "own.txt").write_text("t = ourtok_k3v9x2m4q8z1\n")
    rules = ["--rules", tmp_path / "own.yaml"] if own else []
    told = []
    for cpu in (["--cpu=plain"], ["--cpu=avx2"], ["--cpu=vbmi"], []):
        r = scan("fs", RULES, tmp_path / "own.txt", "--show-filtered", *cpu, *rules)
        assert r.status == 1, r
        rows = [row for row in r.lines if row["type"] != "summary"]
        told.append(sorted(str({k: v for k, v in row.items() if k != "fingerprint"}) for row in rows))
    assert len(told[0]) > 1000 and any("own-token" in row for row in told[0]) == own
    assert told[1] == told[0] and told[2] == told[0] and told[3] == told[0]
    assert scan("fs", tmp_path, "--cpu=i386").status == 2


def test_code_that_is_indented_far_is_scanned_whole(tmp_path):
    """Tabs part the cells of a table, and may not be of its cells, too: that took the expression too many steps."""
    (tmp_path / "a.go").write_text("\t" * 13 + "Description: `A PEM-encoded public key, as described in\n")
    r = scan("fs", tmp_path)
    assert r.status == 0 and r.summary["complete"], r


def test_archives_in_archives(tmp_path):
    (tmp_path / "a.zip").write_bytes(zip_of("in/b.tar.gz", gzip.compress(tar_of("c.txt", line()))))
    (tmp_path / "d.gz").write_bytes(gzip.compress(line()))
    r = scan("fs", tmp_path)
    assert r.status == 1 and r.summary["complete"], r
    assert r.files() == [str(tmp_path / "a.zip") + "!in/b.tar.gz!c.txt", str(tmp_path / "d.gz")], r
    assert all(f["line"] == 2 for f in r.findings)


def test_no_function_takes_the_place_of_a_librarys():
    """The linker exports what a shared library has, too, and then the library calls ours: archive_free() did that."""
    nm = subprocess.run(["nm", "-D", "--defined-only", BIN / "vaultctl"], capture_output=True, text=True, check=True)
    assert [line for line in nm.stdout.splitlines() if line.split()[-2] in "TtWi"] == []


def test_a_scan_of_files_loads_no_library_for_networks():
    shown = subprocess.run([BIN / "vaultctl", "scan", "fs", "/dev/null"], env={"LD_TRACE_LOADED_OBJECTS": "1"},
                           capture_output=True, text=True, check=True).stdout
    assert "libhs" in shown and "libcurl" not in shown, shown


def test_too_many_archives_in_each_other_are_told(tmp_path):
    data = line()
    for _ in range(12):
        data = gzip.compress(data)
    (tmp_path / "deep.gz").write_bytes(data)
    r = scan("fs", tmp_path)
    assert r.status == 4 and "too many archives" in r.reasons(), r


def test_a_bomb_ends_by_its_ratio(tmp_path):
    (tmp_path / "bomb.gz").write_bytes(gzip.compress(gzip.compress(bytes(1 << 30), 9), 9))
    r = scan("fs", tmp_path)
    assert r.status == 4 and "suspiciously much" in r.reasons(), r


@pytest.mark.parametrize("cut", [20, 300])
def test_a_truncated_archive_is_incomplete(tmp_path, cut):
    whole = gzip.compress(os.urandom(600) + line())
    (tmp_path / "t.gz").write_bytes(whole[:cut])
    r = scan("fs", tmp_path)
    assert r.status == 4 and "too early" in r.reasons(), r


def test_names_that_are_no_text_are_shown_harmlessly(tmp_path):
    name = os.fsencode(tmp_path) + b"/\x1b[31mred\n\xff"
    with open(name, "wb") as f:
        f.write(line())
    r = scan("fs", tmp_path)
    assert r.status == 1 and "\ufffd" in r.findings[0]["file"], r
    p = subprocess.run([BIN / "vaultctl", "scan", "fs", tmp_path], capture_output=True, check=False)
    assert b"\x1b" not in p.stdout, p.stdout


def git(folder, *args, **env):
    subprocess.run(["git", "-c", "user.name=n", "-c", "user.email=e@example.org", *args], cwd=folder, check=True,
                   capture_output=True, env={"PATH": os.environ["PATH"], "HOME": str(folder), **env})


def test_history_of_a_repository(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "sp ace.txt").write_text(f"1\n2\nkey = {T}\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first", GIT_COMMITTER_DATE="2020-01-01T00:00:00Z")
    (tmp_path / "sp ace.txt").write_text("1\n2\n")
    git(tmp_path, "commit", "-qam", "diff --git a/x b/x", GIT_COMMITTER_DATE="2021-01-01T00:00:00Z")
    r = scan("git", tmp_path)
    assert r.status == 1 and len(r.findings) == 1, r
    found = r.at("sp ace.txt")
    assert found["line"] == 3 and found["channel"] == "git" and len(found["source"]) == 40, r
    assert scan("git", tmp_path, "--since=2020-06-01").status == 0


def test_git_runs_nothing_that_the_repository_names(tmp_path):
    git(tmp_path, "init", "-q")
    mark = tmp_path / "ran"
    evil = tmp_path / "evil"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    evil.chmod(0o755)
    (tmp_path / "a.x").write_text("a\n")
    (tmp_path / ".gitattributes").write_text("*.x diff=evil\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "m")
    for key in ("core.fsmonitor", "core.pager", "pager.log", "diff.external", "diff.evil.textconv", "diff.evil.command",
                "gpg.program", "core.sshCommand"):
        git(tmp_path, "config", key, str(evil))
    git(tmp_path, "config", "log.showSignature", "true")
    scan("git", tmp_path)
    assert not mark.exists()


def test_git_runs_nothing_that_a_submodule_names(tmp_path):
    mark, evil, tree = tmp_path / "ran", tmp_path / "evil", tmp_path / "tree"
    evil.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    evil.chmod(0o755)
    sub = tree / "sub"
    sub.mkdir(parents=True)
    git(tree, "init", "-q")
    git(sub, "init", "-q")
    (sub / ".gitattributes").write_text("*.x diff=evil\n")
    for text in ("a\n", "b\n"):
        (sub / "a.x").write_text(text)
        git(sub, "add", ".")
        git(sub, "commit", "-qm", "m")
        git(tree, "add", "sub")
        git(tree, "commit", "-qm", "m")
    for key in ("diff.external", "diff.evil.textconv", "diff.evil.command", "core.fsmonitor", "core.pager"):
        git(sub, "config", key, str(evil))
    git(tree, "config", "diff.submodule", "diff")
    scan("git", tree)
    assert not mark.exists()


def test_what_is_no_repository_is_a_source_error(tmp_path):
    assert scan("git", tmp_path).status == 3


def test_compose_and_the_files_it_names(tmp_path):
    folder = tmp_path / "p"
    folder.mkdir()
    (tmp_path / "outside.env").write_bytes(line())
    (folder / "a.env").write_text(f"TOKEN={T}\n")
    (folder / "s.txt").write_text(f"{token('s')}\n")
    (folder / "compose.yaml").write_text(
        f"services:\n  web:\n    environment:\n      T: {token('env')}\n    env_file:\n      - path: ./a.env\n"
        "      - ../outside.env\nsecrets:\n  s:\n    file: s.txt\n")
    r = scan("compose", folder / "compose.yaml")
    assert r.status == 1 and len(r.findings) == 3, r
    assert r.at(str(folder / "compose.yaml"))["line"] == 4
    assert "outside" in r.reasons(), r


def test_dockerfile_and_what_it_copies(tmp_path):
    for name in ("id", "b", "c", "unnamed"):
        (tmp_path / name).write_bytes(line(token(name)))
    (tmp_path / "Dockerfile").write_text(
        f"FROM x AS b\nENV T={T}\nARG A={token('arg')}\nCOPY --chown=1:1 id \\\n  b /x/\nADD [\"c\", \"/y\"]\nCOPY --from=b unnamed /z\n")
    r = scan("dockerfile", tmp_path / "Dockerfile")
    assert r.files() == [str(tmp_path / n) for n in ("Dockerfile", "Dockerfile", "b", "c", "id")], r
    assert sorted(f["line"] for f in r.findings if f["channel"] == "dockerfile") == [2, 3], r


def test_environment_and_command_line_of_a_process(tmp_path):
    with subprocess.Popen(["/bin/sh", "-c", "echo; read x", token("arg")], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={"A": "b", "TOKEN": T}) as p:
        try:
            p.stdout.readline()
            r = scan("env", p.pid)
            channels = sorted(f["channel"] for f in r.findings)
            assert channels == ["proc-cmdline", "proc-environ"], r
        finally:
            p.kill()
    assert scan("env", 999999999).status == 3


def test_a_worker_that_is_killed_is_replaced_and_its_input_told(tmp_path):
    with subprocess.Popen([str(BIN / "vaultctl"), "scan", "fs", "-", "--workers=1", "--format=jsonl"],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"HOME": "/nonexistent"}) as p:
        # More than a pipe holds: it is written when some was read.  A worker that has read nothing is replaced
        # without a word, and nothing is lost.
        p.stdin.write(b"x\n" * (4 * fcntl.fcntl(p.stdin, fcntl.F_GETPIPE_SZ)))
        p.stdin.flush()
        os.kill(workers_of(p.pid)[0], 9)
        out, _ = p.communicate()
    assert p.returncode == 4 and b"its worker died" in out, out


def test_workers_can_do_nothing_but_read_what_they_are_given(tmp_path):
    with subprocess.Popen([str(BIN / "vaultctl"), "scan", "fs", "-", "--workers=2"], stdin=subprocess.PIPE,
                          stdout=subprocess.DEVNULL, env={"HOME": "/nonexistent", "VAULT_TOKEN": "hvs.never"}) as p:
        for pid in wait_for("workers", lambda: len(workers_of(p.pid)) == 2 and workers_of(p.pid)):
            wait_for("its sandbox", lambda pid=pid: "Seccomp:\t2" in open(f"/proc/{pid}/status", encoding="utf-8").read())
            with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                status = dict(row.split(":\t", 1) for row in f.read().splitlines())
            assert status["NoNewPrivs"] == "1" and int(status["CapEff"], 16) == 0, status
            assert status["Uid"].split()[0] != "0", status
            targets = {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")}
            assert all(t == "/dev/null" or t.startswith(("socket:", "pipe:")) for t in targets), targets
        p.communicate()


def test_directories_that_a_dockerfile_copies(tmp_path):
    for name in ("app/deep/secret", "conf/.env", "other/not", "out"):
        (tmp_path / "ctx" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "ctx" / name).write_bytes(line(token(name)))
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/x").write_bytes(line())
    os.symlink(tmp_path / "outside", tmp_path / "ctx/link")
    build = tmp_path / "ctx/Dockerfile"
    build.write_text("FROM x\nCOPY app /app\nCOPY ./conf/ app /conf/\nCOPY link /l\nADD ../outside /o\n")
    r = scan("dockerfile", build)
    assert r.files() == [str(tmp_path / "ctx/app/deep/secret"), str(tmp_path / "ctx/conf/.env")], r
    assert "outside" in r.reasons(), r
    build.write_text("FROM x\nCOPY . /app\n")
    names = [str(tmp_path / "ctx" / n) for n in ("app/deep/secret", "conf/.env", "other/not", "out")]
    assert scan("dockerfile", build).files() == names, r
    r = scan("dockerfile", "Dockerfile", cwd=tmp_path / "ctx")
    assert [os.path.normpath(f) for f in r.files()] == ["app/deep/secret", "conf/.env", "other/not", "out"], r


def test_patterns_and_variables_in_what_a_dockerfile_copies(tmp_path):
    copied = context(tmp_path, "prod.env", "a.txt", "conf/a.env", "conf/b.txt", "conf/deep/c.env", "app-1.2/x", "app-1.3/x", "b c")
    build = tmp_path / "Dockerfile"

    def of(*lines):
        build.write_text("FROM x\n" + "\n".join(lines) + "\n")
        return copied()
    assert of("COPY *.env /x/") == ["prod.env"], "a star ends at a slash"
    assert of("COPY /*/[a-b].??? ./conf/*p /x/") == ["conf/a.env", "conf/b.txt", "conf/deep/c.env"], "what matches is copied whole"
    assert of("COPY */*/*.env /x/", "COPY */../*.env /x") == ["conf/deep/c.env"]
    assert of("ARG VERSION=1.2", "COPY app-$VERSION /x") == ["app-1.2/x"]
    assert of("ENV D=conf", "ADD --link [\"${D}/b.txt\", \"b c\", \"/x\"]") == ["b c", "conf/b.txt"]
    assert of("ARG VERSION", "COPY app-${VERSION} /x") == ["app-1.2/x", "app-1.3/x"], "it may be any"
    assert of('COPY "b c" a\\.txt /x') == ["a.txt", "b c"]
    (tmp_path / ".dockerignore").write_text("conf\n*.env\n")
    assert of("COPY *.env conf/* *.txt /x/") == ["a.txt"]
    build.write_text("FROM x\nCOPY ../*.env /x/\n")
    assert "outside" in scan("dockerfile", build).reasons()


def test_a_context_that_is_not_the_directory_of_the_dockerfile(tmp_path):
    context(tmp_path, "id", "app/a", "app/b", "docker/id")
    (tmp_path / "docker/Dockerfile").write_text("FROM x\nCOPY id app /app/\n")
    (tmp_path / ".dockerignore").write_text("app/b\n")
    for folder in (tmp_path, f"{tmp_path}/"):
        r = scan("dockerfile", "--context", folder, tmp_path / "docker/Dockerfile")
        assert [os.path.relpath(f, tmp_path) for f in r.files()] == ["app/a", "id"], r
    r = scan("dockerfile", "--context=.", "docker/Dockerfile", cwd=tmp_path)
    assert [os.path.normpath(f) for f in r.files()] == ["app/a", "id"], r
    assert scan("dockerfile", tmp_path / "docker/Dockerfile").files() == [str(tmp_path / "docker/id")]
    (tmp_path / "docker/Dockerfile.dockerignore").write_text("id\n")
    r = scan("dockerfile", "--context", tmp_path, tmp_path / "docker/Dockerfile")
    assert [os.path.relpath(f, tmp_path) for f in r.files()] == ["app/a", "app/b"], r
    r = scan("dockerfile", "--context", tmp_path / "none", tmp_path / "docker/Dockerfile")
    assert r.status == 3 and "none" in r.err, r
    r = scan("dockerfile", "--context", "", tmp_path / "docker/Dockerfile")
    assert r.status == 2 and "--context" in r.err, "it is not the root"


def test_what_is_copied_twice_is_told_once(tmp_path):
    context(tmp_path, "id", "app/a")
    (tmp_path / "Dockerfile").write_text("FROM x\nCOPY id /\nCOPY ./id app/* /x/\nCOPY app /a\nCOPY . .\nCOPY . /again\n")
    for args, cwd in (((tmp_path / "Dockerfile",), None), (("Dockerfile", tmp_path / "Dockerfile"), tmp_path)):
        r = scan("dockerfile", *args, cwd=cwd)
        told = sorted(os.path.relpath(os.path.join(cwd or tmp_path, f["file"]), tmp_path) for f in r.findings)
        assert told == ["app/a", "id"], r
    (tmp_path / "x").mkdir()
    (tmp_path / "x/id").write_bytes(line(token("other")))
    (tmp_path / "x/Dockerfile").write_text("FROM x\nCOPY id /\n")
    r = scan("dockerfile", "../Dockerfile", "Dockerfile", cwd=tmp_path / "x")
    assert sorted(os.path.normpath(f["file"]) for f in r.findings) == ["../app/a", "../id", "id"], r


def context(folder, *names):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(line(token(name)))
    (folder / "Dockerfile").write_text("FROM x\nCOPY id app /app/\nADD . /all\nCOPY /b.key /\n")

    def copied(*args, cwd=None):
        r = scan("dockerfile", "Dockerfile" if cwd else folder / "Dockerfile", *args, cwd=cwd)
        assert r.summary["complete"], r
        return sorted({os.path.relpath(os.path.join(cwd or folder, f), folder) for f in r.files()})
    return copied


def test_what_dockerignore_keeps_out_of_the_image(tmp_path):
    names = ["app/a", "app/deep/b.key", "b.key", "id", "other"]
    copied = context(tmp_path, *names)
    ignore = tmp_path / ".dockerignore"
    assert copied() == names
    ignore.write_text("# id\n**/*.key\nother/\n")
    assert copied() == copied(cwd=tmp_path) == ["app/a", "id"]
    assert copied("--no-ignore") == names
    ignore.write_text("*\n!app/deep\n")
    assert copied() == ["app/deep/b.key"], "a directory that is left out is looked into"
    ignore.write_text("app\n")
    assert copied() == ["b.key", "id", "other"]
    ignore.write_text("*\n!a**b\n")
    assert copied() == names, "what we do not understand hides nothing"
    (tmp_path / "Dockerfile.dockerignore").write_text("id\n")
    assert copied() == ["app/a", "app/deep/b.key", "b.key", "other"], "the Dockerfile's own comes first"
    (tmp_path / "compose.yaml").write_text("services:\n  web:\n    env_file: id\n")
    assert scan("compose", tmp_path / "compose.yaml").files() == [str(tmp_path / "id")], "it is about builds"


def test_two_dockerfiles_of_one_context_leave_out_different_files(tmp_path):
    context(tmp_path, "a", "b")
    for name, left in (("one", "a"), ("two", "b")):
        (tmp_path / name).write_text("FROM x\nCOPY . /\n")
        (tmp_path / f"{name}.dockerignore").write_text(f"{left}\n")
    r = scan("dockerfile", tmp_path / "one", tmp_path / "two")
    assert r.files() == [str(tmp_path / n) for n in ("a", "b")], r


@pytest.mark.parametrize("make", [lambda p: p.write_bytes(b"*\n" + b"#" * (64 << 10)), os.mkfifo, os.mkdir])
def test_a_dockerignore_that_cannot_be_used_hides_nothing(tmp_path, make):
    context(tmp_path, "a", "b")
    make(tmp_path / ".dockerignore")
    r = scan("dockerfile", tmp_path / "Dockerfile")
    assert r.status == 1 and "nothing is left out" in r.reasons(), r
    assert {str(tmp_path / n) for n in ("a", "b")} <= set(r.files()), r
