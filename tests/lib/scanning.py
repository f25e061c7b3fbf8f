# SPDX-License-Identifier: Apache-2.0
"""vaultctl scan for the tests, and secrets that it must find: tokens with a checksum that is right."""
import json
import os
import subprocess
import zlib

from vaultd import BIN, DEADLINE

DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def base62(n, width):
    out = ""
    while n:
        n, d = divmod(n, 62)
        out = DIGITS[d] + out
    return out.rjust(width, "0")


def token(seed):
    """A GitHub token that nobody has; the same for the same seed."""
    body = base62(int.from_bytes(zlib.crc32(seed.encode()).to_bytes(4) * 6) * 7919 + 62**29, 30)[-30:]
    return "gh" + "p_" + body + base62(zlib.crc32(body.encode()), 6)


class Result:
    def __init__(self, process):
        self.status, self.err = process.returncode, process.stderr
        self.lines = [json.loads(line) for line in process.stdout.splitlines()]
        self.findings = [x for x in self.lines if x["type"] == "finding"]
        self.missed = [x for x in self.lines if x["type"] == "not_scanned"]
        self.summary = self.lines[-1] if self.lines else {}

    def __repr__(self):
        return f"status {self.status}\n{self.err}" + "\n".join(map(str, self.lines))

    def files(self):
        return sorted(f["file"] for f in self.findings)

    def at(self, file):
        found = [f for f in self.findings if f["file"] == file]
        assert len(found) == 1, f"{file}: {self}"
        return found[0]

    def reasons(self):
        return " | ".join(f"{m.get('path', '')}: {m['reason']}" for m in self.missed)


def scan(*args, stdin=None, timeout=DEADLINE * 4, env=None, **kw):
    command = [str(BIN / "vaultctl"), "scan", *map(str, args), "--format=jsonl"]
    source = {"input": stdin} if isinstance(stdin, bytes) else {"stdin": stdin or subprocess.DEVNULL}
    p = subprocess.run(command, capture_output=True, check=False, timeout=timeout,
                       env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(env or {})}, **source, **kw)
    p.stdout, p.stderr = p.stdout.decode(), p.stderr.decode()
    r = Result(p)
    assert "worker died" not in r.reasons(), r
    return r


def workers_of(pid):
    """Process ids of the workers of a scan."""
    found = []
    for entry in os.listdir("/proc"):
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8") as f:
                text = f.read()
        except OSError:
            continue
        if text.partition("(")[2].startswith("vault-scan") and text.rpartition(")")[2].split()[1] == str(pid):
            found.append(int(entry))
    return found
