# SPDX-License-Identifier: Apache-2.0
"""Backups and backup strategies."""

from typing import Any

from dbflow.api.views import timestamp
from dbflow.db.models import BackupStrategy
from dbflow.services.backups import Seen

_BACKEND = "swift"
"""Whatever the store is: Trove's word for where backups are."""


def backup(seen: Seen) -> dict[str, Any]:
    """As in a list and alone. Keys that have no value yet are null here, as Trove has it."""
    row = seen.backup
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "locationRef": row.location,
        "instance_id": row.instance_id,
        "created": timestamp(row.created),
        "updated": timestamp(row.updated),
        "size": round(row.size, 2) if row.size is not None else None,
        "status": row.state,
        "parent_id": row.parent_id,
        "project_id": row.project_id,
        "datastore": {"type": seen.datastore, "version": seen.version.name, "version_id": seen.version.id},
    }


def strategy(row: BackupStrategy) -> dict[str, Any]:
    """One strategy."""
    shown = {
        "project_id": row.project_id,
        "instance_id": row.instance_id,
        "backend": _BACKEND,
        "swift_container": row.container,
    }
    return shown | ({"strategy": row.strategy} if row.strategy else {})
