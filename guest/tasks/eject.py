# SPDX-License-Identifier: Apache-2.0
"""What replicas do when their source is dead; see guest.tasks.replication for the words."""

from collections.abc import Mapping
from typing import Any, ClassVar

from guest.datastores.base import DatastoreError
from guest.tasks.replication import FOLLOW_TIMEOUT, HOLD_TIMEOUT, Endpoint, ReplicationTask, origin

SETTLE_TIMEOUT = 600.0
"""Seconds for applying what was received: nobody can write meanwhile, nor before."""


class SettleReplica(ReplicationTask):
    """The source is dead: apply all that came of it. Who does not answer may have what nobody else has."""

    deadline: ClassVar[float] = SETTLE_TIMEOUT + 60.0
    interruptible: ClassVar[bool] = True
    unanswered: ClassVar[frozenset[str]] = frozenset({"revert"})

    def execute(self, instance_id: str) -> dict[str, Any]:
        """Answers its endpoint, its "position" and the endpoint of its "source", None where it has none any more."""
        self.replication.settle(SETTLE_TIMEOUT, self.interrupted)
        source = self.replication.source()
        followed = dict(zip(("address", "port", "tls"), source, strict=True)) if source is not None else None
        return {**self.endpoint, "position": self.replication.position(), "source": followed}

    def revert(self, instance_id: str, **_: Any) -> None:
        """The source may come back."""
        self.replication.resume()


class Succeed(ReplicationTask):
    """Let the elected replica be ready to be followed; read-only still."""

    deadline: ClassVar[float] = 45.0

    def execute(self, instance_id: str, others: int, replication: Mapping[str, Any]) -> None:
        """``others``: how many will follow it."""
        self.replication.leave()
        if others:
            self.replication.admit(replication["password"])
            self.replication.acknowledge(replication["fallback"])

    def revert(self, instance_id: str, candidate: Mapping[str, Any], replication: Mapping[str, Any], **_: Any) -> None:
        """Of the dead source again, should that come back. ``candidate``: what SettleReplica answered."""
        if candidate["source"] is not None:
            self.replication.follow(origin(candidate["source"], replication))


class FollowElected(ReplicationTask):
    """Let another replica follow the elected one; nothing to do for that one itself."""

    deadline: ClassVar[float] = 45.0
    unanswered: ClassVar[frozenset[str]] = frozenset({"revert"})

    def execute(
        self,
        instance_id: str,
        elected: str,
        settled: Mapping[str, Any],
        candidate: Endpoint,
        replication: Mapping[str, Any],
    ) -> None:
        """``settled``: what SettleReplica answered here."""
        if instance_id != elected:
            self.replication.follow(origin(candidate, replication), timeout=FOLLOW_TIMEOUT)

    def revert(
        self, instance_id: str, elected: str, settled: Mapping[str, Any], replication: Mapping[str, Any], **_: Any
    ) -> None:
        """Of the dead source again."""
        if instance_id != elected and settled["source"] is not None:
            self.replication.follow(origin(settled["source"], replication))


class TakeOver(ReplicationTask):
    """Make the elected replica writable: its source is fenced."""

    def execute(self, instance_id: str) -> None:
        """Answers nothing."""
        self.replication.open()

    def revert(self, instance_id: str, candidate: Mapping[str, Any], **_: Any) -> None:
        """Read-only again; but when it has been written to, the source that comes back has none of that: nothing is
        undone any further then, and it stays the one that is written to."""
        if self.replication.position() == candidate["position"]:
            self.replication.hold(HOLD_TIMEOUT)
            if self.replication.position() == candidate["position"]:
                return
        self.replication.open()
        raise DatastoreError("It was written to after it was made the source, so it must remain that.")
