# SPDX-License-Identifier: Apache-2.0
"""Idempotency-Key on every POST: found before the handler runs, answered after it."""

import hashlib
import logging

from flask import Response, g, request

from dbflow.api.here import answer, caller, services
from dbflow.api.views.backups import backup as backup_view
from dbflow.api.views.instances import Viewer
from dbflow.services import backups, idempotency, instances
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
    if request.path.rstrip("/").endswith("/instances"):
        row, replicas = instances.show(services(), caller(), known.target_id)
        return answer({"instance": Viewer().detail(row, replicas)}, operation=known.operation_id)
    if request.path.rstrip("/").endswith("/backups"):
        seen = backups.show(services(), caller(), known.target_id)
        return answer({"backup": backup_view(seen)}, 202, operation=known.operation_id)
    return answer(status=202, operation=known.operation_id)


def after(response: Response) -> None:
    """Keep the answer, or free the key of a request that was refused."""
    claim: idempotency.Claim | None = g.pop("claim", None)
    if claim is None:
        return
    try:
        if response.status_code < 400:
            kept = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
            claim.answer(idempotency.Answer(response.status_code, response.get_data(as_text=True), kept))
        else:
            claim.forget()
    except Exception as error:  # the request itself is done; what the key stands for is in its operation
        LOG.warning("the answer for an Idempotency-Key was not kept: %s", type(error).__name__)
