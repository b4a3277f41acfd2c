# SPDX-License-Identifier: Apache-2.0
"""instance.upgrade: another version of the datastore, on the same data.

Nothing is changed before it was looked at, and the backup point is there before the new version is. Until the new one
is open to everybody, going back loses nothing: the data is what it was when the old one stopped. The backup point goes
when the upgrade has ended, by an operation of its own (instance.drop_point): as long as this one may be cancelled, the
way back must be there.
"""

from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow

from dbflow.db.models import Operation, utcnow
from dbflow.operations import State
from dbflow.status import Task
from flows.outcome import fault, hand_over, release
from flows.registry import Arguments, Ending, operation
from flows.tasks.compute import NoteImage, RebuildServer
from guest.tasks.upgrade import CheckUpgrade, OpenUpgraded, StopForUpgrade, TakePoint, UpgradeData

_LAST = "open-upgraded"
_WRITTEN = "guest.datastores.base.WrittenSince"
"""Of the guest, which says so by its class."""
EXAMPLE: Arguments = {
    "datastore_version_id": "6d0c5a9b-1e4a-4279-8f57-7f6f9f0c1a02",
    "release": "11.8",
    "image": "mariadb-11.8",
    "manager": "mariadb",
    "ram": 256,
    "vcpus": 1,
    "overrides": {},
    "point": "9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a03",
}


def ended(session: Session, ending: Ending) -> None:
    """The new version, and the backup point is dropped next; or the old version with a fault, and nothing to drop. Nor
    is there where a delete waits for this end. ``point`` is the id of the operation that would.

    A server that was written to stays of the new version, whatever became of the operation. Of one that was left half
    way for another reason the backup point may be all there is: it stays for when the operation is retried."""
    following = ending.arguments["point"]
    stays = ending.state == State.FAILED and ending.refused.get(_LAST) == _WRITTEN
    if ending.state == State.SUCCESS or stays:
        version = ending.arguments["datastore_version_id"]
        told = fault(ending, "Upgrading the instance") if stays else None
        done: dict[str, Any] = {"datastore_version_id": version, "restart_required": False, "fault": told}
        if hand_over(session, ending, following, **done):
            return
        release(session, ending, task=Task.NONE, **done)
    else:
        task = Task.NONE if ending.state == State.REVERTED else Task.ERROR
        release(session, ending, task=task, fault=fault(ending, "Upgrading the instance"))
    session.execute(
        update(Operation)
        .where(Operation.id == following, Operation.state == State.ACCEPTED)
        .values(state=State.REVERTED, error="There is nothing to drop.", finished=utcnow())
    )


@operation("instance.upgrade", title="Upgrade an instance", task=Task.UPGRADING, ended=ended, example=EXAMPLE)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Look, stop, copy, change the programs, upgrade, open. Nothing comes after that which could fail: from then on
    users write."""
    return linear_flow.Flow("instance.upgrade").add(
        CheckUpgrade("check-upgrade"),
        NoteImage(),
        StopForUpgrade("stop-for-upgrade"),
        TakePoint("take-point"),
        RebuildServer(),
        UpgradeData("upgrade-data"),
        OpenUpgraded(_LAST),
    )
