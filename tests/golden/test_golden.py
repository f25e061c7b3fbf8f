# SPDX-License-Identifier: Apache-2.0
"""vaultd answers as the transcripts beside this file say, field by field."""
import pytest

import golden

TRANSCRIPTS = sorted(golden.HERE.glob("*.json"))


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda p: p.stem)
def test_transcript(path, tmp_path):
    golden.check(golden.load(path), tmp_path)


@pytest.mark.parametrize("want, got", [
    ({"a": 1}, {"a": 1, "b": 2}), ({"a": 1, "b": 2}, {"a": 1}), ({"a": 1}, {"a": True}), ([1], [1, 2]), (1, 1.0),
    ("<uuid>", "1234"), ("<int>", "1"), ("<int 3..5>", 6), ("<int>", True), ("<~a+>", "ab"), (None, {}), ("a", "b"),
    ({"errors": []}, {"errors": ["x"]})])
def test_a_difference_is_seen(want, got):
    with pytest.raises(golden.Mismatch):
        golden.compare(want, got)
