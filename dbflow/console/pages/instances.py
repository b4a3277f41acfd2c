# SPDX-License-Identifier: Apache-2.0
"""Instances, and one of them: its state, its relatives, its operations, how full and how busy it is."""

import dataclasses
from typing import Any

from dbflow.console.history import plots
from dbflow.console.looks import Look, of_instance, of_service
from dbflow.console.page import Asked, Page
from dbflow.db.models import utcnow
from dbflow.services import browse
from dbflow.services.browse import InstanceFilter, OperationFilter
from dbflow.services.context import Services
from dbflow.services.instances import is_uuid, missing

HEALTHS = {
    "error": "in ERROR",
    "silent": "guest silent",
    "crashed": "server down",
    "busy": "being changed",
}
_OPERATIONS = 20


@dataclasses.dataclass(frozen=True)
class Line:
    """An instance, and how it is."""

    row: Any
    status: Look
    service: Look
    full: float | None
    """Share of the volume that is in use."""


def _lines(services: Services, rows: Any) -> list[Line]:
    now, expiry = utcnow(), services.conf.messaging.heartbeat_expiry
    return [
        Line(
            row,
            of_instance(row.task),
            of_service(row.task, row.service_status, row.seen, now, expiry),
            _full(row),
        )
        for row in rows
    ]


def _full(row: Any) -> float | None:
    """A directory of a larger file system has no size of its own: then it is that which was asked for."""
    total = row.volume_total or row.volume_size
    return row.volume_used / total if total and row.volume_used is not None else None


def look(services: Services, asked: Asked) -> dict[str, Any]:
    """A page of the table."""
    wanted = InstanceFilter(asked.arg("health"), asked.arg("project"), asked.arg("text"))
    limit = services.conf.console.page_size
    caller = asked.sight.caller()
    rows, marker = browse.instances(services, caller, wanted, limit, asked.arg("marker") or None)
    return {
        "lines": _lines(services, rows),
        "marker": marker,
        "counts": browse.count_instances(services, caller),
        "health": asked.arg("health"),
        "healths": HEALTHS,
    }


def look_at_one(services: Services, asked: Asked) -> dict[str, Any]:
    """One instance. NotFound when it is deleted or another project's."""
    instance_id, caller = asked.value("instance_id"), asked.sight.caller()
    row = browse.instance(services, caller, instance_id) if is_uuid(instance_id) else None
    if row is None:
        raise missing(instance_id)
    (line,) = _lines(services, [row])
    found = None
    if "operation:index" in asked.sight.may:
        found = browse.operations(services, caller, OperationFilter(instance=row.id), _OPERATIONS)
    family = _lines(services, browse.relatives(services, row))
    return {
        "line": line,
        "row": row,
        "found": found,
        "every": sum(found.counts.values()) if found else 0,
        "plots": plots(browse.samples(services, row), row),
        "members": tuple(_member(one, row.id, asked) for one in family) if len(family) > 1 else (),
    }


def _member(line: Line, me: str, asked: Asked) -> dict[str, Any]:
    row = line.row
    return {
        "id": row.id,
        "name": row.name,
        "source": row.replica_of_id,
        "link": asked.sight.at("instances", row.id),
        "look": line.service if line.service.tone == "failure" else line.status,
        "me": row.id == me,
    }


ARGS = frozenset({"health", "project", "text", "marker"})
PAGE = Page("instances", "/instances", "instance:index", "Instances", look, ("table",), args=ARGS)
ONE = Page(
    "instance", "/instances/<instance_id>", "instance:show", "Instance", look_at_one, ("head", "body"), "instances"
)
