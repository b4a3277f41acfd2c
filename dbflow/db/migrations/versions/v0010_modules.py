# SPDX-License-Identifier: Apache-2.0
"""Modules, and which instances have them."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from dbflow.db.migrations import once

revision = "0010"
down_revision = "0009"

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LongText = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    once.create_table(
        "modules",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("type", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("project_id", sa.String(length=255), nullable=True),
        sa.Column("datastore_id", sa.String(length=36), nullable=True),
        sa.Column("datastore_version_id", sa.String(length=36), nullable=True),
        sa.Column("contents", LongText, nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=False),
        sa.Column("auto_apply", sa.Boolean(), nullable=False),
        sa.Column("visible", sa.Boolean(), nullable=False),
        sa.Column("live_update", sa.Boolean(), nullable=False),
        sa.Column("priority_apply", sa.Boolean(), nullable=False),
        sa.Column("apply_order", sa.Integer(), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("place", sa.String(length=64), nullable=True),
        sa.Column("operation_id", sa.String(length=36), nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["datastore_id"], ["datastores.id"]),
        sa.ForeignKeyConstraint(["datastore_version_id"], ["datastore_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("place"),
    )
    once.create_index("modules_of_project", "modules", ["project_id", "deleted", "name"])
    once.create_table(
        "instance_modules",
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("module_id", sa.String(length=36), nullable=False),
        sa.Column("md5", sa.String(length=32), nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.ForeignKeyConstraint(["module_id"], ["modules.id"]),
        sa.PrimaryKeyConstraint("instance_id", "module_id"),
    )
    once.create_index("ix_instance_modules_module_id", "instance_modules", ["module_id"])
