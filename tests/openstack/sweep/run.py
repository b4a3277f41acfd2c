# SPDX-License-Identifier: Apache-2.0
"""Which points there are, and what becomes of each."""

import dataclasses
import functools
import itertools
import operator
from collections.abc import Iterable, Iterator, Sequence

from tests.fault.sweep.ledger import Ledger
from tests.fault.sweep.points import Point, points
from tests.fault.sweep.quota import quotas
from tests.fault.sweep.run import LEFT, Result, judged
from tests.fault.sweep.strike import struck
from tests.functional.stack.inventory import Inventory
from tests.openstack.stack import CloudStack
from tests.openstack.sweep.effects import within
from tests.openstack.sweep.scenarios import SCENARIOS, InCloud


def chosen(kinds: Iterable[str], words: Sequence[str] = ()) -> list[Point]:
    """Those at which a conductor dies, or the answer of the cloud is lost, with all of the words in their titles."""
    found = [point for kind in kinds for point in (*points(kind), *within(kind))]
    return [point for point in found if _in_reach(point) and all(word in point.title for word in words)]


def _in_reach(point: Point) -> bool:
    """Guests are beyond the reach of faults; modules are not asked for here."""
    named = [name for name, _ in point.armed]
    kind = point.name.partition(" ")[0] in ("kill", "lose")
    return kind and not any(name.startswith("guest.") or "-module-" in name for name in named)


def swept(
    chosen: Iterable[Point], stack: CloudStack, scenarios: Iterable[type[InCloud]] = SCENARIOS
) -> Iterator[Result]:
    """What became of each point; and where something is left when all is deleted, that."""
    known = {one.of: one for one in scenarios}
    empty = stack.settled_inventory()
    for kind, several in itertools.groupby(chosen, operator.attrgetter("kind")):
        scenario, clean = known[kind](stack), False
        for point in several:
            result = judged(point, functools.partial(_strike, point, scenario, stack))
            stack.faults.clear()
            yield result
            clean = not result.violations
            if not clean:  # what it left behind is no matter of the next one's
                scenario = known[kind](stack)
                yield from _left(point, stack, empty)
                empty = stack.settled_inventory()
        if clean:
            yield from _left(point, stack, empty)


def _left(point: Point, stack: CloudStack, empty: Inventory) -> Iterator[Result]:
    """Nothing must stand in the way of deleting whatever there is, and then nothing is left."""
    result = judged(dataclasses.replace(point, name=LEFT), functools.partial(_leave, stack, empty))
    if result.violations:
        yield result


def _leave(stack: CloudStack, empty: Inventory) -> list[str]:
    stack.start()
    client = stack.client()
    client.deleted(*[one["id"] for one in client.ask("GET", "/instances")["instances"]])
    stack.wait_inventory(empty)
    return []


def _strike(point: Point, scenario: InCloud, stack: CloudStack) -> list[str]:
    stack.start()
    scenario.prepare()
    stack.faults.record()
    ended = struck(point, scenario, stack)
    violations = [] if ended["state"] == point.ends else [f"ended {ended['state']}: {ended.get('error')}"]
    violations += [f"never reached: {name}" for name, _ in point.armed if stack.faults.waits(name)]
    stack.start()
    violations += Ledger(point, stack.faults.passed(), guests=False).steps(ended["state"])
    violations += quotas(scenario.client)
    try:
        violations += scenario.check(ended["state"])
        stack.wait_inventory(scenario.expected)
    except Exception as error:
        violations.append(f"{type(error).__name__}: {str(error)[:2000]}")
    return violations
