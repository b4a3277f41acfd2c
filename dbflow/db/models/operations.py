# SPDX-License-Identifier: Apache-2.0
"""What users asked for, and who does it."""

import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from dbflow.db.models.base import Base, Id, LongText, new_id, utcnow


class Operation(Base):
    """What a user asked for: one job, one flow. Also the outbox and the audit trail."""

    __tablename__ = "operations"
    __table_args__ = (
        sa.Index("operations_by_state", "state", "created"),
        sa.Index("operations_of_project", "project_id", "created"),
        sa.Index("operations_of_target", "target_id", "created"),
        # Administrators look at those of all projects, newest first.
        sa.Index("operations_by_created", "created", "id"),
    )
    id: Mapped[str] = mapped_column(Id, primary_key=True, default=new_id)
    kind: Mapped[str] = mapped_column(sa.String(64))
    version: Mapped[int]
    """Version of the flow's definition when it was accepted."""
    target_type: Mapped[str] = mapped_column(sa.String(32))
    target_id: Mapped[str] = mapped_column(Id)
    project_id: Mapped[str]
    user_id: Mapped[str]
    request_id: Mapped[str | None]
    priority: Mapped[str] = mapped_column(sa.String(16), default="NORMAL")
    state: Mapped[str] = mapped_column(sa.String(16), default="ACCEPTED")
    """A name of dbflow.operations.State."""
    requested: Mapped[str | None] = mapped_column(sa.String(16))
    """What somebody wants of it while it runs: "cancel" or "suspend"."""
    after_id: Mapped[str | None] = mapped_column(Id, index=True)
    """Not to be posted before this operation has ended."""
    epoch: Mapped[int] = mapped_column(sa.BigInteger, default=0)
    """The fencing token of the claim that may write (DESIGN: fence)."""
    attempts: Mapped[int] = mapped_column(default=0)
    """How often it was claimed."""
    conductor: Mapped[str | None]
    """Who claimed it last."""
    arguments: Mapped[str] = mapped_column(LongText)
    """JSON, sealed by the keyring: may hold passwords."""
    flow_uuid: Mapped[str] = mapped_column(Id, unique=True, default=new_id)
    error: Mapped[str | None] = mapped_column(sa.Text)
    """Why it failed, in words for its user; None while all is well."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    started: Mapped[datetime.datetime | None]
    finished: Mapped[datetime.datetime | None]
    since: Mapped[datetime.datetime | None]
    """From when its deadline counts, where that is not its creation: when it was resumed, retried or last expired."""
    released_epoch: Mapped[int | None] = mapped_column(sa.BigInteger)
    """The claim that an administrator wants to be given up."""
    notice: Mapped[dict[str, Any] | None]
    """What it was announced with, for the notification of its end; None where nobody is told."""
    members: Mapped[list[Any] | None]
    """Ids of the other instances that it has to itself, where there are any."""
    note: Mapped[str | None] = mapped_column(sa.Text)
    """What its user should know of it, beside its kind."""


class Conductor(Base):
    """Conductor processes, as they report themselves."""

    __tablename__ = "conductors"
    name: Mapped[str] = mapped_column(primary_key=True)
    host: Mapped[str]
    pid: Mapped[int]
    version: Mapped[str]
    leader: Mapped[bool] = mapped_column(default=False)
    flows: Mapped[int] = mapped_column(default=0)
    started: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    seen: Mapped[datetime.datetime] = mapped_column(default=utcnow)
    orphans: Mapped[int | None]
    """How many it reports; only of the leader."""
    draining: Mapped[bool] = mapped_column(default=False)
    """Whether it is to claim nothing more; an administrator's wish, which it obeys."""


class IdempotencyKey(Base):
    """The answer once given to a POST that carried an Idempotency-Key."""

    __tablename__ = "idempotency_keys"
    project_id: Mapped[str] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[str] = mapped_column(sa.String(64))
    """SHA-256 of method, path and body: the same key with another request is refused."""
    status: Mapped[int | None]
    """None while the first request is still being answered."""
    answer: Mapped[str | None] = mapped_column(LongText)
    """Body and headers, sealed."""
    created: Mapped[datetime.datetime] = mapped_column(default=utcnow, index=True)
