# SPDX-License-Identifier: Apache-2.0
"""How instances use TLS: rows that are written, and written back."""

import datetime
from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from dbflow.db.models import InstanceTls
from dbflow.tlsmode import Mode

_KEPT = ("mode", "certificate", "expires", "authority_id", "known", "container_ref", "password_ref", "previous")


def put(session: Session, instance_id: str, **columns: Any) -> None:
    """Set columns; makes the row if there is none."""
    row = session.get(InstanceTls, instance_id)
    if row is None:
        session.add(InstanceTls(instance_id=instance_id, **{"mode": Mode.BUILTIN, **columns}))
        return
    for name, value in columns.items():
        setattr(row, name, value)


def kept(session: Session, instance_id: str) -> dict[str, Any] | None:
    """What :func:`put_back` takes; JSON."""
    row = session.get(InstanceTls, instance_id)
    if row is None:
        return None
    found = {name: getattr(row, name) for name in _KEPT}
    return {**found, "expires": row.expires.isoformat() if row.expires else None}


def put_back(session: Session, instance_id: str, before: Mapping[str, Any] | None) -> None:
    """The row as it was; None: there was none."""
    if before is None:
        row = session.get(InstanceTls, instance_id)
        if row is not None:
            session.delete(row)
        return
    put(session, instance_id, **{**before, "expires": moment(before["expires"])})


def doubt(session: Session, instance_id: str, before: Mapping[str, Any] | None) -> None:
    """The row as it was; but what the server has is not known, so one of dbflow's own is to be renewed soon."""
    put_back(session, instance_id, before)
    if before is not None and before["mode"] == Mode.BUILTIN:
        put(session, instance_id, known=None)


def forget(session: Session, instance_id: str) -> None:
    """What was sealed for an operation that has ended."""
    row = session.get(InstanceTls, instance_id)
    if row is not None:
        row.sealed = None


def moment(text: str | None) -> datetime.datetime | None:
    """Of its ISO form."""
    return datetime.datetime.fromisoformat(text) if text else None
