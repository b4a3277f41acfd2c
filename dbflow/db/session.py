# SPDX-License-Identifier: Apache-2.0
"""Engines and transactions."""

import contextlib
import functools
import sqlite3
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
import tenacity
from oslo_config import cfg
from sqlalchemy.orm import Session, sessionmaker

from dbflow.db import absence

AWAY = (sa.exc.OperationalError, sa.exc.InterfaceError, sa.exc.TimeoutError)
"""What a database that is away, or wants a transaction again, looks like."""


class Database:
    """One engine and its two kinds of transaction.

    On SQLite a transaction that will write must say so at its start: one that begins by reading and is then
    overtaken by another writer can't go on (SQLITE_BUSY at once, whatever the time-out).
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
        """All times in seconds. ``idle_transaction_timeout`` and ``answer_timeout`` (None: a server may take as long
        as it likes) are MariaDB's, see their options."""
        parsed = sa.make_url(url)
        options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": pool_size}
        if parsed.get_backend_name() == "sqlite":
            options |= {"connect_args": {"timeout": 30, "check_same_thread": False}}
        else:
            # Every transaction here ends by itself, so there is nothing left to roll back when its connection returns.
            options |= {"pool_pre_ping": True, "pool_recycle": 280, "pool_reset_on_return": None}
            # What is read under a lock must be what its last holder left, even if this transaction read something
            # else before it got the lock.
            options["isolation_level"] = "READ COMMITTED"
            options["connect_args"] = absence.limits(answer_timeout)
        self.engine = sa.create_engine(parsed, pool_timeout=pool_timeout, **options)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _sqlite_connect)
            sa.event.listen(self.engine, "begin", _sqlite_begin)
        else:
            sa.event.listen(self.engine, "connect", functools.partial(_server_connect, idle_transaction_timeout))
            absence.notice(self.engine)
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
        with self._write.begin() as session:
            yield session

    @contextlib.contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads."""
        with self._read() as session:
            yield session

    def close(self) -> None:
        """Close every idle connection."""
        self.engine.dispose()


def _server_connect(idle_transaction_timeout: int, connection: Any, _record: Any) -> None:
    """A process that was stopped or cut off within a transaction must not keep its locks: whoever takes its operation
    over needs the same rows."""
    if "MariaDB" in connection.get_server_info():
        with connection.cursor() as cursor:
            cursor.execute("set session idle_transaction_timeout = %s", (idle_transaction_timeout,))


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _sqlite_begin, not by the driver's guess
    # Of several that open a new file at once one turns it into a WAL file, and SQLite does not let the others wait.
    _until_free(connection.execute, "pragma journal_mode=wal")
    for pragma in ("synchronous=full", "foreign_keys=on", "busy_timeout=30000"):
        connection.execute(f"pragma {pragma}")


_until_free = tenacity.Retrying(
    retry=tenacity.retry_if_exception(lambda error: getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY),
    stop=tenacity.stop_after_delay(30),
    wait=tenacity.wait_random(0.01, 0.05),
    reraise=True,
)


def _sqlite_begin(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get("dbflow_read")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
