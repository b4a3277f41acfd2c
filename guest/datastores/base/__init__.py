# SPDX-License-Identifier: Apache-2.0
"""What a datastore plug-in of the guest is made of: small interfaces, composed.

What an engine can't do it leaves ``None`` in :class:`Datastore`; the API then answers as Trove does. Every
method is idempotent: it may be run again after a crash in its middle. Passwords arrive as arguments of Python
calls only; they must not reach argv, the environment, logs, or files readable by others.

The errors are defined here: conductors know them by their full names.
"""

import abc
from typing import ClassVar

from guest.datastores.base.accounts import Accounts, DatabaseSpec, User, UserSpec
from guest.datastores.base.backups import Backups, Link, RunSteps, Source, Step
from guest.datastores.base.configuration import Configuration
from guest.datastores.base.lifecycle import Health, Lifecycle, Progress
from guest.datastores.base.logs import Log, Logs, LogStatus, LogType, Send
from guest.datastores.base.machine import CLOUD_MARK, Machine, Settings, cloud_marks
from guest.datastores.base.replication import Origin, Replication
from guest.datastores.base.scripts import Scripts
from guest.datastores.base.tls import Identity, Tls
from guest.datastores.base.upgrade import Upgrade

__all__ = [
    "CLOUD_MARK",
    "Accounts",
    "AlreadyExists",
    "Away",
    "Backups",
    "Configuration",
    "DatabaseSpec",
    "Datastore",
    "DatastoreError",
    "Health",
    "Identity",
    "Interrupted",
    "Lifecycle",
    "Link",
    "Log",
    "LogStatus",
    "LogType",
    "Logs",
    "Machine",
    "NotFound",
    "Origin",
    "Progress",
    "Replication",
    "RunSteps",
    "Scripts",
    "Send",
    "Settings",
    "Source",
    "Step",
    "Tls",
    "Unsupported",
    "Untouched",
    "Upgrade",
    "User",
    "UserSpec",
    "WrittenSince",
    "cloud_marks",
]


class DatastoreError(Exception):
    """The server refused or failed; ``str()`` is fit for a user to read and holds no secret."""


class AlreadyExists(DatastoreError):
    """A database or user of that name is there already."""


class NotFound(DatastoreError):
    """No such database or user."""


class Away(DatastoreError):
    """Another server, which has to be asked, does not answer."""


class Unsupported(DatastoreError):
    """The engine can't do this."""


class Interrupted(DatastoreError):
    """It is not wanted any more."""


class Untouched(DatastoreError):
    """It was refused, and nothing was done."""


class WrittenSince(DatastoreError):
    """It can't be undone, since users have written to what it would throw away; the server runs."""


class Datastore(abc.ABC):
    """A plug-in: entry point group ``dbflow.guest.datastores``, called with the Machine."""

    default_port: ClassVar[int]
    """TCP port of the server where the machine names none."""
    lifecycle: Lifecycle
    accounts: Accounts | None = None
    configuration: Configuration | None = None
    logs: Logs | None = None
    backups: Backups | None = None
    replication: Replication | None = None
    upgrade: Upgrade | None = None
    tls: Tls | None = None
    scripts: Scripts | None = None

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
