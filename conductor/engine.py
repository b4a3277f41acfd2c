# SPDX-License-Identifier: Apache-2.0
"""The engine: TaskFlow's action engine whose guest tasks go to their guest and whose other tasks run here.

It differs from stock in what it saves: one write a state change instead of two, the attempt's number before the
attempt begins, times of start and end, progress at most when the engine looks up from waiting.
"""

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent import futures
from typing import Any

from sqlalchemy import exc as sa_errors
from taskflow import exceptions, states
from taskflow import task as tf_task
from taskflow.engines.action_engine import builder, compiler, engine, runtime
from taskflow.engines.action_engine.actions import task as task_action
from taskflow.persistence import models
from taskflow.types import failure
from taskflow.utils import misc

from conductor.control import BrokenOff, Control, HandedOver
from conductor.dispatch import TaskRouter
from conductor.local import LocalExecutor
from dbflow import faults
from dbflow.db.models import utcnow
from dbflow.operations import CANCEL
from dbflow.persistence.backend import FlowBackend
from flows.tasks.base import FlowContext, LocalTask

_BEGIN = frozenset({states.RUNNING, states.REVERTING})
_LOOK_AT_CLAIM = 15.0
"""Seconds between two looks whether the claim still stands, while a long step is waited for."""
_END = frozenset({states.SUCCESS, states.FAILURE, states.REVERTED, states.REVERT_FAILURE})


class _TaskAction(task_action.TaskAction):
    """State, attempt, times, progress and result of a task in a single save."""

    def change_state(
        self,
        task: tf_task.Task,
        state: str,
        progress: float | None = None,
        result: Any = task_action.TaskAction.NO_RESULT,
    ) -> None:
        storage = self._storage
        old_state = storage.get_atom_state(task.name)
        if self._is_identity_transition(old_state, state, task, progress=progress):
            return
        with storage.lock.write_lock():
            source, clone = storage._atomdetail_by_name(task.name, clone=True)
            clone.meta = self._meta(clone.meta, old_state, state, progress)
            if state in self.SAVE_RESULT_STATES:
                value = None if result is self.NO_RESULT else result
                clone.put(state, value)
                if isinstance(value, failure.Failure):
                    storage._failures[clone.name][clone.intention] = value
            else:
                clone.state = state
            self._save(source, clone)
        details = {"task_name": task.name, "task_uuid": source.uuid, "old_state": old_state}
        if result is not self.NO_RESULT:
            details["result"] = result
        self._notifier.notify(state, details)

    def _save(self, source: models.AtomDetail, clone: models.AtomDetail) -> None:
        try:
            source.update(self._storage.backend.update_atom_details(clone))
        except exceptions.StorageFailure:
            # TaskFlow's own way, whose preparations to try again take longer than the save itself.
            self._storage._with_connection(self._storage._save_atom_detail, source, clone)

    @staticmethod
    def _meta(meta: dict[str, Any], old_state: str, state: str, progress: float | None) -> dict[str, Any]:
        """What is kept of a task beside its state; plain in SQL, so nothing secret."""
        now = utcnow().isoformat(timespec="milliseconds")
        changed = dict(meta)
        if progress is not None:
            changed["progress"] = progress
        if state in _BEGIN and state != old_state:
            # Saved before the attempt begins: a successor asks with the same number, a retry or revert with the next.
            changed["attempt"] = changed.get("attempt", 0) + 1
            changed.setdefault("started", now)
            changed.pop("finished", None)
        elif state in _END:
            changed["finished"] = now
        return changed

    def complete_execution(self, task: tf_task.Task, result: Any) -> None:
        faults.point(f"{task.name}.execute.done")
        super().complete_execution(task, result)

    def complete_reversion(self, task: tf_task.Task, result: Any) -> None:
        faults.point(f"{task.name}.revert.done")
        super().complete_reversion(task, result)

    def _on_update_progress(self, task: tf_task.Task, event_type: str, details: dict[str, Any]) -> None:
        progress = details.get("progress")
        if progress is None or self._storage.get_atom_state(task.name) not in _BEGIN:
            return  # a report that came after the end must not be saved over it
        self._storage.set_task_progress(task.name, progress)


class _Runtime(runtime.Runtime):
    """TaskFlow's runtime with our task action, and a waiter that saves before it waits."""

    def __init__(self, *args: Any, waiter: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._waiter = waiter

    @misc.cachedproperty
    def task_action(self) -> _TaskAction:
        return _TaskAction(self._storage, self._atom_notifier, self._task_executor)

    @misc.cachedproperty
    def builder(self) -> builder.MachineBuilder:
        return builder.MachineBuilder(self, self._waiter)


class _Lock:
    """In the place of the storage's reader-writer lock, which costs more than all that it guards here: the engine's
    thread, and reports of progress now and then."""

    def __init__(self) -> None:
        self._lock = threading.RLock()

    def write_lock(self) -> threading.RLock:
        """A context manager."""
        return self._lock

    read_lock = write_lock


class Engine(engine.ActionEngine):
    """Options: ``context`` (FlowContext), ``control`` (what people want of the operation), ``dispatcher`` (of guest
    tasks), ``pool`` (TaskPool, which all local tasks of the process share)."""

    def __init__(self, flow: Any, flow_detail: Any, backend: FlowBackend, options: dict[str, Any]) -> None:
        super().__init__(flow, flow_detail, backend, {"gather_statistics": False, **options})
        self.storage._lock = _Lock()
        self._compiled = False
        self._context: FlowContext = options["context"]
        self._control: Control = options["control"]
        self._broken_off: set[Any] = set()
        """Futures of steps that waited when somebody wanted the operation to be suspended."""
        self._looked = time.monotonic()
        self._task_executor = TaskRouter(
            local=LocalExecutor(options["pool"]),
            dispatcher=options["dispatcher"],
            epoch=self._context.fence.epoch,
            attempt_of=self._attempt_of,
        )

    def compile(self) -> None:
        if self._compiled:
            return
        self._compilation = self._check_compilation(self._compiler.compile())
        self._runtime = _Runtime(
            self._compilation,
            self.storage,
            self.atom_notifier,
            self._task_executor,
            self._retry_executor,
            options=self._options,
            waiter=self._wait,
        )
        self._runtime.compile()
        for atom in self._runtime.iterate_nodes(compiler.ATOMS):
            if isinstance(atom, LocalTask):
                atom.bind(self._context)
        self._compiled = True

    def undo(self) -> None:
        """Turn a suspended flow round: what is done will be reverted, what was not begun never will be. The turn is
        saved with the next step, so a successor goes on with it."""
        atoms = self._runtime.iterate_nodes(compiler.ATOMS)
        self._runtime.reset_atoms(atoms, state=None, intention=states.REVERT)

    def settle(self, timeout: float) -> None:
        """After the engine broke off: ask guests no more (they answer whoever goes on with the flow), and wait for
        local tasks that still run, so that this process does not begin them anew beside themselves."""
        self._task_executor.withdraw()
        self._task_executor.settle(timeout)

    def _attempt_of(self, task_name: str) -> int:
        detail, _ = self.storage._atomdetail_by_name(task_name)
        return int(detail.meta.get("attempt", 1))

    def _wait(self, pending: set[Any], timeout: float | None = None) -> tuple[set[Any], set[Any]]:
        """Wait for a step to end, or for somebody to want something of the operation."""
        self.storage.backend.flush()
        waiting = pending - self._broken_off
        if not waiting:
            raise BrokenOff("suspended while a step waited")
        done, _ = futures.wait({*waiting, self._control.asked}, timeout, futures.FIRST_COMPLETED)
        if not done and time.monotonic() - self._looked > _LOOK_AT_CLAIM:
            self._looked = time.monotonic()
            # Raises StaleClaim: waiting writes nothing, and would never find out. A database that is away can wait.
            with contextlib.suppress(sa_errors.SQLAlchemyError):
                self._context.fence.confirm()
        if self._control.asked in done:
            if self._control.giving_up:
                raise HandedOver("this claim is given up; the next one goes on")
            self._control.answer(self._heed)
        ended = done & pending
        self._broken_off |= {future for future in ended if isinstance(future.exception(), BrokenOff)}
        ended -= self._broken_off
        return ended, pending - ended

    def _heed(self) -> None:
        """Stop after the steps in progress. Those that only wait are in nobody's way: a cancelled operation goes back
        at once, and a suspended one begins them anew when it goes on."""
        self.suspend()
        if self._control.wanted == CANCEL:
            self._task_executor.cancel()
        else:
            self._task_executor.break_off()
