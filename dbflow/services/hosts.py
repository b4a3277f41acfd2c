# SPDX-License-Identifier: Apache-2.0
"""The hosts that servers are on, and servers that are moved to others."""

import logging
from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from dbflow.cloud.base import CloudError, NotFound
from dbflow.db.models import Instance
from dbflow.services import instances
from dbflow.services.actions import must_not_be_stopped, must_not_lose, operate
from dbflow.services.context import Caller, Services
from dbflow.services.errors import BadRequest, Unavailable, Unprocessable

LOG = logging.getLogger(__name__)


def machines_of(services: Services, rows: Sequence[Any]) -> dict[str, dict[str, Any]]:
    """The servers of these instances that there are: {instance id: {"name", "status", "host"}}; UNKNOWN all of them
    while the cloud does not tell."""
    having = [row for row in rows if row.server_id]
    try:
        found = services.machines.several([row.id for row in having]) if having else {}
    except CloudError as error:
        LOG.warning("the cloud does not tell its servers: %s", error)
        return {row.id: {"name": row.name, "status": "UNKNOWN", "host": None} for row in having}
    return {one: {"name": it.name, "status": it.status, "host": it.host} for one, it in found.items()}


def migrate(services: Services, caller: Caller, instance_id: str, host: str | None) -> str:
    """Move the machine to that host, or, None, to one that the cloud chooses; returns the operation's id."""
    with services.database.read() as session:
        instances.load(session, caller, instance_id)
    _must_be_another(services, instance_id, host)

    def plan(session: Session, instance: Instance) -> dict[str, Any]:
        must_not_be_stopped(session, instance)
        must_not_lose(services, session, instance)
        return {"host": host}

    return operate(services, caller, instance_id, "instance.migrate", plan)


def _must_be_another(services: Services, instance_id: str, host: str | None) -> None:
    """Asked before anything is locked: the cloud may be slow."""
    try:
        hosts, present = services.machines.hosts(), services.machines.get(instance_id).host
    except NotFound:
        return  # no machine yet, or no more: what the instance's status says
    except CloudError:
        raise Unavailable("The cloud does not tell its hosts just now.", {"Retry-After": "5"}) from None
    if host is None:
        if not set(hosts) - {present}:
            raise Unprocessable(f"There is no other host that instance {instance_id} could be moved to.")
    elif host == present:
        raise BadRequest(f"Instance {instance_id} is on host '{host}' already. (host)")
    elif host not in hosts:
        raise BadRequest(f"Host '{host[:255]}' cannot be found. (host)")
