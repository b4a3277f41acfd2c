# SPDX-License-Identifier: Apache-2.0
"""Who guests are at the broker. Each has a user of its own, who may write to the exchange *up* and read its own queue,
and whose password follows from the instance's message key."""

import contextlib
import logging
import re
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Protocol

import requests

from dbflow.crypto import broker_password
from dbflow.messaging.connection import EMBEDDED, connection, with_login
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.messaging.layout import Layout, guest_user

LOG = logging.getLogger(__name__)
TIMEOUT = (3.05, 10.0)
"""Seconds for RabbitMQ's management API to take a connection, and to answer."""
LIMITS = {"max-connections": 8, "max-channels": 32}
"""Of one guest; it uses two of each, and twice that for a moment while it connects again."""

Call = Callable[[str, str, Mapping[str, Any] | None], None]
"""Method, path, body."""


class Logins(Protocol):
    """Each call may be repeated."""

    named: bool
    """Whether a guest's messages carry its user, put there or checked by the broker."""

    def open(self, instance_id: str, key: bytes) -> None:
        """Make the guest's user, or set its rights again. BrokerUnavailable."""

    def close(self, instance_id: str) -> None:
        """Remove it and end its connections; fine when it is gone. BrokerUnavailable."""

    def url(self, instance_id: str, key: bytes) -> str:
        """With which the guest connects."""


def logins(url: str, exchange: str, management_url: str | None) -> Logins:
    """As the broker of ``url`` has them; RabbitMQ's are made through its management API."""
    if url.startswith(EMBEDDED):
        return DerivedLogins(url)
    if management_url:
        return RabbitLogins(url, exchange, management_url)
    return SharedLogin(url)


class SharedLogin:
    """All guests log in as the control plane does."""

    named = False

    def __init__(self, url: str) -> None:
        self._url = url

    def open(self, instance_id: str, key: bytes) -> None:
        """Nothing to do."""

    def close(self, instance_id: str) -> None:
        """Nothing to do."""

    def url(self, instance_id: str, key: bytes) -> str:
        return self._url


class DerivedLogins:
    """The embedded broker's: it works out who a guest is when it connects."""

    named = True

    def __init__(self, url: str) -> None:
        self._url = url

    def open(self, instance_id: str, key: bytes) -> None:
        """Nothing to do."""

    def close(self, instance_id: str) -> None:
        """Nothing to do: the broker lets go of a guest whose queue is deleted."""

    def url(self, instance_id: str, key: bytes) -> str:
        return with_login(self._url, guest_user(instance_id), broker_password(key))


class RabbitLogins(DerivedLogins):
    """RabbitMQ's, by its management API."""

    def __init__(self, url: str, exchange: str, management_url: str) -> None:
        """``management_url``: http(s)://USER:PASSWORD@HOST:PORT of a user with the tag ``administrator``."""
        super().__init__(url)
        self._layout = Layout(exchange)
        self._vhost = _quoted(connection(url).virtual_host or "/")
        parts = urllib.parse.urlsplit(management_url)
        self._login = (urllib.parse.unquote(parts.username or ""), urllib.parse.unquote(parts.password or ""))
        self._api = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}/api"

    def open(self, instance_id: str, key: bytes) -> None:
        user = _quoted(guest_user(instance_id))
        rights = {
            "configure": "^$",
            "write": _exactly(self._layout.up.name),
            "read": _exactly(self._layout.guest(instance_id).name),
        }
        with self._calls() as call:
            call("PUT", f"users/{user}", {"password": broker_password(key), "tags": ""})
            for limit, value in LIMITS.items():
                call("PUT", f"user-limits/{user}/{limit}", {"value": value})
            call("PUT", f"permissions/{self._vhost}/{user}", rights)

    def close(self, instance_id: str) -> None:
        """RabbitMQ closes the connections of a user who is deleted."""
        with self._calls() as call:
            call("DELETE", f"users/{_quoted(guest_user(instance_id))}", None)

    @contextlib.contextmanager
    def _calls(self) -> Iterator[Call]:
        with requests.Session() as session:
            session.auth, session.trust_env = self._login, False

            def call(method: str, path: str, body: Mapping[str, Any] | None) -> None:
                try:
                    answer = session.request(method, f"{self._api}/{path}", json=body, timeout=TIMEOUT)
                except requests.RequestException as error:
                    raise BrokerUnavailable(f"RabbitMQ's management API: {type(error).__name__}") from None
                gone = method == "DELETE" and answer.status_code == 404
                if not (answer.ok or gone):
                    raise BrokerUnavailable(f"RabbitMQ's management API refuses {method} with {answer.status_code}")

            yield call


def _quoted(name: str) -> str:
    return urllib.parse.quote(name, safe="")


def _exactly(name: str) -> str:
    return f"^{re.escape(name)}$"
