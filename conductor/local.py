# SPDX-License-Identifier: Apache-2.0
"""Local tasks of one engine: tried in threads of the shared pool, waiting outside of it."""

import functools
import threading
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

from taskflow.engines.action_engine import executor
from taskflow.types import failure

from conductor.control import BrokenOff
from conductor.pool import Later, TaskPool
from dbflow.messaging.pending import OnEvent
from dbflow.waits import Cancelled, Overdue
from flows.tasks.base import LocalTask
from flows.tasks.tries import Tries


class Future(futures.Future[tuple[str, Any]]):
    """TaskFlow's: its result is (executed | reverted, value or Failure). It runs from the start, so nobody can cancel
    it."""

    def __init__(self, atom: Any) -> None:
        super().__init__()
        self.atom = atom
        self.set_running_or_notify_cancel()


Ending = tuple[str, Any] | BrokenOff


class LocalExecutor(executor.TaskExecutor):
    """Used by the thread of its engine only."""

    def __init__(self, pool: TaskPool) -> None:
        self._pool = pool
        self._attempts: dict[Future, _Attempt] = {}

    def execute_task(
        self, task: Any, task_uuid: str, arguments: Mapping[str, Any], progress_callback: OnEvent | None = None
    ) -> Future:
        call = functools.partial(executor._execute_task, task, arguments, progress_callback=progress_callback)
        return self._begin(executor.EXECUTED, task, call)

    def revert_task(
        self,
        task: Any,
        task_uuid: str,
        arguments: Mapping[str, Any],
        result: Any,
        failures: Mapping[str, failure.Failure],
        progress_callback: OnEvent | None = None,
    ) -> Future:
        call = functools.partial(
            executor._revert_task, task, arguments, result, failures, progress_callback=progress_callback
        )
        return self._begin(executor.REVERTED, task, call)

    def break_off(self) -> None:
        """Whatever waits for its next try, or for a thread, ends with BrokenOff now; what is at a try, when that has
        ended and was not the last."""
        for attempt in list(self._attempts.values()):
            attempt.give_up(BrokenOff())

    def cancel(self) -> None:
        """Executions that wait fail as Cancelled now; those at a try, when that has ended and was not the last."""
        cancelled = failure.Failure.from_exception(Cancelled("the operation was cancelled"))
        for attempt in list(self._attempts.values()):
            if attempt.event == executor.EXECUTED:
                attempt.give_up((executor.EXECUTED, cancelled))

    def settle(self, timeout: float) -> None:
        """Return when all attempts have ended, or after so many seconds."""
        futures.wait(list(self._attempts), timeout)

    def _begin(self, event: str, task: Any, call: Callable[[], tuple[str, Any]]) -> Future:
        attempt = _Attempt(self._pool, event, task, call)
        self._attempts[attempt.future] = attempt
        attempt.future.add_done_callback(lambda _: self._attempts.pop(attempt.future))
        attempt.start()
        return attempt.future


class _Attempt:
    """One execution or revert: tries, with pauses between them."""

    def __init__(self, pool: TaskPool, event: str, task: Any, call: Callable[[], tuple[str, Any]]) -> None:
        self.event = event
        self.future = Future(task)
        self._pool, self._call = pool, call
        self._tries = _tries(event, task)
        self._lock = threading.Lock()
        self._trying = self._ended = False
        self._instead: Ending | None = None
        self._next: Later | None = None

    def start(self) -> None:
        """The first try, when a thread is free."""
        self._pool.submit(self._try)

    def give_up(self, ending: Ending) -> None:
        """Wait no more: end so, now or after the try in progress (unless that is the last)."""
        with self._lock:
            self._instead = ending
            if self._trying or self._ended:
                return
            self._ended = True
            if self._next is not None:
                self._next.give_up()
        self._end(ending)

    def _try(self) -> None:
        with self._lock:
            if self._ended:
                return
            self._trying = True
        try:
            outcome, pause = self._judged(self._call())
        except BaseException as error:
            self.future.set_exception(error)  # nothing that a task raises comes here; the engine must not wait for ever
            raise
        with self._lock:
            self._trying = False
            if pause is not None and self._instead is None:
                self._next = self._pool.later(pause, self._try)
                return
            self._ended = True
        self._end(outcome if pause is None or self._instead is None else self._instead)

    def _judged(self, outcome: tuple[str, Any]) -> tuple[tuple[str, Any], float | None]:
        """The outcome of a try, and the pause until the next one; None when it was the last."""
        what = outcome[1]
        if self._tries is None or not isinstance(what, failure.Failure) or what.exception is None:
            return outcome, None
        try:
            return outcome, self._tries.pause_after(what.exception)
        except Overdue:
            return (self.event, failure.Failure()), None

    def _end(self, ending: Ending) -> None:
        if isinstance(ending, BrokenOff):
            self.future.set_exception(ending)
        else:
            self.future.set_result(ending)


def _tries(event: str, task: Any) -> Tries | None:
    """None for tasks of which a single try is all: the part of a guest's task that runs here does nothing."""
    if not isinstance(task, LocalTask):
        return None
    return task.executing() if event == executor.EXECUTED else task.reverting()
