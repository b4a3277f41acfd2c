# SPDX-License-Identifier: Apache-2.0
"""What a type of modules does on a guest."""

import abc

from guest.datastores.base import Datastore


class ModuleType(abc.ABC):
    """Entry point group ``dbflow.guest.modules``; the control plane's half is in ``dbflow.modules``.

    The two that change something may be run again after a crash in their middle, and again with the same contents
    later on. A DatastoreError is for users to read, and must not tell them what is in contents that are not theirs to
    see.
    """

    @abc.abstractmethod
    def ready(self, datastore: Datastore) -> None:
        """DatastoreError where nothing could be done now: asked before anything is written down or changed."""

    @abc.abstractmethod
    def apply(self, contents: bytes, datastore: Datastore) -> str:
        """Put it there, also where it is there with these or other contents. Returns what users are told."""

    @abc.abstractmethod
    def remove(self, contents: bytes, datastore: Datastore) -> None:
        """Take it away, as far as it came; ``contents`` are what was applied last."""
