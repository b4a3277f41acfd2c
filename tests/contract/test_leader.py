# SPDX-License-Identifier: Apache-2.0
"""The leader's duties in SQL, on every database that they must hold on."""

import datetime
import pathlib
from typing import Any

import pytest
import sqlalchemy as sa

from conductor.deadlines import Deadlines
from conductor.purge import Purge
from dbflow.crypto import Keyring
from dbflow.db.models import (
    BackupStrategy,
    Conductor,
    Datastore,
    DatastoreVersion,
    Health,
    IdempotencyKey,
    Instance,
    Operation,
    Sample,
    new_id,
)
from dbflow.db.models import utcnow as now
from dbflow.db.session import Database
from dbflow.notifications.outbox import Outbox
from dbflow.operations import State, accept, lock_instance
from dbflow.persistence.tables import ATOMS, FLOWS, LOGBOOKS

HOUR, DAY = datetime.timedelta(hours=1), datetime.timedelta(days=1)


@pytest.fixture
def keyring(tmp_path: pathlib.Path) -> Keyring:
    Keyring.create_file(tmp_path / "keys")
    return Keyring.from_file(tmp_path / "keys")


@pytest.fixture
def version_id(database: Database) -> str:
    store, version = new_id(), new_id()
    with database.write() as session:
        session.add(Datastore(id=store, name="mariadb"))
        session.flush()
        session.add(DatastoreVersion(id=version, datastore_id=store, name="1", version="1", manager="mariadb"))
    return version


def operation(database: Database, keyring: Keyring, version_id: str, kind: str, **columns: Any) -> str:
    """Of a new instance that it has; with a flow whose one step ``create-server`` runs."""
    with database.write() as session:
        instance = Instance(name="i", project_id="p", user_id="u", datastore_version_id=version_id, flavor_id="1")
        session.add(instance)
        session.flush()
        who = {"target_id": instance.id, "project_id": "p", "user_id": "u", "request_id": None}
        made = accept(session, keyring, kind, arguments={}, **who)
        session.flush()
        lock_instance(session, instance.id, made)
        for name, value in columns.items():
            setattr(made, name, value)
        session.execute(LOGBOOKS.insert().values(uuid=made.id, name="b", meta={}, created_at=made.created))
        session.execute(FLOWS.insert().values(uuid=made.flow_uuid, parent_uuid=made.id, name="f", meta={}))
        for name, state in (("create-server", "RUNNING"), ("create-port", "REVERTED"), ("rest", "PENDING")):
            step = {"parent_uuid": made.flow_uuid, "name": name, "state": state, "meta": {}}
            session.execute(ATOMS.insert().values(uuid=new_id(), **step, intention="EXECUTE"))
    return made.id


def find(database: Database, operation_id: str) -> Operation:
    with database.read() as session:
        return session.get_one(Operation, operation_id)


def instance_of(database: Database, operation_id: str) -> Instance:
    with database.read() as session:
        return session.get_one(Instance, session.get_one(Operation, operation_id).target_id)


def counts(database: Database, *tables: Any) -> list[int]:
    with database.read() as session:
        return [session.scalar(sa.select(sa.func.count()).select_from(table)) or 0 for table in tables]


def test_old_flows_go_with_all_that_is_theirs(database: Database, keyring: Keyring, version_id: str) -> None:
    ended = {"created": now() - 9 * DAY, "finished": now() - 8 * DAY}
    for state in (State.SUCCESS, State.REVERTED):
        operation(database, keyring, version_id, "instance.create", state=state, **ended)
    kept = [
        operation(database, keyring, version_id, "instance.create", state=State.FAILED, **ended),
        operation(database, keyring, version_id, "instance.create", state=State.SUCCESS, finished=now() - 6 * DAY),
        operation(database, keyring, version_id, "instance.create", created=now() - 9 * DAY),
    ]
    with database.write() as session:  # a logbook whose operation nobody knows
        session.execute(LOGBOOKS.insert().values(uuid=new_id(), name="b", meta={}, created_at=now() - 8 * DAY))
    gone = operation(database, keyring, version_id, "instance.create", state=State.FAILED, **ended)
    with database.write() as session:  # parked, and nothing is left of its instance
        session.get_one(Instance, session.get_one(Operation, gone).target_id).deleted = True
    Purge(7 * 86400, database).purge()
    assert counts(database, LOGBOOKS, FLOWS, ATOMS, Operation) == [3, 3, 9, 6]
    with database.read() as session:
        assert set(session.scalars(sa.select(LOGBOOKS.c.uuid))) == set(kept)


def test_more_flows_than_a_batch(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("conductor.purge._BATCH", 2)
    with database.write() as session:
        for _ in range(5):
            session.execute(LOGBOOKS.insert().values(uuid=new_id(), name="b", meta={}, created_at=now() - DAY))
    Purge(60, database).purge()
    assert counts(database, LOGBOOKS) == [0]


def test_rows_of_what_is_gone(database: Database, keyring: Keyring, version_id: str) -> None:
    living = instance_of(database, operation(database, keyring, version_id, "instance.create")).id
    dead = instance_of(database, operation(database, keyring, version_id, "instance.delete")).id
    with database.write() as session:
        session.get_one(Instance, dead).deleted = True
        for instance_id, seen in ((living, HOUR), (dead, HOUR), ("no-instance", HOUR), ("just-now", 0 * HOUR)):
            session.add(Health(instance_id=instance_id, seen=now() - seen, service_status="HEALTHY", load={}))
        for instance_id in (living, dead, "no-instance"):
            for slot in (1, 2):
                session.add(Sample(instance_id=instance_id, slot=slot, at=now() - 2 * DAY, load={}))
        session.add(Conductor(name="silent", host="h", pid=1, version="1", seen=now() - 2 * HOUR))
        session.add(Conductor(name="alive", host="h", pid=1, version="1"))
        for key, age in (("old", 2 * DAY), ("new", HOUR)):
            who = {"project_id": "p", "user_id": "u", "key": key}
            session.add(IdempotencyKey(**who, fingerprint="", created=now() - age))
        for instance_id in (living, dead, ""):
            session.add(BackupStrategy(project_id="p", instance_id=instance_id, container="c"))
    Purge(60, database).purge()
    with database.read() as session:
        assert set(session.scalars(sa.select(Health.instance_id))) == {living, "just-now"}
        assert session.scalars(sa.select(Sample.instance_id)).all() == [living, living]
        assert session.scalars(sa.select(Conductor.name)).all() == ["alive"]
        assert session.scalars(sa.select(IdempotencyKey.key)).all() == ["new"]
        assert set(session.scalars(sa.select(BackupStrategy.instance_id))) == {living, ""}


def test_an_operation_past_its_deadline_is_cancelled_and_then_parked(
    database: Database, keyring: Keyring, version_id: str
) -> None:
    late = operation(
        database, keyring, version_id, "instance.create", state=State.RUNNING, epoch=7, created=now() - 2 * HOUR
    )
    duty = Deadlines(3600, database, keyring, Outbox())
    duty.enforce()
    duty.enforce()  # it has as long again to be undone
    found = find(database, late)
    assert (found.state, found.requested, found.epoch) == ("RUNNING", "cancel", 7)
    assert found.error == "it did not end within its deadline of 3600 s"
    with database.write() as session:
        session.get_one(Operation, late).since = now() - 2 * HOUR
    duty.enforce()
    found, instance = find(database, late), instance_of(database, late)
    assert (found.state, found.requested, found.epoch) == ("FAILED", None, 8)
    assert found.error == (
        "it did not end within its deadline of 3600 s, nor was it undone in that time; not undone: create-server"
    )
    assert (instance.task, instance.operation_id) == ("ERROR", None)
    assert str(found.error) in str(instance.fault)


def test_what_has_no_way_back_is_parked(database: Database, keyring: Keyring, version_id: str) -> None:
    late = operation(database, keyring, version_id, "instance.delete", state=State.RUNNING, created=now() - 2 * HOUR)
    Deadlines(3600, database, keyring, Outbox()).enforce()
    found = find(database, late)
    assert (found.state, found.error) == (
        "FAILED",
        "it did not end within its deadline of 3600 s; not undone: create-server",
    )


@pytest.mark.parametrize(
    "columns",
    [
        {"created": now() - 2 * HOUR, "state": State.SUSPENDED},
        {"created": now() - 2 * HOUR, "state": State.SUCCESS},
        {"created": now() - 2 * HOUR, "since": now()},
        {"created": now() - 2 * HOUR, "version": 99},
        {},
    ],
    ids=["suspended", "ended", "resumed", "of another release", "in time"],
)
def test_what_does_not_expire(database: Database, keyring: Keyring, version_id: str, columns: dict[str, Any]) -> None:
    one = operation(database, keyring, version_id, "instance.create", **columns)
    before = find(database, one)
    Deadlines(3600, database, keyring, Outbox()).enforce()
    after = find(database, one)
    assert (after.state, after.requested, after.error) == (before.state, None, None)


def test_time_counts_from_the_end_of_the_predecessor(database: Database, keyring: Keyring, version_id: str) -> None:
    first = operation(database, keyring, version_id, "instance.create", created=now() - 3 * HOUR)
    after = {"created": now() - 2 * HOUR, "after_id": first}
    second = operation(database, keyring, version_id, "instance.create", **after)
    duty = Deadlines(3600, database, keyring, Outbox())
    duty.enforce()
    assert (find(database, first).requested, find(database, second).requested) == ("cancel", None)
    with database.write() as session:
        row = session.get_one(Operation, first)
        row.state, row.finished = State.REVERTED, now()
    duty.enforce()
    assert find(database, second).requested is None
    with database.write() as session:
        session.get_one(Operation, first).finished = now() - 1.5 * HOUR
    duty.enforce()
    assert find(database, second).requested == "cancel"


def test_no_deadline_at_all(database: Database, keyring: Keyring, version_id: str) -> None:
    one = operation(database, keyring, version_id, "instance.create", created=now() - 900 * DAY)
    Deadlines(0, database, keyring, Outbox()).enforce()
    assert find(database, one).requested is None
