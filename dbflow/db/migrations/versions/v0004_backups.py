# SPDX-License-Identifier: Apache-2.0
"""Backups, where they go, and the keys they are encrypted with."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from dbflow.db.migrations import once

revision = "0004"
down_revision = "0003"

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")


def upgrade() -> None:
    once.create_table(
        "backup_strategies",
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("container", sa.String(length=255), nullable=False),
        sa.Column("strategy", sa.String(length=32), nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "instance_id"),
    )
    once.create_table(
        "project_keys",
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.PrimaryKeyConstraint("project_id"),
    )
    once.create_table(
        "backups",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("instance_id", sa.String(length=36), nullable=True),
        sa.Column("parent_id", sa.String(length=36), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("operation_id", sa.String(length=36), nullable=True),
        sa.Column("made_by", sa.String(length=36), nullable=True),
        sa.Column("strategy", sa.String(length=32), nullable=False),
        sa.Column("datastore_version_id", sa.String(length=36), nullable=False),
        sa.Column("container", sa.String(length=255), nullable=False),
        sa.Column("prefix", sa.String(length=255), nullable=False),
        sa.Column("registered", sa.Boolean(), nullable=False),
        sa.Column("location", sa.String(length=1024), nullable=True),
        sa.Column("checksum", sa.String(length=64), nullable=True),
        sa.Column("size", sa.Double(), nullable=True),
        sa.Column("stored", sa.BigInteger(), nullable=True),
        sa.Column("position", sa.JSON(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", Time, nullable=True),
        sa.ForeignKeyConstraint(["datastore_version_id"], ["datastore_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    once.create_index("backups_of_instance", "backups", ["instance_id", "deleted", "updated"])
    once.create_index("backups_of_project", "backups", ["project_id", "deleted", "updated"])
    once.create_index("ix_backups_parent_id", "backups", ["parent_id"])
    once.add_column("instances", sa.Column("restoring_id", sa.String(length=36), nullable=True))
    once.create_index("ix_instances_restoring_id", "instances", ["restoring_id"])
