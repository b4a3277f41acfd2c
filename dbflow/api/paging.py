# SPDX-License-Identifier: Apache-2.0
"""``limit`` and ``marker`` of lists, and the link to the next page."""

from typing import Any
from urllib.parse import urlencode

from flask import request

from dbflow.api.here import asked_url, services
from dbflow.services.errors import BadRequest

_LONGEST = 1024


def asked(resource: str) -> tuple[int, str | None]:
    """(limit, marker); the limit is capped by, and by default is, ``[api] <resource>_page_size``."""
    most: int = services().conf.api[f"{resource}_page_size"]
    limit, marker = request.args.get("limit"), request.args.get("marker") or None
    if marker is not None and (len(marker) > _LONGEST or not marker.isprintable()):
        raise BadRequest("marker: is not valid.")
    if not limit:
        return most, marker
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        raise BadRequest("limit: must be a whole number of 0 or more.")
    return min(int(limit) or most, most), marker


def next_link(marker: str | None) -> dict[str, Any]:
    """What a list says of its next page: nothing on the last one."""
    if marker is None:
        return {}
    query = urlencode({**request.args.to_dict(), "marker": marker})
    return {"links": [{"rel": "next", "href": f"{asked_url()}?{query}"}]}
