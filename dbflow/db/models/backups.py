# SPDX-License-Identifier: Apache-2.0
"""Backups, and with which keys they are sealed."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dbflow.db.models.base import Base, Id, new_id, utcnow


class Backup(Base):
    """A copy of an instance's data in the object store, or the difference to an earlier one."""

    __tablename__ = "backups"
    __table_args__ = (
        sa.Index("backups_of_project", "project_id", "deleted", "updated"),
        sa.Index("backups_of_instance", "instance_id", "deleted", "updated"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(sa.Text)
    project_id: Mapped[str]
    user_id: Mapped[str]
    instance_id: Mapped[str | None] = mapped_column(Id)
    """None of one that was registered: it was made elsewhere. Instances go, their backups stay."""
    parent_id: Mapped[str | None] = mapped_column(Id, index=True)
    """The backup that this one is the difference to."""
    state: Mapped[str] = mapped_column(sa.String(16), default="NEW")
    """A name of dbflow.status.BackupState."""
    operation_id: Mapped[str | None] = mapped_column(Id)
    """The one operation that may change it now."""
    made_by: Mapped[str | None] = mapped_column(Id)
    """The operation that made it."""
    strategy: Mapped[str] = mapped_column(sa.String(32))
    """How it is made: a name of dbflow.datastores.Strategy."""
    datastore_version_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"))
    container: Mapped[str]
    prefix: Mapped[str]
    """Of the names of its objects in the container."""
    registered: Mapped[bool] = mapped_column(default=False)
    """Made elsewhere: its objects are not ours to delete."""
    location: Mapped[str | None] = mapped_column(sa.String(1024))
    """URL of its manifest."""
    checksum: Mapped[str | None] = mapped_column(sa.String(64))
    """SHA-256 of its manifest, in hex."""
    size: Mapped[float | None] = mapped_column(sa.Double)
    """GiB that the data took on the volume."""
    stored: Mapped[int | None] = mapped_column(sa.BigInteger)
    """Bytes of its segments in the object store."""
    position: Mapped[dict[str, Any] | None]
    """Where an incremental one goes on, as the datastore has it: {"to_lsn": "46871", "gtid": "0-1-7"}."""
    error: Mapped[str | None] = mapped_column(sa.Text)
    """Why it failed, in words."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    deleted: Mapped[bool] = mapped_column(default=False)
    deleted_at: Mapped[datetime.datetime | None]
    internal: Mapped[bool] = mapped_column(default=False)
    """A copy that replicas are made from: nobody sees it, and it goes with the operation that made it."""


class BackupStrategy(Base):
    """Where, and how, the backups of a project or of one instance are made when a request does not say."""

    __tablename__ = "backup_strategies"
    project_id: Mapped[str] = mapped_column(primary_key=True)
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True, default="")
    """Empty for the whole project."""
    container: Mapped[str]
    strategy: Mapped[str | None] = mapped_column(sa.String(32))
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class ProjectKey(Base):
    """The secret that the keys of a project's backups are derived from."""

    __tablename__ = "project_keys"
    project_id: Mapped[str] = mapped_column(primary_key=True)
    sealed: Mapped[str] = mapped_column(sa.Text)
    """By the keyring."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
