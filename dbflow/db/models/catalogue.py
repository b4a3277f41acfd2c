# SPDX-License-Identifier: Apache-2.0
"""What instances are made of, and how they are configured."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dbflow.db.models.base import Base, Id, new_id, utcnow


class Datastore(Base):
    """A kind of database, such as mariadb."""

    __tablename__ = "datastores"
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str] = mapped_column(unique=True)
    default_version_id: Mapped[str | None] = mapped_column(Id)
    deleted: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """It has no versions any more, and is there for what was made of them; created again, it is the same one."""


class DatastoreVersion(Base):
    """A version of a datastore that an instance can be made of."""

    __tablename__ = "datastore_versions"
    __table_args__ = (sa.UniqueConstraint("datastore_id", "name", "version"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    datastore_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastores.id"))
    name: Mapped[str]
    version: Mapped[str]
    """The number, such as 10.11.14; ``name`` is what users call it."""
    manager: Mapped[str]
    """Which plug-in serves it."""
    image_id: Mapped[str | None]
    image_tags: Mapped[list[Any]] = mapped_column(default=list)
    packages: Mapped[list[Any]] = mapped_column(default=list)
    active: Mapped[bool] = mapped_column(default=True)
    registry_ext: Mapped[str | None]
    repl_strategy: Mapped[str | None]
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow, onupdate=utcnow)
    deleted: Mapped[bool] = mapped_column(default=False, server_default=sa.false())
    """It is there for the deleted instances that were made of it; created again, it is the same one."""


class ConfigurationParameter(Base):
    """A parameter that configuration groups of a version may set: the version's own, so that an administrator can
    change what it takes (see dbflow.datastores.parameters)."""

    __tablename__ = "configuration_parameters"
    datastore_version_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"), primary_key=True)
    name: Mapped[str] = mapped_column(sa.String(64), primary_key=True)
    type: Mapped[str] = mapped_column(sa.String(16))
    restart_required: Mapped[bool] = mapped_column(default=False)
    bounds: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """{"min", "max", "words", "several"}, whatever there is; numbers go beyond SQL's integers."""
    deleted: Mapped[bool] = mapped_column(default=False)
    """Taken away by an administrator: not to be made known again."""


class Configuration(Base):
    """A configuration group: values of parameters, for any number of instances of one version."""

    __tablename__ = "configurations"
    __table_args__ = (sa.Index("configurations_of_project", "project_id", "created", "id"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    name: Mapped[str]
    description: Mapped[str | None] = mapped_column(sa.Text)
    project_id: Mapped[str]
    datastore_version_id: Mapped[str] = mapped_column(Id, sa.ForeignKey("datastore_versions.id"))
    settings: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """Parameter -> value."""
    operation_id: Mapped[str | None] = mapped_column(Id)
    """The one operation that may change it now, and its instances with it."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    updated: Mapped[datetime.datetime] = mapped_column(default=utcnow)
