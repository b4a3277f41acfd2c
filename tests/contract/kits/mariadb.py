# SPDX-License-Identifier: Apache-2.0
"""MariaDB under test."""

import contextlib
import os
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
from pymysql.connections import Connection
from pymysql.cursors import Cursor

from dbflow.datastores.mariadb_tuning import tuned
from guest.datastores.base import DatabaseSpec, Machine
from guest.datastores.mariadb import client
from guest.datastores.mariadb.client import Session
from tests.contract.kits.base import Kit, Load, LoginRefused, Refused, Written
from tests.waiting import wait_for

DIED = 9
ACCESS_DENIED, HOST_NOT_PRIVILEGED = 1045, 1130


class Writer(threading.Thread):
    """Writes numbers, each to two tables of different engines' pages, in one transaction."""

    def __init__(self, connection: "Connection[Cursor]") -> None:
        super().__init__(daemon=True)
        self._connection, self._stopping = connection, False
        self._took: list[float] = []
        with connection.cursor() as cursor:
            for table in ("one", "two"):
                cursor.execute(f"CREATE TABLE {table} (n INT PRIMARY KEY, filler VARCHAR(2000))")

    def run(self) -> None:
        while not self._stopping:
            number, began = self.written + 1, time.monotonic()
            with self._connection.cursor() as cursor:
                cursor.execute("BEGIN")
                for table in ("one", "two"):
                    filler = secrets.token_hex(1000)
                    cursor.execute(f"INSERT INTO {table} VALUES ({number}, '{filler}')")
                cursor.execute("COMMIT")
            self._took.append(time.monotonic() - began)

    @property
    def written(self) -> int:
        return len(self._took)

    def longest(self, since: int = 0) -> float:
        return max(self._took[since:])

    def stop(self) -> None:
        self._stopping = True
        self.join(30)

    def wait_more(self) -> int:
        wanted = self.written + 20
        return wait_for(lambda: self.written if self.written >= wanted else 0, 60, "more transactions")


class MariaDBKit(Kit):
    manager = "mariadb"
    program = "mariadbd"
    pid_file = "mariadb/pid"
    odd_names = (
        "plain",
        "UPPER",
        "a_b",
        "a%b",
        "per%cent_under",
        "with-dash",
        "with.dot",
        "with space",
        "back`tick",
        "back\\slash",
        "quo'te",
        'double"quote',
        "at@sign",
        "semi;colon -- x",
        "%s",
        "100%d",
        "${HOME}",
        "ünïcode-日本",
        "slash/es",
        "x" * 64,
    )
    odd_hosts = ("%", "10.0.%", "::1", "localhost", "127.0.0.1", "192.168.0.0/255.255.255.0", "db-1.example.org", "_.x")
    specs = (
        DatabaseSpec("latin", "latin1", "latin1_german1_ci"),
        DatabaseSpec("four", "utf8mb4", "utf8mb4_unicode_ci"),
    )
    override = ("max_connections", 77, "77")
    log_everything = (
        "SET GLOBAL log_output = 'FILE'",
        "SET GLOBAL general_log = 1",
        "SET GLOBAL long_query_time = 0",
        "SET GLOBAL slow_query_log = 1",
    )
    secret_files = ("admin", "init.sql")
    broken = ({"no_such_parameter": 1}, "no_such_parameter")

    def connect(self, machine: Machine, user: str, password: str, database: str | None = None) -> "Connection[Cursor]":
        try:
            return pymysql.connect(
                host=machine.address,
                port=machine.port,
                user=user,
                password=password.encode(),  # type: ignore[arg-type]
                database=database,
                connect_timeout=10,
                # Reading the system's certificates would take longer than all the rest.
                ssl_disabled=True,
                autocommit=True,
                charset="utf8mb4",
            )
        except pymysql.OperationalError as error:
            if error.args[0] in {ACCESS_DENIED, HOST_NOT_PRIVILEGED}:
                raise LoginRefused(error.args[1]) from error
            raise Refused(str(error)) from error

    def query(
        self, machine: Machine, user: str, password: str, statement: str, database: str | None = None
    ) -> list[tuple[Any, ...]]:
        connection = self.connect(machine, user, password, database)
        with contextlib.closing(connection), connection.cursor() as cursor:
            try:
                cursor.execute(statement)
            except pymysql.MySQLError as error:
                raise Refused(str(error)) from error
            return list(cursor.fetchall())

    def write_row(self, machine: Machine, user: str, password: str, database: str, text: str) -> list[str]:
        self.query(machine, user, password, "CREATE TABLE IF NOT EXISTS notes (t TEXT)", database)
        self.query(machine, user, password, f"INSERT INTO notes VALUES ('{text}')", database)
        return [row[0] for row in self.query(machine, user, password, "SELECT t FROM notes ORDER BY t", database)]

    def show(self, machine: Machine, user: str, password: str, parameter: str) -> str:
        ((_, value),) = self.query(machine, user, password, f"SHOW GLOBAL VARIABLES LIKE '{parameter}'")
        return str(value)

    def memory_parameter(self, ram: int) -> tuple[str, str]:
        return "innodb_buffer_pool_size", str(tuned(ram, 1, 10_000)["innodb_buffer_pool_size"])

    def log_the_agent(self, patched: pytest.MonkeyPatch) -> None:
        silence, logged = "sql_log_off = 1, slow_query_log = 0", "sql_log_off = 0, slow_query_log = 1"
        assert silence in client._SESSION
        patched.setattr(client, "_SESSION", client._SESSION.replace(silence, logged))

    def logged(self, machine: Machine) -> list[str]:
        return [path.read_text(errors="replace") for path in (machine.data_dir / "data").glob("*.log")]

    def fill(self, machine: Machine, user: str, password: str, database: str, size: int) -> None:
        self.query(machine, user, password, "CREATE TABLE filler (b BLOB)", database)
        self.query(
            machine,
            user,
            password,
            f"INSERT INTO filler SELECT random_bytes(1024) FROM seq_1_to_{1024 * size}",
            database,
        )

    @contextlib.contextmanager
    def writing(self, machine: Machine, user: str, password: str, database: str) -> Iterator[Load]:
        with contextlib.closing(self.connect(machine, user, password, database)) as connection:
            load = Writer(connection)
            load.start()
            try:
                yield load
            finally:
                load.stop()

    def written(self, machine: Machine, user: str, password: str, database: str) -> Written:
        """Each transaction wrote its number to both tables."""
        ((count, last, total),) = self.query(
            machine, user, password, "SELECT count(*), max(n), CAST(sum(n) AS INTEGER) FROM one", database
        )
        other = self.query(
            machine, user, password, "SELECT count(*), max(n), CAST(sum(n) AS INTEGER) FROM two", database
        )
        whole = (count, last, total) == (last, last, last * (last + 1) // 2)
        checked = self.query(machine, user, password, "CHECK TABLE one, two EXTENDED", database)
        return Written(count, whole and other == [(count, last, total)] and {row[3] for row in checked} == {"OK"})

    def die_at(self, statement: int) -> None:
        rows, left = Session.rows, iter(range(statement))

        def count_down(session: Session, text: str) -> list[tuple[Any, ...]]:
            if next(left, None) is None:
                os._exit(DIED)
            return rows(session, text)

        Session.rows = count_down  # type: ignore[method-assign]
