# SPDX-License-Identifier: Apache-2.0
"""Databases."""

from collections.abc import Sequence

from dbflow.datastores.mariadb import MariaDB
from guest.datastores.base import AlreadyExists, DatabaseSpec, NotFound
from guest.datastores.intents import Intents
from guest.datastores.mariadb.client import Client, Session
from guest.datastores.mariadb.grants import revoke_from_all
from guest.datastores.mariadb.quoting import charset, identifier, literal

_KNOWN = MariaDB()


class Databases:
    """Make, list and delete them."""

    def __init__(self, client: Client, intents: Intents) -> None:
        self._client = client
        self._intents = intents

    def list(self) -> "list[DatabaseSpec]":
        """By name, without the engine's own."""
        with self._client.session() as session:
            rows = session.rows(
                "SELECT SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME"
                " FROM information_schema.SCHEMATA"
            )
        return [DatabaseSpec(*row) for row in sorted(rows) if not _KNOWN.is_reserved_database(row[0])]

    def create(self, databases: Sequence[DatabaseSpec]) -> None:
        """All or none; AlreadyExists names the first that is there."""
        names = [spec.name for spec in databases]
        with self._client.session() as session:
            there = _existing(session, names)
            if there and not self._intents.begun("create databases", names):
                raise AlreadyExists(f'A database with the name "{there[0]}" already exists.')
            self._intents.begin("create databases", names)
            try:
                _create_all(session, [spec for spec in databases if spec.name not in there])
            except Exception:
                _drop_all(session, there)
                self._intents.undone("create databases", names)
                raise

    def create_missing(self, databases: Sequence[DatabaseSpec]) -> None:
        """Make those that are not there."""
        with self._client.session() as session:
            there = _existing(session, [spec.name for spec in databases])
            _create_all(session, [spec for spec in databases if spec.name not in there])

    def delete(self, name: str) -> None:
        """Delete it, and the grants on it: a later database of that name is somebody else's."""
        with self._client.session() as session:
            there = _existing(session, [name])
            if not there and not self._intents.begun("delete database", name):
                raise NotFound(f"Database {name} cannot be found on the instance.")
            self._intents.begin("delete database", name)
            revoke_from_all(session, name)
            _drop_all(session, [name])


def missing(session: Session, names: Sequence[str]) -> list[str]:
    """Those of the names that are no databases."""
    there = _existing(session, names)
    return [name for name in names if name not in there]


def _existing(session: Session, names: Sequence[str]) -> list[str]:
    """Those of the names that are there, in their order."""
    if not names:
        return []
    wanted = ", ".join(literal(name) for name in names)
    rows = session.rows(f"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME IN ({wanted})")
    found = {row[0] for row in rows}
    return [name for name in names if name in found]


def _create_all(session: Session, databases: Sequence[DatabaseSpec]) -> None:
    made: list[str] = []
    try:
        for spec in databases:
            session.run(_create_statement(spec))
            made.append(spec.name)
    except Exception:
        _drop_all(session, made)
        raise


def _drop_all(session: Session, names: Sequence[str]) -> None:
    for name in names:
        session.run(f"DROP DATABASE IF EXISTS {identifier(name)}")


def _create_statement(spec: DatabaseSpec) -> str:
    statement = f"CREATE DATABASE {identifier(spec.name)}"
    if spec.character_set is not None:
        statement += f" CHARACTER SET {charset(spec.character_set)}"
    if spec.collate is not None:
        statement += f" COLLATE {charset(spec.collate)}"
    return statement
