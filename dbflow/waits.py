# SPDX-License-Identifier: Apache-2.0
"""What a step raises that has to wait: it is run again later, and holds nothing meanwhile."""

import time
from collections.abc import Callable
from typing import TypeVar

_T = TypeVar("_T")


class NotYet(Exception):
    """What a step waits for is not there yet. Raised by steps of a conductor, and by clouds on their behalf.

    The step is run again from its beginning after ``after`` seconds, until its deadline.
    """

    def __init__(self, what: str, after: float = 2.0) -> None:
        """``what`` is waited for, fit for a user to read: "server NAME is being built"."""
        super().__init__(what)
        self.after = after


class Overdue(Exception):
    """It did not come within the step's deadline. ``str()`` is fit for a user to read."""


class Cancelled(Exception):
    """The step was waiting when its operation was cancelled."""


def until_done(call: Callable[[], _T], deadline: float) -> _T:
    """For who is no step and has a thread to hold: made again while NotYet. Overdue after ``deadline`` seconds."""
    end = time.monotonic() + deadline
    while True:
        try:
            return call()
        except NotYet as what:
            left = end - time.monotonic()
            if left <= 0:
                raise Overdue(f"{what} (waited {deadline:g} s)") from what
            time.sleep(min(what.after, left))
