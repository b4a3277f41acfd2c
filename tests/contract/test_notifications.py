# SPDX-License-Identifier: Apache-2.0
"""Notifications on every database that they must hold on: two leaders at once tell once, and what is told is sent in
order."""

import datetime
import threading
from typing import Any

import pytest
import sqlalchemy as sa
from oslo_config import cfg

from dbflow.cloud.base import Flavor
from dbflow.conf import register
from dbflow.db.models import AuditPeriod, Datastore, DatastoreVersion, Instance, Notification, new_id
from dbflow.db.session import Database
from dbflow.notifications import periods
from dbflow.notifications.exists import Exists
from dbflow.notifications.outbox import Outbox
from dbflow.notifications.relay import Relay

OUTBOX = Outbox(True, "here", {})
INSTANCES = 30
LEADERS = 4


class Taken:
    """A broker that takes everything."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    def send(self, message: dict[str, Any], context: dict[str, Any]) -> None:
        self.numbers.append(message["payload"]["number"])


def test_leaders_at_once(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    created, now = datetime.datetime(2026, 1, 1), datetime.datetime(2026, 1, 2)
    with database.write() as session:
        session.add(Datastore(id="d", name="mariadb"))
        session.flush()
        session.add(DatastoreVersion(id="v", datastore_id="d", name="1", version="1", manager="mariadb"))
        session.flush()
        session.add(AuditPeriod(name="exists", until=created))
        for _ in range(INSTANCES):
            row = {"project_id": "p", "user_id": "u", "datastore_version_id": "v", "flavor_id": "1"}
            session.add(Instance(id=new_id(), name="i", created=created, server_id="s", **row))
    monkeypatch.setattr(periods, "utcnow", lambda: now)
    start, counts = threading.Barrier(LEADERS), list[int]()

    def lead() -> None:
        duty = Exists(3600, database, OUTBOX, lambda: [Flavor("1", "small", 256, 1)])
        start.wait()
        counts.append(duty.tell())

    threads = [threading.Thread(target=lead) for _ in range(LEADERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(counts) == [0] * (LEADERS - 1) + [INSTANCES]
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Notification)) == INSTANCES


def test_in_order(database: Database) -> None:
    conf = register(cfg.ConfigOpts())
    conf([], project="dbflow", default_config_files=[])
    for number in range(120):
        with database.write() as session:
            OUTBOX.put(session, "api", "event", {"number": number}, {})
    taken = Taken()
    assert Relay(conf, database, taken).send(lambda: True) == 120
    assert taken.numbers == list(range(120))
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(Notification)) == 0
