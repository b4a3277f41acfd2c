# SPDX-License-Identifier: Apache-2.0
"""Clients of a server that must not write any more."""

import time
from collections.abc import Sequence

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
_OVERRIDES = "READ_ONLY ADMIN"


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


def without_read_only_admins(session: Session) -> list[str]:
    """Take from everybody but dbflow the right to write on a server that is read-only: in a set of replicas it would
    be two servers that are written to. Returns the names of those who had it: their connections have it still."""
    who = "CONCAT('''', User, '''@''', Host, '''')"
    rows = session.rows(
        f"SELECT User, Host FROM mysql.global_priv WHERE NOT (User = {literal(ADMIN_USER)} AND Host = 'localhost')"
        f" AND {who} IN (SELECT GRANTEE FROM information_schema.USER_PRIVILEGES"
        f" WHERE PRIVILEGE_TYPE = {literal(_OVERRIDES)})"
    )
    for name, host in rows:
        session.run(f"REVOKE {_OVERRIDES} ON *.* FROM {grantee(name, host)}")
    return sorted({str(name) for name, _ in rows})


def end_clients_of(session: Session, names: Sequence[str]) -> None:
    """End the connections of these users."""
    if names:
        _end(session, f" AND USER IN ({', '.join(map(literal, names))})")


def _end(session: Session, which: str = "") -> int:
    """How many there were."""
    found = session.rows(f"{_CLIENTS}{which}")
    for (number,) in found:
        try:
            session.run(f"KILL {int(number)}")
        except pymysql.MySQLError as error:
            if error.args[0] != ER.NO_SUCH_THREAD:
                raise
    return len(found)
