# SPDX-License-Identifier: Apache-2.0
"""Other scanners, in these versions, installed by pip and npm into a directory of the build: for ./dev bench scan."""

import pathlib
import subprocess
import sys

PYTHON = ("detect-secrets==1.5.0", "kingfisher-bin==2.14.0")
NODE = ("secretlint@13.0.6", "@secretlint/secretlint-rule-preset-recommend@13.0.6")
ENDS = (0, 1, 200, 205)  # of those that have found something, too
RULES = '{"rules": [{"id": "@secretlint/secretlint-rule-preset-recommend"}]}'


def _quietly(*command):
    p = subprocess.run([str(c) for c in command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                       timeout=600)
    if p.returncode != 0:
        raise RuntimeError((p.stderr or p.stdout).strip().splitlines()[-1:] or command)


class Peers:
    """What of them could be installed; why says what could not."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.why = {}
        self.dir.mkdir(parents=True, exist_ok=True)
        self.venv, self.modules = self.dir / "venv", self.dir / "node_modules"

    def install(self):
        stamp, want = self.dir / "installed", " ".join(PYTHON + NODE)
        if stamp.exists() and stamp.read_text() == want:
            return self
        for package in PYTHON:
            self._try(package.partition("==")[0], self._pip, package)
        self._try("secretlint", self._npm)
        if not self.why:
            stamp.write_text(want)
        return self

    def _try(self, name, function, *args):
        try:
            function(*args)
        except (OSError, RuntimeError, subprocess.TimeoutExpired) as e:
            self.why[name] = str(e)

    def _pip(self, package):
        if not (self.venv / "bin/pip").exists():
            _quietly(sys.executable, "-m", "venv", self.venv)
        _quietly(self.venv / "bin/pip", "install", "--quiet", "--no-input", "--disable-pip-version-check",
                 "--only-binary", ":all:", package)

    def _npm(self):
        _quietly("npm", "install", "--prefix", self.dir, "--ignore-scripts", "--no-audit", "--no-fund", "--no-update-notifier",
                 "--loglevel=error", *NODE)

    def commands(self):
        """name -> (command, how much of a large tree it is given), to be run in that tree: one job each, nothing is sent
        anywhere."""
        config = self.dir / "secretlintrc.json"
        config.write_text(RULES)
        bin_ = self.venv / "bin"
        every = {
            "kingfisher": ([*self._kingfisher(bin_), "."], 64),
            "secretlint": ([self.modules / ".bin/secretlint", "--secretlintrc", config, "--format", "json", "**/*"], 32),
            "detect-secrets": ([bin_ / "detect-secrets", "-c", "1", "scan", "--all-files", "--no-verify", "."], 4),
        }
        return {name: c for name, c in every.items() if pathlib.Path(c[0][0]).exists()}

    def _kingfisher(self, bin_):
        return [bin_ / "kingfisher", "scan", "--no-update-check", "--no-validate", "--jobs", "1", "--max-file-size", "0",
                "--rule-cache-dir", self.dir / "kingfisher-rules", "--format", "jsonl", "--quiet"]

    def image(self, archive):
        command = self._kingfisher(self.venv / "bin")
        return [command[0], "scan", "docker", "--archive", archive, *command[2:]] if command[0].exists() else None
