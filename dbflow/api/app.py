# SPDX-License-Identifier: Apache-2.0
"""The WSGI application."""

import importlib
import pkgutil
from typing import Any

from flask import Flask, Response, request
from flask_restx import Api

from dbflow.api import docs, errors, health, resources, versions
from dbflow.api.auth import Auth
from dbflow.api.gate import Gate
from dbflow.api.here import attach
from dbflow.api.measure import Measure
from dbflow.api.ratelimit import RateLimits
from dbflow.api.schemas.versions import EVERY
from dbflow.console import app as console
from dbflow.console.session import is_console
from dbflow.healthcheck import Checks
from dbflow.policy import Policy
from dbflow.services.context import Services
from dbflow.services.fan import Seats
from dbflow.services.feed import Feed


class Wire(Api):
    """Flask-RESTX with our errors and our root."""

    def error_router(self, original_handler: Any, e: Exception) -> Any:
        """Every error, also of URLs that there are not."""
        return console.answer(e) if is_console(request.path) else errors.answer(e)

    @property
    def __schema__(self) -> dict[str, Any]:
        """The Swagger document."""
        return {**super().__schema__, "consumes": docs.BOTH, "produces": docs.BOTH}

    @docs.answers(EVERY)
    def render_root(self) -> Response:
        """GET / tells the versions."""
        return versions.versions()


def create_app(services: Services, auth: Auth) -> Flask:
    """The API on these services. Wrap nothing around it: middleware of ``auth`` is in."""
    app = Flask(__name__, static_folder=None)
    # A trailing slash changes nothing, and no URL is answered by a redirect.
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    group = services.conf.api
    app.config["MAX_CONTENT_LENGTH"] = group.max_body  # of chunked bodies; others are refused by what they say
    rates = RateLimits(services.conf)
    attach(app, services, Policy(services.conf))
    app.extensions["dbflow.rates"] = rates
    seats = Seats(group.max_event_streams)
    app.extensions["dbflow.feed"] = Feed(services.database, group.event_interval, seats)
    app.extensions[health.EXTENSION] = Checks({**services.probes, **auth.probes()})
    measure = Measure(app, services.metrics, services.database, services.conf.metrics.api_port)
    Gate(app, auth, rates)
    app.register_blueprint(versions.pages)
    app.register_blueprint(health.pages)
    _serve(app)
    console.register(app, services, auth, rates, seats)
    wsgi = measure.wrap(console.wrap(auth.wrap(app.wsgi_app), services))
    app.wsgi_app = wsgi  # type: ignore[method-assign, assignment]
    return app


def _serve(app: Flask) -> None:
    token = {"token": {"type": "apiKey", "in": "header", "name": "X-Auth-Token"}}
    api = Wire(
        title="dbflow",
        version="v1.0",
        description="Databases as a service: Trove's API, every operation a resumable TaskFlow graph.",
        doc="/doc/",
        authorizations=token,
        security="token",
    )
    for info in sorted(pkgutil.iter_modules(resources.__path__), key=lambda info: info.name):
        module = importlib.import_module(f"{resources.__name__}.{info.name}")
        if hasattr(module, "ns"):
            api.add_namespace(module.ns)
    docs.register_models(api)
    api.init_app(app)
