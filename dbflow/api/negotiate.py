# SPDX-License-Identifier: Apache-2.0
"""JSON or XML: every resource answers in JSON, and here it becomes XML for whoever wants that."""

import json
from typing import Any

from flask import Response, current_app, request

from dbflow.api import accept, docs
from dbflow.api.accept import JSON, PROBLEM_JSON, PROBLEM_XML, XML
from dbflow.api.schemas.common import Schema
from dbflow.api.schemas.operations import FAULT
from dbflow.api.xml.shapes import ANY
from dbflow.api.xml.write import write, write_problem


def before() -> None:
    """NotAcceptable, before anything is done, when the client takes nothing that the resource answers."""
    about = _handler()
    if about is not None and JSON in about.media:
        accept.check(about.media)


def after(response: Response) -> None:
    """Make it XML where it is JSON and the client likes XML better. What is drawn or streamed stays as it is."""
    if response.mimetype not in (JSON, PROBLEM_JSON) or request.endpoint == "specs" or not accept.wants_xml():
        return
    raw = response.get_data()
    problem = response.mimetype == PROBLEM_JSON
    if raw:
        data = json.loads(raw)
        response.set_data(write_problem(data) if problem else write(data, schema_of(response)))
    response.mimetype = PROBLEM_XML if problem else XML
    response.vary.add("Accept")


def schema_of(response: Response) -> Schema:
    """What the Swagger document says of a JSON answer to this request."""
    if response.status_code >= 400:
        return FAULT
    about = _handler()
    return (about and about.returns) or ANY


def _handler() -> docs.About | None:
    view: Any = current_app.view_functions.get(request.endpoint or "")
    method = "get" if request.method == "HEAD" else request.method.lower()
    resource = getattr(view, "view_class", None)
    return docs.about(getattr(resource, method, None) if resource else view)
