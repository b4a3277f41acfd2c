# SPDX-License-Identifier: Apache-2.0
"""A list reads a page of instances from the index, however many there are: what MariaDB says it will do."""

import datetime
import pathlib
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from dbflow.db.models import Instance, new_id, utcnow
from dbflow.services import rows
from tests.unit.api.world import World

MANY = 5000


@pytest.fixture
def crowded(mysql_url: str, tmp_path: pathlib.Path) -> Iterator[World]:
    world = World(tmp_path, mysql_url)
    row = {"name": "db", "project_id": "p1", "user_id": "u1", "datastore_version_id": world.version_id}
    row |= {"flavor_id": "1", "access": {}, "nics": [], "addresses": []}
    now = utcnow()
    with world.database.write() as session:
        instances = [row | {"id": new_id(), "created": now + datetime.timedelta(seconds=i)} for i in range(MANY)]
        session.execute(sa.insert(Instance), instances)
    with world.database.write() as session:
        session.execute(sa.text("ANALYZE TABLE instances, datastores, datastore_versions"))
    yield world
    world.database.close()


def read(world: World, marker: str | None) -> int:
    """How many rows the server handles for a page."""
    with world.database.read() as session:
        session.execute(sa.text("FLUSH STATUS"))
        assert len(rows.page(session, "p1", 21, marker)) == 21
        counters = session.execute(sa.text("SHOW SESSION STATUS LIKE 'Handler_read%'")).all()
        return sum(int(count) for _, count in counters)


def test_a_page_reads_a_page(crowded: World) -> None:
    with crowded.database.read() as session:
        middle = rows.page(session, "p1", MANY // 2, None)[-1].id
    assert read(crowded, None) < 300
    assert read(crowded, middle) < 300
