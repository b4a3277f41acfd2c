# SPDX-License-Identifier: Apache-2.0
"""What one run of one flow saves to: TaskFlow's tables through a fence, as few commits as is safe.

A step's end and its successor's start go into one commit. That is safe because a step counts as begun only once its
RUNNING state is committed, and a step whose end was not committed is run again by whoever resumes; guests answer the
second request from their journal, and local tasks look before they make. The last write of the flow carries the
operation's own end in the same transaction.
"""

import threading
import time
from collections.abc import Callable

import sqlalchemy as sa
from sqlalchemy.orm import Session
from taskflow import exceptions, states
from taskflow.persistence import models

from dbflow import faults
from dbflow.crypto import Keyring
from dbflow.db.models import utcnow
from dbflow.fencing import Fence
from dbflow.persistence.busy import BUSY
from dbflow.persistence.group import GroupCommit
from dbflow.persistence.rows import atom_detail, atom_row
from dbflow.persistence.saves import Save
from dbflow.persistence.tables import ATOMS, FLOWS

OnEnd = Callable[[Session, models.FlowDetail], None]
"""Writes what the end of the flow means, in the transaction that saves it."""

_ENDED = frozenset({states.SUCCESS, states.REVERTED, states.FAILURE})
_POINTS = {states.SUCCESS: "execute", states.REVERTED: "revert"}
# Made once: SQLAlchemy takes longer to put a statement together than the database to execute it.
_FLOW = sa.select(FLOWS).where(FLOWS.c.uuid == sa.bindparam("uuid"))
_ATOMS_OF = sa.select(ATOMS).where(ATOMS.c.parent_uuid == sa.bindparam("uuid"))


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

    def __init__(self, fence: Fence, keyring: Keyring, group: GroupCommit, on_end: OnEnd) -> None:
        self._fence, self._keyring, self._group, self._on_end = fence, keyring, group, on_end
        self._lock = threading.RLock()
        self._saved: dict[str, str] = {}
        """Atom uuid -> the state that is committed."""
        self._changed: dict[str, models.AtomDetail] = {}
        """By uuid; what is not committed yet."""
        self._flow: models.FlowDetail | None = None
        self._flow_uuid = ""
        self._made = True
        """Whether the flow has its rows."""
        self._reverting = False
        self.ended = False

    def open(self, flow_uuid: str, name: str) -> models.FlowDetail:
        """The flow as it was left, or a new one when it never ran: the first save makes it, with its logbook."""
        detail = models.FlowDetail(name, flow_uuid)
        self._flow_uuid = flow_uuid
        try:
            # Unfenced, as nothing is written: an older claim can't commit any more, and a newer one ends this one at
            # its first write.
            with self._fence.database.read() as session:
                connection = session.connection()
                row = connection.execute(_FLOW, {"uuid": flow_uuid}).mappings().first()
                if row is None:
                    self._made = False
                    return detail
                detail.state, detail.meta = row["state"], dict(row["meta"] or {})
                for atom in connection.execute(_ATOMS_OF, {"uuid": flow_uuid}).mappings():
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
                if atom.uuid not in self._saved:
                    self._changed.setdefault(atom.uuid, atom)
            if flow.state in _ENDED:
                self.flush()
        return flow

    def update_atom_details(self, atom: models.AtomDetail) -> models.AtomDetail:
        """Keep the atom for the next commit; commit at once when it is about to begin."""
        with self._lock:
            self._changed[atom.uuid] = atom
            if atom.state in BUSY and self._saved.get(atom.uuid) != atom.state:
                self.flush()
        return atom

    def flush(self) -> None:
        """Commit all that is kept, in one fenced transaction. StorageFailure when the database is away."""
        with self._lock:
            if not (self._changed or self._flow):
                return
            flow, save = self._flow, self._save()
            ending = flow is not None and flow.state in _ENDED and not self.ended
            began = time.monotonic()
            try:
                if flow is not None and ending:
                    with self._fence.write() as session:
                        with self._fence.database.rows(session) as cursor:
                            self._group.tables.write(cursor, [save])
                        self._on_end(session, flow)
                else:
                    self._group.commit(save)
            except sa.exc.SQLAlchemyError as error:
                raise exceptions.StorageFailure("the flow's state could not be saved", cause=error) from error
            self._fence.stood = began
            self.ended = self.ended or ending
            self._made = True
            self._reverting = self._reverting or save.reverting
            saved, self._changed, self._flow = self._changed, {}, None
            for atom in saved.values():
                self._saved[atom.uuid] = atom.state
                if atom.state in _POINTS:
                    faults.point(f"{atom.name}.{_POINTS[atom.state]}.saved")

    def _save(self) -> Save:
        """All that is kept, as rows."""
        now, operation_id = utcnow(), self._fence.operation_id
        save = Save(operation_id, self._fence.epoch)
        if not self._made:
            name = self._flow.name if self._flow is not None else None
            save.logbook = {"uuid": operation_id, "name": name, "meta": {}, "created_at": now}
        if self._flow is not None:
            save.flow = {
                "uuid": self._flow_uuid,
                "parent_uuid": operation_id,
                "name": self._flow.name,
                "state": self._flow.state,
                "meta": self._flow.meta or {},
                "created_at": now,
            }
        for atom in self._changed.values():
            row = atom_row(atom, self._keyring)
            row |= {"parent_uuid": self._flow_uuid, "atom_type": models.atom_detail_type(atom), "created_at": now}
            save.atoms.append(row)
        save.reverting = not self._reverting and any(atom.state == states.REVERTING for atom in self._changed.values())
        return save
