# SPDX-License-Identifier: Apache-2.0
"""An eye on who can be written to: of a set of servers with the same data, never two at one moment."""

import contextlib
import dataclasses
import itertools
import threading
import time
from collections.abc import Callable, Mapping
from typing import Self

import pymysql
from pymysql.connections import Connection
from pymysql.constants import ER
from pymysql.cursors import Cursor

from tests.waiting import wait_for

Connect = Callable[[], "Connection[Cursor]"]
"""Makes a connection with autocommit, as one who may not write where it is read-only. It gives up soon: a commit may
wait for a replica for ever."""
Members = Mapping[str, Connect]
"""By name."""
TABLE = "CREATE TABLE samples (n INT PRIMARY KEY)"
"""What it writes to, of the database that connections are made to."""
_NUMBERS = itertools.count(1)
_PAUSE = 0.01
"""Seconds between two rounds: who is looked at has other work to do."""
_PATIENCE = 60.0


@dataclasses.dataclass(frozen=True)
class _Look:
    """What one member said and did; what it did not answer is False."""

    says: bool
    """Whether it said that it is not read-only."""
    took: bool
    """Whether it took a write."""
    denies: bool
    """Whether it said before and after that it is read-only."""

    @property
    def belies(self) -> bool:
        return self.took and self.denies

    @property
    def writable(self) -> bool:
        return self.says or self.took


class Sampler:
    """Asks each member, again and again, whether it is read-only, and writes to it whatever it says.

    A context manager: it looks during the block, and once more at its end, when one of them must be writable.
    """

    def __init__(self, members: Callable[[], Members], keeps: bool = True) -> None:
        """``members``: those of the set now. ``keeps``: whether it commits what it writes, or takes it back, so that
        nothing is ever written to a server that must not have anything of its own yet."""
        self._members, self._keeps = members, keeps
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._seen = False
        self.acknowledged: list[int] = []
        """The numbers that were committed."""
        self.violations: list[str] = []

    def look(self) -> None:
        """One round. Members are not asked at one moment: those who were writable are asked once more, in the same
        order. Whoever was so before another one and after it was so together with it."""
        members = self._members()
        writable = [name for name, connect in members.items() if self._writable(name, connect)]
        self._seen = self._seen or bool(writable)
        if len(writable) < 2:
            return
        members = self._members()  # somebody may have left the set meanwhile
        still = [name for name in writable if name in members and self._writable(name, members[name])]
        if len(still) > 1:
            self._tell(f"two writable members: {', '.join(still)}")

    def wait_more(self, writes: int) -> None:
        """Until so many more were acknowledged."""
        wanted = len(self.acknowledged) + writes
        wait_for(lambda: len(self.acknowledged) >= wanted, _PATIENCE, "more writes that are acknowledged")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(_PATIENCE)
        if self._thread.is_alive():
            self._tell("it looks at one member for ever")
        if not self._seen:
            self._tell("nobody was ever writable")

    def _run(self) -> None:
        ending = False
        while not ending:
            ending = self._end.wait(_PAUSE)
            try:
                self.look()
            except Exception as error:  # blind, and nobody would know
                self._tell(f"{type(error).__name__}: {error}")
                return

    def _tell(self, what: str) -> None:
        """Once a run of the same."""
        if not self.violations or not self.violations[-1].endswith(what):
            self.violations.append(f"{time.strftime('%H:%M:%S')} {what}")

    def _writable(self, name: str, connect: Connect) -> bool:
        seen = self._ask(connect)
        # One that was opened right before the write, and closed right after it, does not do that again.
        if seen.belies and self._ask(connect).belies:
            self._tell(f"{name} takes writes, and says that it is read-only")
        return seen.writable

    def _ask(self, connect: Connect) -> _Look:
        says: list[bool] = []
        took = False
        with (
            contextlib.suppress(pymysql.Error, OSError),
            contextlib.closing(connect()) as connection,
            connection.cursor() as cursor,
        ):
            says.append(_says(cursor))
            took = self._write(connection, cursor)
            says.append(_says(cursor))
        return _Look(any(says), took, says == [False, False])

    def _write(self, connection: "Connection[Cursor]", cursor: Cursor) -> bool:
        number = next(_NUMBERS)
        if not self._keeps:
            connection.begin()
        try:
            cursor.execute("INSERT INTO samples VALUES (%s)", (number,))
        except pymysql.OperationalError as error:
            if error.args[0] != ER.OPTION_PREVENTS_STATEMENT:
                raise
            return False
        if self._keeps:
            self.acknowledged.append(number)
        else:
            connection.rollback()
        return True


def _says(cursor: Cursor) -> bool:
    """Whether a server says that it is not read-only."""
    cursor.execute("SELECT @@GLOBAL.read_only")
    return cursor.fetchall() == ((0,),)
