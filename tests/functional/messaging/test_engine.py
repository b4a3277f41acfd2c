# SPDX-License-Identifier: Apache-2.0
"""A TaskFlow engine whose guest tasks run in a real agent and whose other tasks run here."""

import pathlib
from typing import Any

import pytest
from taskflow import states, task
from taskflow.engines.action_engine import engine
from taskflow.patterns import linear_flow, unordered_flow
from taskflow.persistence.backends import impl_memory
from taskflow.utils import persistence_utils

from conductor.dispatch import TaskRouter
from conductor.local import LocalExecutor
from conductor.pool import TaskPool
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.errors import GuestUnreachable
from tests.guests.asking import Field
from tests.guests.tasks import Echo, Write, trace


class Choose(task.Task):
    """A local task: says which guest."""

    def execute(self, chosen: str) -> str:
        return chosen


class Local(task.Task):
    """A local task that leaves a trace and reverts."""

    def execute(self, path: str) -> None:
        trace(path, "local")

    def revert(self, path: str, **kwargs: Any) -> None:
        trace(path, "unlocal")


class Fail(task.Task):
    """Makes the flow revert."""

    def execute(self) -> None:
        raise RuntimeError("on purpose")


class RoutedEngine(engine.ActionEngine):
    """The conductor's engine, in small: attempts are counted in memory."""

    def __init__(self, flow: Any, flow_detail: Any, backend: Any, options: dict[str, Any]) -> None:
        super().__init__(flow, flow_detail, backend, options)
        attempts: dict[str, int] = {}

        def attempt_of(name: str) -> int:
            attempts[name] = attempts.get(name, 0) + 1
            return attempts[name]

        self._task_executor = TaskRouter(LocalExecutor(TaskPool(4)), options["dispatcher"], 4, attempt_of)


def run(flow: Any, store: dict[str, Any], dispatcher: Dispatcher) -> Any:
    """The engine, after it ran."""
    backend = impl_memory.MemoryBackend()
    detail = persistence_utils.create_flow_detail(flow, backend=backend)
    made = RoutedEngine(flow, detail, backend, {"dispatcher": dispatcher})
    made.storage.inject(store)
    made.compile()
    made.prepare()
    made.run()
    return made


def flow(*steps: Any) -> Any:
    return linear_flow.Flow("f").add(*steps)


def test_local_and_guest_tasks_of_one_flow(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    path = field.root / "trace"
    done = run(
        flow(Choose(provides="instance_id"), Write("write", provides="text"), Local(), Echo("echo", provides="out")),
        {"chosen": guest.instance_id, "path": str(path), "word": "guest"},
        asker,
    )
    assert done.storage.get_flow_state() == states.SUCCESS
    assert done.storage.fetch("out") == "guest"
    assert path.read_text().split() == ["guest", "local"]
    assert done.storage.get_task_progress("write") == 1.0


def test_reverts_run_where_they_belong(field: Field) -> None:
    asker, guest = field.dispatcher(), field.guest()
    path = field.root / "trace"
    with pytest.raises(RuntimeError, match="on purpose"):
        run(
            flow(Choose(provides="instance_id"), Write("write"), Local(), Echo("echo", inject={"text": "x"}), Fail()),
            {"chosen": guest.instance_id, "path": str(path), "word": "guest"},
            asker,
        )
    assert path.read_text().split() == ["guest", "local", "unlocal", "unguest"]


def test_a_guest_that_is_gone_fails_the_flow(field: Field) -> None:
    asker, guest = field.dispatcher(pending_timeout=1.0), field.guest(start=False)
    with pytest.raises(GuestUnreachable):
        run(
            flow(Echo("echo")),
            {"instance_id": guest.instance_id, "text": "x"},
            asker,
        )


@pytest.mark.parametrize("arguments", [{"instance_id": "nobody"}, {"text": "x" * 2_000_000}])
def test_what_can_not_be_sent_fails_the_task_not_the_engine(field: Field, arguments: dict[str, str]) -> None:
    asker, guest = field.dispatcher(), field.guest(start=False)
    store = {"instance_id": guest.instance_id, "text": "x", **arguments}
    with pytest.raises((KeyError, ValueError)):
        run(flow(Echo("echo")), store, asker)


def test_tasks_of_one_flow_on_several_guests(field: Field, tmp_path: pathlib.Path) -> None:
    asker, guests = field.dispatcher(), [field.guest(), field.guest()]
    steps = [
        Write(f"write {n}", inject={"instance_id": guest.instance_id, "path": str(tmp_path / str(n)), "word": "x"})
        for n, guest in enumerate(guests * 5)
    ]
    done = run(unordered_flow.Flow("f").add(*steps), {}, asker)
    assert done.storage.get_flow_state() == states.SUCCESS
    assert len(list(tmp_path.glob("[0-9]"))) == 10
