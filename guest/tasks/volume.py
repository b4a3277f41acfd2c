# SPDX-License-Identifier: Apache-2.0
"""The data volume."""

import pathlib
import stat
import time

import psutil

from guest import disk
from guest.datastores.base import DatastoreError
from guest.tasks.base import GuestTask

_GIB = 1024**3
_GROWS_WITHIN = 60.0
"""Seconds in which the machine sees that its device has been extended."""


class GrowFilesystem(GuestTask):
    """Let the file system of the data use a volume that has been extended.

    A volume that is a directory (local cloud) needs nothing. Growing is not undone: a larger file system does no
    harm, and a mounted one can't shrink.
    """

    runs_on_a_full_volume = True

    def execute(self, instance_id: str, volume_size: int) -> None:
        """``volume_size`` in GiB is the size that the volume has now."""
        data_dir = self.datastore.machine.data_dir
        mount = _mount(data_dir)
        if mount is None:
            return
        device, file_system = mount
        _await(device, volume_size * _GIB)
        try:
            disk.grow(device, file_system, data_dir)
        except disk.DiskError as error:
            raise DatastoreError(f"The file system could not be grown to {volume_size} GiB: {error}") from error


def _mount(path: pathlib.Path) -> tuple[str, str] | None:
    """(device, file system) mounted on the path; None when it is an ordinary directory."""
    for partition in psutil.disk_partitions(all=True):
        if partition.mountpoint == str(path.resolve()):
            return partition.device, partition.fstype
    return None


def _await(device: str, size: int) -> None:
    """The cloud says that a volume in use is larger before its machine does."""
    deadline = time.monotonic() + _GROWS_WITHIN
    while pathlib.Path(device).exists() and stat.S_ISBLK(pathlib.Path(device).stat().st_mode):
        if disk.size(device) >= size:
            return
        if time.monotonic() > deadline:
            raise DatastoreError(f"The machine does not see that its volume has {size // _GIB} GiB now.")
        time.sleep(0.2)
