# SPDX-License-Identifier: Apache-2.0
"""Doing the same with each of a selection, one failing beside others that do not."""

import logging
from collections.abc import Callable, Iterable

from dbflow.db.session import AWAY
from dbflow.services.errors import ServiceError

LOG = logging.getLogger(__name__)
_AWAY = "dbflow's database is not available"

Results = list[tuple[str, str]]
"""(id, why not; "" where it was done)"""


def each(ids: Iterable[str], do: Callable[[str], object]) -> Results:
    """``do`` it with every id once. Once the database is away nothing more is tried, which might take a minute each;
    what was done is told."""
    results, away = [], False
    for one in dict.fromkeys(ids):
        why_not = _AWAY
        try:
            if not away:
                do(one)
                why_not = ""
        except ServiceError as error:
            why_not = str(error)
        except AWAY as error:
            LOG.error("the database is not available: %s", type(error).__name__)
            away = True
        results.append((one, why_not))
    return results
