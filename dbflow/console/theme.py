# SPDX-License-Identifier: Apache-2.0
"""Light, dark, or as the system is set: a cookie, so that a page comes in its colours at once, without a script."""

import functools

from flask import Blueprint, Response, redirect, request

from dbflow.console import session
from dbflow.console.drawing import LOOKS, style
from dbflow.console.sight import safe_path

COOKIE = "dbflow_console_theme"
NEXT = {"": "dark", "dark": "light", "light": ""}
_YEAR = 365 * 86400


def chosen() -> str:
    """light, dark, or "" for the system's."""
    found = request.cookies.get(COOKIE, "")
    return found if found in NEXT else ""


def change() -> Response:
    """POST: the next one, and back to the page."""
    answer = redirect(safe_path(request.form.get("back", "")), 303)
    answer.set_cookie(
        COOKIE,
        NEXT[chosen()],
        max_age=_YEAR,
        path=request.script_root + session.PATH,
        secure=session.is_https(),
        httponly=True,
        samesite="Lax",
    )
    return answer  # type: ignore[return-value]


@functools.cache
def css() -> str:
    """The drawings' style, and the same colours for a theme that is chosen."""
    rules = []
    for name, scheme in (("light", "light"), ("dark", "dark")):
        colours = "".join(
            f"--flow-{state.lower().replace('_', '-')}:{getattr(look, scheme)};" for state, look in LOOKS.items()
        )
        rules.append(f":root[data-theme={name}]{{{colours}{_INKS[scheme]}}}")
    tones = "".join(
        f".tone-{state.lower().replace('_', '-')}{{color:var(--flow-{state.lower().replace('_', '-')})}}"
        for state in LOOKS
    )
    return f"{style()}\n{''.join(rules)}\n{tones}\n"


_INKS = {
    "light": "--flow-ink:#1f2328;--flow-paper:#ffffff;--flow-line:#6e7781;--flow-frame:#8c959f",
    "dark": "--flow-ink:#e6edf3;--flow-paper:#161b22;--flow-line:#8b949e;--flow-frame:#6e7681",
}


def flow_style() -> Response:
    """GET /console/static/flow.css"""
    return Response(css(), headers={"Cache-Control": "public, max-age=86400"}, mimetype="text/css")


def add_to(pages: Blueprint) -> None:
    """The path of the toggle."""
    pages.add_url_rule("/theme", "theme", change, methods=["POST"])
