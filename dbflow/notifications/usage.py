# SPDX-License-Identifier: Apache-2.0
"""Usage: the payloads of ``trove.instance.*``, which bills are made of."""

import datetime
from typing import Any

from dbflow.db.models import Instance, utcnow
from dbflow.notifications.outbox import Outbox
from dbflow.operations import State
from dbflow.status import Task, public_status

Payload = dict[str, Any]
EVENTS = {
    "instance.create": "create",
    "instance.restore": "create",
    "instance.replicate": "create",
    "instance.resize_flavor": "modify_flavor",
    "instance.delete": "delete",
}
"""Kind of operation -> what its success means."""


def isotime(when: datetime.datetime) -> str:
    """As Trove writes times: whole seconds, UTC."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def traits(outbox: Outbox, instance: Instance, manager: str | None, *, type_name: str | None) -> Payload:
    """What every usage event tells. ``type_name``: of the instance's flavor."""
    state, created = public_status(instance.task).lower(), isotime(instance.created)
    return {
        "created_at": created,
        "name": instance.name,
        "instance_id": instance.id,
        "instance_name": instance.name,
        "instance_type_id": instance.flavor_id,
        "instance_type": type_name,
        "launched_at": created,
        "nova_instance_id": instance.server_id,
        "region": instance.region,
        "state": state,
        "state_description": state,
        "tenant_id": instance.project_id,
        "user_id": instance.user_id,
        "instance_size": instance.ram,
        "availability_zone": instance.availability_zone,
        "volume_size": instance.volume_size,
        "nova_volume_id": instance.volume_id,
        "service_id": outbox.service_id(manager),
    }


def of_success(event: str, common: Payload, arguments: Payload) -> Payload:
    """The payload of an operation that succeeded; ``common``: its instance's traits just before."""
    now = isotime(utcnow())
    if event == "delete":
        state = public_status(Task.DELETING).lower()
        return common | {"state": state, "state_description": state, "deleted_at": now}
    state = public_status(Task.NONE).lower()
    common = common | {"state": state, "state_description": state}
    if event == "create":
        return common
    return common | {
        "instance_type_id": arguments["flavor_id"],
        "instance_size": arguments["ram"],
        "old_instance_size": arguments["old_ram"],
        "launched_at": now,
        "modify_at": now,
    }


def event_of(kind: str, state: State) -> str | None:
    """create, modify_flavor, delete; None where the end of the operation is no change of what is used."""
    return EVENTS.get(kind) if state is State.SUCCESS else None
