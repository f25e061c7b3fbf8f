# SPDX-License-Identifier: Apache-2.0
"""What the checks look at: files of this repository, wherever the check is called from."""

import os
import pathlib

TOP = pathlib.Path(__file__).resolve().parent.parent
SKIPPED = {".git", "build", "__pycache__", ".pytest_cache", ".cache"}


def files():
    """Every file of the tree, as paths relative to TOP, in order."""
    for directory, names, here in os.walk(TOP):
        names[:] = sorted(n for n in names if n not in SKIPPED)
        for name in sorted(here):
            path = pathlib.Path(directory, name)
            if not path.is_symlink():
                yield path.relative_to(TOP)


def c_files():
    return [p for p in files() if p.suffix in (".c", ".h")]
