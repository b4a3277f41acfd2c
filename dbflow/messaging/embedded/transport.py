# SPDX-License-Identifier: Apache-2.0
"""The kombu transport of the embedded broker: AMQP's direct exchanges over a Unix socket, pushed, never polled."""

import contextlib
import itertools
import select
import socket
import time
from collections import deque
from queue import Empty
from typing import Any

from kombu.exceptions import ChannelError
from kombu.transport import virtual
from kombu.transport.base import to_rabbitmq_queue_arguments

from dbflow.messaging.embedded import framing

CONNECT_TIMEOUT = 5.0
ANSWER_TIMEOUT = 10.0


class Wire:
    """One connection to the broker: requests with answers, publishing without, deliveries as they come."""

    def __init__(self, path: str, user: str, password: str) -> None:
        """ConnectionError when there is no broker, or when it refuses the login."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(CONNECT_TIMEOUT)
        try:
            self.socket.connect(path)
        except OSError as error:
            self.socket.close()
            raise ConnectionError(f"no embedded broker at {path}: {error.strerror}") from None
        self._decoder = framing.Decoder()
        self._ids = itertools.count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self.deliveries: deque[dict[str, Any]] = deque()
        try:
            self.ask("login", user=user, password=password)
        except (ChannelError, OSError) as error:
            self.socket.close()
            raise ConnectionRefusedError(f"the embedded broker refuses {user}") from error

    def publish(self, exchange: str, key: str, message: dict[str, Any]) -> None:
        """ConnectionError when the broker has gone."""
        if self._readable(0.0):
            self.receive(0.0)  # notices the end of the connection, which sending alone would not
        self._send({"op": "publish", "exchange": exchange, "key": key, "message": message})

    def ask(self, op: str, **args: Any) -> Any:
        """The broker's answer to a request; ChannelError when it says no."""
        number = next(self._ids)
        self._send({"op": op, "id": number, "args": args})
        deadline = time.monotonic() + ANSWER_TIMEOUT
        while number not in self._answers:
            self.receive(max(0.0, deadline - time.monotonic()))
        answer = self._answers.pop(number)
        if "error" in answer:
            raise ChannelError(answer["error"], (60, 20), op, answer["code"])
        return answer["value"]

    def receive(self, timeout: float | None) -> None:
        """Read what there is; TimeoutError after ``timeout`` seconds without anything (None: never)."""
        if not self._readable(timeout):
            raise TimeoutError("nothing from the embedded broker")
        data = self.socket.recv(262144)
        if not data:
            raise ConnectionResetError("the embedded broker closed the connection")
        for frame in self._decoder.feed(data):
            if "queue" in frame:
                self.deliveries.append(frame)
            else:
                self._answers[frame["id"]] = frame

    def close(self) -> None:
        self.socket.close()

    def _readable(self, timeout: float | None) -> bool:
        """Not by select(), which can't wait for files numbered above 1023."""
        poll = select.poll()
        poll.register(self.socket, select.POLLIN)
        return bool(poll.poll(None if timeout is None else 1000 * timeout))

    def _send(self, frame: dict[str, Any]) -> None:
        self.socket.settimeout(ANSWER_TIMEOUT)
        self.socket.sendall(framing.encode(frame))


class Message(virtual.Message):
    """What another client sent, in good order or not: one that can't be read is empty. Nothing is unpacked."""

    def __init__(self, payload: Any, channel: Any = None, **kwargs: Any) -> None:
        try:
            super().__init__({**payload, "headers": _plain(payload.get("headers"))}, channel, **kwargs)
        except Exception:
            super().__init__({"properties": {"delivery_tag": None}}, channel, **kwargs)
        self.body: bytes = self.body if isinstance(self.body, bytes) else b""


def _plain(headers: Any) -> dict[str, Any]:
    """Without the one by which kombu would unpack the body."""
    return {name: value for name, value in (headers or {}).items() if name != "compression"}


class Channel(virtual.Channel):
    """Declarations, publishing and consuming as requests to the broker; nothing is kept here.

    Messages are the client's once delivered: what dies with it unacknowledged is not delivered again.
    """

    Message = Message
    do_restore = False

    @property
    def _wire(self) -> Wire:
        wire: Wire | None = self.connection.wire
        if wire is None:
            raise ConnectionResetError("the connection to the embedded broker is closed")
        return wire

    def exchange_declare(self, *args: Any, **kwargs: Any) -> None:
        """Exchanges are direct and need no declaration."""

    def exchange_delete(self, *args: Any, **kwargs: Any) -> None:
        """See exchange_declare."""

    def prepare_queue_arguments(self, arguments: Any, **kwargs: Any) -> Any:
        """As RabbitMQ has them."""
        return to_rabbitmq_queue_arguments(arguments, **kwargs)

    def queue_declare(self, queue: str = "", passive: bool = False, **kwargs: Any) -> Any:
        if passive:
            count = self._wire.ask("size", queue=queue)
        else:
            arguments = kwargs.get("arguments") or {}
            expires = arguments.get("x-expires")
            count = self._wire.ask(
                "declare",
                queue=queue,
                bound=arguments.get("x-max-length"),
                expires=None if expires is None else expires / 1000,
                max_bytes=arguments.get("x-max-length-bytes"),
            )
        return virtual.base.queue_declare_ok_t(queue, count, 0)

    def queue_bind(self, queue: str, exchange: str = "", routing_key: str = "", **kwargs: Any) -> None:
        self._wire.ask("bind", queue=queue, exchange=exchange, key=routing_key)

    def queue_unbind(self, queue: str, exchange: str = "", routing_key: str = "", **kwargs: Any) -> None:
        self._wire.ask("unbind", queue=queue, exchange=exchange, key=routing_key)

    def queue_delete(self, queue: str, **kwargs: Any) -> None:
        self._wire.ask("delete", queue=queue)

    def basic_publish(self, message: dict[str, Any], exchange: str, routing_key: str, **kwargs: Any) -> None:
        self._inplace_augment_message(message, exchange, routing_key)
        self._wire.publish(exchange, routing_key, message)

    def basic_consume(self, queue: str, no_ack: bool, callback: Any, consumer_tag: str, **kwargs: Any) -> None:
        super().basic_consume(queue, no_ack, callback, consumer_tag, **kwargs)
        self._wire.ask("consume", queue=queue)

    def basic_cancel(self, consumer_tag: str) -> None:
        queue = self._tag_to_queue.get(consumer_tag)
        super().basic_cancel(consumer_tag)
        with contextlib.suppress(OSError):
            self._wire.ask("cancel", queue=queue)

    def _get(self, queue: str, timeout: float | None = None) -> dict[str, Any]:
        message: dict[str, Any] | None = self._wire.ask("get", queue=queue)
        if message is None:
            raise Empty
        return message

    def _size(self, queue: str) -> int:
        size: int = self._wire.ask("size", queue=queue)
        return size

    def _purge(self, queue: str) -> int:
        count: int = self._wire.ask("purge", queue=queue)
        return count


class Transport(virtual.Transport):
    """``transport_options={"path": …}`` names the broker's socket; user and password are the connection's."""

    Channel = Channel
    driver_type = driver_name = "dbflow"
    connection_errors = (OSError,)
    channel_errors = (ChannelError,)

    wire: Wire | None = None

    @property
    def sock(self) -> socket.socket:
        """The connection's socket, as py-amqp shows it, too."""
        if self.wire is None:
            raise ConnectionResetError("the connection to the embedded broker is closed")
        return self.wire.socket

    def establish_connection(self) -> Any:
        self.wire = Wire(self.client.transport_options["path"], self.client.userid, self.client.password)
        return super().establish_connection()

    def close_connection(self, connection: Any) -> None:
        wire, self.wire = self.wire, None
        if wire is not None:
            wire.close()
        super().close_connection(connection)

    def drain_events(self, connection: Any, timeout: float | None = None) -> None:
        """Deliver one message; TimeoutError after ``timeout`` seconds without any."""
        if self.wire is None:
            raise ConnectionResetError("the connection to the embedded broker is closed")
        deadline = None if timeout is None else time.monotonic() + timeout
        while not self.wire.deliveries:
            self.wire.receive(None if deadline is None else max(0.0, deadline - time.monotonic()))
        frame = self.wire.deliveries.popleft()
        if frame["queue"] in self._callbacks:
            self._deliver(frame["message"], frame["queue"])
