# SPDX-License-Identifier: Apache-2.0
"""``limit`` and ``marker`` of lists, and the link to the next page."""

from typing import Any
from urllib.parse import urlencode

from flask import request

from dbflow.api.here import asked_url, services
from dbflow.services.errors import BadRequest

_LONGEST = 1024
_MOST = 1000


def asked(resource: str, *, capped: bool = True) -> tuple[int, str | None]:
    """(limit, marker); the limit is (``capped`` by, and) by default, ``[api] <resource>_page_size``."""
    most: int = services().conf.api[f"{resource}_page_size"]
    limit, marker = request.args.get("limit"), request.args.get("marker") or None
    if marker is not None and (len(marker) > _LONGEST or not marker.isprintable()):
        raise BadRequest("marker: is not valid.")
    if not limit:
        return most, marker
    if not (limit.isascii() and limit.isdigit() and len(limit) < 10):
        raise BadRequest("limit: must be a whole number of 0 or more.")
    wanted = int(limit) or most
    return min(wanted, most if capped else _MOST), marker


def asked_offset(resource: str) -> tuple[int, int]:
    """(limit, offset) of lists whose marker is the number of items before the page, and whose limit is not capped."""
    limit, marker = asked(resource, capped=False)
    if marker is not None and not (marker.isascii() and marker.isdigit() and len(marker) < 10):
        raise BadRequest("marker: must be a whole number of 0 or more.")
    return limit, int(marker or 0)


def next_link(marker: str | int | None) -> dict[str, Any]:
    """What a list says of its next page: nothing on the last one."""
    if marker is None:
        return {}
    query = urlencode({**request.args.to_dict(), "marker": marker})
    return {"links": [{"rel": "next", "href": f"{asked_url()}?{query}"}]}
