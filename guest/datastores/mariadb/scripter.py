# SPDX-License-Identifier: Apache-2.0
"""The account as which scripts are run, and which defines the views, routines and events that they make.

dbflow's own would not do. It may write where the server is read-only, so whoever calls a routine that it defines could
write to a replica; and a script could give that right on. This one is the same on all members of a set, which know the
definer of what they have.
"""

import secrets

from dbflow.datastores.mariadb import ADMIN_USER, SCRIPT_USER
from guest.datastores.mariadb.client import Session
from guest.datastores.mariadb.clients import OVERRIDES
from guest.datastores.mariadb.quoting import account, literal, password_hash

_HOST = "localhost"
_WHO = account(SCRIPT_USER, _HOST)


def let_in(session: Session, *, alone: bool) -> str:
    """Make it what it must be, and return its password: a new one each time, which nobody keeps. It has all rights;
    of a server that is not ``alone``, all but to write where it is read-only."""
    password = secrets.token_urlsafe(32)
    secret = f"IDENTIFIED BY PASSWORD {literal(password_hash(password))}"
    rights = _rights(session, ADMIN_USER) - (frozenset() if alone else {OVERRIDES})
    has = _rights(session, SCRIPT_USER)
    if rights - has:
        session.run(f"CREATE USER IF NOT EXISTS {_WHO} {secret}")
        session.run(f"GRANT {', '.join(sorted(rights))} ON *.* TO {_WHO} WITH GRANT OPTION")
    if has - rights:
        session.run(f"REVOKE {', '.join(sorted(has - rights))} ON *.* FROM {_WHO}")
    session.run("SET SESSION sql_log_bin = 0")
    session.run(f"ALTER USER {_WHO} {secret} REQUIRE NONE PASSWORD EXPIRE NEVER ACCOUNT UNLOCK")
    return password


def _rights(session: Session, name: str) -> frozenset[str]:
    """All of them may be given on."""
    grantee = literal(f"'{name}'@'{_HOST}'")
    rows = session.rows(
        "SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES"
        f" WHERE GRANTEE = {grantee} AND IS_GRANTABLE = 'YES'"
    )
    return frozenset(str(row[0]) for row in rows)
