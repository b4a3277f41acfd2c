# SPDX-License-Identifier: Apache-2.0
"""Transactions that MariaDB (or Galera) gave up for the sake of another are begun anew, not told to the client."""

import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import tenacity
from pymysql.constants import ER
from sqlalchemy.exc import OperationalError

P = ParamSpec("P")
T = TypeVar("T")

TRIES = 8
PATIENCE = 60.0
"""Seconds after which nothing is begun anew: the client has waited long enough. (InnoDB waits 50 s for a lock.)"""
_GIVEN_UP = frozenset({ER.LOCK_DEADLOCK, ER.LOCK_WAIT_TIMEOUT})


def contended(function: Callable[P, T]) -> Callable[P, T]:
    """Call the decorated function again, after a short random pause, when its transaction met a deadlock or waited
    too long for a lock. It was rolled back then, so the function has done nothing, and must begin with reading."""
    again = tenacity.Retrying(
        retry=tenacity.retry_if_exception(_given_up),
        stop=tenacity.stop_after_attempt(TRIES) | tenacity.stop_after_delay(PATIENCE),
        wait=tenacity.wait_random_exponential(multiplier=0.01, max=0.5),
        reraise=True,
    )

    @functools.wraps(function)
    def called(*args: P.args, **kwargs: P.kwargs) -> T:
        return again.copy()(function, *args, **kwargs)

    return called


def _given_up(error: BaseException) -> bool:
    return isinstance(error, OperationalError) and getattr(error.orig, "args", (None,))[0] in _GIVEN_UP
