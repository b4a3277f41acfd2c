# SPDX-License-Identifier: Apache-2.0
"""Run by alembic: applies the migrations on the connection that :mod:`dbflow.db.migrate` gives it."""

from alembic import context

from dbflow.persistence.tables import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    compare_type=True,
    render_as_batch=True,  # SQLite alters tables by copying them
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
