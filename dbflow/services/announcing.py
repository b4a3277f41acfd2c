# SPDX-License-Identifier: Apache-2.0
"""What is told of requests: ``dbaas.<action>.start``, and of what is done while the client waits its end too.

Of an operation the end is told when it ends (see dbflow.notifications.endings), with what it was announced with.
"""

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.models import Datastore, DatastoreVersion, Instance, Operation
from dbflow.notifications.outbox import API
from dbflow.services.context import Caller, Services
from dbflow.services.errors import ServiceError

LOG = logging.getLogger(__name__)
Fields = dict[str, Any]

_ACTIONS = {
    "instance.create": "instance_create",
    "instance.restore": "instance_create",
    "instance.replicate": "instance_create",
    "instance.promote": "instance_promote",
    "instance.eject": "instance_eject",
    "instance.detach": "instance_detach",
    "instance.delete": "instance_delete",
    "instance.restart": "instance_restart",
    "instance.reboot": "instance_reboot",
    "instance.upgrade": "upgrade",
    "instance.migrate": "migrate",
    "instance.resize_flavor": "instance_resize_instance",
    "instance.resize_volume": "instance_resize_volume",
    "instance.ssl": "instance_ssl",
    "instance.attach_configuration": "instance_attach_configuration",
    "instance.detach_configuration": "instance_detach_configuration",
    "instance.apply_modules": "instance_module_apply",
    "instance.remove_module": "instance_module_remove",
    "module.reapply": "module_reapply",
    "backup.create": "backup_create",
    "backup.delete": "backup_delete",
}
"""Kind of operation -> Trove's name for it."""


_CHANGED = (
    ("new_flavor_id", "flavor_id"),
    ("new_size", "volume_size"),
    ("datastore_version_id", "datastore_version_id"),
    ("host", "host"),
)
"""What a change tells of its arguments, by Trove's name for it."""


def operation(
    services: Services,
    session: Session,
    caller: Caller,
    accepted: Operation,
    start: Fields,
    action: str | None = None,
    **end: Any,
) -> None:
    """Tell, in the transaction that accepts it, that an operation begins; ``end`` is what its end will tell more.
    ``action``: Trove's name for it, where its kind does not say that."""
    _announce(services, session, caller, accepted, start, end, action=action)


def of_instance(
    services: Services, session: Session, caller: Caller, accepted: Operation, target: Any, arguments: Fields
) -> None:
    """The same of an operation on an instance; ``target`` of any other says nothing."""
    if not services.outbox.on or not isinstance(target, Instance):
        return
    making = _ACTIONS.get(accepted.kind) == "instance_create"
    start = _making(session, target, arguments) if making else _changing(target, arguments)
    if accepted.kind == "instance.attach_configuration":
        start["configuration_id"] = target.configuration_id
    flavor_id = arguments.get("flavor_id", target.flavor_id)
    end = {"instance_id": target.id} if making else {}
    _announce(services, session, caller, accepted, start, end, _type_name(services, flavor_id))


def _announce(
    services: Services,
    session: Session,
    caller: Caller,
    accepted: Operation,
    start: Fields,
    end: Fields,
    type_name: str | None = None,
    action: str | None = None,
) -> None:
    action = action or _ACTIONS.get(accepted.kind)
    if not services.outbox.on or action is None:
        return
    payload, context = _base(caller) | start, _context(caller)
    accepted.notice = {"action": action, "start": payload, "end": end, "context": context, "type_name": type_name}
    services.outbox.put(session, API, f"dbaas.{action}.start", payload, context)


def _making(session: Session, instance: Instance, arguments: Fields) -> Fields:
    """Of users no more than their names: an event is no place for passwords."""
    query = (
        sa.select(Datastore.name, DatastoreVersion.name)
        .join(Datastore, Datastore.id == DatastoreVersion.datastore_id)
        .where(DatastoreVersion.id == instance.datastore_version_id)
    )
    datastore, version = session.execute(query).one()
    # The copy that replicas are made from is nobody's to see.
    backup_ids = (None if instance.replica_of_id else arguments.get("backup_ids")) or [None]
    optional = {
        "databases": [dict(database) for database in arguments.get("databases") or ()],
        "users": [
            {key: user[key] for key in ("name", "host", "databases") if key in user}
            for user in arguments.get("users") or ()
        ],
        "volume_size": instance.volume_size,
        "backup_id": backup_ids[-1],
        "restore_point": backup_ids[-1],
        "replica_of": instance.replica_of_id,
        "replica_count": len(arguments.get("replica_ids") or ()),
        "nics": instance.nics,
    }
    return {
        "name": instance.name,
        "flavor_id": instance.flavor_id,
        "datastore": datastore,
        "datastore_version": version,
        "image_id": arguments.get("image"),
        "availability_zone": instance.availability_zone,
        "region_name": instance.region,
    } | {key: value for key, value in optional.items() if value}


def _changing(instance: Instance, arguments: Fields) -> Fields:
    fields: Fields = {"instance_id": instance.id}
    for name, of in _CHANGED:
        if of in arguments:
            fields[name] = arguments[of]
    if "modules" in arguments:
        fields["module_ids"] = [module["id"] for module in arguments["modules"]]
    if "module" in arguments:
        fields["module_id"] = arguments["module"]["id"]
    return fields


def _type_name(services: Services, flavor_id: str) -> str | None:
    """None where the cloud does not tell: no event is worth a refusal, or a question to the cloud of its own."""
    try:
        known = services.flavors.find(flavor_id)
    except ServiceError:
        return None
    return known.name if known else None


@contextlib.contextmanager
def request(services: Services, caller: Caller, action: str, **start: Any) -> Iterator[None]:
    """Tell of what is done in the block, whose effects are not dbflow's own rows: that it begins, and how it ends."""
    payload = _base(caller) | start
    _tell(services, caller, f"dbaas.{action}.start", payload)
    try:
        yield
    except Exception as error:
        told = str(error) if isinstance(error, ServiceError) else type(error).__name__
        _tell(services, caller, f"dbaas.{action}.error", payload | {"message": told, "exception": [told]})
        raise
    _tell(services, caller, f"dbaas.{action}.end", payload)


def at_once(services: Services, session: Session, caller: Caller, action: str, start: Fields, **end: Any) -> None:
    """Tell of what is done in this transaction and nowhere else; ``end`` is what its end tells more."""
    payload, context = _base(caller) | start, _context(caller)
    services.outbox.put(session, API, f"dbaas.{action}.start", payload, context)
    services.outbox.put(session, API, f"dbaas.{action}.end", payload | end, context)


def _tell(services: Services, caller: Caller, event_type: str, payload: Fields) -> None:
    """What can't be told must not keep anybody from what they want."""
    if not services.outbox.on:
        return
    try:
        with services.database.write() as session:
            services.outbox.put(session, API, event_type, payload, _context(caller))
    except sa.exc.SQLAlchemyError as error:
        LOG.warning("%s is not told: %s", event_type, type(error).__name__)


def _base(caller: Caller) -> Fields:
    return {
        "tenant_id": caller.project_id,
        "client_ip": caller.client_ip,
        "server_ip": caller.server_ip,
        "server_type": API,
        "request_id": caller.request_id,
    }


def _context(caller: Caller) -> Fields:
    """In both of the names that consumers know them by."""
    return {
        "request_id": caller.request_id,
        "user_id": caller.user_id,
        "user": caller.user_id,
        "project_id": caller.project_id,
        "tenant": caller.project_id,
    }
