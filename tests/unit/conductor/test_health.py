# SPDX-License-Identifier: Apache-2.0
"""Heartbeats on their way into SQL."""

import datetime
import math
from typing import Any

import pytest
from sqlalchemy.dialects import mysql

from conductor.health import HealthBook, _upsert
from dbflow.db.models import Health, Instance, utcnow
from dbflow.messaging.wire import BadMessage
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


def test_newer_health_stays(world: World) -> None:
    _, instance_id = world.accept(post=False)
    later = utcnow() + datetime.timedelta(seconds=9)
    with world.database.write() as session:
        session.get_one(Instance, instance_id).server_id = "s"
        session.add(Health(instance_id=instance_id, seen=later, service_status="SHUTDOWN"))
    book = HealthBook(world.database)
    book.note(instance_id, BEAT)
    book.write()
    with world.database.write() as session:
        row = session.get_one(Health, instance_id)
        assert (row.seen, row.service_status) == (later, "SHUTDOWN")
        row.seen = utcnow() - datetime.timedelta(seconds=9)
    book.note(instance_id, BEAT)
    book.write()
    with world.database.read() as session:
        assert session.get_one(Health, instance_id).service_status == "HEALTHY"


def test_mariadb_compares_before_it_assigns_the_time() -> None:
    statement = str(_upsert("mysql").compile(dialect=mysql.dialect()))
    assert "in_flight = if(" in statement.partition(" seen = if(")[0]
    assert "= if(" not in statement.partition(" seen = if(")[2]
