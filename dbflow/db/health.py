# SPDX-License-Identifier: Apache-2.0
"""Writing down how guests are, whoever heard it and in whatever order."""

import functools
from collections.abc import Sequence
from typing import Any, cast

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, sqlite
from sqlalchemy.orm import Session

from dbflow.db.models import Health

_TABLE = cast(sa.Table, Health.__table__)
_COLUMNS = [column.name for column in _TABLE.columns if column.name != "instance_id"]
_FORGET_CLOCK = 30
"""Seconds after which a guest whose clock was set back is believed again."""


def save_health(session: Session, rows: Sequence[dict[str, Any]]) -> None:
    """Insert, or replace what the guest said earlier; ``rows`` have every column of Health.

    Conductors hear a guest side by side, so what it said first may be written last: its own clock (``at``) decides.
    """
    if rows:
        session.execute(upsert(session.get_bind().dialect.name), list(rows))


@functools.cache
def upsert(dialect: str) -> Any:
    """The statement for a dialect; takes the columns of Health. Of parameters it has no others, and those in VALUES
    alone: PyMySQL can't take several rows at once otherwise."""
    if dialect == "sqlite":
        lite = sqlite.insert(_TABLE)
        return lite.on_conflict_do_update(
            index_elements=["instance_id"],
            set_={name: lite.excluded[name] for name in _COLUMNS},
            where=sa.or_(
                _TABLE.c.at <= lite.excluded.at,
                sa.func.julianday(lite.excluded.seen) - sa.func.julianday(_TABLE.c.seen)
                > sa.literal_column(f"{_FORGET_CLOCK} / 86400.0"),
            ),
        )
    my = mysql.insert(_TABLE)
    silent = sa.func.timestampdiff(sa.text("SECOND"), _TABLE.c.seen, my.inserted.seen)
    newer = sa.or_(_TABLE.c.at <= my.inserted.at, silent > sa.literal_column(str(_FORGET_CLOCK)))
    # Assigned from left to right: what is compared comes last, and "at" before "seen", which would belie it.
    ordered = sorted(_COLUMNS, key=lambda name: {"at": 1, "seen": 2}.get(name, 0))
    return my.on_duplicate_key_update(
        [(name, sa.func.if_(newer, my.inserted[name], _TABLE.c[name])) for name in ordered]
    )
