# SPDX-License-Identifier: Apache-2.0
"""MariaDB's replication: by GTID, semi-synchronous, with binary logs on every member so that any may become the
source."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pymysql

from dbflow.datastores.gtid import covers
from dbflow.datastores.mariadb import REPLICATION_USER
from guest.datastores import base
from guest.datastores.base import Away, DatastoreError, Interrupted, Origin
from guest.datastores.mariadb import binlog, role, tls
from guest.datastores.mariadb.client import Client, LockedOut, Session, explain
from guest.datastores.mariadb.clients import drain, make_read_only, without_read_only_admins
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.quoting import account, literal, password_hash
from guest.datastores.mariadb.role import Part, Role

_WHO = account(REPLICATION_USER, "%")
_PAUSE = 0.02
"""Seconds between two looks at a replica that begins."""
_RECONNECT = 1
"""Seconds between two attempts to reach a source that is away: while nobody acknowledges, nobody writes."""
_NOTHING_YET = 4
"""Where every log begins."""
_STEP = 1.0
"""Seconds between two looks at whether to go on waiting."""
_STATEMENT = 30.0
"""Seconds for a statement that waits for nobody."""


class Replication(base.Replication):
    """See the base class."""

    def __init__(self, layout: Layout, client: Client) -> None:
        self._layout, self._client = layout, client

    def bound(self) -> None:
        """See the base class. One that runs for an upgrade only has its replicas away."""
        if not self._layout.stopped.exists():
            binlog.bound(self._layout, self._client)

    def admit(self, password: str) -> None:
        """See the base class."""
        with self._session() as session:
            ((kept, read_only),) = session.rows("SELECT @@GLOBAL.log_bin, @@GLOBAL.read_only")
            if not kept:
                raise DatastoreError("It keeps no binary log, since it was made by an earlier release of dbflow.")
            if not read_only:
                without_read_only_admins(session)
            with _unlogged(session):
                who = f"{_WHO} IDENTIFIED BY PASSWORD {literal(password_hash(password))}"
                # Never without a password, and never without its rights for one that has replicas.
                session.run(f"CREATE USER IF NOT EXISTS {who}")
                session.run(f"ALTER USER {who}")
                # Clients that wait for a replica may hold all connections: it gets in all the same.
                session.run(f"GRANT REPLICATION SLAVE, CONNECTION ADMIN ON *.* TO {_WHO}")
        self._change(part=Part.SOURCE)

    def acknowledge(self, fallback: float) -> None:
        """See the base class."""
        with self._session() as session:
            self._apply(session, part=Part.SOURCE, acknowledged=True, fallback=fallback)

    def relax(self) -> None:
        """See the base class."""
        with self._session() as session:
            self._apply(session, acknowledged=False)

    def dismiss(self) -> None:
        """See the base class."""
        if role.load(self._layout).part is Part.REPLICA:
            return  # it is another one's by now
        fenced = self._layout.machine.fenced
        with self._session() as session:
            # A change of places that could not be undone may have left it read-only.
            self._apply(session, part=Part.ALONE, acknowledged=False, read_only=fenced)
            session.run(f"SET GLOBAL read_only = {int(fenced)}")
            with _unlogged(session):
                session.run(f"DROP USER IF EXISTS {_WHO}")

    def expect(self) -> None:
        """See the base class."""
        self._layout.make_directories()
        self._change(part=Part.REPLICA, read_only=True, acknowledged=False)

    def follow(self, origin: Origin, position: str | None = None, timeout: float | None = None) -> None:
        """See the base class."""
        with self._session() as session:
            self._apply(session, part=Part.REPLICA, read_only=True, acknowledged=False)
            make_read_only(session, _STATEMENT)
            channel = _channel(session)
            if channel is None or not _goes_to(channel, origin):
                session.run("STOP SLAVE")
                if channel is None and position is not None:
                    _stand_at(session, position)
                _change_source(session, origin, self._trusted(origin))
            session.run("START SLAVE")
            if timeout is not None:
                _wait_for(lambda: _takes(_channel(session)), timeout, "The replica does not reach its source.")

    def recover(self) -> None:
        """After a start of the server, or of its agent. A server that was killed between logging a statement that is no
        transaction (such as CREATE TABLE) and noting that it had applied it would be given it again, and refuse it for
        ever: its log is right. Where nothing runs any more, an agent has died before it let it go on."""
        with self._session() as session:
            channel = _channel(session)
            if channel is None:
                return
            takes, rests = channel["Slave_IO_Running"] != "No", _rests(channel)
            behind = _has_logged_more(session)
            if behind:
                session.run("STOP SLAVE")
                # One that was at work in that moment is not behind any more.
                if _has_logged_more(session):
                    session.run(f"SET GLOBAL gtid_slave_pos = {literal(_position(session))}")
            if behind or rests:
                session.run("START SLAVE" if takes or rests else "START SLAVE SQL_THREAD")

    def leave(self) -> None:
        """See the base class."""
        with self._session() as session:
            session.run("STOP SLAVE")
            session.run("RESET SLAVE ALL")

    def settle(self, timeout: float, interrupted: threading.Event | None = None) -> None:
        """See the base class."""
        with self._session(timeout) as session:
            channel = _channel(session)
            if channel is None:
                if role.load(self._layout).part is Part.REPLICA and not _position(session):
                    raise DatastoreError("It never followed its source, so it has nothing of it. Delete it.")
                return
            session.run("STOP SLAVE IO_THREAD")
            taken = (_channel(session) or channel)["Gtid_IO_Pos"]
            _wait_until_applied(session, taken, timeout, interrupted)

    def rest(self, timeout: float) -> None:
        """Before it stops: as ``settle``, where it can be asked and applies at all. It goes on when there is not time
        enough."""
        try:
            with self._session() as session:
                channel = _channel(session)
        except DatastoreError:
            return
        if channel is None or channel["Slave_SQL_Running"] != "Yes":
            return
        try:
            self.settle(timeout)
        except DatastoreError:
            self.resume()
            raise

    def resume(self) -> None:
        """See the base class."""
        with self._session() as session:
            if _channel(session) is not None:
                session.run("START SLAVE")

    def source(self) -> tuple[str, int, bool] | None:
        """See the base class."""
        with self._session() as session:
            channel = _channel(session)
        if channel is None:
            return None
        return channel["Master_Host"], int(channel["Master_Port"]), channel["Master_SSL_Allowed"] == "Yes"

    def hold(self, timeout: float) -> None:
        """See the base class."""
        self._change(read_only=True)
        with self._session(timeout) as session:
            make_read_only(session, timeout)
            drain(session, timeout)

    def open(self) -> None:
        """See the base class."""
        if self._layout.machine.fenced:
            raise DatastoreError("Another server took its place: it stays read-only.")
        alone = role.load(self._layout).part is not Part.SOURCE
        with self._session() as session:
            if alone:
                with _unlogged(session):
                    session.run(f"DROP USER IF EXISTS {_WHO}")
            self._apply(session, part=Part.ALONE if alone else Part.SOURCE, read_only=False)
            session.run("SET GLOBAL read_only = 0")

    def reopen(self) -> None:
        """See the base class."""
        if role.load(self._layout).part is not Part.REPLICA:
            self.open()

    def must_be_open(self) -> None:
        """See the base class."""
        if role.load(self._layout).read_only:
            raise DatastoreError("The server is read-only: its databases and users are changed on its source.")

    def position(self) -> str:
        """See the base class."""
        with self._session() as session:
            return _position(session)

    def catch_up(self, position: str, timeout: float) -> None:
        """See the base class."""
        with self._session(timeout) as session:
            _wait_until_applied(session, position, timeout)

    def overtake(self, origin: Origin, timeout: float) -> None:
        """See the base class."""
        position = self._position_of(origin, timeout)
        self.follow(origin)
        self.catch_up(position, timeout)

    def behind(self, within: float) -> float:
        """See the base class."""
        with self._session(within) as session:
            channel = _channel(session)
            if channel is None:
                raise DatastoreError("The replica follows nobody.")
            if not _takes(channel):
                raise Away(f"The replica does not reach its source: {channel['Last_IO_Error'] or 'it tries to'}")
            if _has_applied(session, channel["Gtid_IO_Pos"], within):
                return 0.0
            return max(within, float((_channel(session) or channel)["Seconds_Behind_Master"] or 0))

    def reach(self, origin: Origin) -> bool:
        """See the base class."""
        wanted = self._position_of(origin, _STATEMENT)
        with self._session() as session:
            channel = _channel(session)
        if channel is None or not _takes(channel):
            return False
        return covers(channel["Gtid_IO_Pos"], wanted)

    def _position_of(self, origin: Origin, timeout: float) -> str:
        """Asked again until it answers."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                with self._remote(origin) as session:
                    return _position(session)
            except LockedOut:
                raise DatastoreError("The other server does not let its replicas in.") from None
            except DatastoreError as error:
                if time.monotonic() > deadline:
                    raise Away(f"The other server can't be asked: {error}") from None
            time.sleep(_RECONNECT)

    def _encrypted(self, origin: Origin) -> dict[str, Any]:
        trusted = self._trusted(origin)
        return {"ssl_disabled": True} if trusted is None else {"ssl_ca": trusted, "ssl_verify_cert": True}

    def _trusted(self, origin: Origin) -> str | None:
        """The file of those whose certificate the other server may have; None where there is no TLS between them."""
        return str(self._layout.tls_trusted) if origin.tls and tls.is_certified(self._layout) else None

    # -- what the server is

    def _change(self, **changes: Any) -> Role:
        changed = dataclasses.replace(role.load(self._layout), **changes)
        role.save(self._layout, changed)
        return changed

    def _apply(self, session: Session, **changes: Any) -> None:
        """In the file first, then in the running server."""
        for name, value in self._change(**changes).variables().items():
            session.run(f"SET GLOBAL {name} = {value}")

    def _session(self, timeout: float = 0.0) -> contextlib.AbstractContextManager[Session]:
        return self._client.session(timeout + _STATEMENT)

    @contextlib.contextmanager
    def _remote(self, origin: Origin) -> Iterator[Session]:
        """Of the source, as its replica."""
        try:
            connection = pymysql.connect(
                host=origin.address,
                port=origin.port,
                user=REPLICATION_USER,
                password=origin.password,
                **self._encrypted(origin),
                connect_timeout=5,
                read_timeout=_STATEMENT,
            )
            with contextlib.closing(connection):
                yield Session(connection)
        except (pymysql.Error, OSError) as error:
            raise explain(error) from None


@contextlib.contextmanager
def _unlogged(session: Session) -> Iterator[None]:
    """Of this server only: each has its own account for replicas. What fails ends the session."""
    session.run("SET SESSION sql_log_bin = 0")
    yield
    session.run("SET SESSION sql_log_bin = 1")


def _position(session: Session) -> str:
    """Every member logs what it takes, so the binary log's end is the position of all of them."""
    ((position,),) = session.rows("SELECT @@GLOBAL.gtid_binlog_pos")
    return str(position)


def _has_logged_more(session: Session) -> bool:
    """Than it has noted as applied."""
    ((logged, noted),) = session.rows("SELECT @@GLOBAL.gtid_binlog_pos, @@GLOBAL.gtid_slave_pos")
    return not covers(str(noted), str(logged))


def _stand_at(session: Session, position: str) -> None:
    """A fresh copy has no log: it begins as if it had logged everything up to the copy's position."""
    session.run("RESET MASTER")
    session.run(f"SET GLOBAL gtid_binlog_state = {literal(position)}")


def _change_source(session: Session, origin: Origin, trusted: str | None) -> None:
    session.run(f"SET GLOBAL gtid_slave_pos = {literal(_position(session))}")
    session.run(
        f"CHANGE MASTER TO MASTER_HOST = {literal(origin.address)}, MASTER_PORT = {int(origin.port)},"
        f" MASTER_USER = {literal(REPLICATION_USER)}, MASTER_PASSWORD = {literal(origin.password)},"
        f" MASTER_USE_GTID = slave_pos, MASTER_CONNECT_RETRY = {_RECONNECT}, {tls.link_to(trusted)}"
    )


def _channel(session: Session) -> dict[str, Any] | None:
    """What the server says of the source that it follows."""
    rows = session.named("SHOW SLAVE STATUS")
    return rows[0] if rows else None


def follows(session: Session) -> bool:
    """Whether the server takes what its source has, or tries to: nothing of that was stopped."""
    channel = _channel(session)
    return channel is not None and "No" not in (channel["Slave_IO_Running"], channel["Slave_SQL_Running"])


def is_connected(session: Session) -> bool:
    """Whether the server has its source."""
    channel = _channel(session)
    return channel is not None and channel["Slave_IO_Running"] == "Yes"


def _rests(channel: dict[str, Any]) -> bool:
    """Whether it neither takes nor applies."""
    return (channel["Slave_IO_Running"], channel["Slave_SQL_Running"]) == ("No", "No")


def _goes_to(channel: dict[str, Any], origin: Origin) -> bool:
    wanted = (origin.address, origin.port, REPLICATION_USER)
    return (channel["Master_Host"], int(channel["Master_Port"]), channel["Master_User"]) == wanted


def _takes(channel: dict[str, Any] | None) -> bool:
    """Whether it is connected, has been given something and applies. DatastoreError when it never will.

    It says that it takes as soon as it has asked; a source that does not have where it wants to begin says so only
    then. Its own log of what it is given begins anew whenever it begins to follow.
    """
    if channel is None:
        return False
    if channel["Slave_SQL_Running"] != "Yes" or channel["Slave_IO_Running"] == "No":
        told = channel["Last_SQL_Error"] or channel["Last_IO_Error"]
        if told:
            raise DatastoreError(f"The replica does not follow its source: {told}")
    runs = channel["Slave_SQL_Running"] == "Yes" and channel["Slave_IO_Running"] == "Yes"
    return bool(runs and int(channel["Relay_Log_Pos"]) > _NOTHING_YET)


def _has_applied(session: Session, position: str, within: float) -> bool:
    """Whether it has everything up to there, or has it within so many seconds."""
    ((reached,),) = session.rows(f"SELECT MASTER_GTID_WAIT({literal(position)}, {float(within)})")
    return bool(reached == 0)


def _wait_until_applied(
    session: Session, position: str, timeout: float, interrupted: threading.Event | None = None
) -> None:
    deadline = time.monotonic() + timeout
    while not _has_applied(session, position, min(_STEP, max(0.0, deadline - time.monotonic()))):
        if interrupted is not None and interrupted.is_set():
            raise Interrupted("It was interrupted.")
        channel = _channel(session) or {}
        told = channel.get("Last_SQL_Error")
        if (told and channel["Slave_SQL_Running"] == "No") or time.monotonic() > deadline:
            why = f": {told}" if told else f" within {timeout:g} s."
            raise DatastoreError(f"The replica did not apply what its source has{why}")


def _wait_for(condition: Callable[[], bool], timeout: float, what: str) -> None:
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            raise DatastoreError(f"{what} ({timeout:g} s)")
        time.sleep(_PAUSE)
