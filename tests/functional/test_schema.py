# SPDX-License-Identifier: Apache-2.0
"""Migrations on MariaDB, where dbflow keeps its state in production."""

import concurrent.futures
import multiprocessing

import sqlalchemy as sa

from dbflow.db import migrate
from dbflow.db.session import Database
from tests.servers import MariaDBServer
from tests.unit import schema


def test_migrated_schema_is_that_of_the_models(mysql_url: str, mariadb_server: MariaDBServer) -> None:
    assert migrate.upgrade(mysql_url) == migrate.head()
    assert schema.differences(mysql_url) == []
    other = mariadb_server.create_database("models")
    schema.create_all(other)
    assert schema.described(mysql_url) == schema.described(other)
    mariadb_server.drop_database("models")


def test_two_at_once(mysql_url: str) -> None:
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        assert list(pool.map(migrate.upgrade, [mysql_url, mysql_url])) == [migrate.head()] * 2


def test_texts_hold_any_character_and_times_microseconds(mysql_url: str) -> None:
    migrate.upgrade(mysql_url)
    database = Database(mysql_url)
    with database.write() as session:
        session.execute(sa.text("INSERT INTO datastores (id, name) VALUES ('1', '🐬')"))
        session.execute(sa.text("INSERT INTO root_history VALUES ('1', 'u', '2026-01-01 00:00:00.123456')"))
    with database.read() as session:
        assert session.scalar(sa.text("SELECT name FROM datastores")) == "🐬"
        assert session.scalar(sa.text("SELECT created FROM root_history")).microsecond == 123456
    database.close()
