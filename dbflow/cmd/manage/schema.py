# SPDX-License-Identifier: Apache-2.0
"""db sync | version"""

import argparse
import contextlib
from collections.abc import Iterator

import sqlalchemy as sa

from dbflow.cmd.manage.context import Context, ManageError
from dbflow.cmd.manage.verbs import Commands, Noun


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    noun = Noun(commands, shared, "db", "dbflow's own tables")
    noun.verb("sync", sync, "create the tables, or bring them to this release's version")
    noun.verb("version", version, "the tables' version, and the one this release needs")


def sync(context: Context, _: argparse.Namespace) -> None:
    """Migrate."""
    from dbflow.db import migrate  # brings alembic, which half a second of every other command would go into

    try:
        with _explained():
            context.record({"version": migrate.upgrade(context.conf.database.connection)})
    except migrate.SchemaBusy as error:
        raise ManageError(str(error)) from None


def version(context: Context, _: argparse.Namespace) -> int:
    """Status 1 when ``db sync`` is due."""
    from dbflow.db import migrate

    with _explained():
        found = migrate.current(context.conf.database.connection)
    context.record({"version": found, "needed": migrate.head()})
    return 0 if found == migrate.head() else 1


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        raise ManageError(f"the database: {error.orig}") from None
