# SPDX-License-Identifier: Apache-2.0
"""What projects may have, and what is told of it."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dbflow.db.models.base import Base, Id, LongText, new_id, utcnow


class Quota(Base):
    """A project's own limits; resources without a row have the configured default. Also the row that a
    reservation locks (resource "") so that two creates at the limit can't both win."""

    __tablename__ = "quotas"
    project_id: Mapped[str] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    hard_limit: Mapped[int]


class Notification(Base):
    """An event that is to be sent, in order of its id; it goes when it was sent."""

    __tablename__ = "notifications"
    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer(), "sqlite"), primary_key=True)
    message_id: Mapped[str] = mapped_column(Id, default=new_id)
    """The same however often it is sent."""
    event_type: Mapped[str] = mapped_column(sa.String(64))
    publisher_id: Mapped[str]
    context: Mapped[dict[str, Any]]
    """Whose request it comes of."""
    payload: Mapped[str] = mapped_column(LongText)
    """JSON, without secrets."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)


class AuditPeriod(Base):
    """Until when something was told, such as which instances exist: the lock and the memory of who tells it."""

    __tablename__ = "audit_periods"
    name: Mapped[str] = mapped_column(sa.String(32), primary_key=True)
    until: Mapped[datetime.datetime]
