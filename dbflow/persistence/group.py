# SPDX-License-Identifier: Apache-2.0
"""Group commit: what the flows of a process have to save at the same time goes to disk in one transaction.

A flow goes on only once its save is committed. Whoever finds nobody writing writes for all that wait; those who come
meanwhile wait for the next turn, which one of them takes. Alone, nobody waits for company. Saves stay strangers to
each other: an overtaken claim is refused while the others pass, and when a common transaction fails, each of its
members is on its own.
"""

import threading
from collections.abc import Sequence

from dbflow.db.session import Database
from dbflow.persistence.saves import Save, SaveTables, stale

_LARGEST = 50
"""Saves in one transaction."""


class _Member:
    """A save that waits for its transaction."""

    def __init__(self, save: Save) -> None:
        self.save = save
        self.told = threading.Event()
        self.leads = False
        self.alone = True
        """Whether it has to see to itself: until it is known what became of it."""
        self.error: Exception | None = None


class GroupCommit:
    """Of one process and database; used by every flow that runs there."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.tables = SaveTables(database.engine.dialect)
        self._lock = threading.Lock()
        self._waiting: list[_Member] = []
        self._writing = False

    def commit(self, save: Save) -> None:
        """Return once it is committed. StaleClaim when the claim was overtaken; SQLAlchemy's errors."""
        member = _Member(save)
        with self._lock:
            self._waiting.append(member)
            member.leads = not self._writing
            self._writing = True
        if not member.leads:
            member.told.wait()
        if member.leads:
            self._lead()
        if member.alone:
            self._write([member])
        if member.error is not None:
            raise member.error

    def _lead(self) -> None:
        """Write for all that wait, the oldest first (among them the leader), and hand on."""
        with self._lock:
            members, self._waiting = self._waiting[:_LARGEST], self._waiting[_LARGEST:]
        try:
            self._write(members)
        finally:
            with self._lock:
                self._writing = bool(self._waiting)
                heir = self._waiting[0] if self._waiting else None
            for member in members:
                member.leads = False
                member.told.set()
            if heir is not None:
                heir.leads = True
                heir.told.set()

    def _write(self, members: Sequence[_Member]) -> None:
        saves = [member.save for member in members]
        try:
            with self._database.write_rows() as cursor:
                standing = self.tables.standing(cursor, saves)
                self.tables.write(cursor, standing)
        except Exception as error:
            for member in members:
                member.alone = len(members) > 1
                member.error = None if member.alone else error
        else:
            for member in members:
                member.alone = False
                member.error = None if any(member.save is save for save in standing) else stale(member.save)
