# SPDX-License-Identifier: Apache-2.0
"""Backups: filtered, counted, page by page, with how far each that is being made has come."""

import dataclasses
import datetime
from typing import Any

from dbflow.console.looks import Look, of_backup
from dbflow.console.page import Asked, Page
from dbflow.console.pages.operations import WITHIN, since
from dbflow.services import browse_backups
from dbflow.services.browse_backups import BackupFilter, BackupPage
from dbflow.services.context import Services
from dbflow.services.errors import BadRequest
from dbflow.status import BackupState

_MB_IN_GIB = 2**30 / 1e6
DELETE = "backup:delete"


@dataclasses.dataclass(frozen=True)
class Line:
    """A backup, and how it is."""

    row: Any
    look: Look
    parents: tuple[str, ...]
    """What it is a difference to, the nearest first."""
    took: datetime.timedelta | None
    progress: float | None
    """0 to 1, of one that is being made."""
    rate: float | None
    """MB/s of the data."""
    refusal: str | None
    """Why it can't be deleted now."""


def wanted(asked: Asked) -> BackupFilter:
    """The filter that a query says. BadRequest for a state or a time that is none."""
    state = asked.arg("state").upper()
    if state and state not in list(BackupState):
        raise BadRequest("state: there is no such state.")
    return BackupFilter(
        state=state,
        project=asked.arg("project") if asked.sight.admin else "",
        instance=asked.arg("instance"),
        chain=asked.arg("chain"),
        text=asked.arg("text"),
        since=since(asked),
        until=asked.time("until"),
    )


def look(services: Services, asked: Asked) -> dict[str, Any]:
    """A page of the table, and the counts above it."""
    limit = services.conf.console.page_size
    found = browse_backups.backups(services, asked.sight.caller(), wanted(asked), limit, asked.arg("marker") or None)
    return {
        "lines": [_line(row, found) for row in found.rows],
        "counts": found.counts,
        "every": sum(found.counts.values()),
        "state": asked.arg("state").upper(),
        "states": [str(state) for state in BackupState],
        "within": WITHIN,
        "choose": DELETE in asked.sight.may,
        "marker": found.marker,
    }


def _line(row: Any, found: BackupPage) -> Line:
    stream = found.streams.get(row.id)
    took = row.finished - row.started if row.started and row.finished else None
    return Line(
        row,
        of_backup(row.state, deleting=row.changing == "backup.delete"),
        tuple(found.parents[row.id]),
        took,
        stream.progress if stream else None,
        _rate(row, took, stream),
        found.refusals.get(row.id),
    )


def _rate(row: Any, took: datetime.timedelta | None, stream: browse_backups.Stream | None) -> float | None:
    """Of one that is being made, what it has read of the volume; of a whole one, the volume. What a difference read of
    it is not known."""
    if stream is not None:
        read, seconds = stream.progress * (row.volume_used or 0.0), stream.seconds
    elif took is not None and row.size is not None and row.parent_id is None:
        read, seconds = row.size, took.total_seconds()
    else:
        return None
    if seconds <= 0 or read <= 0:
        return None
    # Two figures, so that the page does not change just because time goes by.
    return float(f"{read * _MB_IN_GIB / seconds:.2g}")


PAGE = Page(
    "backups",
    "/backups",
    "backup:index",
    "Backups",
    look,
    ("counts", "table"),
    args=frozenset({"state", "project", "instance", "chain", "text", "within", "since", "until", "marker"}),
)
