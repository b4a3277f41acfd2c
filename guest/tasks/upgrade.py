# SPDX-License-Identifier: Apache-2.0
"""From one version of the datastore to the next; see guest.datastores.base.Upgrade for the words.

``point`` names the upgrade, and its backup point; ``ram`` is MiB, ``release`` such as "11.8". None answers anything.
"""

from typing import Any, ClassVar

from guest.datastores.base import Settings, Unsupported, Upgrade
from guest.tasks.base import GuestTask

_LONG = 12 * 3600.0
"""Seconds: a copy of all data, a look at all tables."""


class UpgradeTask(GuestTask):
    """Base of the tasks here."""

    @property
    def upgrade(self) -> Upgrade:
        """Of the machine's plug-in."""
        if self.datastore.upgrade is None:
            raise Unsupported("This datastore can't be upgraded.")
        return self.datastore.upgrade


class CheckUpgrade(UpgradeTask):
    """Whether the data can be upgraded as it is, and there is room for a backup point."""

    reads_only: ClassVar[bool] = True

    def execute(self, instance_id: str, point: str) -> None:
        """Changes nothing."""
        self.upgrade.check(point)


class CheckPrograms(UpgradeTask):
    """See that the machine's image is of the data's release."""

    reads_only: ClassVar[bool] = True

    def execute(self, instance_id: str, release: str) -> None:
        """DatastoreError when it is not."""
        self.upgrade.must_be(release)


class StopForUpgrade(UpgradeTask):
    """Stop the server on purpose, with nothing left that only its own version could finish."""

    deadline: ClassVar[float] = 3600.0
    runs_on_a_full_volume: ClassVar[bool] = True

    def execute(self, instance_id: str) -> None:
        """Returns when its process is gone."""
        self.upgrade.stop()

    def revert(self, instance_id: str, **_: Any) -> None:
        """It ran before."""
        self.upgrade.start_again()


class TakePoint(UpgradeTask):
    """Copy all that the stopped server has."""

    deadline: ClassVar[float] = _LONG
    interruptible: ClassVar[bool] = True
    runs_on_a_full_volume: ClassVar[bool] = True

    def execute(self, instance_id: str, point: str) -> None:
        """Returns when the copy is on the disk."""
        self.upgrade.take_point(point, self.interrupted)

    def revert(self, instance_id: str, point: str, **_: Any) -> None:
        """Have it as it was then; the copy is gone."""
        self.upgrade.go_back(point)


class UpgradeData(UpgradeTask):
    """Have the new version's programs upgrade the data, with nobody let in."""

    deadline: ClassVar[float] = _LONG
    interruptible: ClassVar[bool] = True
    runs_on_a_full_volume: ClassVar[bool] = True

    def execute(self, instance_id: str, ram: int, vcpus: int, overrides: dict[str, Any], release: str) -> None:
        """Leaves the server stopped."""
        self.upgrade.run(Settings(ram, vcpus, overrides), release, self.interrupted)

    def revert(self, instance_id: str, **_: Any) -> None:
        """End it; what it did to the data is undone by going back to the backup point."""
        self.upgrade.halt()


class OpenUpgraded(UpgradeTask):
    """Start the upgraded server for everybody."""

    deadline: ClassVar[float] = 3600.0
    runs_on_a_full_volume: ClassVar[bool] = True

    def execute(self, instance_id: str) -> None:
        """Returns when it answers."""
        self.upgrade.open()

    def revert(self, instance_id: str, **_: Any) -> None:
        """Stop it; but when it was written to, nothing is undone any further: the backup point has none of that."""
        self.upgrade.close()


class DropPoint(UpgradeTask):
    """Throw the backup point away: the upgrade has succeeded."""

    deadline: ClassVar[float] = _LONG
    silence: ClassVar[float | None] = 1800.0
    runs_on_a_full_volume: ClassVar[bool] = True

    def execute(self, instance_id: str, point: str) -> None:
        """Fine when it is gone."""
        self.upgrade.drop_point(point)
