# SPDX-License-Identifier: Apache-2.0
"""Signing in: with a Keystone user, with a token where a file holds them, or by a one-time link; and out."""

import datetime

from flask import Blueprint, Response, g, make_response, redirect, render_template, request

from dbflow.api.auth import KeystoneAuth
from dbflow.api.here import services
from dbflow.console import session
from dbflow.console.here import console
from dbflow.console.keystone import Keystone, Login, Refused
from dbflow.console.sight import safe_path
from dbflow.services.errors import BadRequest, ServiceError

_FIELDS = ("user", "user_domain", "project", "project_domain")


def ask(message: str = "", status: int = 401) -> Response:
    """The form. A GET leads to the page that was wanted, once signed in."""
    wanted = request.form.get("next", "") or request.args.get("next", "")
    if request.endpoint not in ("console.sign_in", "console.enter") and request.method == "GET":
        wanted = request.full_path.rstrip("?").removeprefix(session.PATH)
    kept = {name: request.form.get(name, "") for name in _FIELDS}
    form = render_template("console/signin.html", message=message, next=wanted, keystone=_keystone(), kept=kept)
    return make_response(form, status)


def sign_in() -> Response:
    """GET: the form. POST: a session, or the form again."""
    if request.method == "GET":
        return ask(status=200)
    console().rates.unauthenticated(request.remote_addr or "")
    try:
        begun = _of_keystone() if _keystone() else session.begin(request.form.get("token", "").strip())
        return _welcome(begun)
    except Refused:
        return ask("Not known here: check the user, the password, the project and the domains.")
    except session.TooLarge:
        return ask("The token is too large for a cookie.")
    except ServiceError as error:
        return ask(str(error), error.code)


def enter() -> Response:
    """GET: a one-time link. HEAD, which mail and chat programs send to links that they find, leaves it good."""
    if request.method == "HEAD":
        return Response()
    console().rates.unauthenticated(request.remote_addr or "")
    token = console().tickets.redeem(request.args.get("ticket", ""))
    if token is None:
        return ask("This link was used before, or is too old.")
    try:
        return _welcome(session.begin(token))
    except Refused:
        return ask("The token behind this link is no longer good.")


def sign_out() -> Response:
    """POST: forget the session, and the token where it was made for the session."""
    current = session.current()
    if current is not None and _keystone():
        Keystone(services().conf).sign_out(current.token)
    answer: Response = session.forget(redirect(safe_path("/signin"), 303))  # type: ignore[arg-type]
    answer.headers["Clear-Site-Data"] = '"cache"'
    return answer


def _welcome(begun: session.Session) -> Response:
    """Refused for a token that is none; this is asked of who checks them on every request, in their own way."""
    if not _keystone() and console().auth.identify({"HTTP_X_AUTH_TOKEN": begun.token}) is None:
        raise Refused
    g.pop("caller", None)
    wanted = safe_path(request.form.get("next", ""))
    return session.save(redirect(wanted, 303), begun)  # type: ignore[arg-type]


def _of_keystone() -> session.Session:
    form = {name: request.form.get(name, "").strip() for name in _FIELDS}
    if not form["project"]:  # Keystone would give a token of no project, or of the user's own choice
        raise BadRequest("project: must be given.")
    login = Login(
        user=form["user"],
        password=request.form.get("password", ""),
        user_domain=form["user_domain"] or "Default",
        project=form["project"],
        project_domain=form["project_domain"] or form["user_domain"] or "Default",
    )
    access = Keystone(services().conf).sign_in(login)
    expires = access.expires
    until = expires.replace(tzinfo=expires.tzinfo or datetime.UTC).timestamp() if expires else None
    return session.begin(access.auth_token or "", login.user, login.project, until)


def _keystone() -> bool:
    return isinstance(console().auth, KeystoneAuth)


def add_to(pages: Blueprint) -> None:
    """The paths of signing in and out."""
    pages.add_url_rule("/signin", "sign_in", sign_in, methods=["GET", "POST"])
    pages.add_url_rule("/enter", "enter", enter, methods=["GET"])
    pages.add_url_rule("/signout", "sign_out", sign_out, methods=["POST"])
