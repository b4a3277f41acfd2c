# SPDX-License-Identifier: Apache-2.0
"""The threads that the local tasks of all flows share, and the clock of those that wait."""

import contextvars
import functools
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent import futures

Call = Callable[[], object]


class TaskPool:
    """A waiting task is an entry in a heap, and no thread."""

    def __init__(self, threads: int) -> None:
        self._threads = futures.ThreadPoolExecutor(threads, thread_name_prefix="task")
        self._changed = threading.Condition()
        self._waiting: list[tuple[float, int, Later]] = []
        self._numbers = itertools.count()
        self._clock: threading.Thread | None = None

    def submit(self, call: Call) -> None:
        """Call as soon as a thread is free, in the caller's context."""
        self._threads.submit(contextvars.copy_context().run, call)

    def later(self, seconds: float, call: Call) -> "Later":
        """The same after that time."""
        entry = Later(functools.partial(contextvars.copy_context().run, call))
        with self._changed:
            heapq.heappush(self._waiting, (time.monotonic() + seconds, next(self._numbers), entry))
            if self._clock is None:
                self._clock = threading.Thread(target=self._keep_time, name="task-clock", daemon=True)
                self._clock.start()
            self._changed.notify()
        return entry

    def _keep_time(self) -> None:
        """The clock's thread; it ends when nothing waits."""
        while True:
            with self._changed:
                if not self._waiting:
                    self._clock = None
                    return
                left = self._waiting[0][0] - time.monotonic()
                if left > 0:
                    self._changed.wait(left)
                    continue
                _, _, entry = heapq.heappop(self._waiting)
            call = entry.take()
            if call is not None:
                self._threads.submit(call)


class Later:
    """A call to come."""

    def __init__(self, call: Call) -> None:
        self._call: Call | None = call
        self._lock = threading.Lock()

    def take(self) -> Call | None:
        """The call, once; None when it was given up or taken."""
        with self._lock:
            call, self._call = self._call, None
            return call

    give_up = take
    """What it would have kept alive until its time is free at once."""
