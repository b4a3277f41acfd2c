# SPDX-License-Identifier: Apache-2.0
"""``sql``: runs statements, and at its removal those that undo them."""

from dbflow.modules.sql import script
from guest.datastores.base import Datastore, Scripts, Unsupported
from guest.modules import base

TIMEOUT = 300.0
"""Seconds a part may take."""
_SOON = 30.0


class Sql(base.ModuleType):
    """Of datastores with scripts."""

    def ready(self, datastore: Datastore) -> None:
        """Where the server answers, and may be written to."""
        _scripts(datastore).run("DO 0", _SOON)

    def apply(self, contents: bytes, datastore: Datastore) -> str:
        """Runs the first part."""
        count = _scripts(datastore).run(script(contents).do, TIMEOUT)
        return f"{count} statement{'s' if count != 1 else ''} run"

    def remove(self, contents: bytes, datastore: Datastore) -> None:
        """Runs the second part, if there is one."""
        if undo := script(contents).undo:
            _scripts(datastore).run(undo, TIMEOUT)


def _scripts(datastore: Datastore) -> Scripts:
    """DatastoreError for a server that is read-only: nobody else would have what is written there."""
    if datastore.scripts is None:
        raise Unsupported("This datastore runs no scripts.")
    if datastore.replication is not None:
        datastore.replication.must_be_open()
    return datastore.scripts
