# SPDX-License-Identifier: Apache-2.0
"""Instances and versions of datastores, as administrators see them."""

from collections.abc import Mapping, Sequence
from typing import Any

from dbflow.api.views import timestamp
from dbflow.api.views.instances import Viewer
from dbflow.services.mgmt_datastores import Known
from dbflow.status import Service, Task

_TASKS = {
    Task.NONE: "Nothing is being done with it.",
    Task.ERROR: "Its last operation failed and left it as it is.",
    Task.RESTART_REQUIRED: "It must be restarted for its parameters.",
}


class MgmtViewer(Viewer):
    """Rows of dbflow.services.mgmt_instances; ``machines`` of dbflow.services.hosts."""

    def __init__(self, machines: Mapping[str, Mapping[str, Any]]) -> None:
        super().__init__()
        self._machines = machines

    def mgmt(self, row: Any, replicas: Sequence[str]) -> dict[str, Any]:
        """As in a list."""
        return self.detail(row, replicas) | {
            "server": self._server(row),
            "service_status": row.service_status or str(Service.UNKNOWN),
            "tenant_id": row.project_id,
            "deleted": row.deleted,
            "deleted_at": timestamp(row.deleted_at) if row.deleted_at else None,
            "task_description": _TASKS.get(row.task, f"{row.task.replace('_', ' ').capitalize()}."),
        }

    def mgmt_detail(self, row: Any, replicas: Sequence[str]) -> dict[str, Any]:
        """As when one is asked for."""
        return self.mgmt(row, replicas) | {
            "root_enabled": timestamp(row.root_enabled) if row.root_enabled else None,
            "root_enabled_by": row.root_enabled_by,
            "volume": self._volume(row),
            "guest_status": {"state_description": row.service_status or str(Service.UNKNOWN)},
        }

    def _server(self, row: Any) -> dict[str, Any] | None:
        machine = self._machines.get(row.id)
        if machine is None:
            return None
        return {"id": row.server_id, "tenant_id": row.project_id, "addresses": row.addresses, **machine}

    def _volume(self, row: Any) -> dict[str, Any] | None:
        if not row.volume_id:
            return None
        return {
            "id": row.volume_id,
            "size": row.volume_size,
            "availability_zone": row.availability_zone,
            "used": row.volume_used,
            "total": row.volume_total,
        }


def root_history(row: Any) -> dict[str, str]:
    """When root was first let in; "Never" and "Nobody" are Trove's words."""
    enabled = timestamp(row.root_enabled) if row.root_enabled else "Never"
    return {"id": row.id, "enabled": enabled, "user": row.root_enabled_by or "Nobody"}


def version(known: Known) -> dict[str, Any]:
    """A version with its datastore."""
    found = known.version
    return {
        "id": found.id,
        "name": found.name,
        "version": found.version,
        "datastore_id": known.datastore.id,
        "datastore_name": known.datastore.name,
        "datastore_manager": found.manager,
        "image": found.image_id,
        "image_tags": found.image_tags,
        "packages": found.packages,
        "active": found.active,
        "registry_ext": found.registry_ext,
        "repl_strategy": found.repl_strategy,
        "default": known.default,
    }
