# SPDX-License-Identifier: Apache-2.0
"""TLS of an instance."""

from typing import Any

from dbflow.api.views import timestamp
from dbflow.services.ssl import Seen


def changed(seen: Seen) -> dict[str, Any]:
    """After a change: a running server takes every mode and every certificate at once."""
    return {**_state(seen), "restart_required": False}


def shown(seen: Seen, whole: bool) -> dict[str, Any]:
    """``whole``: with the certificates themselves."""
    found = _state(seen)
    if seen.certificate is not None:
        told = seen.certificate.shown
        certificate: dict[str, Any] = {"cn": told.cn, "expire_at": timestamp(told.expires), "san": list(told.san)}
        found["certificate"] = certificate | ({"payload": seen.certificate.payload} if whole else {})
    return found


def _state(seen: Seen) -> dict[str, Any]:
    return {"status": "off" if seen.certificate is None else "on", "mode": seen.mode}
