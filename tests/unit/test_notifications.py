# SPDX-License-Identifier: Apache-2.0
"""The outbox is emptied in order, with the same ids when it is sent again; who exists is told once a period."""

import datetime
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from dbflow.cloud.base import Flavor
from dbflow.conf import register
from dbflow.db.models import AuditPeriod, Backup, Instance, Notification, Quota, utcnow
from dbflow.db.session import Database
from dbflow.notifications import exists as module
from dbflow.notifications import periods
from dbflow.notifications.exists import Exists
from dbflow.notifications.outbox import Outbox
from dbflow.notifications.quotas import Quotas
from dbflow.notifications.relay import Relay
from dbflow.notifications.sending import NotSent
from dbflow.status import Task
from tests.unit.rows import with_version

HOUR = datetime.timedelta(hours=1)
OUTBOX = Outbox(True, "here", {"mariadb": "bills"})


class Broker:
    """Takes ``room`` messages, and no more until it gets more room."""

    def __init__(self, room: int = 10**9) -> None:
        self.room, self.taken = room, list[dict[str, Any]]()

    def send(self, message: dict[str, Any], context: dict[str, Any]) -> None:
        if not self.room:
            raise NotSent("no room")
        self.room -= 1
        self.taken.append(message | {"context": context})


@pytest.fixture
def database(tmp_path: pathlib.Path) -> Iterator[Database]:
    made = with_version(tmp_path)
    yield made
    made.close()


def conf(**options: Any) -> cfg.ConfigOpts:
    made = register(cfg.ConfigOpts())
    made([], project="dbflow", default_config_files=[])
    for name, value in options.items():
        made.set_override(name, value, "notifications")
    return made


def put(database: Database, *numbers: int) -> None:
    with database.write() as session:
        for number in numbers:
            OUTBOX.put(session, "api", f"event.{number}", {"number": number, "ä": "ö"}, {"tenant": "p"})


def kept(database: Database) -> list[str]:
    with database.read() as session:
        return list(session.scalars(sa.select(Notification.event_type).order_by(Notification.id)))


def always() -> bool:
    return True


def test_messages_are_those_of_oslo_messaging(database: Database) -> None:
    put(database, 7)
    broker = Broker()
    assert Relay(conf(), database, broker).send(always) == 1
    (message,) = broker.taken
    assert len(message.pop("message_id")) == 36
    assert datetime.datetime.fromisoformat(message.pop("timestamp")) <= utcnow()
    assert message == {
        "publisher_id": "api.here",
        "event_type": "event.7",
        "priority": "INFO",
        "payload": {"number": 7, "ä": "ö"},
        "context": {"tenant": "p"},
    }


def test_in_order_and_more_than_a_batch(database: Database) -> None:
    put(database, *range(250))
    broker = Broker()
    assert Relay(conf(), database, broker).send(always) == 250
    assert [message["payload"]["number"] for message in broker.taken] == list(range(250))
    assert kept(database) == []


def test_what_can_not_be_sent_is_kept_and_sent_later(database: Database) -> None:
    put(database, 1, 2, 3)
    broker = Broker(room=2)
    relay = Relay(conf(), database, broker)
    relay.send(always)
    assert kept(database) == ["event.3"]
    broker.room = 9
    assert relay.send(always) == 0  # it rests
    put(database, 4)
    relay._rest_until = 0.0
    assert relay.send(always) == 2
    assert [message["payload"]["number"] for message in broker.taken] == [1, 2, 3, 4]


def test_who_dies_before_it_forgets_leaves_the_same_message(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(database, 1, 2)
    broker, rounds = Broker(), iter([True, False])
    first, second = (Relay(conf(), database, broker) for _ in range(2))
    monkeypatch.setattr(first, "_forget", lambda _: None)
    first.send(lambda: next(rounds))
    second.send(always)
    ids = [message["message_id"] for message in broker.taken]
    assert ids[:2] == ids[2:]
    assert len(set(ids)) == 2


def test_nobody_sends_who_is_not_wanted(database: Database) -> None:
    put(database, 1)
    assert Relay(conf(), database, Broker()).send(lambda: False) == 0
    assert kept(database) == ["event.1"]


def test_what_is_kept_has_bounds(database: Database) -> None:
    put(database, *range(10))
    with database.write() as session:
        old = session.scalars(sa.select(Notification).order_by(Notification.id).limit(2)).all()
        for row in old:
            row.created = utcnow() - 2 * HOUR
    assert Relay(conf(retention=3600), database, Broker()).drop() == 2
    assert Relay(conf(most_kept=3), database, Broker()).drop() == 5
    assert kept(database) == ["event.7", "event.8", "event.9"]
    assert Relay(conf(), database, Broker()).drop() == 0


def test_off_by_default_and_with_noop(tmp_path: pathlib.Path) -> None:
    for name, text, on in (
        ("none", "", False),
        ("noop", "[oslo_messaging_notifications]\ndriver = noop\n", False),
        ("on", "[oslo_messaging_notifications]\ndriver = noop\ndriver = messagingv2\n", True),
    ):
        (tmp_path / name).write_text(text)
        made = register(cfg.ConfigOpts())
        made([], project="dbflow", default_config_files=[str(tmp_path / name)])
        assert Outbox.from_conf(made).on is on


def test_eventlet_stays_out() -> None:
    """Though it is installed, and more than one library would load it."""
    program = (
        "import sys, guest.main, dbflow.cmd.wiring\n"
        "from dbflow.notifications.sending import list_opts\n"
        "list_opts()\n"
        "sys.exit(any(name.startswith('eventlet.') for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True, timeout=120)


def instance(database: Database, name: str, created: datetime.datetime, **columns: Any) -> None:
    with database.write() as session:
        values = {"project_id": "p", "user_id": "u", "datastore_version_id": "v", "flavor_id": "1"} | columns
        session.add(Instance(id=name, name=name, created=created, **values))


def told(database: Database, event_type: str = "trove.instance.exists") -> list[dict[str, Any]]:
    broker = Broker()
    Relay(conf(), database, broker).send(always)
    assert {message["event_type"] for message in broker.taken} <= {event_type}
    return [message["payload"] for message in broker.taken]


def clock(monkeypatch: pytest.MonkeyPatch, *, hours: float) -> None:
    monkeypatch.setattr(periods, "utcnow", lambda: datetime.datetime(2026, 1, 1) + hours * HOUR)


def test_who_exists(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_BATCH", 2)
    early = datetime.datetime(2025, 12, 1)
    for name in ("a", "b", "c"):
        instance(database, name, early, server_id="s", ram=256, volume_size=1)
    instance(database, "none", early)
    instance(database, "gone", early, server_id="s", deleted=True)
    instance(database, "going", early, server_id="s", task=Task.DELETING)
    instance(database, "young", datetime.datetime(2026, 1, 1, 1, 1), server_id="s")
    leaders = [Exists(3600, database, OUTBOX, lambda: [Flavor("1", "small", 256, 1)]) for _ in range(2)]

    clock(monkeypatch, hours=0.5)
    assert [leader.tell() for leader in leaders] == [0, 0]  # nobody knows who was there before
    clock(monkeypatch, hours=1.1)
    assert [leader.tell() for leader in leaders] == [3, 0]
    payloads = told(database)
    assert [payload["instance_id"] for payload in payloads] == ["a", "b", "c"]
    expected = {
        "audit_period_beginning": "2026-01-01T00:00:00Z",
        "audit_period_ending": "2026-01-01T01:00:00Z",
        "created_at": "2025-12-01T00:00:00Z",
        "launched_at": "2025-12-01T00:00:00Z",
        "name": "a",
        "display_name": "a",
        "instance_id": "a",
        "instance_name": "a",
        "instance_type_id": "1",
        "instance_type": "small",
        "nova_instance_id": "s",
        "region": None,
        "state": "active",
        "state_description": "active",
        "tenant_id": "p",
        "user_id": "u",
        "instance_size": 256,
        "availability_zone": None,
        "volume_size": 1,
        "nova_volume_id": None,
        "service_id": "bills",
    }
    assert payloads[0] == expected

    clock(monkeypatch, hours=4.2)  # nobody led for three hours
    assert [leader.tell() for leader in reversed(leaders)] == [4, 0]
    periods = {(one["audit_period_beginning"], one["audit_period_ending"]) for one in told(database)}
    assert periods == {("2026-01-01T01:00:00Z", "2026-01-01T04:00:00Z")}
    with database.read() as session:
        assert session.get_one(AuditPeriod, "exists").until == datetime.datetime(2026, 1, 1, 4)


def test_never(database: Database) -> None:
    assert Exists(0, database, OUTBOX, list).tell() == 0
    assert Quotas(conf(), database, OUTBOX).tell() == 0
    with database.read() as session:
        assert session.query(AuditPeriod).count() == 0


def test_what_projects_have(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    early = datetime.datetime(2025, 12, 1)
    instance(database, "a", early, ram=256, quota_volume=3)
    instance(database, "gone", early, ram=256, quota_volume=3, deleted=True, project_id="empty")
    backup = {"user_id": "u", "datastore_version_id": "v", "container": "c", "prefix": "x", "strategy": "physical"}
    with database.write() as session:
        session.add(Backup(name="b", project_id="kept", **backup))
        session.add(Quota(project_id="rich", resource="instances", hard_limit=-1))
    leaders = [Quotas(conf(quota_interval=60), database, OUTBOX) for _ in range(2)]

    clock(monkeypatch, hours=0.5)
    assert [leader.tell() for leader in leaders] == [0, 0]
    clock(monkeypatch, hours=0.52)
    assert [leader.tell() for leader in leaders] == [16, 0]
    payloads = told(database, "dbaas.quota")
    assert {one["tenant_id"] for one in payloads} == {"p", "kept", "rich", "empty"}
    by_name = {(one["tenant_id"], one["resource"]): (one["in_use"], one["limit"]) for one in payloads}
    assert by_name["p", "instances"] == (1, 10)
    assert by_name["p", "volumes"][0] == 3
    assert by_name["kept", "backups"][0] == 1
    assert by_name["rich", "instances"] == (0, -1)
    assert by_name["empty", "ram"][0] == 0
    assert payloads[0].keys() == {"tenant_id", "resource", "in_use", "reserved", "limit", "updated"}
    assert [leader.tell() for leader in leaders] == [0, 0]
    clock(monkeypatch, hours=0.54)
    assert [leader.tell() for leader in reversed(leaders)] == [16, 0]
