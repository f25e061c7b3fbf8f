# SPDX-License-Identifier: Apache-2.0
"""What vaultctl scan writes: formats, files, colour, progress; and files with hostile names in all of them."""
import base64
import gzip
import hashlib
import html.parser
import json
import os
import pty
import re
import stat
import subprocess
import xml.etree.ElementTree as ElementTree

import pytest

from images import Image, Layer, docker_save
from scanning import scan, token
from vaultd import BIN, DEADLINE

HOSTILE = ["<img src=x onerror=alert(1)>&'\".txt", "\x1b[2J\x1b]0;pwned\x07", "\u202egnp.exe", "a\nb\r\tc",
           "]]>--><!--%00{{7*7}}", "$(id)`id`;=cmd|'x'!A1", "\u0085\u2028\u200b\ufeff\U000e0041"]
FORMATS = ["table", "json", "jsonl", "sarif", "junit", "gitlab", "html"]


def run(*args, env=None, stdout=subprocess.PIPE, **kw):
    return subprocess.run([str(BIN / "vaultctl"), "scan", *map(str, args)], stdout=stdout, stderr=subprocess.PIPE, check=False,
                          timeout=DEADLINE * 4, stdin=subprocess.DEVNULL,
                          env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}, **kw)


@pytest.fixture
def tree(tmp_path):
    folder = tmp_path / "tree"
    folder.mkdir()
    for i, name in enumerate(HOSTILE):
        (folder / name).write_text(f"<script>\x1b[31m\u202e'\"&]]> key = {token(str(i))} </script>\n")
    (folder / "b\xff.txt").write_text(f"k = {token('latin')}\n")
    with open(os.fsencode(folder) + b"/bad\xff\xfe.txt", "w", encoding="ascii") as f:
        f.write(f"k = {token('bytes')}\n")
    (folder / "damaged.gz").write_bytes(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03broken")
    return folder


COUNT = len(HOSTILE) + 2


@pytest.mark.parametrize("form", FORMATS)
def test_no_format_lets_a_name_do_anything(tree, form):
    """No control but line feeds, nothing that turns text around, and well-formed UTF-8."""
    r = run("fs", tree, f"-format={form}")
    assert r.returncode == 1, r.stderr
    text = r.stdout.decode("utf-8")
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]", text), text
    assert "\U000e0041" not in text
    for i in range(len(HOSTILE)):
        assert token(str(i)) not in text, "a secret in full"


class Page(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.attributes, self.style, self.inside = [], [], "", None

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *a) for a in attrs]
        self.inside = tag

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "style":
            self.style += data


def test_html_loads_and_runs_nothing(tree):
    text = run("fs", tree, "-format=html", "--show-filtered").stdout.decode()
    page = Page()
    page.feed(text)
    allowed = {"html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "table", "tr", "th", "td", "span", "small",
               "br", "code", "details", "summary"}
    assert set(page.tags) <= allowed, set(page.tags) - allowed
    names = {name for _, name, _ in page.attributes}
    assert names <= {"lang", "charset", "http-equiv", "content", "name", "class"}, names
    policy = [v for t, n, v in page.attributes if t == "meta" and n == "content" and "default-src" in v]
    assert len(policy) == 1 and policy[0].startswith("default-src 'none'; style-src 'sha256-"), policy
    assert "unsafe" not in policy[0]
    digest = base64.b64encode(hashlib.sha256(page.style.encode()).digest()).decode()
    assert f"'sha256-{digest}'" in policy[0], "the style sheet's own policy forbids it"
    assert not re.search(r"(?i)https?:|url\(|@import|javascript:", text)
    assert text.count("<tr><td><span class=\"s critical\">") == COUNT


def suite_of(text):
    """The one suite of a report, if a CI system can read it: counts that are right, and no two tests of one name."""
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites" and [s.tag for s in root] == ["testsuite"]
    suite = root[0]
    cases = list(suite)
    assert cases and all(c.tag == "testcase" and c.get("classname") and c.get("name") and float(c.get("time")) >= 0 for c in cases)
    names = [(c.get("classname"), c.get("name")) for c in cases]
    assert len(set(names)) == len(names), "of two with one name, GitLab and Jenkins show one"
    assert all([e.tag for e in c] in ([], ["failure"], ["error"], ["skipped"]) for c in cases)
    assert all(e.get("message") for c in cases for e in c), "it is what they show"
    assert int(suite.get("tests")) == len(cases) and suite.get("name") and float(suite.get("time")) >= 0
    for what, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
        assert len(suite.findall(f"testcase/{what}")) == int(suite.get(count)), what
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp"))
    return suite


def test_junit_is_xml_that_counts(tree):
    suite = suite_of(run("fs", tree, "-format=junit").stdout)
    assert suite.get("tests") == str(COUNT + 1) and suite.get("failures") == str(COUNT) and suite.get("errors") == "1"
    assert any("<img src=x onerror=alert(1)>&'\".txt" in c.get("classname") for c in suite)
    for failure in suite.iter("failure"):
        assert failure.get("type") == "critical" and "excerpt: " in failure.text and "id: " in failure.text
    (tree / "allowed").write_text(f"k = {token('a')} # nosecret\n")
    assert suite_of(run("fs", tree, "-format=junit", "--show-filtered").stdout).get("skipped") != "0"


def test_junit_tells_images_and_layers_apart(tmp_path):
    one = Image([Layer().file("f", f"k = {token('1')}\n".encode()), Layer().file("f", f"k = {token('2')}\n".encode())])
    two = Image([Layer().file("f", f"k = {token('3')}\n".encode())])
    suite = suite_of(run("image", docker_save(tmp_path / "i.tar", [("a:1", one), ("b:1", two)]), "-format=junit").stdout)
    assert sorted(c.get("classname") for c in suite) == ["a:1 linux/amd64: f", "a:1 linux/amd64: f", "b:1 linux/amd64: f"]
    assert sorted(c.get("name")[-4:] for c in suite)[0] == " (2)"


def test_junit_of_nothing_is_one_test_that_passed(tmp_path):
    r = run("fs", tmp_path, "-format=junit")
    suite = suite_of(r.stdout)
    assert r.returncode == 0 and suite.get("tests") == "1" and suite.get("failures") == "0"
    r = run("fs", tmp_path / "none", "-format=junit")
    suite = suite_of(r.stdout)
    assert r.returncode == 3 and suite.get("errors") == "1"


def test_gitlab_has_the_members_of_its_schema(tree):
    (tree / "twice").write_text(f"k = {token('t')}\nk = {token('t')}\n")
    doc = json.loads(run("fs", tree, "-format=gitlab").stdout)
    assert re.fullmatch(r"\d+\.\d+\.\d+", doc["version"])
    it = doc["scan"]
    assert it["type"] == "secret_detection" and it["status"] == "failure", "a file was not scanned"
    for t in ("start_time", "end_time"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", it[t])
    for tool in (it["analyzer"], it["scanner"]):
        assert all(tool[k] for k in ("id", "name", "version")) and tool["vendor"]["name"]
    assert [m["level"] for m in it["messages"]] == ["warn"] and "damaged.gz" in it["messages"][0]["value"]
    found = doc["vulnerabilities"]
    assert len(found) == COUNT + 2 and len({v["id"] for v in found}) == len(found)
    for v in found:
        assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", v["id"])
        assert v["severity"] in ("Low", "Medium", "High", "Critical") and len(v["name"]) <= 255
        assert v["identifiers"][0]["value"] == "github-pat" and v["identifiers"][0]["type"] and v["identifiers"][0]["name"]
        assert v["location"]["commit"]["sha"] and v["location"]["start_line"] >= 1 and v["location"]["file"]
        assert all(d["type"] == "text" and d["name"] and d["value"] for d in v["details"].values())


def test_reports_are_the_same_each_time(tree):
    for i in range(40):
        (tree / f"f{i}").write_text(f"a\nb = {token(f'n{i}')}\n")
    for form in ("json", "sarif", "table"):
        one, two = (run("fs", tree, f"-format={form}", "--workers=3").stdout.decode() for _ in range(2))
        changing = r'"(fingerprint|startTimeUtc|endTimeUtc)": "[^"]*"'
        assert re.sub(changing, "", one) == re.sub(changing, "", two), form


def test_o_is_private_and_replaces_at_once(tree, tmp_path):
    out = tmp_path / "report.json"
    out.write_text("the old one")
    out.chmod(0o644)
    r = run("fs", tree, "-format=json", "-o", out)
    assert r.returncode == 1 and r.stdout == b"" and b"findings" in r.stderr, r
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert json.loads(out.read_text())["findings"] == COUNT
    assert [p.name for p in tmp_path.iterdir() if p.name.startswith("report")] == ["report.json"]
    out.write_text("the old one")
    assert run("fs", tree, "-o", out, "--rules=/nonexistent").returncode == 2
    assert out.read_text() == "the old one", "a scan that did not begin has no report"
    assert run("fs", tree, "--output", tmp_path / "none/x").returncode == 3


def test_what_cannot_be_written_is_3(tree):
    with open("/dev/full", "wb") as full:
        r = run("fs", tree, "-format=json", stdout=full)
    assert r.returncode == 3 and b"writing" in r.stderr, r
    with open("/dev/full", "wb") as full:
        assert run("fs", tree, stdout=full).returncode == 3
    assert run("fs", tree, "-o", "/dev/full").returncode == 3


def terminal(*args, env=None, cols=100):
    """Exit status and what a terminal got: standard output and error are one."""
    pid, fd = pty.fork()
    if pid == 0:
        os.environ.update({"TERM": "xterm", "COLUMNS": str(cols), **(env or {})})
        os.execv(BIN / "vaultctl", ["vaultctl", "scan", *map(str, args)])
    out = b""
    while True:
        try:
            piece = os.read(fd, 65536)
        except OSError:
            break
        if not piece:
            break
        out += piece
    os.close(fd)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), out.decode()


RED = "\x1b[1;31mcritical\x1b[0m"


def test_colour_is_for_terminals_that_want_it(tree):
    assert RED in terminal("fs", tree)[1]
    assert RED not in terminal("fs", tree, env={"NO_COLOR": "1"})[1]
    assert RED in terminal("fs", tree, env={"NO_COLOR": ""})[1], "empty does not count"
    assert RED not in terminal("fs", tree, env={"TERM": "dumb"})[1]
    assert RED not in terminal("fs", tree, "--color=never")[1]
    assert RED not in run("fs", tree).stdout.decode()
    assert RED in run("fs", tree, "--color=always").stdout.decode()
    assert run("fs", tree, "--color=blue").returncode == 2


def test_progress_is_for_terminals_and_gone_at_the_end(tree):
    for i in range(4):
        (tree / f"big{i}").write_bytes(os.urandom(1 << 20).hex().encode() * 20)
    status, out = terminal("fs", tree, "--workers=1")
    assert status == 1
    shown = re.findall(r"\r(\[[#-]{20}\] [^\x1b]*)\x1b\[K", out)
    assert shown, out[:500]
    assert all("files" in s and len(s) < 80 for s in shown), shown
    table = out.index("SEVERITY")
    assert out.rindex("\r\x1b[2K", 0, table) > max(out.rindex(s, 0, table) for s in shown), "it is still there"
    assert "\x1b[K" not in terminal("fs", tree, "--progress=never")[1]
    assert b"\x1b" not in run("fs", tree).stderr
    assert b"\x1b[K" in run("fs", tree, "--progress=always").stderr
    assert run("fs", tree, "--progress=maybe").returncode == 2


def test_help_is_in_columns():
    rows = run("fs", "--help").stdout.decode().split("Flags:\n")[1].splitlines()
    assert len(rows) > 15 and {re.match(r"  --\S+( \S+)? +", row).end() for row in rows} == {25}, rows


def test_more_rules(tmp_path):
    (tmp_path / "f").write_text("t = acme_8f3a09c1d2b477e5\npw = AKIAIOSFODNN7EXAMPLE\n")
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules:\n  - id: acme\n    title: ACME token\n    severity: critical\n    confidence: H\n"
                     "    regex: '\\bacme_[0-9a-f]{16}\\b'\n")
    r = scan("fs", tmp_path / "f", f"--rules={rules}")
    assert [f["rule"] for f in r.findings] == ["acme"] and r.findings[0]["severity"] == "critical", r
    rules.write_text("rules:\n  - id: github-pat\n    title: none of these\n    regex: 'never_[0-9]{9}'\n")
    (tmp_path / "g").write_text(f"k = {token('g')}\n")
    assert not [f for f in scan("fs", tmp_path / "g", f"--rules={rules}").findings if f["rule"] == "github-pat"]


@pytest.mark.parametrize("text,where", [
    ("rules:\n  - id: a\n    title: A\n    regex: 'ab(c'\n", "4:12: regex: missing closing parenthesis"),
    ("rules:\n  - id: a\n    title: A\n    regex: 'abc(?=d)'\n", "4:12: regex: of groups only"),
    ("rules:\n  - id: a\n    title: A\n    regex: '(abc)\\1'\n", "4:12: regex: of escapes only"),
    ("rules:\n  - id: a\n    title: A\n    regex: abc\n    validator: crc33\n", "5:16: validator:"),
    ("rules:\n  - id: a\n    bogus: A\n", "3:12: bogus: unknown key"),
    ("rules:\n  - id: [\n", ":3:1:"),
])
def test_rules_with_errors_name_the_place(tmp_path, text, where):
    rules = tmp_path / "my.yaml"
    rules.write_text(text)
    r = run("fs", tmp_path, f"--rules={rules}")
    assert r.returncode == 2 and where in r.stderr.decode(), r.stderr


def test_a_baseline_leaves_out_what_was_there(tmp_path):
    tree, base = tmp_path / "tree", tmp_path / "base.json"
    tree.mkdir()
    (tree / "a").write_text(f"x = {token('a')}\nDB_PASSWORD=s3cr3tPass!x9\n")
    assert scan("fs", tree, f"--write-baseline={base}").status == 1
    for p in (base, tmp_path / "base.json.key"):
        assert stat.S_IMODE(p.stat().st_mode) == 0o600
    text = base.read_text()
    assert token("a") not in text and "s3cr3t" not in text
    assert hashlib.sha1(b"s3cr3tPass!x9").hexdigest() not in text
    r = scan("fs", tree, f"--baseline={base}", "--show-filtered")
    assert r.status == 0 and [x["reason"] for x in r.lines if x.get("type") == "filtered"] == ["baseline"] * 2, r
    (tree / "a").write_text(f"\n\nx = {token('a')}\n\nDB_PASSWORD=s3cr3tPass!y7\nz = {token('new')}\n")
    (tree / "b").write_text(f"x = {token('a')}\n")
    r = scan("fs", tree, f"--baseline={base}")
    assert sorted((os.path.basename(f["file"]), f["line"]) for f in r.findings) == [("a", 5), ("a", 6), ("b", 1)], \
        "the same secret in the same file is known, wherever its line went; another one is not, nor a copy elsewhere"
    assert scan("fs", ".", f"--baseline={base}", cwd=tree).status == 1
    assert len(scan("fs", ".", f"--baseline={base}", cwd=tree).findings) == 3, "paths are those of the baseline"


def test_a_baseline_is_written_over_with_what_is_there_now(tmp_path):
    (tmp_path / "a").write_text(f"x = {token('a')}\n")
    base = tmp_path / "base.json"
    scan("fs", tmp_path / "a", f"--write-baseline={base}")
    key = (tmp_path / "base.json.key").read_text()
    (tmp_path / "a").write_text(f"x = {token('b')}\n")
    r = scan("fs", tmp_path / "a", f"--baseline={base}", f"--write-baseline={base}")
    assert r.status == 1 and len(r.findings) == 1
    assert scan("fs", tmp_path / "a", f"--baseline={base}").status == 0
    assert len(json.loads(base.read_text())["findings"]) == 1, "what has gone is no longer known"
    assert (tmp_path / "base.json.key").read_text() == key


def test_a_baseline_without_its_key_is_no_baseline(tmp_path):
    (tmp_path / "a").write_text(f"x = {token('a')}\n")
    base, key = tmp_path / "base.json", tmp_path / "base.json.key"
    scan("fs", tmp_path / "a", f"--write-baseline={base}")
    other = tmp_path / "other"
    other.write_text("ab" * 32)
    other.chmod(0o600)
    r = scan("fs", tmp_path, f"--baseline={base}", f"--baseline-key={other}")
    assert r.status == 2 and "another key" in r.err, r
    key.chmod(0o644)
    assert scan("fs", tmp_path, f"--baseline={base}").status == 2, "others may read the key"
    key.unlink()
    assert scan("fs", tmp_path, f"--baseline={base}").status == 2
    assert not key.exists(), "none is made for a baseline that is there"
    base.write_text("{}")
    assert scan("fs", tmp_path, f"--baseline={base}", f"--baseline-key={other}").status == 2


def test_two_baselines_of_one_tree_have_nothing_in_common(tmp_path):
    (tmp_path / "a").write_text("DB_PASSWORD=s3cr3tPass!x9\n")
    for name in ("one", "two"):
        scan("fs", tmp_path / "a", f"--write-baseline={tmp_path / name}")
    one, two = (json.loads((tmp_path / n).read_text()) for n in ("one", "two"))
    assert one["key"] != two["key"] and one["findings"][0]["fingerprint"] != two["findings"][0]["fingerprint"]


def test_ignore_files(tmp_path):
    for name in ("a.env", "sub/a.env", "sub/keep.txt", "docs/x/y.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"x = {token(name)}\n")
    ignore = tmp_path / ".vaultscanignore"

    def left(text, *args):
        ignore.write_text(text)
        r = scan("fs", tmp_path, *args)
        return [os.path.relpath(f, tmp_path) for f in r.files()]

    assert left("# none\n\n") == ["a.env", "docs/x/y.md", "sub/a.env", "sub/keep.txt"]
    assert left("*.env\n") == ["docs/x/y.md", "sub/keep.txt"]
    assert left("/*.env\n") == ["docs/x/y.md", "sub/a.env", "sub/keep.txt"]
    assert left("sub/\ndocs/**/*.md\n") == ["a.env"]
    assert left("*\n!sub/keep.txt\n") == ["sub/keep.txt"]
    assert left("rule:github-pat sub/\n") == ["a.env", "docs/x/y.md"]
    assert left("rule:other\n") == ["a.env", "docs/x/y.md", "sub/a.env", "sub/keep.txt"]
    one = next(f for f in scan("fs", tmp_path).findings if f["file"].endswith("keep.txt"))
    assert left(f"finding:{one['id']}\n") == ["a.env", "docs/x/y.md", "sub/a.env"]
    r = scan("fs", tmp_path, "--show-filtered")
    gone = [x for x in r.lines if x["type"] == "filtered"]
    assert [(g["reason"], os.path.basename(g["filtered_by"])) for g in gone] == [("suppressed", ".vaultscanignore:1")]
    assert r.summary["filtered"] == 1
    assert left("*\n", "--no-ignore") == ["a.env", "docs/x/y.md", "sub/a.env", "sub/keep.txt"]
    ignore.write_text("ok\nfinding:12\n")
    r = scan("fs", tmp_path)
    assert r.status == 2 and ".vaultscanignore:2: finding:" in r.err, r


def test_an_ignore_file_that_is_named_is_for_images_too(tmp_path):
    (tmp_path / "f").write_text(f"x = {token('stdin')}\n")
    ignore = tmp_path / "ignore"
    ignore.write_text("f\n")
    assert scan("fs", tmp_path / "f", f"--ignore-file={ignore}").status == 0
    assert scan("fs", "-", f"--ignore-file={ignore}", stdin=(tmp_path / "f").read_bytes()).status == 1
    assert scan("fs", tmp_path, f"--ignore-file={tmp_path / 'none'}").status == 2
    assert scan("fs", tmp_path, f"--ignore-file={ignore}", "--no-ignore").status == 2


@pytest.mark.parametrize("tag", ["vaultctl:allow", "vaultscan:allow", "gitleaks:allow", "trufflehog:ignore", "nosecret",
                                 "pragma: allowlist secret"])
def test_inline_tags(tmp_path, tag):
    (tmp_path / "f").write_text(f"a = {token('1')} # {tag}\n\nb = {token('2')}\n\n# {tag}\nc = {token('3')}\n")
    r = scan("fs", tmp_path, "--show-filtered")
    assert [f["line"] for f in r.findings] == [3], r
    assert {(x["line"], x["reason"]) for x in r.lines if x["type"] == "filtered"} == {(1, "allow-line"), (6, "allow-line")}


def test_a_rule_that_takes_too_long_is_told(tmp_path):
    (tmp_path / "f").write_text("key=" + "a" * 3000 + "!b\n" + f"t = {token('t')}\n")
    rules = tmp_path.parent / "slow.yaml"
    rules.write_text("rules:\n  - id: slow\n    title: S\n    regex: 'key=(?:a+)+b'\n")
    r = scan("fs", tmp_path, f"--rules={rules}")
    assert r.status == 1 and [f["rule"] for f in r.findings] == ["github-pat"], "the others go on"
    assert "rule slow takes too many steps" in r.reasons() and not r.summary["complete"], r
    assert scan("fs", tmp_path).summary["complete"]


def test_what_is_left_encoded_is_told(tmp_path):
    plain = "".join(f"line {i} of a text that says nothing\n" for i in range(40000)).encode()
    (tmp_path / "f").write_bytes(b"data: " + base64.b64encode(gzip.compress(plain)) + b"\n")
    r = scan("fs", tmp_path)
    assert r.status == 4 and "bytes were not decoded" in r.reasons(), r
    page = "".join(f"<p>one &amp; {i} of many lines</p>\n" for i in range(3000)) + f"t = &quot;{token('t')}&quot; &lt;\n"
    (tmp_path / "f").write_text(page)
    assert scan("fs", tmp_path).summary["complete"], "an ordinary page is decoded to its end"
    many = b"".join(b"d%d: " % i + base64.b64encode(gzip.compress(plain[i * 1000:i * 1000 + 60000])) + b"\n" for i in range(200))
    (tmp_path / "f").write_bytes(many)
    r = scan("fs", tmp_path)
    assert r.status == 4 and "bytes were not decoded" in r.reasons(), r


def test_what_was_filtered_is_counted_without_being_shown(tmp_path):
    (tmp_path / "f").write_text(f"a = {token('1')} # nosecret\n\npassword: changeme\n")
    shown, quiet = scan("fs", tmp_path, "--show-filtered"), scan("fs", tmp_path)
    assert shown.summary["filtered"] == quiet.summary["filtered"] == len(shown.lines) - 1 > 1, (shown, quiet)
