# SPDX-License-Identifier: Apache-2.0
"""Exchanges and queues, by name.

A guest's rights on the broker are thus: configure nothing, write ``<prefix>.up``, read its own queue. All queues are
durable (RabbitMQ 4.3 and later refuse transient shared ones) and bounded, and their oldest messages make room.
"""

import dataclasses
from typing import Any

import kombu

ASKER_EXPIRES = 600.0
"""Seconds after which the reply queue of a process that has gone is removed."""
GUEST_EXPIRES = 7 * 86400.0
"""Seconds after which a queue that no guest reads is removed; it is made again when its guest is asked."""
MAX_REQUESTS, MAX_REQUEST_BYTES = 1000, 16 * 1024 * 1024
"""In one guest's queue; the oldest make room, and are sent again."""
MAX_ANSWERS, MAX_ANSWER_BYTES = 4000, 64 * 1024 * 1024
"""In the queue of one process; guests are asked again for those that were dropped."""
MAX_HEARTBEATS, MAX_HEARTBEAT_BYTES = 10_000, 16 * 1024 * 1024
HEARTBEAT = "heartbeat"
_USER = "guest-"


def guest_user(instance_id: str) -> str:
    """The guest's user at the broker."""
    return f"{_USER}{instance_id}"


def guest_of(user: Any) -> str | None:
    """The instance id in a guest's user; None for everybody else."""
    return user.removeprefix(_USER) if isinstance(user, str) and user.startswith(_USER) else None


@dataclasses.dataclass(frozen=True)
class Layout:
    """The names below one prefix."""

    prefix: str

    @property
    def down(self) -> kombu.Exchange:
        """Control plane to guests; the routing key is the instance id."""
        return kombu.Exchange(f"{self.prefix}.down", type="direct", durable=True, auto_delete=False)

    @property
    def up(self) -> kombu.Exchange:
        """Guests to the control plane; the routing key is the asker's name, or ``heartbeat``."""
        return kombu.Exchange(f"{self.prefix}.up", type="direct", durable=True, auto_delete=False)

    def guest(self, instance_id: str, *, declare: bool = True) -> kombu.Queue:
        """Requests to one guest. Only the control plane declares it."""
        return kombu.Queue(
            f"{self.prefix}.guest.{instance_id}",
            exchange=self.down,
            routing_key=instance_id,
            durable=True,
            expires=GUEST_EXPIRES,
            max_length=MAX_REQUESTS,
            max_length_bytes=MAX_REQUEST_BYTES,
            no_declare=not declare,
        )

    def asker(self, name: str) -> kombu.Queue:
        """Answers to one process of the control plane."""
        return kombu.Queue(
            f"{self.prefix}.asker.{name}",
            exchange=self.up,
            routing_key=name,
            durable=True,
            expires=ASKER_EXPIRES,
            max_length=MAX_ANSWERS,
            max_length_bytes=MAX_ANSWER_BYTES,
        )

    def heartbeats(self) -> kombu.Queue:
        """What guests say of themselves; shared by all conductors."""
        return kombu.Queue(
            f"{self.prefix}.heartbeats",
            exchange=self.up,
            routing_key=HEARTBEAT,
            durable=True,
            max_length=MAX_HEARTBEATS,
            max_length_bytes=MAX_HEARTBEAT_BYTES,
        )
