# SPDX-License-Identifier: Apache-2.0
"""Somebody with a root shell on a guest: knows its message key and its login at the broker, and nothing else."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import kombu

from dbflow.messaging.connection import connection, user_of
from dbflow.messaging.layout import Layout
from tests.guests.asking import Field
from tests.guests.process import GuestProcess

PATIENCE = 5.0
"""Seconds in which a broker that refuses says so."""


class Attacker:
    """Of one guest of a field."""

    def __init__(self, field: Field, guest: GuestProcess) -> None:
        self.instance_id, self.key = guest.instance_id, field.key_of(guest.instance_id)
        self.url = field.url_of(guest.instance_id)
        self.user = user_of(self.url)
        self.layout = Layout(field.exchange)

    @contextlib.contextmanager
    def channel(self) -> Iterator[Any]:
        """One at the broker."""
        with connection(self.url) as conn:
            yield conn.channel()

    def refused(self, attack: Callable[[Any], object]) -> bool:
        """Whether the broker refuses what ``attack`` does with a channel, at once or by ending the channel."""
        conn = connection(self.url)
        conn.connect()
        try:
            attack(conn.channel())
            conn.drain_events(timeout=PATIENCE)
        except TimeoutError:
            return False
        except (*conn.channel_errors, *conn.connection_errors):
            return True
        finally:
            with contextlib.suppress(*conn.channel_errors, *conn.connection_errors):
                conn.close()
        return False

    def publish(self, key: str, body: Any, **properties: Any) -> None:
        """To the control plane, in the attacker's own name."""
        with self.channel() as channel:
            kombu.Producer(channel).publish(
                body, exchange=self.layout.up.name, routing_key=key, **{"user_id": self.user, **properties}
            )
