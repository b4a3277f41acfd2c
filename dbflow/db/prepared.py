# SPDX-License-Identifier: Apache-2.0
"""Statements that every step of every flow runs: compiled once, their rows handed straight to the driver.

SQLAlchemy's own way costs several times what the database takes for them.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

Row = Mapping[str, Any]


class Prepared:
    """One statement for one kind of database."""

    def __init__(self, statement: sa.Executable, dialect: sa.Dialect) -> None:
        compiled: Any = statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        self._sql = str(compiled)
        self._positions: list[str] | None = compiled.positiontup
        """Names of the parameters in their order; None where the driver takes them by name."""
        convert = {
            name: bind.type.dialect_impl(dialect).bind_processor(dialect) for name, bind in compiled.binds.items()
        }
        self._convert = {name: convert[name] for name in convert if convert[name] is not None}

    def run(self, cursor: Any, rows: Sequence[Row]) -> None:
        """Once for each row, of which there is at least one."""
        if len(rows) == 1:
            cursor.execute(self._sql, self._ready(rows[0]))
        else:
            cursor.executemany(self._sql, [self._ready(row) for row in rows])

    def _ready(self, row: Row) -> dict[str, Any] | tuple[Any, ...]:
        values = dict(row)
        for name, convert in self._convert.items():
            values[name] = convert(values[name])
        return values if self._positions is None else tuple(values[name] for name in self._positions)


def upsert(table: sa.Table, fixed: Sequence[str], changing: Sequence[str], dialect: sa.Dialect) -> Prepared:
    """Make a row, or give the one with its primary key the new values of the columns that change."""
    values = {name: sa.bindparam(name, type_=table.c[name].type) for name in (*fixed, *changing)}
    if dialect.name in ("mysql", "mariadb"):
        ours = mysql.insert(table).values(values)
        return Prepared(ours.on_duplicate_key_update({name: ours.inserted[name] for name in changing}), dialect)
    insert = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
    made: Any = insert(table).values(values)
    return Prepared(
        made.on_conflict_do_update(
            index_elements=list(table.primary_key), set_={name: made.excluded[name] for name in changing}
        ),
        dialect,
    )
