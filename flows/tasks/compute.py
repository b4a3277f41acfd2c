# SPDX-License-Identifier: Apache-2.0
"""Servers."""

from collections.abc import Mapping
from typing import Any, ClassVar

from dbflow import guestconfig
from dbflow.cloud.base import UNDONE, Boot, CloudError, Port, Volume
from dbflow.db.models import Instance
from flows.tasks.base import FlowContext, LocalTask
from flows.tasks.record import update_instance
from flows.tasks.tries import MANY


def guest_files(context: FlowContext, instance_id: str, manager: str) -> dict[str, str]:
    """What the guest finds on its machine's disk: who it is, its message key, its login at the broker."""
    return guestconfig.render(
        instance_id=instance_id,
        manager=manager,
        url=context.channels.guest_url(instance_id),
        exchange=context.conf.messaging.exchange,
        key=context.guest_key(instance_id),
        heartbeat_interval=context.conf.messaging.heartbeat_interval,
    )


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
        server = self.context.cloud.servers.create(
            Boot(
                instance_id=instance_id,
                flavor_id=flavor_id,
                image=image,
                port=Port(id=port["id"], addresses=tuple(port["addresses"])),
                volume=Volume(**volume) if volume else None,
                files=guest_files(self.context, instance_id, manager),
                availability_zone=availability_zone,
                locality=locality,
                beside=self._source_of(instance_id),
                manager=manager,
            )
        )
        update_instance(self.context.fence, instance_id, server_id=server.id)

    def _source_of(self, instance_id: str) -> str | None:
        with self.context.fence.database.read() as session:
            return session.get_one(Instance, instance_id).replica_of_id

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


class NoteImage(LocalTask):
    """Note the image that the server was made of, to go back to."""

    default_provides = "old_image"
    tries: ClassVar[int] = MANY

    def execute(self, instance_id: str) -> str | None:
        """Its id; None where there was none."""
        return self.context.cloud.servers.get(instance_id).image


class RebuildServer(LocalTask):
    """Make the server anew of another image; its volume and its address stay."""

    deadline: ClassVar[float] = 1800.0

    def execute(self, instance_id: str, image: str | None, manager: str) -> None:
        """Once in this operation, as far as the cloud can tell."""
        self._rebuild(instance_id, image, manager, self.context.fence.operation_id)

    def revert(self, instance_id: str, old_image: str | None, manager: str, **_: Any) -> None:
        """Anew of the old image, whether the new one was used or not."""
        self._rebuild(instance_id, old_image, manager, f"{self.context.fence.operation_id}{UNDONE}")

    def _rebuild(self, instance_id: str, image: str | None, manager: str, once: str) -> None:
        files = guest_files(self.context, instance_id, manager)
        self.context.cloud.servers.rebuild(instance_id, image, files, once)


class NoteHost(LocalTask):
    """Note the host that the server is on, to go back to."""

    default_provides = "old_host"
    tries: ClassVar[int] = MANY

    def execute(self, instance_id: str) -> str:
        """Its name. CloudError where it is on none."""
        host = self.context.cloud.servers.get(instance_id).host
        if host is None:
            raise CloudError(f"Server of instance {instance_id} is on no host.")
        return host


class MigrateServer(LocalTask):
    """Move the server to another host; its volume and its address stay."""

    deadline: ClassVar[float] = 1800.0

    def execute(self, instance_id: str, old_host: str, host: str | None) -> None:
        """Return when the server runs there."""
        self.context.cloud.servers.migrate(instance_id, old_host, host)

    def revert(self, instance_id: str, old_host: str, **_: Any) -> None:
        """Back to the old host."""
        self.context.cloud.servers.revert_migration(instance_id, old_host)


class ResizeServer(LocalTask):
    """Change the server's flavor."""

    deadline: ClassVar[float] = 1800.0

    def execute(self, instance_id: str, flavor_id: str) -> None:
        """Return when the server runs with the new flavor."""
        self.context.cloud.servers.resize(instance_id, flavor_id)

    def revert(self, instance_id: str, old_flavor_id: str, **_: Any) -> None:
        """Back to the old flavor."""
        self.context.cloud.servers.revert_resize(instance_id, old_flavor_id)


class ConfirmResize(LocalTask):
    """Make the new flavor, or the new host, final."""

    def execute(self, instance_id: str) -> None:
        """Nothing to do on a cloud that changes it without asking."""
        self.context.cloud.servers.confirm_resize(instance_id)


class FenceServer(LocalTask):
    """Stop the server for good: nobody writes to its database any more, whatever becomes of the machine."""

    def execute(self, instance_id: str) -> None:
        """Return when all of it has ended."""
        self.context.cloud.servers.fence(instance_id)

    def revert(self, instance_id: str, **_: Any) -> None:
        """Start it again."""
        self.context.cloud.servers.unfence(instance_id)
