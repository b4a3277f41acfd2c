# SPDX-License-Identifier: Apache-2.0
"""Guest tasks of an engine that breaks off."""

from concurrent import futures
from typing import Any

import pytest
import sqlalchemy as sa
from taskflow import exceptions

from conductor.dispatch import GuestExecutor
from dbflow.messaging import wire
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
    executor = _executor(asked)
    done, left = (executor.execute_task(Status(name), f"uuid-{name}", {"instance_id": "i"}) for name in "ab")
    asked.answers[0].set_result("ok")
    executor.withdraw()
    assert done.result(0) == ("executed", "ok")
    assert [request.atom for request in asked.withdrawn] == ["uuid-b"]
    assert not left.done()


def test_a_database_that_is_away_is_no_failure_of_the_task() -> None:
    class Away(Asked):
        def submit(self, *_: Any) -> futures.Future[Any]:
            raise sa.exc.OperationalError("SELECT 1", {}, Exception("server has gone away"))

    with pytest.raises(exceptions.StorageFailure):
        _executor(Away()).execute_task(Status("a"), "uuid", {"instance_id": "i"})
