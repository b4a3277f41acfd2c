# SPDX-License-Identifier: Apache-2.0
"""Only a form of ours may change something."""

import hmac
from urllib.parse import urlsplit

from flask import request

from dbflow.api.here import services
from dbflow.console.session import current
from dbflow.services.errors import Forbidden

FIELD = "csrf"


def check(*, signing_in: bool) -> None:
    """Forbidden for a POST that comes from elsewhere or, when somebody is signed in, without this session's token."""
    _check_origin()
    session = current()
    if session is None or signing_in:
        return
    sent = request.form.get(FIELD, "")
    if not hmac.compare_digest(sent.encode(), session.csrf.encode()):
        raise Forbidden("This form is out of date. Go back, reload the page and try again.")


def _check_origin() -> None:
    """Browsers say where a form was sent from; this guards the sign-in, which has no session yet."""
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in ("same-origin", "none"):
        raise Forbidden("Forms of other sites are refused.")
    # A proxy in front may not pass on the name that it was asked for.
    ours = {request.host, _host(services().conf.api.public_endpoint or "")}
    if site is None and origin is not None and _host(origin) not in ours - {""}:
        raise Forbidden("Forms of other sites are refused.")


def _host(url: str) -> str:
    """Empty for what has none, such as the origin "null" of a page that hides where it is from."""
    try:
        return urlsplit(url).netloc
    except ValueError:
        return ""
