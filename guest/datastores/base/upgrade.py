# SPDX-License-Identifier: Apache-2.0
"""Another release of the engine."""

import abc
import threading

from guest.datastores.base.machine import Settings


class Upgrade(abc.ABC):
    """From one release to another one, on the same data. ``name`` is the upgrade's own.

    The old release's programs are here until the backup point is taken, the new one's from then on; on the way back the
    other way round.
    """

    @abc.abstractmethod
    def check(self, name: str) -> None:
        """DatastoreError when the data can't be upgraded as it is, or there is no room for a backup point."""

    @abc.abstractmethod
    def stop(self) -> None:
        """Stop the server on purpose, with nothing left that only its own release could finish."""

    @abc.abstractmethod
    def start_again(self) -> None:
        """After ``stop``, however far that came: start it."""

    @abc.abstractmethod
    def take_point(self, name: str, interrupted: threading.Event) -> None:
        """Keep all that the stopped server has; fine when that was done. Interrupted, soon, once that is set."""

    @abc.abstractmethod
    def go_back(self, name: str) -> None:
        """Have what was kept instead of what there is; does nothing where nothing was kept."""

    @abc.abstractmethod
    def must_be(self, wanted: str) -> None:
        """DatastoreError when the programs that are here are not of that release (such as 11.8)."""

    @abc.abstractmethod
    def run(self, settings: Settings, wanted: str, interrupted: threading.Event) -> None:
        """Make the data that of release ``wanted``, with nobody let in. DatastoreError when the programs are of another
        one; Interrupted, soon, once that is set. The server is stopped when this returns."""

    @abc.abstractmethod
    def halt(self) -> None:
        """End whatever ``run`` has started, at once."""

    @abc.abstractmethod
    def open(self) -> None:
        """Start the upgraded server for everybody."""

    @abc.abstractmethod
    def close(self) -> None:
        """Stop it again; but WrittenSince, and it runs, when it was written to since ``open``."""

    @abc.abstractmethod
    def drop_point(self, name: str) -> None:
        """Throw away what was kept; fine when it is gone."""
