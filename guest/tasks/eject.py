# SPDX-License-Identifier: Apache-2.0
"""What replicas do when their source is dead; see guest.tasks.replication for the words."""

from collections.abc import Mapping
from typing import Any, ClassVar

from guest.datastores.base import DatastoreError
from guest.tasks.replication import FOLLOW_TIMEOUT, HOLD_TIMEOUT, Endpoint, ReplicationTask, origin

SETTLE_TIMEOUT = 45.0
"""Seconds for applying what was received."""


class SettleReplica(ReplicationTask):
    """The source is dead: apply all that came of it. One that does not answer can't be elected."""

    deadline: ClassVar[float] = 60.0
    unanswered: ClassVar[frozenset[str]] = frozenset({"execute", "revert"})

    def execute(self, instance_id: str) -> dict[str, Any]:
        """Answers its endpoint, its "position" and the endpoint of its "source"."""
        self.replication.settle(SETTLE_TIMEOUT)
        address, port = self.replication.source() or ("", 0)
        followed = {"address": address, "port": port}
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
        self.replication.follow(origin(candidate["source"], replication))


class FollowElected(ReplicationTask):
    """Let another replica follow the elected one; nothing to do for that one itself, and for one that was silent."""

    deadline: ClassVar[float] = 45.0
    unanswered: ClassVar[frozenset[str]] = frozenset({"revert"})

    def execute(
        self,
        instance_id: str,
        elected: str,
        settled: Mapping[str, Any] | None,
        candidate: Endpoint,
        replication: Mapping[str, Any],
    ) -> None:
        """``settled``: what SettleReplica answered here."""
        if settled is not None and instance_id != elected:
            self.replication.follow(origin(candidate, replication), timeout=FOLLOW_TIMEOUT)

    def revert(
        self,
        instance_id: str,
        elected: str,
        settled: Mapping[str, Any] | None,
        replication: Mapping[str, Any],
        **_: Any,
    ) -> None:
        """Of the dead source again."""
        if settled is not None and instance_id != elected:
            self.replication.follow(origin(settled["source"], replication))


class TakeOver(ReplicationTask):
    """Make the elected replica writable: its source is fenced."""

    def execute(self, instance_id: str) -> None:
        """Answers nothing."""
        self.replication.open()

    def revert(self, instance_id: str, candidate: Mapping[str, Any], **_: Any) -> None:
        """Read-only again; and not to be undone any further when it has been written to, since the source that comes
        back has none of that."""
        self.replication.hold(HOLD_TIMEOUT)
        if self.replication.position() != candidate["position"]:
            raise DatastoreError("It was written to after it was made the source, so it must remain that.")
