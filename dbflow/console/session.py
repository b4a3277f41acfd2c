# SPDX-License-Identifier: Apache-2.0
"""The signed-in browser: a cookie that only the keyring opens, and whose token the API's own middleware checks."""

import dataclasses
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from flask import Response, request
from werkzeug.http import parse_cookie

from dbflow.api.auth import Wsgi
from dbflow.api.here import services
from dbflow.crypto import BadSeal, Keyring

PATH = "/console"
COOKIE = "dbflow_console"
_ENVIRON = "dbflow.console.session"
_TOKENS = ("HTTP_X_AUTH_TOKEN", "HTTP_X_STORAGE_TOKEN")
"""What Keystone's middleware takes a token from."""
_LARGEST = 4000
"""Bytes of a cookie that every browser keeps."""


class TooLarge(Exception):
    """The token does not fit into a cookie."""


@dataclasses.dataclass(frozen=True)
class Session:
    """What the cookie holds."""

    token: str = dataclasses.field(repr=False)
    csrf: str = dataclasses.field(repr=False)
    until: float
    """Seconds since 1970."""
    user: str = ""
    """Names, for people; who somebody is says the token."""
    project: str = ""


def begin(token: str, user: str = "", project: str = "", until: float | None = None) -> Session:
    """A new session for a token that is good until ``until``."""
    lifetime = time.time() + services().conf.console.session_lifetime
    return Session(token, secrets.token_urlsafe(24), min(lifetime, until or lifetime), user, project)


def current() -> Session | None:
    """Of this request; its token may be none of ours."""
    found: Session | None = request.environ.get(_ENVIRON)
    return found


def save(response: Response, session: Session) -> Response:
    """Sign the browser in."""
    sealed = services().keyring.seal(dataclasses.asdict(session))
    if len(sealed) > _LARGEST:
        raise TooLarge
    response.set_cookie(
        COOKIE,
        sealed,
        max_age=max(0, int(session.until - time.time())),
        path=_path(),
        secure=is_https(),
        httponly=True,
        samesite="Lax",
    )
    return response


def forget(response: Response) -> Response:
    """Sign the browser out."""
    response.delete_cookie(COOKIE, path=_path(), secure=is_https(), httponly=True, samesite="Lax")
    return response


def is_https() -> bool:
    """Whether the browser talks HTTPS, to us or to a proxy before us."""
    return request.is_secure or (services().conf.api.public_endpoint or "").startswith("https:")


def _path() -> str:
    return request.script_root + PATH


def is_console(path: str) -> bool:
    """Whether a request's path is one of the console's."""
    return path == PATH or path.startswith(f"{PATH}/")


class CookieToken:
    """WSGI middleware around the API's: for the console's paths the token is the cookie's, and no other."""

    def __init__(self, wsgi: Wsgi, keyring: Keyring) -> None:
        self._wsgi, self._keyring = wsgi, keyring

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Serve."""
        path = environ.get("PATH_INFO", "")
        if is_console(path):
            for name in _TOKENS:
                environ.pop(name, None)
            session = None if path.startswith(f"{PATH}/static/") else self._opened(environ)
            if session is not None:
                environ[_ENVIRON] = session
                environ["HTTP_X_AUTH_TOKEN"] = session.token
        answer: Iterable[bytes] = self._wsgi(environ, start_response)
        return answer

    def _opened(self, environ: Mapping[str, Any]) -> Session | None:
        sealed = parse_cookie(environ.get("HTTP_COOKIE", "")).get(COOKIE, "")
        if not sealed:
            return None
        try:
            session = Session(**self._keyring.unseal(sealed))
        except (BadSeal, TypeError, ValueError):
            return None
        return session if session.until > time.time() else None
