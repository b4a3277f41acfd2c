# SPDX-License-Identifier: Apache-2.0
"""What each kind of database wants of its connections."""

import sqlite3
import time
from typing import Any

import sqlalchemy as sa
import tenacity

from dbflow.db import absence

SQLITE_PATIENCE = 30.0
"""Seconds for which a writer waits for another one."""
WRITING = "BEGIN IMMEDIATE"
"""How a transaction that will write begins on SQLite."""
_TRUSTED = 0.1
"""Seconds for which a connection that was good is taken to be good; after a longer rest it is asked."""
_SQLITE_SETTINGS = (
    "synchronous=full",
    "foreign_keys=on",
    # Commits to a log that still grows take several times as long; a short one is soon written from its start again.
    "wal_autocheckpoint=250",
)


def make_engine(
    url: str,
    *,
    pool_size: int,
    pool_timeout: int,
    idle_transaction_timeout: int,
    answer_timeout: float | None,
    hot: bool = False,
    autocommit: bool = False,
) -> sa.Engine:
    """``hot``: for what is run again and again, where asking a connection before each use would cost a round trip;
    ``autocommit``: for statements by themselves, without a transaction about them. All else as Database has it."""
    parsed = sa.make_url(url)
    pool: dict[str, Any] = {"pool_size": pool_size, "max_overflow": pool_size, "pool_timeout": pool_timeout}
    if parsed.get_backend_name() == "sqlite":
        patience = {"timeout": SQLITE_PATIENCE, "check_same_thread": False}
        engine = sa.create_engine(parsed, connect_args=patience, hide_parameters=True, **pool)
        sa.event.listen(engine, "connect", _sqlite_connect)
        sa.event.listen(engine, "begin", _sqlite_begin)
        return engine
    on_mariadb = parsed.get_backend_name() in ("mysql", "mariadb")
    engine = sa.create_engine(
        parsed,
        hide_parameters=True,
        # Every transaction here ends by itself, so there is nothing left to roll back when its connection returns.
        pool_reset_on_return=None,
        pool_recycle=280,
        pool_pre_ping=not hot,
        # What is read under a lock must be what its last holder left, even if this transaction read something else
        # before it got the lock.
        isolation_level="AUTOCOMMIT" if autocommit else "READ COMMITTED",
        connect_args=absence.limits(answer_timeout) if on_mariadb else {},
        **pool,
    )
    if on_mariadb:
        absence.notice(engine)
    if hot:
        _ask_rested(engine)
    if not autocommit:
        _bound_idle_transactions(engine, idle_transaction_timeout)
    return engine


def _ask_rested(engine: sa.Engine) -> None:
    """Ask a connection only when it has not been used for a while."""

    def rests(_connection: Any, record: Any) -> None:
        record.info["rests_since"] = time.monotonic()

    def ask(connection: Any, record: Any, _fairy: Any) -> None:
        if time.monotonic() - record.info.get("rests_since", time.monotonic()) < _TRUSTED:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise sa.exc.InvalidatePoolError from error  # the pool connects anew

    sa.event.listen(engine, "checkin", rests)
    sa.event.listen(engine, "checkout", ask)


def _bound_idle_transactions(engine: sa.Engine, seconds: int) -> None:
    """A process that was stopped or cut off within a transaction must not keep its locks: whoever takes its operation
    over needs the same rows."""

    def bound(connection: Any, _record: Any) -> None:
        if engine.dialect.name == "postgresql":
            setting = f"set idle_in_transaction_session_timeout = {1000 * seconds:d}"
        elif "MariaDB" in connection.get_server_info():
            setting = f"set session idle_transaction_timeout = {seconds:d}"
        else:
            return
        with connection.cursor() as cursor:
            cursor.execute(setting)
        connection.commit()

    sa.event.listen(engine, "connect", bound)


def _sqlite_connect(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # transactions are begun by _sqlite_begin, not by the driver's guess
    # Of several that open a new file at once one turns it into a WAL file, and SQLite does not let the others wait.
    _until_free(connection.execute, "pragma journal_mode=wal")
    for setting in _SQLITE_SETTINGS:
        connection.execute(f"pragma {setting}")


_until_free = tenacity.Retrying(
    retry=tenacity.retry_if_exception(lambda error: getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY),
    stop=tenacity.stop_after_delay(SQLITE_PATIENCE),
    wait=tenacity.wait_random(0.01, 0.05),
    reraise=True,
)


def _sqlite_begin(connection: sa.Connection) -> None:
    reading = connection.get_execution_options().get("dbflow_read")
    connection.exec_driver_sql("BEGIN" if reading else WRITING)
