# SPDX-License-Identifier: Apache-2.0
"""Instances, and what is known of them."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dbflow.db.models.base import Base, Id, new_id, utcnow


class Instance(Base):
    """A database server and what belongs to it."""

    __tablename__ = "instances"
    __table_args__ = (
        sa.Index("instances_of_project", "project_id", "deleted", "created", "id"),
        sa.Index("instances_by_created", "deleted", "created", "id"),
        # Covers the quota's sums, which every create makes.
        sa.Index("instances_in_quota", "project_id", "deleted", "ram", "quota_volume"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str]
    project_id: Mapped[str]
    user_id: Mapped[str]
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    deleted: Mapped[bool] = mapped_column(default=False)
    deleted_at: Mapped[datetime.datetime | None]
    task: Mapped[str] = mapped_column(default="NONE")
    """What the control plane is doing with it: a name of dbflow.status.Task."""
    operation_id: Mapped[str | None] = mapped_column(Id)
    """The one operation that may change it now; the lock of DESIGN's "one running operation an instance"."""
    datastore_version_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"))
    flavor_id: Mapped[str]
    ram: Mapped[int] = mapped_column(default=0)
    """MiB it counts for in the quota: while a resize runs, the larger of the two flavors'."""
    volume_size: Mapped[int | None]
    """GiB; None where there is no volume."""
    quota_volume: Mapped[int] = mapped_column(default=0)
    """GiB it counts for in the quota: while a resize runs, the larger of the two sizes."""
    volume_type: Mapped[str | None]
    region: Mapped[str | None]
    availability_zone: Mapped[str | None]
    locality: Mapped[str | None]
    access: Mapped[dict[str, Any]] = mapped_column(default=dict)
    nics: Mapped[list[Any]] = mapped_column(default=list)
    addresses: Mapped[list[Any]] = mapped_column(default=list)
    """[{"address": "127.0.3.1", "type": "private"|"public", "network": id?}, …]"""
    hostname: Mapped[str | None]
    server_id: Mapped[str | None]
    volume_id: Mapped[str | None]
    port_id: Mapped[str | None]
    configuration_id: Mapped[str | None] = mapped_column(Id, index=True)
    replica_of_id: Mapped[str | None] = mapped_column(Id, index=True)
    fault: Mapped[dict[str, Any] | None]
    """{"message", "details", "created"}: why the last operation failed, in words for its user."""
    guest_key: Mapped[str | None] = mapped_column(sa.Text)
    """The instance's message key, sealed by the keyring."""
    restoring_id: Mapped[str | None] = mapped_column(Id, index=True)
    """The backup that it is being made from, which may not be deleted meanwhile."""
    restart_required: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """Its server runs with other values of parameters than it would start with; where nothing goes on, its task is
    RESTART_REQUIRED then."""
    replication: Mapped[str | None] = mapped_column(sa.Text)
    """Of a source of replicas: {"password"} of the account that they log in with, sealed by the keyring."""


class Health(Base):
    """The last heartbeat of each guest; a table of its own because it is written all the time."""

    __tablename__ = "instance_health"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    seen: Mapped[datetime.datetime]
    at: Mapped[float] = mapped_column(sa.Double, default=0.0)
    """When the guest said so, by its own clock (seconds since 1970): the order of what it says."""
    service_status: Mapped[str]
    """A name of dbflow.status.Service."""
    datastore_version: Mapped[str | None]
    agent_version: Mapped[str | None]
    volume_used: Mapped[float | None]
    """GiB"""
    volume_total: Mapped[float | None]
    """GiB"""
    position: Mapped[str | None]
    """Replication position (GTID, LSN)."""
    load: Mapped[dict[str, Any]] = mapped_column(default=dict)
    in_flight: Mapped[int] = mapped_column(default=0)


class Sample(Base):
    """How full and how busy an instance was: every so often one of its heartbeats, for a day (see db.samples)."""

    __tablename__ = "instance_samples"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    slot: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    """Its place in the day: a day later it is written over."""
    at: Mapped[datetime.datetime]
    volume_used: Mapped[float | None]
    """GiB"""
    load: Mapped[dict[str, Any]]


class RootHistory(Base):
    """Who first enabled root on an instance, and when."""

    __tablename__ = "root_history"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    user_id: Mapped[str]
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class Orphan(Base):
    """Something that carries an instance's name in the cloud or at the broker, and that no instance needs; or a deleted
    backup's in the object store."""

    __tablename__ = "orphans"
    kind: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    """server, volume, port, messages, objects"""
    instance_id: Mapped[str] = mapped_column(primary_key=True)
    """Of objects, the backup's id."""
    first_seen: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    last_seen: Mapped[datetime.datetime] = mapped_column(default=utcnow)
