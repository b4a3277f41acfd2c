# SPDX-License-Identifier: Apache-2.0
"""SQL to the server, over its Unix socket, as dbflow's administrator."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CR, ER
from pymysql.cursors import Cursor, DictCursor

from dbflow import faults
from dbflow.datastores.mariadb import ADMIN_USER
from guest.datastores.base import AlreadyExists, DatastoreError, NotFound
from guest.datastores.mariadb.layout import Layout

SQL_MODE = "STRICT_TRANS_TABLES,NO_ENGINE_SUBSTITUTION"
"""Of dbflow's sessions, whatever the configuration group says: the quoting relies on it."""


_SESSION = (
    f"SET SESSION sql_mode = '{SQL_MODE}', max_statement_time = 0, lock_wait_timeout = 3600, sql_big_selects = 1,"
    " sql_safe_updates = 0, sql_log_off = 1, slow_query_log = 0"
)
"""What a group may set for its users must not stand in dbflow's way, nor dbflow's statements in its users' logs."""


class LockedOut(DatastoreError):
    """The server does not take dbflow's administrator for what it is any more."""


_EXPIRED, _NO_PASSWORD, _LOCKED = {1820, 1862}, 1698, 4151
"""Numbers that PyMySQL has no names for: the password has expired, there is another way to log in, the account is
locked."""
_LOCKED_OUT = frozenset(
    {
        ER.ACCESS_DENIED_ERROR,
        ER.SPECIFIC_ACCESS_DENIED_ERROR,
        ER.HOST_NOT_PRIVILEGED,
        *_EXPIRED,
        _NO_PASSWORD,
        _LOCKED,
    }
)
_MEANINGS: dict[int, type[DatastoreError]] = {
    ER.DB_CREATE_EXISTS: AlreadyExists,
    ER.DB_DROP_EXISTS: NotFound,
    ER.BAD_DB_ERROR: NotFound,
    ER.NONEXISTING_GRANT: NotFound,
}


class Client:
    """Opens sessions."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def connect(
        self, timeout: float, user: str = ADMIN_USER, password: str | None = None, client_flag: int = 0
    ) -> "Connection[Cursor]":
        """A connection whose every answer takes at most ``timeout`` seconds; as an account of this machine, without a
        password dbflow's administrator. Raises pymysql's errors."""
        return pymysql.connect(
            unix_socket=str(self._layout.socket),
            user=user,
            password=self._layout.secret.read_text() if password is None else password,
            charset="utf8mb4",
            init_command=_SESSION,
            autocommit=True,
            client_flag=client_flag,
            # A Unix socket needs no TLS, and reading the system's certificates takes longer than all the rest.
            ssl_disabled=True,
            connect_timeout=max(1, int(timeout)),
            read_timeout=timeout,
            write_timeout=timeout,
        )

    @contextlib.contextmanager
    def session(self, timeout: float = 60.0) -> Iterator["Session"]:
        """For the statements of one request. Errors come as DatastoreError or one of its kind."""
        try:
            with contextlib.closing(self.connect(timeout)) as connection:
                yield Session(connection)
        except (pymysql.Error, OSError) as error:
            raise explain(error) from None


class Session:
    """Statements are complete texts, put together with :mod:`guest.datastores.mariadb.quoting`."""

    def __init__(self, connection: "Connection[Cursor]") -> None:
        self._connection = connection

    def run(self, statement: str) -> None:
        """Execute a statement that answers no rows."""
        self.rows(statement)

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """The rows a statement answers."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement)
            rows = list(cursor.fetchall())
        faults.within()
        return rows

    def named(self, statement: str) -> list[dict[str, Any]]:
        """The same, each row by the names of its columns."""
        with self._connection.cursor(DictCursor) as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())


def explain(error: Exception) -> DatastoreError:
    """The error as users read it. Statements hold no clear passwords, so the server's words don't either."""
    if isinstance(error, pymysql.MySQLError) and len(error.args) > 1:
        code, message = error.args[0], str(error.args[1])
        if code in {CR.CR_CONNECTION_ERROR, CR.CR_CONN_HOST_ERROR, CR.CR_SERVER_GONE_ERROR, CR.CR_SERVER_LOST}:
            return DatastoreError("The database server does not answer.")
        if code in _LOCKED_OUT:
            return LockedOut("The database server locked dbflow's administrator out; dbflow starts it anew for that.")
        return _MEANINGS.get(code, DatastoreError)(f"The database server refused: {message}")
    return DatastoreError("The database server does not answer.")
