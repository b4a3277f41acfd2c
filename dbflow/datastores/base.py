# SPDX-License-Identifier: Apache-2.0
"""What the control plane knows of a datastore without asking a guest: its ports, what it can do, which names it takes.

Plug-ins are loaded by manager name from the entry point group ``dbflow.datastores``. Guests use the same knowledge
(reserved names), so these modules import nothing but the standard library.
"""

import abc
import enum
from collections.abc import Mapping, Sequence
from typing import ClassVar

from dbflow.datastores.parameters import Parameter, Value, of_version


class Feature(enum.StrEnum):
    """What a datastore may be able to do; what is not among ``capabilities`` the API refuses."""

    DATABASES = "databases"
    USERS = "users"
    ROOT = "root"
    RESTART = "restart"
    RESIZE_FLAVOR = "resize_flavor"
    RESIZE_VOLUME = "resize_volume"
    CONFIGURATIONS = "configurations"
    LOGS = "logs"
    BACKUP = "backup"
    REPLICATION = "replication"
    UPGRADE = "upgrade"
    TLS = "tls"
    SCRIPTS = "scripts"
    """Statements of users, run by the agent"""


class Strategy(enum.StrEnum):
    """How a backup is made."""

    PHYSICAL = "physical"
    """The files of the data, and what changed in them: the next one may be the difference to it."""
    LOGICAL = "logical"
    """The statements that make the data."""


class Datastore(abc.ABC):
    """A kind of database server."""

    name: ClassVar[str]
    """Of the datastore, as users write it."""
    manager: ClassVar[str]
    """Name of both plug-ins: this one and the guest's."""
    ports: ClassVar[tuple[int, ...]]
    """TCP ports that clients use; the first is the default."""
    capabilities: ClassVar[frozenset[Feature]]
    reserved_databases: ClassVar[frozenset[str]]
    """The engine's own, in lower case: neither shown nor made nor deleted."""
    reserved_users: ClassVar[frozenset[str]]
    """The engine's own and dbflow's, in lower case."""
    strategies: ClassVar[tuple[Strategy, ...]] = ()
    """How its backups can be made; the first when nobody says."""
    charsets: ClassVar[Mapping[str, frozenset[str]]]
    """Character set -> its collations."""

    def supports(self, feature: Feature) -> bool:
        """Whether it can do this."""
        return feature in self.capabilities

    def parameters(self, version: str) -> Sequence[Parameter]:
        """What configuration groups may set, of a version by its number; nothing where there are no groups."""
        return of_version(self.manager, version)

    def default_configuration(self, ram: int, vcpus: int) -> Mapping[str, Value]:
        """The parameters that dbflow itself sets for a machine of that size (MiB, processors)."""
        return {}

    def release(self, version: str) -> str:
        """Of a version by its number: what its servers' data is of, such as 10.11 of 10.11.14."""
        return ".".join(version.split(".")[:2])

    def upgrade_path(self, old: str, new: str) -> str | None:
        """What an upgrade between two versions is, by their numbers: "minor" or "major"; None when there is no way."""
        return None

    def is_own_parameter(self, name: str) -> bool:
        """Whether no configuration group may ever set it, since dbflow or its rights hang on it."""
        return False

    def is_reserved_database(self, name: str) -> bool:
        """Whether the name belongs to the engine, in whatever case it is written."""
        return name.casefold() in self.reserved_databases

    def is_reserved_user(self, name: str) -> bool:
        """Whether the name belongs to the engine or to dbflow, in whatever case it is written."""
        return name.casefold() in self.reserved_users

    @abc.abstractmethod
    def check_database(self, name: str, character_set: str | None = None, collate: str | None = None) -> None:
        """Raise Invalid (fields name, character_set, collate) for a database that can't be made."""

    @abc.abstractmethod
    def check_user(self, name: str, host: str = "%") -> None:
        """Raise Invalid (fields name, host) for a user that can't be made."""

    @abc.abstractmethod
    def check_grant(self, database: str) -> None:
        """Raise Invalid (field databases) for a database that can't be granted to a user by name."""

    @abc.abstractmethod
    def check_password(self, password: str) -> None:
        """Raise Invalid (field password), which does not hold the password."""
