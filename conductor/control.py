# SPDX-License-Identifier: Apache-2.0
"""What people want of running operations, and how their engines hear of it at once."""

import threading
from collections.abc import Callable
from concurrent import futures

from sqlalchemy import or_, select

from dbflow import faults
from dbflow.db.models import Operation
from dbflow.db.session import Database


class Stopped(BaseException):
    """An engine stopped where it was. No error: TaskFlow would log it as one and call the flow failed."""


class HandedOver(Stopped):
    """Its conductor is leaving."""


class BrokenOff(Stopped):
    """The operation is to be suspended, and all that is left are steps that wait. They are begun anew when it goes
    on; it is the exception of their futures, too."""


class Control:
    """The wish about one running operation. ``asked`` is done once there is one, so an engine that waits for its
    steps waits for this too."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.asked: futures.Future[None] = futures.Future()
        self.wanted: str | None = None
        """"cancel", "suspend" or None"""
        self.leaving = False
        self.hurry = False
        """Leaving because the process ends: what still runs ends with it."""
        self.released = False
        """Somebody wants this claim to be given up; the session, and so the other claims, stay."""
        self.epoch: int | None = None
        """Of the claim, once it is fenced."""

    def ask(self, what: str) -> None:
        """Cancel or suspend; the first wish counts, but a cancel overrules a suspend."""
        with self._lock:
            if self.wanted is None or what == "cancel":
                fresh, self.wanted = self.wanted != what, what
                if fresh:
                    self._ring()

    def leave(self, *, hurry: bool) -> None:
        """The claim is given up: stop as soon as possible, wherever the flow is."""
        with self._lock:
            self.leaving, self.hurry = True, hurry
            self._ring()

    def release(self) -> None:
        """Give this one claim up: stop as soon as possible, wherever the flow is, and let others go on."""
        with self._lock:
            self.released = True
            self._ring()

    @property
    def giving_up(self) -> bool:
        """Whether the flow is to be left where it is."""
        return self.leaving or self.released

    def answer(self, how: Callable[[], None]) -> None:
        """Called by the engine when it was asked: act, and be ready to be asked again."""
        with self._lock:
            if not self.giving_up:
                self.asked = futures.Future()
        how()
        faults.point("operation.asked")

    def _ring(self) -> None:
        if not self.asked.done():
            self.asked.set_result(None)


class Wishes:
    """Looks up what is wanted of all operations that run here, in one query however many there are."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._controls: dict[str, Control] = {}

    def watch(self, operation_id: str, control: Control) -> None:
        """From now on ``control`` is asked what the operation's row says."""
        with self._lock:
            self._controls[operation_id] = control

    def forget(self, operation_id: str) -> None:
        """The operation runs here no more."""
        with self._lock:
            self._controls.pop(operation_id, None)

    def all(self) -> list[Control]:
        """Of every operation that runs here."""
        with self._lock:
            return list(self._controls.values())

    def look(self) -> None:
        """One round."""
        with self._lock:
            controls = dict(self._controls)
        if not controls:
            return
        with self._database.read() as session:
            rows = session.execute(
                select(Operation.id, Operation.requested, Operation.released_epoch).where(
                    Operation.id.in_(controls),
                    or_(Operation.requested.is_not(None), Operation.released_epoch == Operation.epoch),
                )
            )
            for operation_id, wanted, released in rows:
                control = controls[operation_id]
                if wanted is not None:
                    control.ask(wanted)
                if released is not None and released == control.epoch:  # not a later claim of the same operation
                    control.release()
