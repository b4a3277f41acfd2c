# SPDX-License-Identifier: Apache-2.0
"""What a project may have and has."""

from typing import Any

from dbflow import quota
from dbflow.services.contention import contended
from dbflow.services.context import Caller, Services
from dbflow.services.errors import Forbidden, NotFound


def show(services: Services, caller: Caller, project_id: str) -> list[dict[str, Any]]:
    """[{"resource", "in_use", "reserved", "limit"}, …] of the caller's own project, or any for administrators."""
    if not caller.is_admin and project_id != caller.project_id:
        raise Forbidden("Only the project's own quotas may be seen.")
    with services.database.read() as session:
        allowed, used = quota.limits(session, services.conf, project_id), quota.usage(session, project_id)
    return [
        {"resource": resource, "in_use": used[resource], "reserved": 0, "limit": allowed[resource]}
        for resource in quota.RESOURCES
    ]


@contended
def update(services: Services, project_id: str, wanted: dict[str, Any]) -> dict[str, int]:
    """Give a project its own limits; returns what was set. Null leaves a limit as it is."""
    new = {resource: int(limit) for resource, limit in wanted.items() if limit is not None}
    for resource in new:
        if resource not in quota.RESOURCES:
            raise NotFound(f"Quota could not be found for the resource {resource[:255]}.")
    with services.database.write() as session:
        quota.set_limits(session, project_id, new)
    return new


def limits(services: Services, caller: Caller) -> dict[str, int]:
    """Resource -> limit of the caller's project."""
    with services.database.read() as session:
        return quota.limits(session, services.conf, caller.project_id)
