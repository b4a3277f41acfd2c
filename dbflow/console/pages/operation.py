# SPDX-License-Identifier: Apache-2.0
"""One operation: its graph, timeline, attempts, events and arguments, and beside them one of its steps."""

import dataclasses
import datetime
import functools
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dbflow.console.drawing import Layout, layout, to_svg
from dbflow.console.page import Asked, Page
from dbflow.console.pages import step
from dbflow.console.timeline import Span
from dbflow.db.models import utcnow
from dbflow.operations import ENDED, State
from dbflow.services import details, operations
from dbflow.services.context import Services
from dbflow.services.details import Detail
from dbflow.services.errors import BadRequest, NotFound
from dbflow.services.verbs import RULES, refusal

TABS = ("graph", "timeline", "attempts", "events", "arguments")


@dataclasses.dataclass(frozen=True)
class Happening:
    """A line of the events."""

    at: str
    """ISO 8601, UTC"""
    text: str
    step: str
    state: str
    """Of the step from then on, or of the operation."""


class Drawings:
    """Layouts of flows. The flow of an operation never changes, so it is laid out once."""

    def __init__(self) -> None:
        self._of = functools.lru_cache(maxsize=256)(_Made)

    def get(self, services: Services, found: Detail) -> Layout | None:
        """None when this release does not know the flow."""
        made = self._of(found.row.id)
        if made.layout is None:
            try:
                made.layout = layout(operations.graph_of(services, found.row))
            except NotFound:
                return None
        return made.layout


class _Made:
    def __init__(self, _: str) -> None:
        self.layout: Layout | None = None


DRAWINGS = Drawings()


def look(services: Services, asked: Asked) -> dict[str, Any]:
    """The tab that is asked for, and the step beside it."""
    found = details.detail(services, asked.sight.caller(), asked.value("operation_id"))
    tab = asked.arg("tab", "graph")
    if tab not in TABS:
        raise BadRequest(f"tab: must be one of {', '.join(TABS)}.")
    drawn = DRAWINGS.get(services, found)
    context: dict[str, Any] = {
        "row": found.row,
        "before": found.before,
        "steps": found.steps,
        "tab": tab,
        "tabs": TABS,
        "ended": found.row.state in ENDED,
        "progress": _progress(found),
        "share": _share(found),
        "reasons": _reasons(found, asked.sight.may),
        "labels": {node.name: node.label for node in drawn.graph.nodes} if drawn else {},
        "nodes": {node.name: node for node in drawn.graph.nodes} if drawn else {},
    }
    if tab == "graph":
        context["drawing"] = _drawing(asked, drawn, found)
    if tab == "timeline":
        context["spans"] = _spans(found, context["labels"])
        context["step_links"] = _step_links(asked, [one.name for one in found.steps])
    if tab == "events":
        context["events"] = _events(found, context["labels"])
    if tab == "arguments":
        context["arguments"] = details.arguments(services, found)
    task = asked.arg("task")
    return context | {"task": step.beside(services, found, drawn, task, admin=asked.sight.admin) if task else None}


def _reasons(found: Detail, may: Collection[str]) -> tuple[tuple[str, str | None], ...]:
    """(verb, why not; None when it is possible). What only administrators may is offered to them alone."""
    shown = {verb: rule for verb, rule in RULES.items() if rule in may or rule == "operation:update"}
    look_only = "your role may only look"
    return tuple(
        (verb, refusal(found.row, verb) or (None if rule in may else look_only)) for verb, rule in shown.items()
    )


def _step_links(asked: Asked, names: Sequence[str]) -> dict[str, str]:
    """Where a click on a step leads."""
    return {name: asked.here(task=name) + "#step" for name in names}


def _drawing(asked: Asked, drawn: Layout | None, found: Detail) -> Markup:
    if drawn is None:
        return Markup("")
    states = {one.name: one.as_dict() for one in found.steps}
    links = _step_links(asked, [node.name for node in drawn.graph.nodes])
    return Markup(to_svg(drawn, states, links=links, chosen=asked.arg("task")))  # nosec B704 - the drawing escapes every text in it


def _progress(found: Detail) -> str:
    """Such as "4 of 9 steps done"; of one that turned back, how much of what it had begun is undone."""
    states = [step.state for step in found.steps]
    if found.row.state in (State.REVERTING, State.REVERTED, State.FAILED):
        begun = sum(state != "PENDING" for state in states)
        return f"{states.count('REVERTED')} of {begun} steps undone"
    return f"{states.count('SUCCESS')} of {len(states)} steps done" if states else "not loaded yet"


def _share(found: Detail) -> float | None:
    """Of the way to the end, either way: 0 to 1; None while there are no steps."""
    states = [step.state for step in found.steps]
    back = found.row.state in (State.REVERTING, State.REVERTED, State.FAILED)
    whole = sum(state != "PENDING" for state in states) if back else len(states)
    return states.count("REVERTED" if back else "SUCCESS") / whole if whole else None


def _spans(found: Detail, labels: Mapping[str, str]) -> list[Span]:
    now = utcnow().replace(microsecond=0)
    spans = []
    for one in found.steps:
        if one.started is None:
            continue
        start = datetime.datetime.fromisoformat(one.started)
        end = datetime.datetime.fromisoformat(one.finished) if one.finished else max(start, now)
        spans.append(Span(one.name, one.state, start, end, labels.get(one.name, one.name)))
    return spans


def _events(found: Detail, labels: Mapping[str, str]) -> list[Happening]:
    """What the records tell, in order: when it was accepted, begun and ended, and the same of its steps."""
    row, events = found.row, []
    events.append(Happening(row.created.isoformat(), "accepted", "", State.ACCEPTED))
    if row.started:
        events.append(Happening(row.started.isoformat(), "first claimed by a conductor", "", State.RUNNING))
    for one in found.steps:
        label = labels.get(one.name, one.name)
        if one.started:
            events.append(Happening(one.started, f"{label} begun", one.name, "RUNNING"))
        if one.finished:
            events.append(Happening(one.finished, f"{label} ended", one.name, one.state))
    if row.finished:
        events.append(Happening(row.finished.isoformat(), "ended", "", row.state))
    return sorted(events, key=lambda event: (datetime.datetime.fromisoformat(event.at), event.text == "ended"))


PAGE = Page(
    "operation",
    "/operations/<operation_id>",
    "operation:show",
    "Operation",
    look,
    ("head", "body"),
    section="operations",
    args=frozenset({"tab", "task"}),
    over=lambda context: context["row"].state in (State.SUCCESS, State.REVERTED),  # who failed may be tried again
)
