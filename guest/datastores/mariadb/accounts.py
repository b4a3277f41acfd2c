# SPDX-License-Identifier: Apache-2.0
"""Databases, users, grants and the administrator, as the interface asks for them."""

from collections.abc import Sequence

from guest.datastores import base
from guest.datastores.base import DatabaseSpec, User, UserSpec
from guest.datastores.intents import Intents
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.databases import Databases
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.root import Root
from guest.datastores.mariadb.users import Users


class Accounts(base.Accounts):
    """See the base class."""

    def __init__(self, client: Client, layout: Layout) -> None:
        intents = Intents(layout.intents)
        self._databases = Databases(client, intents)
        self._users = Users(client, intents, layout)
        self._root = Root(client, layout)

    def list_databases(self) -> list[DatabaseSpec]:
        """See the base class."""
        return self._databases.list()

    def create_databases(self, databases: Sequence[DatabaseSpec], *, if_missing: bool = False) -> None:
        """See the base class."""
        (self._databases.create_missing if if_missing else self._databases.create)(databases)

    def delete_database(self, name: str) -> None:
        """See the base class."""
        self._databases.delete(name)

    def list_users(self) -> list[User]:
        """See the base class."""
        return self._users.list()

    def get_user(self, name: str, host: str) -> User:
        """See the base class."""
        return self._users.get(name, host)

    def create_users(self, users: Sequence[UserSpec], *, if_missing: bool = False) -> None:
        """See the base class."""
        (self._users.create_missing if if_missing else self._users.create)(users)

    def update_user(
        self, name: str, host: str, *, new_name: str | None, new_host: str | None, password: str | None
    ) -> None:
        """See the base class."""
        self._users.update(name, host, new_name, new_host, password)

    def set_passwords(self, users: Sequence[UserSpec]) -> None:
        """See the base class."""
        self._users.set_passwords(users)

    def delete_user(self, name: str, host: str) -> None:
        """See the base class."""
        self._users.delete(name, host)

    def grant(self, name: str, host: str, databases: Sequence[str]) -> None:
        """See the base class."""
        self._users.grant(name, host, databases)

    def revoke(self, name: str, host: str, database: str) -> None:
        """See the base class."""
        self._users.revoke(name, host, database)

    def enable_root(self, password: str) -> str:
        """See the base class."""
        return self._root.enable(password)

    def disable_root(self) -> None:
        """See the base class."""
        self._root.disable()

    def root_enabled(self) -> bool:
        """See the base class."""
        return self._root.enabled()
