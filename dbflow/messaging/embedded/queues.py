# SPDX-License-Identifier: Apache-2.0
"""Direct exchanges, bindings and bounded queues in memory; knows nothing of sockets.

A message is packed when it is published: one that can't be is its publisher's trouble, not that of who gets it.
"""

import collections
import dataclasses
import time
from typing import Any

from dbflow.messaging.embedded.framing import pack

DEFAULT_BOUND = 10_000
"""Messages a queue holds when its declaration does not say."""
DEFAULT_BYTES = 64 * 1024 * 1024
"""Bytes a queue holds when its declaration does not say."""
MAX_EXPIRES = 2**32 / 1000
"""Seconds; as RabbitMQ has it."""

Message = dict[str, Any]
Packed = bytes


class NoSuchQueue(KeyError):
    """A queue nobody declared."""


@dataclasses.dataclass
class Queue:
    """Messages in order of arrival, and who consumes them in turn."""

    name: str
    bound: int = DEFAULT_BOUND
    max_bytes: int = DEFAULT_BYTES
    expires: float | None = None
    """Seconds without a consumer after which the queue goes away."""
    messages: collections.deque[tuple[float | None, Packed]] = dataclasses.field(default_factory=collections.deque)
    """(when it is void, packed message)"""
    bytes: int = 0
    consumers: collections.deque[Any] = dataclasses.field(default_factory=collections.deque)
    unused_since: float = dataclasses.field(default_factory=time.monotonic)

    def put(self, void_at: float | None, packed: Packed) -> None:
        """Append; the oldest messages make room when the queue is full."""
        self.messages.append((void_at, packed))
        self.bytes += len(packed)
        while self.messages and (len(self.messages) > self.bound or self.bytes > self.max_bytes):
            self._pop()

    def take(self) -> Packed | None:
        """The oldest message that is still valid, packed."""
        while self.messages:
            void_at, packed = self._pop()
            if void_at is None or void_at > time.monotonic():
                return packed
        return None

    def purge(self) -> int:
        """Forget all messages; how many there were."""
        count = len(self.messages)
        self.messages.clear()
        self.bytes = 0
        return count

    def _pop(self) -> tuple[float | None, Packed]:
        void_at, packed = self.messages.popleft()
        self.bytes -= len(packed)
        return void_at, packed


class Queues:
    """All queues and bindings of a broker."""

    def __init__(self) -> None:
        self.queues: dict[str, Queue] = {}
        self._bindings: dict[tuple[str, str], set[str]] = {}

    def declare(self, name: str, bound: int | None, expires: float | None, max_bytes: int | None = None) -> Queue:
        """Create or find; the bounds and expiry of the latest declaration hold. ValueError for what can be none."""
        for number in (bound, max_bytes):
            if number is not None and not (isinstance(number, int) and number >= 0):
                raise ValueError("a bound is a number of messages or bytes")
        if expires is not None and not (isinstance(expires, int | float) and 0 < expires <= MAX_EXPIRES):
            raise ValueError("an expiry is a number of seconds")
        queue = self.queues.setdefault(name, Queue(name))
        queue.bound, queue.max_bytes = bound or DEFAULT_BOUND, max_bytes or DEFAULT_BYTES
        queue.expires = expires
        queue.unused_since = time.monotonic()
        return queue

    def get(self, name: str) -> Queue:
        """NoSuchQueue when there is none."""
        try:
            return self.queues[name]
        except KeyError:
            raise NoSuchQueue(name) from None

    def find_or_create(self, name: str) -> Queue:
        """For a consumer that came back before the queue's owner did, after a restart of the broker."""
        return self.queues.setdefault(name, Queue(name))

    def bind(self, name: str, exchange: str, key: str) -> None:
        """Messages sent to the exchange with this key go to the queue, too."""
        self.get(name)
        self._bindings.setdefault((exchange, key), set()).add(name)

    def unbind(self, name: str, exchange: str, key: str) -> None:
        """Take a binding away; fine when there is none."""
        bound = self._bindings.get((exchange, key), set())
        bound.discard(name)
        if not bound:
            self._bindings.pop((exchange, key), None)

    def delete(self, name: str) -> None:
        """Delete a queue with its messages and bindings; fine when there is none."""
        self.queues.pop(name, None)
        for exchange, key in list(self._bindings):
            self.unbind(name, exchange, key)

    def publish(self, exchange: str, key: str, message: Message) -> list[Queue]:
        """Put the message into every queue it is meant for; the nameless exchange routes by queue name. Raises, and
        puts it nowhere, when it makes no sense or can't be packed."""
        void_at, packed = _void_at(message), pack(message)
        names = self._bindings.get((exchange, key), set()) if exchange else {key}
        reached = [self.queues[name] for name in names if name in self.queues]
        for queue in reached:
            queue.put(void_at, packed)
        return reached

    def expire(self, now: float) -> float | None:
        """Drop the queues that were unused for long enough; seconds until the next one is due, if any."""
        waits = []
        for queue in [queue for queue in self.queues.values() if queue.expires is not None and not queue.consumers]:
            left = queue.unused_since + (queue.expires or 0.0) - now
            if left <= 0:
                self.delete(queue.name)
            else:
                waits.append(left)
        return min(waits, default=None)


def _void_at(message: Message) -> float | None:
    """When a message is void, if ever (AMQP's ``expiration`` is milliseconds as text)."""
    value = message.get("properties", {}).get("expiration")
    return None if value is None else time.monotonic() + int(value) / 1000
