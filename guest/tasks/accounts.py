# SPDX-License-Identifier: Apache-2.0
"""Databases, users, grants and the administrator.

On the wire a database is ``{"name": str, "character_set": str | None, "collate": str | None}`` and a user to make
``{"name": str, "password": str, "host": str, "databases": [str, …]}`` (``host`` defaults to "%", the optional keys
may be left out). Answers hold no passwords. Failures are AlreadyExists, NotFound and DatastoreError of
:mod:`guest.datastores.base`; an engine without accounts answers Unsupported.

``CreateDatabases`` and ``CreateUsers`` belong to flows: they make what is missing, so they may run any number of
times. The others are the calls of the API; each changes all it was asked to or nothing, and one that was
interrupted goes on where it stopped.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from guest.datastores.base import Accounts, DatabaseSpec, Unsupported, User, UserSpec
from guest.tasks.base import GuestTask

ANYWHERE = "%"


class AccountsTask(GuestTask):
    """Base of the tasks here."""

    deadline: ClassVar[float] = 180.0

    @property
    def accounts(self) -> Accounts:
        """Of the machine's plug-in. DatastoreError for who would change those of a server that is read-only."""
        if self.datastore.accounts is None:
            raise Unsupported("This datastore has no databases and users to manage.")
        if self.datastore.replication is not None and not self.reads_only:
            self.datastore.replication.must_be_open()
        return self.datastore.accounts


class LookUp(AccountsTask):
    """Base of those that change nothing."""

    reads_only: ClassVar[bool] = True
    deadline: ClassVar[float] = 15.0


class CreateDatabases(AccountsTask):
    """Make the databases that are not there yet."""

    def execute(self, instance_id: str, databases: list[dict[str, Any]]) -> None:
        """Answers nothing."""
        self.accounts.create_databases(_databases(databases), if_missing=True)


class CreateUsers(AccountsTask):
    """Make the users that are not there yet; all of them get their passwords and databases."""

    def execute(self, instance_id: str, users: list[dict[str, Any]]) -> None:
        """Answers nothing."""
        self.accounts.create_users(_users(users), if_missing=True)


class ListDatabases(LookUp):
    """The databases, by name."""

    def execute(self, instance_id: str) -> list[dict[str, Any]]:
        """[{"name", "character_set", "collate"}, …]"""
        return [
            {"name": found.name, "character_set": found.character_set, "collate": found.collate}
            for found in self.accounts.list_databases()
        ]


class AddDatabases(AccountsTask):
    """Make new databases."""

    def execute(self, instance_id: str, databases: list[dict[str, Any]]) -> None:
        """AlreadyExists names the first that is there."""
        self.accounts.create_databases(_databases(databases))


class DeleteDatabase(AccountsTask):
    """Delete a database and the grants on it."""

    def execute(self, instance_id: str, name: str) -> None:
        """NotFound when it is not there."""
        self.accounts.delete_database(name)


class ListUsers(LookUp):
    """The users, by name and host."""

    def execute(self, instance_id: str) -> list[dict[str, Any]]:
        """[{"name", "host", "databases": [name, …]}, …]"""
        return [_public(user) for user in self.accounts.list_users()]


class GetUser(LookUp):
    """One user."""

    def execute(self, instance_id: str, name: str, host: str = ANYWHERE) -> dict[str, Any]:
        """{"name", "host", "databases": [name, …]}; NotFound."""
        return _public(self.accounts.get_user(name, host))


class AddUsers(AccountsTask):
    """Make new users."""

    def execute(self, instance_id: str, users: list[dict[str, Any]]) -> None:
        """AlreadyExists names the first that is there."""
        self.accounts.create_users(_users(users))


class UpdateUser(AccountsTask):
    """Rename a user, let it come from another host, change its password: whatever is not None."""

    def execute(
        self,
        instance_id: str,
        name: str,
        host: str = ANYWHERE,
        new_name: str | None = None,
        new_host: str | None = None,
        password: str | None = None,
    ) -> None:
        """NotFound; AlreadyExists when the new name is taken."""
        self.accounts.update_user(name, host, new_name=new_name, new_host=new_host, password=password)


class SetPasswords(AccountsTask):
    """Change the passwords of users: [{"name", "password", "host"}, …]."""

    def execute(self, instance_id: str, users: list[dict[str, Any]]) -> None:
        """NotFound names the first that is not there; then no password was changed."""
        self.accounts.set_passwords(_users(users))


class DeleteUser(AccountsTask):
    """Delete a user."""

    def execute(self, instance_id: str, name: str, host: str = ANYWHERE) -> None:
        """NotFound when it is not there."""
        self.accounts.delete_user(name, host)


class Grant(AccountsTask):
    """Give a user all rights on databases."""

    def execute(self, instance_id: str, name: str, databases: list[str], host: str = ANYWHERE) -> None:
        """NotFound for the user or a database."""
        self.accounts.grant(name, host, databases)


class Revoke(AccountsTask):
    """Take a user's rights on a database away."""

    def execute(self, instance_id: str, name: str, database: str, host: str = ANYWHERE) -> None:
        """NotFound when it has none."""
        self.accounts.revoke(name, host, database)


class EnableRoot(AccountsTask):
    """Let the administrator in from anywhere."""

    def execute(self, instance_id: str, password: str) -> str:
        """The administrator's name."""
        return self.accounts.enable_root(password)


class DisableRoot(AccountsTask):
    """Lock the administrator out; fine when it is not in."""

    def execute(self, instance_id: str) -> None:
        """Answers nothing."""
        self.accounts.disable_root()


class RootEnabled(LookUp):
    """Can the administrator log in from outside?"""

    def execute(self, instance_id: str) -> bool:
        """Whether it can."""
        return self.accounts.root_enabled()


def _databases(wire: Sequence[Mapping[str, Any]]) -> list[DatabaseSpec]:
    return [DatabaseSpec(item["name"], item.get("character_set"), item.get("collate")) for item in wire]


def _users(wire: Sequence[Mapping[str, Any]]) -> list[UserSpec]:
    return [
        UserSpec(item["name"], item["password"], item.get("host") or ANYWHERE, tuple(item.get("databases") or ()))
        for item in wire
    ]


def _public(user: User) -> dict[str, Any]:
    return {"name": user.name, "host": user.host, "databases": list(user.databases)}
