# SPDX-License-Identifier: Apache-2.0
"""What the guests of a stack have done, from their agents' logs, also of guests that are gone by now."""

import collections
import contextlib
import pathlib
import re
import threading
from typing import IO, Self

from guest.registry import task_class

_DONE = re.compile(r" (\S+\.(?:execute|revert)\.\d+) (guest\.tasks\.\S+) in [\d.]+ s: (.*)")
_LOOK = 0.05
"""Seconds between two looks for new guests; an open log can be read to its end when its guest is deleted."""


class GuestLogs:
    """Follows the logs of a local cloud while its block lasts."""

    def __init__(self, cloud: pathlib.Path) -> None:
        self._servers = cloud / "servers"
        self._open: dict[pathlib.Path, IO[str]] = {}
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._stop.wait(_LOOK):
            for path in self._servers.glob("*/agent.log"):
                if path not in self._open:
                    with contextlib.suppress(FileNotFoundError):  # it is being deleted
                        self._open[path] = path.open(errors="replace")

    def done(self) -> collections.Counter[tuple[str, str]]:
        """(request id, task) of everything that was run to its end -> how often. Call after the block."""
        found: collections.Counter[tuple[str, str]] = collections.Counter()
        for log in self._open.values():
            with log:
                found.update((match[1], match[2]) for match in map(_DONE.search, log) if match)
        return found


def doubled(done: collections.Counter[tuple[str, str]]) -> list[str]:
    """Requests that changed something more than once. What only reads may be read again when its answer was lost."""
    return [
        f"{task} {request} was done {count} times"
        for (request, task), count in done.items()
        if count > 1 and not task_class(task).reads_only
    ]
