# SPDX-License-Identifier: Apache-2.0
"""Progress and outcome of one request: in order, one at a time, never after the end."""

import threading
from collections.abc import Iterator
from concurrent import futures
from typing import Any

import pytest

from dbflow.messaging.pending import OnEvent, Pending
from dbflow.messaging.wire import GuestRequest, RequestId
from tests.waiting import wait_for


@pytest.fixture
def pool() -> Iterator[futures.Executor]:
    with futures.ThreadPoolExecutor(4) as made:
        yield made


def pending(pool: futures.Executor, on_event: OnEvent | None) -> Pending:
    request = GuestRequest(instance_id="i", id=RequestId("a", "execute", 1), task="t", name="n")
    return Pending(request, b"key", on_event, pool)


class Slow:
    """A callback that waits to be let go."""

    def __init__(self) -> None:
        self.entered, self.go, self.seen = threading.Event(), threading.Event(), list[Any]()

    def __call__(self, event: str, details: dict[str, Any]) -> None:
        self.entered.set()
        assert self.go.wait(10)
        self.seen.append(details["n"])


def test_only_the_newest_waits_for_a_slow_callback(pool: futures.Executor) -> None:
    slow = Slow()
    one = pending(pool, slow)
    one.event("progress", {"n": 0})
    assert slow.entered.wait(10)
    for n in range(1, 50):
        one.event("progress", {"n": n})
    slow.go.set()
    wait_for(lambda: len(slow.seen) == 2, 10, "two calls")
    assert slow.seen == [0, 49]


def test_the_outcome_waits_for_a_running_callback_and_is_the_end(pool: futures.Executor) -> None:
    slow = Slow()
    one = pending(pool, slow)
    one.event("progress", {"n": 0})
    assert slow.entered.wait(10)
    one.event("progress", {"n": 1})
    one.finish("done")
    assert not one.future.done()
    slow.go.set()
    assert one.future.result(10) == "done"
    one.event("progress", {"n": 2})
    one.finish("again")
    assert one.future.result() == "done"
    assert slow.seen == [0]


def test_a_callback_that_fails_harms_nothing(pool: futures.Executor) -> None:
    def fails(event: str, details: dict[str, Any]) -> None:
        raise RuntimeError("no")

    one = pending(pool, fails)
    one.event("progress", {"n": 0})
    one.finish("done")
    assert one.future.result(10) == "done"


def test_it_can_not_be_cancelled(pool: futures.Executor) -> None:
    one = pending(pool, None)
    assert not one.future.cancel()
    one.event("progress", {})
    one.finish(1)
    assert one.future.result() == 1
