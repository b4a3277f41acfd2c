# SPDX-License-Identifier: Apache-2.0
"""RabbitMQ's management API, which alone makes users and can list."""

import contextlib
import urllib.parse
from collections.abc import Iterator, Mapping
from typing import Any, Protocol

import requests

from dbflow.messaging.errors import BrokerUnavailable

_CONNECT = 3.05
"""Seconds for it to take a connection."""


class Call(Protocol):
    """One request; what a GET is answered, decoded. What a DELETE finds gone is fine."""

    def __call__(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any: ...


class Management:
    """Of one broker."""

    def __init__(self, url: str) -> None:
        """``url``: http(s)://USER:PASSWORD@HOST:PORT."""
        parts = urllib.parse.urlsplit(url)
        self._login = (urllib.parse.unquote(parts.username or ""), urllib.parse.unquote(parts.password or ""))
        self._api = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/api"

    @contextlib.contextmanager
    def calls(self, timeout: float) -> Iterator[Call]:
        """Calls over one connection, each answered within ``timeout`` seconds. They raise BrokerUnavailable."""
        with requests.Session() as session:
            session.auth, session.trust_env = self._login, False

            def call(method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
                try:
                    answer = session.request(method, f"{self._api}/{path}", json=body, timeout=(_CONNECT, timeout))
                except requests.RequestException as error:
                    raise BrokerUnavailable(f"RabbitMQ's management API: {type(error).__name__}") from None
                gone = method == "DELETE" and answer.status_code == 404
                if not (answer.ok or gone):
                    raise BrokerUnavailable(f"RabbitMQ's management API refuses {method} with {answer.status_code}")
                return answer.json() if method == "GET" else None

            yield call


def quoted(name: str) -> str:
    """A name as part of a path."""
    return urllib.parse.quote(name, safe="")
