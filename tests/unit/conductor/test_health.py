# SPDX-License-Identifier: Apache-2.0
"""Heartbeats on their way into SQL."""

import datetime
import math
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import mysql

from conductor import health
from conductor.health import HealthBook
from dbflow.db.health import upsert
from dbflow.db.models import Health, Instance, Sample, utcnow
from dbflow.db.samples import samples_of
from dbflow.messaging.wire import BadMessage
from dbflow.status import Task
from tests.unit.conductor.conftest import World

BEAT: dict[str, Any] = {
    "service_status": "HEALTHY",
    "version": "10.11.14",
    "volume_used": 0.5,
    "load": {"threads": 2.0},
}


@pytest.mark.parametrize("status", ["FINE", ["HEALTHY"], None, {}])
def test_a_heartbeat_without_a_status_is_refused(world: World, status: object) -> None:
    with pytest.raises(BadMessage):
        HealthBook(world.database).note("i", BEAT | {"service_status": status})


@pytest.mark.parametrize(
    ("key", "odd"),
    [
        ("version", "1" * 256),
        ("position", "a\0b"),
        ("agent_version", 5.25),
        ("volume_used", math.inf),
        ("volume_total", "much"),
        ("in_flight", math.nan),
        ("in_flight", 10**400),
        ("load", [1]),
        ("load", {"x" * 256: 1}),
        ("load", {f"x{number}": {"y": 1} for number in range(1000)}),
    ],
)
def test_one_guests_nonsense_is_left_out(world: World, key: str, odd: object) -> None:
    _, instance_id = world.accept(post=False)
    with world.database.write() as session:
        session.get_one(Instance, instance_id).server_id = "s"
    book = HealthBook(world.database)
    book.note(instance_id, BEAT | {key: odd})
    assert book.write() == 1
    with world.database.read() as session:
        row = session.get_one(Health, instance_id)
    assert row.service_status == "HEALTHY"
    assert str(odd) not in str(vars(row).values())
    assert len(row.load) <= 32


def test_what_the_guest_said_last_stays(world: World) -> None:
    _, instance_id = world.accept(post=False)
    with world.database.write() as session:
        session.get_one(Instance, instance_id).server_id = "s"
        session.add(Health(instance_id=instance_id, seen=utcnow(), at=1000.0, service_status="SHUTDOWN"))
    book = HealthBook(world.database)

    def after(at: float) -> str:
        book.note(instance_id, BEAT | {"at": at})
        book.write()
        with world.database.read() as session:
            return session.get_one(Health, instance_id).service_status

    assert after(999.0) == "SHUTDOWN"
    with world.database.write() as session:  # silent since: its clock must have been set back
        session.get_one(Health, instance_id).seen = utcnow() - datetime.timedelta(minutes=1)
    assert after(999.0) == "HEALTHY"


def test_a_day_is_kept_in_five_minute_steps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    instances = [world.accept(post=False)[1] for _ in range(2)]
    with world.database.write() as session:
        for instance_id in instances:
            session.get_one(Instance, instance_id).server_id = "s"
    books = [HealthBook(world.database), HealthBook(world.database)]
    noon = utcnow().replace(hour=12, minute=0, second=0, microsecond=0)

    def hear(minutes: float, used: float) -> None:
        monkeypatch.setattr(health, "utcnow", lambda: noon + datetime.timedelta(minutes=minutes))
        for book in books:  # two conductors hear the same
            for instance_id in instances:
                book.note(instance_id, BEAT | {"at": 60.0 * minutes, "volume_used": used})
                book.write()

    def kept(hours: float) -> list[tuple[float, float]]:
        with world.database.read() as session:
            found = samples_of(session, instances[0], noon + datetime.timedelta(hours=hours))
        return [((one.at - noon).total_seconds() / 60, one.volume_used) for one in found]

    for minutes, used in ((0, 0.1), (1, 0.2), (4.9, 0.3), (5, 0.4), (11, 0.5)):
        hear(minutes, used)
    assert kept(1) == [(0, 0.1), (5, 0.4), (11, 0.5)]
    assert kept(24.05) == [(5, 0.4), (11, 0.5)]
    hear(24 * 60 + 1, 0.6)
    assert kept(24.1) == [(11, 0.5), (24 * 60 + 1, 0.6)]
    with world.database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Sample)) == 6  # the first was written over


@pytest.mark.parametrize(
    ("told", "age", "busy", "due"),
    [
        (False, 120, False, False),
        (True, 120, False, True),
        (None, 120, False, True),
        (False, 5, False, True),
        (False, 120, True, True),
    ],
)
def test_a_server_that_was_started_since_needs_no_restart(
    world: World, told: bool | None, age: int, busy: bool, due: bool
) -> None:
    """By whomever; but not by what a guest said before the change, nor under an operation that goes on."""
    _, instance_id = world.accept(post=False)
    with world.database.write() as session:
        row = session.get_one(Instance, instance_id)
        row.server_id, row.task, row.restart_required = "s", Task.RESTART_REQUIRED, True
        row.operation_id = row.operation_id if busy else None
        row.updated = utcnow() - datetime.timedelta(seconds=age)
    book = HealthBook(world.database)
    book.note(instance_id, BEAT | {"restart_required": told})
    book.write()
    with world.database.read() as session:
        row = session.get_one(Instance, instance_id)
    assert (row.restart_required, row.task) == (due, Task.RESTART_REQUIRED if due else Task.NONE)


def test_mariadb_compares_before_it_assigns_the_times() -> None:
    statement = str(upsert("mysql").compile(dialect=mysql.dialect()))
    others, _, times = statement.partition(" at = if(")
    assert "in_flight = if(" in others
    assert times.count("= if(") == 1
    assert " seen = if(" in times
