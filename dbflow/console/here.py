# SPDX-License-Identifier: Apache-2.0
"""The console of this process, and what the frame around every page needs."""

import dataclasses
from typing import Any

from flask import current_app, g, request

from dbflow.api.auth import Auth
from dbflow.api.ratelimit import RateLimits
from dbflow.console import session, theme
from dbflow.console.live import Fragments
from dbflow.console.sight import Sight, path
from dbflow.console.tickets import Tickets
from dbflow.db.models import utcnow


@dataclasses.dataclass
class Console:
    """What the console of one process has; in the application as ``extensions["dbflow.console"]``."""

    auth: Auth
    rates: RateLimits
    tickets: Tickets
    live: Fragments
    version: str
    """Of the static files: part of their addresses, so that browsers may keep them."""


def console() -> Console:
    """Of the application that serves this request."""
    found: Console = current_app.extensions["dbflow.console"]
    return found


def frame() -> dict[str, Any]:
    """For the templates."""
    signed_in = session.current() if "caller" in g else None
    root = request.script_root
    return {
        "session": signed_in,
        "who": g.get("caller"),
        "may": Sight.of_request().may if "caller" in g else frozenset(),
        "static": lambda name: f"{path(root, 'static', name)}?v={console().version}",
        "at": lambda *parts, **query: path(root, *parts, query=query),
        "theme": theme.chosen(),
        "here": _here(),
        "now": utcnow(),
    }


def _here() -> str:
    """This page, to come back to; "" for what a form was answered with, which can't be asked for again."""
    return "" if request.method == "POST" else request.full_path.rstrip("?").removeprefix(session.PATH)
