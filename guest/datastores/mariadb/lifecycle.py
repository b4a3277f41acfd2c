# SPDX-License-Identifier: Apache-2.0
"""Install, configure, start and stop MariaDB."""

import contextlib
import dataclasses
import logging
import pathlib
import secrets
import shutil
import tempfile
import time

from dbflow import faults
from dbflow.datastores.mariadb import ADMIN_USER, REPLICATION_USER
from dbflow.status import Service
from guest.datastores import base
from guest.datastores.base import DatastoreError, Health, Progress, Settings
from guest.datastores.mariadb import config, image, logs, quoting, release, role, trial
from guest.datastores.mariadb.certified import waive_certificates
from guest.datastores.mariadb.client import Client, LockedOut, Session
from guest.datastores.mariadb.configuration import waits_for_a_restart
from guest.datastores.mariadb.layout import Layout, write
from guest.datastores.mariadb.replication import Replication, follows
from guest.datastores.mariadb.role import Part
from guest.datastores.mariadb.server import Server

LOG = logging.getLogger(__name__)

START_TIMEOUT = 300.0
"""Seconds; a server that recovers from a crash may need minutes."""
_APPLY_TIMEOUT = 60.0
"""Seconds for applying what a replica that is to stop has received."""
_HEALTH_TIMEOUT = 1.0
"""Seconds for each answer of a look at the server."""
_LEFT_OVER = 600.0
"""Seconds after which nobody is at work on a half-written file any more."""
_LOAD = {"Threads_connected": "threads_connected", "Threads_running": "threads_running", "Questions": "questions"}


class Lifecycle(base.Lifecycle):
    """See the base class."""

    def __init__(self, layout: Layout, client: Client, server: Server) -> None:
        self._layout = layout
        self._client = client
        self._server = server

    def install(self, settings: Settings, progress: Progress) -> None:
        """See the base class. What was left half done is wiped and made again."""
        self._layout.make_directories()
        if settings.overrides:
            trial.parse(settings, self._layout)
        progress(0.1)
        if not self._layout.installed.exists():
            self._make_data()
        progress(0.5)
        self._complete(settings)
        progress(1.0)

    def adopt(self, settings: Settings, data: pathlib.Path) -> None:
        """Make a secured server of a data directory that is complete, running when this returns. The directory is
        moved; it may have been already."""
        self._layout.make_directories()
        if data.exists():
            image.settle(data, self._layout.owner)
            shutil.rmtree(self._layout.data, ignore_errors=True)
            data.rename(self._layout.data)
        self._complete(settings)
        self.begin_history()

    def begin_history(self) -> None:
        """Unless it will be a replica: the data may be of a member of a set, with the login of replicas and what it had
        of its source, and this server is of no set."""
        if role.load(self._layout).part is not Part.ALONE:
            return
        with self._client.session() as session:
            session.run("SET SESSION sql_log_bin = 0")
            session.run(f"DROP USER IF EXISTS {quoting.account(REPLICATION_USER, '%')}")
            # A dump was logged as it was read; a position is refused that does not go with the log.
            session.run("RESET MASTER")
            session.run("SET GLOBAL gtid_slave_pos = ''")
            # Of the authority of the server that the data are of.
            waive_certificates(session)

    def _complete(self, settings: Settings) -> None:
        self._make_administrator()
        self.configure(settings)
        write(self._layout.installed, "")
        self.start(START_TIMEOUT)

    def configure(self, settings: Settings) -> None:
        """See the base class."""
        write(self._layout.config, config.render(settings, self._layout, self._layout.disk), self._layout.owner)

    def start(self, timeout: float) -> None:
        """See the base class."""
        if not self._layout.installed.exists():
            raise DatastoreError("There is no database server on this machine yet.")
        self._layout.make_directories()
        self._make_administrator()
        if self._server.process() is None:
            release.must_fit(self._layout)  # one that is refused is stopped on purpose still
        for mark in (self._layout.stopped, self._layout.unopened):
            mark.unlink(missing_ok=True)
        if self.health().locked_out:
            # At every start the server makes the administrator anew, whatever its users did to it.
            LOG.warning("the administrator was changed by somebody else; starting the server anew")
            self._server.stop(timeout)
        self._server.start(timeout)
        if role.load(self._layout).part is Part.REPLICA:
            Replication(self._layout, self._client).recover()

    def stop(self, timeout: float) -> None:
        """See the base class."""
        self._apply_what_was_received()
        if self._layout.installed.exists():
            write(self._layout.stopped, "")
        self._server.stop(timeout)

    def stop_without_force(self, timeout: float) -> None:
        """Stop it on purpose, and leave it nothing to recover. DatastoreError when it takes longer."""
        self._apply_what_was_received()
        write(self._layout.stopped, "")
        self._server.stop_without_force(timeout)

    def restart(self, timeout: float) -> None:
        """See the base class. An agent that dies in its middle leaves no stop on purpose behind."""
        self._apply_what_was_received()
        self._server.stop(timeout)
        self.start(timeout)

    def _apply_what_was_received(self) -> None:
        """A replica that starts throws away what it has received and not applied, and its source may be dead by then.
        DatastoreError when it needs longer; one that does not apply any more has nothing to lose but time."""
        if role.load(self._layout).part is Part.REPLICA and self._server.process() is not None:
            Replication(self._layout, self._client).rest(_APPLY_TIMEOUT)

    def health(self) -> Health:
        """See the base class."""
        if not self._layout.installed.exists():
            return Health(Service.NEW, None)
        if self._server.process() is None:
            stopped = self._layout.stopped.exists()
            return Health(Service.SHUTDOWN if stopped else Service.CRASHED, None)
        try:
            with self._client.session(_HEALTH_TIMEOUT) as session:
                if not _administers(session):
                    return Health(Service.RUNNING, None, locked_out=True)
                health = dataclasses.replace(_examine(session), restart_required=self._restart_required(session))
                if role.load(self._layout).part is Part.REPLICA and not follows(session):
                    health = dataclasses.replace(health, service_status=Service.RUNNING)
                return health
        except LockedOut:
            return Health(Service.RUNNING, None, locked_out=True)
        except DatastoreError:
            return Health(Service.RUNNING, None)

    def resume(self) -> None:
        """See the base class. A server that does not come up is told by health(), not by an exception: the agent
        must be there to be asked."""
        if not self._layout.installed.exists() or self._layout.stopped.exists():
            return
        self._remove_leftovers()
        try:
            self.start(START_TIMEOUT)
            logs.agree(self._layout, self._client)
        except DatastoreError as error:
            LOG.error("%s", error)

    def _restart_required(self, session: Session) -> bool | None:
        try:
            return waits_for_a_restart(self._layout, session)
        except OSError:  # it was started by a release that did not write down with what
            return None

    def _remove_leftovers(self) -> None:
        """Of an agent that died while it wrote, not of whoever writes now."""
        long_ago = time.time() - _LEFT_OVER
        for path in (*self._layout.state.glob(".*"), *self._layout.temporary.glob(f"{trial.PREFIX}*")):
            with contextlib.suppress(FileNotFoundError):
                if path.lstat().st_mtime < long_ago:
                    shutil.rmtree(path) if path.is_dir() else path.unlink()

    def build_image(self, target: pathlib.Path) -> None:
        """See the base class."""
        image.build(target, self._layout)

    def _make_data(self) -> None:
        """Made beside its place and moved there: a half-made data directory is never taken for a whole one."""
        parent, data = self._layout.machine.data_dir, self._layout.data
        for leftover in (data, *parent.glob(".new-*")):
            shutil.rmtree(leftover, ignore_errors=True)
        work = pathlib.Path(tempfile.mkdtemp(dir=parent, prefix=".new-"))
        prepared = self._layout.machine.image_dir
        if prepared is not None and image.fits(prepared, self._layout):
            image.copy(prepared, work / "data", self._layout.owner)
        else:
            image.make_data(work / "data", self._layout)
        image.settle(work / "data", self._layout.owner)
        faults.within()
        (work / "data").rename(data)
        work.rmdir()

    def _make_administrator(self) -> None:
        if not self._layout.secret.exists():
            write(self._layout.secret, secrets.token_urlsafe(32))
        who = quoting.account(ADMIN_USER, "localhost")
        digest = quoting.literal(quoting.password_hash(self._layout.secret.read_text()))
        statements = (
            # Of this server only; a replica has its own administrator.
            "SET SESSION sql_log_bin = 0",
            f"CREATE OR REPLACE USER {who} IDENTIFIED BY PASSWORD {digest} PASSWORD EXPIRE NEVER",
            f"GRANT ALL PRIVILEGES ON *.* TO {who} WITH GRANT OPTION",
        )
        # A server whose init file is interrupted does not start: what a group allows its users is not for these.
        text = "".join(f"SET STATEMENT max_statement_time = 0 FOR {statement};\n" for statement in statements)
        if not self._layout.init_sql.exists() or self._layout.init_sql.read_text() != text:
            write(self._layout.init_sql, text, self._layout.owner)


def _administers(session: Session) -> bool:
    """Whether our account still has all rights, and may give them."""
    grants = [str(row[0]) for row in session.rows("SHOW GRANTS")]
    return any(one.startswith("GRANT ALL PRIVILEGES ON *.* ") and one.endswith(" WITH GRANT OPTION") for one in grants)


def _examine(session: Session) -> Health:
    ((version, position),) = session.rows("SELECT VERSION(), @@GLOBAL.gtid_current_pos")
    names = ", ".join(quoting.literal(name) for name in _LOAD)
    found = session.rows(
        f"SELECT VARIABLE_NAME, VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME IN ({names})"
    )
    values = {str(name).casefold(): float(value) for name, value in found}
    load = {key: values[name.casefold()] for name, key in _LOAD.items()}
    return Health(Service.HEALTHY, str(version).split("-", 1)[0], position or None, load)
