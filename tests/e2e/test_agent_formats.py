# SPDX-License-Identifier: Apache-2.0
"""What files of a running agent look like in each format, and several bindings at once."""
import json
import subprocess

import pytest

from vaultd import wait_for

FILES = [{"path": "secret/app/db", "binding": "app", "name": "db.env", "format": "env"},
         {"path": "secret/app/db", "binding": "app", "name": "db.json", "format": "json", "fields": ["user", "password"]},
         {"path": "secret/app/db", "binding": "other", "field": "password"},
         {"path": "secret/app/key", "binding": "other", "field": "key"}]


@pytest.fixture
def place(own_server, make_agent):
    s = own_server
    s.put("app/db", {"user": "u", "password": "it's $1", "PORT": 5432})
    s.put("app/key", {"key": "k1"})
    a = make_agent(s, "web1", FILES)
    a.join(s.add_host("web1", ["secret/app/*"])["join_token"])
    a.start()
    a.wait_content("app", "db.env", "PORT=5432\npassword=\"it's \\$1\"\nuser=u\n")
    a.wait_content("other", "key", "k1")
    return s, a



def test_formats_of_one_secret_in_two_bindings(place):
    s, a = place
    assert a.content("app", "db.json") == '{"password":"it\'s $1","user":"u"}'
    assert a.content("other", "password") == "it's $1"
    p = subprocess.run(["sh", "-c", '. "$0"; printf %s "$password"', a.file("app", "db.env")], capture_output=True,
                       text=True, timeout=30, check=True)
    assert p.stdout == "it's $1"
    s.put("app/db", {"user": "v", "password": "two", "PORT": 1})
    a.wait_content("app", "db.env", "PORT=1\npassword=two\nuser=v\n")
    assert json.loads(a.content("app", "db.json")) == {"user": "v", "password": "two"}
    a.wait_content("other", "password", "two")
    assert a.content("other", "key") == "k1", "carried over"


def test_a_value_that_cannot_be_written_leaves_all_files_as_they_are(place):
    s, a = place
    s.put("app/db", {"user": "v", "password": "two\nlines", "PORT": 1})
    wait_for("the rejection", lambda: "line break" in json.dumps(a.status()))
    assert a.content("app", "db.env") == "PORT=5432\npassword=\"it's \\$1\"\nuser=u\n"
    assert a.content("other", "password") == "it's $1"
    assert "two" not in json.dumps(a.status())
    assert "lines" not in a.log()
    s.put("app/db", {"user": "v", "password": "good", "PORT": 1})
    a.wait_content("other", "password", "good")
    assert a.content("app", "db.env") == "PORT=1\npassword=good\nuser=v\n"
