# SPDX-License-Identifier: Apache-2.0
"""The migrated schema is the models' schema; migrating is harmless to repeat and leaves nothing half done."""

import concurrent.futures
import importlib
import multiprocessing
import pathlib
import pkgutil
import sqlite3

import pytest
import sqlalchemy as sa

from dbflow.db import migrate
from dbflow.db.migrations import versions
from dbflow.db.session import Database
from tests.unit import schema


@pytest.fixture
def url(tmp_path: pathlib.Path) -> str:
    return f"sqlite:///{tmp_path}/state.sqlite"


def test_migrated_schema_is_that_of_the_models(url: str, tmp_path: pathlib.Path) -> None:
    assert migrate.upgrade(url) == migrate.head()
    assert schema.differences(url) == []
    schema.create_all(f"sqlite:///{tmp_path}/models.sqlite")
    assert schema.described(url) == schema.described(f"sqlite:///{tmp_path}/models.sqlite")


def test_a_difference_would_be_seen(url: str) -> None:
    migrate.upgrade(url)
    database = Database(url)
    with database.write() as session:
        session.execute(sa.text("DROP INDEX operations_by_state"))
        session.execute(sa.text("ALTER TABLE quotas ADD COLUMN more INTEGER"))
    database.close()
    assert len(schema.differences(url)) == 2


def test_each_is_a_line_of_the_log() -> None:
    for info in pkgutil.iter_modules(versions.__path__):
        about = importlib.import_module(f"{versions.__name__}.{info.name}").__doc__ or ""
        assert "\n" not in about.partition("\n\n")[0], info.name


def test_again_changes_nothing(url: str) -> None:
    assert migrate.current(url) is None
    migrate.upgrade(url)
    before = schema.described(url)
    migrate.upgrade(url)
    assert migrate.current(url) == migrate.head()
    assert schema.described(url) == before


@pytest.mark.parametrize(
    "undone",
    [
        [],
        ["DROP TABLE instance_samples"],
        ["DROP TABLE instance_samples", "DROP INDEX operations_by_created"],
        ["ALTER TABLE conductors DROP COLUMN draining", "ALTER TABLE operations DROP COLUMN since"],
    ],
)
def test_one_that_was_killed_half_way_goes_on(url: str, undone: list[str]) -> None:
    """MariaDB commits each change by itself, and the revision after the last."""
    migrate.upgrade(url)
    before = schema.described(url)
    database = Database(url)
    with database.write() as session:
        for statement in (*undone, "UPDATE alembic_version SET version_num = '0001'"):
            session.execute(sa.text(statement))
    database.close()
    assert migrate.upgrade(url) == migrate.head()
    after = schema.described(url)
    assert schema.differences(url) == []
    assert {table: sorted(found["columns"]) for table, found in after.items()} == {
        table: sorted(found["columns"]) for table, found in before.items()
    }


def test_two_at_once(url: str) -> None:
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(migrate.upgrade, [url, url])) == [migrate.head()] * 2


def test_a_failed_upgrade_leaves_nothing_behind(url: str, tmp_path: pathlib.Path) -> None:
    with sqlite3.connect(tmp_path / "state.sqlite") as connection:
        connection.execute("CREATE TABLE operations (id INTEGER)")
    with pytest.raises(sa.exc.OperationalError, match="operations already exists"):
        migrate.upgrade(url)
    assert migrate.current(url) is None
    assert list(schema.described(url)) == ["operations"]
