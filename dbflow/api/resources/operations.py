# SPDX-License-Identifier: Apache-2.0
"""/operations: what was asked for, how far it is, and what may be done about it"""

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, current_app, request
from flask_restx import Resource

from dbflow.api import paging
from dbflow.api.docs import PAGING, documented
from dbflow.api.eventstream import EventStream
from dbflow.api.here import answer, authorize, caller, services
from dbflow.api.resources.base import namespace
from dbflow.api.schemas import operations as schemas
from dbflow.api.views.operations import operation as view
from dbflow.console import drawing
from dbflow.operations import ENDED
from dbflow.services import operations
from dbflow.services.errors import BadRequest, OverLimit
from dbflow.services.fan import TooManyViewers
from dbflow.services.feed import Feed
from dbflow.services.verbs import RULES

T = TypeVar("T")

ns = namespace("operations", "Long-running operations", "/operations")

_BOOLEANS = {"true": True, "1": True, "false": False, "0": False}
_FILTERS = {name: {"type": "string"} for name in operations.FILTERS}
_DRAW: dict[str, Callable[..., str]] = {
    "dot": drawing.to_dot,
    "svg": lambda graph, states: drawing.to_svg(drawing.layout(graph), states, embed_style=True),
    "text": drawing.to_text,
}
_FORMATS = {"dot": "text/vnd.graphviz", "svg": "image/svg+xml", "text": "text/plain"}


_PARAMS: dict[str, dict[str, Any]] = {
    **PAGING,
    **_FILTERS,
    "done": {"type": "boolean"},
    "all_projects": {"type": "boolean"},
}


@ns.route("")
class Operations(Resource):
    """The project's operations."""

    @documented(
        "List operations, newest first.",
        returns=schemas.LIST,
        params=_PARAMS,
        problems=True,
    )
    def get(self) -> Response:
        """List"""
        authorize("operation:index")
        for name in request.args:
            if name not in _PARAMS:  # who means to filter must not be given everything
                raise BadRequest(f"{name[:255]}: is none of {', '.join(_PARAMS)}.")
        if everyone := bool(_boolean("all_projects")):
            authorize("operation:all_projects")
        filters = {name: request.args[name] for name in operations.FILTERS if name in request.args}
        limit, marker = paging.asked("operations")
        found, after = operations.page(services(), caller(), filters, _boolean("done"), everyone, limit, marker)
        return answer({"operations": [view(one) for one in found], **paging.next_link(after)})


def _boolean(name: str) -> bool | None:
    text = request.args.get(name)
    if text is not None and text.lower() not in _BOOLEANS:
        raise BadRequest(f"{name}: must be true or false.")
    return None if text is None else _BOOLEANS[text.lower()]


@ns.route("/<operation_id>")
class Operation(Resource):
    """One operation."""

    @documented("Show an operation and its steps.", returns=schemas.ONE, problems=True)
    def get(self, operation_id: str) -> Response:
        """Show"""
        authorize("operation:show")
        return _show(operation_id)


def _show(operation_id: str) -> Response:
    seen = operations.show(services(), caller(), operation_id)
    return answer({"operation": view(seen.operation, seen.steps)})


@ns.route("/<operation_id>/<any(cancel,suspend,resume,retry,release):verb>")
class OperationAction(Resource):
    """The verbs of an operation."""

    @documented(
        "Cancel, suspend, resume or retry; administrators also release its claim.",
        status=202,
        returns=schemas.ONE,
        also=(409,),
        problems=True,
    )
    def post(self, operation_id: str, verb: str) -> Response:
        """Act"""
        authorize(RULES[verb])
        changed = operations.act(services(), caller(), operation_id, verb)
        return answer({"operation": view(changed)}, 202)


@ns.route("/<operation_id>/wait")
class OperationWait(Resource):
    """Long polling."""

    @documented(
        "Wait until it has ended, or for so many seconds; then show it.",
        returns=schemas.ONE,
        params={"timeout": {"type": "number", "minimum": 0}},
        problems=True,
    )
    def get(self, operation_id: str) -> Response:
        """Wait"""
        authorize("operation:show")
        timeout = _timeout()
        if operations.show(services(), caller(), operation_id).operation.state not in ENDED:
            _watching(lambda feed: feed.wait(operation_id, timeout, caller().user_id))
        return _show(operation_id)


def _timeout() -> float:
    most: float = services().conf.api.max_wait
    try:
        asked = float(request.args.get("timeout", most))
    except ValueError:
        raise BadRequest("timeout: must be a number of seconds.") from None
    if not asked >= 0:
        raise BadRequest("timeout: must not be negative.")
    return min(asked, most)


@ns.route("/<operation_id>/flow")
class OperationFlow(Resource):
    """The graph of an operation."""

    @documented(
        "The flow's graph with the state of each step: JSON, or drawn.",
        returns=schemas.GRAPH,
        params={"format": {"type": "string", "enum": ["json", *_FORMATS]}},
        produces=["application/json", *_FORMATS.values()],
        problems=True,
    )
    def get(self, operation_id: str) -> Response:
        """Graph"""
        authorize("operation:show")
        form = request.args.get("format", "json")
        if form not in ("json", *_FORMATS):
            raise BadRequest(f"format: must be one of json, {', '.join(_FORMATS)}.")
        graph, steps = operations.graph(services(), caller(), operation_id)
        if form == "json":
            return answer({"graph": graph, "steps": steps})
        return Response(_DRAW[form](graph, steps), content_type=f"{_FORMATS[form]}; charset=utf-8")


@ns.route("/<operation_id>/events")
class OperationEvents(Resource):
    """Changes as they happen."""

    @documented(
        "Server-sent events: `operation` and `step` with what changed, `end` at the end.",
        produces=["text/event-stream"],
        problems=True,
    )
    def get(self, operation_id: str) -> Response:
        """Events"""
        authorize("operation:show")
        operations.show(services(), caller(), operation_id)
        heartbeat = services().conf.api.event_heartbeat
        viewing = _watching(lambda feed: feed.watch(operation_id, heartbeat, caller().user_id))
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return Response(EventStream(viewing), headers=headers, content_type="text/event-stream")


def _watching(look: Callable[[Feed], T]) -> T:
    try:
        return look(current_app.extensions["dbflow.feed"])
    except TooManyViewers:
        raise OverLimit("Too many event streams are open.", {"Retry-After": "5"}) from None
