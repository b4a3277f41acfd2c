# SPDX-License-Identifier: Apache-2.0
"""Go through points with one stack, and say what was found."""

import dataclasses
import pathlib
import time
from collections.abc import Callable, Sequence
from typing import Any

from tests.fault.sweep.points import Point
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack import EmbeddedStack
from tests.waiting import wait_for

PATIENCE = 60.0
SETTINGS = {
    "quota": {"max_accepted_volume_size": 1000},
    # An agent that died is seen and started anew soon; a request that it took is asked for again soon.
    "conductor": {"outbox_interval": 0.5},
    "messaging": {"resend": 0.5},
}


@dataclasses.dataclass
class Result:
    """What became of one point."""

    point: Point
    seconds: float
    violations: list[str]


def sweep(points: Sequence[Point], images: pathlib.Path, tell: Callable[[Result], None]) -> list[Result]:
    """Each point in turn, on one standalone that is started again whenever it was killed."""
    results = []
    with EmbeddedStack(images, SETTINGS) as stack:
        empty = stack.inventory()
        scenarios: dict[str, Scenario] = {}
        for point in points:
            scenario = scenarios.setdefault(point.kind, Scenario.known[point.kind](stack))
            results.append(_try(point, scenario, stack))
            tell(results[-1])
        for scenario in scenarios.values():
            if scenario.instance_id:
                scenario.away()
        stack.wait_inventory(empty)
    return results


def _try(point: Point, scenario: Scenario, stack: EmbeddedStack) -> Result:
    began = time.monotonic()
    try:
        violations = _strike(point, scenario, stack)
    except Exception as error:
        violations = [f"{type(error).__name__}: {str(error)[:2000]}"]
    stack.faults.clear()
    if violations:
        wait_for(lambda: _cleared(scenario, stack), PATIENCE, "a fresh start after a violation")
    return Result(point, time.monotonic() - began, violations)


def _strike(point: Point, scenario: Scenario, stack: EmbeddedStack) -> list[str]:
    """Prepare, arm, ask, bring back what was killed, wait for the end, and look at everything."""
    stack.start()
    scenario.prepare()
    before = stack.inventory()
    for name, what in point.armed:
        stack.faults.arm(name, what)
    scenario.ask()
    ended = wait_for(lambda: _ended(scenario, stack), PATIENCE, f"the end of {point.title}")
    violations = [] if ended["state"] == point.ends else [f"ended {ended['state']}: {ended.get('error')}"]
    violations += [f"never reached: {name}" for name, _ in point.armed if stack.faults.waits(name)]
    gone = point.kind == "instance.delete"
    violations += scenario.check(ended["state"])
    if not gone:
        stack.wait_inventory(before)
    return violations


def _ended(scenario: Scenario, stack: EmbeddedStack) -> dict[str, Any] | None:
    """The operation once it has ended; starts the standalone again when it has died."""
    if not stack.process.alive:
        stack.start()
    try:
        found = scenario.operation()
    except OSError:  # it died just now
        return None
    return found if found["done"] else None


def _cleared(scenario: Scenario, stack: EmbeddedStack) -> bool:
    """After a violation the next point starts from nothing; False when the standalone dies only now."""
    try:
        stack.start()
        _clear(scenario, stack)
    except (OSError, AssertionError):
        return False
    return True


def _clear(scenario: Scenario, stack: EmbeddedStack) -> None:
    client = stack.client()
    for instance in client.ask("GET", "/instances")["instances"]:
        if scenario.instance_id in ("", instance["id"]) or instance["name"] == "swept":
            client.wait_operation(client.delete(instance["id"]))
    scenario.instance_id = ""
    scenario.__init__(stack)  # type: ignore[misc]
