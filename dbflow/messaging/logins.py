# SPDX-License-Identifier: Apache-2.0
"""Who guests are at the broker. Each has a user of its own, who may write to the exchange *up* and read its own queue,
and whose password follows from the instance's message key."""

import re
from typing import Protocol

from dbflow.crypto import broker_password
from dbflow.messaging.connection import EMBEDDED, connection, with_login
from dbflow.messaging.layout import Layout, guest_of, guest_user
from dbflow.messaging.management import Management, quoted

ANSWER = 10.0
"""Seconds for RabbitMQ's management API to answer."""
_CONNECTIONS = "max-connections"
LIMITS = {_CONNECTIONS: 8, "max-channels": 32}
"""Of one guest; it uses two of each, and twice that for a moment while it connects again."""


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

    def cut_off(self, instance_id: str) -> None:
        """End its connections and take no new ones until it is let back. BrokerUnavailable."""

    def let_back(self) -> list[str]:
        """Those who were cut off may connect again; who they are. BrokerUnavailable."""


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

    def cut_off(self, instance_id: str) -> None:
        """Nobody can tell who it is."""

    def let_back(self) -> list[str]:
        return []


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

    def cut_off(self, instance_id: str) -> None:
        """Nothing to do: the broker reads from a guest no faster than is taken from it."""

    def let_back(self) -> list[str]:
        return []


class RabbitLogins(DerivedLogins):
    """RabbitMQ's, by its management API."""

    def __init__(self, url: str, exchange: str, management_url: str) -> None:
        """``management_url``: http(s)://USER:PASSWORD@HOST:PORT of a user with the tag ``administrator``."""
        super().__init__(url)
        self._layout = Layout(exchange)
        self._vhost = quoted(connection(url).virtual_host or "/")
        self._management = Management(management_url)

    def open(self, instance_id: str, key: bytes) -> None:
        user = quoted(guest_user(instance_id))
        rights = {
            "configure": "^$",
            "write": _exactly(self._layout.up.name),
            "read": _exactly(self._layout.guest(instance_id).name),
        }
        with self._management.calls(ANSWER) as call:
            call("PUT", f"users/{user}", {"password": broker_password(key), "tags": ""})
            for limit, value in LIMITS.items():
                call("PUT", f"user-limits/{user}/{limit}", {"value": value})
            call("PUT", f"permissions/{self._vhost}/{user}", rights)

    def close(self, instance_id: str) -> None:
        """RabbitMQ closes the connections of a user who is deleted."""
        with self._management.calls(ANSWER) as call:
            call("DELETE", f"users/{quoted(guest_user(instance_id))}")

    def cut_off(self, instance_id: str) -> None:
        """By its limit of connections, which RabbitMQ keeps."""
        user = quoted(guest_user(instance_id))
        with self._management.calls(ANSWER) as call:
            call("PUT", f"user-limits/{user}/{_CONNECTIONS}", {"value": 0})
            call("DELETE", f"connections/username/{user}")

    def let_back(self) -> list[str]:
        """See the base class."""
        back = []
        with self._management.calls(ANSWER) as call:
            for user in call("GET", "user-limits"):
                instance_id = guest_of(user["user"])
                if instance_id is not None and user["value"].get(_CONNECTIONS) == 0:
                    call("PUT", f"user-limits/{quoted(user['user'])}/{_CONNECTIONS}", {"value": LIMITS[_CONNECTIONS]})
                    back.append(instance_id)
        return back


def _exactly(name: str) -> str:
    return f"^{re.escape(name)}$"
