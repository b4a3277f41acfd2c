# SPDX-License-Identifier: Apache-2.0
"""Authorities, and the certificates of instances."""

import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from dbflow.db.migrations import once

revision = "0011"
down_revision = "0010"

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LongText = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    once.create_table(
        "authorities",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("certificate", sa.Text(), nullable=False),
        sa.Column("sealed", sa.Text(), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.Column("signs_from", Time, nullable=False),
        sa.Column("expires", Time, nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("project_id", "number", name="authorities_of_project"),
    )
    once.create_index("ix_authorities_expires", "authorities", ["expires"])
    once.create_table(
        "instance_tls",
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("mode", sa.String(length=16), nullable=False),
        sa.Column("certificate", LongText, nullable=True),
        sa.Column("expires", Time, nullable=True),
        sa.Column("authority_id", sa.String(length=36), nullable=True),
        sa.Column("known", sa.String(length=64), nullable=True),
        sa.Column("container_ref", sa.Text(), nullable=True),
        sa.Column("password_ref", sa.Text(), nullable=True),
        sa.Column("previous", sa.JSON(), nullable=True),
        sa.Column("sealed", LongText, nullable=True),
        sa.PrimaryKeyConstraint("instance_id"),
    )
    once.create_index("ix_instance_tls_expires", "instance_tls", ["expires"])
