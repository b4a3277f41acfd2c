# SPDX-License-Identifier: Apache-2.0
"""instance.replicate: one to three replicas of a running source, made of one copy of it.

The copy goes through the object store, as a backup does, and is removed at the end. The source goes on working: nobody
waits for a replica before all of them follow it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from sqlalchemy import delete, or_, update
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow, unordered_flow

from dbflow.db.models import Backup, Health, utcnow
from dbflow.db.tls import forget
from dbflow.operations import State
from dbflow.status import BackupState, Task
from dbflow.tlsmode import OWN
from flows.outcome import fault, release
from flows.registry import Arguments, Ending, operation
from flows.tasks.base import LocalTask
from flows.tasks.certificates import TakeIdentity
from flows.tasks.certified import FIRST, certified
from flows.tasks.channel import OpenChannel
from flows.tasks.compute import CreateServer
from flows.tasks.network import CreatePort
from flows.tasks.objects import DeleteManifests, DeleteSegments, KeepBackup, OpenDownload, OpenUpload
from flows.tasks.record import RecordHealth
from flows.tasks.replicas import JoinSource
from flows.tasks.volume import CreateVolume
from guest.tasks.backup import MakeBackup
from guest.tasks.replication import AdmitReplicas, BeginReplica, RequireAcknowledgement, RestoreReplica
from guest.tasks.status import Status
from guest.tasks.tls import InstallCertificate

EXAMPLE_WITHOUT_TLS: Arguments = {
    "source_id": "2b1f60a5-6c1d-4a5e-9a39-0d2a2f1f6f10",
    "replica_ids": ["9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a01"],
    "first": True,
    "replication": {"password": "secret", "fallback": 0.0},
    "backup_id": "5f1c4c54-5a3f-4b53-9f0e-6f4e4b0d7a11",
    "backup_ids": ["5f1c4c54-5a3f-4b53-9f0e-6f4e4b0d7a11"],
    "strategy": "physical",
    "parent": None,
    "flavor_id": "1",
    "ram": 256,
    "vcpus": 1,
    "volume_size": 1,
    "volume_type": None,
    "nics": [],
    "access": {},
    "availability_zone": None,
    "locality": None,
    "overrides": {},
    "manager": "mariadb",
    "image": None,
}
EXAMPLE: Arguments = EXAMPLE_WITHOUT_TLS | {
    "tls": {"mode": "builtin"},
    "holder_id": "9f0d6c0e-3a6e-4b60-8f57-7f6f9f0c1a01",
}
_OF_SOURCE = {"instance_id": "source_id"}


def ended_without_tls(session: Session, ending: Ending) -> None:
    """Replicas that are ACTIVE; or ERROR with a fault. Those that have not begun to follow, or have ended, are replicas
    of nothing, parked or not: the source must not be left to wait for them. One that may follow still may have what no
    other has, and counts as before. The copy is gone, or retention removes it."""
    arguments = ending.arguments
    done, undone = ending.state == State.SUCCESS, ending.state == State.REVERTED
    for number, replica_id in enumerate(arguments["replica_ids"], 1):
        if done:
            release(session, ending, replica_id, task=Task.NONE, fault=None)
            continue
        alone: dict[str, Any] = {} if _may_follow(ending, number) else {"replica_of_id": None}
        error = fault(ending, "Making the replica")
        release(session, ending, replica_id, task=Task.ERROR, fault=error, configuration_id=None, **alone)
        session.execute(delete(Health).where(Health.instance_id == replica_id))
    columns: dict[str, Any] = {"replication": None} if undone and arguments["first"] else {}
    release(session, ending, arguments["source_id"], task=Task.NONE, **columns)
    gone: dict[str, Any] = {"deleted": True, "deleted_at": utcnow()}
    left = {"state": BackupState.FAILED, "error": ending.error}
    session.execute(
        update(Backup)
        # Of one that is retried after it was parked, nobody has it, unless retention does.
        .where(
            Backup.id == arguments["backup_id"],
            or_(Backup.operation_id == ending.operation_id, Backup.operation_id.is_(None)),
        )
        .values(**(gone if done or undone else left), operation_id=None, updated=utcnow())
    )


def _may_follow(ending: Ending, number: int) -> bool:
    """Whether a replica has begun to acknowledge, and was not told to end; if nobody knows, it may."""
    return ending.state == State.FAILED and (ending.left is None or f"begin-replica-{number}" in ending.left)


def ended(session: Session, ending: Ending) -> None:
    """The same; what was left for the replicas is forgotten."""
    ended_without_tls(session, ending)
    forget(session, ending.arguments["holder_id"])


@operation("instance.replicate", title="Create replicas", task=Task.BUILDING, ended=ended, example=EXAMPLE, version=2)
def build(arguments: Arguments) -> tf_flow.Flow:
    """Machines, then the copy, then the databases, with TLS as their source has it; the source waits for its replicas
    once they follow."""
    brought = (arguments["tls"] or {}).get("mode") in OWN

    def database(number: int, one: dict[str, str]) -> tf_flow.Flow:
        given = _given(number, one) if brought else certified(f"-{number}", one)
        return linear_flow.Flow(f"database-{number}").add(_restored(number, one), given, _begun(number, one))

    return _flow(arguments, database, [TakeIdentity()] if brought else [])


@operation(
    "instance.replicate",
    title="Create replicas",
    task=Task.BUILDING,
    ended=ended_without_tls,
    example=EXAMPLE_WITHOUT_TLS,
)
def build_without_tls(arguments: Arguments) -> tf_flow.Flow:
    """Version 1 knew no TLS."""

    def database(number: int, one: dict[str, str]) -> tf_flow.Flow:
        return linear_flow.Flow(f"database-{number}").add(_restored(number, one), _begun(number, one))

    return _flow(arguments, database, [])


def _flow(
    arguments: Arguments, database: Callable[[int, dict[str, str]], tf_flow.Flow], before: Sequence[LocalTask]
) -> tf_flow.Flow:
    replicas = list(_numbered(arguments["replica_ids"] or ()))
    flow = linear_flow.Flow("instance.replicate")
    flow.add(unordered_flow.Flow("machines").add(*(_machine(*replica) for replica in replicas)))
    flow.add(
        AdmitReplicas("admit-replicas", rebind=_OF_SOURCE, provides="endpoint"),
        OpenUpload(),
        MakeBackup("copy-source", rebind=_OF_SOURCE, provides="made"),
        KeepBackup(),
        OpenDownload(),
        *before,
    )
    flow.add(unordered_flow.Flow("databases").add(*(database(*replica) for replica in replicas)))
    flow.add(
        JoinSource(rebind=_OF_SOURCE),
        RequireAcknowledgement("require-acknowledgement", rebind=_OF_SOURCE),
    )
    flow.add(unordered_flow.Flow("healths").add(*(_health(*replica) for replica in replicas)))
    return flow.add(DeleteSegments(), DeleteManifests())


def _numbered(replica_ids: Iterable[str]) -> Iterator[tuple[int, dict[str, str]]]:
    """(number, what its steps take as ``instance_id``)"""
    for number, replica_id in enumerate(replica_ids, 1):
        yield number, {"instance_id": replica_id}


def _machine(number: int, one: dict[str, str]) -> tf_flow.Flow:
    port, volume = f"port_{number}", f"volume_{number}"
    resources = unordered_flow.Flow(f"resources-{number}").add(
        CreatePort(f"create-port-{number}", inject=one, provides=port),
        CreateVolume(f"create-volume-{number}", inject=one, provides=volume),
        OpenChannel(f"open-channel-{number}", inject=one),
    )
    server = CreateServer(f"create-server-{number}", inject=one, rebind={"port": port, "volume": volume})
    return linear_flow.Flow(f"machine-{number}").add(resources, server)


def _restored(number: int, one: dict[str, str]) -> RestoreReplica:
    return RestoreReplica(f"restore-replica-{number}", inject=one)


def _given(number: int, one: dict[str, str]) -> InstallCertificate:
    return InstallCertificate(f"install-certificate-{number}", inject={**one, "change": FIRST})


def _begun(number: int, one: dict[str, str]) -> BeginReplica:
    return BeginReplica(f"begin-replica-{number}", inject=one)


def _health(number: int, one: dict[str, str]) -> tf_flow.Flow:
    health = f"health_{number}"
    return linear_flow.Flow(f"health-{number}").add(
        Status(f"check-health-{number}", inject=one, provides=health),
        RecordHealth(f"record-health-{number}", inject=one, rebind={"health": health}),
    )
