# SPDX-License-Identifier: Apache-2.0
"""Sources and replicas, as the control plane sees them."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import update
from sqlalchemy.orm import Session

from dbflow.db.models import Instance, utcnow
from dbflow.db.replicas import make_source, remaining
from dbflow.waits import Overdue
from flows.tasks.base import LocalTask


class CountReplicas(LocalTask):
    """Count the source's replicas that are not being deleted."""

    default_provides = "replicas"

    def execute(self, instance_id: str) -> int:
        """How many there are."""
        with self.context.fence.database.read() as session:
            return remaining(session, instance_id)


class ElectSource(LocalTask):
    """Elect the replica that has most of what the dead source had."""

    default_provides = ("elected", "candidate", "others")

    def execute(self, replica_ids: Sequence[str], **settled: Mapping[str, Any] | None) -> tuple[str, Any, int]:
        """``settled``: what guest.tasks.eject.SettleReplica answered on each, as settled_1, settled_2, …
        Returns the elected one's id and answer, and how many others there are that answered."""
        told = [(settled[f"settled_{number}"], one) for number, one in enumerate(replica_ids, 1)]
        answers = [(answer, one) for answer, one in told if answer is not None]
        if not answers:
            raise Overdue("No replica answers, so none can be made the source.")
        answer, elected = max(answers, key=lambda pair: (transactions(pair[0]["position"]), pair[1]))
        return elected, dict(answer), len(answers) - 1


class RecordSource(LocalTask):
    """Record who is the source now, and which replicas follow it."""

    def execute(
        self,
        instance_id: str,
        elected: str,
        replica_ids: Sequence[str],
        silent_ids: Sequence[str],
        **settled: Mapping[str, Any] | None,
    ) -> None:
        """``instance_id``: the dead source; ``settled`` as in ElectSource. A replica that did not answer gets a fault
        of this operation."""
        silent = [one for number, one in enumerate(replica_ids, 1) if settled[f"settled_{number}"] is None]
        lost = {
            "message": "It was not heard when its source was ejected, and follows nobody now. Delete it.",
            "details": f"operation {self.context.fence.operation_id}",
            "created": utcnow().isoformat(timespec="seconds"),
        }
        others = [one for one in (*replica_ids, *silent_ids) if one != elected]
        with self.context.fence.write() as session:
            make_source(session, elected, others, before=[instance_id])
            _blame(session, [*silent, *silent_ids], lost)

    def revert(self, instance_id: str, replica_ids: Sequence[str], silent_ids: Sequence[str], **_: Any) -> None:
        """The old source is the source of all."""
        with self.context.fence.write() as session:
            make_source(session, instance_id, [*replica_ids, *silent_ids])
            _blame(session, [*replica_ids, *silent_ids], None)


def _blame(session: Session, instance_ids: Sequence[str], fault: dict[str, Any] | None) -> None:
    session.execute(update(Instance).where(Instance.id.in_(instance_ids)).values(fault=fault))


def transactions(position: str) -> tuple[int, ...]:
    """What orders the positions of servers with the same past: of a GTID position (``0-7-1204,1-7-3``) how many
    transactions there are of each domain."""
    parts = [gtid.split("-") for gtid in position.split(",") if gtid]
    return tuple(int(number) for _, _, number in sorted(parts, key=lambda gtid: int(gtid[0])))
