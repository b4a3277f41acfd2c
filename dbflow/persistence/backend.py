# SPDX-License-Identifier: Apache-2.0
"""What one run of one flow saves to: TaskFlow's tables through a fence, as few commits as is safe.

A step's end and its successor's start go into one commit. That is safe because a step counts as begun only once its
RUNNING state is committed, and a step whose end was not committed is run again by whoever resumes; guests answer the
second request from their journal, and local tasks look before they make. The last write of the flow carries the
operation's own end in the same transaction.
"""

import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from taskflow import exceptions, states
from taskflow.persistence import models

from dbflow import faults
from dbflow.crypto import Keyring
from dbflow.db.models import Operation, utcnow
from dbflow.fencing import Fence
from dbflow.operations import State
from dbflow.persistence.rows import atom_detail, atom_row
from dbflow.persistence.tables import ATOMS, FLOWS, LOGBOOKS

OnEnd = Callable[[Session, models.FlowDetail], None]
"""Writes what the end of the flow means, in the transaction that saves it."""

_BEGUN = frozenset({states.RUNNING, states.REVERTING, states.RETRYING})
_ENDED = frozenset({states.SUCCESS, states.REVERTED, states.FAILURE})
_POINTS = {states.SUCCESS: "execute", states.REVERTED: "revert"}
# Made once: SQLAlchemy takes longer to put a statement together than the database to execute it.
_INSERT_ATOMS = ATOMS.insert()
_UPDATE_FLOW = (
    sa.update(FLOWS)
    .where(FLOWS.c.uuid == sa.bindparam("key"))
    .values(state=sa.bindparam("state"), meta=sa.bindparam("meta"))
)
_UPDATE_ATOM = (
    sa.update(ATOMS)
    .where(ATOMS.c.uuid == sa.bindparam("key"))
    .values(
        {
            column: sa.bindparam(column)
            for column in (
                "state",
                "intention",
                "version",
                "meta",
                "results",
                "failure",
                "revert_results",
                "revert_failure",
            )
        }
    )
)


def _broke_off(flow: models.FlowDetail) -> bool:
    """Whether an engine says that the flow has ended although it has not: the engine lost its database or its claim,
    or counts a step that it began and took back as done."""
    atoms = {atom.state for atom in flow}
    if flow.state == states.FAILURE:
        return states.REVERT_FAILURE not in atoms
    return flow.state in _ENDED and not atoms.isdisjoint({states.RUNNING, states.REVERTING})


class FlowBackend:
    """The persistence back end of one run of one flow.

    It is the connection too: TaskFlow's storage takes one for every save, and needs of it the two updates and
    ``close``. One engine thread and the thread of its progress reports use it.
    """

    def __init__(self, fence: Fence, keyring: Keyring, on_end: OnEnd) -> None:
        self._fence, self._keyring, self._on_end = fence, keyring, on_end
        self._lock = threading.RLock()
        self._saved: dict[str, str] = {}
        """Atom uuid -> the state that is committed."""
        self._new: dict[str, models.AtomDetail] = {}
        self._changed: dict[str, models.AtomDetail] = {}
        self._flow: models.FlowDetail | None = None
        self._unmade: models.FlowDetail | None = None
        self._reverting = False
        self.ended = False

    def open(self, flow_uuid: str, name: str) -> models.FlowDetail:
        """The flow as it was left, or a new one when it never ran: the first save makes it, with its logbook."""
        detail = models.FlowDetail(name, flow_uuid)
        try:
            # Unfenced, as nothing is written: an older claim can't commit any more, and a newer one ends this one at
            # its first write.
            with self._fence.database.read() as session:
                row = session.execute(sa.select(FLOWS).where(FLOWS.c.uuid == flow_uuid)).mappings().first()
                if row is None:
                    self._unmade = detail
                    return detail
                detail.state, detail.meta = row["state"], dict(row["meta"] or {})
                for atom in session.execute(sa.select(ATOMS).where(ATOMS.c.parent_uuid == flow_uuid)).mappings():
                    detail.add(atom_detail(dict(atom), self._keyring))
                    self._saved[atom["uuid"]] = atom["state"]
        except sa.exc.DBAPIError as error:
            raise exceptions.StorageFailure("the flow could not be loaded", cause=error) from error
        return detail

    def get_connection(self) -> "FlowBackend":
        """Itself."""
        return self

    def close(self) -> None:
        """Nothing: connections are the pool's."""

    def update_flow_details(self, flow: models.FlowDetail) -> models.FlowDetail:
        """Keep the flow's state and its new atoms for the next commit; commit at once when it has ended."""
        if _broke_off(flow):
            return flow  # whoever claims next goes on from what is saved
        with self._lock:
            self._flow = flow
            for atom in flow:
                if atom.uuid not in self._saved and atom.uuid not in self._new:
                    self._new[atom.uuid] = atom
            if flow.state in _ENDED:
                self.flush()
        return flow

    def update_atom_details(self, atom: models.AtomDetail) -> models.AtomDetail:
        """Keep the atom for the next commit; commit at once when it is about to begin."""
        with self._lock:
            if atom.uuid in self._new:
                self._new[atom.uuid] = atom
            else:
                self._changed[atom.uuid] = atom
            if atom.state in _BEGUN and self._saved.get(atom.uuid) != atom.state:
                self.flush()
        return atom

    def flush(self) -> None:
        """Commit all that is kept, in one fenced transaction. StorageFailure when the database is away."""
        with self._lock:
            if not (self._new or self._changed or self._flow):
                return
            flow = self._flow
            ending = flow is not None and flow.state in _ENDED and not self.ended
            try:
                if ending:
                    with self._fence.write() as session:
                        self._write(session.connection(), flow)
                        self._on_end(session, flow)
                else:
                    with self._fence.connection() as connection:
                        self._write(connection, flow)
            except sa.exc.DBAPIError as error:
                raise exceptions.StorageFailure("the flow's state could not be saved", cause=error) from error
            self.ended = self.ended or ending
            saved = [*self._new.values(), *self._changed.values()]
            self._new, self._changed, self._flow, self._unmade = {}, {}, None, None
            for atom in saved:
                self._saved[atom.uuid] = atom.state
                if atom.state in _POINTS:
                    faults.point(f"{atom.name}.{_POINTS[atom.state]}.saved")

    def _write(self, connection: sa.Connection, flow: models.FlowDetail | None) -> None:
        if self._unmade is not None:
            self._make(connection, self._unmade)
        if flow is not None:
            connection.execute(_UPDATE_FLOW, {"key": flow.uuid, "state": flow.state, "meta": flow.meta or {}})
            now = utcnow()
            new = [
                atom_row(atom, self._keyring)
                | {"parent_uuid": flow.uuid, "atom_type": models.atom_detail_type(atom), "created_at": now}
                for atom in self._new.values()
            ]
            if new:
                connection.execute(_INSERT_ATOMS, new)
        changed: list[dict[str, Any]] = []
        for atom in self._changed.values():
            row = atom_row(atom, self._keyring)
            row["key"] = row.pop("uuid")
            del row["name"]
            changed.append(row)
        if changed:
            connection.execute(_UPDATE_ATOM, changed)
        if not self._reverting and any(atom.state == states.REVERTING for atom in self._changed.values()):
            self._reverting = True
            operation = sa.update(Operation).where(Operation.id == self._fence.operation_id)
            connection.execute(operation.values(state=State.REVERTING))

    def _make(self, connection: sa.Connection, flow: models.FlowDetail) -> None:
        book = self._fence.operation_id
        connection.execute(LOGBOOKS.insert(), {"uuid": book, "name": flow.name, "meta": {}})
        row = {"uuid": flow.uuid, "parent_uuid": book, "name": flow.name, "meta": {}, "state": None}
        connection.execute(FLOWS.insert(), row)
