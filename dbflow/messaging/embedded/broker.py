# SPDX-License-Identifier: Apache-2.0
"""The embedded broker: one thread, one Unix socket, everything in memory.

Losing it loses messages, never work: requests are re-sent until answered and guests keep a journal. It sleeps in
``select`` while nothing happens. Only its owner can reach it (directory 0700, socket 0600).
"""

import contextlib
import logging
import os
import pathlib
import selectors
import socket
import threading
import time
from typing import Any

from dbflow.messaging.embedded import framing
from dbflow.messaging.embedded.queues import NoSuchQueue, Queue, Queues

LOG = logging.getLogger(__name__)
MAX_PATH = 107
"""Bytes of a Unix socket's path (sun_path without its final zero)."""
MAX_UNSENT = 8 * 1024 * 1024
"""Bytes on their way to a client that does not read; its messages stay in their queues meanwhile."""
MAX_UNREAD = 4 * MAX_UNSENT
"""Bytes of answers, too, that a client may leave unread while it asks on."""
_NO_ROOM_PAUSE = 0.1


class _Client:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.decoder = framing.Decoder()
        self.unsent = bytearray()
        self.consumes: set[str] = set()

    @property
    def slow(self) -> bool:
        return len(self.unsent) > MAX_UNSENT


class EmbeddedBroker:
    """Serves kombu connections made by :func:`dbflow.messaging.connection.connection`."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """``path`` of the socket, at most 107 bytes; ValueError else."""
        self.path = pathlib.Path(path).absolute()
        if len(os.fsencode(self.path)) > MAX_PATH:
            raise ValueError(f"{self.path} is too long for a Unix socket ({MAX_PATH} bytes at most)")
        self._queues = Queues()
        self._selector = selectors.DefaultSelector()
        self._thread: threading.Thread | None = None
        self._stopping = False

    @property
    def url(self) -> str:
        """What to configure as messaging.url."""
        return f"dbflow+unix://{self.path}"

    def start(self) -> None:
        """Listen. OSError (EADDRINUSE) when another broker serves this path."""
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.path.parent.chmod(0o700)
        self._remove_stale()
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.path))
        self.path.chmod(0o600)
        listener.listen(1024)
        listener.setblocking(False)
        wake, self._wake = socket.socketpair()
        self._selector.register(listener, selectors.EVENT_READ, None)
        self._selector.register(wake, selectors.EVENT_READ, None)
        self._listener = listener
        self._thread = threading.Thread(target=self._serve, name="embedded-broker", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Close every connection and remove the socket."""
        if self._thread is None:
            return
        self._stopping = True
        with contextlib.suppress(OSError):  # it may have seen it by itself
            self._wake.send(b"x")
        self._thread.join()
        self._thread = None
        self._wake.close()
        self.path.unlink(missing_ok=True)

    def _remove_stale(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(self.path))
            except OSError:
                self.path.unlink(missing_ok=True)  # of a process that was killed; a live one makes bind() fail

    def _serve(self) -> None:
        while not self._stopping:
            for key, mask in self._selector.select(self._queues.expire(time.monotonic())):
                if key.data is not None:
                    self._talk(key.data, mask)
                elif key.fileobj is self._listener:
                    self._accept()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _accept(self) -> None:
        try:
            sock, _address = self._listener.accept()
        except (BlockingIOError, ConnectionError):
            return
        except OSError as error:  # out of file descriptors: whoever waits, waits until one is free
            LOG.warning("the embedded broker can't take another client: %s", error.strerror)
            time.sleep(_NO_ROOM_PAUSE)
            return
        sock.setblocking(False)
        self._selector.register(sock, selectors.EVENT_READ, _Client(sock))

    def _talk(self, client: _Client, mask: int) -> None:
        try:
            if mask & selectors.EVENT_WRITE:
                self._flush(client)
            if mask & selectors.EVENT_READ:
                self._read(client)
        except BlockingIOError:
            pass
        except Exception as error:  # whatever one client sends, the others go on
            if not isinstance(error, ConnectionError):
                LOG.warning("a client of the embedded broker is dropped: %s", type(error).__name__)
            self._drop(client)

    def _read(self, client: _Client) -> None:
        data = client.socket.recv(262144)
        if not data:
            raise ConnectionResetError
        for frame in client.decoder.feed(data):
            self._obey(client, frame)

    def _obey(self, client: _Client, frame: dict[str, Any]) -> None:
        if len(client.unsent) > MAX_UNREAD:
            raise ValueError("a client that asks on and reads no answers")
        if frame["op"] == "publish":
            for queue in self._queues.publish(frame["exchange"], frame["key"], frame["message"]):
                self._deliver(queue)
            return
        try:
            answer = {"id": frame["id"], "value": getattr(self, f"_do_{frame['op']}")(client, **frame["args"])}
        except NoSuchQueue as error:
            answer = {"id": frame["id"], "error": f"NOT_FOUND - no queue {error}"}
        except AttributeError:
            raise ValueError("no such request") from None
        self._send(client, answer)

    def _do_declare(self, _client: _Client, queue: str, bound: int | None, expires: float | None) -> int:
        return len(self._queues.declare(queue, bound, expires).messages)

    def _do_size(self, _client: _Client, queue: str) -> int:
        return len(self._queues.get(queue).messages)

    def _do_bind(self, _client: _Client, queue: str, exchange: str, key: str) -> None:
        self._queues.bind(queue, exchange, key)

    def _do_unbind(self, _client: _Client, queue: str, exchange: str, key: str) -> None:
        self._queues.unbind(queue, exchange, key)

    def _do_delete(self, _client: _Client, queue: str) -> None:
        self._queues.delete(queue)

    def _do_purge(self, _client: _Client, queue: str) -> int:
        messages = self._queues.get(queue).messages
        count = len(messages)
        messages.clear()
        return count

    def _do_get(self, _client: _Client, queue: str) -> dict[str, Any] | None:
        return self._queues.get(queue).take()

    def _do_consume(self, client: _Client, queue: str) -> None:
        found = self._queues.find_or_create(queue)
        if client not in found.consumers:
            found.consumers.append(client)
        client.consumes.add(queue)
        self._deliver(found)

    def _do_cancel(self, client: _Client, queue: str) -> None:
        client.consumes.discard(queue)
        found = self._queues.queues.get(queue)
        if found and client in found.consumers:
            found.consumers.remove(client)
            found.unused_since = time.monotonic()

    def _deliver(self, queue: Queue) -> None:
        while queue.messages:
            client = next((client for client in queue.consumers if not client.slow), None)
            if client is None:
                return
            queue.consumers.remove(client)
            queue.consumers.append(client)
            message = queue.take()
            if message is not None:
                self._send(client, {"queue": queue.name, "message": message})

    def _send(self, client: _Client, frame: dict[str, Any]) -> None:
        client.unsent += framing.encode(frame)
        with contextlib.suppress(OSError):  # a connection that broke is found out by its next read
            self._flush(client)

    def _flush(self, client: _Client) -> None:
        slow = client.slow
        try:
            while client.unsent:
                del client.unsent[: client.socket.send(client.unsent)]
        except BlockingIOError:
            pass
        events = selectors.EVENT_READ | (selectors.EVENT_WRITE if client.unsent else 0)
        if self._selector.get_key(client.socket).events != events:
            self._selector.modify(client.socket, events, client)
        if slow and not client.slow:
            for name in client.consumes:
                self._deliver(self._queues.find_or_create(name))

    def _drop(self, client: _Client) -> None:
        for name in list(client.consumes):
            self._do_cancel(client, name)
        self._selector.unregister(client.socket)
        client.socket.close()
