# SPDX-License-Identifier: Apache-2.0
"""Storage."""

import contextlib
from typing import Any

from dbflow.cloud.base import NotFound
from flows.tasks.base import LocalTask
from flows.tasks.record import update_instance


class CreateVolume(LocalTask):
    """Create the data volume."""

    default_provides = "volume"

    def execute(self, instance_id: str, volume_size: int | None, volume_type: str | None) -> dict[str, Any] | None:
        """Return {"id", "size", "type", "device"}, or None where the flavor's own disk is used."""
        if volume_size is None:
            return None
        volume = self.context.cloud.volumes.create(instance_id, volume_size, volume_type)
        update_instance(self.context.fence, instance_id, volume_id=volume.id)
        return {"id": volume.id, "size": volume.size, "type": volume.type, "device": volume.device}

    def revert(self, instance_id: str, **_: Any) -> None:
        """Delete the volume."""
        self.context.cloud.volumes.delete(instance_id)
        update_instance(self.context.fence, instance_id, volume_id=None)


class DeleteVolume(LocalTask):
    """Delete the data volume with its data."""

    def execute(self, instance_id: str) -> None:
        """Delete whatever volume the instance has."""
        self.context.cloud.volumes.delete(instance_id)


class ResizeVolume(LocalTask):
    """Extend the data volume."""

    def execute(self, instance_id: str, volume_size: int) -> None:
        """``volume_size`` in GiB."""
        self.context.cloud.volumes.resize(instance_id, volume_size)

    def revert(self, instance_id: str, old_volume_size: int, **_: Any) -> None:
        """Back to the old size, where the cloud can. It may have lost the volume: then there is nothing to undo."""
        with contextlib.suppress(NotFound):
            self.context.cloud.volumes.resize(instance_id, old_volume_size)
