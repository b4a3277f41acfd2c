# SPDX-License-Identifier: Apache-2.0
"""A writer and a reader of a set of servers, who go to whichever serves them, and how long they had to wait."""

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Self

import pymysql
from pymysql.connections import Connection
from pymysql.cursors import Cursor

PASSWORD = "for-the-benchmark"
_NUMBERS = itertools.count(1)
_PATIENCE = 2.0
"""Seconds that a client gives a server before it tries another one."""
LONG = 60.0
"""The same where nothing is measured, and there is no other."""
_PAUSE = 0.01


class Traffic(threading.Thread):
    """Does one thing after another, on the first server that does it."""

    def __init__(self, hosts: Sequence[str]) -> None:
        super().__init__(daemon=True)
        self._hosts, self._end = hosts, threading.Event()
        self.done = 0
        self.longest = 0.0
        """Seconds between two that were done."""
        self._last = 0.0

    def once(self, cursor: Cursor) -> None:
        """One thing. Raises pymysql's errors when it was not done, or nobody knows."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Before the first."""

    def run(self) -> None:
        self._last = time.monotonic()
        while not self._end.is_set():
            for host in self._hosts:
                with contextlib.suppress(pymysql.Error, OSError), contextlib.closing(connect(host)) as connection:
                    self._work(connection)
            time.sleep(_PAUSE)
        self._count()

    def _work(self, connection: "Connection[Cursor]") -> None:
        with connection.cursor() as cursor:
            while not self._end.is_set():
                self.once(cursor)
                self._count()
                self.done += 1

    def _count(self) -> None:
        now = time.monotonic()
        self.longest, self._last = max(self.longest, now - self._last), now

    @contextlib.contextmanager
    def at_work(self) -> Iterator[Self]:
        """During the block."""
        self.prepare()
        self.start()
        try:
            yield self
        finally:
            self._end.set()
            self.join(60)


class Writer(Traffic):
    """Writes numbers, each in a transaction of its own."""

    def __init__(self, hosts: Sequence[str]) -> None:
        super().__init__(hosts)
        self.acknowledged: list[int] = []

    def prepare(self) -> None:
        """The first of the hosts is the one that is written to."""
        with contextlib.closing(connect(self._hosts[0], LONG)) as connection, connection.cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS written (n INT PRIMARY KEY)")

    def once(self, cursor: Cursor) -> None:
        number = next(_NUMBERS)
        cursor.execute("INSERT INTO written VALUES (%s)", (number,))
        self.acknowledged.append(number)


class Reader(Traffic):
    """Reads, from replicas too."""

    def once(self, cursor: Cursor) -> None:
        cursor.execute("SELECT MAX(n) FROM written")
        cursor.fetchall()


def connect(host: str, patience: float = _PATIENCE) -> "Connection[Cursor]":
    """As the user of the benchmark."""
    return pymysql.connect(
        host=host,
        user="u",
        password=PASSWORD,
        database="d",
        autocommit=True,
        ssl_disabled=True,
        connect_timeout=1,
        read_timeout=patience,
        write_timeout=patience,
    )


def acknowledged_but_lost(host: str, writer: Writer) -> int:
    """How many of the writer's numbers are not there."""
    with contextlib.closing(connect(host, LONG)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT n FROM written")
        there = {row[0] for row in cursor.fetchall()}
    return len(set(writer.acknowledged) - there)
