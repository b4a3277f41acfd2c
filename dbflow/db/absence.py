# SPDX-License-Identifier: Apache-2.0
"""A MariaDB that is away is noticed in seconds, also one that keeps its connections and answers nothing.

A driver waits for ever by default. Here every answer has a time-out, and the look at an idle connection before its
use, which is where an absence is nearly always found, a shorter one. Where no connection could be made, the next
second's requests fail at once: or each of them would hold a thread for as long as it takes to find out.
"""

import time
from typing import Any

import pymysql
import sqlalchemy as sa

LOOK_TIMEOUT = 3.0
"""Seconds that a server may take to say that it is there."""
LOOK_AGAIN = 1.0
"""Seconds for which a server that could not be reached counts as away."""


def limits(answer_timeout: float | None) -> dict[str, Any]:
    """PyMySQL's arguments. A lock is waited for less long than an answer: the server must be the first to give up, or
    its transaction would hold other locks when its client has gone."""
    if answer_timeout is None:
        return {"connect_timeout": LOOK_TIMEOUT}
    return {
        "connect_timeout": LOOK_TIMEOUT,
        "read_timeout": answer_timeout,
        "write_timeout": answer_timeout,
        "init_command": f"SET SESSION innodb_lock_wait_timeout = {max(1, int(answer_timeout * 0.6))}",
    }


def notice(engine: sa.Engine) -> None:
    """Have the connections of an engine looked at so."""
    away = _Away()
    sa.event.listen(engine, "do_connect", away.connect)
    engine.dialect.do_ping = away.ping  # type: ignore[method-assign, assignment]


class _Away:
    """When the server did not answer last."""

    def __init__(self) -> None:
        self._until = 0.0

    def connect(self, dialect: sa.Dialect, _record: Any, arguments: Any, options: Any) -> Any:
        """As SQLAlchemy's event ``do_connect``: a connection, or the driver's OperationalError."""
        if time.monotonic() < self._until:
            raise pymysql.err.OperationalError(2003, "MariaDB could not be reached a moment ago")
        try:
            connection: Any = dialect.connect(*arguments, **options | {"read_timeout": LOOK_TIMEOUT})
        except pymysql.err.OperationalError:
            self._until = time.monotonic() + LOOK_AGAIN
            raise
        connection._read_timeout = options.get("read_timeout")
        return connection

    def ping(self, connection: Any) -> bool:
        """As SQLAlchemy's dialects have it: True, or the driver's error when the server does not answer."""
        patience, connection._read_timeout = connection._read_timeout, LOOK_TIMEOUT
        try:
            connection.ping(reconnect=False)
        except pymysql.err.Error as error:
            if isinstance(error.__context__, TimeoutError):
                self._until = time.monotonic() + LOOK_AGAIN
            raise
        finally:
            connection._read_timeout = patience
        return True
