# SPDX-License-Identifier: Apache-2.0
"""Install, start, stop a server."""

import abc
import dataclasses
import pathlib
from collections.abc import Callable, Mapping

from guest.datastores.base.machine import Settings

Progress = Callable[[float], None]
"""Told a fraction from 0 to 1."""


@dataclasses.dataclass(frozen=True)
class Health:
    """One look at the server, cheap enough for every heartbeat."""

    service_status: str
    """A name of dbflow.status.Service."""
    version: str | None
    position: str | None = None
    load: Mapping[str, float] = dataclasses.field(default_factory=dict)
    locked_out: bool = False
    """It runs, but somebody took the agent's own rights away; ``resume`` gets them back."""
    restart_required: bool | None = None
    """Whether it would run with other values after a restart; None when that is not known."""


class Lifecycle(abc.ABC):
    """Install, start, stop."""

    @abc.abstractmethod
    def install(self, settings: Settings, progress: Progress) -> None:
        """Make a secured server in an empty data directory, running when this returns."""

    @abc.abstractmethod
    def configure(self, settings: Settings) -> None:
        """Write the server's configuration; takes effect at the next start."""

    @abc.abstractmethod
    def start(self, timeout: float) -> None:
        """Start and wait until it answers; fine when it runs. DatastoreError with the log's reason else."""

    @abc.abstractmethod
    def stop(self, timeout: float) -> None:
        """Stop cleanly, by force after ``timeout`` seconds; fine when it is stopped."""

    @abc.abstractmethod
    def restart(self, timeout: float) -> None:
        """Stop, then start."""

    @abc.abstractmethod
    def health(self) -> Health:
        """Never raises; answers within 3 seconds."""

    @abc.abstractmethod
    def resume(self) -> None:
        """Called when the agent starts, and when the server died or locked it out: bring the server up again, obeying
        the agent, if it was installed and not stopped on purpose; does nothing on a fresh machine."""

    @abc.abstractmethod
    def build_image(self, target: pathlib.Path) -> None:
        """Prepare a data directory that ``install`` can copy (no secrets in it); target must not exist."""
