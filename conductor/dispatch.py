# SPDX-License-Identifier: Apache-2.0
"""Where an engine's tasks run: guest tasks on their instance's guest, all others in this process."""

from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

import sqlalchemy as sa
from taskflow import exceptions
from taskflow.engines.action_engine import executor
from taskflow.types import failure

from dbflow import faults
from dbflow.messaging import wire
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.pending import OnEvent
from guest.tasks.base import GuestTask

Future = futures.Future[tuple[str, Any]]
"""Its result is TaskFlow's (executed | reverted, value or Failure); ``atom`` is the task."""


class GuestExecutor(executor.TaskExecutor):
    """Sends guest tasks to the guest that their ``instance_id`` argument names. Never blocks; raises StorageFailure
    when dbflow's database is away, nothing else."""

    def __init__(self, dispatcher: Dispatcher, epoch: int, attempt_of: Callable[[str], int]) -> None:
        """``epoch`` of the claim this engine runs under; ``attempt_of(task name)`` is the number, stored before
        the task's state says that it runs, of this execution or revert."""
        self._dispatcher, self._epoch, self._attempt_of = dispatcher, epoch, attempt_of
        self._asked: dict[futures.Future[Any], wire.RequestId] = {}

    def withdraw(self) -> None:
        """Ask no more for what is not answered: the flow is another conductor's, or nobody's, now."""
        for answer, request in list(self._asked.items()):
            if not answer.done():
                self._dispatcher.withdraw(request, answer)

    def execute_task(
        self, task: GuestTask, task_uuid: str, arguments: Mapping[str, Any], progress_callback: OnEvent | None = None
    ) -> Future:
        return self._ask(executor.EXECUTED, task, task_uuid, wire.EXECUTE, arguments, progress_callback)

    def revert_task(
        self,
        task: GuestTask,
        task_uuid: str,
        arguments: Mapping[str, Any],
        result: Any,
        failures: Mapping[str, failure.Failure],
        progress_callback: OnEvent | None = None,
    ) -> Future:
        return self._ask(
            executor.REVERTED,
            task,
            task_uuid,
            wire.REVERT,
            arguments,
            progress_callback,
            result=result,
            failures=failures,
        )

    def _ask(
        self,
        event: str,
        task: GuestTask,
        task_uuid: str,
        action: str,
        arguments: Mapping[str, Any],
        progress_callback: OnEvent | None,
        **of_revert: Any,
    ) -> Future:
        future: Any = futures.Future()
        future.atom = task
        future.set_running_or_notify_cancel()
        try:
            request = wire.GuestRequest(
                instance_id=arguments["instance_id"],
                id=wire.RequestId(task_uuid, action, self._attempt_of(task.name)),
                task=task.path(),
                name=task.name,
                version=tuple(task.version),
                arguments=arguments,
                epoch=self._epoch,
                deadline=task.deadline,
                **of_revert,
            )
            answer = self._dispatcher.submit(request, progress_callback)
        except sa.exc.SQLAlchemyError as error:
            # The database went away: that breaks the engine off, and must not look like a failure of the task.
            raise exceptions.StorageFailure("the guest's key could not be loaded", cause=error) from error
        except Exception:
            future.set_result((event, failure.Failure()))
        else:
            self._asked[answer] = request.id
            answer.add_done_callback(lambda done: future.set_result((event, done.result())))
        return future  # type: ignore[no-any-return]


class TaskRouter(executor.TaskExecutor):
    """The executor of one engine; ``local`` runs on a pool that all engines of the process share."""

    def __init__(
        self,
        local: executor.TaskExecutor,
        dispatcher: Dispatcher,
        epoch: int,
        attempt_of: Callable[[str], int],
    ) -> None:
        self._local = local
        self._guests = GuestExecutor(dispatcher, epoch, attempt_of)

    def withdraw(self) -> None:
        """Leave the guests to whoever goes on with the flow."""
        self._guests.withdraw()

    def start(self) -> None:
        self._local.start()

    def stop(self) -> None:
        self._local.stop()

    def execute_task(
        self, task: Any, task_uuid: str, arguments: Mapping[str, Any], progress_callback: OnEvent | None = None
    ) -> Future:
        faults.point(f"{task.name}.execute.begun")
        chosen = self._guests if isinstance(task, GuestTask) else self._local
        return _kept(chosen.execute_task(task, task_uuid, arguments, progress_callback))

    def revert_task(
        self,
        task: Any,
        task_uuid: str,
        arguments: Mapping[str, Any],
        result: Any,
        failures: Mapping[str, failure.Failure],
        progress_callback: OnEvent | None = None,
    ) -> Future:
        faults.point(f"{task.name}.revert.begun")
        on_guest = isinstance(task, GuestTask) and task.reverts_on_guest()
        chosen = self._guests if on_guest else self._local
        return _kept(chosen.revert_task(task, task_uuid, arguments, result, failures, progress_callback))


def _kept(future: Future) -> Future:
    """A step whose beginning is saved is done. An engine that suspends takes back what waits for a thread, and then
    believes a flow with such a step to have ended."""
    future.cancel = _refuse  # type: ignore[method-assign]
    return future


def _refuse() -> bool:
    return False
