# SPDX-License-Identifier: Apache-2.0
"""How full the data volume is."""

import dataclasses
import os
import pathlib
import threading
import time
from collections.abc import Iterator

GIB = 1024**3
COUNT_AGAIN_AFTER = 30.0
"""Seconds for which a count of files is good."""


@dataclasses.dataclass(frozen=True)
class Usage:
    """Sizes in GiB."""

    used: float
    total: float | None
    """Of the file system; None where the volume is a directory of a larger one."""


class Volume:
    """The data volume of this machine: a file system of its own, or (local cloud) a directory."""

    def __init__(self, data_dir: pathlib.Path) -> None:
        self._data_dir = data_dir
        self._lock = threading.Lock()
        self._counted: tuple[float, int] | None = None

    def usage(self) -> Usage:
        """Cheap enough for every heartbeat."""
        if os.path.ismount(self._data_dir):
            found = os.statvfs(self._data_dir)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize
            return Usage(used / GIB, found.f_blocks * found.f_frsize / GIB)
        return Usage(self._count() / GIB, None)

    def _count(self) -> int:
        """Bytes allocated to the files below the directory, at most 30 seconds old."""
        with self._lock:
            now = time.monotonic()
            if self._counted is None or now - self._counted[0] > COUNT_AGAIN_AFTER:
                self._counted = (now, allocated(self._data_dir))
            return self._counted[1]


def allocated(directory: pathlib.Path) -> int:
    """Bytes allocated to the files below a directory, however they come and go meanwhile."""
    return sum(_allocated(directory))


def _allocated(directory: str | pathlib.Path) -> Iterator[int]:
    """Bytes of each file; a server makes and deletes files meanwhile."""
    try:
        entries = list(os.scandir(directory))
    except (FileNotFoundError, NotADirectoryError):
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                yield from _allocated(entry.path)
            else:
                yield entry.stat(follow_symlinks=False).st_blocks * 512
        except FileNotFoundError:
            continue
