# SPDX-License-Identifier: Apache-2.0
"""Servers."""

from collections.abc import Mapping
from typing import Any

from dbflow import guestconfig
from dbflow.cloud.base import Boot, Port, Volume
from flows.tasks.base import LocalTask
from flows.tasks.record import update_instance


class CreateServer(LocalTask):
    """Start the server with its guest agent."""

    def execute(
        self,
        instance_id: str,
        flavor_id: str,
        image: str | None,
        manager: str,
        port: Mapping[str, Any],
        volume: Mapping[str, Any] | None,
        availability_zone: str | None,
        locality: str | None,
    ) -> None:
        """The server gets its instance id, its message key, its login at the broker, and nothing else."""
        conf = self.context.conf
        files = guestconfig.render(
            instance_id=instance_id,
            manager=manager,
            url=self.context.channels.guest_url(instance_id),
            exchange=conf.messaging.exchange,
            key=self.context.guest_key(instance_id),
            heartbeat_interval=conf.messaging.heartbeat_interval,
        )
        server = self.context.cloud.servers.create(
            Boot(
                instance_id=instance_id,
                flavor_id=flavor_id,
                image=image,
                port=Port(id=port["id"], addresses=tuple(port["addresses"])),
                volume=Volume(**volume) if volume else None,
                files=files,
                availability_zone=availability_zone,
                locality=locality,
                manager=manager,
            )
        )
        update_instance(self.context.fence, instance_id, server_id=server.id)

    def revert(self, instance_id: str, **_: Any) -> None:
        """Delete the server and all that runs on it."""
        self.context.cloud.servers.delete(instance_id)
        update_instance(self.context.fence, instance_id, server_id=None)


class DeleteServer(LocalTask):
    """Delete the server and all that runs on it."""

    def execute(self, instance_id: str) -> None:
        """Return when it is gone."""
        self.context.cloud.servers.delete(instance_id)


class RebootServer(LocalTask):
    """Start the server anew."""

    def execute(self, instance_id: str) -> None:
        """Once in this operation, as far as the cloud can tell."""
        self.context.cloud.servers.reboot(instance_id, self.context.fence.operation_id)


class ResizeServer(LocalTask):
    """Change the server's flavor."""

    def execute(self, instance_id: str, flavor_id: str) -> None:
        """Return when the server runs with the new flavor."""
        self.context.cloud.servers.resize(instance_id, flavor_id)

    def revert(self, instance_id: str, old_flavor_id: str, **_: Any) -> None:
        """Back to the old flavor."""
        self.context.cloud.servers.revert_resize(instance_id, old_flavor_id)


class ConfirmResize(LocalTask):
    """Make the new flavor final."""

    def execute(self, instance_id: str) -> None:
        """Nothing to do on a cloud that resizes without asking."""
        self.context.cloud.servers.confirm_resize(instance_id)


class FenceServer(LocalTask):
    """Stop the server for good: nobody writes to its database any more, whatever becomes of the machine."""

    def execute(self, instance_id: str) -> None:
        """Return when all of it has ended."""
        self.context.cloud.servers.fence(instance_id)

    def revert(self, instance_id: str, **_: Any) -> None:
        """Start it again."""
        self.context.cloud.servers.unfence(instance_id)
