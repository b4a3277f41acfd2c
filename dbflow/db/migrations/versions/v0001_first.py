# SPDX-License-Identifier: Apache-2.0
"""The first schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

revision = "0001"
down_revision = None

Time = sa.DateTime().with_variant(mysql.DATETIME(fsp=6), "mysql", "mariadb")
LongText = sa.Text().with_variant(mysql.LONGTEXT(), "mysql", "mariadb")


def upgrade() -> None:
    op.create_table(
        "conductors",
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("host", sa.String(length=255), nullable=False),
        sa.Column("pid", sa.Integer(), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("leader", sa.Boolean(), nullable=False),
        sa.Column("flows", sa.Integer(), nullable=False),
        sa.Column("started", Time, nullable=False),
        sa.Column("seen", Time, nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "datastores",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("default_version_id", sa.String(length=36), nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("answer", LongText, nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.PrimaryKeyConstraint("project_id", "user_id", "key"),
    )
    op.create_index("ix_idempotency_keys_created", "idempotency_keys", ["created"])

    op.create_table(
        "instance_health",
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("seen", Time, nullable=False),
        sa.Column("at", sa.Double(), nullable=False),
        sa.Column("service_status", sa.String(length=255), nullable=False),
        sa.Column("datastore_version", sa.String(length=255), nullable=True),
        sa.Column("agent_version", sa.String(length=255), nullable=True),
        sa.Column("volume_used", sa.Double(), nullable=True),
        sa.Column("volume_total", sa.Double(), nullable=True),
        sa.Column("position", sa.String(length=255), nullable=True),
        sa.Column("load", sa.JSON(), nullable=False),
        sa.Column("in_flight", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("instance_id"),
    )
    op.create_table(
        "logbooks",
        sa.Column("uuid", sa.String(length=64), nullable=False),
        sa.Column("created_at", Time, nullable=True),
        sa.Column("updated_at", Time, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("meta", sa.JSON(), nullable=True),
        sa.PrimaryKeyConstraint("uuid"),
    )
    op.create_index("ix_logbooks_created_at", "logbooks", ["created_at"])

    op.create_table(
        "operations",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("target_type", sa.String(length=32), nullable=False),
        sa.Column("target_id", sa.String(length=36), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("request_id", sa.String(length=255), nullable=True),
        sa.Column("priority", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("requested", sa.String(length=16), nullable=True),
        sa.Column("after_id", sa.String(length=36), nullable=True),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("conductor", sa.String(length=255), nullable=True),
        sa.Column("arguments", LongText, nullable=False),
        sa.Column("flow_uuid", sa.String(length=36), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.Column("started", Time, nullable=True),
        sa.Column("finished", Time, nullable=True),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("flow_uuid"),
    )
    op.create_index("ix_operations_after_id", "operations", ["after_id"])
    op.create_index("operations_by_state", "operations", ["state", "created"])
    op.create_index("operations_of_project", "operations", ["project_id", "created"])
    op.create_index("operations_of_target", "operations", ["target_id", "created"])

    op.create_table(
        "quotas",
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("resource", sa.String(length=32), nullable=False),
        sa.Column("hard_limit", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("project_id", "resource"),
    )
    op.create_table(
        "root_history",
        sa.Column("instance_id", sa.String(length=36), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.PrimaryKeyConstraint("instance_id"),
    )
    op.create_table(
        "datastore_versions",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("datastore_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("version", sa.String(length=255), nullable=False),
        sa.Column("manager", sa.String(length=255), nullable=False),
        sa.Column("image_id", sa.String(length=255), nullable=True),
        sa.Column("image_tags", sa.JSON(), nullable=False),
        sa.Column("packages", sa.JSON(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("registry_ext", sa.String(length=255), nullable=True),
        sa.Column("repl_strategy", sa.String(length=255), nullable=True),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.ForeignKeyConstraint(["datastore_id"], ["datastores.id"]),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("datastore_id", "name", "version"),
    )
    op.create_table(
        "flowdetails",
        sa.Column("uuid", sa.String(length=64), nullable=False),
        sa.Column("parent_uuid", sa.String(length=64), nullable=True),
        sa.Column("created_at", Time, nullable=True),
        sa.Column("updated_at", Time, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("state", sa.String(length=255), nullable=True),
        sa.Column("meta", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["parent_uuid"], ["logbooks.uuid"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uuid"),
    )
    op.create_index("ix_flowdetails_parent_uuid", "flowdetails", ["parent_uuid"])

    op.create_table(
        "atomdetails",
        sa.Column("uuid", sa.String(length=64), nullable=False),
        sa.Column("parent_uuid", sa.String(length=64), nullable=True),
        sa.Column("created_at", Time, nullable=True),
        sa.Column("updated_at", Time, nullable=True),
        sa.Column("name", sa.String(length=255), nullable=True),
        sa.Column("version", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=255), nullable=True),
        sa.Column("intention", sa.Enum("EXECUTE", "IGNORE", "REVERT", "RETRY", name="intentions"), nullable=True),
        sa.Column("atom_type", sa.Enum("RETRY_DETAIL", "TASK_DETAIL", name="atom_types"), nullable=True),
        sa.Column("meta", sa.JSON(), nullable=True),
        sa.Column("results", LongText, nullable=True),
        sa.Column("failure", LongText, nullable=True),
        sa.Column("revert_results", LongText, nullable=True),
        sa.Column("revert_failure", LongText, nullable=True),
        sa.ForeignKeyConstraint(["parent_uuid"], ["flowdetails.uuid"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("uuid"),
    )
    op.create_index("ix_atomdetails_parent_uuid", "atomdetails", ["parent_uuid"])

    op.create_table(
        "instances",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=255), nullable=False),
        sa.Column("project_id", sa.String(length=255), nullable=False),
        sa.Column("user_id", sa.String(length=255), nullable=False),
        sa.Column("created", Time, nullable=False),
        sa.Column("updated", Time, nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("deleted_at", Time, nullable=True),
        sa.Column("task", sa.String(length=255), nullable=False),
        sa.Column("operation_id", sa.String(length=36), nullable=True),
        sa.Column("datastore_version_id", sa.String(length=36), nullable=False),
        sa.Column("flavor_id", sa.String(length=255), nullable=False),
        sa.Column("ram", sa.Integer(), nullable=False),
        sa.Column("volume_size", sa.Integer(), nullable=True),
        sa.Column("quota_volume", sa.Integer(), nullable=False),
        sa.Column("volume_type", sa.String(length=255), nullable=True),
        sa.Column("region", sa.String(length=255), nullable=True),
        sa.Column("availability_zone", sa.String(length=255), nullable=True),
        sa.Column("locality", sa.String(length=255), nullable=True),
        sa.Column("access", sa.JSON(), nullable=False),
        sa.Column("nics", sa.JSON(), nullable=False),
        sa.Column("addresses", sa.JSON(), nullable=False),
        sa.Column("hostname", sa.String(length=255), nullable=True),
        sa.Column("server_id", sa.String(length=255), nullable=True),
        sa.Column("volume_id", sa.String(length=255), nullable=True),
        sa.Column("port_id", sa.String(length=255), nullable=True),
        sa.Column("configuration_id", sa.String(length=36), nullable=True),
        sa.Column("replica_of_id", sa.String(length=36), nullable=True),
        sa.Column("fault", sa.JSON(), nullable=True),
        sa.Column("guest_key", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["datastore_version_id"], ["datastore_versions.id"]),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("instances_by_created", "instances", ["deleted", "created", "id"])
    op.create_index("instances_in_quota", "instances", ["project_id", "deleted", "ram", "quota_volume"])
    op.create_index("instances_of_project", "instances", ["project_id", "deleted", "created", "id"])
    op.create_index("ix_instances_replica_of_id", "instances", ["replica_of_id"])
