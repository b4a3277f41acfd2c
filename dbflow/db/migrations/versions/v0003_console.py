# SPDX-License-Identifier: Apache-2.0
"""Conductors can be told to drain; operations of all projects are listed by their age."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.add_column("conductors", sa.Column("draining", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("operations_by_created", "operations", ["created", "id"])
