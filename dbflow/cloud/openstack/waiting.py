# SPDX-License-Identifier: Apache-2.0
"""When to look again at what is being made or removed."""

import datetime

from dbflow.waits import NotYet

_SHARE = 0.1
_LONGEST = 10.0
FORGOTTEN = 60.0
"""Seconds after which the end of a server is asked for again; Nova counts a host that is silent for as long as down."""


class Waiting:
    """The longer something has taken, the longer the next pause: a tenth of it, at most ten seconds."""

    def __init__(self, interval: float) -> None:
        """``interval`` in seconds, the shortest pause."""
        self._interval = interval

    def soon(self, what: str) -> NotYet:
        """It has just begun."""
        return NotYet(what, after=self._interval)

    def since(self, began: str | None, what: str) -> NotYet:
        """``began`` is a time as services write it, in UTC; one that can't be read is now."""
        return NotYet(what, after=min(max(self._interval, age(began) * _SHARE), _LONGEST))


def age(began: str | None) -> float:
    """Seconds since a time that a service wrote, in UTC; 0 for one that can't be read."""
    try:
        when = datetime.datetime.fromisoformat(began or "")
    except ValueError:
        return 0.0
    if when.tzinfo is None:
        when = when.replace(tzinfo=datetime.UTC)
    return (datetime.datetime.now(datetime.UTC) - when).total_seconds()
