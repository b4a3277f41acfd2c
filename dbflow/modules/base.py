# SPDX-License-Identifier: Apache-2.0
"""What the control plane knows of a type of modules without asking a guest: which contents it takes, and where.

Types are loaded by name from the entry point group ``dbflow.modules``; of each the guest has its own half (see
guest.modules). Guests read contents with the same code, so these modules import nothing but the standard library.
"""

import abc
from typing import ClassVar

from dbflow.datastores.base import Feature


class ModuleType(abc.ABC):
    """A kind of things that are put on instances."""

    needs: ClassVar[Feature | None] = None
    """What the datastore of an instance must be able to do."""
    writes: ClassVar[bool] = False
    """It changes data: a replica has it of its source, and it is not applied there."""
    administers: ClassVar[bool] = False
    """It works with the rights of the server's administrator: for those who may be one (who may enable root)."""

    @abc.abstractmethod
    def check(self, contents: bytes) -> None:
        """Raise dbflow.datastores.Invalid (field contents) for what it does not take; the reason holds nothing of
        them."""
