# SPDX-License-Identifier: Apache-2.0
"""Transactions."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.orm import Session, sessionmaker

from dbflow.db.connections import SQLITE_PATIENCE, WRITING, make_engine
from dbflow.db.prepared import Prepared

AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
"""What a database that is away, or wants a transaction again, looks like."""


class Database:
    """One database and the kinds of transaction on it.

    On SQLite a transaction that will write must say so at its start: one that begins by reading and is then
    overtaken by another writer can't go on (SQLITE_BUSY at once, whatever the time-out). Writers of this process take
    turns here, since those who wait in SQLite itself sleep for longer and longer.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 20,
        pool_timeout: int = 30,
        idle_transaction_timeout: int = 5,
        answer_timeout: float | None = None,
    ) -> None:
        """All times in seconds. ``idle_transaction_timeout`` is servers', ``answer_timeout`` MariaDB's (None: it may
        take as long as it likes); see their options."""
        options: dict[str, Any] = {
            "pool_size": pool_size,
            "pool_timeout": pool_timeout,
            "idle_transaction_timeout": idle_transaction_timeout,
            "answer_timeout": answer_timeout,
        }
        self.engine = make_engine(url, **options)
        self._rows = make_engine(url, hot=True, **options)
        self._looks = make_engine(url, hot=True, autocommit=True, **options)
        self._turn = threading.Lock() if self.engine.dialect.name == "sqlite" else None
        self._prepared: dict[sa.Executable, Prepared] = {}
        self._write = sessionmaker(self.engine, expire_on_commit=False)
        self._read = sessionmaker(
            self.engine.execution_options(dbflow_read=True), expire_on_commit=False, autoflush=False
        )

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Database":
        """The database that ``[database]`` names."""
        group = conf.database
        return cls(
            group.connection,
            pool_size=group.pool_size,
            pool_timeout=group.pool_timeout,
            idle_transaction_timeout=group.idle_transaction_timeout,
            answer_timeout=group.answer_timeout,
        )

    @contextlib.contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that may write: committed at the end of the block, rolled back on an exception."""
        with self._my_turn(), self._write.begin() as session:
            yield session

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self._read() as session:
            yield session

    @contextlib.contextmanager
    def write_rows(self) -> Iterator[Any]:
        """As :meth:`write`, with a cursor of the driver for :meth:`prepared` statements: what is written again and
        again goes around SQLAlchemy's layers. The errors are SQLAlchemy's."""
        with self._my_turn(), self._raw(self._rows) as connection, _pipeline(connection):
            cursor = connection.cursor()
            if self._turn is not None:
                cursor.execute(WRITING)
            yield cursor
            connection.commit()

    @contextlib.contextmanager
    def look(self) -> Iterator[Any]:
        """A cursor of the driver for single :meth:`prepared` queries without a transaction about them: one round trip.
        The errors are SQLAlchemy's."""
        with self._raw(self._looks) as connection:
            yield connection.cursor()

    def ping(self) -> None:
        """Raises one of AWAY when the database does not answer."""
        with self.look() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchall()

    @contextlib.contextmanager
    def rows(self, session: Session) -> Iterator[Any]:
        """A cursor of the driver within a session's transaction."""
        with self._telling():
            yield session.connection().connection.cursor()

    def prepared(self, statement: sa.Executable) -> Prepared:
        """Made once."""
        if statement not in self._prepared:
            self._prepared[statement] = Prepared(statement, self.engine.dialect)
        return self._prepared[statement]

    def in_use(self) -> int:
        """How many connections are at work now."""
        pools = [engine.pool for engine in (self.engine, self._rows, self._looks)]
        return sum(pool.checkedout() for pool in pools if isinstance(pool, sa.pool.QueuePool))

    def close(self) -> None:
        """Close every idle connection."""
        for engine in (self.engine, self._rows, self._looks):
            engine.dispose()

    @contextlib.contextmanager
    def _my_turn(self) -> Iterator[None]:
        if self._turn is None:
            yield
            return
        if not self._turn.acquire(timeout=SQLITE_PATIENCE):
            raise sa.exc.TimeoutError("another transaction of this process writes for too long")
        try:
            yield
        finally:
            self._turn.release()

    @contextlib.contextmanager
    def _raw(self, engine: sa.Engine) -> Iterator[sa.PoolProxiedConnection]:
        """A connection of the pool; after an error it is thrown away, whatever it was."""
        with self._telling():
            connection = engine.raw_connection()
            try:
                yield connection
            except BaseException as error:
                # Before all else: what holds the exception may keep a closed connection, and its locks, for a while.
                with contextlib.suppress(engine.dialect.loaded_dbapi.Error):
                    connection.rollback()
                connection.invalidate(error)
                raise
            finally:
                connection.close()

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        """Errors of the driver as SQLAlchemy's."""
        known = self.engine.dialect.loaded_dbapi.Error
        try:
            yield
        except known as error:
            raise sa.exc.DBAPIError.instance(None, None, error, known, dialect=self.engine.dialect) from error


def _pipeline(connection: sa.PoolProxiedConnection) -> contextlib.AbstractContextManager[Any]:
    """Where the driver can: statements are sent without waiting for the answer to each."""
    begin = getattr(connection.driver_connection, "pipeline", contextlib.nullcontext)
    pipeline: contextlib.AbstractContextManager[Any] = begin()
    return pipeline
