# SPDX-License-Identifier: Apache-2.0
"""Go through points with stacks side by side, and say what was found."""

import collections
import contextlib
import dataclasses
import functools
import pathlib
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from tests.fault.sweep import (
    backups,
    certificates,
    configurations,
    migrations,
    modules,
    reaching,
    replication,
    scenarios,
    upgrades,
)
from tests.fault.sweep.points import Point
from tests.fault.sweep.scenarios import Scenario
from tests.fault.sweep.strike import strike
from tests.functional.stack import EmbeddedStack, RealStack, Stack
from tests.functional.stack.base import Settings
from tests.functional.stack.inventory import Inventory
from tests.functional.stack.rootfs import rootfs

SCENARIOS = (scenarios, backups, certificates, configurations, migrations, modules, reaching, replication, upgrades)
"""Importing them makes them known."""
PARTS: dict[str, Callable[[pathlib.Path, Settings], Stack]] = {"embedded": EmbeddedStack, "real": RealStack}
SETTINGS: Settings = {
    "quota": {"max_accepted_volume_size": 1000},
    # An agent that died is seen and started anew soon; a request that it took is asked for again soon.
    "conductor": {"outbox_interval": 0.5},
    "messaging": {"resend": 0.5},
    # What answers when it is done answers at once: a step that is held must not hold who asks.
    "api": {"max_wait": 0.05},
}

LEFT = "what is left when all is deleted"
"""What is looked at after the points."""


@dataclasses.dataclass
class Result:
    """What became of one point."""

    point: Point
    seconds: float
    violations: list[str]


Tell = Callable[[Result], None]


def sweep(
    points: Sequence[Point], images: pathlib.Path, tell: Tell, parallel: int = 1, parts: str = "embedded"
) -> list[Result]:
    """Each point on one of ``parallel`` stacks, which are started again whenever they were killed. ``tell`` is called
    with each result at once, one at a time."""
    waiting, results, turn = collections.deque(points), list[Result](), threading.Lock()

    def told(result: Result) -> None:
        with turn:
            results.append(result)
            tell(result)

    # A child of the tests dies with the thread that started it: a thread each, for as long as the stack lives.
    with _settings(points) as settings:
        sweepers = [_Sweeper(waiting, images, told, parts, settings) for _ in range(min(parallel, len(points)))]
        for sweeper in sweepers:
            sweeper.start()
        for sweeper in sweepers:
            sweeper.join()
    return results


@contextlib.contextmanager
def _settings(points: Iterable[Point]) -> Iterator[Settings]:
    """Of stacks that serve for all of the points."""
    if not any(Scenario.known[point.kind].needs_rootfs for point in points):
        yield SETTINGS
        return
    with rootfs() as place:
        yield {**SETTINGS, "local_cloud": {"rootfs_dir": place}}


class _Sweeper(threading.Thread):
    """Takes one point after the other, with a stack of its own."""

    def __init__(
        self, waiting: "collections.deque[Point]", images: pathlib.Path, tell: Tell, parts: str, settings: Settings
    ) -> None:
        super().__init__()
        self._waiting, self._images, self._tell, self._parts = waiting, images, tell, parts
        self._settings = settings

    def run(self) -> None:
        while self._waiting:
            with PARTS[self._parts](self._images, self._settings) as stack:
                self._serve(stack)

    def _serve(self, stack: Stack) -> None:
        """Until no point is left, or one went wrong: what it left behind is no matter of the next one's stack."""
        empty, scenarios, last = stack.inventory(), dict[str, Scenario](), None
        while (point := self._next()) is not None:
            scenario = scenarios.setdefault(point.kind, Scenario.known[point.kind](stack))
            result = judged(point, functools.partial(strike, point, scenario, stack))
            stack.faults.clear()
            self._tell(result)
            if result.violations:
                return
            last = point
        if last is not None:
            end = dataclasses.replace(last, name=LEFT)
            result = judged(end, functools.partial(_leave, scenarios.values(), stack, empty))
            if result.violations:
                self._tell(result)

    def _next(self) -> Point | None:
        with contextlib.suppress(IndexError):
            return self._waiting.popleft()
        return None


def judged(point: Point, look: Callable[[], list[str]]) -> Result:
    """What ``look`` finds wrong, or why it could not look."""
    began = time.monotonic()
    try:
        violations = look()
    except Exception as error:
        violations = [f"{type(error).__name__}: {str(error)[:2000]}"]
    return Result(point, time.monotonic() - began, violations)


def _leave(scenarios: Iterable[Scenario], stack: Stack, empty: Inventory) -> list[str]:
    """Nothing must stand in the way of deleting what served so many points, and then nothing is left."""
    for scenario in scenarios:
        scenario.leave()
    stack.wait_inventory(empty)
    return []
