# SPDX-License-Identifier: Apache-2.0
"""Which points there are, and what becomes of each."""

import time
from collections.abc import Iterable, Iterator, Sequence

from tests.fault.sweep.points import Point, points
from tests.fault.sweep.strike import struck
from tests.openstack.stack import CloudStack
from tests.openstack.sweep.scenarios import SCENARIOS, InCloud


def chosen(kinds: Iterable[str], words: Sequence[str] = ()) -> list[Point]:
    """Those at which a conductor dies, or the answer of the cloud is lost, with all of the words in their titles."""
    found = [point for kind in kinds for point in points(kind)]
    return [point for point in found if _in_reach(point) and all(word in point.title for word in words)]


def _in_reach(point: Point) -> bool:
    """Guests are beyond the reach of faults; modules are not asked for here."""
    named = [name for name, _ in point.armed]
    kind = point.name.partition(" ")[0] in ("kill", "lose")
    return kind and not any(name.startswith("guest.") or "-module-" in name for name in named)


def swept(chosen: Iterable[Point], stack: CloudStack) -> Iterator[tuple[Point, float, list[str]]]:
    """Each point, the seconds it took, and what was violated; at the end, whether nothing is left."""
    empty = stack.settled_inventory()
    known = {one.of: one for one in SCENARIOS}
    scenario: InCloud | None = None
    for point in chosen:
        if scenario is None or scenario.of != point.kind:
            if scenario is not None:
                scenario.leave()
            scenario = known[point.kind](stack)
        began = time.monotonic()
        violations = _strike(point, scenario, stack)
        stack.faults.clear()
        yield point, time.monotonic() - began, violations
        if violations:  # what it left behind is no matter of the next one's
            scenario = None
    if scenario is not None:
        scenario.leave()
        stack.wait_inventory(empty)


def _strike(point: Point, scenario: InCloud, stack: CloudStack) -> list[str]:
    try:
        stack.start()
        scenario.prepare()
        ended = struck(point, scenario, stack)
        violations = [] if ended["state"] == point.ends else [f"ended {ended['state']}: {ended.get('error')}"]
        violations += [f"never reached: {name}" for name, _ in point.armed if stack.faults.waits(name)]
        stack.start()
        violations += scenario.check(ended["state"])
        stack.wait_inventory(scenario.expected)
    except Exception as error:
        violations = [f"{type(error).__name__}: {str(error)[:2000]}"]
    return violations
