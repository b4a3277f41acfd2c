# SPDX-License-Identifier: Apache-2.0
"""SQL that somebody else has written.

The server takes it apart, not we, nor a client program: such a program has commands of its own, for the shell and for
files, which a script must not get at.
"""

import contextlib
import re
import threading

import pymysql
from pymysql.connections import Connection
from pymysql.constants import CLIENT, CR, ER
from pymysql.cursors import Cursor

from dbflow import faults
from guest.datastores import base
from guest.datastores.base import DatastoreError, Untouched
from guest.datastores.mariadb import role
from guest.datastores.mariadb.certified import require_certificates
from guest.datastores.mariadb.client import Client, explain
from guest.datastores.mariadb.clients import end_clients_of, without_read_only_admins
from guest.datastores.mariadb.layout import Layout
from guest.datastores.mariadb.role import Part
from guest.datastores.mariadb.tls import requires_certificates

_QUOTED = re.compile(r"'.*'", re.DOTALL)
"""From the first quote to the last: names, values, or the very text of a statement."""
_GAP = "'…'"
_LOCK, _TURN = "'dbflow script'", 20
"""What a script holds while it runs, and seconds for which the next one waits for it."""
_ENDED = frozenset({ER.QUERY_INTERRUPTED, 1927})
"""Of a connection that was killed."""
_SILENT = frozenset({CR.CR_SERVER_LOST, CR.CR_SERVER_GONE_ERROR})


class Scripts(base.Scripts):
    """See the base class."""

    def __init__(self, layout: Layout, client: Client) -> None:
        self._layout, self._client = layout, client

    def run(self, text: str, timeout: float) -> int:
        """See the base class."""
        try:
            with contextlib.closing(self._client.connect(timeout, CLIENT.MULTI_STATEMENTS)) as connection:
                return self._run(connection, text, timeout)
        except (pymysql.Error, OSError) as error:
            raise explain(error) from None
        finally:
            self._align()

    def _align(self) -> None:
        """What is true of all accounts is true of those that a script has made: each shows a certificate where each
        must, and none of a set's writes where it is read-only."""
        if requires_certificates(self._layout):
            with self._client.session() as session:
                require_certificates(session)
        if role.load(self._layout).part is not Part.ALONE:
            with self._client.session() as session:
                end_clients_of(session, without_read_only_admins(session))

    def _run(self, connection: "Connection[Cursor]", text: str, timeout: float) -> int:
        number, ended = 1, False
        cursor = connection.cursor()
        thread = self._take_turn(cursor)
        late = threading.Timer(timeout, self._kill, [thread])
        late.daemon = True
        late.start()
        try:
            cursor.execute(text)
            while not ended:
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
            if code == ER.EMPTY_QUERY:  # what follows the last semicolon is a comment
                return number - 1
            kind = Untouched if number == 1 else DatastoreError
            raise kind(f"Statement {number} failed: {_told(error)}") from None
        finally:
            late.cancel()
        return number - 1

    def _take_turn(self, cursor: Cursor) -> int:
        """Returns the connection's number. A statement goes on when the agent that asked for it has died: what is left
        of it ends first."""
        cursor.execute(f"SELECT CONNECTION_ID(), IS_USED_LOCK({_LOCK})")
        ((thread, holder),) = cursor.fetchall()
        if holder is not None:
            self._kill(holder)
        cursor.execute(f"SELECT GET_LOCK({_LOCK}, {_TURN})")
        if cursor.fetchall() != ((1,),):
            raise DatastoreError("What an earlier script has begun goes on still.")
        return int(thread)

    def _kill(self, thread: int) -> None:
        """What we do not wait for any longer must not go on behind our back."""
        with contextlib.suppress(DatastoreError), self._client.session() as session:
            session.run(f"KILL {int(thread)}")


def _told(error: pymysql.MySQLError) -> str:
    """The server's words without what it quotes, which may be part of the script: a password, say."""
    code, words = (*error.args, "", "")[:2]
    return f"{_QUOTED.sub(_GAP, str(words))} ({code})"
