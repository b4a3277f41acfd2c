# SPDX-License-Identifier: Apache-2.0
"""Dispatchers and requests for tests."""

import pathlib
import uuid
from collections.abc import Callable
from typing import Any

from dbflow.crypto import new_message_key
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.logins import Logins, SharedLogin
from dbflow.messaging.wire import EXECUTE, GuestRequest, RequestId
from tests.guests.process import GuestProcess
from tests.waiting import wait_for

PATIENCE = 60.0
"""Seconds for an agent to be started and to answer while other tests have the machine."""
TASKS = "tests.guests.tasks"
EXCHANGE = "test"
"""Each test has a broker or virtual host of its own."""


def request(
    instance_id: str,
    task: str,
    *,
    atom: str | None = None,
    action: str = EXECUTE,
    attempt: int = 1,
    epoch: int = 1,
    deadline: float = 120.0,
    **arguments: Any,
) -> GuestRequest:
    """A request for one of tests.guests.tasks."""
    return GuestRequest(
        instance_id=instance_id,
        id=RequestId(atom or str(uuid.uuid4()), action, attempt),
        task=f"{TASKS}.{task}",
        name=task,
        epoch=epoch,
        deadline=deadline,
        arguments={"instance_id": instance_id, **arguments},
    )


class Field:
    """A broker's URL, guests and dispatchers on it; everything is stopped at the end."""

    def __init__(self, root: pathlib.Path, url: str, logins: Logins | None = None) -> None:
        """``logins``: guests' own; by default they share that of ``url``."""
        self.root, self.url = root, url
        self.exchange = EXCHANGE
        self.logins: Logins = logins or SharedLogin(url)
        self.keys: dict[str, bytes] = {}
        self._stops: list[Callable[[], object]] = []

    def key_of(self, instance_id: str) -> bytes:
        return self.keys[instance_id]

    def url_of(self, instance_id: str) -> str:
        """As a guest logs in."""
        return self.logins.url(instance_id, self.keys[instance_id])

    def dispatcher(self, *, wait: bool = True, **options: Any) -> Dispatcher:
        """A started dispatcher, connected unless it is not to ``wait``; quick to send again."""
        name = f"asker-{uuid.uuid4().hex[:8]}"
        made = Dispatcher(
            self.url, self.exchange, name, self.key_of, **{"resend": 0.4, "logins": self.logins, **options}
        )
        made.start()
        self._stops.append(made.stop)
        if wait:
            wait_for(lambda: made.ready, 60, "the broker")
        return made

    def guest(self, *, start: bool = True) -> GuestProcess:
        """A guest with a key of its own, its agent started."""
        instance_id = str(uuid.uuid4())
        key = self.keys[instance_id] = new_message_key()
        self.logins.open(instance_id, key)
        self._stops.append(lambda: self.logins.close(instance_id))
        made = GuestProcess(self.root, instance_id, key, self.url_of(instance_id), self.exchange)
        self._stops.append(made.kill)
        if start:
            made.start()
        return made

    def close(self) -> None:
        for stop in reversed(self._stops):
            stop()
