# SPDX-License-Identifier: Apache-2.0
"""Whatever the API takes and answers in JSON has a form in XML that is read back as the same."""

import json
from typing import Any

from flask import Flask, Response, request

from dbflow.api import body, docs, negotiate
from dbflow.api.schemas.common import Schema
from dbflow.api.xml.read import read
from dbflow.api.xml.write import write
from dbflow.services.errors import BadRequest


def returns(data: Any, schema: Schema) -> bool:
    """Whether it comes back from XML unchanged; the order of members aside."""
    return json.dumps(read(write(data, schema), schema), sort_keys=True) == json.dumps(data, sort_keys=True)


def watch(app: Flask) -> list[str]:
    """What was lost on the way through XML, of every body in JSON that the app is sent and answers from now on."""
    lost: list[str] = []

    def look(response: Response) -> Response:
        sent = request.get_data() if request.is_json and response.status_code != 413 else b""
        answered = response.get_data() if response.mimetype == "application/json" else b""
        for raw, schema in ((sent, _takes(app)), (answered, negotiate.schema_of(response))):
            if request.endpoint != "specs" and _is_json(raw) and not returns(json.loads(raw), schema):
                lost.append(f"{request.method} {request.path}: {raw!r}")
        return response

    app.after_request(look)
    return lost


def _takes(app: Flask) -> Schema:
    view: Any = app.view_functions.get(request.endpoint or "")
    about = docs.about(getattr(getattr(view, "view_class", None), request.method.lower(), None))
    return (about and about.takes) or {}


def _is_json(raw: bytes) -> bool:
    """As the API understands it."""
    try:
        body._parse(raw)
    except BadRequest:
        return False
    return True
