# SPDX-License-Identifier: Apache-2.0
"""How soon a server with many secrets serves again."""

import http.client
import subprocess
import time

import load
import vaultd


def fill(server, count, connections=64):
    """Write ${count} secrets; how many a second."""
    took = load.once(server.url, connections, 120, ("fill", server.root, count))
    r = server.client().list("secret/metadata/fill/")
    assert r.status == 200 and len(r.data["keys"]) == count, "not all secrets were written"
    return count / took


def first_read(server, path):
    """Ask until a secret is read; the server may not even listen yet."""
    end = time.monotonic() + vaultd.DEADLINE
    while time.monotonic() < end:
        conn = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        try:
            conn.request("GET", f"/v1/secret/data/{path}", headers={"X-Vault-Token": server.root})
            r = conn.getresponse()
            r.read()
            if r.status == 200:
                return
        except (OSError, http.client.HTTPException):
            pass
        finally:
            conn.close()
        time.sleep(0.002)
    raise AssertionError(f"vaultd does not serve:\n{server.log()[-2000:]}")


def restart(server, path):
    """Milliseconds from exec to the first secret that is read."""
    server.stop()
    with open(server.log_path, "ab") as log:
        start = time.monotonic()
        server.proc = subprocess.Popen(
            [str(vaultd.BIN / "vaultd"), "--config", str(server.write_config())],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    first_read(server, path)
    return (time.monotonic() - start) * 1000


def core_killed(server, path):
    """Milliseconds from the kill of core to the next secret that is read."""
    pid = server.roles()["core"][0]
    start = time.monotonic()
    server.kill_role("core")
    while pid in server.roles().get("core", []):
        time.sleep(0.001)
    first_read(server, path)
    return (time.monotonic() - start) * 1000
