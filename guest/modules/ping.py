# SPDX-License-Identifier: Apache-2.0
"""``ping``: answers what it was given."""

from dbflow.modules.ping import message
from guest.datastores.base import Datastore
from guest.modules import base


class Ping(base.ModuleType):
    """There is nothing to take away."""

    def ready(self, datastore: Datastore) -> None:
        """Always."""

    def apply(self, contents: bytes, datastore: Datastore) -> str:
        """The message."""
        return message(contents)

    def remove(self, contents: bytes, datastore: Datastore) -> None:
        """Nothing."""
