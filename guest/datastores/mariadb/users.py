# SPDX-License-Identifier: Apache-2.0
"""Users. An account is a name and the hosts it may come from, as in MariaDB; hosts have no case."""

from collections.abc import Sequence

from dbflow.datastores.mariadb import MariaDB
from guest.datastores.base import AlreadyExists, NotFound, User, UserSpec
from guest.datastores.intents import Intents
from guest.datastores.mariadb.certified import REQUIRED
from guest.datastores.mariadb.client import Client, Session
from guest.datastores.mariadb.databases import missing
from guest.datastores.mariadb.grants import grant_all, granted, revoke_all
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.quoting import account, literal, password_hash
from guest.datastores.mariadb.tls import requires_certificates

_KNOWN = MariaDB()
_NOT_A_ROLE = "JSON_VALUE(Priv, '$.is_role') IS NULL"


class Users:
    """Make, list, change and delete them."""

    def __init__(self, client: Client, intents: Intents, layout: Layout) -> None:
        self._client = client
        self._intents = intents
        self._layout = layout

    def list(self) -> "list[User]":
        """By name and host, without the engine's own and dbflow's."""
        with self._client.session() as session:
            rows = session.rows(f"SELECT User, Host FROM mysql.global_priv WHERE {_NOT_A_ROLE}")
            databases = granted(session)
        return [
            User(name, host, tuple(databases.get((name, host), ())))
            for name, host in sorted(rows)
            if name and not _KNOWN.is_reserved_user(name)
        ]

    def get(self, name: str, host: str) -> User:
        """NotFound when there is none."""
        for user in self.list():
            if (user.name, user.host) == (name, host.lower()):
                return user
        raise _not_found(name, host)

    def create(self, users: Sequence[UserSpec]) -> None:
        """All or none; AlreadyExists names the first that is there."""
        names = [[spec.name, spec.host] for spec in users]
        with self._client.session() as session:
            there = [spec for spec in users if _exists(session, spec.name, spec.host)]
            if there and not self._intents.begun("create users", names):
                raise AlreadyExists(f'A user with the name "{there[0].name}" already exists.')
            self._intents.begin("create users", names)
            try:
                _make_or_align(session, users, there, self._required)
            except Exception:
                _drop_all(session, there)
                self._intents.undone("create users", names)
                raise

    def create_missing(self, users: Sequence[UserSpec]) -> None:
        """Make those that are not there; give all of them their passwords and databases."""
        with self._client.session() as session:
            there = [spec for spec in users if _exists(session, spec.name, spec.host)]
            _make_or_align(session, users, there, self._required)

    def update(self, name: str, host: str, new_name: str | None, new_host: str | None, password: str | None) -> None:
        """Rename it and/or change its password."""
        renamed = (new_name or name, (new_host or host).lower())
        rename = renamed != (name, host.lower())
        with self._client.session() as session:
            change = ("rename user", name, host, *renamed)
            if self._intents.begun(*change) and not _exists(session, name, host):
                name, host, rename = *renamed, False
            _require(session, name, host)
            if rename and _exists(session, *renamed):
                raise AlreadyExists(f'A user with the name "{renamed[0]}" already exists.')
            self._intents.begin(*change)
            if password is not None:
                _set_password(session, name, host, password)
            if rename:
                session.run(f"RENAME USER {account(name, host)} TO {account(*renamed)}")

    def set_passwords(self, users: Sequence[UserSpec]) -> None:
        """NotFound names the first that is not there, before anything was changed."""
        with self._client.session() as session:
            for spec in users:
                _require(session, spec.name, spec.host)
            for spec in users:
                _set_password(session, spec.name, spec.host, spec.password)

    def delete(self, name: str, host: str) -> None:
        """Delete it and its grants."""
        with self._client.session() as session:
            if not self._intents.begun("delete user", name, host):
                _require(session, name, host)
            self._intents.begin("delete user", name, host)
            session.run(f"DROP USER IF EXISTS {account(name, host)}")

    def grant(self, name: str, host: str, databases: Sequence[str]) -> None:
        """NotFound for the user or the first database that is not there, before anything was changed."""
        with self._client.session() as session:
            _require(session, name, host)
            absent = missing(session, databases)
            if absent:
                raise NotFound(f"Database {absent[0]} cannot be found on the instance.")
            grant_all(session, name, host, databases)

    def revoke(self, name: str, host: str, database: str) -> None:
        """NotFound when the user has no right on that database."""
        with self._client.session() as session:
            _require(session, name, host)
            if not self._intents.begun("revoke", name, host, database):
                self._must_have(session, name, host, database)
            self._intents.begin("revoke", name, host, database)
            revoke_all(session, name, host.lower(), database)

    @property
    def _required(self) -> str:
        """What each must show."""
        return REQUIRED if requires_certificates(self._layout) else "REQUIRE NONE"

    @staticmethod
    def _must_have(session: Session, name: str, host: str, database: str) -> None:
        if database not in granted(session).get((name, host.lower()), []):
            raise NotFound(f"User {name}@{host} has no access to the database {database}.")


def _exists(session: Session, name: str, host: str) -> bool:
    return bool(
        session.rows(
            f"SELECT 1 FROM mysql.global_priv WHERE User = {literal(name)} AND Host = {literal(host.lower())}"
            f" AND {_NOT_A_ROLE}"
        )
    )


def _require(session: Session, name: str, host: str) -> None:
    if not _exists(session, name, host):
        raise _not_found(name, host)


def _not_found(name: str, host: str) -> NotFound:
    return NotFound(f"User {name}@{host} cannot be found on the instance.")


def _make_or_align(session: Session, users: Sequence[UserSpec], there: Sequence[UserSpec], required: str) -> None:
    _make(session, [spec for spec in users if spec not in there], required)
    for spec in there:
        _set_password(session, spec.name, spec.host, spec.password)
        grant_all(session, spec.name, spec.host, spec.databases)


def _make(session: Session, users: Sequence[UserSpec], required: str) -> None:
    made: list[UserSpec] = []
    try:
        for spec in users:
            who = account(spec.name, spec.host)
            session.run(f"CREATE USER {who} IDENTIFIED BY PASSWORD {literal(password_hash(spec.password))} {required}")
            made.append(spec)
            grant_all(session, spec.name, spec.host, spec.databases)
    except Exception:
        _drop_all(session, made)
        raise


def _drop_all(session: Session, users: Sequence[UserSpec]) -> None:
    for spec in users:
        session.run(f"DROP USER IF EXISTS {account(spec.name, spec.host)}")


def _set_password(session: Session, name: str, host: str, password: str) -> None:
    session.run(f"ALTER USER {account(name, host)} IDENTIFIED BY PASSWORD {literal(password_hash(password))}")
