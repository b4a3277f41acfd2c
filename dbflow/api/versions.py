# SPDX-License-Identifier: Apache-2.0
"""The version documents, which need no token."""

from typing import Any

from flask import Blueprint, Response

from dbflow.api.docs import answers
from dbflow.api.here import answer, endpoint
from dbflow.api.schemas.versions import ONE

pages = Blueprint("versions", __name__)


def _version() -> dict[str, Any]:
    return {
        "id": "v1.0",
        "status": "CURRENT",
        "updated": "2012-08-01T00:00:00Z",
        "links": [{"rel": "self", "href": f"{endpoint()}/v1.0/"}],
    }


def versions() -> Response:
    """Every version there is."""
    return answer({"versions": [_version()]})


@pages.get("/v1.0")
@answers(ONE)
def version() -> Response:
    """The one version; openstacksdk asks for it before it has a token."""
    return answer({"version": _version()})
