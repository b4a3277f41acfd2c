# SPDX-License-Identifier: Apache-2.0
"""What flows save, as rows, and the few statements that write the rows of many flows at once."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from dbflow.db.models import Operation
from dbflow.db.prepared import Prepared, upsert
from dbflow.fencing import StaleClaim
from dbflow.operations import State
from dbflow.persistence.tables import ATOMS, FLOWS, LOGBOOKS

_OPERATIONS: Any = Operation.__table__
_NAMED = ("uuid", "parent_uuid", "name", "created_at")
_OF_ATOMS = ("state", "intention", "version", "meta", "results", "failure", "revert_results", "revert_failure")


@dataclasses.dataclass
class Save:
    """What one claim has to write for its flow; rows are written whether they are there or not."""

    operation_id: str
    epoch: int
    """Of the claim."""
    logbook: dict[str, Any] | None = None
    flow: dict[str, Any] | None = None
    atoms: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    reverting: bool = False
    """Whether the operation is to say so from now on."""


class SaveTables:
    """The statements for one kind of database, run by a cursor of its driver."""

    def __init__(self, dialect: sa.Dialect) -> None:
        self._dialect = dialect
        self._logbooks = upsert(LOGBOOKS, ("uuid", "created_at"), ("name", "meta"), dialect)
        self._flows = upsert(FLOWS, _NAMED, ("state", "meta"), dialect)
        self._atoms = upsert(ATOMS, (*_NAMED, "atom_type"), _OF_ATOMS, dialect)
        operation = sa.update(_OPERATIONS).where(_OPERATIONS.c.id == sa.bindparam("key"))
        self._reverting = Prepared(operation.values(state=sa.bindparam("state")), dialect)
        self._epochs: dict[int, Prepared] = {}

    def standing(self, cursor: Any, saves: Sequence[Save]) -> list[Save]:
        """Those whose claim is the newest of its operation. Holds the operations' rows until the transaction ends, as
        :meth:`dbflow.fencing.Fence.check` does; in one order everywhere, so that two conductors never deadlock."""
        ids = sorted({save.operation_id for save in saves})
        if len(ids) not in self._epochs:
            self._epochs[len(ids)] = Prepared(_select_epochs(len(ids)), self._dialect)
        self._epochs[len(ids)].run(cursor, [{f"id{number}": one for number, one in enumerate(ids)}])
        newest: dict[str, int] = dict(cursor.fetchall())
        return [save for save in saves if newest.get(save.operation_id) == save.epoch]

    def write(self, cursor: Any, saves: Sequence[Save]) -> None:
        """All rows of all saves."""
        logbooks = [save.logbook for save in saves if save.logbook is not None]
        flows = [save.flow for save in saves if save.flow is not None]
        atoms = [atom for save in saves for atom in save.atoms]
        reverting = [{"key": save.operation_id, "state": State.REVERTING} for save in saves if save.reverting]
        for statement, rows in (
            (self._logbooks, logbooks),
            (self._flows, flows),
            (self._atoms, atoms),
            (self._reverting, reverting),
        ):
            if rows:
                statement.run(cursor, rows)


def stale(save: Save) -> StaleClaim:
    """Why a save was refused."""
    return StaleClaim(f"operation {save.operation_id}: claim {save.epoch} was overtaken")


def _select_epochs(count: int) -> sa.Select[Any]:
    ids = [sa.bindparam(f"id{number}", type_=_OPERATIONS.c.id.type) for number in range(count)]
    of_these = sa.or_(*(_OPERATIONS.c.id == one for one in ids))
    return sa.select(_OPERATIONS.c.id, _OPERATIONS.c.epoch).where(of_these).order_by(_OPERATIONS.c.id).with_for_update()
