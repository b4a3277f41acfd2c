# SPDX-License-Identifier: Apache-2.0
"""Prepared data directories, one a datastore manager, that make a create quick. Built once, by the machine's own
programs, for servers that run those."""

import logging
import pathlib
import subprocess
import sys
from collections.abc import Sequence

from dbflow import plugins
from dbflow.cloud.base import CloudError
from dbflow.cloud.local import files
from dbflow.cloud.local.layout import Layout
from dbflow.cloud.local.locks import Locks
from dbflow.cloud.local.processes import Processes, end

LOG = logging.getLogger(__name__)
_MANAGERS = "dbflow.guest.datastores"
BUILDER = (sys.executable, "-m", "guest.image")


class Prepared:
    """``images/<manager>``; a directory of that name is complete, since it got the name last."""

    def __init__(
        self, layout: Layout, locks: Locks, processes: Processes, timeout: float, command: Sequence[str] = BUILDER
    ) -> None:
        self._layout = layout
        self._locks = locks
        self._processes = processes
        self._timeout = timeout
        self._command = command

    def path(self, manager: str | None) -> pathlib.Path | None:
        """The manager's image, or None when it was not built (yet)."""
        if manager is None:
            return None
        image = self._layout.images / manager
        return image if image.is_dir() else None

    def prepare(self) -> list[str]:
        """Build what is missing, for every datastore plug-in installed here. Returns the managers with an image.

        One that can't be built is logged: its instances are then installed from scratch.
        """
        managers = sorted(plugins.of(_MANAGERS).names)
        return [manager for manager in managers if self._try(manager)]

    def build(self, manager: str) -> pathlib.Path:
        """Build or find. CloudError with the builder's last words when it fails."""
        name = f".image-{manager}"
        with files.naming(f"Image of {manager}"), self._locks.hold(name, timeout=self._timeout):
            image = self._layout.images / manager
            work = self._layout.images / f".{manager}"
            try:
                if not image.is_dir():
                    self._end_builders(name)
                    files.remove_tree(work)
                    self._run(name, manager, work)
                    (work / "image").rename(image)
            finally:
                files.remove_tree(work)
            return image

    def _try(self, manager: str) -> bool:
        try:
            self.build(manager)
        except CloudError as error:
            LOG.warning("%s", error)
            return False
        return True

    def _run(self, name: str, manager: str, work: pathlib.Path) -> None:
        owner = self._layout.owner
        work.mkdir(mode=0o711)
        work.chmod(0o711)
        arguments = [manager, str(work / "image")] + (["--run-as", owner.name] if owner.name else [])
        try:
            done = subprocess.run(
                [*self._command, *arguments],
                check=False,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._timeout,
                start_new_session=True,
                cwd="/",
                umask=0o022,
                env=self._processes.environment(name, 1),
            )
        except subprocess.TimeoutExpired:
            raise CloudError(f"Image of {manager}: not built within {self._timeout:g} s") from None
        finally:
            self._end_builders(name)
        if done.returncode != 0 or not (work / "image").is_dir():
            reason = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
            raise CloudError(f"Image of {manager} could not be built: {reason}")

    def _end_builders(self, name: str) -> None:
        """End what a builder left, also one whose conductor was killed."""
        end(lambda: [found.process for found in self._processes.of(name)], 5.0, name)
