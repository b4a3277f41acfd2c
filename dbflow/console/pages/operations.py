# SPDX-License-Identifier: Apache-2.0
"""Operations: filtered, counted, page by page."""

import datetime
from typing import Any

from dbflow.console.page import Asked, Page
from dbflow.db.models import utcnow
from dbflow.operations import State, catalog
from dbflow.services import browse
from dbflow.services.browse import OPEN, OperationFilter
from dbflow.services.context import Services
from dbflow.services.errors import BadRequest
from dbflow.services.verbs import RULES, refusal

WITHIN = {"1h": "1 hour", "24h": "24 hours", "7d": "7 days", "30d": "30 days"}
_UNITS = {"h": "hours", "d": "days"}


def wanted(asked: Asked) -> OperationFilter:
    """The filter that a query says. BadRequest for a state or a time that is none."""
    state = asked.arg("state").upper()
    if state and state != OPEN and state not in list(State):
        raise BadRequest("state: there is no such state.")
    return OperationFilter(
        kind=asked.arg("kind"),
        state=state,
        project=asked.arg("project") if asked.sight.admin else "",
        instance=asked.arg("instance"),
        text=asked.arg("text"),
        since=since(asked),
        until=asked.time("until"),
    )


def since(asked: Asked) -> datetime.datetime | None:
    """The later of what ``since`` and ``within`` say."""
    return _latest(asked.time("since"), _within(asked.arg("within")))


def _within(text: str) -> datetime.datetime | None:
    if not text:
        return None
    if text not in WITHIN:
        raise BadRequest(f"within: must be one of {', '.join(WITHIN)}.")
    return utcnow() - datetime.timedelta(**{_UNITS[text[-1]]: int(text[:-1])})


def _latest(*times: datetime.datetime | None) -> datetime.datetime | None:
    return max((time for time in times if time is not None), default=None)


def look(services: Services, asked: Asked) -> dict[str, Any]:
    """A page of the table, and the counts above it."""
    limit = services.conf.console.page_size
    found = browse.operations(services, asked.sight.caller(), wanted(asked), limit, asked.arg("marker") or None)
    every = sum(found.counts.values())
    verbs = tuple(verb for verb, rule in RULES.items() if rule in asked.sight.may)
    return {
        "found": found,
        "every": every,
        "open": every - sum(found.counts.get(state, 0) for state in ("SUCCESS", "REVERTED", "FAILED")),
        "state": asked.arg("state").upper(),
        "states": [str(state) for state in State],
        "can": {row.id: tuple(verb for verb in verbs if refusal(row, verb) is None) for row in found.rows},
        "kinds": tuple((kind.name, kind.title) for kind in catalog().kinds()),
        "within": WITHIN,
        "verbs": verbs,
    }


PAGE = Page(
    "operations",
    "/operations",
    "operation:index",
    "Operations",
    look,
    ("counts", "table"),
    args=frozenset({"kind", "state", "project", "instance", "text", "within", "since", "until", "marker"}),
)
