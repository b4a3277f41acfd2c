# SPDX-License-Identifier: Apache-2.0
"""Changes of the schema that are made unless they have been.

MariaDB commits at each of them, and notes the revision after the last: one that was killed in between begins anew.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op


def create_table(name: str, *columns: Any) -> None:
    """Unless there is one of that name."""
    if not _look().has_table(name):
        op.create_table(name, *columns)


def add_column(table: str, column: sa.Column[Any]) -> None:
    """Unless the table has one of that name."""
    if column.name not in {found["name"] for found in _look().get_columns(table)}:
        op.add_column(table, column)


def create_index(name: str, table: str, columns: list[str]) -> None:
    """Unless the table has one of that name."""
    if name not in {found["name"] for found in _look().get_indexes(table)}:
        op.create_index(name, table, columns)


def _look() -> sa.Inspector:
    """A new one each time: they remember."""
    return sa.inspect(op.get_bind())
