# SPDX-License-Identifier: Apache-2.0
"""A real sshd without privileges: one account, the one that it runs as; its own host keys, its own
authorized_keys. Another's ssh client says which keys open it."""
import getpass
import os
import pwd
import subprocess
import tempfile

from databases import Database, find
from vaultd import DEADLINE


def keygen(path, kind="ed25519", *words):
    """A new key pair at path and path.pub."""
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", "", "-C", path.name, *words, "-f", path], check=True, capture_output=True)
    return path


class Sshd(Database):
    name, user = "sshd", "nobody"
    available = find("sshd") is not None and find("ssh-keygen") is not None

    def __init__(self, *settings):
        super().__init__()
        self.settings = settings
        self.account = pwd.getpwuid(self.identity()["user"]).pw_name if os.getuid() == 0 else getpass.getuser()
        self.home = self.dir / "home"
        self.file = self.home / ".ssh" / "authorized_keys"

    def prepare(self):
        self.file.parent.mkdir(parents=True)
        for kind in "ed25519", "rsa":
            keygen(self.dir / f"host_{kind}", kind)
        self.admin_key = keygen(self.dir / "admin")
        self.file.write_text("# first line\n" + (self.dir / "admin.pub").read_text())
        self.file.chmod(0o640)
        lines = [f"ListenAddress {self.host}:{self.port}", "UsePAM yes", "StrictModes no", "PidFile none",
                 f"AuthorizedKeysFile {self.file}", f"Subsystem sftp internal-sftp -d {self.home}",
                 "LogLevel VERBOSE", *(f"HostKey {self.dir}/host_{k}" for k in ("ed25519", "rsa")), *self.settings]
        (self.dir / "config").write_text("\n".join(lines) + "\n")
        known = (self.dir / "host_ed25519.pub").read_text()
        (self.dir / "known").write_text(f"[{self.host}]:{self.port} {known}")

    def command(self):
        return [find("sshd"), "-D", "-e", "-f", self.dir / "config"]

    def answers(self):
        return self.listening()

    def host_key(self, kind="ed25519"):
        return (self.dir / f"host_{kind}.pub").read_text()

    @property
    def config(self):
        return {"host": self.host, "port": self.port, "host_key": self.host_key(), "account": self.account}

    @property
    def admin(self):
        return {"username": self.account, "private_key": self.admin_key.read_text()}

    def keys(self):
        return self.file.read_text().splitlines()

    def can_login(self, private_key):
        """By OpenSSH's own client, which reads the key as ssh-keygen would."""
        with tempfile.NamedTemporaryFile("w", prefix="vaultd-key-") as f:
            f.write(private_key)
            f.flush()
            r = subprocess.run(["ssh", "-F", "none", "-o", "BatchMode=yes", "-o", "IdentitiesOnly=yes", "-o",
                                f"UserKnownHostsFile={self.dir}/known", "-i", f.name, "-p", str(self.port), "-s",
                                f"{self.account}@{self.host}", "sftp"], stdin=subprocess.DEVNULL, capture_output=True,
                               timeout=DEADLINE, check=False)
        assert r.returncode == 0 or b"Permission denied" in r.stderr, r.stderr
        return r.returncode == 0
