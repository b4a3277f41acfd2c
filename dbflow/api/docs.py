# SPDX-License-Identifier: Apache-2.0
"""The Swagger document, made from the very schemas that requests are checked by."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from flask_restx import Api, SchemaModel

from dbflow.api.accept import JSON, PROBLEM_JSON, PROBLEM_XML, XML
from dbflow.api.schemas.common import Schema
from dbflow.api.schemas.operations import FAULT, PROBLEM

Handler = TypeVar("Handler", bound=Callable[..., Any])

BOTH = [JSON, XML]
"""What every body may be in, of requests and of answers."""
_MODELS: dict[str, SchemaModel] = {}
_WHY = {
    400: "The request makes no sense; the message names the field.",
    401: "No valid token, or not an administrator's.",
    403: "The policy does not allow it, or the token is of another project.",
    404: "No such thing in this project.",
    406: "The client takes neither JSON nor XML.",
    409: "Another request with this Idempotency-Key is being answered, or the state does not allow it.",
    413: "A quota, a rate limit or the size of the body is exceeded.",
    415: "The body is neither JSON nor XML.",
    422: "The instance is not in a state for this.",
    503: "Something that is needed for the answer is away.",
    501: "Not in this release, or not with this datastore.",
}
PAGING: dict[str, dict[str, Any]] = {
    "limit": {"type": "integer", "minimum": 0, "description": "Items on the page."},
    "marker": {"type": "string", "description": "The last item of the page before."},
}


@dataclasses.dataclass(frozen=True)
class About:
    """What a handler takes and answers."""

    takes: Schema | None
    returns: Schema | None
    media: tuple[str, ...]


def about(handler: Any) -> About | None:
    """What was said of a handler."""
    found: About | None = getattr(handler, "__about__", None)
    return found


def documented(
    summary: str,
    *,
    body: Schema | None = None,
    status: int = 200,
    returns: Schema | None = None,
    params: Mapping[str, Mapping[str, Any]] | None = None,
    produces: list[str] | None = None,
    also: tuple[int, ...] = (),
    problems: bool = False,
) -> Callable[[Handler], Handler]:
    """Say of a handler what it takes and answers; ``also`` are statuses beyond those that every request may get;
    ``problems`` where errors are problem documents (RFC 9457) instead of Trove's."""

    def mark(handler: Handler) -> Handler:
        name = handler.__qualname__.replace(".", "_")
        fault = _model("Problem", PROBLEM) if problems else _model("Fault", FAULT)
        codes = {400, 401, 403, 404, 406, 413, *also} | ({409, 415} if body is not None else set())
        responses: dict[str, Any] = {str(code): (_WHY[code], fault) for code in sorted(codes)}
        shape = _model(f"{name}_answer", returns) if returns is not None else None
        responses[str(status)] = ("As asked." if shape else "Done, or accepted.", shape)
        about: dict[str, Any] = {"description": summary, "responses": responses}
        if body is not None:
            about["expect"] = [_model(f"{name}_body", body)]
        if params:
            about["params"] = {key: {"in": "query", **value} for key, value in params.items()}
        media = [kind for made in produces or [JSON] for kind in (BOTH if made == JSON else [made])]
        if problems:
            media += [PROBLEM_JSON, PROBLEM_XML]
        if media != BOTH:
            about["produces"] = media
        handler.__apidoc__ = about  # type: ignore[attr-defined]
        return _remembered(handler, About(body, returns, tuple(media)))

    return mark


def answers(returns: Schema) -> Callable[[Handler], Handler]:
    """Say of a page beside the resources what it answers; the Swagger document does not list it."""
    return lambda handler: _remembered(handler, About(None, returns, tuple(BOTH)))


def _remembered(handler: Handler, about: About) -> Handler:
    handler.__about__ = about  # type: ignore[attr-defined]
    return handler


def hidden(handler: Handler) -> Handler:
    """Leave a handler out: Trove has it, only to say that it is not offered."""
    handler.__apidoc__ = False  # type: ignore[attr-defined]
    return handler


def register_models(api: Api) -> None:
    """Make every model known to this API."""
    api.models.update(_MODELS)


def _model(name: str, schema: Schema) -> SchemaModel:
    if name not in _MODELS:
        _MODELS[name] = SchemaModel(name, swagger(schema))
    return _MODELS[name]


def swagger(schema: Any) -> Any:
    """JSON Schema draft 4 in the words of Swagger 2.0, which knows no null, and of alternatives the first only."""
    if isinstance(schema, list):
        return [swagger(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    told = {key: swagger(value) for key, value in schema.items() if key not in ("anyOf", "oneOf")}
    for choice in ("anyOf", "oneOf"):
        if choice in schema:
            told |= swagger(schema[choice][0])
    kind = told.get("type")
    if isinstance(kind, list):
        told["type"] = next(name for name in kind if name != "null")
        told["x-nullable"] = True
    return told
