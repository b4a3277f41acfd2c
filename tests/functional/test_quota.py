# SPDX-License-Identifier: Apache-2.0
"""The race for the last place of a quota, and for one Idempotency-Key, on a real MariaDB."""

import pathlib
from collections.abc import Iterator

import pytest

from dbflow.db.models import Instance
from tests.unit.api.world import World, race, same_key


@pytest.fixture
def on_mariadb(mysql_url: str, tmp_path: pathlib.Path) -> Iterator[World]:
    world = World(tmp_path, mysql_url)
    yield world
    world.database.close()


def test_one_wins_the_last_place(on_mariadb: World) -> None:
    assert race(on_mariadb) == [200] * 3 + [413] * 5
    assert on_mariadb.count(Instance) == 3


def test_one_key_makes_one_instance(on_mariadb: World) -> None:
    codes = same_key(on_mariadb)
    assert set(codes) <= {200, 409}
    assert 200 in codes
    assert on_mariadb.count(Instance) == 1
