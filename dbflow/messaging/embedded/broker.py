# SPDX-License-Identifier: Apache-2.0
"""The embedded broker: one thread, one Unix socket, everything in memory.

Losing it loses messages, never work: requests are re-sent until answered and guests keep a journal. It sleeps in
``select`` while nothing happens. Only its owner can reach it (directory 0700, socket 0600), and whoever does says who
it is: guests have rights as on RabbitMQ, and one that sends too much is read more slowly.
"""

import contextlib
import functools
import itertools
import json
import logging
import os
import pathlib
import secrets
import selectors
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from dbflow.messaging.connection import EMBEDDED, with_login
from dbflow.messaging.embedded import framing
from dbflow.messaging.embedded.queues import NoSuchQueue, Queue, Queues
from dbflow.messaging.embedded.rights import CONTROL, Door, GuestRights, Refused
from dbflow.messaging.rates import Rates

LOG = logging.getLogger(__name__)
MAX_PATH = 107
"""Bytes of a Unix socket's path (sun_path without its final zero)."""
MAX_UNSENT = 8 * 1024 * 1024
"""Bytes on their way to a client that does not read; its messages stay in their queues meanwhile."""
MAX_UNREAD = 4 * MAX_UNSENT
"""Bytes of answers, too, that a client may leave unread while it asks on."""
MAX_CONNECTIONS = 8
"""Of one guest."""
MAX_STRANGERS = 256
"""Connections that have not said who they are; the oldest make room."""
LOGIN_WITHIN = 5.0
"""Seconds in which a connection says who it is."""
STRANGERS_FRAME, GUESTS_FRAME = 4096, 2 * 1024 * 1024
"""Bytes of a frame of one that has not said who it is, and of a guest."""
_AT_ONCE, _GUESTS_AT_ONCE = 256 * 1024, 16 * 1024
"""Bytes read from a client before the next has its turn."""
_NO_ROOM_PAUSE = 0.1


class _Client:
    """One connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.decoder = framing.Decoder(STRANGERS_FRAME)
        self.unsent = bytearray()
        self.consumes: set[str] = set()
        self.known = False
        self.rights: GuestRights | None = None
        """None: those of the control plane."""
        self.paused_until: float | None = None
        """When it is read again."""
        self.events = 0
        """What the selector watches."""
        self.gone = False

    @property
    def slow(self) -> bool:
        return len(self.unsent) > MAX_UNSENT


def _no_guests(instance_id: str) -> str:
    raise LookupError(instance_id)


class EmbeddedBroker:
    """Serves kombu connections made by :func:`dbflow.messaging.connection.connection`."""

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        secret: str | None = None,
        exchange: str = "dbflow",
        guest_password: Callable[[str], str] = _no_guests,
    ) -> None:
        """``path`` of the socket, at most 107 bytes; ValueError else. ``secret``: the control plane's password, made
        up by default. ``exchange``: the prefix of exchanges and queues in which guests have rights.
        ``guest_password(instance id)`` is asked whenever a guest connects; LookupError when there is no such guest.
        """
        self.path = pathlib.Path(path).absolute()
        if len(os.fsencode(self.path)) > MAX_PATH:
            raise ValueError(f"{self.path} is too long for a Unix socket ({MAX_PATH} bytes at most)")
        self._secret = secret or secrets.token_urlsafe(32)
        self._door = Door(self._secret, exchange, guest_password)
        self._queues = Queues()
        self._rates = Rates()
        self._clients: set[_Client] = set()
        self._strangers: dict[_Client, float] = {}
        """Until when they are to have said who they are, oldest first."""
        self._selector = selectors.DefaultSelector()
        self._thread: threading.Thread | None = None
        self._stopping = False

    @property
    def url(self) -> str:
        """What to configure as messaging.url of the control plane."""
        return with_login(f"{EMBEDDED}{self.path}", CONTROL, self._secret)

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
            for key, mask in self._selector.select(self._next_event()):
                if key.data is not None:
                    self._talk(key.data, mask)
                elif key.fileobj is self._listener:
                    self._accept()
            self._resume()
        for client in self._clients:
            client.socket.close()
        for key in list(self._selector.get_map().values()):
            if isinstance(key.fileobj, socket.socket):
                key.fileobj.close()
        self._selector.close()

    def _next_event(self) -> float | None:
        """Seconds to sleep if no client does anything; None: for ever."""
        now = time.monotonic()
        waits = [max(0.0, client.paused_until - now) for client in self._clients if client.paused_until is not None]
        waits += [max(0.0, until - now) for until in itertools.islice(self._strangers.values(), 1)]
        expires = self._queues.expire(now)
        return min(waits if expires is None else [*waits, expires], default=None)

    def _resume(self) -> None:
        """Go on with the clients that were read slowly enough, and no longer with strangers."""
        now = time.monotonic()
        for client in [one for one, until in self._strangers.items() if until <= now]:
            self._drop(client)
        for client in [one for one in self._clients if one.paused_until is not None and one.paused_until <= now]:
            client.paused_until = None
            self._guarded(client, functools.partial(self._obey_all, client, b""))

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
        client = _Client(sock)
        self._clients.add(client)
        self._strangers[client] = time.monotonic() + LOGIN_WITHIN
        self._watch(client)
        if len(self._strangers) > MAX_STRANGERS:
            self._drop(next(iter(self._strangers)))

    def _talk(self, client: _Client, mask: int) -> None:
        def talk() -> None:
            if mask & selectors.EVENT_WRITE:
                self._flush(client)
            if mask & selectors.EVENT_READ:
                data = client.socket.recv(_AT_ONCE if client.rights is None else _GUESTS_AT_ONCE)
                if not data:
                    raise ConnectionResetError
                self._obey_all(client, data)

        self._guarded(client, talk)

    def _guarded(self, client: _Client, what: Callable[[], None]) -> None:
        """Whatever one client sends, the others go on."""
        if client.gone:
            return
        try:
            what()
        except BlockingIOError:
            pass
        except Exception as error:
            if not isinstance(error, ConnectionError):
                LOG.warning("a client of the embedded broker is dropped: %s", type(error).__name__)
            self._drop(client)
        if not client.gone:
            self._watch(client)

    def _obey_all(self, client: _Client, data: bytes) -> None:
        for frame in client.decoder.feed(data):
            self._obey(client, frame)
            if client.rights is not None:
                delay = self._rates.delay(client.rights.user, client.decoder.size)
                if delay:
                    client.paused_until = time.monotonic() + delay
                    return

    def _obey(self, client: _Client, frame: dict[str, Any]) -> None:
        if len(client.unsent) > MAX_UNREAD:
            raise ValueError("a client that asks on and reads no answers")
        if frame["op"] == "publish":
            self._check(client, frame)
            for queue in self._queues.publish(frame["exchange"], frame["key"], frame["message"]):
                self._deliver(queue)
            return
        try:
            self._check(client, frame)
            answer = {"id": frame["id"], "value": getattr(self, f"_do_{frame['op']}")(client, **frame["args"])}
        except NoSuchQueue as error:
            answer = {"id": frame["id"], "error": f"NOT_FOUND - no queue {error}", "code": "404"}
        except Refused as error:
            answer = {"id": frame["id"], "error": f"ACCESS_REFUSED - {error}", "code": "403"}
        except AttributeError:
            raise ValueError("no such request") from None
        self._send(client, answer)
        if not client.known:
            raise ConnectionRefusedError

    def _check(self, client: _Client, frame: dict[str, Any]) -> None:
        if not client.known and frame["op"] != "login":
            raise PermissionError("a client that does not say who it is")
        if client.rights is not None:
            client.rights.check(frame)

    def _do_login(self, client: _Client, user: str, password: str) -> None:
        try:
            rights = self._door.admit(user, password)
        except Exception as error:
            raise Refused("login") from error
        if rights is not None and sum(one.rights == rights for one in self._clients) >= MAX_CONNECTIONS:
            raise Refused("too many connections")
        client.known, client.rights = True, rights
        self._strangers.pop(client, None)
        client.decoder.limit = framing.MAX_FRAME if rights is None else GUESTS_FRAME

    def _do_declare(
        self, _client: _Client, queue: str, bound: int | None, expires: float | None, max_bytes: int | None = None
    ) -> int:
        return len(self._queues.declare(queue, bound, expires, max_bytes).messages)

    def _do_size(self, _client: _Client, queue: str) -> int:
        return len(self._queues.get(queue).messages)

    def _do_bind(self, _client: _Client, queue: str, exchange: str, key: str) -> None:
        self._queues.bind(queue, exchange, key)

    def _do_unbind(self, _client: _Client, queue: str, exchange: str, key: str) -> None:
        self._queues.unbind(queue, exchange, key)

    def _do_delete(self, _client: _Client, queue: str) -> None:
        """The guest whose queue it was is gone, too."""
        self._queues.delete(queue)
        for client in [one for one in self._clients if one.rights is not None and one.rights.queue == queue]:
            self._drop(client)

    def _do_purge(self, _client: _Client, queue: str) -> int:
        return self._queues.get(queue).purge()

    def _do_get(self, _client: _Client, queue: str) -> Any:
        message = self._queues.get(queue).take()
        return None if message is None else json.loads(message)

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
                self._send(client, {"queue": queue.name}, message=message)

    def _send(self, client: _Client, frame: dict[str, Any], **packed: bytes) -> None:
        client.unsent += framing.encode(frame, **packed)
        with contextlib.suppress(OSError):  # a connection that broke is found out by its next read
            self._flush(client)

    def _flush(self, client: _Client) -> None:
        slow = client.slow
        try:
            while client.unsent:
                del client.unsent[: client.socket.send(client.unsent)]
        except BlockingIOError:
            pass
        self._watch(client)
        if slow and not client.slow:
            for name in client.consumes:
                self._deliver(self._queues.find_or_create(name))

    def _watch(self, client: _Client) -> None:
        """Have the selector watch what is of interest now; it can't watch for nothing."""
        reading = 0 if client.paused_until is not None else selectors.EVENT_READ
        events = reading | (selectors.EVENT_WRITE if client.unsent else 0)
        if events == client.events:
            return
        if not client.events:
            self._selector.register(client.socket, events, client)
        elif events:
            self._selector.modify(client.socket, events, client)
        else:
            self._selector.unregister(client.socket)
        client.events = events

    def _drop(self, client: _Client) -> None:
        for name in list(client.consumes):
            self._do_cancel(client, name)
        if client.events:
            self._selector.unregister(client.socket)
        self._clients.discard(client)
        self._strangers.pop(client, None)
        client.gone = True
        client.socket.close()
