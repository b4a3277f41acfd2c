# SPDX-License-Identifier: Apache-2.0
"""Accounts that must show a certificate: all but dbflow's and the engine's own."""

from collections.abc import Collection

from dbflow.datastores.mariadb import ADMIN_USER, REPLICATION_USER, SCRIPT_USER
from guest.datastores.mariadb.client import Session
from guest.datastores.mariadb.quoting import account, literal

REQUIRED = "REQUIRE X509"
_OWN = ", ".join(literal(name) for name in ("mariadb.sys", "mysql", ADMIN_USER, REPLICATION_USER, SCRIPT_USER))
_ACCOUNTS = (
    "SELECT User, Host FROM mysql.global_priv WHERE JSON_VALUE(Priv, '$.is_role') IS NULL AND Host <> ''"
    f" AND User NOT IN ({_OWN}) AND COALESCE(JSON_VALUE(Priv, '$.ssl_type'), 0)"
)
_ANY, _X509 = "< 2", "= 2"
"""What an account demands, as the server keeps it: 0 nothing, 1 TLS, 2 a certificate, 3 a certain one."""


def require_certificates(session: Session, but: Collection[tuple[str, str]] = ()) -> None:
    """Of every account but those (name, host); one that demands a certain certificate is left alone."""
    for name, host in undemanding(session):
        if (name, host) not in but:
            session.run(f"ALTER USER IF EXISTS {account(name, host)} {REQUIRED}")


def waive_certificates(session: Session, but: Collection[tuple[str, str]] = ()) -> None:
    """Of every account that demands no certain one, but for those (name, host)."""
    for name, host in demanding(session):
        if (name, host) not in but:
            session.run(f"ALTER USER IF EXISTS {account(name, host)} REQUIRE NONE")


def demanding(session: Session) -> tuple[tuple[str, str], ...]:
    """(name, host) of the accounts that demand a certificate, whichever it is."""
    return _accounts(session, _X509)


def undemanding(session: Session) -> tuple[tuple[str, str], ...]:
    """(name, host) of the accounts that demand none."""
    return _accounts(session, _ANY)


def _accounts(session: Session, which: str) -> tuple[tuple[str, str], ...]:
    return tuple((str(name), str(host)) for name, host in session.rows(f"{_ACCOUNTS} {which}"))
