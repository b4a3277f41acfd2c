# SPDX-License-Identifier: Apache-2.0
"""Clients of a server that must not write any more."""

import time

import pymysql
from pymysql.constants import ER

from dbflow.datastores.mariadb import ADMIN_USER, REPLICATION_USER
from guest.datastores.base import DatastoreError
from guest.datastores.mariadb.client import Session
from guest.datastores.mariadb.grants import grantee
from guest.datastores.mariadb.quoting import literal

_PATIENCE = 1
"""Seconds for which statements in progress may stand in the way before they are ended."""
_PAUSE = 0.02
_OURS = ", ".join(literal(name) for name in (ADMIN_USER, REPLICATION_USER, "system user", "event_scheduler"))
_CLIENTS = f"SELECT ID FROM information_schema.PROCESSLIST WHERE ID <> CONNECTION_ID() AND USER NOT IN ({_OURS})"
OVERRIDES = "READ_ONLY ADMIN"
"""The right to write on a server that is read-only."""
_OVERRIDES_BIT = 1 << 33
"""The same in mysql.global_priv."""


def make_read_only(session: Session, timeout: float) -> None:
    """Commits in progress come to their end; what holds it up longer than a moment is ended. Nobody commits after."""
    session.run(f"SET SESSION lock_wait_timeout = {_PATIENCE}")
    deadline = time.monotonic() + timeout
    while True:
        try:
            session.run("SET GLOBAL read_only = 1")
            return
        except pymysql.OperationalError as error:
            if error.args[0] != ER.LOCK_WAIT_TIMEOUT or time.monotonic() > deadline:
                raise
            _end(session)


def drain(session: Session, timeout: float) -> None:
    """End every client's connection: who comes back sees the server as it is now."""
    deadline = time.monotonic() + timeout
    while _end(session):
        if time.monotonic() > deadline:
            raise DatastoreError(f"Clients' transactions did not end within {timeout:g} s.")
        time.sleep(_PAUSE)


def without_read_only_admins(session: Session) -> None:
    """Take from everybody but dbflow the right to write on a server that is read-only: in a set of replicas it would
    be two servers that are written to. Connections that had it have it still."""
    rows = session.rows(
        # The views of information_schema know neither roles nor PUBLIC.
        f"SELECT User, Host FROM mysql.global_priv WHERE NOT (User = {literal(ADMIN_USER)} AND Host = 'localhost')"
        f" AND CAST(JSON_VALUE(Priv, '$.access') AS UNSIGNED) & {_OVERRIDES_BIT}"
    )
    for name, host in rows:
        session.run(f"REVOKE {OVERRIDES} ON *.* FROM {grantee(name, host)}")


def _end(session: Session) -> int:
    """How many there were."""
    found = session.rows(_CLIENTS)
    for (number,) in found:
        try:
            session.run(f"KILL {int(number)}")
        except pymysql.MySQLError as error:
            if error.args[0] != ER.NO_SUCH_THREAD:
                raise
    return len(found)
