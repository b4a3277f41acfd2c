# SPDX-License-Identifier: Apache-2.0
"""Sources of replicas, the copies that these are made from, and operations that have several instances."""

import sqlalchemy as sa

from dbflow.db.migrations import once

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    once.add_column("instances", sa.Column("replication", sa.Text(), nullable=True))
    once.add_column("backups", sa.Column("internal", sa.Boolean(), nullable=False, server_default=sa.false()))
    once.add_column("operations", sa.Column("members", sa.JSON(), nullable=True))
