# SPDX-License-Identifier: Apache-2.0
"""The instances that have a module: listed, counted, and given it again."""

import dataclasses
import datetime
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from dbflow import operations
from dbflow.db.models import DatastoreVersion, Instance, InstanceModule, Module
from dbflow.db.modules import living
from dbflow.services import announcing, module_rules, rows
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.instances import Page
from dbflow.services.modules import load, must_be_free

KIND = "module.reapply"


@dataclasses.dataclass(slots=True)
class Count:
    """How many instances have the module with the same contents."""

    module: Module
    md5: str
    instances: int
    first: datetime.datetime
    last: datetime.datetime


def _having(caller: Caller, module: Module) -> sa.Select[InstanceModule, Instance]:
    """Of users: their project's."""
    query = living(module.id)
    return query if caller.is_admin else query.where(Instance.project_id == caller.project_id)


def page(services: Services, caller: Caller, module_id: str, limit: int, marker: str | None) -> Page:
    """The instances that have it, by id."""
    with services.database.read() as session:
        query = _having(caller, load(session, caller, module_id)).with_only_columns(Instance.id)
        if marker is not None:
            query = query.where(Instance.id > marker)
        found = [rows.one(session, one) for one in session.scalars(query.limit(limit + 1)).all()]
        items = [row for row in found[:limit] if row is not None]
        return Page(items, rows.replicas(session, items), items[-1].id if items and len(found) > limit else None)


def counts(services: Services, caller: Caller, module_id: str) -> list[Count]:
    """By when the contents were given first, the newest first."""
    with services.database.read() as session:
        module = load(session, caller, module_id)
        has = InstanceModule
        query = _having(caller, module).with_only_columns(
            has.md5, sa.func.count(), sa.func.min(has.updated), sa.func.max(has.updated), maintain_column_froms=True
        )
        query = query.where(has.md5.is_not(None)).group_by(has.md5).order_by(None)
        found = [Count(module, str(md5), many, first, last) for md5, many, first, last in session.execute(query)]
    return sorted(found, key=lambda count: count.first, reverse=True)


@contended
def reapply(services: Services, caller: Caller, module_id: str, wanted: dict[str, Any]) -> str | None:
    """Have the instances given what the module is now; returns the operation's id, None when none is to have it."""
    with services.database.write() as session:
        module = load(session, caller, module_id, lock=True)
        module_rules.must_be_ones_own(caller, module, "reapply")
        must_be_free(module)
        instance_ids = session.scalars(_behind(caller, module, wanted)).all()
        if not instance_ids:
            return None
        arguments = _arguments(services, module, instance_ids, wanted)
        operation = operations.accept(
            session,
            services.keyring,
            KIND,
            target_id=module.id,
            project_id=module.project_id or caller.project_id,
            user_id=caller.user_id,
            request_id=caller.request_id,
            arguments=arguments,
        )
        announcing.operation(services, session, caller, operation, {"module_id": module.id})
        session.flush()
        module.operation_id = operation.id
        if caller.once is not None:
            caller.once.accepted(session, operation.id, module.id)
    services.post_accepted(operation)
    return operation.id


def _behind(caller: Caller, module: Module, wanted: dict[str, Any]) -> sa.Select[Any]:
    """Ids of the instances that are to be given it."""
    query = _having(caller, module).with_only_columns(Instance.id)
    # It may be for fewer than have it.
    if module.project_id is not None:
        query = query.where(Instance.project_id == module.project_id)
    if module.datastore_id is not None:
        of_datastore = sa.select(DatastoreVersion.id).where(DatastoreVersion.datastore_id == module.datastore_id)
        query = query.where(Instance.datastore_version_id.in_(of_datastore))
    if module.datastore_version_id is not None:
        query = query.where(Instance.datastore_version_id == module.datastore_version_id)
    if module_rules.installed(module.type).writes:
        query = query.where(Instance.replica_of_id.is_(None))
    if wanted.get("md5"):
        query = query.where(InstanceModule.md5 == wanted["md5"])
    if not wanted.get("force"):
        query = query.where(sa.or_(InstanceModule.md5.is_(None), InstanceModule.md5 != module.md5))
    return query


def _arguments(
    services: Services, module: Module, instance_ids: Sequence[str], wanted: dict[str, Any]
) -> dict[str, Any]:
    conf = services.conf.modules
    size, delay = wanted.get("batch_size") or conf.reapply_max_batch_size, wanted.get("batch_delay") or 0
    return {
        "module_id": module.id,
        "instance_ids": list(instance_ids),
        "batch_size": min(size, conf.reapply_max_batch_size),
        "batch_delay": max(delay, conf.reapply_min_batch_delay),
    }
