# SPDX-License-Identifier: Apache-2.0
"""One look, many viewers: a thread a process looks at what somebody watches, and tells everyone what has changed."""

import logging
import threading
import time
from collections.abc import Callable, Collection, Hashable, Mapping
from typing import Any, Generic, TypeVar

LOG = logging.getLogger(__name__)

Key = TypeVar("Key", bound=Hashable)

Event = tuple[str, Any]
"""(kind, what it is now); the kind "end" is the last that a viewer is told."""
Parts = Mapping[str, Event]
"""What can change about a key -> how it is now, in the order in which it is to be told."""
END = "end"
_SHARE = 4
"""Pauses are at least so many times as long as the look before them: a process has other work."""


class TooManyViewers(Exception):
    """Every viewer costs a thread of the server, so there is a limit."""


class Seats:
    """How many may watch at once, whatever they watch."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._taken = 0

    def take(self) -> None:
        """TooManyViewers when there is none left."""
        with self._lock:
            if self._taken >= self.most:
                raise TooManyViewers
            self._taken += 1

    def give_back(self) -> None:
        """Of a viewer who leaves."""
        with self._lock:
            self._taken -= 1


class Mailbox:
    """What a viewer has not read yet: the newest event of each part, so that a slow one costs no more than that."""

    def __init__(self) -> None:
        self._waiting: dict[str, Event] = {}
        self._news = threading.Condition()

    def put(self, parts: Parts) -> None:
        """News; they come after whatever is waiting."""
        with self._news:
            for name, event in parts.items():
                self._waiting.pop(name, None)
                self._waiting[name] = event
            self._news.notify()

    def get(self, timeout: float) -> Event | None:
        """The oldest news; None when there are none for so many seconds."""
        with self._news:
            if not self._news.wait_for(lambda: self._waiting, timeout):
                return None
            return self._waiting.pop(next(iter(self._waiting)))


class Viewing:
    """One viewer's events. Must be closed, also by who never asked for the first one."""

    def __init__(self, mailbox: Mailbox, heartbeat: float, leave: Callable[[Mailbox], None]) -> None:
        self._mailbox, self._heartbeat, self._leave = mailbox, heartbeat, leave
        self._ended = False

    def __iter__(self) -> "Viewing":
        return self

    def __next__(self) -> Event | None:
        if self._ended:
            raise StopIteration
        event = self._mailbox.get(self._heartbeat)
        self._ended = event is not None and event[0] == END
        return event

    def close(self) -> None:
        """Stop watching."""
        self._leave(self._mailbox)


class Fan(Generic[Key]):
    """Watches the keys that somebody looks at. The thread lives only while somebody does."""

    name = "fan"
    """Of the thread."""

    def __init__(self, interval: float, seats: Seats) -> None:
        """``interval``: seconds between two looks, at least."""
        self._interval, self._seats = interval, seats
        self._lock = threading.Lock()
        self._viewers: dict[Mailbox, Key] = {}
        self._thread: threading.Thread | None = None

    def look(self, keys: Collection[Key]) -> Mapping[Key, Parts]:
        """How each of them is now; what is left out has ended."""
        raise NotImplementedError

    def watch(self, key: Key, heartbeat: float) -> Viewing:
        """All parts as they are now, then every change until the end; None after ``heartbeat`` silent seconds.

        Raises TooManyViewers at once, not at the first event.
        """
        self._seats.take()
        mailbox = Mailbox()
        with self._lock:
            self._viewers[mailbox] = key
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                self._thread.start()
        return Viewing(mailbox, heartbeat, self._leave)

    def _leave(self, mailbox: Mailbox) -> None:
        with self._lock:
            if self._viewers.pop(mailbox, None) is None:
                return
        self._seats.give_back()

    def _run(self) -> None:
        told: set[Mailbox] = set()
        before: Mapping[Key, Parts] = {}
        while True:
            with self._lock:
                viewers = dict(self._viewers)
                if not viewers:
                    self._thread = None
                    return
            began = time.monotonic()
            try:
                now = self.look(set(viewers.values()))
            except Exception as error:
                LOG.warning("%s: nothing can be seen: %s", self.name, type(error).__name__)
            else:
                _tell(viewers, told, before, now)
                told, before = set(viewers), now
            time.sleep(max(self._interval, _SHARE * (time.monotonic() - began)))


def _tell(
    viewers: Mapping[Mailbox, Key], told: Collection[Mailbox], before: Mapping[Key, Parts], now: Mapping[Key, Parts]
) -> None:
    """What has changed is found once a key; who has just come is told everything."""
    ended: Parts = {END: (END, {})}
    changed = {
        key: {name: event for name, event in parts.items() if before.get(key, {}).get(name) != event}
        for key, parts in now.items()
    }
    for mailbox, key in viewers.items():
        news = changed.get(key, ended) if mailbox in told else now.get(key, ended)
        if news:
            mailbox.put(news)
