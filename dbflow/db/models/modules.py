# SPDX-License-Identifier: Apache-2.0
"""Modules, and which instances have them."""

import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dbflow.db.models.base import Base, Id, LongText, new_id, utcnow


class Module(Base):
    """Something that is put on instances: statements, a licence key, whatever its type makes of its contents."""

    __tablename__ = "modules"
    __table_args__ = (sa.Index("modules_of_project", "project_id", "deleted", "name"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str]
    type: Mapped[str] = mapped_column(sa.String(64))
    """A name of dbflow.modules."""
    description: Mapped[str | None] = mapped_column(sa.Text)
    project_id: Mapped[str | None]
    """None: every project's."""
    datastore_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("datastores.id"))
    """None: for instances of any."""
    datastore_version_id: Mapped[str | None] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"))
    contents: Mapped[str] = mapped_column(LongText)
    """Base64, sealed by the keyring."""
    md5: Mapped[str] = mapped_column(sa.String(32))
    """Of the base64 text, as Trove has it."""
    auto_apply: Mapped[bool] = mapped_column(default=False)
    visible: Mapped[bool] = mapped_column(default=True)
    live_update: Mapped[bool] = mapped_column(default=False)
    """Whether its contents may change, and it may be deleted, while instances have it."""
    priority_apply: Mapped[bool] = mapped_column(default=False)
    apply_order: Mapped[int] = mapped_column(default=5)
    is_admin: Mapped[bool] = mapped_column(default=False)
    """Only administrators may change it."""
    place: Mapped[str | None] = mapped_column(sa.String(64), unique=True)
    """Digest of name, type, project and datastore, of which there can be only one; None once it is deleted."""
    operation_id: Mapped[str | None] = mapped_column(Id)
    """The operation that gives it to its instances again; it stays as it is meanwhile."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    deleted: Mapped[bool] = mapped_column(default=False)
    """It is there for the instances that have it still."""


class InstanceModule(Base):
    """That an instance has a module, or is being given it."""

    __tablename__ = "instance_modules"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    module_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("modules.id"), primary_key=True, index=True)
    md5: Mapped[str | None] = mapped_column(sa.String(32))
    """Of the contents that it has; None before it has any, and where it could not be got rid of again."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)
