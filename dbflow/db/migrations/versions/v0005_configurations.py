# SPDX-License-Identifier: Apache-2.0
"""Configuration groups and what they may set."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from dbflow.db.migrations import once

revision = "0005"
down_revision = "0004"

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    once.create_table(
        "configuration_parameters",
        sa.Column("datastore_version_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("type", sa.String(length=16), nullable=False),
        sa.Column("restart_required", sa.Boolean(), nullable=False),
        sa.Column("bounds", sa.JSON(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["datastore_version_id"], ["datastore_versions.id"]),
        sa.PrimaryKeyConstraint("datastore_version_id", "name"),
    )
    once.create_table(
        "configurations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("datastore_version_id", sa.String(length=36), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("operation_id", sa.String(length=36), nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.ForeignKeyConstraint(["datastore_version_id"], ["datastore_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    once.create_index("configurations_of_project", "configurations", ["project_id", "created", "id"])
    once.add_column("instances", sa.Column("restart_required", sa.Boolean(), server_default=sa.false(), nullable=False))
    once.create_index("ix_instances_configuration_id", "instances", ["configuration_id"])
