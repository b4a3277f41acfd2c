# SPDX-License-Identifier: Apache-2.0
"""Sources and replicas, as the control plane sees them."""

from collections.abc import Mapping, Sequence
from typing import Any

from dbflow.datastores.gtid import transactions
from dbflow.db.models import Instance
from dbflow.db.replicas import change_task, following, make_source, remaining, versions_of
from dbflow.operations import under_way
from dbflow.status import Task
from dbflow.waits import NotYet, Overdue
from flows.tasks.base import LocalTask


class CountReplicas(LocalTask):
    """Count the source's replicas that are not being deleted."""

    default_provides = "replicas"

    def execute(self, instance_id: str) -> dict[str, int]:
        """How many are "there", and how many of them "follow": the others are being made."""
        with self.context.fence.database.read() as session:
            return {"there": remaining(session, instance_id), "follow": following(session, instance_id)}


class JoinSource(LocalTask):
    """From now on the new replicas count as following; but not while somebody is about to tell the source, by an old
    count, that none does."""

    def execute(self, instance_id: str, replica_ids: Sequence[str]) -> None:
        """``instance_id``: the source."""
        with self.context.fence.write() as session:
            change_task(session, replica_ids, Task.BUILDING, Task.JOINING)
            # Whoever deletes a replica of it holds its row, too.
            session.get_one(Instance, instance_id, with_for_update=True)
            if under_way(session, "instance.settle_replicas", instance_id):
                raise NotYet("the source to be told of a replica that is deleted", after=0.5)

    def revert(self, replica_ids: Sequence[str], **_: Any) -> None:
        """They do not count."""
        with self.context.fence.write() as session:
            change_task(session, replica_ids, Task.JOINING, Task.BUILDING)


class ElectSource(LocalTask):
    """Elect the replica that has all of what any of them has."""

    default_provides = ("elected", "candidate", "others")

    def execute(self, replica_ids: Sequence[str], **settled: Mapping[str, Any]) -> tuple[str, Any, int]:
        """``settled``: what guest.tasks.eject.SettleReplica answered on each, as settled_1, settled_2, …
        Returns the elected one's id and answer, and how many others there are. Overdue when none has it all."""
        answers = {one: settled[f"settled_{number}"] for number, one in enumerate(replica_ids, 1)}
        had = {one: transactions(answer["position"]) for one, answer in answers.items()}
        most = {domain: max(held.get(domain, 0) for held in had.values()) for held in had.values() for domain in held}
        whole = [one for one, held in had.items() if held == most]
        if not whole:
            raise Overdue("Each replica has what the others do not have, so none can be made the source.")
        elected = self._oldest(whole)
        return elected, dict(answers[elected]), len(answers) - 1

    def _oldest(self, replica_ids: Sequence[str]) -> str:
        """Of the oldest version: what is newer can follow it, and not the other way round."""
        if len(replica_ids) == 1:
            return replica_ids[0]
        with self.context.fence.database.read() as session:
            versions = versions_of(session, replica_ids)
        return min(sorted(replica_ids, reverse=True), key=lambda one: versions[one])


class RecordSource(LocalTask):
    """Record who is the source now, and which replicas follow it."""

    def execute(self, instance_id: str, elected: str, replica_ids: Sequence[str]) -> None:
        """``instance_id``: the dead source."""
        others = [one for one in replica_ids if one != elected]
        with self.context.fence.write() as session:
            make_source(session, elected, others, before=[instance_id])

    def revert(self, instance_id: str, replica_ids: Sequence[str], **_: Any) -> None:
        """The old source is the source of all."""
        with self.context.fence.write() as session:
            make_source(session, instance_id, replica_ids)
