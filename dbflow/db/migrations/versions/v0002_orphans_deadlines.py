# SPDX-License-Identifier: Apache-2.0
"""What the leader reports (orphans) and what it counts from (deadlines)."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from dbflow.db.migrations import once

revision = "0002"
down_revision = "0001"

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    once.create_table(
        "orphans",
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("instance_id", sa.String(length=255), nullable=False),
        sa.Column("first_seen", Time, nullable=False),
        sa.Column("last_seen", Time, nullable=False),
        sa.PrimaryKeyConstraint("kind", "instance_id"),
    )
    once.add_column("conductors", sa.Column("orphans", sa.Integer(), nullable=True))
    once.add_column("operations", sa.Column("since", Time, nullable=True))
