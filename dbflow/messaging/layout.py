# SPDX-License-Identifier: Apache-2.0
"""Exchanges and queues, by name.

A guest's rights on the broker can thus be: configure nothing, write ``<prefix>.up``, read its own queue. All
queues are durable (RabbitMQ 4.3 and later refuse transient shared ones) and bounded.
"""

import dataclasses

import kombu

ASKER_EXPIRES = 600.0
"""Seconds after which the reply queue of a process that has gone is removed."""
HEARTBEAT = "heartbeat"


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
            max_length=1000,
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
            max_length=100_000,
        )

    def heartbeats(self) -> kombu.Queue:
        """What guests say of themselves; shared by all conductors."""
        return kombu.Queue(
            f"{self.prefix}.heartbeats", exchange=self.up, routing_key=HEARTBEAT, durable=True, max_length=10_000
        )
