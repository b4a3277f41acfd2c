# SPDX-License-Identifier: Apache-2.0
"""Requests at once on a real MariaDB: for the last place of a quota, with one Idempotency-Key, for one row."""

import pathlib
from collections.abc import Iterator

import pytest

from dbflow.db.models import BackupStrategy, ConfigurationParameter, Instance
from tests.unit.api.world import OWNER, World, at_once, race, same_key


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


def test_strategies_take_turns(on_mariadb: World) -> None:
    body = {"backup_strategy": {"swift_container": "mine"}}
    for _ in range(5):
        assert at_once(on_mariadb, "/v1.0/p1/backup_strategies", body, OWNER) == [202] * 8
        assert on_mariadb.count(BackupStrategy) == 1
        on_mariadb.ask("DELETE", "backup_strategies")


def test_one_makes_a_parameter(on_mariadb: World) -> None:
    path = f"/v1.0/padmin/mgmt/datastores/versions/{on_mariadb.version_id}/parameters"
    before = on_mariadb.count(ConfigurationParameter)
    for number in range(1, 6):
        wanted = {"name": f"new_{number}", "data_type": "string", "restart_required": 0}
        codes = at_once(on_mariadb, path, {"configuration-parameter": wanted}, {"X-Auth-Token": "admin"})
        assert sorted(codes) == [200] + [400] * 7
        assert on_mariadb.count(ConfigurationParameter) == before + number
