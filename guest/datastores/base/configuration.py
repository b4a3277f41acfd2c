# SPDX-License-Identifier: Apache-2.0
"""Configuration groups."""

import abc

from guest.datastores.base.machine import Settings


class Configuration(abc.ABC):
    """The values of a configuration group, on a server that may run."""

    @abc.abstractmethod
    def check(self, settings: Settings) -> None:
        """DatastoreError with the server's own reason when it would not take or not start with these. Changes
        nothing."""

    @abc.abstractmethod
    def apply(self, settings: Settings, instead_of: Settings) -> bool:
        """Write the configuration, and have the running server take what it can at once, in place of those other
        settings. Returns whether it must be restarted for the rest. On a DatastoreError it is as before."""

    @abc.abstractmethod
    def undo(self, settings: Settings, back_to: Settings) -> None:
        """Take that back, as far as it came. On a DatastoreError the configuration is the old one all the same, for the
        next start, and the running server may have the new values still."""
