# SPDX-License-Identifier: Apache-2.0
"""What a query string asks for."""

from flask import request

from dbflow.services.errors import BadRequest

_TRUE, _FALSE = {"1", "true", "yes", "on", "t", "y"}, {"0", "false", "no", "off", "f", "n"}


def text(name: str) -> str | None:
    """What is given; None for nothing."""
    return request.args.get(name) or None


def flag(name: str) -> bool | None:
    """BadRequest for what is neither; None for nothing."""
    given = request.args.get(name, "").lower()
    if given and given not in _TRUE | _FALSE:
        raise BadRequest(f"{name}: must be true or false.")
    return given in _TRUE if given else None
