# SPDX-License-Identifier: Apache-2.0
"""Modules on this instance.

A ``module`` is {"id", "name", "type", "md5", "secret", "datastore", "datastore_version", "tenant", "auto_apply",
"visible", "is_admin", "mark"}: ``secret`` are its contents in base64, ``mark`` is the same for all that one operation
does.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guest.modules import load
from guest.modules.changes import Modules
from guest.tasks.base import GuestTask


class ModuleTask(GuestTask):
    """Base of the tasks here."""

    deadline: ClassVar[float] = 900.0

    @property
    def modules(self) -> Modules:
        """Of the machine."""
        return Modules(self.datastore)


class CheckModules(ModuleTask):
    """See that the guest can have them, before any is changed."""

    reads_only: ClassVar[bool] = True
    deadline: ClassVar[float] = 60.0

    def execute(self, instance_id: str, module_types: Sequence[str]) -> None:
        """Unsupported for a type that its image does not know, DatastoreError where the server takes none now."""
        for name in module_types:
            load(name).ready(self.datastore)


class InstallModule(ModuleTask):
    """Put a module on a machine that is being made.

    Undoing it is deleting the machine.
    """

    def execute(self, instance_id: str, module: Mapping[str, Any]) -> None:
        """DatastoreError with the reason when it fails."""
        self.modules.apply(module)


class ApplyModule(ModuleTask):
    """Put a module there, in the place of what is there of it."""

    def execute(self, instance_id: str, module: Mapping[str, Any]) -> None:
        """DatastoreError with the reason when it fails."""
        self.modules.apply(module)

    def revert(self, instance_id: str, module: Mapping[str, Any], **_: Any) -> None:
        """As it was: away, or with the contents of before."""
        self.modules.back(module["id"], module["mark"])


class RemoveModule(ModuleTask):
    """Take a module away."""

    def execute(self, instance_id: str, module: Mapping[str, Any]) -> None:
        """``module`` needs "id" and "mark" only; with "forget" nothing is undone. Fine when it is not there."""
        self.modules.remove(module["id"], module["mark"], forget=bool(module.get("forget")))

    def revert(self, instance_id: str, module: Mapping[str, Any], **_: Any) -> None:
        """There again."""
        self.modules.back(module["id"], module["mark"])


class ListModules(ModuleTask):
    """What is there."""

    reads_only: ClassVar[bool] = True
    deadline: ClassVar[float] = 15.0

    def execute(self, instance_id: str) -> list[dict[str, Any]]:
        """See guest.modules.changes.Modules.every."""
        return self.modules.every()


class ModuleContents(ModuleTask):
    """The contents of one that is there."""

    reads_only: ClassVar[bool] = True
    deadline: ClassVar[float] = 15.0

    def execute(self, instance_id: str, module_id: str) -> str:
        """Base64. NotFound."""
        return self.modules.contents(module_id)
