# SPDX-License-Identifier: Apache-2.0
"""What the client wants to be answered in: JSON, or XML where it likes that better."""

from collections.abc import Iterable

from flask import request

from dbflow.services.errors import NotAcceptable

JSON = "application/json"
XML = "application/xml"
PROBLEM_JSON = "application/problem+json"
PROBLEM_XML = "application/problem+xml"
_JSONS = (JSON, PROBLEM_JSON, "application/vnd.openstack.trove+json")
_XMLS = (XML, PROBLEM_XML)
_UNSAID = ("", "*/*", JSON)
_BY_NAME = 2
_Liking = tuple[float, int]
"""(quality, how exactly it is named)"""


def wants_xml() -> bool:
    """Whether XML is named, and liked better than JSON."""
    if request.headers.get("Accept", "").strip() in _UNSAID:
        return False
    return _best(_XMLS) > _best(_JSONS)


def check(media: Iterable[str]) -> None:
    """NotAcceptable when the client takes none of these, and none of the kinds of JSON and XML."""
    if request.headers.get("Accept", "").strip() in _UNSAID:
        return
    if not any(_liking(kind)[0] for kind in {*media, *_JSONS, *_XMLS}):
        raise NotAcceptable(f"Only {JSON} and {XML} can be answered.")


def _best(kinds: tuple[str, ...]) -> _Liking:
    """Of the first kind, or of another that is named itself."""
    others = (liking for kind in kinds[1:] if (liking := _liking(kind))[1] == _BY_NAME)
    return max([_liking(kinds[0]), *others])


def _liking(media: str) -> _Liking:
    """Of the range that names it most exactly. Parameters count nothing, but the version of Trove's own type."""
    likings = [
        (exactness, quality)
        for text, quality in request.accept_mimetypes
        if (exactness := _exactness(text.lower(), media)) is not None
    ]
    exactness, quality = max(likings, default=(0, 0.0))
    return (quality, exactness)


def _exactness(text: str, media: str) -> int | None:
    wanted, _, parameters = text.partition(";")
    wanted = wanted.strip()
    if wanted == _JSONS[-1] and "version" in parameters and "version=1.0" not in parameters.replace('"', ""):
        return None
    return {media: _BY_NAME, f"{media.partition('/')[0]}/*": 1, "*/*": 0}.get(wanted)
