# SPDX-License-Identifier: Apache-2.0
"""One look, many viewers: a thread a process looks at what somebody watches, and tells everyone what has changed."""

import logging
import threading
import time
from collections import Counter
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
_QUARTER = 4


class TooManyViewers(Exception):
    """Every viewer costs a thread of the server, so there is a limit."""


class Seats:
    """How many may watch at once, whatever they watch. A quarter of them is all that one user gets for the API's
    streams; a browser that goes from page to page leaves streams behind, of which the server learns late."""

    def __init__(self, most: int) -> None:
        self.most = most
        self._lock = threading.Lock()
        self._taken: Counter[str] = Counter()

    def take(self, user_id: str, *, last_ones: bool) -> None:
        """TooManyViewers when there is none left for the user. ``last_ones``: whether it may be one of the last
        quarter, and counts among the user's own."""
        quarter = self.most // _QUARTER
        there_are = self.most if last_ones else self.most - quarter
        with self._lock:
            if self._taken.total() >= there_are or (last_ones and self._taken[user_id] >= max(1, quarter)):
                raise TooManyViewers
            self._taken[user_id] += 1

    def give_back(self, user_id: str) -> None:
        """Of a viewer who leaves."""
        with self._lock:
            self._taken[user_id] -= 1
            self._taken += Counter()  # forgets who has none


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
    last_ones = True
    """Whether its viewers may take the last quarter of the seats, and no more than a quarter each."""

    def __init__(self, interval: float, seats: Seats) -> None:
        """``interval``: seconds between two looks, at least."""
        self._interval, self._seats = interval, seats
        self._lock = threading.Lock()
        self._viewers: dict[Mailbox, tuple[Key, str]] = {}
        """What each looks at, and whose it is."""
        self._thread: threading.Thread | None = None

    def look(self, keys: Collection[Key]) -> Mapping[Key, Parts]:
        """How each of them is now; what is left out has ended."""
        raise NotImplementedError

    def watch(self, key: Key, heartbeat: float, user_id: str) -> Viewing:
        """All parts as they are now, then every change until the end; None after ``heartbeat`` silent seconds.

        Raises TooManyViewers at once, not at the first event.
        """
        self._seats.take(user_id, last_ones=self.last_ones)
        mailbox = Mailbox()
        try:
            with self._lock:
                self._viewers[mailbox] = key, user_id
                if self._thread is None:
                    thread = threading.Thread(target=self._run, name=self.name, daemon=True)
                    thread.start()  # may fail; it does nothing before it gets our lock
                    self._thread = thread
        except BaseException:
            self._leave(mailbox)
            raise
        return Viewing(mailbox, heartbeat, self._leave)

    def _leave(self, mailbox: Mailbox) -> None:
        with self._lock:
            left = self._viewers.pop(mailbox, None)
        if left is not None:
            self._seats.give_back(left[1])

    def _run(self) -> None:
        told: set[Mailbox] = set()
        before: Mapping[Key, Parts] = {}
        while True:
            with self._lock:
                viewers = {mailbox: key for mailbox, (key, _) in self._viewers.items()}
                if not viewers:
                    self._thread = None
                    return
            began = time.monotonic()
            try:
                now = self.look(set(viewers.values()))
                _tell(viewers, told, before, now)
                told, before = set(viewers), now
            except Exception as error:  # whatever it is, viewers go on to be told
                LOG.warning("%s: nothing can be seen: %s", self.name, type(error).__name__)
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
