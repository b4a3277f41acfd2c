# SPDX-License-Identifier: Apache-2.0
"""One MariaDB server for dbflow's own state."""

import os
import pathlib
import secrets
import shutil
import subprocess

import pymysql

from tests.servers.ports import LOOPBACK
from tests.servers.process import Child, Server, ServerError

USER = "dbflow"
# mariadbd refuses to run as root; tools/setup.sh makes this user.
SYSTEM_USER = "dbflow-db"
CONFIG = """\
[mysqld]
datadir={directory}/data
socket={directory}/socket
pid-file={directory}/pid
# Not /tmp: a server that starts there deletes the temporary tables of another one's installation.
tmpdir={directory}/tmp
bind-address={address}
port={port}
init-file={directory}/init.sql
skip-name-resolve
character-set-server=utf8mb4
max-connections=500
innodb-buffer-pool-size=128M
innodb-log-file-size=32M
performance-schema=OFF
"""
INIT = """\
CREATE OR REPLACE USER {account} IDENTIFIED BY '{password}';
GRANT ALL ON *.* TO {account} WITH GRANT OPTION;
"""


class MariaDBServer(Server):
    """mariadbd on a socket and a TCP port, with the account ``dbflow`` that may do everything.

    Commits are synced to disk, as in production. When root starts it, the process belongs to ``dbflow-db``.
    """

    name = "mariadb"

    def __init__(self, base: pathlib.Path) -> None:
        super().__init__(base)
        self.password = secrets.token_urlsafe(24)
        self._user = SYSTEM_USER if os.getuid() == 0 else None

    @property
    def socket(self) -> pathlib.Path:
        return self.directory / "socket"

    def url(self, database: str = "") -> str:
        """SQLAlchemy's URL of a database."""
        return f"mysql+pymysql://{USER}:{self.password}@{LOOPBACK}:{self.port}/{database}?charset=utf8mb4"

    def connect(self, database: str | None = None) -> "pymysql.Connection[pymysql.cursors.Cursor]":
        """A connection over TCP, in autocommit mode."""
        return pymysql.connect(
            host=LOOPBACK,
            port=self.port,
            user=USER,
            password=self.password,
            database=database,
            autocommit=True,
            connect_timeout=5,
        )

    def create_database(self, name: str) -> str:
        """Make an empty database and return its SQLAlchemy URL."""
        self._execute(f"CREATE DATABASE {_quoted(name)}")
        return self.url(name)

    def drop_database(self, name: str) -> None:
        self._execute(f"DROP DATABASE {_quoted(name)}")

    def _execute(self, statement: str) -> None:
        with self.connect() as connection, connection.cursor() as cursor:
            cursor.execute(statement)

    def _prepare(self) -> None:
        config = self.directory / "my.cnf"
        config.write_text(CONFIG.format(directory=self.directory, address=LOOPBACK, port=self.port))
        init = self.directory / "init.sql"
        init.touch(mode=0o600)
        init.write_text(INIT.format(account=f"'{USER}'@'{LOOPBACK}'", password=self.password))
        temporary = self.directory / "tmp"
        temporary.mkdir(mode=0o700)
        if self._user:
            for path in (self.directory, config, init, temporary):
                shutil.chown(path, self._user)
        command = ["mariadb-install-db", f"--defaults-file={config}", "--skip-test-db"]
        command += ["--auth-root-authentication-method=socket", *([f"--user={self._user}"] if self._user else [])]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
        if done.returncode:
            raise ServerError(f"mariadb-install-db ended with {done.returncode}\n{done.stdout}{done.stderr}")

    def _spawn(self) -> Child:
        argv = ["/usr/sbin/mariadbd", f"--defaults-file={self.directory / 'my.cnf'}"]
        return Child(argv, self.log_file, os.environ, self._user)

    def _ready(self) -> bool:
        try:
            self.connect().close()
        except pymysql.MySQLError:
            return False
        return True


def _quoted(name: str) -> str:
    return "`" + name.replace("`", "``") + "`"
