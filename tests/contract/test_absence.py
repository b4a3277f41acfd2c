# SPDX-License-Identifier: Apache-2.0
"""A database that is away is noticed soon, whether it died or only says nothing."""

import contextlib
import time
import types
from collections.abc import Iterator
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa

from dbflow.db import absence
from dbflow.db.session import AWAY, Database
from tests.servers import MariaDBServer
from tests.waiting import wait_for

ANSWER = 4.0
SLACK = 10.0
"""Seconds that a busy machine may add."""


@pytest.fixture
def served(mariadb_server: MariaDBServer, mysql_url: str) -> Iterator[tuple[MariaDBServer, Database]]:
    database = Database(mysql_url, answer_timeout=ANSWER)
    with contextlib.closing(database):
        assert _ask(database) is None
        yield mariadb_server, database
    mariadb_server.start()


def _ask(database: Database) -> float | None:
    """None when it answered, else the seconds until it was given up."""
    began = time.monotonic()
    try:
        with database.read() as session:
            assert session.scalar(sa.text("SELECT 1")) == 1
    except AWAY:
        return time.monotonic() - began
    return None


def _counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The looks at a server from now on, as they begin."""
    looks: list[str] = []
    connect, ping = pymysql.connect, pymysql.connections.Connection.ping

    def counted_connect(*arguments: Any, **options: Any) -> Any:
        looks.append("connect")
        return connect(*arguments, **options)

    def counted_ping(self: Any, reconnect: bool = True) -> None:
        looks.append("ping")
        ping(self, reconnect)

    monkeypatch.setattr(pymysql, "connect", counted_connect)
    monkeypatch.setattr(pymysql.connections.Connection, "ping", counted_ping)
    return looks


def test_frozen(served: tuple[MariaDBServer, Database], monkeypatch: pytest.MonkeyPatch) -> None:
    """Found by the look before use; until the next look everybody is told at once."""
    server, database = served
    looks = _counted(monkeypatch)
    now = time.monotonic()
    monkeypatch.setattr(absence, "time", types.SimpleNamespace(monotonic=lambda: now))  # no next look is due
    server.pause()
    try:
        first = _ask(database)
        found_by = list(looks)
        second = _ask(database)
    finally:
        server.resume()
        monkeypatch.undo()
    assert first is not None
    assert first < absence.LOOK_TIMEOUT + SLACK
    assert second is not None
    assert looks == found_by != [], "the second did not look"
    wait_for(lambda: _ask(database) is None, 30, "an answer")


def test_frozen_within_a_transaction(served: tuple[MariaDBServer, Database]) -> None:
    server, database = served
    with database.read() as session:
        session.execute(sa.text("SELECT 1"))
        server.pause()
        began = time.monotonic()
        try:
            with pytest.raises(AWAY):
                session.execute(sa.text("SELECT 2"))
            assert time.monotonic() - began < ANSWER + SLACK
        finally:
            server.resume()
    wait_for(lambda: _ask(database) is None, 30, "an answer")


def test_killed(served: tuple[MariaDBServer, Database]) -> None:
    server, database = served
    server.kill()
    waits = [_ask(database) for _ in range(3)]
    assert all(wait is not None and wait < SLACK for wait in waits)
    server.start()
    wait_for(lambda: _ask(database) is None, 30, "an answer")


def test_a_lock_is_waited_for_less_long_than_an_answer(served: tuple[MariaDBServer, Database]) -> None:
    """So that the server, and not the client, ends the wait."""
    _, database = served
    with database.write() as session:
        session.execute(sa.text("CREATE TABLE t (n INT PRIMARY KEY)"))
        session.execute(sa.text("INSERT INTO t VALUES (1)"))
    lock = sa.text("SELECT n FROM t WHERE n = 1 FOR UPDATE")
    with database.write() as first, database.write() as second:
        first.execute(lock)
        with pytest.raises(AWAY, match="1205"):
            second.execute(lock)
