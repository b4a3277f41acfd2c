# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key on every POST: found before the handler runs, answered after it."""

import hashlib
import logging
from collections.abc import Callable
from typing import Any

from flask import Response, g, request

from dbflow.api.here import answer, caller, services
from dbflow.api.views.backups import backup as backup_view
from dbflow.api.views.configurations import detail as configuration_view
from dbflow.api.views.instances import Viewer
from dbflow.api.views.modules import detail as module_view
from dbflow.services import backups, configurations, idempotency, instances, modules
from dbflow.services.errors import BadRequest

LOG = logging.getLogger(__name__)

_KEPT_HEADERS = ("Link", "Content-Type")


def before() -> Response | None:
    """Claim the key, or answer as the first request was answered."""
    key = request.headers.get("Idempotency-Key")
    if request.method != "POST" or key is None:
        return None
    if not (0 < len(key) <= 255 and key.isascii() and key.isprintable()):
        raise BadRequest("Idempotency-Key: must be 1 to 255 printable ASCII characters.")
    known = idempotency.claim(services(), caller(), key, _fingerprint())
    if isinstance(known, idempotency.Answer):
        return Response(known.body, known.status, known.headers)
    if isinstance(known, idempotency.Accepted):
        return _again(known)
    g.claim = caller().once = known
    return None


def _fingerprint() -> str:
    parts = (request.method.encode(), request.full_path.encode(), request.get_data())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _again(known: idempotency.Accepted) -> Response:
    """The answer of a request that was accepted, made anew since it was lost in a crash."""
    made = _MADE.get("/".join(request.path.rstrip("/").split("/")[3:]))  # below version and project
    if made is None:
        return answer(status=202, operation=known.operation_id)
    shown, status = made(known.target_id)
    return answer(shown, status, operation=known.operation_id)


def _instance(made_id: str) -> tuple[dict[str, Any], int]:
    row, replicas = instances.show(services(), caller(), made_id)
    return {"instance": Viewer().detail(row, replicas)}, 200


def _backup(made_id: str) -> tuple[dict[str, Any], int]:
    return {"backup": backup_view(backups.show(services(), caller(), made_id))}, 202


def _configuration(made_id: str) -> tuple[dict[str, Any], int]:
    return {"configuration": configuration_view(configurations.show(services(), caller(), made_id))}, 200


def _module(made_id: str) -> tuple[dict[str, Any], int]:
    return {"module": module_view(modules.show(services(), caller(), made_id))}, 200


_MADE: dict[str, Callable[[str], tuple[dict[str, Any], int]]] = {
    "instances": _instance,
    "backups": _backup,
    "configurations": _configuration,
    "modules": _module,
}
"""Collection -> how what was made in it is shown, with what status."""


def after(response: Response) -> None:
    """Keep the answer, or free the key of a request that was refused and did nothing."""
    claim: idempotency.Claim | None = g.pop("claim", None)
    if claim is None:
        return
    try:
        kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
        told = idempotency.Answer(response.status_code, response.get_data(as_text=True), kept)
        if told.status < 400:
            claim.answer(told)
        elif told.status < 500:
            claim.refuse(told)
        else:
            claim.forget()
    except Exception as error:  # the request itself is done; what the key stands for is in its operation
        LOG.warning("the answer for an Idempotency-Key was not kept: %s", type(error).__name__)
