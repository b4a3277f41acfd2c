# SPDX-License-Identifier: Apache-2.0
"""What every request passes before its handler: request id, size, token, project, rate, what
it wants to be answered in, Idempotency-Key."""

import dataclasses
import re
import uuid
from typing import Any

from flask import Flask, Response, g, request

from dbflow import logcontext
from dbflow.api import body, idempotent, negotiate
from dbflow.api.auth import Auth
from dbflow.api.errors import ProjectMismatch
from dbflow.api.here import is_admin, services
from dbflow.api.ratelimit import RateLimits
from dbflow.logcontext import About
from dbflow.services.context import Caller
from dbflow.services.errors import NotAuthenticated

_REQUEST_ID = re.compile(r"req-[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_WIRE = "/v1.0/"


class Gate:
    """The hooks around the handlers."""

    def __init__(self, app: Flask, auth: Auth, rates: RateLimits) -> None:
        self._auth = auth
        self._rates = rates
        app.before_request(self.before)
        app.after_request(self.after)
        app.teardown_request(lambda _error: logcontext.enter(About()))
        app.url_value_preprocessor(_without_project)

    def before(self) -> Response | None:
        """Let the request in, or raise."""
        g.request_id = f"req-{uuid.uuid4()}"
        logcontext.enter(About(g.request_id, global_request_id=_asked_request_id() or ""))
        body.check_size(services().conf.api.max_body)
        project, _, rest = request.path.removeprefix(_WIRE).partition("/")
        if not request.path.startswith(_WIRE) or not project:
            return None
        g.caller = self._caller(project)
        self._rates.user(g.caller.user_id, request.method, rest.startswith("mgmt/"))
        negotiate.before()
        return idempotent.before()

    def _caller(self, project_id: str) -> Caller:
        identity = self._auth.identify(request.environ)
        if identity is None:
            self._rates.unauthenticated(request.remote_addr or "")
            challenge = {"WWW-Authenticate": self._auth.challenge}
            raise NotAuthenticated("The request you have made requires authentication.", challenge)
        who = f"{identity.user_id} {identity.project_id}"
        logcontext.enter(dataclasses.replace(logcontext.current(), user_identity=who))
        if identity.project_id != project_id:
            raise ProjectMismatch(identity.project_id)
        return Caller(
            user_id=identity.user_id,
            project_id=identity.project_id,
            roles=identity.roles,
            request_id=_asked_request_id() or g.request_id,
            is_admin=is_admin(identity.roles),
            client_ip=request.remote_addr or "",
            server_ip=request.host,
            token=request.headers.get("X-Auth-Token", ""),
        )

    def after(self, response: Response) -> Response:
        """Request ids, what the Idempotency-Key now stands for, and XML for whoever wants that."""
        request_id = g.get("request_id", "")
        response.headers["X-Openstack-Request-Id"] = request_id
        response.headers["X-Compute-Request-Id"] = request_id
        response.headers["X-Content-Type-Options"] = "nosniff"
        idempotent.after(response)
        negotiate.after(response)
        return response


def _asked_request_id() -> str | None:
    """The id that the client's own request has across services, if it is one and nothing else."""
    asked = request.headers.get("X-Openstack-Request-Id", "")
    return asked if _REQUEST_ID.fullmatch(asked) else None


def _without_project(_endpoint: str | None, values: dict[str, Any] | None) -> None:
    """Handlers ask the caller; the project in the URL is the same."""
    if values is not None:
        values.pop("project", None)
