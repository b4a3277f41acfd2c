# SPDX-License-Identifier: Apache-2.0
"""A lasting link to the broker: one thread that receives, one that sends; both connect again, for ever.

Nothing here waits for the broker: what can't be sent now is dropped, since everything is asked again.
"""

import contextlib
import dataclasses
import logging
import math
import queue
import random
import socket
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import kombu
from amqp import spec

from dbflow.messaging.connection import opened

LOG = logging.getLogger(__name__)
BEAT = 30.0
"""Seconds within which broker and client must hear of each other; twice that in silence ends a connection, so that a
broker that keeps its connections and does nothing is found out. The embedded one has no such beats."""
TICK = 30.0
"""Seconds after which a quiet thread looks up where there are no beats."""
PREFETCH = 500
"""Messages of a queue that RabbitMQ sends ahead of the receipt for them."""
DECLARED_FOR = 60.0
"""Seconds after which a queue is declared again before something is sent to it: it may have expired, or have lost what
binds it."""
BACK_OFF = (0.05, 3.0)
"""Seconds before the first and the last of the tries to connect again; each waits twice as long."""
MAX_WAITING = 10_000
"""Messages that may wait for the sender."""


@dataclasses.dataclass(frozen=True)
class Envelope:
    """A message on its way out."""

    exchange: kombu.Exchange
    routing_key: str
    body: Any = dataclasses.field(repr=False)
    type: str
    correlation_id: str | None = None
    reply_to: str | None = None
    user_id: str | None = None
    """Whoever sends it, by the name under which it logged in; the broker checks it."""
    expiration: float | None = None
    """Seconds after which the broker drops it."""
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    to: kombu.Queue | None = None
    """Queue to declare first, now and then."""
    wanted: Callable[[], bool] = lambda: True
    """Asked when its turn has come; what nobody wants any more must not make the queue of a deleted guest again."""


class _Consumer(kombu.Consumer):
    """Hands messages on as they are. kombu would unpack whatever their headers say is packed, and leave the connection
    when it can't."""

    def _receive_callback(self, message: Any) -> None:
        self.on_message(message)


class _Receipts:
    """Tells RabbitMQ, now and then, how far the messages of a channel are taken.

    Without receipts it would send at once whatever comes, past every bound of its queues: a flood would fill its memory
    and the sockets between, and an honest message would wait behind all of it.
    """

    def __init__(self, channel: Any) -> None:
        self._channel = channel
        self._taken: Any = None
        self._count = 0
        channel.basic_qos(0, PREFETCH, False)

    def taken(self, message: Any) -> None:
        """A message was handled."""
        self._taken, self._count = message.delivery_tag, self._count + 1
        if self._count >= PREFETCH // 2:
            self.send()

    def send(self) -> None:
        """For all that were handled so far."""
        if self._count:
            self._channel.basic_ack(self._taken, multiple=True)
            self._count = 0


class Link:
    """Receives from ``queues`` and sends envelopes, across any outage of the broker."""

    def __init__(
        self,
        url: str,
        queues: Sequence[kombu.Queue],
        on_message: Callable[[Any], None],
        *,
        exchanges: Sequence[kombu.Exchange] = (),
        on_ready: Callable[[], None] = lambda: None,
        beat: float = BEAT,
        receipts: bool = False,
    ) -> None:
        """``on_message`` gets raw messages (``body``, ``properties``, ``headers``), in the receiving thread; what it
        raises is logged, no more.

        ``exchanges`` are declared at every connect. ``on_ready`` is called whenever both directions are up again.
        ``beat``: see BEAT. ``receipts``: RabbitMQ sends only so much ahead of them (see PREFETCH), and what was taken
        just before the process died comes again.
        """
        self._url = url
        self._queues = queues
        self._exchanges = exchanges
        self._on_message = on_message
        self._on_ready = on_ready
        self._beat = beat
        self._with_receipts = receipts
        self._stopping = threading.Event()
        self._receiving, self._sending = threading.Event(), threading.Event()
        self._outgoing: queue.Queue[Envelope | None] = queue.Queue(MAX_WAITING)
        self._declared: dict[str, float] = {}
        """Name of a queue -> when it was declared."""
        self._turn = threading.Lock()
        """Held from the question whether an envelope is wanted until it is sent."""
        self._receiver: kombu.Connection | None = None
        self._threads = [
            threading.Thread(target=self._keep, args=(self._receive, self._receiving), name="receive", daemon=True),
            threading.Thread(target=self._keep, args=(self._send, self._sending), name="send", daemon=True),
        ]

    @property
    def ready(self) -> bool:
        """Whether both directions are up."""
        return self._receiving.is_set() and self._sending.is_set()

    def wait_ready(self, timeout: float) -> bool:
        """Until both directions are up, or for ``timeout`` seconds; whether they are."""
        end = time.monotonic() + timeout
        return all(up.wait(max(0.0, end - time.monotonic())) for up in (self._receiving, self._sending))

    def start(self) -> None:
        """Returns at once, whether there is a broker or not."""
        for thread in self._threads:
            thread.start()

    def stop_receiving(self, timeout: float = 2.0) -> None:
        """Take no more messages; sending goes on until :meth:`stop`."""
        self._stopping.set()
        conn = self._receiver
        if conn is not None:
            with contextlib.suppress(OSError, AttributeError):
                conn.connection.sock.shutdown(socket.SHUT_RD)  # its thread sees the end of the stream
        if self._threads[0].ident is not None:
            self._threads[0].join(timeout)

    def stop(self, timeout: float = 2.0) -> None:
        """Send what waits, if the broker takes it, and close."""
        self.stop_receiving(timeout)
        with contextlib.suppress(queue.Full):  # the broker takes nothing; the thread is a daemon
            self._outgoing.put(None, timeout=timeout)
            if self._threads[1].ident is not None:
                self._threads[1].join(timeout)

    def send(self, envelope: Envelope) -> bool:
        """Hand over to the sender; False when there is no connection or too much waits already."""
        if not self._sending.is_set():
            return False
        try:
            self._outgoing.put_nowait(envelope)
        except queue.Full:
            return False
        return True

    def settle(self, timeout: float) -> bool:
        """Wait, at most ``timeout`` seconds, until what is being sent now is sent; whether it is. What was not wanted
        any more before this makes no queue afterwards."""
        if not self._turn.acquire(timeout=timeout):
            return False
        self._turn.release()
        return True

    def forget(self, name: str) -> None:
        """The queue of this name was deleted."""
        self._declared.pop(name, None)

    def _keep(self, work: Callable[[kombu.Connection], None], up: threading.Event) -> None:
        wait, told = BACK_OFF[0], False
        while not self._stopping.is_set():
            try:
                with opened(self._url, self._beat) as conn:
                    work(conn)
            except Exception as error:  # whatever it is, the next connection may do
                if up.is_set():
                    wait, told = BACK_OFF[0], False
                if not (told or self._stopping.is_set()):
                    LOG.warning("no link to the broker: %s; trying on", type(error).__name__)
                    told = True
            finally:
                up.clear()
            self._stopping.wait(wait * random.uniform(0.8, 1.2))
            wait = min(wait * 2, BACK_OFF[1])

    def _up(self, event: threading.Event) -> None:
        event.set()
        if self.ready:
            self._on_ready()

    def _receive(self, conn: kombu.Connection) -> None:
        channel = conn.channel()
        receipts = None
        if conn.transport.driver_type == "amqp":
            channel.auto_decode = False  # by whatever codec the sender names, some of which take minutes
            receipts = _Receipts(channel) if self._with_receipts else None

        def take(message: Any) -> None:
            self._guard(message)
            if receipts is not None:
                receipts.taken(message)

        self._receiver = conn
        for exchange in self._exchanges:
            exchange(channel).declare()
        # Without receipts a message lost on the way to its handler is one more message to be sent again.
        with _Consumer(channel, queues=list(self._queues), on_message=take, no_ack=receipts is None):
            self._up(self._receiving)
            while not self._stopping.is_set():
                try:
                    conn.drain_events(timeout=_tick(conn))
                except TimeoutError:
                    if receipts is not None:
                        receipts.send()
                if conn.supports_heartbeats:
                    conn.heartbeat_check()

    def _guard(self, message: Any) -> None:
        try:
            self._on_message(message)
        except Exception:
            LOG.exception("a message was dropped")

    def _send(self, conn: kombu.Connection) -> None:
        # Queues are made on a channel of their own, since the broker closes one in which it refuses: a queue whose node
        # is down must not be in the way of all others.
        producer, declaring = kombu.Producer(conn.channel()), conn.channel()
        self._declared.clear()
        self._up(self._sending)
        listen_at = time.monotonic() + _tick(conn)
        while True:
            try:
                envelope = self._outgoing.get(timeout=_tick(conn))
            except queue.Empty:
                _listen(conn)
                continue
            if envelope is None:
                return
            with self._turn:
                self._publish(producer, declaring, envelope)
            if time.monotonic() > listen_at:
                _listen(conn)
                listen_at = time.monotonic() + _tick(conn)

    def _publish(self, producer: kombu.Producer, declaring: Any, envelope: Envelope) -> None:
        if not envelope.wanted():
            return
        if envelope.to is not None and not self._declare(declaring, envelope.to):
            return
        producer.publish(
            envelope.body,
            exchange=envelope.exchange.name,
            routing_key=envelope.routing_key,
            serializer="json",
            type=envelope.type,
            correlation_id=envelope.correlation_id,
            reply_to=envelope.reply_to,
            user_id=envelope.user_id,
            expiration=envelope.expiration,
            headers=envelope.headers,
        )

    def _declare(self, channel: Any, to: kombu.Queue) -> bool:
        """Whether the queue is there. What was to be sent to one that the broker refuses is asked again."""
        now = time.monotonic()
        if now - self._declared.get(to.name, -math.inf) <= DECLARED_FOR:
            return True
        try:
            to(channel).declare()
        except channel.connection.client.channel_errors as error:
            if getattr(error, "method_sig", None) == spec.Basic.Publish:
                raise  # of the other channel: an exchange is gone, and comes with the next connection
            LOG.warning("no queue %s: %s", to.name, type(error).__name__)
            return False
        self._declared[to.name] = now
        return True


def _tick(conn: kombu.Connection) -> float:
    """Seconds between two looks at the beats of a connection."""
    if not conn.supports_heartbeats:
        return TICK
    return float(conn.get_heartbeat_interval() or 4 * TICK) / 4


def _listen(conn: kombu.Connection) -> None:
    """The sender is told nothing but that the broker lives, or that it closes the connection."""
    if conn.supports_heartbeats:
        with contextlib.suppress(TimeoutError):
            while True:
                conn.drain_events(timeout=0.001)
        conn.heartbeat_check()
