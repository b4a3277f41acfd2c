# SPDX-License-Identifier: Apache-2.0
"""One cut: an operation is under way, a link is cut for some seconds, and what becomes of it."""

import dataclasses
import threading
import time
from typing import Any

from tests.fault.cut.links import cut
from tests.fault.cut.stack import CutStack
from tests.fault.guestlogs import GuestLogs, doubled
from tests.fault.sweep.scenarios import Scenario
from tests.waiting import wait_for

MIDDLES = {
    "instance.create": "guest.install-datastore.execute.before",
    "backup.create": "guest.stream.put.1",
    "instance.promote": "guest.stand-up.execute.before",
}
"""Operation -> the point in its middle at which it is held when the link is cut."""
LINKS = ("guests-broker", "conductor-broker", "conductor-zookeeper")
PATIENCE = 300.0


@dataclasses.dataclass
class Result:
    """What became of it."""

    operation: str
    link: str
    seconds: float
    """How long the link was cut."""
    state: str
    """How the operation ended."""
    after: float
    """Seconds from the end of the cut until the operation was seen to have ended."""
    violations: list[str]


def strike(stack: CutStack, scenario: Scenario, link: str, seconds: float) -> Result:
    """Asks for the operation, cuts, and looks at everything afterwards."""
    scenario.prepare()
    operation, violations, after = {"state": "lost"}, [], 0.0
    try:
        with GuestLogs(stack.cloud) as logs, scenario.watched() as watch:
            operation, after = _struck(stack, scenario, link, seconds)
        violations += doubled(logs.done()) + watch
        if operation["state"] not in _ends(link):
            violations.append(f"ended {operation['state']}: {operation.get('error')}")
        violations += scenario.check(operation["state"])
        stack.wait_inventory(scenario.expected)
    except Exception as error:
        violations.append(f"{type(error).__name__}: {str(error)[:2000]}")
    return Result(scenario.kind, link, seconds, operation["state"], after, violations)


def _ends(link: str) -> set[str]:
    """A guest may be silent for longer than it is waited for; conductors have nobody who gives them up."""
    return {"SUCCESS", "REVERTED"} if link == "guests-broker" else {"SUCCESS"}


def _struck(stack: CutStack, scenario: Scenario, link: str, seconds: float) -> tuple[dict[str, Any], float]:
    with stack.faults.holding(MIDDLES[scenario.kind]) as held:
        scenario.ask()
        held.reached()
        scenario.find()
        operation_id = scenario.operation()["id"]
        conductor = stack.running_in(stack.admin().operation(operation_id))
        with cut(stack.link_of(link, conductor)):
            held.let_go()
            threading.Event().wait(seconds)  # not for anything: how long it is cut is what is tried
    healed = time.monotonic()
    ended: list[dict[str, Any]] = []

    def done() -> bool:
        ended[:] = [scenario.operation()]
        return bool(ended[0]["done"])

    wait_for(done, PATIENCE, f"the end of {scenario.kind} after {link} was cut")
    return ended[0], time.monotonic() - healed
