# SPDX-License-Identifier: Apache-2.0
"""``sql``: runs statements, and at its removal those that undo them."""

from dbflow.modules.sql import script
from guest.datastores.base import Datastore, Scripts, Unsupported
from guest.modules import base

TIMEOUT = 300.0
"""Seconds a part may take."""


class Sql(base.ModuleType):
    """Of datastores with scripts."""

    def ready(self, datastore: Datastore) -> None:
        """Where the server answers, and may be written to."""
        _writable(datastore).ready()

    def apply(self, contents: bytes, datastore: Datastore) -> str:
        """Runs the first part."""
        count = _writable(datastore).run(script(contents).do, TIMEOUT)
        return f"{count} statement{'s' if count != 1 else ''} run"

    def remove(self, contents: bytes, datastore: Datastore) -> None:
        """Runs the second part, if there is one; else what an agent that died has begun of the first one ends."""
        if undo := script(contents).undo:
            _writable(datastore).run(undo, TIMEOUT)
        else:
            _scripts(datastore).settle()


def _writable(datastore: Datastore) -> Scripts:
    """DatastoreError for a server that is read-only: nobody else would have what is written there."""
    scripts = _scripts(datastore)
    if datastore.replication is not None:
        datastore.replication.must_be_open()
    return scripts


def _scripts(datastore: Datastore) -> Scripts:
    if datastore.scripts is None:
        raise Unsupported("This datastore runs no scripts.")
    return datastore.scripts
