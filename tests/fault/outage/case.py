# SPDX-License-Identifier: Apache-2.0
"""One outage: a part is away for some seconds while the load goes on."""

import collections
import dataclasses
import threading
import time

from tests.fault.guestlogs import GuestLogs, doubled
from tests.fault.outage.load import STEADY, Load, Standing
from tests.fault.outage.progress import first_progress
from tests.fault.persistent import Asked, Call
from tests.functional.stack import RealStack
from tests.servers import Server
from tests.waiting import wait_for

PARTS = {"zookeeper": "zookeeper", "rabbitmq": "rabbitmq", "sql": "mariadb"}
"""What people call it -> its server in the stack."""
KILLED, FROZEN = "killed", "frozen"
ENDED_BEFORE, ENDED_AFTER = 3, 6
"""Operations of the load that end before the outage begins, and after it is over."""
SETTLED = 300.0


@dataclasses.dataclass
class Result:
    """What became of it. Times in seconds."""

    part: str
    manner: str
    away: float
    """How long nothing answered, with the part's own start."""
    calls: list[Call]
    """That were made while it was away."""
    asked: list[Asked]
    """Every operation that was accepted, from first to last."""
    accepted_away: int
    first_answers: dict[str, float]
    """Steady kind of call that was refused while the part was away -> from its return to the first good answer."""
    first_progress: float | None
    data_path: tuple[int, float]
    """Statements of the standing database's user, and the slowest pair of them."""
    violations: list[str]

    @property
    def states(self) -> dict[str, int]:
        """How the accepted operations ended."""
        return dict(collections.Counter(one.state or "lost" for one in self.asked))


def outage(stack: RealStack, part: str, manner: str, seconds: float) -> Result:
    """The stack serves before and after."""
    server: Server = getattr(stack, PARTS[part])
    before = stack.inventory()
    standing = Standing(stack.client(), "standing")
    load = Load(stack, standing)
    with GuestLogs(stack.cloud) as logs:
        load.start()
        try:
            _ended(load, ENDED_BEFORE)
            load.away.set()
            gone = time.monotonic()
            _take_away(server, manner)
            threading.Event().wait(seconds)  # not for anything: how long it is away is what is tried
            load.away.clear()
            called_back = time.monotonic()
            _bring_back(server, manner)
            back = time.monotonic()
            progress = first_progress(stack.database)
            _ended(load, load.ended + ENDED_AFTER)
            answers = _first_answers(load.calls, gone, called_back, back)
        finally:
            violations = load.stop()
    stack.client().deleted(standing.id)
    violations += [f"{one.kind} {one.operation_id} ended {one.state}: {one.error}" for one in load.asked if _bad(one)]
    violations += doubled(logs.done())
    try:
        stack.wait_inventory(before)
    except AssertionError as error:
        violations.append(str(error))
    return Result(
        part=part,
        manner=manner,
        away=back - gone,
        calls=[one for one in load.calls if gone <= one.began < called_back],
        asked=load.asked,
        accepted_away=len([one for one in load.asked if gone <= one.accepted < called_back]),
        first_answers=answers,
        first_progress=None if progress is None else progress - back,
        data_path=(2 * standing.rows, standing.slowest),
        violations=violations,
    )


def _bad(asked: Asked) -> bool:
    return asked.state not in ("SUCCESS", "REVERTED")


def _ended(load: Load, number: int) -> None:
    """Wait until so many operations of the load have ended; AssertionError at once when a part of the load died."""

    def reached() -> bool:
        assert not load.violations, load.violations
        return load.ended >= number

    wait_for(reached, SETTLED, "operations of the load")


def _take_away(server: Server, manner: str) -> None:
    if manner == KILLED:
        server.kill()
    else:
        server.pause()


def _bring_back(server: Server, manner: str) -> None:
    if manner == KILLED:
        server.start()
    else:
        server.resume()


def _first_answers(calls: list[Call], gone: float, called_back: float, back: float) -> dict[str, float]:
    """Of the steady kinds that were refused in between, those made from the return on or still waiting then."""
    refused = {one.kind for one in calls if one.kind in STEADY and gone <= one.began < called_back and not one.good}
    first: dict[str, float] = {}
    for kind in sorted(refused):
        good = [one.ended - back for one in calls if one.kind == kind and one.good and one.ended >= back]
        first[kind] = min(good, default=float("inf"))
    return first
