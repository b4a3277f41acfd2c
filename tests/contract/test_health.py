# SPDX-License-Identifier: Apache-2.0
"""How guests are, written by many at once on the databases it must hold on."""

import datetime
import threading
from typing import Any

from dbflow.db.health import save_health
from dbflow.db.models import Health, new_id, utcnow
from dbflow.db.session import Database


def _row(instance_id: str, at: float, status: str) -> dict[str, Any]:
    nothing = dict.fromkeys(("datastore_version", "agent_version", "volume_used", "volume_total", "position"))
    return nothing | {
        "instance_id": instance_id,
        "seen": utcnow(),
        "at": at,
        "service_status": status,
        "load": {},
        "in_flight": 0,
    }


def test_the_last_word_stays_in_whatever_order_they_are_written(database: Database) -> None:
    instance_id = new_id()
    started = threading.Barrier(8)

    def write(number: int) -> None:
        started.wait(30)
        with database.write() as session:
            save_health(session, [_row(instance_id, 1000.0 + number, f"S{number}")])

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(60)
    with database.read() as session:
        row = session.get_one(Health, instance_id)
    assert (row.at, row.service_status) == (1007.0, "S7")


def test_many_guests_at_once_one_with_its_clock_set_back(database: Database) -> None:
    first, second = new_id(), new_id()
    for rows in (
        [_row(first, 2000.0, "A"), _row(second, 1000.0, "A")],
        [_row(first, 1999.0, "B"), _row(second, 1001.0, "B")],
    ):
        with database.write() as session:
            save_health(session, rows)
    with database.read() as session:
        assert [session.get_one(Health, one).service_status for one in (first, second)] == ["A", "B"]
    later = _row(first, 1999.5, "C") | {"seen": utcnow() + datetime.timedelta(seconds=60)}
    with database.write() as session:
        save_health(session, [later, _row(second, 1002.0, "C")])
    with database.read() as session:
        assert [session.get_one(Health, one).service_status for one in (first, second)] == ["C", "C"]
