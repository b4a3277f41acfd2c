# SPDX-License-Identifier: Apache-2.0
"""Replicas, and who is the source of them.

An ``endpoint`` is ``{"address": str, "port": int, "tls": bool}`` of a database server (``tls``: whether it has a
certificate that it was given), a ``position`` what the datastore calls up to where a server has everything,
``replication`` ``{"password": str, "fallback": float}``: of the account that replicas log in with, and the seconds
after which a commit waits no longer for a replica (0: it waits for ever).

The order in which a flow runs these keeps one rule: a server is read-only, on its disk, before another one of its set
is made writable; and the same on the way back, since every step undoes itself.
"""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from guest.datastores.base import Away, DatastoreError, Interrupted, Origin, Replication, Unsupported
from guest.tasks.backup import DAY, RestoreBackup
from guest.tasks.base import GuestTask

FOLLOW_TIMEOUT = 30.0
"""Seconds until a replica takes what its source has."""
HOLD_TIMEOUT = 20.0
"""Seconds until the last client has gone."""
CATCH_UP_TIMEOUT = 60.0
"""Seconds for applying what is missing."""
APPROACH_TIMEOUT = 600.0
"""Seconds for a candidate to come near to its source."""
_NEAR = 1.0
"""Seconds for what a candidate has received and not applied; while it does that later, nobody can write."""

_LOOK = 0.2
"""Seconds between two looks at how far a new replica is."""

Endpoint = Mapping[str, Any]


class ReplicationTask(GuestTask):
    """Base of the tasks here."""

    deadline: ClassVar[float] = 120.0

    @property
    def replication(self) -> Replication:
        """Of the machine's plug-in."""
        return replication_of(self)

    @property
    def endpoint(self) -> dict[str, Any]:
        """Of this machine's server, which answers."""
        tls = self.datastore.tls is not None and self.datastore.tls.certified()
        return {"address": self.datastore.machine.address, "port": self.datastore.machine.port, "tls": tls}


def replication_of(task: GuestTask) -> Replication:
    """Unsupported when the datastore has none."""
    if task.datastore.replication is None:
        raise Unsupported("This datastore has no replication.")
    return task.datastore.replication


def origin(endpoint: Endpoint, replication: Mapping[str, Any]) -> Origin:
    """As the plug-in takes it."""
    return Origin(endpoint["address"], endpoint["port"], replication["password"], endpoint.get("tls", False))


class AdmitReplicas(ReplicationTask):
    """Let replicas log in to their source."""

    def execute(self, instance_id: str, replication: Mapping[str, Any]) -> dict[str, Any]:
        """Answers the server's endpoint."""
        self.replication.admit(replication["password"])
        return self.endpoint

    def revert(self, instance_id: str, first: bool, **_: Any) -> None:
        """``first``: there were no replicas before."""
        if first:
            self.replication.dismiss()


class RestoreReplica(RestoreBackup):
    """Make a replica's server of a copy of its source, on a fresh machine: read-only from its first moment.

    Undoing it is deleting the machine.
    """

    def execute(
        self, instance_id: str, ram: int, vcpus: int, overrides: dict[str, Any], download: Mapping[str, Any]
    ) -> None:
        """See RestoreBackup."""
        replication_of(self).expect()
        super().execute(instance_id, ram, vcpus, overrides, download)


class BeginReplica(ReplicationTask):
    """Follow the source from where the copy of it ends, and receive what was written since: who waits for this replica
    from then on does not wait for that.

    Undoing it is deleting the machine.
    """

    deadline: ClassVar[float] = DAY
    interruptible: ClassVar[bool] = True

    def execute(
        self, instance_id: str, endpoint: Endpoint, replication: Mapping[str, Any], made: Mapping[str, Any]
    ) -> None:
        """``endpoint`` of the source; ``made``: what guest.tasks.backup.MakeBackup answered."""
        source = origin(endpoint, replication)
        self.replication.follow(source, made["position"].get("gtid", ""), FOLLOW_TIMEOUT)
        while not self.replication.reach(source):
            if self.interrupted.wait(_LOOK):
                raise Interrupted("It was interrupted.")


class RequireAcknowledgement(ReplicationTask):
    """From now on a commit of the source waits until a replica has it."""

    def execute(self, instance_id: str, replication: Mapping[str, Any]) -> None:
        """Answers nothing."""
        self.replication.acknowledge(replication["fallback"])


class KeepReplicas(ReplicationTask):
    """Let a source that has lost its last replica be a server like any other; one whose next replicas are still being
    made waits for nobody until they follow."""

    deadline: ClassVar[float] = 30.0

    def execute(self, instance_id: str, replicas: Mapping[str, int]) -> None:
        """``replicas``: how many are "there", and how many of them "follow"."""
        if not replicas["there"]:
            self.replication.dismiss()
        elif not replicas["follow"]:
            self.replication.relax()


class ExpectLess(ReplicationTask):
    """The source's last replica is about to leave: commits do not wait for it."""

    def execute(self, instance_id: str, last: bool) -> dict[str, Any]:
        """``last``: there is no other replica. Answers the server's endpoint."""
        if last:
            self.replication.relax()
        return self.endpoint

    def revert(self, instance_id: str, last: bool, replication: Mapping[str, Any], **_: Any) -> None:
        """It follows again."""
        if last:
            self.replication.acknowledge(replication["fallback"])


class DismissReplica(ReplicationTask):
    """The source's last replica has left, and nobody can log in as one."""

    def execute(self, instance_id: str, last: bool) -> None:
        """``last``: there is no other replica."""
        if last:
            self.replication.dismiss()

    def revert(self, instance_id: str, last: bool, replication: Mapping[str, Any], **_: Any) -> None:
        """It will follow again."""
        if last:
            self.replication.admit(replication["password"])


class LeaveSource(ReplicationTask):
    """Follow nobody; read-only still."""

    deadline: ClassVar[float] = 45.0

    def execute(self, instance_id: str) -> None:
        """Answers nothing."""
        self.replication.leave()

    def revert(self, instance_id: str, source: Endpoint, replication: Mapping[str, Any], **_: Any) -> None:
        """``source``: endpoint of the one that it followed."""
        self.replication.follow(origin(source, replication), timeout=FOLLOW_TIMEOUT)


class Approach(ReplicationTask):
    """Before anybody is held up: let the candidate apply what it has received, so that little is left for then."""

    deadline: ClassVar[float] = APPROACH_TIMEOUT + 60.0
    interruptible: ClassVar[bool] = True
    unanswered: ClassVar[frozenset[str]] = frozenset({"revert"})

    def execute(self, instance_id: str) -> None:
        """Returns once it is hardly behind."""
        reached = began = time.monotonic()
        while True:
            try:
                behind = self.replication.behind(_NEAR)
                reached = time.monotonic()
            except Away as error:
                if time.monotonic() - reached > FOLLOW_TIMEOUT:
                    raise DatastoreError(f"{error}: nothing was changed.") from None
                behind = _NEAR
            if not behind:
                return
            if self.interrupted.wait(_LOOK):
                raise Interrupted("It was interrupted.")
            if time.monotonic() - began > APPROACH_TIMEOUT:
                raise DatastoreError(
                    f"The replica is {behind:.0f} s behind its source, and did not come nearer within"
                    f" {APPROACH_TIMEOUT:g} s: nothing was changed."
                )

    def revert(self, instance_id: str, **_: Any) -> None:
        """It has changed nothing; being asked for has ended the wait."""


class HoldWrites(ReplicationTask):
    """Make the source read-only and end its clients' connections."""

    def execute(self, instance_id: str) -> dict[str, Any]:
        """Answers its endpoint with its last "position"."""
        self.replication.hold(HOLD_TIMEOUT)
        return {**self.endpoint, "position": self.replication.position()}

    def revert(self, instance_id: str, **_: Any) -> None:
        """It is the source still; or a replica by now, of one that took its place since."""
        self.replication.reopen()


class CatchUp(ReplicationTask):
    """Wait until the candidate has all that the source has."""

    def execute(self, instance_id: str, source: Mapping[str, Any]) -> dict[str, Any]:
        """``source``: what HoldWrites answered. Answers the candidate's endpoint."""
        self.replication.catch_up(source["position"], CATCH_UP_TIMEOUT)
        return self.endpoint


class StandUp(ReplicationTask):
    """Follow nobody, and be ready to be followed; read-only still.

    A candidate that does not answer is in nobody's way back: it is read-only.
    """

    deadline: ClassVar[float] = 45.0
    unanswered: ClassVar[frozenset[str]] = frozenset({"revert"})

    def execute(self, instance_id: str, replication: Mapping[str, Any]) -> None:
        """Replicas that come from now on are waited for."""
        self.replication.leave()
        self.replication.admit(replication["password"])
        self.replication.acknowledge(replication["fallback"])

    def revert(self, instance_id: str, source: Endpoint, replication: Mapping[str, Any], **_: Any) -> None:
        """``source``: endpoint of the one that it followed."""
        self.replication.follow(origin(source, replication), timeout=FOLLOW_TIMEOUT)


class Repoint(ReplicationTask):
    """Let another replica follow the candidate. One that does not answer is in nobody's way back."""

    deadline: ClassVar[float] = 45.0
    unanswered: ClassVar[frozenset[str]] = frozenset({"revert"})

    def execute(self, instance_id: str, candidate: Endpoint, replication: Mapping[str, Any]) -> None:
        """``candidate``: its endpoint."""
        self.replication.follow(origin(candidate, replication), timeout=FOLLOW_TIMEOUT)

    def revert(self, instance_id: str, source: Endpoint, replication: Mapping[str, Any], **_: Any) -> None:
        """``source``: the endpoint of the one that it followed before."""
        self.replication.follow(origin(source, replication), timeout=FOLLOW_TIMEOUT)


class Demote(ReplicationTask):
    """Let the source, which is read-only, follow the candidate."""

    deadline: ClassVar[float] = 240.0

    def execute(self, instance_id: str, candidate: Endpoint, replication: Mapping[str, Any]) -> None:
        """``candidate``: its endpoint."""
        self.replication.follow(origin(candidate, replication), timeout=FOLLOW_TIMEOUT)

    def revert(
        self,
        instance_id: str,
        source: Mapping[str, Any],
        candidate: Endpoint,
        replication: Mapping[str, Any],
        **_: Any,
    ) -> None:
        """Whatever was written to the candidate meanwhile, which is read-only again, is here first. Away when it has
        sent something and can't be asked for the rest. ``source``: what HoldWrites answered."""
        try:
            self.replication.overtake(origin(candidate, replication), CATCH_UP_TIMEOUT)
        except Away:
            self.replication.settle(CATCH_UP_TIMEOUT)
            if self.replication.position() != source["position"]:
                raise
        self.replication.leave()
        self.replication.acknowledge(replication["fallback"])


class OpenWrites(ReplicationTask):
    """Make the server writable: the one of its set that is."""

    def execute(self, instance_id: str) -> None:
        """Answers nothing."""
        self.replication.open()

    def revert(self, instance_id: str, **_: Any) -> None:
        """Read-only again, before another one is writable."""
        self.replication.hold(HOLD_TIMEOUT)
