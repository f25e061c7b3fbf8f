# SPDX-License-Identifier: Apache-2.0
"""What is in deploy/: systemd's own opinion of the units."""
import pathlib
import re
import shutil
import subprocess

import pytest

from vaultd import BIN

UNITS = pathlib.Path(__file__).resolve().parents[2] / "deploy/systemd"
ANALYZE = shutil.which("systemd-analyze")


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name, exposure", [("vault-agent", 65), ("vaultd", 65)])
def test_units(tmp_path, name, exposure):
    """No key that systemd does not know, no program that is not there, no more exposed than it was."""
    unit = tmp_path / f"{name}.service"
    unit.write_text(re.sub(r"/usr/bin/(vault[\w-]+)", lambda m: str(BIN / m[1]), (UNITS / unit.name).read_text()))
    p = subprocess.run([ANALYZE, "verify", "--man=no", "--recursive-errors=no", unit], capture_output=True, text=True)
    assert p.returncode == 0 and not p.stderr.strip(), p.stderr
    p = subprocess.run([ANALYZE, "security", "--offline=true", f"--threshold={exposure}", unit], capture_output=True,
                       text=True)
    assert p.returncode == 0, p.stdout[-2000:]


@pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")
def test_all_units_together(tmp_path):
    """As they are installed, the mount of the agent's directory among them: they name each other."""
    for unit in UNITS.iterdir():
        (tmp_path / unit.name).write_text(re.sub(r"/usr/bin/(vault[\w-]+)", lambda m: str(BIN / m[1]), unit.read_text()))
    units = sorted(tmp_path.iterdir())
    assert len(units) >= 3
    p = subprocess.run([ANALYZE, "verify", "--man=no", "--recursive-errors=no", *units], capture_output=True, text=True)
    assert p.returncode == 0 and not p.stderr.strip(), p.stderr
