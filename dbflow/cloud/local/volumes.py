# SPDX-License-Identifier: Apache-2.0
"""Volumes are directories: a record (root's), and beside it the data (its database's user's).

The record is written last and removed first, so a volume is there whole or not at all. Its size is a record too.
"""

from dbflow.cloud import base
from dbflow.cloud.local import files
from dbflow.cloud.local.layout import Layout
from dbflow.cloud.local.locks import Locks

_RECORD, _DATA = "volume.json", "data"


class LocalVolumes(base.Volumes):
    """Storage of this machine."""

    def __init__(self, layout: Layout, locks: Locks) -> None:
        self._layout = layout
        self._locks = locks

    def create(self, instance_id: str, size: int, volume_type: str | None) -> base.Volume:
        """Create or find; ``size`` in GiB."""
        path = self._layout.volume(instance_id)
        with files.naming(f"Volume of instance {instance_id}"), self._locks.hold(instance_id):
            if self._find(instance_id) is None:
                # Without a record, what is there was left by a create or delete that did not end.
                files.remove_tree(path)
                path.mkdir(mode=0o711)
                path.chmod(0o711)
                (path / _DATA).mkdir(mode=0o700)  # the server gives it to the user that it makes
                files.write_json(path / _RECORD, {"size": size, "type": volume_type})
            return self.get(instance_id)

    def get(self, instance_id: str) -> base.Volume:
        """NotFound when the instance has none."""
        with files.naming(f"Volume of instance {instance_id}"):
            volume = self._find(instance_id)
        if volume is None:
            raise base.NotFound(f"Volume of instance {instance_id} cannot be found.")
        return volume

    def resize(self, instance_id: str, size: int) -> base.Volume:
        """Record the new size, larger or smaller; the data stays as it is."""
        with files.naming(f"Volume of instance {instance_id}"), self._locks.hold(instance_id):
            volume = self.get(instance_id)
            if volume.size != size:
                record = {"size": size, "type": volume.type}
                files.write_json(self._layout.volume(instance_id) / _RECORD, record)
            return self.get(instance_id)

    def delete(self, instance_id: str) -> None:
        """Delete the volume and its data."""
        path = self._layout.volume(instance_id)
        with files.naming(f"Volume of instance {instance_id}"), self._locks.hold(instance_id):
            (path / _RECORD).unlink(missing_ok=True)
            files.remove_tree(path)

    def _find(self, instance_id: str) -> base.Volume | None:
        path = self._layout.volume(instance_id)
        record = files.read_json(path / _RECORD)
        if record is None:
            return None
        return base.Volume(id=instance_id, size=record["size"], type=record["type"], device=str(path / _DATA))
