# SPDX-License-Identifier: Apache-2.0
"""Datastores and versions that are deleted stay for what was made of them."""

import sqlalchemy as sa

from dbflow.db.migrations import once

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    for table in ("datastores", "datastore_versions"):
        once.add_column(table, sa.Column("deleted", sa.Boolean(), server_default=sa.false(), nullable=False))
