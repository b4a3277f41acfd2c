# SPDX-License-Identifier: Apache-2.0
"""What the console's buttons do: each is a POST, asks the policy, and calls the service that the API calls."""

from collections.abc import Callable

from flask import Blueprint, Response, make_response, redirect, render_template, request

from dbflow.api.here import authorize, caller, services
from dbflow.console.sight import path, safe_path
from dbflow.services import backups, fleet, operations
from dbflow.services.errors import BadRequest
from dbflow.services.selection import Results, each
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
    verb = _verb()
    authorize(RULES[verb])
    results = operations.act_on_all(services(), caller(), _chosen("operation"), verb)
    return _results(verb, "Operation", results, lambda one: path(request.script_root, "operations", one))


def delete_backups() -> Response:
    """POST /backups/delete, id=… id=…: what became of each."""
    authorize("backup:delete")
    chosen = _chosen("backup")
    results = each(chosen, lambda backup_id: backups.delete(services(), caller(), backup_id))
    return _results("delete", "Backup", results, lambda one: path(request.script_root, "backups", query={"chain": one}))


def drain(name: str) -> Response:
    """POST /conductors/<name>/drain, draining=yes|no."""
    authorize("mgmt:conductor_update")
    wanted = request.form.get("draining")
    if wanted not in ("yes", "no"):
        raise BadRequest("draining: must be yes or no.")
    fleet.drain(services().database, name, wanted == "yes")
    return _back()


def _chosen(what: str) -> list[str]:
    chosen = request.form.getlist("id")
    if not chosen:
        raise BadRequest(f"Choose at least one {what}.")
    if len(chosen) > _MOST:
        raise BadRequest(f"At most {_MOST} {what}s at once.")
    return chosen


def _results(verb: str, what: str, results: Results, link: Callable[[str], str]) -> Response:
    """A page that says what became of each."""
    failed = sum(why != "" for _, why in results)
    shown = {"verb": verb, "what": what, "results": results, "failed": failed, "link": link}
    page = render_template("console/results.html", back=safe_path(request.form.get("back", "")), **shown)
    return make_response(page, 409 if failed == len(results) else 200)


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
    pages.add_url_rule("/backups/delete", "delete_backups", delete_backups, methods=["POST"])
    pages.add_url_rule("/conductors/<name>/drain", "drain", drain, methods=["POST"])
