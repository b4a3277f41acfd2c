# SPDX-License-Identifier: Apache-2.0
"""/healthcheck, for load balancers and people: open to all, so it says neither where things are nor why they fail."""

import os

from flask import Blueprint, Response, current_app, request

from dbflow.api.accept import JSON
from dbflow.api.here import answer, services
from dbflow.healthcheck import Checks, Found
from dbflow.services.errors import BadRequest

pages = Blueprint("health", __name__)
EXTENSION = "dbflow.health"
_PLAIN = "text/plain"


@pages.get("/healthcheck")
def healthcheck() -> Response:
    """200 when all is there, else 503; ``?only=sql,catalog`` asks for these alone."""
    found = _checks().look(_wanted())
    disabled = _disabled()
    there = not disabled and all(one.there for one in found.values())
    status = 200 if there else 503
    headers = {"Cache-Control": "no-store"}
    if request.accept_mimetypes.best_match([_PLAIN, JSON]) == JSON:
        checks = {name: {"status": _word(one), "time_ms": one.milliseconds} for name, one in found.items()}
        return answer({"healthy": there, "disabled": disabled, "checks": checks}, status, headers=headers)
    first = "DISABLED BY FILE" if disabled else "OK" if there else "UNAVAILABLE"
    lines = [first, *(f"{name}: {_word(one)}, {one.milliseconds} ms" for name, one in found.items())]
    return Response("\n".join(lines) + "\n", status, headers, mimetype=_PLAIN)


def _checks() -> Checks:
    found: Checks = current_app.extensions[EXTENSION]
    return found


def _wanted() -> list[str]:
    names = _checks().names
    asked = request.args.get("only")
    if asked is None:
        return names
    wanted = asked.split(",") if asked else []
    if not set(wanted) <= set(names):
        raise BadRequest(f"only: names of {', '.join(names)}, with commas between.")
    return list(dict.fromkeys(wanted))


def _disabled() -> bool:
    path: str | None = services().conf.api.healthcheck_disabled_by
    return path is not None and os.path.exists(path)


def _word(found: Found) -> str:
    return "ok" if found.there else "error"
