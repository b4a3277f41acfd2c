# SPDX-License-Identifier: Apache-2.0
"""Running one claimed operation: fence, load, run, and say what is to become of its job."""

import contextlib
import enum
import logging
from typing import Any, cast

from oslo_config import cfg
from sqlalchemy import update
from taskflow import exceptions, states

from conductor.control import BrokenOff, Control, HandedOver
from conductor.ending import ENDINGS, finish, on_end
from conductor.engine import Engine
from conductor.leftovers import not_undone
from conductor.pool import TaskPool
from conductor.steptimes import StepTimes
from dbflow import logcontext, objectstore
from dbflow.cloud.base import Cloud
from dbflow.crypto import BadSeal, Keyring
from dbflow.db.models import Operation, utcnow
from dbflow.db.session import AWAY, Database
from dbflow.fencing import AlreadyEnded, Fence, NotRunnable, StaleClaim, take
from dbflow.guestkeys import GuestKeys
from dbflow.logcontext import About
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.metrics import Metrics
from dbflow.notifications.outbox import Outbox
from dbflow.operations import CANCEL, SUSPEND, State
from dbflow.persistence.backend import FlowBackend
from dbflow.persistence.group import GroupCommit
from flows.registry import REGISTRY, Arguments, Definition
from flows.tasks.base import FlowContext

LOG = logging.getLogger(__name__)
_SETTLE = 600.0
"""Seconds for local tasks to come to their end after their engine broke off."""


class Job(enum.Enum):
    """What is to become of the job."""

    CONSUME = enum.auto()
    ABANDON = enum.auto()
    """Give it back: somebody (maybe we, after a pause) goes on."""
    OVERTAKEN = enum.auto()
    """Give it back: SQL knows a newer claim than this one, from the beginning."""
    POSTPONE = enum.auto()
    """Give it back for a moment: our database is away."""


class Runner:
    """Runs operations; one a process, used by many threads."""

    def __init__(
        self,
        conf: cfg.ConfigOpts,
        database: Database,
        keyring: Keyring,
        guest_keys: GuestKeys,
        cloud: Cloud,
        dispatcher: Dispatcher,
        metrics: Metrics,
    ) -> None:
        self._conf, self._database, self._keyring, self._guest_keys = conf, database, keyring, guest_keys
        self._cloud, self._dispatcher, self._metrics = cloud, dispatcher, metrics
        self._objects = objectstore.load(conf)
        self._pool = TaskPool(conf.conductor.task_threads)
        self._group = GroupCommit(database)
        self._outbox = Outbox.from_conf(conf)

    def run(self, operation_id: str, epoch: int | None, conductor: str, control: Control) -> Job:
        """Run an operation whose job was claimed, from where it was left to its end (or until it is stopped)."""
        try:
            fence, operation = take(self._database, operation_id, epoch, conductor)
        except (AlreadyEnded, NotRunnable):
            return Job.CONSUME
        except StaleClaim as stale:
            LOG.warning("%s", stale)
            return Job.OVERTAKEN
        except AWAY as error:
            LOG.warning("operation %s: dbflow's database is away (%s)", operation_id, type(error).__name__)
            return Job.POSTPONE
        control.epoch = fence.epoch
        logcontext.enter(About(operation.request_id or "", operation.id))
        return self._run_taken(fence, operation, control)

    def _run_taken(self, fence: Fence, operation: Operation, control: Control) -> Job:
        """What breaks off for a reason that is not the operation's own does not count as one of its attempts."""
        try:
            return self._run(fence, operation, control)
        except StaleClaim as stale:
            LOG.warning("%s", stale)
            return Job.ABANDON
        except HandedOver:
            LOG.info("operation %s: handed over", operation.id)
            outcome = Job.ABANDON
        except AWAY as error:
            LOG.warning("operation %s: dbflow's database is away (%s)", operation.id, type(error).__name__)
            outcome = Job.POSTPONE
        except (BadSeal, exceptions.StorageFailure) as error:
            LOG.warning("operation %s: %s: %s; giving the job back", operation.id, type(error).__name__, error)
            outcome = Job.ABANDON
        except Exception:
            LOG.exception("operation %s: the engine broke off; giving the job back", operation.id)
            return Job.ABANDON
        _uncount(fence)
        return outcome

    def _run(self, fence: Fence, operation: Operation, control: Control) -> Job:
        definition = REGISTRY.definition(operation.kind, operation.version)
        arguments: Arguments = self._keyring.unseal(operation.arguments)
        if operation.attempts > self._conf.conductor.max_attempts:
            return self._give_up(fence, operation, definition, arguments)
        ends = on_end(operation, definition, arguments, self._outbox)
        backend = FlowBackend(fence, self._keyring, self._group, ends)
        engine = self._engine(fence, operation, definition, arguments, backend, control)
        if operation.requested:
            control.ask(operation.requested)
        self._metrics.claimed(operation.kind)
        LOG.info(
            "operation %s (%s): epoch %d, attempt %d", operation.id, operation.kind, fence.epoch, operation.attempts
        )
        try:
            self._drive(engine, backend, control)
        except BrokenOff as suspended:
            LOG.info("operation %s: %s", operation.id, suspended)
        finally:
            engine.settle(0 if control.hurry else _SETTLE)
        if backend.ended:
            self._ended(operation, ENDINGS[engine.storage.get_flow_state()])
        return Job.CONSUME if backend.ended or self._suspended(fence) else Job.ABANDON

    def _engine(
        self,
        fence: Fence,
        operation: Operation,
        definition: Definition,
        arguments: Arguments,
        backend: FlowBackend,
        control: Control,
    ) -> Engine:
        flow = definition.build(arguments)
        detail = backend.open(operation.flow_uuid, flow.name)
        context = FlowContext(
            fence, self._keyring, self._cloud, self._objects, self._dispatcher, self._guest_keys, self._conf
        )
        options = {"context": context, "control": control, "dispatcher": self._dispatcher, "pool": self._pool}
        engine = Engine(flow, detail, backend, options)
        StepTimes(self._metrics, operation.kind).listen(engine.atom_notifier)
        if not len(detail):
            engine.storage.inject({"instance_id": operation.target_id, "overrides": {}, **arguments})
        return engine

    def _drive(self, engine: Engine, backend: FlowBackend, control: Control) -> None:
        """Run to the end, to a suspension, or round and back when the operation was cancelled."""
        engine.compile()
        engine.prepare()
        if control.wanted == SUSPEND:
            return
        if control.wanted != CANCEL:
            _run_quietly(engine, backend)
        if control.wanted == CANCEL and not backend.ended:
            control.answer(engine.undo)  # or the engine would suspend itself once more for the same wish
            _run_quietly(engine, backend)

    def _suspended(self, fence: Fence) -> bool:
        """Say so, unless somebody wants something else by now (a cancel or a resume must not be written over)."""
        with fence.write() as session:
            done = session.execute(
                update(Operation)
                .where(Operation.id == fence.operation_id, Operation.requested == SUSPEND)
                .values(state=State.SUSPENDED, requested=None, conductor=None, attempts=Operation.attempts - 1)
            )
        return bool(cast(Any, done).rowcount)

    def _give_up(self, fence: Fence, operation: Operation, definition: Definition, arguments: Arguments) -> Job:
        """Park an operation that broke its conductors again and again: people must look, and can retry."""
        error = f"given up after {operation.attempts - 1} attempts; the conductors' logs say why"
        LOG.error("operation %s: %s", operation.id, error)
        with fence.write() as session:
            error += not_undone(session, operation.flow_uuid)
            finish(session, operation, definition, arguments, State.FAILED, error, self._outbox)
        self._ended(operation, State.FAILED)
        return Job.CONSUME

    def _ended(self, operation: Operation, state: State) -> None:
        self._metrics.ended(operation.kind, state, (utcnow() - operation.created).total_seconds())


def _uncount(fence: Fence) -> None:
    """Not while the database is away, and not for a successor."""
    with contextlib.suppress(StaleClaim, *AWAY), fence.write() as session:
        session.execute(
            update(Operation).where(Operation.id == fence.operation_id).values(attempts=Operation.attempts - 1)
        )


def _run_quietly(engine: Engine, backend: FlowBackend) -> None:
    """A flow that was reverted raises what made it fail; that is in its record by then."""
    try:
        engine.run(timeout=1.0)
    except Exception:
        if not backend.ended:
            raise
    if engine.storage.get_flow_state() == states.SUSPENDED:
        backend.flush()
