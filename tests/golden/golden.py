#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Transcripts of the HTTP API: requests, and the whole of what vaultd must answer.

    golden.py --record FILE...    run the requests of each file, write the answers into it

A file is {"about", "from", "config", "steps"}: "from" is the state of the server at the
first step (nothing, sealed, or unsealed if absent), "config" adds to its configuration;
"accounts" are those of a target that the rotator "fake" reaches.
A step is {"request", "response", "save"}, and "until" if it is to be asked again until the
answer is as written.  A request has method, path, and if need be
query, body (JSON), text (a body as it stands), type (Content-Type), headers, and token:
absent is the root token, null is none.

In a request ${NAME} is a value that an earlier step saved: "save" says where in its answer,
as {"NAME": "auth.client_token"}.  ${root} and ${share} are given.  In a response a string
that is a placeholder, as "<uuid>", "<int 1..5>" or "<~REGULAR EXPRESSION>", stands for whatever
has that form; all else is exact.

Recording keeps every placeholder that still holds and puts one where it knows a value to
vary.  What it writes is the contract with clients: read it before it is committed.
"""

import argparse
import http.client
import json
import pathlib
import re
import ssl
import sys
import tempfile
import urllib.parse

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "lib"))

import faketarget  # noqa: E402
import vaultd  # noqa: E402

HEADERS = ("content-type", "cache-control", "location", "retry-after", "allow", "www-authenticate")

FORMS = {
    "uuid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z",
    "token": r"vlt_s_[0-9A-Za-z]{49}",
    "batch token": r"vlt_b_[0-9A-Za-z_-]+",
    "accessor": r"[0-9A-Za-z]{24}",
    "mount accessor": r"[a-z]+(_[a-z]+)*_[0-9a-f]{8}",
    "cluster": r"vault-cluster-[0-9a-f]{8}",
    "share": r"[0-9a-f]{66}",
    "share base64": r"[A-Za-z0-9+/]{44}",
    "hmac": r"hmac-sha256:[0-9a-f]{64}",
    "id": r"[0-9a-f]{32}",
    "digest": r"[A-Za-z0-9+/]{43}=",
    "pin": r"sha256//[A-Za-z0-9+/]{43}=",
    "wrapping token": r"vlt_w_[0-9A-Za-z]{49}",
    "join token": r"vlt_j_[0-9A-Za-z]{49}",
    "note": r"(?s)vaultd/audit/[0-9a-f]{32}\n\d+\n[A-Za-z0-9+/]{43}=\n(state .*\n)?\n\u2014 vaultd/audit/.*\n",
    "version": r"\d+\.\d+\.\d+",
    "base64": r"[A-Za-z0-9+/]+={0,2}",
    "text": r"(?s).+",
}
INT = re.compile(r"<int(?: (-?\d+)\.\.(-?\d+))?>")
PATTERN = re.compile(r"<~(.*)>", re.S)
FORMS_THAT_TELL = ("uuid", "time", "token", "batch token", "join token", "wrapping token", "mount accessor", "share", "hmac",
                   "id", "digest", "pin", "note")
# Numbers that say when something was, and numbers that run down.
MOMENTS = re.compile(r"server_time_utc|creation_time|last_renewal_time|\w+_ms")
COUNTDOWNS = {"ttl"}
# Names of values whose form alone does not tell what they are.
NAMED = {"keys_base64": "share base64", "request_id": "uuid", "accessor": "accessor", "wrapped_accessor": "accessor", "uuid": "uuid",
         "secret_id_accessor": "accessor", "root_accessor": "accessor", "cluster_name": "cluster", "version": "version"}


class Mismatch(AssertionError):
    pass


# --- comparing --------------------------------------------------------------------------


def placeholder(text):
    """Does a text of an answer stand for others?"""
    return bool(INT.fullmatch(text) or PATTERN.fullmatch(text) or
                text[:1] == "<" and text[-1:] == ">" and text[1:-1] in FORMS)


def fits(want, got):
    """Does a value have the form that a placeholder names?"""
    numbers = INT.fullmatch(want)
    if numbers:
        low, high = numbers.groups()
        return type(got) is int and (low is None or int(low) <= got <= int(high))
    pattern = PATTERN.fullmatch(want)
    form = pattern.group(1) if pattern else FORMS[want[1:-1]]
    return isinstance(got, str) and re.fullmatch(form, got) is not None


def compare(want, got, where=""):
    if isinstance(want, str) and placeholder(want):
        if not fits(want, got):
            raise Mismatch(f"{where}: {got!r} is no {want}")
    elif isinstance(want, dict) and isinstance(got, dict):
        if set(want) != set(got):
            raise Mismatch(f"{where}: missing {sorted(set(want) - set(got))}, unexpected {sorted(set(got) - set(want))}")
        for key, value in want.items():
            compare(value, got[key], f"{where}.{key}")
    elif isinstance(want, list) and isinstance(got, list) and len(want) == len(got):
        for i, value in enumerate(want):
            compare(value, got[i], f"{where}[{i}]")
    elif type(want) is not type(got) or want != got:
        raise Mismatch(f"{where}: {got!r} is not {want!r}")


def fits_all(want, got):
    try:
        compare(want, got)
    except Mismatch:
        return False
    return True


# --- running ----------------------------------------------------------------------------


class Session:
    """One server, and what was saved of its answers."""

    def __init__(self, server):
        self.server = server
        self.saved = {"root": server.root}
        self.tls = ssl.create_default_context(cafile=str(server.data_dir / "tls" / "cert.pem"))

    def fill(self, value):
        """value with what was saved in the place of ${NAME}."""
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda m: str(self.saved[m.group(1)]), value)
        if isinstance(value, dict):
            return {self.fill(k): self.fill(v) for k, v in value.items()}
        if isinstance(value, list):
            return [self.fill(v) for v in value]
        return value

    def send(self, request):
        request = self.fill(request)
        target = "/v1/" + urllib.parse.quote(request["path"])
        if "query" in request:
            target += "?" + request["query"]
        headers = dict(request.get("headers", {}))
        token = request.get("token", self.saved["root"])
        if token is not None:
            headers["X-Vault-Token"] = token
        if "type" in request:
            headers["Content-Type"] = request["type"]
        body = request.get("text")
        if "body" in request:
            body = json.dumps(request["body"])
        connection = http.client.HTTPSConnection("127.0.0.1", self.server.port, timeout=60, context=self.tls)
        try:
            connection.request(request["method"], target, body=body.encode() if body is not None else None,
                               headers=headers)
            reply = connection.getresponse()
            return reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read().decode()
        finally:
            connection.close()

    def step(self, step):
        """What vaultd answers to a step, in the form of "response"; saves from it."""
        status, headers, text = self.send(step["request"])
        response = {"status": status, "headers": {h: headers[h] for h in HEADERS if h in headers}}
        if text:
            is_json = headers.get("content-type") == "application/json"
            response["body"] = json.loads(text) if is_json else text
        for name, path in step.get("save", {}).items():
            value = response["body"]
            for key in path.split("."):
                value = value[int(key) if isinstance(value, list) else key]
            self.saved[name] = value
        return response


def prepare(server, state):
    server.start()
    if state == "nothing":
        return
    server.init()
    if state == "sealed":
        assert server.client().post("sys/seal").status == 204


def load(path):
    return json.loads(path.read_text())


def new_server(transcript, directory):
    config = dict(transcript.get("config") or {})
    if "accounts" in transcript:
        place = pathlib.Path(directory) / "target"
        place.mkdir()
        config["rotators"] = faketarget.FakeTarget(place, transcript["accounts"]).config
    return vaultd.Server(directory, config=config)


def check(transcript, directory):
    """Run a transcript; the first answer that is another than it says raises Mismatch."""
    server = new_server(transcript, directory)
    try:
        prepare(server, transcript.get("from", "unsealed"))
        session = Session(server)
        session.saved["share"] = server.shares[0] if server.shares else None
        for n, step in enumerate(transcript["steps"]):
            request = step["request"]
            where = f"step {n}, {request['method']} {request['path']}: "
            if step.get("until"):
                vaultd.wait_for(where, lambda s=step: fits_all(session.fill(s["response"]), session.step(s)))
            else:
                got = session.step(step)
                compare(session.fill(step["response"]), got, where)
    finally:
        server.stop()


# --- recording --------------------------------------------------------------------------


def form_of(value, key):
    """The placeholder for a value that varies, or None."""
    if type(value) is int:
        if MOMENTS.fullmatch(key):
            return "<int>"
        return f"<int {max(value - 30, 0)}..{value}>" if key in COUNTDOWNS and value > 0 else None
    if not isinstance(value, str):
        return None
    if key in NAMED and re.fullmatch(FORMS[NAMED[key]], value):
        return f"<{NAMED[key]}>"
    if value.startswith("0001-"):
        return None  # Go's zero time, always the same
    for form in FORMS_THAT_TELL:
        if re.fullmatch(FORMS[form], value):
            return f"<{form}>"
    return None


def key_of(key, saved):
    """A name of a member as it is written down."""
    return "${" + saved[key] + "}" if key in saved else key


def generalise(value, before, saved, key=""):
    """An answer as it is written down: what varies is a placeholder, what was saved has its name."""
    if isinstance(before, str) and placeholder(before) and fits(before, value):
        return before
    if isinstance(value, str) and value in saved:
        return "${" + saved[value] + "}"
    if isinstance(value, dict):
        old = before if isinstance(before, dict) else {}
        return {key_of(k, saved): generalise(v, old.get(key_of(k, saved)), saved, k) for k, v in value.items()}
    if isinstance(value, list):
        old = before if isinstance(before, list) and len(before) == len(value) else [None] * len(value)
        return [generalise(v, o, saved, key) for v, o in zip(value, old)]
    return form_of(value, key) or value


def record(path):
    transcript = load(path)
    with tempfile.TemporaryDirectory() as directory:
        server = new_server(transcript, directory)
        try:
            prepare(server, transcript.get("from", "unsealed"))
            session = Session(server)
            session.saved["share"] = server.shares[0] if server.shares else None
            for step in transcript["steps"]:
                known = {v: k for k, v in session.saved.items() if isinstance(v, str) and len(v) > 8}
                got = session.step(step)
                step["response"] = generalise(got, step.get("response"), known)
                if "save" in step:  # last, as it reads
                    step["save"] = step.pop("save")
        finally:
            server.stop()
    path.write_text(json.dumps(transcript, indent=2, ensure_ascii=False) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", nargs="+", type=pathlib.Path, required=True, metavar="FILE")
    for path in parser.parse_args().record:
        record(path)
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
