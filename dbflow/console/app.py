# SPDX-License-Identifier: Apache-2.0
"""The console in the API's application: its paths, who may enter, and what every answer of it carries."""

import hashlib
import pathlib
from typing import Any

from flask import (
    Blueprint,
    Flask,
    Response,
    current_app,
    g,
    make_response,
    render_template,
    request,
    send_from_directory,
)
from werkzeug.routing import RoutingException

from dbflow.api.auth import Auth, Wsgi
from dbflow.api.errors import described
from dbflow.api.here import authorize, caller, is_admin, services
from dbflow.api.ratelimit import RateLimits
from dbflow.console import actions, csrf, render, session, signin, theme
from dbflow.console.here import Console, console, frame
from dbflow.console.live import Fragments
from dbflow.console.page import Asked, Page
from dbflow.console.pages import PAGES
from dbflow.console.sight import Sight, path
from dbflow.console.tickets import Tickets
from dbflow.services.context import Caller, Services
from dbflow.services.errors import NotAuthenticated
from dbflow.services.fan import Seats

_STATIC = pathlib.Path(__file__).parent / "static"
_OPEN = frozenset({"console.static", "console.flow_style", "console.sign_in", "console.enter", "console.sign_out"})
"""Needs no sign-in."""
_SECURITY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}


def register(app: Flask, services: Services, auth: Auth, rates: RateLimits, seats: Seats) -> None:
    """Serve the console at /console/. Wrap the application in :func:`wrap`, too."""
    group = services.conf.console
    live = Fragments(app, services, group.interval, seats)
    app.extensions["dbflow.console"] = Console(auth, rates, Tickets(group.ticket_lifetime), live, _version())
    render.prepare(app)
    pages = Blueprint("console", __name__, url_prefix=session.PATH, template_folder="templates")
    pages.before_request(_enter)
    pages.add_url_rule("/static/<path:name>", "static", _static)
    pages.add_url_rule("/static/flow.css", "flow_style", theme.flow_style)
    for page in PAGES:
        pages.add_url_rule(page.url, page.name, _server(page), methods=["GET"])
    signin.add_to(pages)
    actions.add_to(pages)
    theme.add_to(pages)
    app.register_blueprint(pages)
    app.context_processor(lambda: frame() if session.is_console(request.path) else {})
    app.after_request(_protect)


def wrap(wsgi: Wsgi, services: Services) -> Wsgi:
    """Around the middleware that checks tokens."""
    return session.CookieToken(wsgi, services.keyring)


def ticket_link(app: Flask, base: str, token: str) -> str:
    """A one-time link that signs a browser in with ``token``; ``base`` is such as http://127.0.0.1:8779."""
    ticket = app.extensions["dbflow.console"].tickets.issue(token)
    return f"{base}{path('', 'enter', query={'ticket': ticket})}"


def answer(error: Exception) -> Any:
    """An error as a page."""
    if isinstance(error, RoutingException):
        return error
    if isinstance(error, NotAuthenticated):
        return signin.ask()
    found = described(error)
    words = render_template("console/error.html", code=found.code, message=found.message)
    return Response(words, found.code, dict(found.headers), content_type="text/html; charset=utf-8")


def _enter() -> None:
    """Who it is, before every page."""
    if request.method == "POST":
        csrf.check(signing_in=request.endpoint == "console.sign_in")
    if request.endpoint in _OPEN:
        return
    who = console().auth.identify(request.environ)
    if who is None:
        if session.current() is not None:
            console().rates.unauthenticated(request.remote_addr or "")
        raise NotAuthenticated("Sign in to see this page.")
    console().rates.user(who.user_id, request.method, mgmt=False)
    g.caller = Caller(
        who.user_id,
        who.project_id,
        who.roles,
        g.request_id,
        is_admin(who.roles),
        client_ip=request.remote_addr or "",
        server_ip=request.host,
    )


def _server(page: Page) -> Any:
    def serve(**values: str) -> Response:
        if page.rule is not None:
            authorize(page.rule)
        args = tuple(sorted((name, text) for name, text in request.args.items() if text and name in page.args))
        asked = Asked(page, tuple(values.items()), args, Sight.of_request())
        if "text/event-stream" in request.headers.get("Accept", ""):
            page.look(services(), asked)  # what can't be seen is refused as a page, not as a stream
            return console().live.stream(asked, caller().user_id)
        return _html(asked)

    return serve


def _html(asked: Asked) -> Response:
    context = asked.page.look(services(), asked)
    parts = render.parts(current_app._get_current_object(), asked, context, live=False)  # type: ignore[attr-defined]
    shared = {**context, "asked": asked, "sight": asked.sight, "at": asked.sight.at, "may": asked.sight.may}
    made = make_response(render_template(f"console/{asked.page.name}.html", parts=parts, page=asked.page, **shared))
    made.headers["Vary"] = "Accept, Cookie"
    return made


def _static(name: str) -> Response:
    kept = send_from_directory(_STATIC, name, max_age=86400)
    kept.cache_control.public = True
    return kept


def _protect(response: Response) -> Response:
    if session.is_console(request.path):
        response.headers.extend({name: text for name, text in _SECURITY.items() if name not in response.headers})
        if request.endpoint not in ("console.static", "console.flow_style"):
            response.headers["Cache-Control"] = "no-store"
    return response


def _version() -> str:
    content = b"".join(file.read_bytes() for file in sorted(_STATIC.iterdir()) if file.is_file())
    return hashlib.sha256(content + theme.css().encode()).hexdigest()[:12]
