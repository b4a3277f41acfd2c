# SPDX-License-Identifier: Apache-2.0
"""What a server writes down."""

import abc
import dataclasses
import enum
from collections.abc import Callable


class LogType(enum.StrEnum):
    """Whose a log is."""

    USER = "USER"
    SYS = "SYS"
    """For administrators; always on."""


class LogStatus(enum.StrEnum):
    """Of a log, in the API's words."""

    DISABLED = "Disabled"
    ENABLED = "Enabled"
    """On, and nothing in it yet."""
    UNAVAILABLE = "Unavailable"
    READY = "Ready"
    """Something in it, nothing of it sent."""
    PUBLISHED = "Published"
    PARTIAL = "Partial"
    """There is more than was sent."""
    ROTATED = "Rotated"
    """It was begun anew since."""


@dataclasses.dataclass(frozen=True)
class Log:
    """How a log is."""

    name: str
    type: LogType
    status: LogStatus
    published: int
    """Bytes sent to the object store"""
    pending: int
    """Bytes that were not"""


Send = Callable[[str, bytes, int], None]
"""Writes an object: its name, its bytes, the number of lines."""


class Logs(abc.ABC):
    """The logs of a server. NotFound for a name that there is not."""

    @abc.abstractmethod
    def bound(self) -> None:
        """Begin those anew that have become too large. Called every few seconds, beside everything else."""

    @abc.abstractmethod
    def every(self) -> list[Log]:
        """All of them."""

    @abc.abstractmethod
    def one(self, name: str) -> Log:
        """One of them."""

    @abc.abstractmethod
    def enable(self, name: str) -> None:
        """Switch a user's log on; fine when it is on."""

    @abc.abstractmethod
    def disable(self, name: str) -> None:
        """Switch it off; what is in it stays."""

    @abc.abstractmethod
    def publish(self, name: str, send: Send) -> None:
        """Send what was not sent yet, or as much of it as can be sent within a minute or so. Interrupted and called
        again, it sends nothing twice under two names."""

    @abc.abstractmethod
    def discard(self, name: str) -> str:
        """What was sent is to be thrown away: from now on nothing of the file was sent. Returns a name that comes after
        those of all objects that were sent, and before those of all that will be."""
