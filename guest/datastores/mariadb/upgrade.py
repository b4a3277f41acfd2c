# SPDX-License-Identifier: Apache-2.0
"""From one release to the next, and back as long as nobody has written to it there.

The old server is stopped so that nothing of it is left to be recovered, since another release could not do that; all
it has is copied; the new one is started for nobody but us, and upgrades the system tables and those that need it.
"""

import contextlib
import hashlib
import subprocess
import threading

import psutil

from dbflow import faults
from guest.datastores import base
from guest.datastores.base import DatastoreError, Settings, WrittenSince
from guest.datastores.mariadb import image, programs, release, role, trial
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout, write
from guest.datastores.mariadb.lifecycle import START_TIMEOUT, Lifecycle
from guest.datastores.mariadb.login import write_login
from guest.datastores.mariadb.point import Point
from guest.datastores.mariadb.replication import is_connected
from guest.datastores.mariadb.role import Part
from guest.datastores.mariadb.server import Server

_STOP_TIMEOUT = 1800.0
"""Seconds for a shutdown that leaves nothing undone: it purges, and merges what was buffered."""
_RUN_TIMEOUT = 6 * 3600.0
"""Seconds; it looks at each table."""
_LOGIN = "upgrade.cnf"
_PRIVATE = (
    "--skip-networking",
    "--skip-slave-start",
    "--rpl-semi-sync-master-enabled=0",
    "--event-scheduler=OFF",
)
"""Of a server that nobody is to reach but the upgrade."""
_HASTY = (
    # A step that breaks off goes back to the backup point: until it ends well, nothing needs to survive.
    "--innodb-flush-log-at-trx-commit=0",
    "--sync-frm=0",
    "--aria-group-commit=soft",
    "--aria-group-commit-interval=10000000",
)
"""Of one that upgrades the tables."""
_KEPT = "It was written to after it was upgraded, so it must remain so."


class Upgrade(base.Upgrade):
    """See the base class."""

    def __init__(self, layout: Layout, client: Client, server: Server, lifecycle: Lifecycle) -> None:
        self._layout, self._client, self._server, self._lifecycle = layout, client, server, lifecycle

    def check(self, name: str) -> None:
        """See the base class."""
        with self._client.session() as session:
            if session.rows("XA RECOVER"):
                raise DatastoreError("There are prepared XA transactions; commit or roll them back before the upgrade.")
        Point(self._layout, name).must_have_room()

    def stop(self) -> None:
        """See the base class."""
        # One that does not run, or is on its way down, need not be told.
        with contextlib.suppress(DatastoreError), self._client.session() as session:
            session.run("SET GLOBAL innodb_fast_shutdown = 0")
        self._lifecycle.stop_without_force(_STOP_TIMEOUT)

    def start_again(self) -> None:
        """See the base class."""
        process = self._server.process()
        if process is not None and not self._server.answers():
            # On its way down, or it is one that has just been started, which does not mind.
            with contextlib.suppress(psutil.Error):
                process.wait(START_TIMEOUT)
        self._lifecycle.start(START_TIMEOUT)
        with self._client.session() as session:
            session.run("SET GLOBAL innodb_fast_shutdown = DEFAULT")

    def take_point(self, name: str, interrupted: threading.Event) -> None:
        """See the base class."""
        if self._server.process() is not None:
            raise DatastoreError("The database server runs; a backup point is made of one that is stopped.")
        Point(self._layout, name).take(interrupted)

    def go_back(self, name: str) -> None:
        """See the base class."""
        self._must_not_have_served()
        self._server.stop(0.0)
        Point(self._layout, name).go_back()

    def drop_point(self, name: str) -> None:
        """See the base class."""
        Point(self._layout, name).drop()

    def must_be(self, wanted: str) -> None:
        """See the base class."""
        found = release.of_programs(self._layout)
        if found != wanted:
            raise DatastoreError(f"The image has MariaDB {found}, and not {wanted}.")

    def run(self, settings: Settings, wanted: str, interrupted: threading.Event) -> None:
        """See the base class. Run again after the agent's death, it does it all once more."""
        self.must_be(wanted)
        self._layout.make_directories()
        trial.parse(settings, self._layout)
        self._lifecycle.configure(settings)
        self._server.stop(_STOP_TIMEOUT)
        self._layout.kept.unlink(missing_ok=True)
        release.begin(self._layout, wanted)
        self._server.start(START_TIMEOUT, (*_PRIVATE, *_HASTY))
        faults.within()
        self._upgrade_tables(interrupted)
        faults.within()
        self._server.stop_without_force(_STOP_TIMEOUT)
        image.settle(self._layout.data, self._layout.owner)
        write(self._layout.upgraded, self._written())
        release.note(self._layout, wanted, started=True)

    def halt(self) -> None:
        """See the base class."""
        self._must_not_have_served()
        self._server.stop(0.0)

    def open(self) -> None:
        """See the base class."""
        try:
            self._lifecycle.start(START_TIMEOUT)
        except DatastoreError:
            if self._server.process() is None:
                write(self._layout.stopped, "")  # or the agent would start it, and users write to what is given up
                write(self._layout.unopened, "")
            raise

    def close(self) -> None:
        """See the base class."""
        if self._layout.kept.exists():
            raise WrittenSince(_KEPT)
        loses_nothing = self._layout.unopened.exists() or self._has_its_source()
        if not self._layout.stopped.exists():  # or the agent would take it for a server that died
            write(self._layout.stopped, "")
        if self._server.process() is None and not loses_nothing:
            # One that died has not written down what it had; the next one does.
            self._server.start(START_TIMEOUT, _PRIVATE)
        self._server.stop_without_force(_STOP_TIMEOUT)
        if loses_nothing or not self._layout.upgraded.exists():
            return
        if self._written() != self._layout.upgraded.read_text():
            self._lifecycle.start(START_TIMEOUT)
            write(self._layout.kept, "")  # or it would be stopped for the same answer at each further try
            raise WrittenSince(_KEPT)

    def _has_its_source(self) -> bool:
        """Whether it is a replica, and gets once more what it loses."""
        if role.load(self._layout).part is not Part.REPLICA or self._server.process() is None:
            return False
        try:
            with self._client.session() as session:
                return is_connected(session)
        except DatastoreError:
            return False

    def _must_not_have_served(self) -> None:
        """Whoever starts a server for everybody takes the mark of its stop away. (In the middle of going back there is
        nothing where that would be.)"""
        if self._layout.state.exists() and not self._layout.stopped.exists():
            raise DatastoreError("The server was started since, so what it has now must remain.")

    def _upgrade_tables(self, interrupted: threading.Event) -> None:
        login = self._layout.runtime / _LOGIN
        write_login(self._layout, login)
        command = [
            self._layout.program("mariadb-upgrade"),
            f"--defaults-file={login}",
            f"--tmpdir={self._layout.temporary}",
            "--force",
            "--silent",
        ]
        try:
            done = programs.complete(
                command, interrupted, _RUN_TIMEOUT, cwd="/", **programs.as_user(self._layout.owner)
            )
        except subprocess.TimeoutExpired:
            raise DatastoreError(f"The tables were not upgraded within {_RUN_TIMEOUT:g} s.") from None
        finally:
            login.unlink(missing_ok=True)
        if done.returncode != 0:
            raise DatastoreError(f"The tables could not be upgraded: {done.stdout.strip()[-500:]}")

    def _written(self) -> str:
        """Changes with each transaction that is in the binary log of the stopped server."""
        state = self._layout.binlog / "binlog.state"
        # The server writes the lines in any order.
        lines = sorted(state.read_bytes().splitlines()) if state.exists() else []
        return hashlib.sha256(b"\n".join(lines)).hexdigest()
