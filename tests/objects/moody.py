# SPDX-License-Identifier: Apache-2.0
"""An object store in a mood: full, failing, cutting connections, forgetting who may do what."""

import collections
import http.server
import itertools
import threading
from collections.abc import Callable, Iterable
from typing import IO, Any, BinaryIO, cast

from dbflow.objectstore.server import _Handler
from tests.waiting import wait_for

WELL, CUT, STILL, SLOW = 200, 0, -1, -2
"""Do what is asked; close the connection in the middle of it; say nothing until the moods are over, then close it; do
what is asked, but take what comes a little at a time."""
_A_LITTLE, _AT_A_TIME = 1 << 18, 0.02
"""Bytes and seconds."""


class Moods:
    """What happens to one request after the other."""

    def __init__(self, moods: Iterable[int]) -> None:
        """A status that is answered, or one of the above; WELL when there are no more."""
        self._moods = itertools.chain(moods, itertools.repeat(WELL))
        self._lock = threading.Lock()
        self.met: collections.Counter[int] = collections.Counter()
        self.over = threading.Event()

    def next(self) -> int:
        with self._lock:
            mood = next(self._moods)
            self.met[mood] += 1
            return mood


class Still(Moods):
    """Nothing at all while a condition holds; then it does what is asked."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        super().__init__(())
        self._condition = condition

    def next(self) -> int:
        wait_for(lambda: not self._condition(), 120, "the end of a store's rest")
        return super().next()


class InAMood(http.server.BaseHTTPRequestHandler):
    """What handlers with moods have in common."""

    def as_in(self, moods: Moods, well: Callable[[], None]) -> None:
        """Answer as the next mood has it; ``well`` does what is asked."""
        mood = moods.next()
        if mood in (WELL, SLOW):
            if mood == SLOW:
                self.rfile = cast(BinaryIO, _Slow(self.rfile, moods.over))
            well()
            return
        self.close_connection = True
        if mood in (CUT, STILL):
            _ = self.rfile.read1(1000) if self.command == "PUT" else b""
            if mood == STILL:
                moods.over.wait()
            return
        self.send_response(mood)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()


class _Slow:
    """A request that is read slowly."""

    def __init__(self, request: IO[bytes], over: threading.Event) -> None:
        self._request, self._over = request, over
        self.close = request.close

    def readinto(self, block: memoryview) -> int:
        self._over.wait(_AT_A_TIME)
        return self._request.readinto(block[:_A_LITTLE])  # type: ignore[attr-defined,no-any-return]


def moody(moods: Moods) -> type[Any]:
    """The file store's handler, in these moods."""

    class Moody(InAMood, _Handler):
        def do_PUT(self) -> None:
            self.as_in(moods, super().do_PUT)

        def do_GET(self) -> None:
            self.as_in(moods, super().do_GET)

    return Moody
