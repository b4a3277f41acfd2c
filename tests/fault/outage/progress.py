# SPDX-License-Identifier: Apache-2.0
"""Sees operations move, in dbflow's own database."""

import contextlib
import time
from collections.abc import Callable

import sqlalchemy as sa

from dbflow.db.models import Operation
from dbflow.db.session import Database
from dbflow.operations import ENDED
from dbflow.persistence.tables import ATOMS
from tests.waiting import wait_for

PATIENCE = 300.0
"""Seconds until something must have moved."""
Steps = dict[tuple[str, str], str]
"""(flow, step) -> its state."""


def first_progress(open_database: Callable[[], Database]) -> float | None:
    """time.monotonic() at which a step of an operation that had not ended when this was called changed its state;
    None when every operation had ended. Asks as long as the database is away."""
    with contextlib.closing(open_database()) as database:
        flows: list[list[str]] = []
        wait_for(lambda: _patiently(lambda: flows.append(_unended(database))), PATIENCE, "dbflow's database")
        if not flows[0]:
            return None
        seen: list[Steps] = []
        wait_for(lambda: _patiently(lambda: seen.append(_steps(database, flows[0]))), PATIENCE, "dbflow's database")
        wait_for(
            lambda: _patiently(lambda: seen.append(_steps(database, flows[0]))) and seen[-1] != seen[0],
            PATIENCE,
            "the first progress of an operation",
        )
        return time.monotonic()


def _patiently(look: Callable[[], object]) -> bool:
    """Whether the database answered."""
    try:
        look()
    except sa.exc.SQLAlchemyError:
        return False
    return True


def _unended(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(sa.select(Operation.flow_uuid).where(Operation.state.not_in(ENDED))))


def _steps(database: Database, flows: list[str]) -> Steps:
    with database.read() as session:
        rows = session.execute(
            sa.select(ATOMS.c.parent_uuid, ATOMS.c.name, ATOMS.c.state).where(ATOMS.c.parent_uuid.in_(flows))
        )
        return {(flow, name): state for flow, name, state in rows}
