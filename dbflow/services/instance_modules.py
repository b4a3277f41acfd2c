# SPDX-License-Identifier: Apache-2.0
"""Modules on instances: given, taken away, listed as dbflow or as the guest knows them."""

import base64
import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow import modules, operations
from dbflow.db.models import Instance, InstanceModule, Module, new_id
from dbflow.db.modules import applying, giving, names_of
from dbflow.services import instances, module_rules
from dbflow.services.accounts import Agent, shaped
from dbflow.services.actions import must_be_ready, must_not_be_stopped
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Forbidden, NotFound, ServiceError, Unprocessable
from dbflow.services.module_choice import chosen, must_be_small
from dbflow.services.modules import Shown, load, missing

Result = dict[str, Any]
_TEXTS = ("id", "name", "type", "md5", "datastore", "datastore_version", "tenant", "status", "created", "updated")
_SWITCHES = ("auto_apply", "visible", "is_admin")


@dataclasses.dataclass(slots=True)
class Applied:
    """A module with what of it an instance has."""

    shown: Shown
    has: InstanceModule


class _Guest(Agent):
    tasks = "guest.tasks.modules"


@contended
def apply(services: Services, caller: Caller, instance_id: str, wanted: Sequence[Mapping[str, Any]]) -> str:
    """Give an instance modules, or give it them again; returns the operation's id."""
    try:
        with services.database.write() as session:
            found = chosen(session, caller, wanted, instances.load(session, caller, instance_id))
            instance = instances.load(session, caller, instance_id, lock=True)
            _must_take(session, instance, found)
            fresh = giving(session, instance.id, [module.id for module in found])
            arguments = applying(session, services.keyring, found, new_id(), fresh)
            must_be_small(arguments["modules"])
            operation = instances.accept(services, session, caller, "instance.apply_modules", instance, arguments)
            operations.lock_instance(session, instance.id, operation)
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation)
    return operation.id


@contended
def remove(services: Services, caller: Caller, instance_id: str, module_id: str) -> str:
    """Take a module away from an instance; returns the operation's id. NotFound when it does not have it."""
    try:
        with services.database.write() as session:
            module = _known(session, caller, module_id)
            instance = instances.load(session, caller, instance_id, lock=True)
            if session.get(InstanceModule, (instance.id, module.id)) is None:
                raise NotFound(f"Module {module.id} is not applied to instance {instance.id}.")
            if module.auto_apply and not caller.is_admin:
                raise Forbidden(f"You must be an administrator to remove module {module.name}: every instance has it.")
            # What it wrote is the source's; but the record of one that was the source itself is here.
            forget = instance.replica_of_id is not None and module_rules.installed(module.type).writes
            if forget:
                must_be_ready(session, instance)
            else:
                _must_take(session, instance, [module])
            arguments = {
                "module": {"id": module.id, "mark": new_id(), "forget": forget},
                "module_types": [] if forget else [module.type],
            }
            operation = instances.accept(services, session, caller, "instance.remove_module", instance, arguments)
            operations.lock_instance(session, instance.id, operation)
    except operations.Busy as error:
        raise Unprocessable(str(error)) from None
    services.post_accepted(operation)
    return operation.id


def _known(session: Session, caller: Caller, module_id: str) -> Module:
    """One that was deleted can be taken away from the instances that have it still."""
    try:
        return load(session, caller, module_id, lock=True)
    except NotFound:
        module = session.get(Module, module_id) if instances.is_uuid(module_id) else None
        if module is None or not module.deleted or not _of(caller, module):
            raise missing(module_id) from None
        return module


def _of(caller: Caller, module: Module) -> bool:
    return caller.is_admin or (module.visible and module.project_id in (None, caller.project_id))


def _must_take(session: Session, instance: Instance, found: Sequence[Module]) -> None:
    """Unprocessable unless the instance may be changed now; BadRequest for a replica, whose data are its source's."""
    must_be_ready(session, instance)
    writing = [module.name for module in found if module_rules.installed(module.type).writes]
    if writing:
        must_not_be_stopped(session, instance)
    if writing and instance.replica_of_id is not None:
        raise BadRequest(
            f"Module {writing[0]} changes data, and instance {instance.id} is a replica: apply it to its source, "
            f"{instance.replica_of_id}. (modules)"
        )


def applied(services: Services, caller: Caller, instance_id: str) -> list[Applied]:
    """What dbflow knows, by name."""
    with services.database.read() as session:
        instance = instances.load(session, caller, instance_id)
        query = sa.select(Module, InstanceModule).join(InstanceModule, InstanceModule.module_id == Module.id)
        rows = session.execute(query.where(InstanceModule.instance_id == instance.id).order_by(Module.name)).all()
        return [Applied(Shown(module, *names_of(session, module)), has) for module, has in rows if _of(caller, module)]


def from_guest(
    services: Services, caller: Caller, instance_id: str, *, contents: bool = False, secret: bool = False
) -> list[Result]:
    """What the guest says that it has; of administrators' modules the contents are for administrators. ``secret``:
    whether the caller may see those of types that work with the rights of the server's administrator."""
    guest = _Guest(services, caller, instance_id)
    found = shaped(lambda said: [_result(one) for one in said], guest.ask("ListModules"))
    _as_they_are_now(services, found)
    found = [one for one in found if caller.is_admin or one["visible"]]
    for one in found if contents else ():
        who = _reserved(caller, one, secret)
        if who is not None:
            text = f"You must be {who} to retrieve the contents of module {one['name']}."
            one["contents"] = base64.b64encode(text.encode()).decode()
        else:
            one["contents"] = str(guest.ask("ModuleContents", module_id=one["id"]))
    return found


def _as_they_are_now(services: Services, found: Sequence[Result]) -> None:
    """Modules may have been hidden, or become administrators' own, since the guest was given them; what it was given
    of an administrator's stays theirs."""
    with services.database.read() as session:
        query = sa.select(Module.id, Module.visible, Module.is_admin)
        rows = session.execute(query.where(Module.id.in_([one["id"] for one in found]))).all()
    known = {module_id: (visible, is_admin) for module_id, visible, is_admin in rows}
    for one in found:
        visible, is_admin = known.get(one["id"], (one["visible"], one["is_admin"]))
        one |= {"visible": visible, "is_admin": one["is_admin"] or is_admin}


def _reserved(caller: Caller, one: Result, secret: bool) -> str | None:
    """For whom the contents of a module are; None: for the caller."""
    if one["is_admin"] and not caller.is_admin:
        return "an administrator"
    return "allowed to enable root" if _administers(one["type"]) and not secret else None


def _administers(name: str) -> bool:
    """Whether a type does, or is not known here any more."""
    try:
        return modules.load(name).administers
    except LookupError:
        return True


def results(services: Services, caller: Caller, instance_id: str, module_ids: Sequence[str]) -> list[Result]:
    """What came of applying these: the guest's words, and without them what dbflow knows."""
    try:
        said = {one["id"]: one for one in from_guest(services, caller, instance_id)}
    except ServiceError:
        said = {}
    known = [one for one in applied(services, caller, instance_id) if one.shown.module.id in module_ids]
    return [said.get(one.shown.module.id) or _unsaid(one) for one in known]


def _unsaid(applied: Applied) -> Result:
    module, has = applied.shown.module, applied.has
    return {
        "id": module.id,
        "name": module.name,
        "type": module.type,
        "md5": has.md5 or "",
        "datastore": applied.shown.datastore,
        "datastore_version": applied.shown.version,
        "tenant": module.project_id or "all",
        "status": "OK" if has.md5 else "APPLYING",
        "created": has.created.isoformat(timespec="seconds"),
        "updated": has.updated.isoformat(timespec="seconds"),
        "auto_apply": module.auto_apply,
        "visible": module.visible,
        "is_admin": module.is_admin,
        "message": None,
        "removed": None,
        "contents": None,
    }


def _result(said: Any) -> Result:
    """Of the right shape, whatever a guest makes up."""
    told: Result = {name: str(said.get(name) or "") for name in _TEXTS}
    told |= {name: bool(said.get(name)) for name in _SWITCHES}
    message = said.get("message")
    return told | {"message": None if message is None else str(message), "removed": None, "contents": None}
