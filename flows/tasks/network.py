# SPDX-License-Identifier: Apache-2.0
"""Addresses."""

from collections.abc import Mapping
from typing import Any

from flows.tasks.base import LocalTask
from flows.tasks.record import update_instance


class CreatePort(LocalTask):
    """Reserve the instance's address."""

    default_provides = "port"

    def execute(self, instance_id: str, nics: list[Mapping[str, str]], access: Mapping[str, object]) -> dict[str, Any]:
        """Return {"id", "addresses": [...]} of the port."""
        port = self.context.cloud.networks.create_port(instance_id, nics, access)
        addresses = [dict(address) for address in port.addresses]
        update_instance(self.context.fence, instance_id, port_id=port.id, addresses=addresses)
        return {"id": port.id, "addresses": addresses}

    def revert(self, instance_id: str, **_: Any) -> None:
        """Give the address back."""
        self.context.cloud.networks.delete_port(instance_id)
        update_instance(self.context.fence, instance_id, port_id=None, addresses=[])


class UpdateAccess(LocalTask):
    """Change who may reach the instance."""

    def execute(self, instance_id: str, access: Mapping[str, object]) -> None:
        """``access``: see dbflow.cloud.base.Networks.update_access."""
        self.context.cloud.networks.update_access(instance_id, access)

    def revert(self, instance_id: str, old_access: Mapping[str, object], **_: Any) -> None:
        """As it was."""
        self.context.cloud.networks.update_access(instance_id, old_access)


class DeletePort(LocalTask):
    """Give the instance's address back."""

    def execute(self, instance_id: str) -> None:
        """Delete whatever port the instance has."""
        self.context.cloud.networks.delete_port(instance_id)
