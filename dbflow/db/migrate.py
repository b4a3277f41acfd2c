# SPDX-License-Identifier: Apache-2.0
"""Bring a database's schema to this release's."""

import contextlib
import pathlib
import threading
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from dbflow.db.session import Database

MIGRATIONS = pathlib.Path(__file__).parent / "migrations"
_LOCK = "dbflow-schema"
_LOCK_TIMEOUT = 60
"""Seconds to wait for somebody else's upgrade."""
_one_thread = threading.Lock()
"""alembic keeps what it works on in globals."""


class SchemaBusy(Exception):
    """Somebody else is upgrading this database and does not come to an end."""


def upgrade(url: str) -> str:
    """Create the tables or bring them up to date; harmless to repeat, and to call from several processes at once.

    ``url`` is SQLAlchemy's. Returns the revision that the database now has. Raises SchemaBusy.
    """
    with _one_thread, _connection(url) as connection, _alone(connection):
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()
        return _revision(connection) or ""


def current(url: str) -> str | None:
    """The revision that a database has; None when it has no schema yet."""
    with _connection(url) as connection:
        return _revision(connection)


def head() -> str:
    """The revision that this release needs."""
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    return config


@contextlib.contextmanager
def _connection(url: str) -> Iterator[sa.Connection]:
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            yield connection
    finally:
        database.close()


def _revision(connection: sa.Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


@contextlib.contextmanager
def _alone(connection: sa.Connection) -> Iterator[None]:
    """Upgrades one after the other. SQLite's transaction is the lock, if it is one from before the revision is read to
    the last step; MariaDB commits at each CREATE TABLE."""
    if connection.dialect.name == "sqlite":
        connection.begin()
        yield
        return
    taken = connection.scalar(sa.select(sa.func.get_lock(_LOCK, _LOCK_TIMEOUT)))
    if taken != 1:
        raise SchemaBusy("another process has been upgrading this database for a minute")
    try:
        yield
    finally:
        connection.scalar(sa.select(sa.func.release_lock(_LOCK)))
