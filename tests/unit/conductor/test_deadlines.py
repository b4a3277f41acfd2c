# SPDX-License-Identifier: Apache-2.0
"""Operations that outlive their deadline, seen from conductors that run them."""

import dataclasses
import datetime

import pytest
from cryptography.fernet import Fernet

from conductor.deadlines import Deadlines
from conductor.retention import Retention
from dbflow.crypto import Keyring
from dbflow.db.models import Backup, DatastoreVersion, Instance, Operation, new_id
from dbflow.notifications.outbox import Outbox
from dbflow.operations import State, accept, lock_instance
from dbflow.verbs import cancel, retry
from flows.registry import REGISTRY
from tests.unit.conductor.conftest import GATE, LOG, World
from tests.waiting import wait_for


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conductor.leader._DEADLINES_EVERY", 0.1)


def _kind_with(deadline: float) -> None:
    """Give the test's kind a deadline of its own."""
    known = REGISTRY.definition("test.notes", 1)
    kind = dataclasses.replace(known.kind, deadline=deadline)
    REGISTRY._definitions["test.notes", 1] = dataclasses.replace(known, kind=kind)


def test_cancelled_and_undone(world: World) -> None:
    world.conductor()
    operation_id, instance_id = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 20, "the second step")
    _kind_with(3.0)
    wait_for(lambda: world.operation(operation_id).requested == "cancel", 20, "the deadline")
    _kind_with(1000.0)  # or a slow machine might be too slow to turn back
    wait_for(lambda: world.conductors[0][0]._wishes.all()[0].wanted == "cancel", 20, "the wish to arrive")
    GATE.set()
    operation = world.wait_state(operation_id, State.REVERTED)
    assert LOG == ["+0", "+1", "-1", "-0"]
    assert operation.error == "it did not end within its deadline of 3 s"
    fault = world.instance(instance_id).fault or {}
    assert fault["message"] == "Noting failed: it did not end within its deadline of 3 s"


def test_parked_when_it_does_not_turn_back_and_retried(world: World) -> None:
    service = world.conductor()
    operation_id, instance_id = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 20, "the second step")
    _kind_with(0.5)
    operation = world.wait_state(operation_id, State.FAILED)
    assert str(operation.error).endswith("nor was it undone in that time; not undone: note-0, note-1")
    assert (world.instance(instance_id).task, world.instance(instance_id).operation_id) == ("ERROR", None)
    GATE.set()
    wait_for(lambda: not service.flows, 10, "the engine to find itself overtaken")
    assert LOG == ["+0", "+1"]
    _kind_with(1000.0)
    with world.database.write() as session:
        retry(session, session.get_one(Operation, operation_id))
    world.poster.post(world.operation(operation_id))
    world.wait_state(operation_id, State.REVERTED)
    assert sorted(LOG[2:]) == ["-0", "-1"]


def test_none_for_those_in_time(world: World) -> None:
    _kind_with(0)
    world.conf.set_override("operation_deadline", 0.01, group="conductor")
    world.conductor()
    operation_id, _ = world.accept(gate=1)
    other, _ = world.accept()
    world.wait_state(other, State.SUCCESS)
    GATE.set()
    assert world.wait_state(operation_id, State.SUCCESS).error is None


def test_a_cancel_just_before_the_deadline_has_its_own_time(world: World) -> None:
    """The way back is not cut off by the deadline of the way forth."""
    world.conductor()
    operation_id, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 20, "the second step")
    with world.database.write() as session:
        operation = session.get_one(Operation, operation_id)
        operation.created -= datetime.timedelta(seconds=999)
        cancel(session, operation)
    _kind_with(100.0)
    Deadlines(0, world.database, world.keyring, Outbox()).enforce()
    assert world.operation(operation_id).state in (State.RUNNING, State.REVERTING)
    wait_for(lambda: world.conductors[0][0]._wishes.all()[0].wanted == "cancel", 20, "the wish to arrive")
    GATE.set()
    world.wait_state(operation_id, State.REVERTED)


def _backing_up(world: World) -> tuple[str, str, str]:
    """A backup that is being made, by nobody any more: (operation, instance, backup)."""
    with world.database.write() as session:
        version = session.query(DatastoreVersion).first()
        assert version
        of = {"project_id": "p", "user_id": "u", "datastore_version_id": version.id}
        instance = Instance(name="i", flavor_id="1", **of)
        backup = Backup(
            id=new_id(), name="b", state="BUILDING", strategy="physical", container="c", prefix="p/b/", **of
        )
        session.add_all((instance, backup))
        session.flush()
        operation = accept(
            session, world.keyring, "backup.create", target_id=instance.id, project_id="p", user_id="u",
            request_id=None, arguments={"backup_id": backup.id, "strategy": "physical", "parent": None},
        )  # fmt: skip
        session.flush()
        operation.state, backup.operation_id = State.RUNNING, operation.id
        lock_instance(session, instance.id, operation)
    return operation.id, instance.id, backup.id


def test_a_backup_does_not_stay_running(world: World) -> None:
    """Even if nobody can undo it: it is FAILED, nobody's, and is deleted when its time has come."""
    operation_id, instance_id, backup_id = _backing_up(world)
    deadlines = Deadlines(100.0, world.database, world.keyring, Outbox())
    retention = Retention(50.0, world.database, world.keyring)
    for wanted in (None, "cancel"):
        deadlines.enforce()
        assert world.operation(operation_id).requested == wanted
        assert retention.keep() == 0
        with world.database.write() as session:
            operation = session.get_one(Operation, operation_id)
            operation.created -= datetime.timedelta(seconds=101)
            operation.since = None
    deadlines.enforce()
    assert world.operation(operation_id).state == State.FAILED
    assert (world.instance(instance_id).task, world.instance(instance_id).operation_id) == ("NONE", None)
    with world.database.write() as session:
        backup = session.get_one(Backup, backup_id)
        assert (backup.state, backup.operation_id) == ("FAILED", None)
        assert str(backup.error).startswith("it did not end within its deadline of 100 s")
        backup.updated -= datetime.timedelta(seconds=51)
    assert retention.keep() == 1


def test_one_that_can_not_be_read_is_no_trouble_for_others(world: World) -> None:
    """Its key is not here; the other is cancelled all the same."""
    first, _ = world.accept(post=False)
    second, _ = world.accept(post=False)
    with world.database.write() as session:
        for operation_id in (first, second):
            session.get_one(Operation, operation_id).created -= datetime.timedelta(seconds=999)
        operation = session.get_one(Operation, first)
        operation.arguments, operation.requested = Keyring([Fernet.generate_key()]).seal({}), "cancel"
    _kind_with(100.0)
    Deadlines(0, world.database, world.keyring, Outbox()).enforce()
    assert world.operation(first).state == State.ACCEPTED
    assert world.operation(second).requested == "cancel"
