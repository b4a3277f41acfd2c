# SPDX-License-Identifier: Apache-2.0
"""Which modules an instance is given, and in which order."""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import datastores, modules
from dbflow.db.models import DatastoreVersion, Instance, Module, new_id
from dbflow.db.modules import for_guest, giving
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, NotFound
from dbflow.services.modules import load

_MOST = 8 << 20
"""Bytes of base64 that one operation holds, and the database takes in one statement."""


def chosen(
    session: Session, caller: Caller, wanted: Sequence[Mapping[str, Any]] | None, instance: Instance
) -> list[Module]:
    """The modules that a body names for an instance, locked, in the order in which they are applied. NotFound,
    BadRequest for those that are not for it."""
    try:
        found = [load(session, caller, one, lock=True) for one in sorted({str(one["id"]) for one in wanted or ()})]
    except NotFound as error:
        raise NotFound(f"{error} (modules)") from None
    version = session.get_one(DatastoreVersion, instance.datastore_version_id)
    for module in found:
        _must_fit(module, instance, version)
    return sorted(found, key=_order)


def _automatic(session: Session, instance: Instance) -> list[Module]:
    """Those that every new instance of its kind has, locked."""
    version = session.get_one(DatastoreVersion, instance.datastore_version_id)
    query = sa.select(Module).where(
        Module.auto_apply == sa.true(),
        Module.deleted == sa.false(),
        sa.or_(Module.project_id.is_(None), Module.project_id == instance.project_id),
        sa.or_(Module.datastore_id.is_(None), Module.datastore_id == version.datastore_id),
        sa.or_(Module.datastore_version_id.is_(None), Module.datastore_version_id == version.id),
    )
    found = session.scalars(query.order_by(Module.id).with_for_update())
    return [module for module in found if _supported(module, version)]


def install(
    services: Services, session: Session, caller: Caller, wanted: Sequence[Mapping[str, Any]] | None, instance: Instance
) -> list[dict[str, Any]]:
    """What a new instance is to have, as its operation takes it: what the body names, and what every one has."""
    found = {
        module.id: module for module in (*_automatic(session, instance), *chosen(session, caller, wanted, instance))
    }
    giving(session, instance.id, list(found))
    mark = new_id()
    given = [for_guest(session, services.keyring, module, mark) for module in sorted(found.values(), key=_order)]
    must_be_small(given)
    return given


def must_be_small(given: Sequence[Mapping[str, Any]]) -> None:
    """BadRequest where an operation would have to hold too much; ``given`` as ``for_guest`` makes it."""
    size = sum(len(one["secret"]) for one in given)
    if size > _MOST:
        raise BadRequest(f"The modules are too large together: {size} bytes of at most {_MOST}. (modules)")


def _must_fit(module: Module, instance: Instance, version: DatastoreVersion) -> None:
    if module.project_id not in (None, instance.project_id):
        raise BadRequest(f"Module {module.name} is for another project. (modules)")
    if module.datastore_id not in (None, version.datastore_id):
        raise BadRequest(f"Module {module.name} is for another datastore. (modules)")
    if module.datastore_version_id not in (None, version.id):
        raise BadRequest(f"Module {module.name} is for another datastore version. (modules)")
    if not _supported(module, version):
        raise BadRequest(
            f"Module {module.name}: modules of the type {module.type} are not for {version.manager}. (modules)"
        )


def _supported(module: Module, version: DatastoreVersion) -> bool:
    try:
        needs = modules.load(module.type).needs
    except LookupError:
        return False
    return needs is None or datastores.load(version.manager).supports(needs)


def _order(module: Module) -> tuple[bool, int, str]:
    return not module.priority_apply, module.apply_order, module.name
