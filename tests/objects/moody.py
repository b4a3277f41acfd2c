# SPDX-License-Identifier: Apache-2.0
"""An object store in a mood: full, failing, cutting connections, forgetting who may do what."""

import collections
import itertools
import threading
from collections.abc import Callable, Iterable
from typing import Any

from dbflow.objectstore.server import _Handler
from tests.waiting import wait_for

WELL, CUT = 200, 0
"""Do what is asked; close the connection in the middle of it."""


class Moods:
    """What happens to one request after the other."""

    def __init__(self, moods: Iterable[int]) -> None:
        """A status that is answered, WELL, or CUT; WELL when there are no more."""
        self._moods = itertools.chain(moods, itertools.repeat(WELL))
        self._lock = threading.Lock()
        self.met: collections.Counter[int] = collections.Counter()

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


def moody(moods: Moods) -> type[Any]:
    """The file store's handler, in these moods."""

    class Moody(_Handler):
        def do_PUT(self) -> None:  # noqa: N802
            self._in_a_mood(super().do_PUT)

        def do_GET(self) -> None:  # noqa: N802
            self._in_a_mood(super().do_GET)

        def _in_a_mood(self, well: Any) -> None:
            mood = moods.next()
            if mood == WELL:
                well()
                return
            self.close_connection = True
            if mood == CUT:
                _ = self.rfile.read1(1000) if self.command == "PUT" else b""
                return
            self.send_response(mood)
            self.send_header("Content-Length", "0")
            self.send_header("Connection", "close")
            self.end_headers()

    return Moody
