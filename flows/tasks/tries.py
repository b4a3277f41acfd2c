# SPDX-License-Identifier: Apache-2.0
"""When a step of the conductor is tried again, and when its failure is final."""

import logging
import random
import time
from typing import Protocol

from dbflow.cloud.base import Transient
from dbflow.crypto import BadSeal
from dbflow.db.session import AWAY
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.waits import NotYet, Overdue

LOG = logging.getLogger(__name__)

_AWAY = (*AWAY, BrokerUnavailable, BadSeal)
"""BadSeal: sealed with a key that has not come to this machine yet."""
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_AWAY = 0.2, 10.0, 2.0
"""Seconds; each pause is about twice as long as the one before. Our own database and broker are looked for more often
than a cloud."""
_AGAIN = 15.0
"""Seconds until the cloud is asked again for what was transient there."""
MANY = 70
"""Tries that take ten minutes and more."""


class Patience(Protocol):
    """What a step sits out; see LocalTask."""

    @property
    def name(self) -> str: ...

    @property
    def deadline(self) -> float: ...

    @property
    def patience(self) -> float: ...

    @property
    def tries(self) -> int: ...

    @property
    def transient_retries(self) -> int: ...


class Tries:
    """What one attempt (an execution or a revert) of a step has sat through so far.

    Our own database and broker may be away, or want a transaction again after a deadlock, for ``patience`` seconds at
    a time: their absence is no reason to undo a user's operation. ``cloud``, what a cloud raises that may do better
    next time, is sat out ``tries`` times. What has failed there for something transient is asked for anew
    ``transient_retries`` times, with pauses that are longer. What is not there yet is waited for until ``deadline``.
    """

    def __init__(self, step: Patience, cloud: type[Exception]) -> None:
        self._step, self._cloud = step, cloud
        self._began = time.monotonic()
        self._failures = self._transient = 0
        self._away_since: float | None = None
        self._away = 0

    def pause_after(self, error: BaseException) -> float | None:
        """Seconds until the next try; None when ``error`` is final. Overdue when the wait has been too long."""
        if isinstance(error, _AWAY):
            return self._pause_away()
        self._away_since, self._away = None, 0
        if isinstance(error, NotYet):
            return self._pause_until(error)
        if isinstance(error, Transient) and self._transient < (retries := self._step.transient_retries):
            self._transient += 1
            self._began = time.monotonic()  # What is asked for anew may take as long again.
            LOG.warning("step %s asks for it anew, %d of %d: %s", self._step.name, self._transient, retries, error)
            return _uneven(_AGAIN)
        if isinstance(error, self._cloud):
            self._failures += 1
            return _pause(self._failures) if self._failures < self._step.tries else None
        return None

    def _pause_away(self) -> float | None:
        now = time.monotonic()
        self._away_since = self._away_since or now
        self._away += 1
        return min(_pause(self._away), _LONGEST_AWAY) if now - self._away_since < self._step.patience else None

    def _pause_until(self, what: NotYet) -> float:
        left = self._began + self._step.deadline - time.monotonic()
        if left <= 0:
            raise Overdue(f"{what} (waited {self._step.deadline:g} s)") from what
        # The last look is at the deadline, however long the pauses are.
        return min(what.after, left)


def _pause(number: int) -> float:
    return _uneven(min(_FIRST_PAUSE * 2.0 ** (number - 1), _LONGEST_PAUSE))


def _uneven(seconds: float) -> float:
    """So that what failed together does not come back together."""
    return seconds * random.uniform(0.75, 1.25)
