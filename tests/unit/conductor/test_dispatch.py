# SPDX-License-Identifier: Apache-2.0
"""Where tasks run, and what becomes of those of an engine that breaks off."""

import threading
from concurrent import futures
from typing import Any, cast

import pytest
import sqlalchemy as sa
from taskflow import exceptions, task
from taskflow.types import failure

from conductor.dispatch import GuestExecutor, TaskRouter
from conductor.local import LocalExecutor
from conductor.pool import TaskPool
from dbflow.messaging import wire
from dbflow.messaging.errors import GuestUnreachable
from guest.tasks.backup import MakeBackup
from guest.tasks.replication import OpenWrites, Repoint
from guest.tasks.status import Status


class Asked:
    """A dispatcher that never answers by itself."""

    def __init__(self) -> None:
        self.answers: list[futures.Future[Any]] = []
        self.withdrawn: list[wire.RequestId] = []

    def submit(self, *_: Any) -> futures.Future[Any]:
        self.answers.append(futures.Future())
        return self.answers[-1]

    def withdraw(self, request: wire.RequestId, _: futures.Future[Any]) -> None:
        self.withdrawn.append(request)


def _executor(dispatcher: Any) -> Any:
    return GuestExecutor(dispatcher, 1, lambda _: 1)


def test_only_what_is_not_answered_is_withdrawn() -> None:
    asked = Asked()
    guests = _executor(asked)
    done, left = (guests.execute_task(Status(name), f"uuid-{name}", {"instance_id": "i"}) for name in "ab")
    asked.answers[0].set_result("ok")
    guests.withdraw()
    assert done.result(0) == ("executed", "ok")
    assert [request.atom for request in asked.withdrawn] == ["uuid-b"]
    assert not left.done()


def test_a_database_that_is_away_is_no_failure_of_the_task() -> None:
    class Away(Asked):
        def submit(self, *_: Any) -> futures.Future[Any]:
            raise sa.exc.OperationalError("SELECT 1", {}, Exception("server has gone away"))

    with pytest.raises(exceptions.StorageFailure):
        _executor(Away()).execute_task(Status("a"), "uuid", {"instance_id": "i"})


def test_a_cancel_waits_for_no_stream() -> None:
    asked = Asked()
    guests = _executor(asked)
    plain = guests.execute_task(Status("a"), "uuid-a", {"instance_id": "i"})
    stream = guests.execute_task(MakeBackup("b"), "uuid-b", {"instance_id": "i"})
    undoing = guests.revert_task(MakeBackup("c"), "uuid-c", {"instance_id": "i"}, None, {})
    guests.cancel()
    assert [request.atom for request in asked.withdrawn] == ["uuid-b"]
    assert stream.result(0)[1].check("dbflow.waits.Cancelled")
    asked.answers[1].set_result("too late")
    assert stream.result(0)[0] == "executed"
    assert not plain.done()
    assert not undoing.done()


def test_silence_that_is_in_nobodys_way() -> None:
    """Of the actions that a task names, and of nothing else that goes wrong."""
    asked = Asked()
    guests = _executor(asked)
    steps = [
        guests.revert_task(Repoint("a"), "uuid-a", {"instance_id": "i"}, None, {}),
        guests.revert_task(Repoint("b"), "uuid-b", {"instance_id": "i"}, None, {}),
        guests.execute_task(Repoint("c"), "uuid-c", {"instance_id": "i"}),
        guests.revert_task(OpenWrites("d"), "uuid-d", {"instance_id": "i"}, None, {}),
        guests.revert_task(MakeBackup("e"), "uuid-e", {"instance_id": "i"}, None, {}),
    ]
    silent = failure.Failure.from_exception(GuestUnreachable("silent"))
    refused = failure.Failure.from_exception(ValueError("refused"))
    for answer, why in zip(asked.answers, (silent, refused, silent, silent, silent), strict=True):
        answer.set_result(why)
    assert [step.result(0)[1] for step in steps] == [None, refused, silent, silent, None]


def test_a_step_that_waits_for_a_thread_is_not_taken_back() -> None:
    gate, pool = threading.Event(), TaskPool(1)
    pool.submit(lambda: gate.wait(20))
    router = TaskRouter(LocalExecutor(pool), cast(Any, Asked()), 1, lambda _: 1)
    queued = router.execute_task(_Local("waits"), "uuid", {})
    assert not queued.cancel()
    gate.set()
    assert queued.result(20) == ("executed", "done")


class _Local(task.Task):
    def execute(self) -> str:
        return "done"
