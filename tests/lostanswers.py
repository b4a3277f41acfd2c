# SPDX-License-Identifier: Apache-2.0
"""Steps whose requests are done, and of one of which the answer is lost."""

import pathlib
from collections.abc import Callable

import pytest

from dbflow import faults
from dbflow.waits import NotYet


class LostAnswers:
    """Of requests to a cloud, in this process."""

    def __init__(self, directory: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """``directory``: of faults, not there yet."""
        directory.mkdir()
        monkeypatch.setattr(faults, "_DIRECTORY", directory)
        self._directory = directory

    def done(self, call: Callable[[], object], lost: int = 0) -> int:
        """As a conductor does it, but at once: how many requests changed something. ``lost`` is the number of the one
        whose answer is lost, from 1; then all is tried again."""
        record, point = self._directory / faults.PASSED, self._directory / f"step.within.{lost}"
        record.write_text("")
        if lost:
            point.write_text("lose")
            with pytest.raises(NotYet):
                self._tried(call)
        self._tried(call)
        return len(record.read_text().split())

    def _tried(self, call: Callable[[], object]) -> None:
        with faults.inside("step"):
            call()
