# SPDX-License-Identifier: Apache-2.0
"""A migration that was killed between two changes goes on, on the database that commits each of them."""

import sqlalchemy as sa

from dbflow.db import migrate
from dbflow.db.session import Database
from tests.unit import schema


def test_a_migration_goes_on_where_it_was_killed(database: Database) -> None:
    url = database.engine.url.render_as_string(hide_password=False)
    with database.write() as session:
        for statement in (
            "DROP TABLE instance_samples",
            "ALTER TABLE operations DROP COLUMN released_epoch",
            "UPDATE alembic_version SET version_num = '0001'",
        ):
            session.execute(sa.text(statement))
    database.close()
    assert len(schema.differences(url)) == 2
    assert migrate.upgrade(url) == migrate.head()
    assert schema.differences(url) == []
