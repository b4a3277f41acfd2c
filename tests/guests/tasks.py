# SPDX-License-Identifier: Apache-2.0
"""Guest tasks that leave traces: each execution or revert appends a line to a file."""

import pathlib
from typing import Any

from guest.datastores.base import AlreadyExists
from guest.tasks.base import GuestTask
from tests.waiting import wait_for


def trace(path: str, word: str) -> None:
    with open(path, "a") as file:
        file.write(f"{word}\n")


class Echo(GuestTask):
    """Changes nothing."""

    reads_only = True

    def execute(self, instance_id: str, text: str) -> str:
        return text


class Write(GuestTask):
    """One line; its revert another."""

    def execute(self, instance_id: str, path: str, word: str) -> str:
        trace(path, word)
        return word

    def revert(self, instance_id: str, path: str, word: str, **kwargs: Any) -> None:
        trace(path, f"un{word}")


class Slow(GuestTask):
    """Between its two lines it waits for a file; it can't be done again."""

    resumable = False

    def execute(self, instance_id: str, path: str, gate: str) -> str:
        trace(path, "begin")
        wait_for(pathlib.Path(gate).exists, 60, gate)
        trace(path, "end")
        return "slow"

    def revert(self, instance_id: str, path: str, gate: str, **kwargs: Any) -> None:
        trace(path, "revert")


class Stream(GuestTask):
    """Goes on for ever, beside all others, until it is broken off."""

    beside = interruptible = True

    def execute(self, instance_id: str, path: str) -> None:
        trace(path, "begin")
        assert self.interrupted.wait(60)
        trace(path, "end")
        raise RuntimeError("broken off")

    def revert(self, instance_id: str, path: str, **kwargs: Any) -> None:
        trace(path, "revert")


class Stubborn(GuestTask):
    """Can be undone at the so manieth try."""

    def execute(self, instance_id: str, path: str, tries: int) -> None:
        trace(path, "done")

    def revert(self, instance_id: str, path: str, tries: int, **kwargs: Any) -> None:
        trace(path, "try")
        if pathlib.Path(path).read_text().count("try") < tries:
            raise AlreadyExists("not yet")


class SlowAgain(Slow):
    """Can be done again."""

    resumable = True

    def revert(self, instance_id: str, path: str, gate: str, **kwargs: Any) -> None:
        trace(path, "revert")


class SlowRead(GuestTask):
    """Waits for a file and changes nothing."""

    reads_only = True

    def execute(self, instance_id: str, gate: str) -> str:
        wait_for(pathlib.Path(gate).exists, 60, gate)
        return "read"


class Steps(GuestTask):
    """Reports progress, and waits before it ends."""

    def execute(self, instance_id: str, gate: str) -> str:
        self.update_progress(0.25)
        wait_for(pathlib.Path(gate).exists, 60, gate)
        self.update_progress(0.75)
        return "stepped"


class Taken(GuestTask):
    """Fails as the API expects it."""

    def execute(self, instance_id: str, name: str) -> None:
        raise AlreadyExists(f"Database {name} is there.")


class Leaky(GuestTask):
    """Fails, and tells too much."""

    def execute(self, instance_id: str, password: str) -> None:
        raise ValueError(f"can't log in with {password}")


class Huge(GuestTask):
    """Returns more than a message may hold."""

    def execute(self, instance_id: str, size: int) -> str:
        return "x" * size


class Odd(GuestTask):
    """Returns what is not JSON."""

    def execute(self, instance_id: str) -> object:
        return object()
