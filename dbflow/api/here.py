# SPDX-License-Identifier: Apache-2.0
"""The request being served: who asks, with what services, and how its answer is written."""

import json
from collections.abc import Mapping
from typing import Any, cast

from flask import Response, current_app, g, request

from dbflow.api.accept import JSON
from dbflow.policy import Policy
from dbflow.services.context import Caller, Services
from dbflow.services.errors import Forbidden, NotAuthenticated

_EXTENSION = "dbflow"


def attach(app: Any, services: Services, policy: Policy) -> None:
    """Make these the services of an app."""
    app.extensions[_EXTENSION] = (services, policy)


def services() -> Services:
    """The services of this process."""
    return cast(Services, current_app.extensions[_EXTENSION][0])


def _policy() -> Policy:
    return cast(Policy, current_app.extensions[_EXTENSION][1])


def caller() -> Caller:
    """Who asks."""
    return cast(Caller, g.caller)


def allowed(rule: str) -> bool:
    """Whether the policy lets the caller do it."""
    who = caller()
    return _policy().allows(rule, who.user_id, who.project_id, who.roles, who.is_admin)


def is_admin(roles: frozenset[str]) -> bool:
    """Whether the policy takes these roles for an administrator's."""
    return _policy().is_admin(roles)


ADMINISTER = "instance:extension:root:create"
"""The rule of who may be a server's administrator."""


def authorize(rule: str) -> None:
    """Forbidden unless the policy lets the caller do it."""
    if not allowed(rule):
        raise Forbidden(f"Policy doesn't allow {rule} to be performed.")


def authorize_mgmt(rule: str) -> None:
    """Of the mgmt resources: those whom the policy does not let are told 401, as Trove has it."""
    if not allowed(rule):
        raise NotAuthenticated("User does not have admin privileges.")


def endpoint() -> str:
    """Base of every link: https even where a proxy talks plain HTTP to us, as Trove's links are."""
    base: str | None = services().conf.api.public_endpoint
    return base.rstrip("/") if base else f"https://{request.host}"


def asked_url() -> str:
    """The URL of this request without its query, with the scheme that the client spoke (or a proxy says it did):
    openstacksdk opens the links to next pages, where Trove's own client only reads the marker."""
    base: str | None = services().conf.api.public_endpoint
    return f"{base.rstrip('/') if base else request.host_url.rstrip('/')}{request.path}"


def project_url() -> str:
    """Base of the links within the caller's project."""
    return f"{endpoint()}/v1.0/{caller().project_id}"


def links(collection: str, thing_id: str) -> list[dict[str, str]]:
    """The self and bookmark links of a thing."""
    return [
        {"rel": "self", "href": f"{project_url()}/{collection}/{thing_id}"},
        {"rel": "bookmark", "href": f"{endpoint()}/{collection}/{thing_id}"},
    ]


def link(operation: str) -> str:
    """The Link header of an answer that began an operation."""
    return f'<{project_url()}/operations/{operation}>; rel="operation"'


def answer(
    data: Any = None, status: int = 200, operation: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """``data`` as JSON, an empty body for None; ``operation`` is the id of the one that was accepted."""
    body = "" if data is None else json.dumps(data, separators=(",", ":"))
    response = Response(body, status, headers, mimetype=JSON)
    if operation is not None:
        response.headers["Link"] = link(operation)
    return response
