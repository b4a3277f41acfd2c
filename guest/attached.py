# SPDX-License-Identifier: Apache-2.0
"""The data volume among the machine's disks.

What a disk is called depends on the bus that the cloud attaches it to: ``virtio-{20 characters of its id}``,
``scsi-0QEMU_QEMU_HARDDISK_{its id}``, and others. The start of the id is in all of them.
"""

import pathlib
import re
import time

from guest.disk import DiskError

BY_ID = pathlib.Path("/dev/disk/by-id")
APPEARS_WITHIN = 60.0
"""Seconds."""
SERIAL = 20
"""Characters of an id that the disks of every bus have; those of virtio-blk have no more."""
_PARTITION = re.compile(r"-part\d+$")


def find(volume: str | None, device: pathlib.Path | None) -> pathlib.Path | None:
    """The whole disk with that id, or where none is told the device; None where neither is. DiskError.

    The kernel may find it a moment after the machine has started.
    """
    if volume is None and device is None:
        return None
    deadline = time.monotonic() + APPEARS_WITHIN
    while True:
        found = _disks(volume) if volume is not None else {one for one in (device,) if one is not None and one.exists()}
        if len(found) == 1:
            return found.pop()
        if time.monotonic() > deadline:
            raise _missing(volume or str(device), found)
        time.sleep(0.2)


def _disks(volume: str) -> set[pathlib.Path]:
    """One may have several names."""
    links = [link for link in BY_ID.glob("*") if volume[:SERIAL] in link.name and not _PARTITION.search(link.name)]
    return {link.resolve() for link in links if link.exists()}


def _missing(wanted: str, found: set[pathlib.Path]) -> DiskError:
    if found:
        return DiskError(f"The data volume {wanted} is more than one disk: {', '.join(map(str, sorted(found)))}.")
    there = ", ".join(sorted(link.name for link in BY_ID.glob("*"))) or "none"
    return DiskError(f"The data volume {wanted} is not attached to this machine. Disks with an id: {there}.")
