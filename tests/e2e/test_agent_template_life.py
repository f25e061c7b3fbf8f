# SPDX-License-Identifier: Apache-2.0
"""Templates in a running agent: files that are made of several secrets, of listings, and of what is not there yet."""
import json
import os
import signal
import subprocess

import pytest

from vaultd import BIN, wait_for

TWO = """{{ with secret "secret/data/app/db" -}}
user={{ .Data.data.user }}
password={{ .Data.data.password | toJSON }}
version={{ .Data.metadata.version }}
{{ end -}}
{{ with secret "secret/data/app/key" }}key={{ .Data.data.key }}{{ end }}
"""
LIST = """{{ range secrets "secret/metadata/many" -}}
{{ . }}={{ with secret (printf "secret/data/many/%s" .) }}{{ .Data.data.v }}{{ end }}
{{ end -}}
"""
HEARTBEAT = "5s"  # what is not there is asked for again with each


def two(user="u", password="p1", version=1, key="k1"):
    return f"user={user}\npassword={json.dumps(password)}\nversion={version}\nkey={key}\n"


def text(template, name="t", binding="app"):
    return {"binding": binding, "name": name, "template_text": template}


class Place:
    def __init__(self, server, make_agent, tmp_path):
        self.server, self.make_agent, self.tmp = server, make_agent, tmp_path
        server.put("app/db", {"user": "u", "password": "p1"})
        server.put("app/key", {"key": "k1"})

    def write(self, name, template):
        path = self.tmp / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(template)
        return path

    def agent(self, files, paths=("secret/*",), start=True, **extra):
        a = self.make_agent(self.server, "web1", files)
        a.extra.update(extra)
        a.join(self.server.add_host("web1", list(paths))["join_token"])
        return a.start() if start else a


@pytest.fixture
def place(own_server, make_agent, tmp_path):
    return Place(own_server, make_agent, tmp_path)


def secret(a, path):
    (row,) = [row for row in a.status()["secrets"] if row["path"] == path]
    return row


def run(a, command):
    return subprocess.run([str(BIN / "vault-agent"), command, "--config", str(a.config)], text=True,
                          capture_output=True, timeout=30)


def generation(a, binding="app"):
    return os.readlink(a.run_dir / binding / "..data")


def applied(s, path):
    info = s.client().list(f"sys/vault-leases?path={path}").data["key_info"]
    return sorted(row["applied"] for row in info.values())


def test_a_file_of_two_secrets_follows_both(place):
    t = place.write("t/app.conf.tmpl", TWO)
    a = place.agent([{"binding": "app", "name": "app.conf", "template": str(t), "mode": "0440"},
                     {"path": "secret/app/db", "binding": "app", "field": "password"}])
    s = place.server
    a.wait_content("app", "app.conf", two())
    assert a.content("app", "password") == "p1"
    s.put("app/key", {"key": "k2"})
    a.wait_content("app", "app.conf", two(key="k2"))
    s.put("app/db", {"user": "u", "password": 'it\'s "x"'})
    a.wait_content("app", "app.conf", two(password='it\'s "x"', version=2, key="k2"))
    assert a.content("app", "password") == 'it\'s "x"', "in the same step"
    wait_for("the vault to hear", lambda: (applied(s, "secret/app/db"), applied(s, "secret/app/key")) == ([2], [2]))
    (row,) = [f for f in a.status()["files"] if f["name"] == "app.conf"]
    assert (row["format"], sorted(row["paths"]), row["missing"]) == (
        "template", ["secret/app/db", "secret/app/key"], [])
    # After a restart nothing is made again.
    before = generation(a)
    a.stop()
    a.start()
    wait_for("it", lambda: (a.status() or {}).get("connected"))
    assert generation(a) == before
    s.put("app/key", {"key": "k3"})
    a.wait_content("app", "app.conf", two(password='it\'s "x"', version=2, key="k3"))
    assert os.stat(a.file("app", "app.conf")).st_mode & 0o777 == 0o440


def test_a_secret_that_is_not_there_keeps_the_file_waiting(place):
    s = place.server
    s.client().delete("secret/metadata/app/key")
    a = place.agent([text(TWO), {"path": "secret/app/db", "binding": "other", "field": "password"}], heartbeat=HEARTBEAT)
    a.wait_content("other", "password", "p1")
    wait_for("what it waits for", lambda: secret(a, "/v1/secret/data/app/key")["error"] != "")
    assert a.content("app", "t") is None
    row = a.status()["files"][0]
    assert (row["name"], row["present"], row["missing"]) == ("t", False, ["/v1/secret/data/app/key"])
    missing = secret(a, "/v1/secret/data/app/key")
    assert (missing["state"], missing["error"]) == ("no lease", "no such secret")
    s.put("app/db", {"user": "u", "password": "p2"})
    a.wait_content("other", "password", "p2")
    s.put("app/key", {"key": "k1"})
    a.wait_content("app", "t", two(password="p2", version=2))
    assert secret(a, "secret/app/db")["state"] == "applied"
    row = a.status()["files"][0]
    assert (row["present"], row["missing"]) == (True, [])


def test_a_secret_that_is_taken_away_takes_the_file_along(place):
    s = place.server
    a = place.agent([text(TWO), {"path": "secret/app/db", "binding": "app", "field": "password"}], heartbeat=HEARTBEAT)
    a.wait_content("app", "t", two())
    s.client().delete("secret/metadata/app/key")
    wait_for("the file to go", lambda: a.content("app", "t") is None)
    assert a.content("app", "password") == "p1", "of what is still there"
    s.put("app/db", {"user": "u", "password": "p2"})
    a.wait_content("app", "password", "p2")
    assert a.content("app", "t") is None
    s.put("app/key", {"key": "k9"})
    a.wait_content("app", "t", two(password="p2", version=2, key="k9"))


def test_a_listing_is_followed(place):
    s = place.server
    s.put("many/a", {"v": "1"})
    s.put("many/b", {"v": "2"})
    a = place.agent([text(LIST)])
    a.wait_content("app", "t", "a=1\nb=2\n")
    s.put("many/b", {"v": "3"})
    a.wait_content("app", "t", "a=1\nb=3\n")
    s.put("many/c", {"v": "4"})
    a.wait_content("app", "t", "a=1\nb=3\nc=4\n")
    s.client().delete("secret/metadata/many/a")
    a.wait_content("app", "t", "b=3\nc=4\n")
    leased = {row["path"] for row in s.client().list("sys/vault-leases").data["key_info"].values()
              if row["state"] not in ("wiped", "revoked")}
    assert leased == {"secret/many/", "secret/many/b", "secret/many/c"}


def test_a_listing_of_names_alone_needs_no_right_to_values(place):
    s = place.server
    s.put("many/a", {"v": "1"})
    a = place.agent([text('{{ range secrets "secret/metadata/many/" }}[{{ . }}]{{ end }}')], paths=["secret/many/"])
    a.wait_content("app", "t", "[a]")
    s.put("many/sub/x", {"v": "2"})
    a.wait_content("app", "t", "[a][sub/]")


BROKEN = {
    "syntax": ("one\n{{ if }}two{{ end }}\n", ":2:"),
    "a function that is not supported": ("one\ntwo\n  {{ plugin \"x\" }}\n", ":3:"),
    "an end that is missing": ("{{ with secret \"secret/data/app/db\" }}\n", ":"),
    "a file elsewhere": ("{{ file \"/etc/shadow\" }}\n", ":1:"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_template_is_refused(place, name):
    template, where = BROKEN[name]
    t = place.write("t/x.tmpl", template)
    a = place.agent([{"binding": "app", "name": "x", "template": str(t)}], start=False)
    for command in "check", "run":
        p = run(a, command)
        assert p.returncode != 0 and f"{t}{where}" in p.stderr, p.stderr
    assert not (a.run_dir / "app").exists()


@pytest.mark.parametrize("name", BROKEN)
def test_a_template_that_breaks_later_changes_nothing(place, name):
    template, where = BROKEN[name]
    t = place.write("t/x.tmpl", TWO)
    a = place.agent([{"binding": "app", "name": "x", "template": str(t)}])
    a.wait_content("app", "x", two())
    assert run(a, "check").returncode == 0
    t.write_text(template)
    a.files.append({"path": "secret/app/db", "binding": "app", "field": "password"})
    a.write_config()
    a.proc.send_signal(signal.SIGHUP)
    wait_for("the error", lambda: f"{t}{where}" in a.status()["settings_error"])
    assert a.content("app", "x") == two() and a.content("app", "password") is None
    place.server.put("app/key", {"key": "k2"})
    a.wait_content("app", "x", two(key="k2"))
    t.write_text("{{ with secret \"secret/data/app/db\" }}now {{ .Data.data.user }}{{ end }}")
    a.proc.send_signal(signal.SIGHUP)
    a.wait_content("app", "x", "now u")
    assert a.content("app", "password") == "p1" and a.status()["settings_error"] == ""


def test_a_mistake_that_shows_with_the_values_leaves_the_file(place):
    s = place.server
    a = place.agent([text('{{ with secret "secret/data/app/db" }}{{ .Data.data.password | parseInt }}{{ end }}')])
    s.put("app/db", {"password": "5"})
    a.wait_content("app", "t", "5")
    s.put("app/db", {"password": "a-value-of-text"})
    wait_for("the rejection", lambda: secret(a, "secret/app/db")["state"] == "rejected")
    assert a.content("app", "t") == "5"
    assert "app/t:1:" in secret(a, "secret/app/db")["error"]
    assert "a-value-of-text" not in json.dumps(a.status()) + a.log()
    s.put("app/db", {"password": "6"})
    a.wait_content("app", "t", "6")


def test_files_and_the_environment(place):
    d = place.tmp / "include"
    d.mkdir()
    (d / "ok").write_text("included")
    (d / "link").symlink_to("ok")
    (d / "out").symlink_to("/etc/hostname")
    head = '{{ with secret "secret/data/app/db" }}{{ .Data.data.user }}{{ end }} '
    a = place.agent([text(head + f'{{{{ file "{d}/link" }}}} {{{{ env "PATH" }}}}|{{{{ env "NO_SUCH" }}}}|')],
                    template_dirs=json.dumps([str(d)]))
    a.wait_content("app", "t", f"u included {os.environ['PATH']}||")
    a.stop()
    a.files = [text(f'{{{{ file "{d}/out" }}}}')]
    a.write_config()
    p = run(a, "check")
    assert p.returncode != 0 and "leads out of" in p.stderr, p.stderr
