# SPDX-License-Identifier: Apache-2.0
"""Where an engine's tasks run: guest tasks on their instance's guest, all others in this process."""

import contextlib
import contextvars
import logging
from collections.abc import Callable, Mapping
from concurrent import futures
from typing import Any

import sqlalchemy as sa
from taskflow import exceptions
from taskflow.engines.action_engine import executor
from taskflow.types import failure

from conductor.local import Future, LocalExecutor
from dbflow import faults
from dbflow.crypto import BadSeal
from dbflow.messaging import wire
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.errors import GuestOverdue, GuestUnreachable
from dbflow.messaging.pending import OnEvent
from dbflow.waits import Cancelled
from guest.tasks.base import GuestTask

LOG = logging.getLogger(__name__)


class GuestExecutor(executor.TaskExecutor):
    """Sends guest tasks to the guest that their ``instance_id`` argument names. Never blocks; raises StorageFailure
    when dbflow's database is away, nothing else."""

    def __init__(self, dispatcher: Dispatcher, epoch: int, attempt_of: Callable[[str], int]) -> None:
        """``epoch`` of the claim this engine runs under; ``attempt_of(task name)`` is the number, stored before
        the task's state says that it runs, of this execution or revert."""
        self._dispatcher, self._epoch, self._attempt_of = dispatcher, epoch, attempt_of
        self._asked: dict[futures.Future[Any], wire.RequestId] = {}
        self._interruptible: dict[futures.Future[Any], Future] = {}
        """Executions that a cancelled flow does not wait for."""

    def withdraw(self) -> None:
        """Ask no more for what is not answered: the flow is another conductor's, or nobody's, now."""
        for answer, request in list(self._asked.items()):
            if not answer.done():
                self._dispatcher.withdraw(request, answer)

    def cancel(self) -> None:
        """Executions that may be interrupted fail as Cancelled now; their reverts end them on the guest."""
        for answer, future in list(self._interruptible.items()):
            self._dispatcher.withdraw(self._asked[answer], answer)
            cancelled = failure.Failure.from_exception(Cancelled("the operation was cancelled"))
            _settle(future, (executor.EXECUTED, cancelled))

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
        future = Future(task)
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
                silence=task.silence,
                **of_revert,
            )
            answer = self._dispatcher.submit(request, progress_callback)
        except (sa.exc.SQLAlchemyError, BadSeal) as error:
            # The database went away, or the key file is not of today: that breaks the engine off, and must not look
            # like a failure of the task.
            raise exceptions.StorageFailure("the guest's key could not be loaded", cause=error) from error
        except Exception:
            future.set_result((event, failure.Failure()))
        else:
            self._asked[answer] = request.id
            if task.interruptible and event == executor.EXECUTED:
                self._interruptible[answer] = future
            context = contextvars.copy_context()  # of the engine; whoever hears the answer knows of no operation
            answer.add_done_callback(
                lambda done: _settle(future, (event, context.run(_received, task, request, done.result())))
            )
        return future


def _settle(future: Future, outcome: tuple[str, Any]) -> None:
    """An answer and a cancel may come at once; the first counts."""
    with contextlib.suppress(futures.InvalidStateError):
        future.set_result(outcome)


def _received(task: GuestTask, request: wire.GuestRequest, result: Any) -> Any:
    """The guest's answer; a test may have it come too late."""
    if request.id.action in task.unanswered and isinstance(result, failure.Failure) and result.check(GuestUnreachable):
        LOG.warning("step %s: %s goes unanswered, which is in nobody's way", request.name, request.id.action)
        result = None
    try:
        faults.point(f"{request.name}.{request.id.action}.returned", lost=GuestOverdue)
    except Exception:
        return failure.Failure()
    return result


class TaskRouter(executor.TaskExecutor):
    """The executor of one engine. None of its futures can be cancelled: a step whose beginning is saved is done, or
    begun anew by another engine. One that suspends takes back what it can, and then believes a flow with such a step
    to have ended."""

    def __init__(
        self,
        local: LocalExecutor,
        dispatcher: Dispatcher,
        epoch: int,
        attempt_of: Callable[[str], int],
    ) -> None:
        self._local = local
        self._guests = GuestExecutor(dispatcher, epoch, attempt_of)

    def withdraw(self) -> None:
        """Leave all that waits to whoever goes on with the flow: guests' answers, and local tasks between tries."""
        self._guests.withdraw()
        self._local.break_off()

    def settle(self, timeout: float) -> None:
        """Return when no local task is at a try any more, or after so many seconds."""
        self._local.settle(timeout)

    def break_off(self) -> None:
        """Local tasks wait no more; their futures end with BrokenOff."""
        self._local.break_off()

    def cancel(self) -> None:
        """Executions that wait, and those of guests that may be interrupted, fail."""
        self._local.cancel()
        self._guests.cancel()

    def execute_task(
        self, task: Any, task_uuid: str, arguments: Mapping[str, Any], progress_callback: OnEvent | None = None
    ) -> Future:
        faults.point(f"{task.name}.execute.begun")
        chosen: GuestExecutor | LocalExecutor = self._guests if isinstance(task, GuestTask) else self._local
        return chosen.execute_task(task, task_uuid, arguments, progress_callback)

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
        chosen: GuestExecutor | LocalExecutor = self._guests if on_guest else self._local
        return chosen.revert_task(task, task_uuid, arguments, result, failures, progress_callback)
