# SPDX-License-Identifier: Apache-2.0
"""Whether what a process needs is there: asked side by side, in bounded time, however it ails."""

import dataclasses
import logging
import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping

LOG = logging.getLogger(__name__)

Probe = Callable[[], object]
"""Returns when the thing is there; raises when it is not. It may hang."""

_PATIENCE = 2.5
"""Seconds after which what has not answered counts as away."""
_WAITING = 4
"""Requests that wait for the same answer; who else comes is told the last."""
_FRESH = 1.0
"""Seconds for which an answer counts, so that nobody can make dbflow ask without end."""


@dataclasses.dataclass(frozen=True)
class Found:
    """How a thing is. Why it is away is in the log alone: whoever asks here is a stranger."""

    there: bool
    milliseconds: int
    """That it took to find out, or that it has been silent for."""


class Checks:
    """Looks at things by their probes, each with at most one thread, be the thing frozen or not."""

    def __init__(self, probes: Mapping[str, Probe]) -> None:
        self._watches = {name: _Watch(name, probe) for name, probe in probes.items()}

    @property
    def names(self) -> list[str]:
        """Of what can be looked at."""
        return list(self._watches)

    def look(self, names: Iterable[str]) -> dict[str, Found]:
        """How these are; KeyError for a name that there is not."""
        watches = [self._watches[name] for name in names]
        for watch in watches:
            watch.begin()
        return {watch.name: watch.found() for watch in watches}


class _Watch:
    def __init__(self, name: str, probe: Probe) -> None:
        self.name, self._probe = name, probe
        self._ended = threading.Condition()
        self._asking, self._waiting = False, 0
        self._since = -math.inf
        self._found = Found(True, 0)

    def begin(self) -> None:
        """Ask, unless somebody does already or has just done so."""
        with self._ended:
            now = time.monotonic()
            if self._asking or now - self._since < _FRESH:
                return
            self._asking, self._since = True, now
        try:
            threading.Thread(target=self._ask, name=f"health-{self.name}", daemon=True).start()
        except RuntimeError as error:  # there are too many
            self._end(error)

    def found(self) -> Found:
        """What the answer is, if it comes in time."""
        with self._ended:
            waits = self._waiting < _WAITING
            if waits:
                self._waiting += 1
                self._ended.wait_for(lambda: not self._asking, max(0.0, self._since + _PATIENCE - time.monotonic()))
                self._waiting -= 1
            silent = time.monotonic() - self._since
            if self._asking and (waits or silent >= _PATIENCE):
                return Found(False, round(1000 * silent))
            return self._found

    def _ask(self) -> None:
        try:
            self._probe()
        except Exception as error:
            self._end(error)
        else:
            self._end(None)

    def _end(self, error: Exception | None) -> None:
        with self._ended:
            if error is not None and self._found.there:  # once, not at each look
                LOG.warning("%s is away: %s", self.name, type(error).__name__)
            self._found = Found(error is None, round(1000 * (time.monotonic() - self._since)))
            self._asking = False
            self._ended.notify_all()
