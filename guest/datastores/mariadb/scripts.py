# SPDX-License-Identifier: Apache-2.0
"""SQL that somebody else has written.

The server takes it apart, not we, nor a client program: such a program has commands of its own, for the shell and for
files, which a script must not get at.
"""

import contextlib
import json
import re
import threading
from collections.abc import Iterator

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CLIENT, CR, ER
from pymysql.cursors import Cursor, SSCursor

from dbflow import faults
from dbflow.datastores.mariadb import SCRIPT_USER
from guest.datastores import base
from guest.datastores.base import DatastoreError, Untouched
from guest.datastores.mariadb import role, scripter
from guest.datastores.mariadb.certified import require_certificates, undemanding
from guest.datastores.mariadb.client import Client, explain
from guest.datastores.mariadb.layout import Layout, write
from guest.datastores.mariadb.role import Part
from guest.datastores.mariadb.tls import requires_certificates

_QUOTED = re.compile(r"'.*'", re.DOTALL)
"""From the first quote to the last: names, values, or the very text of a statement."""
_GAP = "'…'"
_LOCK, _TURN = "'dbflow script'", 20
"""What a script holds while it runs, and seconds for which the next one waits for it."""
_STATEMENT = 60.0
"""Seconds for a statement of ours."""
_ENDED = frozenset({ER.QUERY_INTERRUPTED, 1927})
"""Of a connection that was killed."""
_SILENT = frozenset({CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR})


class Scripts(base.Scripts):
    """See the base class."""

    def __init__(self, layout: Layout, client: Client) -> None:
        self._layout, self._client = layout, client

    def ready(self) -> None:
        """See the base class."""
        with self._client.session() as session:
            session.run("DO 0")

    def settle(self) -> None:
        """See the base class."""
        with _explained(), contextlib.closing(self._client.connect(_STATEMENT)) as connection:
            self._take_turn(connection.cursor())
            self._align()

    def run(self, text: str, timeout: float) -> int:
        """See the base class."""
        try:
            # The turn is the script's own until its connection ends, also where nobody is left to end it.
            connection = self._begin(timeout)
        except DatastoreError as error:
            raise Untouched(str(error)) from None
        try:
            with contextlib.closing(connection):
                count = self._run(connection, text, timeout)
        except DatastoreError:
            with contextlib.suppress(DatastoreError):
                self._align()
            raise
        self._align()
        return count

    def _begin(self, timeout: float) -> "Connection[Cursor]":
        alone = role.load(self._layout).part is Part.ALONE
        with self._client.session() as session:
            password = scripter.let_in(session, alone=alone)
        with _explained(), contextlib.ExitStack() as undone:
            connection = self._client.connect(
                timeout, user=SCRIPT_USER, password=password, client_flag=CLIENT.MULTI_STATEMENTS
            )
            undone.callback(connection.close)
            self._take_turn(connection.cursor())
            self._align()
            self._remember()
            undone.pop_all()
            return connection

    def _remember(self) -> None:
        """Which accounts show no certificate where most must: they are their owners'."""
        if requires_certificates(self._layout):
            with self._client.session() as session:
                write(self._layout.uncertified, json.dumps(undemanding(session)))

    def _align(self) -> None:
        """Accounts that a script has made show a certificate where others must, also where the agent died meanwhile."""
        if not self._layout.uncertified.exists() or role.load(self._layout).read_only:
            return
        if requires_certificates(self._layout):
            before = {(name, host) for name, host in json.loads(self._layout.uncertified.read_text())}
            with self._client.session() as session:
                require_certificates(session, but=before)
        self._layout.uncertified.unlink(missing_ok=True)

    def _run(self, connection: "Connection[Cursor]", text: str, timeout: float) -> int:
        number, ended = 1, False
        thread = _number(connection)
        late = threading.Timer(timeout, self._kill, [thread])
        late.daemon = True
        late.start()
        # Rows are for nobody: they are not kept, however many there are.
        cursor = connection.cursor(SSCursor)
        try:
            cursor.execute(text)
            while not ended:
                while cursor.fetchone() is not None:
                    pass
                faults.within()
                number += 1
                ended = not cursor.nextset()
        except pymysql.MySQLError as error:
            code = error.args[0] if error.args else 0
            if code in _SILENT or code in _ENDED:
                self._kill(thread)
                raise DatastoreError(
                    f"Statement {number} did not end within {timeout:g} s, or the server went away."
                ) from None
            kind = Untouched if number == 1 and _did_nothing(connection) else DatastoreError
            raise kind(f"Statement {number} failed: {_told(error)}") from None
        finally:
            late.cancel()
        return number - 1

    def _take_turn(self, cursor: Cursor) -> None:
        """A statement goes on when the agent that asked for it has died: what is left of it ends first."""
        cursor.execute(f"SELECT IS_USED_LOCK({_LOCK})")
        ((holder,),) = cursor.fetchall()
        if holder is not None:
            self._kill(holder)
        cursor.execute(f"SELECT GET_LOCK({_LOCK}, {_TURN})")
        if cursor.fetchall() != ((1,),):
            raise DatastoreError("What an earlier script has begun goes on still.")

    def _kill(self, thread: int) -> None:
        """What we do not wait for any longer must not go on behind our back."""
        with contextlib.suppress(DatastoreError), self._client.session() as session:
            session.run(f"KILL {int(thread)}")


def _number(connection: "Connection[Cursor]") -> int:
    with connection.cursor() as cursor:
        cursor.execute("SELECT CONNECTION_ID()")
        ((number,),) = cursor.fetchall()
    return int(number)


def _did_nothing(connection: "Connection[Cursor]") -> bool:
    """Whether the connection's only statement, which failed, has left nothing: whatever stays is in the binary log."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT @@log_bin AND @@sql_log_bin AND @@last_gtid = ''")
            return bool(cursor.fetchall() == ((1,),))
    except pymysql.MySQLError:
        return False


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    try:
        yield
    except (pymysql.Error, OSError) as error:
        raise explain(error) from None


def _told(error: pymysql.MySQLError) -> str:
    """The server's words without what it quotes, which may be part of the script: a password, say."""
    code, words = (*error.args, "", "")[:2]
    return f"{_QUOTED.sub(_GAP, str(words))} ({code})"
