# SPDX-License-Identifier: Apache-2.0
"""What a client is told when it can't be done: Trove's faults on Trove's wire, RFC 9457 on our own resources."""

import dataclasses
import http
import json
import logging
import re
import traceback
import uuid
from collections.abc import Mapping
from typing import Any

from flask import Response, g, request
from sqlalchemy.exc import InterfaceError, OperationalError, TimeoutError
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RoutingException

from dbflow.api.accept import wants_xml
from dbflow.services.errors import ServiceError

LOG = logging.getLogger(__name__)

_FAULTS = {
    400: "badRequest",
    401: "unauthorized",
    403: "forbidden",
    404: "itemNotFound",
    405: "badMethod",
    406: "notAcceptable",
    409: "conflict",
    413: "overLimit",
    415: "badMediaType",
    422: "unprocessableEntity",
    501: "notImplemented",
    503: "serviceUnavailable",
}
_OURS = re.compile(r"/v1\.0/[^/]+/(operations|mgmt/(jobs|conductors|guests))(/|$)")
_SENTENCES = {
    404: "The resource could not be found.",
    405: "This method is not allowed for the resource.",
    413: "The request body is too large.",
}


class ProjectMismatch(Exception):
    """The token is of another project than the URL."""

    def __init__(self, project_id: str) -> None:
        super().__init__(f"User with tenant id {project_id} cannot access this resource.")


@dataclasses.dataclass(frozen=True)
class Told:
    """What a client is told of an error."""

    code: int
    message: str
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    more: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """Members beside code and message."""


def answer(error: Exception) -> Any:
    """The response for whatever went wrong."""
    if isinstance(error, RoutingException):
        return error
    if isinstance(error, ProjectMismatch):
        return told(403, str(error)) if wants_xml() else Response(str(error), 403, mimetype="text/html")
    found = described(error)
    return told(found.code, found.message, dict(found.headers), found.more)


def described(error: Exception) -> Told:
    """In words for its user; what nobody expected is logged."""
    if isinstance(error, ServiceError):
        return Told(error.code, str(error), error.headers, error.more)
    if isinstance(error, HTTPException):
        return _of_werkzeug(error)
    if isinstance(error, OperationalError | InterfaceError | TimeoutError):
        LOG.error("the database is not available: %s", type(error).__name__)
        return Told(503, "dbflow's own database is not available.", {"Retry-After": "5"})
    return _unexpected(error)


def _of_werkzeug(error: HTTPException) -> Told:
    code = error.code or 500
    headers = {name: value for name, value in error.get_headers() if name in ("Allow", "Retry-After")}
    return Told(code, _SENTENCES.get(code) or error.description or http.HTTPStatus(code).phrase, headers)


def _unexpected(error: Exception) -> Told:
    reference = uuid.uuid4()
    # Where, not what: the text of an exception may hold what the user sent.
    where = "".join(traceback.format_tb(error.__traceback__))
    LOG.error("error %s of request %s: %s\n%s", reference, g.get("request_id"), type(error).__name__, where)
    return Told(500, f"The server has either erred or is incapable of performing the requested operation. {reference}")


def told(
    code: int, message: str, headers: dict[str, str] | None = None, more: Mapping[str, Any] | None = None
) -> Response:
    """The error body of the wire that the request came on; ``more`` are members beside code and message."""
    if _OURS.match(request.path):
        problem = {
            "type": "about:blank",
            "title": http.HTTPStatus(code).phrase,
            "status": code,
            "detail": message,
            **(more or {}),
        }
        return Response(json.dumps(problem), code, headers, mimetype="application/problem+json")
    fault: dict[str, Any] = {"code": code, "message": message, **(more or {})}
    return Response(json.dumps({_FAULTS.get(code, "instanceFault"): fault}), code, headers, mimetype="application/json")
