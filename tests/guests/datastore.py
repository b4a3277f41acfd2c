# SPDX-License-Identifier: Apache-2.0
"""A datastore without a server: its status is what a file says."""

import pathlib

from guest.datastores.base import Datastore, Health, Lifecycle, Machine, Progress, Settings


class FileLifecycle(Lifecycle):
    """``DATA_DIR/status`` holds the service status."""

    def __init__(self, machine: Machine) -> None:
        self._file = machine.data_dir / "status"
        self._resumed = machine.data_dir / "resumed"

    def install(self, settings: Settings, progress: Progress) -> None:
        self._file.write_text("HEALTHY")

    def configure(self, settings: Settings) -> None:
        pass

    def start(self, timeout: float) -> None:
        self._file.write_text("HEALTHY")

    def stop(self, timeout: float) -> None:
        self._file.write_text("SHUTDOWN")

    def restart(self, timeout: float) -> None:
        self.start(timeout)

    def health(self) -> Health:
        status = self._file.read_text() if self._file.exists() else "NEW"
        return Health(service_status=status, version="1.0", position="1:2", load={"threads": 1.0})

    def resume(self) -> None:
        self._resumed.touch()

    def build_image(self, target: pathlib.Path) -> None:
        target.mkdir()


class FileDatastore(Datastore):
    """The plug-in ``file``."""

    default_port = 4321

    def __init__(self, machine: Machine) -> None:
        super().__init__(machine)
        self.lifecycle = FileLifecycle(machine)
