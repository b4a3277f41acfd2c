# SPDX-License-Identifier: Apache-2.0
"""Modules: make, list, show, change, delete."""

import dataclasses
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import operations
from dbflow.db.models import Datastore, DatastoreVersion, InstanceModule, Module, new_id, utcnow
from dbflow.db.modules import ALL, delete_unused, has_any, living, names_of
from dbflow.services import announcing, datastores, instances, module_rules
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Forbidden, NotFound, Unprocessable

MayAdminister = bool
"""Whether the policy lets the caller be a server's administrator: see dbflow.modules.base."""


@dataclasses.dataclass(slots=True)
class Shown:
    """A module with the names of what it is for."""

    module: Module
    datastore: str
    version: str
    instances: int = 0


_NAMED = (
    sa.select(Module, sa.func.coalesce(Datastore.name, ALL), sa.func.coalesce(DatastoreVersion.name, ALL))
    .outerjoin(Datastore, Datastore.id == Module.datastore_id)
    .outerjoin(DatastoreVersion, DatastoreVersion.id == Module.datastore_version_id)
    .where(Module.deleted == sa.false())
)


def missing(reference: str) -> NotFound:
    """The error for a module that is not there or not for this caller."""
    return NotFound(f"Module {reference[:255]} cannot be found.")


def seen_by(caller: Caller) -> sa.ColumnElement[bool]:
    """Of users: what is their project's or everybody's, and not hidden."""
    if caller.is_admin:
        return sa.true()
    mine = sa.or_(Module.project_id == caller.project_id, Module.project_id.is_(None))
    return sa.and_(mine, Module.visible == sa.true())


def load(session: Session, caller: Caller, module_id: str, *, lock: bool = False) -> Module:
    """A module that the caller may see; NotFound."""
    if not instances.is_uuid(module_id):
        raise missing(module_id)
    query = sa.select(Module).where(Module.id == module_id, Module.deleted == sa.false(), seen_by(caller))
    found = session.scalar(query.with_for_update() if lock else query)
    if found is None:
        raise missing(module_id)
    return found


def every(services: Services, caller: Caller, datastore: str | None) -> list[Shown]:
    """Those that the caller may see, by name; of one datastore (by name or id), or of "all" for those that are for any
    datastore."""
    query = _NAMED.where(seen_by(caller)).order_by(Module.name, Module.id)
    with services.database.read() as session:
        if datastore is not None and datastore.lower() == ALL:
            query = query.where(Module.datastore_id.is_(None))
        elif datastore is not None:
            query = query.where(Module.datastore_id == datastores.scope(session, datastore, None)[0])
        return [Shown(*row) for row in session.execute(query)]


def show(services: Services, caller: Caller, module_id: str) -> Shown:
    """One, with the number of instances that have it."""
    with services.database.read() as session:
        return _shown(session, load(session, caller, module_id))


def _shown(session: Session, module: Module) -> Shown:
    having = living(module.id).where(InstanceModule.md5.is_not(None)).order_by(None)
    count = session.scalar(having.with_only_columns(sa.func.count(), maintain_column_froms=True))
    return Shown(module, *names_of(session, module), instances=count or 0)


@contended
def create(services: Services, caller: Caller, wanted: dict[str, Any], may_administer: MayAdminister) -> str:
    """Make a module; returns its id. ``wanted`` is the ``module`` of a body that fits the schema."""
    kind = _type(services, wanted["module_type"], may_administer)
    contents = module_rules.checked_contents(services, kind, wanted["contents"])
    scope = wanted.get("datastore") or {}
    with services.database.write() as session:
        datastore_id, version_id = datastores.scope(session, scope.get("type") or None, scope.get("version") or None)
        made = Module(
            id=new_id(),
            name=wanted["name"],
            type=wanted["module_type"].lower(),
            description=wanted.get("description"),
            project_id=None if wanted.get("all_tenants") else caller.project_id,
            datastore_id=datastore_id,
            datastore_version_id=version_id,
            contents=services.keyring.seal(contents),
            md5=module_rules.md5(contents),
            is_admin=caller.is_admin and not wanted.get("full_access"),
            **{"visible": True, **module_rules.options(wanted)},
        )
        module_rules.must_be_allowed(caller, made, wanted.get("full_access"), "create")
        session.add(made)
        _take_place(session, made)
        announcing.at_once(services, session, caller, "module_create", {"name": made.name}, module_id=made.id)
        if caller.once is not None:
            caller.once.accepted(session, None, made.id)
        return made.id


@contended
def update(
    services: Services, caller: Caller, module_id: str, wanted: dict[str, Any], may_administer: MayAdminister
) -> Shown:
    """Change what ``wanted`` (the ``module`` of a body that fits the schema) names."""
    with services.database.write() as session:
        module = load(session, caller, module_id, lock=True)
        module_rules.must_be_ones_own(caller, module, "update")
        must_be_free(module)
        before = _essence(module)
        live, of_type = module.live_update, module.type
        _assign(services, session, caller, module, wanted, may_administer)
        # Nobody could take away what a module of another type has left.
        if module.type != of_type or (_essence(module) != before and not live):
            _must_not_be_applied(session, module)
        full_access = wanted.get("full_access")
        administrators = module_rules.must_be_allowed(caller, module, full_access, "update")
        module.is_admin = not full_access if full_access is not None else module.is_admin or administrators
        module.updated = utcnow()
        _take_place(session, module)
        announcing.at_once(services, session, caller, "module_update", {"module_id": module.id})
        return _shown(session, module)


def _assign(
    services: Services,
    session: Session,
    caller: Caller,
    module: Module,
    wanted: dict[str, Any],
    may_administer: MayAdminister,
) -> None:
    datastore_id, version_id = _scope(session, module, wanted)
    module.datastore_id, module.datastore_version_id = datastore_id, version_id
    for column, value in module_rules.options(wanted).items():
        setattr(module, column, value)
    for column in ("name", "description"):
        if column in wanted:
            setattr(module, column, wanted[column])
    if wanted.get("all_tenants") is not None:
        module.project_id = None if wanted["all_tenants"] else module.project_id or caller.project_id
    # Trove's client calls it by the one name when it creates, and by the other when it updates.
    type_name = wanted.get("module_type") or wanted.get("type")
    if type_name or "contents" in wanted:
        kind = _type(services, type_name or module.type, may_administer)
        kept = services.keyring.unseal(module.contents)
        contents = module_rules.checked_contents(services, kind, wanted.get("contents", kept))
        module.type = (type_name or module.type).lower()
        if contents != kept:
            module.contents, module.md5 = services.keyring.seal(contents), module_rules.md5(contents)


def _type(services: Services, name: str, may_administer: MayAdminister) -> Any:
    kind = module_rules.type_of(services, name)
    if kind.administers and not may_administer:
        raise Forbidden(f"Modules of the type {name} are for those who may enable root. (module_type)")
    return kind


def _scope(session: Session, module: Module, wanted: dict[str, Any]) -> tuple[str | None, str | None]:
    """What the module is for from now on. BadRequest for what contradicts itself."""
    given = wanted.get("datastore") or {}
    datastore, version = given.get("type") or None, given.get("version") or None
    for every_one, said in (("all_datastores", datastore or version), ("all_datastore_versions", version)):
        if wanted.get(every_one) and said:
            raise BadRequest(f"A datastore (version) can't be given with {every_one}. ({every_one})")
    if wanted.get("all_datastores"):
        return None, None
    if datastore is None and version is None:
        return module.datastore_id, None if wanted.get("all_datastore_versions") else module.datastore_version_id
    datastore_id, version_id = datastores.scope(session, datastore or module.datastore_id, version)
    same = version is None and datastore_id == module.datastore_id and not wanted.get("all_datastore_versions")
    return datastore_id, module.datastore_version_id if same else version_id


def _essence(module: Module) -> tuple[Any, ...]:
    """What instances that have it would have otherwise."""
    return module.type, module.md5, module.datastore_id, module.datastore_version_id


@contended
def delete(services: Services, caller: Caller, module_id: str) -> None:
    """Forbidden while an instance has it, unless it is one of those that may change meanwhile: these keep it then."""
    with services.database.write() as session:
        module = load(session, caller, module_id, lock=True)
        module_rules.must_be_ones_own(caller, module, "delete")
        module_rules.must_be_allowed(caller, module, None, "delete")
        must_be_free(module)
        if not module.live_update:
            _must_not_be_applied(session, module)
        if has_any(session, module.id):
            module.deleted, module.place = True, None
        else:
            delete_unused(session, module)
        announcing.at_once(services, session, caller, "module_delete", {"module_id": module.id})


def must_be_free(module: Module) -> None:
    """Unprocessable while it is being given to its instances again."""
    if module.operation_id is not None:
        raise Unprocessable(str(operations.Busy(module.id, module.operation_id, "Module")))


def _must_not_be_applied(session: Session, module: Module) -> None:
    if has_any(session, module.id):
        raise Forbidden(
            f"Module {module.id} is applied to instances: it can be deleted, or given other contents, only when it is "
            "marked live_update."
        )


def _take_place(session: Session, module: Module) -> None:
    """BadRequest when another one has it."""
    module.place, name = module_rules.place(module), module.name
    try:
        session.flush()
    except sa.exc.IntegrityError:
        raise BadRequest(
            f"A module with the name '{name}' already exists for this type, project and datastore. (name)"
        ) from None
