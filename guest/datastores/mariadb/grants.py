# SPDX-License-Identifier: Apache-2.0
"""Who may use which database. The server keeps grants as patterns; dbflow's match one database each."""

from collections.abc import Iterable

from guest.datastores.mariadb.client import Session
from guest.datastores.mariadb.quoting import account, database_of_pattern, grant_pattern, identifier, literal


def granted(session: Session) -> dict[tuple[str, str], list[str]]:
    """(user, host) -> names of the databases, sorted."""
    found: dict[tuple[str, str], set[str]] = {}
    for name, host, pattern in session.rows("SELECT User, Host, Db FROM mysql.db"):
        found.setdefault((name, host), set()).add(database_of_pattern(pattern))
    return {who: sorted(databases) for who, databases in found.items()}


def grant_all(session: Session, name: str, host: str, databases: Iterable[str]) -> None:
    """All rights on each of the databases; fine when they are there."""
    for database in databases:
        session.run(f"GRANT ALL PRIVILEGES ON {_on(grant_pattern(database))} TO {account(name, host)}")


def revoke_all(session: Session, name: str, host: str, database: str) -> None:
    """Take away every right on the database; fine when there is none."""
    patterns = [
        row[0]
        for row in session.rows(f"SELECT Db FROM mysql.db WHERE User = {literal(name)} AND Host = {literal(host)}")
        if database_of_pattern(row[0]) == database
    ]
    for pattern in patterns:
        _revoke(session, name, host, pattern)


def revoke_from_all(session: Session, database: str) -> None:
    """Take the rights on this database away from everybody; patterns that match others too stay."""
    pattern = grant_pattern(database)
    for name, host in session.rows(f"SELECT User, Host FROM mysql.db WHERE Db = {literal(pattern)}"):
        _revoke(session, name, host, pattern)


def _revoke(session: Session, name: str, host: str, pattern: str) -> None:
    # ALL PRIVILEGES does not cover the right to grant them on.
    session.run(f"REVOKE GRANT OPTION ON {_on(pattern)} FROM {grantee(name, host)}")
    session.run(f"REVOKE ALL PRIVILEGES ON {_on(pattern)} FROM {grantee(name, host)}")


def grantee(name: str, host: str) -> str:
    """A user, a role (which has no host), or everybody."""
    if host:
        return account(name, host)
    return "PUBLIC" if name == "PUBLIC" else literal(name)


def _on(pattern: str) -> str:
    return f"{identifier(pattern)}.*"
