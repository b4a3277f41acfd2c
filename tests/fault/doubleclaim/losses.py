# SPDX-License-Identifier: Apache-2.0
"""Two ways to lose a session: somebody ends it, or its owner sleeps through it."""

import contextlib
import itertools
import os
import random
import signal
from collections.abc import Iterator

from kazoo.client import KazooClient
from kazoo.handlers.threading import KazooTimeoutError

from tests.fault.doubleclaim.field import Field, Member
from tests.waiting import wait_for

POINTS = (
    "write-a.execute.begun",
    "enter-2.execute.called",
    "enter-5.execute.returned",
    "write-b.execute.begun",
    "enter-1.execute.done",
    "write-b.revert.begun",
    "enter-6.execute.saved",
    "enter-3.revert.called",
    None,
)
"""Where a conductor is when it falls asleep; None: wherever."""


def expire(field: Field, count: int) -> int:
    """End ``count`` sessions of conductors, each as soon as there is a new one; how many were ended."""
    draw, ended = random.Random(1), 0
    used: dict[Member, int] = {}

    def fresh() -> list[tuple[Member, int, bytes]]:
        known = [(member, member.session()) for member in field.members]
        return [(member, *session) for member, session in known if session and used.get(member) != session[0]]

    while ended < count:
        member, session, password = draw.choice(wait_for(fresh, 60, "a conductor with a session"))
        used[member] = session
        ended += _end(field, session, password)
        if ended % 100 == 0:
            print(f"{ended} sessions ended", flush=True)
    return ended


def _end(field: Field, session: int, password: bytes) -> bool:
    """As ZooKeeper does after silence; False when it had ended already."""
    thief = KazooClient(field.zookeeper.hosts, client_id=(session, password))
    try:
        thief.start()
        return bool(thief.client_id[0] == session)
    except KazooTimeoutError:
        return False
    finally:
        thief.stop()
        thief.close()


def sleep_through(field: Field, count: int) -> int:
    """Stop conductors (SIGSTOP) until others have all their operations, and let them go on; how many slept so."""
    members, points = itertools.cycle(field.members), itertools.cycle(POINTS)
    for _ in range(count):
        member, point = next(members), next(points)
        with _at(member, point):
            os.kill(member.service.pid, signal.SIGSTOP)
            try:
                _lost(field, member)
                wait_for(lambda m=member: not m.unfinished(), 60, "others to take over")
            finally:
                os.kill(member.service.pid, signal.SIGCONT)
    return count


@contextlib.contextmanager
def _at(member: Member, point: str | None) -> Iterator[None]:
    if point is None:
        yield
        return
    with member.faults.holding(point) as held:
        held.reached()
        yield


def _lost(field: Field, member: Member) -> None:
    """Until ZooKeeper has ended its session."""
    session = member.session()
    assert session is not None
    wait_for(lambda: f"sid=0x{session[0]:x}," not in field.zookeeper.ask("cons"), 60, "the end of a session")
