# SPDX-License-Identifier: Apache-2.0
"""What a broker has of guests: asked of RabbitMQ's management API, which alone can list.

Without that API nothing is listed; a queue that nobody reads expires by itself, and there are no users of guests. The
embedded broker ends with the one process that could leave something there.
"""

import re
from typing import Any, Protocol

from dbflow.messaging.connection import EMBEDDED, connection
from dbflow.messaging.layout import Layout, guest_of
from dbflow.messaging.management import Management, quoted

_ANSWER = 30.0
"""Seconds for a list of all there is."""


class Deleting(Protocol):
    """Who removes a guest's queue and user."""

    def delete_guest(self, instance_id: str) -> None: ...


class Census:
    """Guests of this deployment: those of its virtual host with its prefix."""

    def __init__(self, options: Any, channels: Deleting) -> None:
        """``options``: those of ``[messaging]``."""
        self._layout, self._channels = Layout(options.exchange), channels
        known = options.management_url and not options.url.startswith(EMBEDDED)
        self._management = Management(options.management_url) if known else None
        self._vhost = connection(options.url).virtual_host or "/"

    @property
    def lists(self) -> bool:
        """Whether the broker can tell what it has."""
        return self._management is not None

    def guests(self) -> set[str]:
        """Ids of the instances with a queue or a user. BrokerUnavailable."""
        return self._queues() | self._users()

    def complete(self) -> set[str]:
        """Ids of the instances with a queue and a user. BrokerUnavailable."""
        return self._queues() & self._users()

    def _queues(self) -> set[str]:
        prefix = self._layout.guest("").name
        names = {queue["name"] for queue in self._ask("queues/{}?columns=name")}
        return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}

    def _users(self) -> set[str]:
        rights = self._ask("vhosts/{}/permissions")
        users = {guest_of(right["user"]): right["read"] for right in rights}
        return {
            instance_id
            for instance_id, read in users.items()
            if instance_id is not None and self._is_ours(read, instance_id)
        }

    def delete_guest(self, instance_id: str) -> None:
        """Remove both; fine when they are gone. BrokerUnavailable."""
        self._channels.delete_guest(instance_id)

    def _is_ours(self, read: str, instance_id: str) -> bool:
        """Deployments of one virtual host have queues of other names, which their guests' rights show."""
        return re.fullmatch(read, self._layout.guest(instance_id).name) is not None

    def _ask(self, path: str) -> list[dict[str, Any]]:
        if self._management is None:
            return []
        with self._management.calls(_ANSWER) as call:
            found: list[dict[str, Any]] = call("GET", path.format(quoted(self._vhost)))
        return found
