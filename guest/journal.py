# SPDX-License-Identifier: Apache-2.0
"""What this guest was asked to change, ever, and what it answered: no request is done twice.

SQLite on the data volume, each entry on disk before anything is done or said.
"""

import contextlib
import dataclasses
import enum
import json
import logging
import os
import pathlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from typing import Any

from dbflow.messaging.wire import RequestId
from guest.datastores.base import DatastoreError

LOG = logging.getLogger(__name__)
RETENTION = 7 * 86400.0
"""Seconds for which answers are kept; the newest of each atom of a flow is kept for good."""

_SCHEMA = """
create table if not exists boots (number integer primary key);
create table if not exists latest (
    atom text primary key, epoch integer not null, attempt integer not null
) without rowid;
create table if not exists requests (
    id text primary key, atom text not null, attempt integer not null, boot integer not null,
    answer text, at real not null, begun integer not null default 1
) without rowid;
create index if not exists requests_at on requests (at);
"""
_BEGUN = "alter table requests add column begun integer not null default 1"
"""For journals of agents that did not write it down: what they had entered may have begun."""


class StaleRequest(Exception):
    """Asked by a conductor that has lost its claim, or overtaken by a later attempt."""


class Interrupted(Exception):
    """The agent died in the middle of a step that can't be done again."""


class VolumeFull(DatastoreError):
    """Not begun, since what is begun must be on disk first."""

    def __init__(self) -> None:
        super().__init__("the data volume is full: the guest agent can't write down what it is asked to do")


class Verdict(enum.Enum):
    """What to do about a request."""

    RUN = "run"
    RESUME = "resume"
    """An earlier life of the agent began it and did not finish; what only waited its turn then is RUN."""
    RUNNING = "running"
    ANSWERED = "answered"
    STALE = "stale"


@dataclasses.dataclass(frozen=True)
class Admission:
    """A verdict, with the answer of a request that was ANSWERED."""

    verdict: Verdict
    answer: dict[str, Any] | None = None


class Journal:
    """Every method may be called from any thread."""

    def __init__(self, path: pathlib.Path) -> None:
        """Open or create (mode 0600). OSError or sqlite3.Error when the volume refuses."""
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._lock = threading.Lock()
        self._unwritten: dict[RequestId, dict[str, Any] | None] = {}
        """What the volume had no room for, until it has: answers, and None for requests that run."""
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._db.execute("pragma journal_mode = wal")
        self._db.execute("pragma synchronous = full")
        self._db.executescript(_SCHEMA)
        self._bring_up_to_date()
        self.boot = self._next_boot()

    def _bring_up_to_date(self) -> None:
        columns = {row[1] for row in self._db.execute("pragma table_info (requests)")}
        if "begun" not in columns:
            self._db.execute(_BEGUN)

    def _next_boot(self) -> int:
        """Greater than that of any earlier life, also of one whose journal is lost. An agent whose volume is full
        starts all the same: only so can the volume be grown."""
        boot = int(time.time())
        with contextlib.suppress(VolumeFull), self._transaction():
            (last,) = self._db.execute("select coalesce(max(number), 0) from boots").fetchone()
            boot = max(last + 1, boot)
            self._db.execute("delete from boots")
            self._db.execute("insert into boots values (?)", (boot,))
        return boot

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._lock:
            try:
                self._db.execute("begin immediate")
                yield
                self._commit()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode == sqlite3.SQLITE_FULL:
                    raise VolumeFull from error
                raise
            finally:
                if self._db.in_transaction:
                    self._db.execute("rollback")

    def _commit(self) -> None:
        if self._db.in_transaction:  # a full volume has it rolled back already
            self._db.execute("commit")

    def admit(self, request: RequestId, epoch: int, *, unwritten: bool = False) -> Admission:
        """Enter the request; what to do about it. VolumeFull, unless it may be done ``unwritten``."""
        self._write_down()
        known = None
        try:
            with self._transaction():
                seen = self._db.execute("select epoch, attempt from latest where atom = ?", (request.atom,)).fetchone()
                if seen and (epoch < seen[0] or request.attempt < seen[1]):
                    return Admission(Verdict.STALE)
                known = self._known(request)
                if seen != (epoch, request.attempt):
                    self._db.execute("replace into latest values (?, ?, ?)", (request.atom, epoch, request.attempt))
                return known or self._enter(request)
        except VolumeFull:
            if known is None and not unwritten:
                raise
            if known is None:
                self._unwritten[request] = None
            return known or Admission(Verdict.RUN)

    def _known(self, request: RequestId) -> Admission | None:
        """What this life of the agent has to do about it already, or any life has answered."""
        row = self._db.execute("select boot, answer from requests where id = ?", (str(request),)).fetchone()
        boot, written = row or (None, None)
        answer = json.loads(written) if written is not None else self._unwritten.get(request)
        if answer is not None:
            return Admission(Verdict.ANSWERED, answer)
        return Admission(Verdict.RUNNING) if boot == self.boot or request in self._unwritten else None

    def _enter(self, request: RequestId) -> Admission:
        row = self._db.execute("select begun from requests where id = ?", (str(request),)).fetchone()
        if row is None:
            self._db.execute(
                "insert into requests values (?, ?, ?, ?, null, ?, 0)",
                (str(request), request.atom, request.attempt, self.boot, time.time()),
            )
            return Admission(Verdict.RUN)
        self._db.execute("update requests set boot = ? where id = ?", (self.boot, str(request)))
        return Admission(Verdict.RESUME if row[0] else Verdict.RUN)

    def begin(self, request: RequestId, *, unwritten: bool = False) -> bool:
        """Enter that it begins now. False, with nothing entered, when a later attempt (or the revert) was admitted
        while this request waited for its turn. VolumeFull, unless it may be done ``unwritten``."""
        try:
            with self._transaction():
                row = self._db.execute("select attempt from latest where atom = ?", (request.atom,)).fetchone()
                if row is not None and row[0] > request.attempt:
                    return False
                self._db.execute("update requests set begun = 1 where id = ?", (str(request),))
        except VolumeFull:
            if not unwritten:
                raise
        return True

    def answer(self, request: RequestId, answer: dict[str, Any]) -> None:
        """Enter the answer: from now on it is repeated; by this life of the agent only, if the volume is full until
        its end."""
        self._unwritten[request] = answer
        self._write_down()

    def _write_down(self) -> None:
        """Enter the answers for which there was no room, if there is room now."""
        answers = {request: answer for request, answer in list(self._unwritten.items()) if answer is not None}
        if not answers:
            return
        try:
            with self._transaction():
                for request, answer in answers.items():
                    self._db.execute(
                        """insert into requests values (?, ?, ?, ?, ?, ?, 1)
                           on conflict (id) do update set answer = excluded.answer, at = excluded.at""",
                        (str(request), request.atom, request.attempt, self.boot, json.dumps(answer), time.time()),
                    )
        except (VolumeFull, sqlite3.Error) as error:
            LOG.error("%d answers are not written down: %s", len(answers), error)
            return
        for request in answers:
            self._unwritten.pop(request, None)

    def prune(self, retention: float = RETENTION) -> int:
        """Forget what nobody will ask again; how many answers.

        The newest answer of each flow's atom stays, so that even a very late copy of its request is answered.
        Calls of the API (epoch 0) go entirely; the agent refuses old ones by the time they were issued.
        """
        with self._transaction():
            count = self._db.execute(
                """delete from requests where answer is not null and at < ? and exists (
                   select 1 from latest where latest.atom = requests.atom
                   and (latest.epoch = 0 or latest.attempt > requests.attempt))""",
                (time.time() - retention,),
            ).rowcount
            self._db.execute("delete from latest where epoch = 0 and atom not in (select atom from requests)")
        return count

    def close(self) -> None:
        with self._lock:
            self._db.close()
