# SPDX-License-Identifier: Apache-2.0
"""Rows of backups, as other services load them too, and what may be done with them."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from dbflow.db.backups import descendants_of_each
from dbflow.db.models import Backup, Instance
from dbflow.services.context import Caller
from dbflow.services.errors import NotFound
from dbflow.status import BACKING_UP


def missing(backup_id: str) -> NotFound:
    """The error for a backup that is not there or not this caller's."""
    return NotFound(f"Backup {backup_id[:255]} cannot be found.")


def of_reference(reference: str) -> str:
    """The id at the end of an id or a link."""
    return reference.rstrip("/").rsplit("/", 1)[-1]


def load(session: Session, caller: Caller, backup_id: str, *, lock: bool = False) -> Backup:
    """The backup itself; ``lock`` keeps others from changing it."""
    query = sa.select(Backup).where(Backup.id == backup_id, Backup.deleted == sa.false())
    if lock:
        query = query.with_for_update().execution_options(populate_existing=True)
    found = session.scalar(query)
    if found is None or not (caller.is_admin or found.project_id == caller.project_id):
        raise missing(backup_id)
    return found


def families(session: Session, backups: Sequence[Backup], *, lock: bool = False) -> dict[str, list[Backup]]:
    """Id -> what goes with it when it is deleted: itself, then the differences to it, parents first."""
    differences = descendants_of_each(session, backups, lock=lock)
    return {backup.id: [backup, *differences[backup.id]] for backup in backups}


def refusals(session: Session, known: Mapping[str, Sequence[Backup]]) -> dict[str, str]:
    """Id -> why that backup can't be deleted now, of those of which it is so; ``known`` as families() has it. The API
    and the console ask the same."""
    ids = {one.id for family in known.values() for one in family}
    restoring = sa.select(Instance.restoring_id, Instance.id).where(Instance.restoring_id.in_(ids))
    made = {backup_id: instance_id for backup_id, instance_id in session.execute(restoring) if backup_id is not None}
    found = {}
    for backup_id, family in known.items():
        why = next(((one, why) for one in family if (why := _refusal(one, made.get(one.id)))), None)
        if why is not None:
            found[backup_id] = (
                why[1] if why[0].id == backup_id else f"of backup {why[0].id}, a difference to it: {why[1]}"
            )
    return found


def _refusal(backup: Backup, instance_id: str | None) -> str | None:
    if backup.state in BACKING_UP:
        return "it is being made"
    if backup.operation_id is not None:
        return f"it is busy with operation {backup.operation_id}"
    return None if instance_id is None else f"instance {instance_id} is being made from it"
