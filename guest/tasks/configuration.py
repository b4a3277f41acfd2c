# SPDX-License-Identifier: Apache-2.0
"""The values of a configuration group.

``ram`` is MiB; ``overrides`` and ``old_overrides`` are values by parameter ({"max_connections": 200}).
"""

from typing import Any, ClassVar

from guest.datastores.base import Configuration, Settings, Unsupported
from guest.tasks.base import GuestTask


class ConfigurationTask(GuestTask):
    """Base of the tasks here."""

    deadline: ClassVar[float] = 120.0

    @property
    def configuration(self) -> Configuration:
        """Of the machine's plug-in."""
        if self.datastore.configuration is None:
            raise Unsupported("This datastore has no configuration to change.")
        return self.datastore.configuration


class CheckConfiguration(ConfigurationTask):
    """Ask the server whether it would take the values."""

    reads_only: ClassVar[bool] = True

    def execute(self, instance_id: str, ram: int, vcpus: int, overrides: dict[str, Any]) -> None:
        """DatastoreError with its reason when it would not."""
        self.configuration.check(Settings(ram, vcpus, overrides))


class ApplyConfiguration(ConfigurationTask):
    """Give the server the values: for its next start, and at once what it can take at once."""

    def execute(
        self, instance_id: str, ram: int, vcpus: int, overrides: dict[str, Any], old_overrides: dict[str, Any]
    ) -> bool:
        """Whether it must be restarted for the rest."""
        return self.configuration.apply(Settings(ram, vcpus, overrides), Settings(ram, vcpus, old_overrides))

    def revert(
        self,
        instance_id: str,
        ram: int,
        vcpus: int,
        overrides: dict[str, Any],
        old_overrides: dict[str, Any],
        **_: Any,
    ) -> None:
        """Back to the old values."""
        self.configuration.undo(Settings(ram, vcpus, overrides), Settings(ram, vcpus, old_overrides))
