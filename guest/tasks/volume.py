# SPDX-License-Identifier: Apache-2.0
"""The data volume."""

import pathlib
import shutil
import subprocess

import psutil

from guest.datastores.base import DatastoreError
from guest.tasks.base import GuestTask

_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"


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
        done = subprocess.run(
            _grow_command(device, file_system, data_dir), capture_output=True, text=True, errors="replace", check=False
        )
        if done.returncode != 0:
            reason = (done.stderr or done.stdout).strip()[-300:]
            raise DatastoreError(f"The file system could not be grown to {volume_size} GiB: {reason}")


def _mount(path: pathlib.Path) -> tuple[str, str] | None:
    """(device, file system) mounted on the path; None when it is an ordinary directory."""
    for partition in psutil.disk_partitions(all=True):
        if partition.mountpoint == str(path.resolve()):
            return partition.device, partition.fstype
    return None


def _grow_command(device: str, file_system: str, path: pathlib.Path) -> list[str]:
    match file_system:
        case "ext2" | "ext3" | "ext4":
            return [_program("resize2fs"), device]
        case "xfs":
            return [_program("xfs_growfs"), str(path)]
        case _:
            raise DatastoreError(f"A file system of type {file_system} can't be grown.")


def _program(name: str) -> str:
    found = shutil.which(name, path=_PATH)
    if found is None:
        raise DatastoreError(f"The program {name} is not installed on this machine.")
    return found
