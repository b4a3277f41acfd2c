# SPDX-License-Identifier: Apache-2.0
"""The user's own administrator: nobody until it is enabled, then ``root`` from anywhere."""

from guest.datastores.mariadb import role
from guest.datastores.mariadb.certified import REQUIRED
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.clients import without_read_only_admins
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.quoting import account, literal, password_hash
from guest.datastores.mariadb.role import Part
from guest.datastores.mariadb.tls import requires_certificates

NAME = "root"
_ROOT = account(NAME, "%")


class Root:
    """Let it in and lock it out."""

    def __init__(self, client: Client, layout: Layout) -> None:
        self._client, self._layout = client, layout

    def enable(self, password: str) -> str:
        """All rights, with this password; a new one when it is in already. Of a server with replicas: all but to write
        where it is read-only. Returns its name."""
        with self._client.session() as session:
            digest = literal(password_hash(password))
            required = REQUIRED if requires_certificates(self._layout) else "REQUIRE NONE"
            # A connection keeps the rights that it had at its login: nobody logs in before they are what they must be.
            session.run(f"CREATE OR REPLACE USER {_ROOT} IDENTIFIED BY PASSWORD {digest} {required} ACCOUNT LOCK")
            session.run(f"GRANT ALL PRIVILEGES ON *.* TO {_ROOT} WITH GRANT OPTION")
            if role.load(self._layout).part is not Part.ALONE:
                without_read_only_admins(session)
            session.run(f"ALTER USER {_ROOT} ACCOUNT UNLOCK")
        return NAME

    def disable(self) -> None:
        """Fine when it is not in."""
        with self._client.session() as session:
            session.run(f"DROP USER IF EXISTS {_ROOT}")

    def enabled(self) -> bool:
        """Whether it can log in from outside."""
        with self._client.session() as session:
            rows = session.rows(f"SELECT 1 FROM mysql.global_priv WHERE User = {literal(NAME)} AND Host <> 'localhost'")
        return bool(rows)
