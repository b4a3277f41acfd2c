# SPDX-License-Identifier: Apache-2.0
"""Request bodies: JSON or XML of bounded size that fits its schema, or an error that names the field."""

import json
import math
from typing import Any

import jsonschema
from flask import request

from dbflow.api.accept import JSON, XML
from dbflow.api.schemas.checks import validator
from dbflow.api.xml import read as xml
from dbflow.services.errors import BadMediaType, BadRequest, OverLimit

Schema = dict[str, Any]
_LONGEST_MESSAGE = 500
_DRAIN = 16 << 20


def check_size(most: int) -> None:
    """OverLimit for a body that says it is too long. It is thrown away unread as far as it is reasonable:
    a server that closes the connection on a client that still sends takes the answer away from it."""
    length = request.content_length
    if length is None or length <= most:
        return
    left = min(length, _DRAIN)
    while left > 0 and (chunk := request.environ["wsgi.input"].read(min(left, 1 << 16))):
        left -= len(chunk)
    raise OverLimit(f"The request body is larger than {most} bytes.")


def read(schema: Schema, *, optional: bool = False) -> Any:
    """The body, checked. An ``optional`` one may be empty and is {} then."""
    raw = request.get_data()
    most = request.max_content_length
    if request.content_length is None and most is not None and len(raw) >= most:
        raise OverLimit(f"The request body is larger than {most} bytes.")  # chunked, and cut off there
    if not raw.strip():
        if optional:
            return {}
        raise BadRequest("Validation error: a request body is required.")
    if request.mimetype == XML:
        data = xml.read(raw, schema, request.mimetype_params.get("charset"))
    elif request.mimetype in ("", JSON):
        data = _parse(raw)
    else:
        raise BadMediaType(f"Content type {request.mimetype[:100]} is not supported; send {JSON} or {XML}.")
    _check(schema, data)
    return data


def _parse(raw: bytes) -> Any:
    try:
        text = raw.decode()
        data = json.loads(text, parse_constant=_no_constant, parse_float=_finite)
        if "\\u" in text:
            json.dumps(data, ensure_ascii=False).encode()  # half a surrogate pair can't be stored
    except (ValueError, RecursionError):
        raise BadRequest("The server could not comply with the request since the body is not valid JSON.") from None
    if "\\u0000" in text:
        raise BadRequest("Validation error: a NUL character is not allowed.")
    return data


def _no_constant(name: str) -> Any:
    raise ValueError(name)


def _finite(digits: str) -> float:
    """No database can keep the one that is too large."""
    number = float(digits)
    if math.isinf(number):
        raise ValueError(digits)
    return number


def _check(schema: Schema, data: Any) -> None:
    error = jsonschema.exceptions.best_match(validator(schema).iter_errors(data))
    if error is not None:
        where = " ".join(str(part) for part in error.absolute_path) or "body"
        raise BadRequest(f"Validation error: {where} {_sentence(error)}"[:_LONGEST_MESSAGE])


def _sentence(error: jsonschema.ValidationError) -> str:
    """What is wrong, without the value where that could be a password or megabytes."""
    if error.validator in _SENTENCES:
        return _SENTENCES[str(error.validator)].format(error.validator_value)
    return error.message


_SENTENCES = {
    "type": "is not of type {}",
    "maxLength": "is too long (at most {})",
    "minLength": "is too short (at least {})",
    "pattern": "does not match '{}'",
    "maxItems": "has too many items (at most {})",
    "minItems": "has too few items (at least {})",
    "maxProperties": "has too many properties (at most {})",
    "minProperties": "has too few properties (at least {})",
    "maximum": "is greater than the maximum of {}",
    "minimum": "is less than the minimum of {}",
    "anyOf": "is not valid under any of the given schemas",
    "oneOf": "is not valid under exactly one of the given schemas",
    "enum": "is not one of {}",
}
