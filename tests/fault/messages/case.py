# SPDX-License-Identifier: Apache-2.0
"""Lives of databases in one weather."""

import dataclasses
import itertools
import pathlib
import statistics
import threading
import time

from guest.registry import task_class
from tests.fault.guestlogs import GuestLogs, doubled
from tests.fault.messages.disturbed import FAULTS, Weather
from tests.fault.messages.lives import Life
from tests.fault.messages.stack import DisturbedStack
from tests.fault.persistent import Asked, Call, Persistent, each
from tests.functional.stack.base import Settings


@dataclasses.dataclass
class Result:
    """What became of it."""

    weather: Weather
    seconds: float
    counts: dict[str, int]
    """See DisturbedQueues.counts."""
    asked: list[Asked]
    calls: list[Call]
    """Of the API, without those that only look how an operation is."""
    done: int
    """Requests to guests that changed something, each run once if there is no violation."""
    violations: list[str]

    def took(self, kind: str) -> float:
        """Median seconds of an operation of that kind."""
        return statistics.median([one.took for one in self.asked if one.kind == kind] or [0.0])


def disturbed(
    images: pathlib.Path, weather: Weather, lives: int, side_by_side: int, settings: Settings | None = None
) -> Result:
    """``lives`` lives, some at once, on a stack of their own."""
    calls: list[Call] = []
    asked: list[Asked] = []
    began = time.monotonic()
    numbers, lock = itertools.count(), threading.Lock()
    with DisturbedStack(images, weather, settings) as stack:

        def live(_: int) -> None:
            while True:
                with lock:
                    number = next(numbers)
                if number >= lives:
                    return
                Life(Persistent(stack.client(), calls, asked), f"life-{number}").live()

        before = stack.inventory()
        with GuestLogs(stack.cloud) as logs:
            violations = each(side_by_side, live)
        took = time.monotonic() - began
        violations += _left(stack, before)
        counts = stack.counts()
    done = logs.done()
    return Result(
        weather=weather,
        seconds=took,
        counts=counts,
        asked=asked,
        calls=[one for one in calls if one.kind == "call"],
        done=len([1 for _, task in done if not task_class(task).reads_only]),
        violations=violations + doubled(done) + _untouched(weather, counts),
    )


def _left(stack: DisturbedStack, before: dict[str, list[str]]) -> list[str]:
    try:
        stack.wait_inventory(before)
    except AssertionError as error:
        return [str(error)]
    return []


def _untouched(weather: Weather, counts: dict[str, int]) -> list[str]:
    """A fault that met nothing proves nothing."""
    return [f"no message met {fault!r}" for fault in FAULTS if fault in weather.faults and not counts.get(fault)]
