# SPDX-License-Identifier: Apache-2.0
"""One PostgreSQL server: where DBOS is at home. Commits are synced to disk, as they are by default.

The control plane's own databases are SQLite and MariaDB; dbflow's engine runs on this one for the comparison.
"""

import os
import pathlib
import secrets
import shutil
import socket
import subprocess

import sqlalchemy as sa

from tests.servers.mariadb import SYSTEM_USER
from tests.servers.ports import LOOPBACK
from tests.servers.process import Child, Server

PROGRAMS = pathlib.Path("/usr/lib/postgresql")
USER = "bench"


def _programs() -> pathlib.Path | None:
    """Of the newest version that Debian's packages have installed."""
    found = sorted(PROGRAMS.glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else None


class Postgres(Server):
    """On a TCP port, with a database and a user named bench."""

    name = "postgres"

    def __init__(self, base: pathlib.Path) -> None:
        super().__init__(base)
        self._password = secrets.token_urlsafe(24)
        self._user = SYSTEM_USER if os.getuid() == 0 else None

    @staticmethod
    def installed() -> bool:
        """Whether this machine has the server."""
        return _programs() is not None

    @property
    def url(self) -> str:
        """SQLAlchemy's URL of the empty database ``postgres``."""
        return f"postgresql+psycopg://{USER}:{self._password}@{LOOPBACK}:{self.port}/postgres"

    def create_database(self, name: str) -> str:
        """An empty one; its URL."""
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(f"CREATE DATABASE {engine.dialect.identifier_preparer.quote(name)}")
        engine.dispose()
        return self.url.rpartition("/")[0] + f"/{name}"

    def _prepare(self) -> None:
        secret = self.directory / "secret"
        secret.touch(mode=0o600)
        secret.write_text(self._password)
        if self._user:
            for path in (self.directory, secret):
                shutil.chown(path, self._user)
        argv = [self._program("initdb"), f"--pgdata={self.directory / 'data'}", f"--username={USER}"]
        argv += [f"--pwfile={secret}", "--auth=scram-sha-256", "--encoding=UTF8", "--no-sync"]
        options = {"user": self._user, "group": self._user, "extra_groups": []} if self._user else {}
        subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, cwd=self.directory, **options)  # type: ignore[call-overload]

    def _spawn(self) -> Child:
        argv = [self._program("postgres"), "-D", str(self.directory / "data"), "-p", str(self.port)]
        argv += ["-c", f"listen_addresses={LOOPBACK}", "-c", "unix_socket_directories="]
        return Child(argv, self.log_file, os.environ, self._user)

    def _ready(self) -> bool:
        with socket.socket() as probe:
            return "ready to accept connections" in self.log_file.read_text() and not probe.connect_ex(
                (LOOPBACK, self.port)
            )

    @staticmethod
    def _program(name: str) -> str:
        programs = _programs()
        assert programs is not None
        return str(programs / name)
