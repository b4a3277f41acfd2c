# SPDX-License-Identifier: Apache-2.0
"""An operation of many cheap steps, each of which leaves an entry that can be counted: in SQL, or on a guest."""

import functools
import pathlib
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session
from taskflow.patterns import linear_flow, unordered_flow

from dbflow.db.models import Operation
from dbflow.operations import Kind, State
from flows.registry import REGISTRY, Arguments, Definition, Ending
from flows.tasks.base import LocalTask
from tests.guests.tasks import Write

KIND = "fault.ledger"
ENTRIES = 7
WORDS = ("a", "b")

_METADATA = sa.MetaData()
EFFECTS = sa.Table(
    "effects",
    _METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("operation_id", sa.String(36), index=True),
    sa.Column("entry", sa.String(32)),
    sa.Column("epoch", sa.BigInteger),
    sa.Column("newest", sa.BigInteger),
)
"""``newest``: the operation's epoch when the entry was made, which must be the one it was made with."""


class Enter(LocalTask):
    """Makes an entry, if there is none yet: as every step looks before it makes."""

    def execute(self) -> None:
        self._enter("+")

    def revert(self, **_: Any) -> None:
        self._enter("-")

    def _enter(self, sign: str) -> None:
        fence, entry = self.context.fence, sign + self.name
        mine = (EFFECTS.c.operation_id == fence.operation_id) & (EFFECTS.c.entry == entry)
        with fence.write() as session:
            if session.scalar(sa.select(EFFECTS.c.id).where(mine)) is None:
                newest = session.scalar(sa.select(Operation.epoch).where(Operation.id == fence.operation_id))
                values = {"operation_id": fence.operation_id, "entry": entry, "epoch": fence.epoch, "newest": newest}
                session.execute(EFFECTS.insert(), values)


class Fail(LocalTask):
    """Turns the operation round, if it is one of those that are to fail."""

    def execute(self, fails: bool) -> None:
        if fails:
            raise RuntimeError("on purpose")


def build(_: Arguments) -> linear_flow.Flow:
    """Entries, with the guest's work among them."""
    enter = [Enter(f"enter-{number}") for number in range(ENTRIES)]
    write = [Write(f"write-{word}", inject={"word": word}) for word in WORDS]
    flow = linear_flow.Flow(KIND).add(enter[0], write[0], enter[1])
    flow.add(unordered_flow.Flow("beside").add(enter[2], enter[3], enter[4]))
    return flow.add(write[1], enter[5], enter[6], Fail())


def _ended(_session: Session, _ending: Ending) -> None:
    """The entries say it all."""


@functools.cache
def register() -> None:
    """Make the kind known to this process."""
    kind = Kind(KIND, "Ledger", 1, "NORMAL", "instance", "RESIZING")
    REGISTRY.add(Definition(kind, build, _ended, {"path": "", "fails": False}))


def create_table(engine: sa.Engine) -> None:
    """Where the entries go."""
    _METADATA.create_all(engine)


def expected(fails: bool) -> tuple[State, list[str], list[str]]:
    """How such an operation ends, its entries in SQL, and its lines on the guest; both sorted."""
    entries = [f"enter-{number}" for number in range(ENTRIES)]
    if not fails:
        return State.SUCCESS, [f"+{name}" for name in entries], sorted(WORDS)
    undone = [f"un{word}" for word in WORDS]
    return State.REVERTED, sorted(f"{sign}{name}" for sign in "+-" for name in entries), sorted([*WORDS, *undone])


def lines(path: pathlib.Path) -> list[str]:
    """What the guest wrote."""
    return sorted(path.read_text().split()) if path.exists() else []


def entries_of(session: Session, operation_id: str) -> list[sa.Row[Any]]:
    """In the order in which they were made."""
    return list(
        session.execute(sa.select(EFFECTS).where(EFFECTS.c.operation_id == operation_id).order_by(EFFECTS.c.id))
    )
