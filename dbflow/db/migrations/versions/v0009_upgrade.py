# SPDX-License-Identifier: Apache-2.0
"""What the user of an operation should know of it."""

import sqlalchemy as sa

from dbflow.db.migrations import once

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    once.add_column("operations", sa.Column("note", sa.Text(), nullable=True))
