# SPDX-License-Identifier: Apache-2.0
"""Faults put into the processes of a stack: files in a directory that they look into (see dbflow.faults)."""

import contextlib
import pathlib
from collections.abc import Iterator

from dbflow.faults import PASSED
from tests.functional.stack.client import PATIENCE
from tests.waiting import wait_for


def arm_file(file: pathlib.Path, what: str) -> None:
    """Whole or not at all: somebody may come to the point at any moment."""
    half = file.with_name(f".{file.name}.half")
    half.write_text(what)
    half.rename(file)


class Held:
    """A point at which the first thread to come waits."""

    def __init__(self, file: pathlib.Path) -> None:
        self._armed, self._fired = file, file.with_name(f"{file.name}.fired")
        self._fired.unlink(missing_ok=True)  # of an earlier fault at this point
        arm_file(self._armed, "hold")

    def reached(self) -> None:
        """Return when a thread is held."""
        wait_for(self._fired.exists, PATIENCE, f"somebody at {self._armed.name}")

    def let_go(self) -> None:
        """The thread goes on; none is held from now on."""
        self._armed.unlink(missing_ok=True)
        self._fired.unlink(missing_ok=True)


class Faults:
    """Of one stack."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        directory.mkdir(mode=0o700)

    def arm(self, point: str, what: str) -> None:
        """``what`` is to happen at ``point``, once: kill, raise or lose."""
        arm_file(self.directory / point, what)

    def waits(self, point: str) -> bool:
        """Whether a point that was armed has not been reached."""
        return (self.directory / point).exists()

    def fired(self, point: str) -> bool:
        """Whether a point that was armed has been reached."""
        return (self.directory / f"{point}.fired").exists()

    def record(self) -> None:
        """From now on, and afresh, keep a record of the points that are passed."""
        (self.directory / PASSED).write_text("")

    def passed(self) -> list[str]:
        """The points passed since, by all processes, in order."""
        return (self.directory / PASSED).read_text().splitlines()

    def clear(self) -> None:
        """Nothing is armed any more, and no record is kept."""
        for file in self.directory.iterdir():
            file.unlink(missing_ok=True)

    @contextlib.contextmanager
    def holding(self, point: str) -> Iterator[Held]:
        """During the block the first thread that comes to ``point`` waits there."""
        held = Held(self.directory / point)
        try:
            yield held
        finally:
            held.let_go()
