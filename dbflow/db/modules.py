# SPDX-License-Identifier: Apache-2.0
"""Which instances have which modules."""

from collections.abc import Collection, Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.crypto import Keyring
from dbflow.db.models import Datastore, DatastoreVersion, Instance, InstanceModule, Module, utcnow

ALL = "all"
"""Every project, every datastore."""


def giving(session: Session, instance_id: str, module_ids: Collection[str]) -> list[str]:
    """An operation is about to give it these: from now on they stay as they are. Returns those of which the instance
    had nothing."""
    query = sa.select(InstanceModule.module_id).where(InstanceModule.instance_id == instance_id)
    has = set(session.scalars(query))
    fresh = [one for one in dict.fromkeys(module_ids) if one not in has]
    session.add_all(InstanceModule(instance_id=instance_id, module_id=one) for one in fresh)
    return fresh


def given(session: Session, instance_id: str, digests: Mapping[str, str]) -> None:
    """It has these: module id -> MD5 of the contents."""
    for module_id, md5 in digests.items():
        session.execute(
            sa.update(InstanceModule)
            .where(InstanceModule.instance_id == instance_id, InstanceModule.module_id == module_id)
            .values(md5=md5, updated=utcnow())
        )


def not_given(session: Session, instance_id: str, module_ids: Collection[str]) -> None:
    """It did not get these, of which it had nothing."""
    _take(
        session,
        InstanceModule.instance_id == instance_id,
        InstanceModule.module_id.in_(module_ids),
        InstanceModule.md5.is_(None),
    )


def taken(session: Session, instance_id: str, module_id: str | None = None) -> None:
    """It has that one, or none, any more."""
    of_module = [] if module_id is None else [InstanceModule.module_id == module_id]
    _take(session, InstanceModule.instance_id == instance_id, *of_module)


def _take(session: Session, *which: sa.ColumnElement[bool]) -> None:
    """Modules that were deleted go with the last instance that had them."""
    modules = set(session.scalars(sa.select(InstanceModule.module_id).where(*which)))
    if not modules:
        return
    session.execute(sa.delete(InstanceModule).where(*which))
    _forget(session, modules)


def _forget(session: Session, module_ids: Collection[str]) -> None:
    left = sa.exists().where(InstanceModule.module_id == Module.id)
    session.execute(sa.delete(Module).where(Module.id.in_(module_ids), Module.deleted == sa.true(), ~left))


def purge(session: Session) -> None:
    """What the ends of operations have left: of instances that a conductor has deleted which knew no modules, and
    modules whose last two instances were deleted at once. Found without locks, for others are at work."""
    gone = sa.select(InstanceModule.instance_id).join(Instance, Instance.id == InstanceModule.instance_id)
    for instance_id in session.scalars(gone.where(Instance.deleted == sa.true()).distinct()).all():
        session.execute(sa.delete(InstanceModule).where(InstanceModule.instance_id == instance_id))
    deleted = session.scalars(sa.select(Module.id).where(Module.deleted == sa.true())).all()
    if deleted:
        _forget(session, deleted)


def has_any(session: Session, module_id: str) -> bool:
    """Whether an instance has it or is being given it."""
    return session.scalar(living(module_id).with_only_columns(Instance.id).order_by(None).limit(1)) is not None


def delete_unused(session: Session, module: Module) -> None:
    """One that no instance has."""
    session.execute(sa.delete(InstanceModule).where(InstanceModule.module_id == module.id))
    session.delete(module)


def living(module_id: str) -> sa.Select[InstanceModule, Instance]:
    """Of the instances that have it and are not deleted, by id."""
    return (
        sa.select(InstanceModule, Instance)
        .join(Instance, Instance.id == InstanceModule.instance_id)
        .where(InstanceModule.module_id == module_id, Instance.deleted == sa.false())
        .order_by(Instance.id)
    )


def names_of(session: Session, module: Module) -> tuple[str, str]:
    """(datastore, version) that it is for."""
    if module.datastore_id is None:
        return ALL, ALL
    datastore = session.get_one(Datastore, module.datastore_id).name
    if module.datastore_version_id is None:
        return datastore, ALL
    return datastore, session.get_one(DatastoreVersion, module.datastore_version_id).name


def applying(
    session: Session, keyring: Keyring, modules: Collection[Module], mark: str, fresh: Collection[str] = ()
) -> dict[str, Any]:
    """Arguments of instance.apply_modules, in the order of ``modules``; ``fresh``: what ``giving`` returned."""
    return {
        "fresh": list(fresh),
        "modules": [for_guest(session, keyring, module, mark) for module in modules],
        "module_types": sorted({module.type for module in modules}),
    }


def for_guest(session: Session, keyring: Keyring, module: Module, mark: str) -> dict[str, Any]:
    """As guest.tasks.modules takes it, for the operation of that mark."""
    datastore, version = names_of(session, module)
    return {
        "id": module.id,
        "name": module.name,
        "type": module.type,
        "md5": module.md5,
        "secret": keyring.unseal(module.contents),
        "datastore": datastore,
        "datastore_version": version,
        "tenant": module.project_id or ALL,
        "auto_apply": module.auto_apply,
        "visible": module.visible,
        "is_admin": module.is_admin,
        "mark": mark,
    }
