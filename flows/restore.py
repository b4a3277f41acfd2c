# SPDX-License-Identifier: Apache-2.0
"""instance.restore: a create whose database is made of a backup, or of a full one and the differences to it."""

from sqlalchemy import delete
from sqlalchemy.orm import Session
from taskflow import flow as tf_flow
from taskflow.patterns import linear_flow, unordered_flow

from dbflow.db.models import Health
from dbflow.operations import State
from dbflow.status import Task
from flows import create
from flows.outcome import fault, release
from flows.registry import Arguments, Ending, operation
from flows.tasks.certified import certified
from flows.tasks.channel import OpenChannel
from flows.tasks.compute import CreateServer
from flows.tasks.network import CreatePort
from flows.tasks.objects import OpenDownload
from flows.tasks.record import RecordHealth, RecordRoot
from flows.tasks.volume import CreateVolume
from guest.tasks.accounts import CreateDatabases, CreateUsers, RootEnabled
from guest.tasks.backup import RestoreBackup
from guest.tasks.status import Status

EXAMPLE: Arguments = create.EXAMPLE | {"backup_ids": ["5f1c4c54-5a3f-4b53-9f0e-6f4e4b0d7a11"]}

WITH_MODULES: Arguments = EXAMPLE | {"modules": create.WITH_MODULES["modules"]}


def ended(session: Session, ending: Ending) -> None:
    """ACTIVE, or ERROR with a fault and nothing left but the row. The backup may be deleted again."""
    if ending.state == State.SUCCESS:
        release(session, ending, task=Task.NONE, fault=None, restoring_id=None)
    else:
        lost = fault(ending, "Restoring the backup")
        release(session, ending, task=Task.ERROR, fault=lost, restoring_id=None, configuration_id=None)
        session.execute(delete(Health).where(Health.instance_id == ending.target_id))
    create.with_modules(session, ending)


@operation(
    "instance.restore", title="Restore an instance", task=Task.BUILDING, ended=ended, example=WITH_MODULES, version=2
)
def build(arguments: Arguments) -> tf_flow.Flow:
    """As instance.create; the rights to read the backup are made when the server is there."""
    flow = linear_flow.Flow("instance.restore")
    flow.add(unordered_flow.Flow("resources").add(CreatePort(), CreateVolume(), OpenChannel()))
    flow.add(CreateServer(), OpenDownload(), RestoreBackup("restore-backup"))
    flow.add(unordered_flow.Flow("contents").add(certified(), create.accounts(arguments)))
    flow.add(*create.install(arguments))
    flow.add(RootEnabled("look-at-root", provides="root_enabled"), RecordRoot())
    return flow.add(Status("check-health", provides="health"), RecordHealth())


@operation("instance.restore", title="Restore an instance", task=Task.BUILDING, ended=ended, example=EXAMPLE)
def build_plain(arguments: Arguments) -> tf_flow.Flow:
    """Version 1 gave neither certificate nor modules."""
    flow = linear_flow.Flow("instance.restore")
    flow.add(unordered_flow.Flow("resources").add(CreatePort(), CreateVolume(), OpenChannel()))
    flow.add(CreateServer(), OpenDownload(), RestoreBackup("restore-backup"))
    if arguments.get("databases"):
        flow.add(CreateDatabases("create-databases"))
    if arguments.get("users"):
        flow.add(CreateUsers("create-users"))
    flow.add(RootEnabled("look-at-root", provides="root_enabled"), RecordRoot())
    return flow.add(Status("check-health", provides="health"), RecordHealth())
