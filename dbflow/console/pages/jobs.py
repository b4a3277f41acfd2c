# SPDX-License-Identifier: Apache-2.0
"""Jobs: the board beside what should be on it."""

import dataclasses
import datetime
from typing import Any

from dbflow.console.page import Asked, Page
from dbflow.db.models import utcnow
from dbflow.services import fleet
from dbflow.services.context import Services
from dbflow.services.errors import BadRequest, Unavailable

CLAIMED, POSTED, UNCLAIMED, FORGOTTEN, WAITING, LEAVING = (
    "claimed",
    "posted",
    "unclaimed",
    "missing",
    "waiting",
    "leaving",
)
STATES = {
    CLAIMED: "claimed: a conductor works on it",
    POSTED: "posted: waits for a conductor",
    UNCLAIMED: "unclaimed: posted for long, and nobody takes it",
    FORGOTTEN: "missing: accepted, but not on the board",
    WAITING: "waiting: for the operation before it",
    LEAVING: "leaving: its operation has ended or is suspended",
}
_LONG = 60.0
"""Seconds after which a job that nobody claims is worth a look."""


@dataclasses.dataclass(frozen=True)
class Job:
    """A line of the board."""

    operation_id: str
    kind: str
    priority: str
    state: str
    """One of STATES."""
    operation: str | None
    owner: str | None
    posted: datetime.datetime | None
    created: datetime.datetime | None
    waits_for: str | None


def board(services: Services) -> list[Job] | None:
    """Every job, in the board's order; None while the board is away."""
    try:
        found = fleet.jobs(services)
    except Unavailable:
        return None
    now = utcnow()
    return [_job(one, now) for one in found]


def _job(one: fleet.Job, now: datetime.datetime) -> Job:
    posted = one.posted
    if posted is not None and posted.tzinfo is not None:  # the board's times have a zone, SQL's have none
        posted = posted.astimezone(datetime.UTC).replace(tzinfo=None)
    return Job(
        one.operation_id,
        one.kind,
        one.priority,
        _state(one, posted, now),
        one.state,
        one.owner,
        posted,
        one.created,
        one.waits_for,
    )


def _state(one: fleet.Job, posted: datetime.datetime | None, now: datetime.datetime) -> str:
    if posted is None:
        return WAITING if one.waits_for else FORGOTTEN if one.forgotten(now) else POSTED
    if one.owner:
        return CLAIMED
    if one.state is None:
        return LEAVING
    return UNCLAIMED if (now - posted).total_seconds() > _LONG else POSTED


def look(services: Services, asked: Asked) -> dict[str, Any]:
    """The first of the board, or of one state of it."""
    show = asked.arg("show")
    if show and show not in STATES:
        raise BadRequest(f"show: must be one of {', '.join(STATES)}.")
    found = board(services)
    counts = {state: sum(job.state == state for job in found or ()) for state in STATES}
    jobs = None if found is None else [job for job in found if not show or job.state == show]
    shown = services.conf.console.page_size
    return {
        "jobs": None if jobs is None else jobs[:shown],
        "more": max(0, len(jobs or ()) - shown),
        "counts": counts,
        "every": len(found or ()),
        "show": show,
        "states": STATES,
    }


PAGE = Page("jobs", "/jobs", "mgmt:jobs", "Jobs", look, ("table",), args=frozenset({"show"}))
