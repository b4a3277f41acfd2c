# SPDX-License-Identifier: Apache-2.0
"""Conductors drain and give a claim up; operations of all projects by age; a day of each instance's load and use."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from dbflow.db.migrations import once

revision = "0003"
down_revision = "0002"

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    once.add_column("conductors", sa.Column("draining", sa.Boolean(), nullable=False, server_default=sa.false()))
    once.add_column("operations", sa.Column("released_epoch", sa.BigInteger(), nullable=True))
    once.create_index("operations_by_created", "operations", ["created", "id"])
    once.create_table(
        "instance_samples",
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("slot", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Time, nullable=False),
        sa.Column("volume_used", sa.Double(), nullable=True),
        sa.Column("load", sa.JSON(), nullable=False),
        sa.PrimaryKeyConstraint("instance_id", "slot"),
    )
