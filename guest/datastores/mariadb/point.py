# SPDX-License-Identifier: Apache-2.0
"""A backup point: a copy of all that a stopped server has, on the same volume, and the way back to it.

It gets its name last, so it is there whole or not at all. Going back moves directories, one by one: interrupted and
begun again, it comes to the same end.
"""

import contextlib
import pathlib
import shutil
import subprocess
import threading

import psutil

from dbflow import faults
from guest.datastores.base import DatastoreError, cloud_marks
from guest.datastores.mariadb import programs
from guest.datastores.mariadb.layout import Layout
from guest.volume import GIB, allocated

_PREFIX = ".point-"
_TIMEOUT = 12 * 3600.0
_KILLED_WITHIN = 60.0
_ROOM = 256 * 1024 * 1024
"""Bytes that must be left beside the copy, for what the upgrade itself writes."""


class Point:
    """Of one upgrade, by its ``name``."""

    def __init__(self, layout: Layout, name: str) -> None:
        self._layout = layout
        self._volume = layout.machine.data_dir
        self._place = self._volume / f"{_PREFIX}{name}"
        self._unfinished = self._place.with_name(f".new{self._place.name}")
        self._replaced = self._volume / ".replaced"
        self._parts = (layout.data, layout.binlog, layout.state)

    def must_have_room(self) -> None:
        """DatastoreError when the volume is too full for it."""
        needed = sum(map(allocated, self._parts)) + _ROOM
        free = shutil.disk_usage(self._volume).free + sum(map(allocated, self._others()))
        if needed > free:
            raise DatastoreError(
                f"The upgrade needs {needed / GIB:.1f} GiB of the volume for a backup point, and {free / GIB:.1f} GiB"
                " are free. Extend the volume first."
            )

    def take(self, interrupted: threading.Event) -> None:
        """Copy everything; fine when it is taken. Interrupted when it is not wanted any more. Points of other upgrades,
        which are over, go first."""
        if self._place.exists():
            return
        self._end_copies()
        for other in self._others():
            shutil.rmtree(other)
        self._unfinished.mkdir(mode=0o700)
        for part in self._parts:
            self._copy(part, interrupted)
            faults.within()
        _sync(self._unfinished)
        self._unfinished.rename(self._place)
        _sync(self._volume)

    def go_back(self) -> None:
        """Have everything as it was when it was taken, and no point any more. Does nothing where none was taken."""
        self._end_copies()
        if self._place.exists():
            self._replaced.mkdir(mode=0o700, exist_ok=True)
            for part in self._parts:
                if (self._place / part.name).exists():
                    shutil.rmtree(self._replaced / part.name, ignore_errors=True)
                    if part.exists():
                        part.rename(self._replaced / part.name)
                    (self._place / part.name).rename(part)
                    faults.within()
            _sync(self._volume)
            self._place.rmdir()
        for leftover in (self._unfinished, self._replaced):
            shutil.rmtree(leftover, ignore_errors=True)

    def drop(self) -> None:
        """Remove it: there is no way back from now on. Fine when it is gone."""
        if self._place.exists():
            self._place.rename(self._unfinished)
        try:
            shutil.rmtree(self._unfinished)
        except FileNotFoundError:
            return
        except OSError as error:
            raise DatastoreError(f"The backup point could not be removed: {error.strerror}.") from None

    def _others(self) -> list[pathlib.Path]:
        """What is left of upgrades that are over."""
        return [*self._volume.glob(f"{_PREFIX}*"), *self._volume.glob(f".new{_PREFIX}*")]

    def _end_copies(self) -> None:
        """Of an agent that died in their middle."""
        for process in psutil.process_iter(["name", "cmdline"]):
            if process.info["name"] == "cp" and str(self._unfinished) in (process.info["cmdline"] or ()):
                with contextlib.suppress(psutil.Error):
                    process.kill()
                    process.wait(_KILLED_WITHIN)

    def _copy(self, part: pathlib.Path, interrupted: threading.Event) -> None:
        command = ["cp", "-a", "--reflink=auto", "--sparse=auto", str(part), str(self._unfinished)]
        try:
            done = programs.complete(
                command,
                interrupted,
                _TIMEOUT,
                stdin=subprocess.DEVNULL,
                env={"PATH": programs.SEARCH_PATH, "LC_ALL": "C", **cloud_marks()},
            )
        except subprocess.TimeoutExpired:
            raise DatastoreError(f"The backup point was not made within {_TIMEOUT:g} s.") from None
        if done.returncode != 0:
            shutil.rmtree(self._unfinished, ignore_errors=True)
            raise DatastoreError(f"The backup point could not be made: {done.stdout.strip()[-300:]}")


def _sync(directory: pathlib.Path) -> None:
    """Bring everything to the disk that has been written to its file system."""
    subprocess.run(["sync", "-f", str(directory)], check=True, env={"PATH": programs.SEARCH_PATH, **cloud_marks()})
