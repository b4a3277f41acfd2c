# SPDX-License-Identifier: Apache-2.0
"""Addresses."""

import contextlib
from collections.abc import Mapping
from typing import Any

from dbflow import datastores
from dbflow.cloud.base import NotFound, Port, Reach
from dbflow.db.models import DatastoreVersion, Instance
from dbflow.fencing import Fence
from flows.tasks.base import LocalTask
from flows.tasks.record import update_instance


def reach(fence: Fence, instance_id: str) -> Reach:
    """The ports of the instance's datastore, for its owner's project."""
    with fence.database.read() as session:
        instance = session.get_one(Instance, instance_id)
        manager = session.get_one(DatastoreVersion, instance.datastore_version_id).manager
        return Reach(instance.project_id, datastores.load(manager).ports)


def _record(fence: Fence, instance_id: str, port: Port) -> list[dict[str, str]]:
    """Its addresses."""
    addresses = [dict(address) for address in port.addresses]
    update_instance(fence, instance_id, port_id=port.id, addresses=addresses, hostname=port.hostname)
    return addresses


class CreatePort(LocalTask):
    """Reserve the instance's address."""

    default_provides = "port"

    def execute(self, instance_id: str, nics: list[Mapping[str, str]], access: Mapping[str, object]) -> dict[str, Any]:
        """Return {"id", "addresses": [...]} of the port."""
        fence = self.context.fence
        port = self.context.cloud.networks.create_port(instance_id, nics, access, reach(fence, instance_id))
        return {"id": port.id, "addresses": _record(fence, instance_id, port)}

    def revert(self, instance_id: str, **_: Any) -> None:
        """Give the address back."""
        self.context.cloud.networks.delete_port(instance_id)
        update_instance(self.context.fence, instance_id, port_id=None, addresses=[], hostname=None)


class UpdateAccess(LocalTask):
    """Change who may reach the instance."""

    def execute(self, instance_id: str, access: Mapping[str, object]) -> None:
        """``access``: see dbflow.cloud.base.Networks.update_access."""
        self._update(instance_id, access)

    def revert(self, instance_id: str, old_access: Mapping[str, object], **_: Any) -> None:
        """As it was. The cloud may have lost the port: then there is nothing to undo."""
        with contextlib.suppress(NotFound):
            self._update(instance_id, old_access)

    def _update(self, instance_id: str, access: Mapping[str, object]) -> None:
        fence = self.context.fence
        port = self.context.cloud.networks.update_access(instance_id, access, reach(fence, instance_id))
        _record(fence, instance_id, port)


class DeletePort(LocalTask):
    """Give the instance's address back."""

    def execute(self, instance_id: str) -> None:
        """Delete whatever port the instance has."""
        self.context.cloud.networks.delete_port(instance_id)
