# SPDX-License-Identifier: Apache-2.0
"""Local tasks: who holds a thread, and what becomes of those that wait when their flow stops."""

import threading
import types
from collections.abc import Iterator
from typing import Any, cast

import pytest
from taskflow.types import failure

from conductor.control import BrokenOff
from conductor.local import Future, LocalExecutor
from conductor.pool import TaskPool
from dbflow.waits import Cancelled, NotYet
from flows.tasks.base import FlowContext, LocalTask
from tests.waiting import wait_for


class Step(LocalTask):
    """Waits until its event is set, by looking every ``after`` seconds; while ``gate`` is clear a look hangs."""

    def __init__(self, after: float = 600.0) -> None:
        super().__init__()
        fence = types.SimpleNamespace(confirm=lambda within: None)
        self.bind(cast(FlowContext, types.SimpleNamespace(fence=fence)))
        self.after, self.looks = after, 0
        self.there, self.gate = threading.Event(), threading.Event()
        self.gate.set()

    def execute(self) -> str:
        return self._look()

    def revert(self, **_: Any) -> str:
        return self._look()

    def _look(self) -> str:
        self.looks += 1
        assert self.gate.wait(20)
        if not self.there.is_set():
            raise NotYet("it is not there", after=self.after)
        return "there"


@pytest.fixture
def pool() -> Iterator[TaskPool]:
    made = TaskPool(1)
    yield made
    assert made._clock is None or not any(entry._call for _, _, entry in made._waiting)


def begun(local: LocalExecutor, step: Step) -> Future:
    """An execution that waits for its second try."""
    future = local.execute_task(step, "uuid", {})
    wait_for(lambda: all(attempt._next for attempt in local._attempts.values()), 10, "the pause")
    return future


def test_one_thread_serves_all_that_wait(pool: TaskPool) -> None:
    local, steps = LocalExecutor(pool), [Step(after=0.01) for _ in range(100)]
    futures = [local.execute_task(step, "uuid", {}) for step in steps]
    wait_for(lambda: all(step.looks > 1 for step in steps), 20, "everybody's second look")
    ready = Step()
    ready.there.set()
    assert local.execute_task(ready, "uuid", {}).result(10) == ("executed", "there")
    for step in steps:
        step.there.set()
    assert {future.result(10) for future in futures} == {("executed", "there")}


def test_what_waits_is_broken_off_at_once(pool: TaskPool) -> None:
    local = LocalExecutor(pool)
    future = begun(local, Step())
    local.break_off()
    assert isinstance(future.exception(0), BrokenOff)
    local.settle(0)
    assert not local._attempts


def test_what_waits_for_a_thread_is_broken_off_untried(pool: TaskPool) -> None:
    local, busy, queued = LocalExecutor(pool), Step(), Step()
    busy.gate.clear()
    first = local.execute_task(busy, "uuid", {})
    second = local.execute_task(queued, "uuid", {})
    wait_for(lambda: busy.looks, 10, "the thread to be taken")
    local.break_off()
    assert isinstance(second.exception(0), BrokenOff)
    assert not first.done()
    busy.gate.set()
    assert isinstance(first.exception(10), BrokenOff)
    assert (busy.looks, queued.looks) == (1, 0)


def test_the_try_in_progress_may_be_the_last(pool: TaskPool) -> None:
    local, step = LocalExecutor(pool), Step()
    step.gate.clear()
    future = local.execute_task(step, "uuid", {})
    wait_for(lambda: step.looks, 10, "the try")
    local.break_off()
    step.there.set()
    step.gate.set()
    assert future.result(10) == ("executed", "there")


def test_a_cancel_fails_executions_and_leaves_reverts(pool: TaskPool) -> None:
    local, undone = LocalExecutor(pool), Step(after=0.01)
    execution = begun(local, Step())
    revert = local.revert_task(undone, "uuid", {}, None, {})
    wait_for(lambda: undone.looks > 1, 10, "the revert to wait")
    local.cancel()
    _, what = execution.result(0)
    assert isinstance(what, failure.Failure)
    assert what.check(Cancelled)
    undone.there.set()
    assert revert.result(10) == ("reverted", "there")


def test_the_clock_ends_and_begins_again(pool: TaskPool) -> None:
    for _ in range(2):
        called = threading.Event()
        pool.later(0.01, called.set)
        assert called.wait(10)
        wait_for(lambda: pool._clock is None, 10, "the end of the clock")
    given_up = pool.later(0.01, lambda: pytest.fail("it was given up"))
    given_up.give_up()
    wait_for(lambda: pool._clock is None, 10, "the end of the clock")
