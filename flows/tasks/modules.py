# SPDX-License-Identifier: Apache-2.0
"""A module for all the instances that are to have it, each by an operation of its own."""

import datetime
import uuid
from collections.abc import Mapping, Sequence
from typing import ClassVar

import sqlalchemy as sa
from sqlalchemy.orm import Session, load_only

from dbflow import modules, operations
from dbflow.db.models import Health, Instance, InstanceModule, Module, Operation, utcnow
from dbflow.db.modules import applying
from dbflow.operations import ENDED, State
from dbflow.status import Service, Task
from dbflow.waits import NotYet, Overdue
from flows.tasks.base import LocalTask

KIND = "instance.apply_modules"
_LOOK = 1.0
"""Seconds between two looks at what is under way."""
_PATIENCE = datetime.timedelta(hours=1)
"""For which instances that are busy with something else are waited for, when nothing else is left to do."""
_MOST = 20
"""Instances that an error names."""
_FREE = (Task.NONE, Task.RESTART_REQUIRED)
_SERVING = (Service.HEALTHY, Service.RUNNING)

Made = Mapping[str, Operation]
"""Instance id -> the operation that gives it the module."""


class ReapplyModule(LocalTask):
    """Have each of the instances given the module, so many at a time.

    Which were is in the operations of these; so whoever takes over goes on where it stood. It is not undone: an
    operation that is cancelled begins with no more of them.
    """

    deadline: ClassVar[float] = 30 * 86400.0
    default_provides = "reapplied"

    def execute(
        self, module_id: str, instance_ids: Sequence[str], batch_size: int, batch_delay: float
    ) -> dict[str, list[str]]:
        """``batch_delay``: seconds between the end of a batch and the next. Returns which instances were "given" the
        module, and which could not be ("failed"); those that were deleted meanwhile are neither."""
        with self.context.fence.write() as session:
            done = self._go_on(session, module_id, instance_ids, batch_size, batch_delay)
        if isinstance(done, NotYet):
            raise done
        return done

    def _go_on(
        self, session: Session, module_id: str, instance_ids: Sequence[str], batch_size: int, batch_delay: float
    ) -> NotYet | dict[str, list[str]]:
        made = self._made(session, instance_ids)
        if running := sum(one.state not in ENDED for one in made.values()):
            return NotYet(f"{running} instances to be given the module", after=_LOOK)
        left = self._left(session, module_id, [one for one in instance_ids if one not in made])
        usable = [one for one in left if one.operation_id is not None or takes(session, module_id, one)]
        since = self._since(session, made)
        if not usable or (all(one.operation_id for one in usable) and utcnow() - since > _PATIENCE):
            return _outcome(made, [one.id for one in left])
        pause = (since - utcnow()).total_seconds() + batch_delay if made else 0.0
        free = [one for one in usable if one.operation_id is None]
        if pause > 0 or not free:
            return NotYet("the next instances to be given the module", after=max(pause, _LOOK))
        for instance in free[:batch_size]:
            self._begin(session, instance.id, module_id)
        return NotYet(f"{len(free[:batch_size])} instances to be given the module", after=_LOOK)

    def _made(self, session: Session, instance_ids: Sequence[str]) -> Made:
        by_id = {self._operation_id(one): one for one in instance_ids}
        # Their arguments hold the module's contents.
        columns = load_only(Operation.state, Operation.finished)
        found = session.scalars(sa.select(Operation).where(Operation.id.in_(by_id)).options(columns))
        return {by_id[one.id]: one for one in found}

    def _operation_id(self, instance_id: str) -> str:
        """The same however often this step is run."""
        return str(uuid.uuid5(uuid.UUID(self.context.fence.operation_id), instance_id))

    def _left(self, session: Session, module_id: str, instance_ids: Sequence[str]) -> Sequence[Instance]:
        """Those that are not deleted, and have it still."""
        query = sa.select(Instance).where(Instance.id.in_(instance_ids), Instance.deleted == sa.false())
        query = query.join(InstanceModule, InstanceModule.instance_id == Instance.id)
        query = query.where(InstanceModule.module_id == module_id)
        return session.scalars(query.where(Instance.task != Task.DELETING).order_by(Instance.id)).all()

    def _since(self, session: Session, made: Made) -> datetime.datetime:
        """When the last batch ended; or when this began."""
        ends = [one.finished for one in made.values() if one.finished is not None]
        own = session.get_one(Operation, self.context.fence.operation_id)
        return max(ends, default=own.started or own.created)

    def _begin(self, session: Session, instance_id: str, module_id: str) -> None:
        """Unless somebody else has it by now, or it takes none. The job is posted by the leader."""
        instance = session.get_one(Instance, instance_id, with_for_update=True, populate_existing=True)
        has = session.get(InstanceModule, (instance_id, module_id), populate_existing=True)
        if instance.operation_id is not None or has is None or not takes(session, module_id, instance):
            return
        own = session.get_one(Operation, self.context.fence.operation_id)
        module = session.get_one(Module, module_id)
        made = operations.accept(
            session,
            self.context.keyring,
            KIND,
            target_id=instance.id,
            project_id=instance.project_id,
            user_id=own.user_id,
            request_id=own.request_id,
            arguments=applying(session, self.context.keyring, [module], own.id),
        )
        made.id = self._operation_id(instance.id)
        session.flush()
        operations.lock_instance(session, instance.id, made)


def takes(session: Session, module_id: str, instance: Instance) -> bool:
    """Whether an instance with which nothing goes on could be given the module now: what changes data needs a server
    that runs and is not a replica."""
    if instance.task not in _FREE:
        return False
    if not modules.load(session.get_one(Module, module_id).type).writes:
        return True
    health = session.get(Health, instance.id)
    return instance.replica_of_id is None and health is not None and health.service_status in _SERVING


def _outcome(made: Made, left: Sequence[str]) -> dict[str, list[str]]:
    given = {one for one, operation in made.items() if operation.state == State.SUCCESS}
    return {"given": sorted(given), "failed": sorted({*made, *left} - given)}


class JudgeReapply(LocalTask):
    """Say which instances could not be given the module: those that were keep it."""

    def execute(self, reapplied: Mapping[str, Sequence[str]]) -> None:
        """``reapplied``: what ReapplyModule returned. Overdue names them."""
        failed = reapplied["failed"]
        if failed:
            more = f" and {len(failed) - _MOST} more" if len(failed) > _MOST else ""
            raise Overdue(
                f"{len(reapplied['given'])} instances were given the module; these could not be: "
                f"{', '.join(failed[:_MOST])}{more}."
            )
