# SPDX-License-Identifier: Apache-2.0
"""Changes of operations as they happen: one thread a process looks, any number of viewers are told."""

import contextlib
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa

from dbflow.db.models import Operation, utcnow
from dbflow.db.session import Database
from dbflow.operations import ENDED
from dbflow.persistence.steps import steps_of

LOG = logging.getLogger(__name__)

Event = tuple[str, dict[str, Any]]
"""("operation" | "step" | "end", what it is now)"""


class TooManyViewers(Exception):
    """Every viewer costs a thread of the server, so there is a limit."""


class Viewing:
    """One viewer's events. Must be closed, also by who never asked for the first one."""

    def __init__(
        self,
        mailbox: "queue.SimpleQueue[Event]",
        heartbeat: float,
        leave: Callable[["queue.SimpleQueue[Event]"], None],
    ) -> None:
        self._mailbox = mailbox
        self._heartbeat = heartbeat
        self._leave = leave
        self._ended = False

    def __iter__(self) -> "Viewing":
        return self

    def __next__(self) -> Event | None:
        if self._ended:
            raise StopIteration
        try:
            event = self._mailbox.get(timeout=self._heartbeat)
        except queue.Empty:
            return None
        self._ended = event[0] == "end"
        return event

    def close(self) -> None:
        """Stop watching."""
        self._leave(self._mailbox)


class Feed:
    """Watches the operations that somebody looks at. The thread lives only while somebody does."""

    def __init__(self, database: Database, interval: float, most_viewers: int) -> None:
        self._database = database
        self._interval = interval
        self._most = most_viewers
        self._lock = threading.Lock()
        self._viewers: dict[queue.SimpleQueue[Event], str] = {}
        self._thread: threading.Thread | None = None

    def watch(self, operation_id: str, heartbeat: float) -> "Viewing":
        """The state now, then every change until the operation ends; None after ``heartbeat`` silent seconds.

        Raises TooManyViewers at once, not at the first event.
        """
        mailbox: queue.SimpleQueue[Event] = queue.SimpleQueue()
        with self._lock:
            if len(self._viewers) >= self._most:
                raise TooManyViewers
            self._viewers[mailbox] = operation_id
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="operation-feed", daemon=True)
                self._thread.start()
        return Viewing(mailbox, heartbeat, self._leave)

    def _leave(self, mailbox: "queue.SimpleQueue[Event]") -> None:
        with self._lock:
            self._viewers.pop(mailbox, None)

    def wait(self, operation_id: str, timeout: float) -> None:
        """Return when the operation has ended, or after ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        step = max(0.01, min(timeout, self._interval))
        with contextlib.closing(self.watch(operation_id, step)) as viewing:
            for _ in viewing:
                if time.monotonic() >= deadline:
                    return

    def _run(self) -> None:
        told: dict[queue.SimpleQueue[Event], dict[str, Any]] = {}
        while True:
            with self._lock:
                viewers = dict(self._viewers)
                if not viewers:
                    self._thread = None
                    return
            try:
                now = self._look(set(viewers.values()))
            except Exception as error:
                LOG.warning("operations can't be watched: %s", type(error).__name__)
            else:
                told = {mailbox: told.get(mailbox, {}) for mailbox in viewers}
                for mailbox, operation_id in viewers.items():
                    _tell(mailbox.put, now.get(operation_id, {}), told[mailbox])
            time.sleep(self._interval)

    def _look(self, ids: set[str]) -> dict[str, dict[str, Event]]:
        """Operation id -> what can change about it -> how it is now."""
        with self._database.read() as session:
            found = session.execute(_OPERATIONS, {"ids": list(ids)}).all()
            return {
                row.id: {
                    "": ("operation", _operation(row)),
                    **{
                        step.name: ("step", {"name": step.name, **step.as_dict()})
                        for step in steps_of(session, row.flow_uuid)
                    },
                }
                for row in found
            }


_OPERATIONS = sa.select(
    Operation.id, Operation.flow_uuid, Operation.state, Operation.requested, Operation.error, Operation.attempts
).where(Operation.id.in_(sa.bindparam("ids", expanding=True)))


def _operation(row: Any) -> dict[str, Any]:
    return {
        "id": row.id,
        "state": row.state,
        "done": row.state in ENDED,
        "requested": row.requested,
        "attempts": row.attempts,
        "error": row.error,
    }


def _tell(put: Callable[[Event], None], now: dict[str, Event], told: dict[str, Any]) -> None:
    """Send what differs from what was told; the operation last, so that its end comes after its steps."""
    for what in sorted(now, key=lambda name: name == ""):
        event = now[what]
        if told.get(what) != event:
            told[what] = event
            put(event)
    if not now or now[""][1]["done"]:
        put(("end", {"at": utcnow().isoformat()}))
