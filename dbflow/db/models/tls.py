# SPDX-License-Identifier: Apache-2.0
"""Authorities, and the certificates of instances."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dbflow.db.models.base import Base, Id, LongText, new_id, utcnow


class Authority(Base):
    """Who issues the certificates of a project's servers; the newest that may sign does."""

    __tablename__ = "authorities"
    __table_args__ = (sa.UniqueConstraint("project_id", "number", name="authorities_of_project"),)
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    project_id: Mapped[str]
    number: Mapped[int]
    """From 1, in the order in which they were made."""
    certificate: Mapped[str] = mapped_column(sa.Text)
    """PEM."""
    sealed: Mapped[str] = mapped_column(sa.Text)
    """Its private key, sealed by the keyring."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    signs_from: Mapped[datetime.datetime]
    """Until then it is only made known to clients."""
    expires: Mapped[datetime.datetime] = mapped_column(index=True)


class InstanceTls(Base):
    """How an instance's server uses TLS. None of an instance that was never given a certificate."""

    __tablename__ = "instance_tls"
    instance_id: Mapped[str] = mapped_column(Id, primary_key=True)
    mode: Mapped[str] = mapped_column(sa.String(16))
    """A name of dbflow.tlsmode.Mode."""
    certificate: Mapped[str | None] = mapped_column(LongText)
    """PEM: the server's, and those between it and its authority."""
    expires: Mapped[datetime.datetime | None] = mapped_column(index=True)
    authority_id: Mapped[str | None] = mapped_column(Id)
    """Who issued it; None: its owner brought it."""
    known: Mapped[str | None] = mapped_column(sa.String(64))
    """Which authorities the machine knows (see dbflow.authorities.known)."""
    container_ref: Mapped[str | None] = mapped_column(sa.Text)
    password_ref: Mapped[str | None] = mapped_column(sa.Text)
    """Where the owner keeps certificate and key, and the password of that."""
    previous: Mapped[dict[str, Any] | None]
    """{"mode", "container_ref", "password_ref"} before the last change."""
    sealed: Mapped[str | None] = mapped_column(LongText)
    """What the operation that changes it gives the guests, private key and all; sealed, and only while it runs."""
