# SPDX-License-Identifier: Apache-2.0
"""Make, configure, start and stop the database server.

``ram`` is MiB, ``overrides`` the values of the attached configuration group ({"max_connections": 200}). Every task
may run again after an interruption. None answers anything.
"""

from typing import Any, ClassVar

from guest.datastores.base import Settings
from guest.tasks.base import GuestTask

START_TIMEOUT = 300.0
"""Seconds a server may take to answer after its start."""
STOP_TIMEOUT = 120.0
"""Seconds a server may take to stop by itself."""


class Prepare(GuestTask):
    """Make a secured, configured, running server on a fresh machine.

    Undoing it is deleting the machine.
    """

    deadline: ClassVar[float] = 1200.0

    def execute(self, instance_id: str, ram: int, vcpus: int, overrides: dict[str, Any]) -> None:
        """Reports its progress."""
        settings = Settings(ram=ram, vcpus=vcpus, overrides=overrides)
        self.datastore.lifecycle.install(settings, self.update_progress)


class Start(GuestTask):
    """Start the server; fine when it runs."""

    def execute(self, instance_id: str) -> None:
        """Returns when it answers."""
        self.datastore.lifecycle.start(START_TIMEOUT)

    def revert(self, instance_id: str, **_: Any) -> None:
        """It was stopped before."""
        self.datastore.lifecycle.stop(STOP_TIMEOUT)


class Stop(GuestTask):
    """Stop the server on purpose: it stays down when the machine or the agent restarts."""

    def execute(self, instance_id: str) -> None:
        """Returns when its process is gone."""
        self.datastore.lifecycle.stop(STOP_TIMEOUT)

    def revert(self, instance_id: str, **_: Any) -> None:
        """It ran before."""
        self.datastore.lifecycle.start(START_TIMEOUT)


class Restart(GuestTask):
    """Stop the server and start it."""

    def execute(self, instance_id: str) -> None:
        """Returns when it answers again."""
        self.datastore.lifecycle.restart(START_TIMEOUT)

    def revert(self, instance_id: str, **_: Any) -> None:
        """See that it runs, whatever the restart came to."""
        self.datastore.lifecycle.start(START_TIMEOUT)


class ComeUp(GuestTask):
    """After the machine was started anew: see that the server runs.

    There is nothing to undo.
    """

    def execute(self, instance_id: str) -> None:
        """Returns when it answers."""
        self.datastore.lifecycle.start(START_TIMEOUT)


class ApplyFlavor(GuestTask):
    """Write the configuration for another size of machine; takes effect at the next start."""

    def execute(
        self, instance_id: str, ram: int, vcpus: int, overrides: dict[str, Any], old_ram: int, old_vcpus: int
    ) -> None:
        """``old_ram`` and ``old_vcpus`` are for undoing it. DatastoreError when the group's values are not for that
        size."""
        settings = Settings(ram=ram, vcpus=vcpus, overrides=overrides)
        if overrides and self.datastore.configuration is not None:
            self.datastore.configuration.check(settings)
        self.datastore.lifecycle.configure(settings)

    def revert(self, instance_id: str, overrides: dict[str, Any], old_ram: int, old_vcpus: int, **_: Any) -> None:
        """Back to the old size."""
        self.datastore.lifecycle.configure(Settings(ram=old_ram, vcpus=old_vcpus, overrides=overrides))
