# SPDX-License-Identifier: Apache-2.0
"""One cut: an operation is under way, a link is cut for some seconds, and what becomes of it."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Iterator
from typing import Any

import pymysql

from tests.fault.cut.links import cut
from tests.fault.cut.stack import CutStack
from tests.fault.guestlogs import GuestLogs, doubled
from tests.fault.sweep.replication import Grouped
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack import mysql, query
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
        with GuestLogs(stack.cloud) as logs, _watch(scenario) as watch:
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


@contextlib.contextmanager
def _watch(scenario: Scenario) -> Iterator[list[str]]:
    """Of a set of replicas: that never two of them are written to. What it saw is there after the block."""
    seen: list[str] = []
    if not isinstance(scenario, Grouped):
        yield seen
        return
    with scenario.to(scenario.source_id) as connection:
        query(connection, "CREATE TABLE IF NOT EXISTS watched (n INT AUTO_INCREMENT PRIMARY KEY)")
    members = [scenario.client.show(member) for member in (scenario.source_id, *scenario.replica_ids)]
    end = threading.Event()

    def look() -> None:
        while not end.is_set():
            writable = [member for member in members if _is_written_to(member, scenario.password)]
            # Not all are asked at one moment: who was writable at first is asked once more, at the end.
            if len(writable) > 1 and _is_written_to(writable[0], scenario.password):
                seen.append(f"written to at once: {[member['id'] for member in writable]}")

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        end.set()
        thread.join()


def _is_written_to(member: dict[str, Any], password: str) -> bool:
    with contextlib.suppress(pymysql.Error, OSError), mysql(member, "u", password, "d", read_timeout=2) as connection:
        query(connection, "INSERT INTO watched VALUES ()")
        return True
    return False
