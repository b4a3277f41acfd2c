# SPDX-License-Identifier: Apache-2.0
"""Backups, and servers made of them."""

import abc
import dataclasses
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from guest.datastores.base.machine import Settings

Step = dict[str, Any]
"""What a stream's process does; see guest.streams.worker."""
RunSteps = Callable[[list[Step]], None]
"""Has them done, in order, in a process that outlives the agent. DatastoreError when one fails."""


@dataclasses.dataclass(frozen=True)
class Source:
    """A program whose output is a backup."""

    command: tuple[str, ...]
    user: tuple[int, int] | None
    """uid and gid it runs as; None: the agent's."""
    expected: int
    """Bytes of the output, roughly."""
    holds: tuple[str, str] | None = None
    """What is in the line of its log with which it begins to hold up those who write, and in that with which it ends;
    None: it never does."""


@dataclasses.dataclass(frozen=True)
class Link:
    """One backup of a chain that is restored: the full one, or a difference to the one before."""

    strategy: str
    receive: Step = dataclasses.field(repr=False)
    """A ``receive`` step without its command."""


class Backups(abc.ABC):
    """Copy the data out, and make a server of copies."""

    @abc.abstractmethod
    def source(self, strategy: str, base: Mapping[str, Any] | None, work: pathlib.Path) -> Source:
        """What makes a backup; ``base`` is the position of the one that it is to be the difference to. ``work`` is an
        empty directory for whatever it needs."""

    @abc.abstractmethod
    def position(self, strategy: str, work: pathlib.Path) -> dict[str, Any]:
        """Of the backup that the source has made; secrets in ``work`` are removed. DatastoreError when it did not come
        to its end."""

    @abc.abstractmethod
    def restore(self, settings: Settings, chain: Sequence[Link], run: RunSteps) -> None:
        """Make a secured server with the data of the backups, on a fresh machine; running when this returns. What was
        left half done is wiped and made again; ``run`` takes up what still runs."""
