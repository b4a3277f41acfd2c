# SPDX-License-Identifier: Apache-2.0
"""Databases and users."""

import abc
import dataclasses
from collections.abc import Sequence


@dataclasses.dataclass(frozen=True)
class DatabaseSpec:
    """A database to make."""

    name: str
    character_set: str | None = None
    collate: str | None = None


@dataclasses.dataclass(frozen=True)
class UserSpec:
    """A user to make or change."""

    name: str
    password: str = dataclasses.field(repr=False)
    host: str = "%"
    databases: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class User:
    """A user as the server knows it."""

    name: str
    host: str
    databases: tuple[str, ...]


class Accounts(abc.ABC):
    """Databases, users, grants. Names are checked by the API; reserved ones never arrive."""

    @abc.abstractmethod
    def list_databases(self) -> list[DatabaseSpec]:
        """By name, without the engine's own."""

    @abc.abstractmethod
    def create_databases(self, databases: Sequence[DatabaseSpec], *, if_missing: bool = False) -> None:
        """AlreadyExists names the first that is there; then nothing was made. With ``if_missing`` only those that
        are not there are made, and there is no such error."""

    @abc.abstractmethod
    def delete_database(self, name: str) -> None:
        """NotFound when it is not there."""

    @abc.abstractmethod
    def list_users(self) -> list[User]:
        """By name and host, without the engine's own and dbflow's."""

    @abc.abstractmethod
    def get_user(self, name: str, host: str) -> User:
        """NotFound when it is not there."""

    @abc.abstractmethod
    def create_users(self, users: Sequence[UserSpec], *, if_missing: bool = False) -> None:
        """AlreadyExists names the first that is there; then nothing was made. Grants each its databases, which need
        not be there yet. With ``if_missing`` those that are there get password and grants, and no such error."""

    @abc.abstractmethod
    def update_user(
        self, name: str, host: str, *, new_name: str | None, new_host: str | None, password: str | None
    ) -> None:
        """Rename and/or change the password. NotFound; AlreadyExists when the new name is taken."""

    @abc.abstractmethod
    def set_passwords(self, users: Sequence[UserSpec]) -> None:
        """Change passwords; NotFound names the first user that is not there, and nothing was changed."""

    @abc.abstractmethod
    def delete_user(self, name: str, host: str) -> None:
        """NotFound when it is not there."""

    @abc.abstractmethod
    def grant(self, name: str, host: str, databases: Sequence[str]) -> None:
        """All rights on each database. NotFound for the user or a database."""

    @abc.abstractmethod
    def revoke(self, name: str, host: str, database: str) -> None:
        """NotFound when the user has no such grant."""

    @abc.abstractmethod
    def enable_root(self, password: str) -> str:
        """Let the administrator in from anywhere with this password. Returns the administrator's name."""

    @abc.abstractmethod
    def disable_root(self) -> None:
        """Take that away again."""

    @abc.abstractmethod
    def root_enabled(self) -> bool:
        """Whether the administrator can log in from outside now."""
