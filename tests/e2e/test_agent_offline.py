# SPDX-License-Identifier: Apache-2.0
"""vault-agent without the vault: the encrypted cache, and how long files may stay (fault F7)."""
import json
import os
import shutil
import signal
import threading

import pytest

from liar import Liar, Reply
from vaultd import wait_for

DB = {"path": "secret/app/db", "field": "password", "binding": "db", "name": "password"}
OTHER = {**DB, "binding": "other"}
TTL = "6s"


def bindings(*rows):
    return "[" + ", ".join("{" + ", ".join(f"{k}: {json.dumps(v)}" for k, v in r.items()) + "}" for r in rows) + "]"


CACHED = bindings({"name": "db", "cache": "encrypted"})


class Host:
    def __init__(self, server, make_agent, name="web1", files=(DB,), rows=CACHED):
        self.server, self.name = server, name
        self.agent = make_agent(server, name, list(files))
        if rows:
            self.agent.extra = {"bindings": rows}
        self.added = server.add_host(name, ["secret/app/*"])

    def run(self, value="one"):
        self.agent.join(self.added["join_token"])
        self.agent.start()
        self.agent.wait_content("db", "password", value)
        self.known(value)
        return self

    def known(self, value):
        """The vault knows that it is in place, so the agent has written down what it has to."""
        version = self.server.client().get("secret/data/app/db").data["metadata"]["version"]
        info = lambda: self.server.client().list(f"sys/vault-leases?host={self.name}").data.get("key_info") or {}
        wait_for("the acknowledgement", lambda: [r["applied"] for r in info().values()] == [version])

    def boot(self):
        """The host loses its memory; the agent starts again."""
        self.off()
        self.agent.start()

    def off(self):
        self.agent.stop(signal.SIGKILL)
        shutil.rmtree(self.agent.run_dir, ignore_errors=True)
        self.agent.run_dir.mkdir()

    def cache(self):
        return sorted(p for p in (self.agent.state_dir / "cache").glob("*") if p.name != "index")

    def content(self, binding="db"):
        return self.agent.content(binding, "password")

    def says(self, text):
        return wait_for(f"'{text}' in\n{self.agent.log()[-1500:]}", lambda: text in self.agent.log())

    def offline(self):
        return wait_for("it to be offline", lambda: (s := self.agent.status()) and s["state"] == "offline" and s)


@pytest.fixture
def host(own_server, make_agent):
    own_server.put("app/db", {"password": "one"})
    return Host(own_server, make_agent)


def test_a_boot_without_the_vault_serves_the_cache_and_then_catches_up(host):
    s, a = host.server, host.agent
    host.run()
    (kept,) = host.cache()
    assert kept.stat().st_mode & 0o777 == 0o600 and kept.parent.stat().st_mode & 0o777 == 0o700
    for f in a.state_dir.rglob("*"):
        assert not f.is_file() or b"one" not in f.read_bytes().replace(b"none", b""), f
        assert not f.is_file() or f.parent.name != "cache" or b"app/db" not in f.read_bytes(), f
    s.stop()
    host.boot()
    a.wait_content("db", "password", "one")
    st = host.offline()
    (secret,) = st["secrets"]
    assert secret["state"] == "stale" and secret["stale"] and secret["stale_since"].startswith("20"), secret
    assert st["last_heard"] == secret["stale_since"]
    host.says("delivered from the cache")
    s.start()
    s.unseal()
    st = wait_for("the lease", lambda: (x := a.status()) and x["secrets"][0]["state"] == "applied" and x, 90)
    assert st["secrets"][0]["stale_since"] == "" and host.content() == "one" and st["wipes"] == 0
    s.put("app/db", {"password": "two"})
    a.wait_content("db", "password", "two")
    host.known("two")
    s.stop()
    host.boot()
    a.wait_content("db", "password", "two")


def test_nothing_is_served_from_the_cache_while_the_vault_answers(host):
    host.run()
    host.off()
    host.server.put("app/db", {"password": "two"})
    host.agent.start()
    host.agent.wait_content("db", "password", "two")
    assert "from the cache" not in host.agent.log()


def test_a_vault_that_hangs_is_no_reason_to_wait(own_server, make_agent):
    """Something accepts connections, and says nothing."""
    own_server.put("app/db", {"password": "one"})
    net, done = Liar(own_server), threading.Event()
    net.add_host, net.client = own_server.add_host, own_server.client
    h = Host(net, make_agent).run()
    net.answer = lambda path, _: done.wait(60) and Reply(503, {"errors": ["away"]})
    try:
        h.boot()
        h.agent.wait_content("db", "password", "one")
        assert h.agent.status()["state"] == "connecting"
    finally:
        done.set()
        h.agent.stop()
        net.stop()


def test_an_older_copy_of_the_cache_is_refused(host):
    s, a = host.server, host.agent
    host.run()
    (kept,) = host.cache()
    old = kept.read_bytes()
    s.put("app/db", {"password": "two"})
    a.wait_content("db", "password", "two")
    host.known("two")
    s.stop()
    host.off()
    kept.write_bytes(old)
    a.start()
    host.says("the cache has version 1, this host had version 2")
    host.offline()
    assert host.content() is None


def test_what_was_revoked_never_comes_back(host):
    s, a = host.server, host.agent
    host.run()
    (kept,) = host.cache()
    old = kept.read_bytes()
    s.client().delete("secret/data/app/db")
    wait_for("the wipe", lambda: host.content() is None)
    wait_for("the cache to go", lambda: not host.cache())
    s.stop()
    host.off()
    kept.write_bytes(old)
    a.start()
    host.says("the vault has taken it away")
    host.offline()
    assert host.content() is None


def test_a_revoked_host_has_no_cache(host):
    s, a = host.server, host.agent
    host.run()
    copy = a.tmp / "copy"
    shutil.copytree(a.state_dir / "cache", copy)
    s.ctl("host", "revoke", "web1", "--yes")
    wait_for("the wipe", lambda: host.content() is None)
    wait_for("the cache to go", lambda: not (a.state_dir / "cache").exists())
    s.stop()
    host.off()
    shutil.copytree(copy, a.state_dir / "cache")
    a.start()
    host.says("the vault has taken it away")
    assert host.content() is None


@pytest.mark.parametrize("damage", ["bit", "cut", "empty", "index", "none"])
def test_a_damaged_cache_is_refused_and_does_no_harm(host, damage):
    s, a = host.server, host.agent
    host.run()
    (kept,) = host.cache()
    raw = bytearray(kept.read_bytes())
    s.stop()
    host.off()
    if damage == "bit":
        raw[-20] ^= 4
        kept.write_bytes(raw)
    elif damage == "cut":
        kept.write_bytes(raw[:-3])
    elif damage == "empty":
        kept.write_bytes(b"")
    elif damage == "none":
        kept.unlink()
    else:
        (kept.parent / "index").write_bytes(bytes(raw))
    a.start()
    host.offline()
    if damage != "none":
        host.says("the cache is damaged")
    assert host.content() is None and a.proc.poll() is None
    s.start()
    s.unseal()
    a.wait_content("db", "password", "one", 90)


def test_the_cache_of_another_host_is_worth_nothing(host, make_agent):
    s = host.server
    host.run()
    thief = Host(s, make_agent, "web2").run()
    s.stop()
    (kept,), (theirs,) = host.cache(), thief.cache()
    thief.off()
    theirs.write_bytes(kept.read_bytes())
    shutil.copy(kept, theirs.parent / kept.name)
    shutil.copy(kept.parent / "index", theirs.parent / "index")
    thief.agent.start()
    thief.says("was not sealed by this host")
    thief.offline()
    assert thief.content() is None


def test_only_bindings_that_want_it_are_served(own_server, make_agent):
    own_server.put("app/db", {"password": "one"})
    h = Host(own_server, make_agent, files=(DB, OTHER)).run()
    h.agent.wait_content("other", "password", "one")
    own_server.stop()
    h.boot()
    h.agent.wait_content("db", "password", "one")
    assert h.content("other") is None
    own_server.start()
    own_server.unseal()
    h.agent.wait_content("other", "password", "one", 90)


def test_a_cache_is_filled_when_it_is_switched_on_and_emptied_when_off(own_server, make_agent):
    own_server.put("app/db", {"password": "one"})
    h = Host(own_server, make_agent, rows=None).run()
    assert not h.cache()
    inode = os.stat(h.agent.file("db", "password")).st_ino
    h.agent.stop()
    h.agent.extra = {"bindings": CACHED}
    h.agent.write_config()
    h.agent.start()
    wait_for("the cache", h.cache)
    assert os.stat(h.agent.file("db", "password")).st_ino == inode, "nothing is delivered again"
    h.agent.stop()
    h.agent.extra = {}
    h.agent.write_config()
    h.agent.start()
    wait_for("the cache to go", lambda: not h.cache())


def test_values_older_than_max_stale_are_not_served(own_server, make_agent):
    own_server.put("app/db", {"password": "one"})
    h = Host(own_server, make_agent, rows=bindings({"name": "db", "cache": "encrypted", "max_stale": "1s"}))
    assert own_server.client().post("sys/hosts/roles/web", {"paths": ["secret/app/*"], "ttl": TTL}).status == 204
    h.run()
    own_server.stop()
    assert h.offline()["last_heard"]
    (kept,) = h.cache()
    wait_for("the wipe", lambda: h.content() is None)
    assert kept.exists(), "it may be needed by others"
    h.boot()
    h.says("the vault was not heard for too long")
    h.offline()
    assert h.content() is None


def test_without_the_vault_files_go_where_their_binding_wants_that(own_server, make_agent):
    own_server.put("app/db", {"password": "one"})
    h = Host(own_server, make_agent, files=(DB, OTHER),
             rows=bindings({"name": "db", "on_disconnect": "wipe", "wipe_after": "2s"})).run()
    h.agent.wait_content("other", "password", "one")
    held = os.open(h.agent.file("db", "password"), os.O_RDONLY)
    own_server.stop()
    wait_for("the wipe", lambda: h.content() is None)
    assert b"one" not in os.pread(held, 10, 0), "overwritten, not only unlinked"
    os.close(held)
    assert h.content("other") == "one"
    h.says("the vault was not heard for too long")
    # An agent that is started again has no new patience.
    own_server.start()
    own_server.unseal()
    h.agent.wait_content("db", "password", "one", 90)
    assert h.content("other") == "one"


# A day takes two seconds here; the lease is one of three days.
OUTAGE = {"hasty": {"on_disconnect": "wipe", "wipe_after": "2s"}, "strict": {"on_expiry": "wipe"},
          "day": {"max_stale": "2s", "cache": "encrypted"}, "week": {"max_stale": "14s", "cache": "encrypted"}}


def test_an_outage_of_a_day_and_of_a_week(own_server, make_agent):
    """Fault F7: beyond renewal, beyond the lease, beyond what each binding bears; a boot meanwhile; and back."""
    s = own_server
    s.put("app/db", {"password": "one"})
    assert s.client().post("sys/hosts/roles/web", {"paths": ["secret/app/*"], "ttl": TTL}).status == 204
    h = Host(s, make_agent, files=[{**DB, "binding": name} for name in OUTAGE],
             rows=bindings(*({"name": name, **policy} for name, policy in OUTAGE.items())))
    h.agent.join(h.added["join_token"])
    h.agent.start()

    def have():
        return [name for name in OUTAGE if h.content(name) is not None]

    def all_have(value):
        wait_for(f"all to have {value}:\n{h.agent.log()[-2000:]}", lambda: all(h.content(name) == value for name in OUTAGE))
        h.known(value)

    def wait_have(*names):
        wait_for(f"only {names} to be left", lambda: set(have()) <= set(names), 60)
        assert have() == list(names), h.agent.log()[-2000:]

    all_have("one")
    renewals = lambda: s.client().list("sys/vault-leases?host=web1").data["key_info"]
    first = {k: v["expires"] for k, v in renewals().items()}
    wait_for("a renewal", lambda: all(v["expires"] > first[k] for k, v in renewals().items()))
    s.stop()
    wait_have("strict", "day", "week")  # the lease still runs
    assert not h.agent.status()["secrets"][0]["stale"]
    wait_have("day", "week")  # it has ended, and nobody says that there is no other
    (secret,) = h.agent.status()["secrets"]
    assert (secret["state"], secret["stale"]) == ("stale", True)
    h.boot()
    h.agent.wait_content("week", "password", "one")
    h.says("delivered from the cache")
    wait_have("week")  # what comes from the cache is as old as it was
    # It comes back, with leases that have ended and another value.
    s.start()
    s.unseal()
    s.put("app/db", {"password": "two"})
    all_have("two")
    st = h.agent.status()
    assert (st["state"], st["secrets"][0]["state"], st["alarm"]) == ("connected", "applied", ""), st
    # And goes for longer than anybody bears.
    s.stop()
    wait_have()
    h.boot()
    h.offline()
    h.says("the vault was not heard for too long")
    assert have() == []
    s.start()
    s.unseal()
    all_have("two")
    assert len([k for k, v in renewals().items() if v["state"] == "applied"]) == 1


def test_templates_are_made_from_the_cache(own_server, make_agent):
    """Of several secrets, and of the names in a folder: all are needed, and all are kept."""
    s = own_server
    for name in ("a", "b"):
        s.put(f"app/many/{name}", {"v": f"{name}1"})
    s.put("app/db", {"user": "u", "password": "one"})
    both = ('{{ with secret "secret/data/app/db" }}{{ .Data.data.user }}:{{ .Data.data.password }} '
            'v{{ .Data.metadata.version }}{{ end }}')
    many = ('{{ range secrets "secret/metadata/app/many" }}{{ . }}='
            '{{ with secret (printf "secret/data/app/many/%s" .) }}{{ .Data.data.v }}{{ end }};{{ end }}')
    files = [DB, {"binding": "db", "name": "both", "template_text": both + " " + many},
             {"binding": "other", "name": "both", "template_text": both},
             {"path": "secret/app/late", "field": "v", "binding": "late", "name": "v"}]
    h = Host(s, make_agent, files=files, rows=bindings(*({"name": n, "cache": "encrypted"} for n in ("db", "late"))))
    h.agent.extra["heartbeat"] = "2s"
    h.agent.join(h.added["join_token"])
    h.agent.start()
    h.agent.wait_content("db", "both", "u:one v1 a=a1;b=b1;")
    h.agent.wait_content("other", "both", "u:one v1")
    applied = lambda: [v["applied"] >= v["current"] > 0 for v in s.client().list("sys/vault-leases?host=web1")
                       .data["key_info"].values()]
    wait_for("all to be acknowledged", lambda: applied() == [True] * 4)
    s.stop()
    h.boot()
    h.agent.wait_content("db", "both", "u:one v1 a=a1;b=b1;")
    h.agent.wait_content("db", "password", "one")
    assert h.agent.content("other", "both") is None, "its binding keeps nothing"
    h.offline()
    s.start()
    s.unseal()
    h.agent.wait_content("other", "both", "u:one v1", 90)
    s.put("app/many/c", {"v": "c1"})
    s.put("app/db", {"user": "u", "password": "two"})
    h.agent.wait_content("db", "both", "u:two v2 a=a1;b=b1;c=c1;")
    wait_for("all to be acknowledged", lambda: applied() == [True] * 5)
    kept = h.cache()
    s.put("app/late", {"v": "v1"})
    h.agent.wait_content("late", "v", "v1")
    wait_for("all to be acknowledged", lambda: applied() == [True] * 6)
    # With one of them missing there is no file, and no half of it; others do not suffer.
    s.stop()
    for one in kept:
        text = one.read_bytes()
        h.off()
        one.unlink()
        h.agent.start()
        h.agent.wait_content("late", "v", "v1")
        assert h.agent.content("db", "both") is None
        one.write_bytes(text)


def test_a_restart_gives_no_new_patience(own_server, make_agent):
    own_server.put("app/db", {"password": "one"})
    h = Host(own_server, make_agent, rows=bindings({"name": "db", "on_disconnect": "wipe", "wipe_after": "1h"})).run()
    own_server.stop()
    h.offline()
    h.agent.stop()
    heard = h.agent.run_dir / ".heard"
    boot, at = heard.read_text().split()
    heard.write_text(f"{boot} {max(0, int(at) - 3600_000)}\n")
    if int(at) < 3600_000:
        pytest.skip("the machine has not been up for an hour")
    h.agent.start()
    wait_for("the wipe", lambda: h.content() is None)


def test_an_ended_lease_wipes_where_the_binding_wants_that(own_server, make_agent):
    s = own_server
    s.put("app/db", {"password": "one"})
    h = Host(s, make_agent, files=(DB, OTHER), rows=bindings({"name": "db", "on_expiry": "wipe"},
                                                             {"name": "other", "max_stale": "3s"}))
    assert s.client().post("sys/hosts/roles/web", {"paths": ["secret/app/*"], "ttl": TTL}).status == 204
    h.run()
    h.agent.wait_content("other", "password", "one")
    s.stop()
    wait_for("the strict one to go", lambda: h.content() is None)
    assert h.content("other") == "one"
    st = h.agent.status()
    assert st["secrets"][0]["stale"] and st["secrets"][0]["stale_since"]
    wait_for("the other to go", lambda: h.content("other") is None)
    h.says("stale for too long")
    s.start()
    s.unseal()
    h.agent.wait_content("db", "password", "one", 90)
    h.agent.wait_content("other", "password", "one")


def test_a_value_that_was_found_bad_is_not_the_one_that_is_kept(own_server, make_agent, tmp_path):
    """The last known good one is: the host went back to it."""
    script = tmp_path / "check"
    script.write_text('#!/bin/sh\n[ "$(cat "$VAULT_DIR/password")" != bad ]\n')
    script.chmod(0o755)
    own_server.put("app/db", {"password": "one"})
    h = Host(own_server, make_agent,
             rows="[{name: db, cache: encrypted, reload: exec, settle: 0s, min_interval: 0s, "
                  f'command: ["{script}"]}}]').run()
    own_server.put("app/db", {"password": "bad"})
    wait_for("the rejection", lambda: (x := h.agent.status()) and x["secrets"][0]["error"])
    h.agent.wait_content("db", "password", "one")
    assert h.agent.status()
    own_server.stop()
    h.boot()
    h.agent.wait_content("db", "password", "one")
    own_server.start()
    own_server.unseal()
    own_server.put("app/db", {"password": "three"})
    h.agent.wait_content("db", "password", "three", 90)
    h.known("three")
    own_server.stop()
    h.boot()
    h.agent.wait_content("db", "password", "three")
