# SPDX-License-Identifier: Apache-2.0
"""Conductors: who lives, who leads, and what they run."""

import dataclasses
import datetime
from collections import Counter
from typing import Any

from dbflow.console.page import Asked, Page
from dbflow.db.models import utcnow
from dbflow.jobboard import BoardUnavailable
from dbflow.services import fleet
from dbflow.services.context import Services


@dataclasses.dataclass(frozen=True)
class Line:
    """One conductor."""

    name: str
    host: str
    pid: int
    version: str
    leader: bool
    draining: bool
    flows: int
    operations: tuple[str, ...]
    claims: int | None
    """Jobs on the board that its session holds; None while the board is away."""
    started: datetime.datetime
    seen: datetime.datetime
    alive: bool
    refusal: str | None
    """Why it can't be drained."""
    orphans: int | None
    """What the leader finds in the cloud and at the broker that no instance needs."""


def conductors(services: Services) -> list[Line]:
    """All that have reported lately."""
    now, claims = utcnow(), _claims(services)
    with services.database.read() as session:
        return [
            Line(
                one.name,
                one.host,
                one.pid,
                one.version,
                fleet.leads(one, now),
                one.draining,
                one.flows,
                tuple(operations),
                None if claims is None else claims[one.name],
                one.started,
                one.seen,
                fleet.alive(one, now),
                fleet.drain_refusal(one, now),
                one.orphans if fleet.leads(one, now) else None,
            )
            for one, operations in fleet.conductors(session)
        ]


def _claims(services: Services) -> Counter[str | None] | None:
    try:
        return Counter(job.owner for job in services.board())
    except BoardUnavailable:
        return None


def look(services: Services, asked: Asked) -> dict[str, Any]:
    """All of them; those that live first."""
    return {"conductors": sorted(conductors(services), key=lambda one: (not one.alive, one.name))}


PAGE = Page("conductors", "/conductors", "mgmt:conductors", "Conductors", look, ("table",))
