# SPDX-License-Identifier: Apache-2.0
"""Jobs, conductors and guests."""

import datetime
from typing import Any

from dbflow.db.models import Conductor, Health, Instance, utcnow
from dbflow.services.fleet import Job, leads


def job(found: Job) -> dict[str, Any]:
    """``posted`` is null for an operation that is not on the board."""
    return {
        "operation_id": found.operation_id,
        "kind": found.kind,
        "priority": found.priority,
        "posted": found.posted and found.posted.isoformat(),
        "owner": found.owner,
        "state": found.state,
    }


def conductor(found: Conductor, operations: list[str]) -> dict[str, Any]:
    """``silent``: seconds since it was heard."""
    return {
        "name": found.name,
        "host": found.host,
        "pid": found.pid,
        "version": found.version,
        "leader": leads(found, utcnow()),
        "flows": found.flows,
        "draining": found.draining,
        "operations": operations,
        "started": found.started.isoformat(),
        "silent": _silent(found.seen),
    }


def guest(instance: Instance, health: Health | None) -> dict[str, Any]:
    """What the guest said last; null for one that was never heard."""
    return {
        "instance_id": instance.id,
        "instance_name": instance.name,
        "project_id": instance.project_id,
        "task": instance.task,
        "service_status": health and health.service_status,
        "datastore_version": health and health.datastore_version,
        "agent_version": health and health.agent_version,
        "in_flight": health and health.in_flight,
        "silent": health and _silent(health.seen),
    }


def _silent(seen: datetime.datetime) -> float:
    return round((utcnow() - seen).total_seconds(), 1)
