# SPDX-License-Identifier: Apache-2.0
"""The command where there is no cloud."""

import pathlib

import pytest

from devcloud.__main__ import main


@pytest.mark.parametrize("arguments", [["down"], ["down", "--purge"]])
def test_where_there_is_none_nothing_is_made(tmp_path: pathlib.Path, arguments: list[str]) -> None:
    assert main(["--dir", str(tmp_path / "none"), *arguments]) == 0
    assert main(["--dir", str(tmp_path), *arguments]) == 0
    assert list(tmp_path.iterdir()) == []
