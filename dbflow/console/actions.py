# SPDX-License-Identifier: Apache-2.0
"""What the console's buttons do: each is a POST, asks the policy, and calls the service that the API calls."""

from flask import Blueprint, Response, make_response, redirect, render_template, request

from dbflow.api.here import authorize, caller, services
from dbflow.console.sight import safe_path
from dbflow.services import fleet, operations
from dbflow.services.errors import BadRequest
from dbflow.services.verbs import RULES

_MOST = 100


def act(operation_id: str) -> Response:
    """POST /operations/<id>/act, verb=…: then back to the page."""
    verb = _verb()
    authorize(RULES[verb])
    operations.act(services(), caller(), operation_id, verb)
    return _back()


def act_on_all() -> Response:
    """POST /operations/act, verb=… id=… id=…: what became of each."""
    verb, chosen = _verb(), request.form.getlist("id")
    authorize(RULES[verb])
    if not chosen:
        raise BadRequest("Choose at least one operation.")
    if len(chosen) > _MOST:
        raise BadRequest(f"At most {_MOST} operations at once.")
    results = operations.act_on_all(services(), caller(), chosen, verb)
    back = safe_path(request.form.get("back", ""))
    failed = sum(why != "" for _, why in results)
    page = render_template("console/results.html", verb=verb, results=results, failed=failed, back=back)
    return make_response(page, 409 if failed == len(results) else 200)


def drain(name: str) -> Response:
    """POST /conductors/<name>/drain, draining=yes|no."""
    authorize("mgmt:conductor_update")
    wanted = request.form.get("draining")
    if wanted not in ("yes", "no"):
        raise BadRequest("draining: must be yes or no.")
    fleet.drain(services().database, name, wanted == "yes")
    return _back()


def _verb() -> str:
    verb = request.form.get("verb", "")
    if verb not in RULES:
        raise BadRequest(f"verb: must be one of {', '.join(RULES)}.")
    return verb


def _back() -> Response:
    answer: Response = redirect(safe_path(request.form.get("back", "")), 303)  # type: ignore[assignment]
    return answer


def add_to(pages: Blueprint) -> None:
    """The paths of the actions."""
    pages.add_url_rule("/operations/<operation_id>/act", "act", act, methods=["POST"])
    pages.add_url_rule("/operations/act", "act_on_all", act_on_all, methods=["POST"])
    pages.add_url_rule("/conductors/<name>/drain", "drain", drain, methods=["POST"])
