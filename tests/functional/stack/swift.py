# SPDX-License-Identifier: Apache-2.0
"""dbflow-standalone with its backups in a Swift, as it comes to those who have one."""

import pathlib
from collections.abc import Mapping

from tests.functional.stack.base import Settings
from tests.functional.stack.embedded import EmbeddedStack
from tests.functional.stack.inventory import Inventory
from tests.objects.front import Front
from tests.objects.swift import of_swift
from tests.servers import Swift

CONTAINER = "database_backups"


class SwiftStack(EmbeddedStack):
    """Nobody else has anything in that container."""

    def __init__(
        self, images: pathlib.Path, swift: Swift, front: Front | None = None, settings: Settings | None = None
    ) -> None:
        """``front``: through which all goes that it and its guests ask of the Swift."""
        login: Mapping[str, object] = swift.login | ({} if front is None else {"swift_auth_url": front.auth_url})
        super().__init__(images, {**(settings or {}), "object_store": login})
        self.store = of_swift(swift.login)

    def objects_of(self, backup_id: str) -> list[str]:
        """Names of a backup's objects."""
        return [name for name, _ in self.store.sizes(CONTAINER, f"{self.client().project}/{backup_id}/")]

    def parts_inventory(self) -> Inventory:
        there = {name.rpartition("/")[0].split("/")[1] for name, _ in self.store.sizes(CONTAINER, "")}
        return super().parts_inventory() | {"objects": sorted(there)}
