# SPDX-License-Identifier: Apache-2.0
"""Engines and transactions."""

import contextlib
from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from oslo_config import cfg
from sqlalchemy.orm import Session, sessionmaker


class Database:
    """One engine and its two kinds of transaction.

    On SQLite a transaction that will write must say so at its start: one that begins by reading and is then
    overtaken by another writer can't go on (SQLITE_BUSY at once, whatever the time-out).
    """

    def __init__(self, url: str, *, pool_size: int = 20, pool_timeout: int = 30) -> None:
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
        self.engine = sa.create_engine(parsed, pool_timeout=pool_timeout, **options)
        if self.engine.dialect.name == "sqlite":
            sa.event.listen(self.engine, "connect", _sqlite_connect)
            sa.event.listen(self.engine, "begin", _sqlite_begin)
        self._write = sessionmaker(self.engine, expire_on_commit=False)
        self._read = sessionmaker(
            self.engine.execution_options(dbflow_read=True), expire_on_commit=False, autoflush=False
        )

    @classmethod
    def from_conf(cls, conf: cfg.ConfigOpts) -> "Database":
        """The database that ``[database]`` names."""
        group = conf.database
        return cls(group.connection, pool_size=group.pool_size, pool_timeout=group.pool_timeout)

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


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _sqlite_begin, not by the driver's guess
    for pragma in ("journal_mode=wal", "synchronous=full", "foreign_keys=on", "busy_timeout=30000"):
        connection.execute(f"pragma {pragma}")


def _sqlite_begin(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get("dbflow_read")
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")
