# SPDX-License-Identifier: Apache-2.0
"""What is in a database, for comparing the migrated schema with the models."""

from typing import Any

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from dbflow.db.session import Database
from dbflow.persistence.tables import METADATA


def differences(url: str) -> list[Any]:
    """What alembic would change to come from the database to the models."""
    database = Database(url)
    try:
        with database.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            return list(compare_metadata(context, METADATA))
    finally:
        database.close()


def described(url: str) -> dict[str, Any]:
    """Columns, keys, constraints and indexes of every table; alembic's own aside."""
    database = Database(url)
    try:
        looked = sa.inspect(database.engine)
        return {
            table: {
                "columns": [
                    (column["name"], str(column["type"]), column["nullable"]) for column in looked.get_columns(table)
                ],
                "primary": looked.get_pk_constraint(table)["constrained_columns"],
                "foreign": sorted(
                    (key["constrained_columns"], key["referred_table"], key["referred_columns"], str(key["options"]))
                    for key in looked.get_foreign_keys(table)
                ),
                "unique": sorted(key["column_names"] for key in looked.get_unique_constraints(table)),
                "indexes": sorted((str(i["name"]), i["column_names"], i["unique"]) for i in looked.get_indexes(table)),
            }
            for table in sorted(looked.get_table_names())
            if table != "alembic_version"
        }
    finally:
        database.close()


def create_all(url: str) -> None:
    """The schema straight from the models."""
    database = Database(url)
    METADATA.create_all(database.engine)
    database.close()
