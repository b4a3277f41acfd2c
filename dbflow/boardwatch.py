# SPDX-License-Identifier: Apache-2.0
"""Looking at the jobboard from a process that claims nothing."""

import threading
import time
from collections.abc import Sequence

from dbflow.jobboard import Board, Boards, BoardUnavailable, JobView

_PATIENCE = 3.0
"""Seconds that somebody who looks waits: for others who look, for a connection, for the answers. Whoever looks within
as many seconds of a failure is refused at once."""


class Watcher:
    """Connects when somebody looks for the first time, and anew after a lost session. Any thread may look; none waits
    long, however ZooKeeper ails."""

    def __init__(self, boards: Boards, name: str) -> None:
        self._boards, self._name = boards, name
        self._board: Board | None = None
        self._connecting: threading.Thread | None = None
        self._refusing_until = 0.0
        self._lock = threading.Lock()

    def jobs(self) -> Sequence[JobView]:
        """What is on the board now, in its order; BoardUnavailable when ZooKeeper does not answer."""
        if not self._lock.acquire(timeout=_PATIENCE):
            raise BoardUnavailable("others wait for ZooKeeper")
        try:
            return self._look()
        finally:
            self._lock.release()

    def _look(self) -> Sequence[JobView]:
        if time.monotonic() < self._refusing_until:
            raise BoardUnavailable("ZooKeeper did not answer a moment ago")
        try:
            return self._connected().jobs(_PATIENCE)
        except BoardUnavailable:
            self._refusing_until = time.monotonic() + _PATIENCE
            raise

    def _connected(self) -> Board:
        if self._board is None or self._board.lost.is_set():
            self._connect()
        # A board that was connected is kept: until its session is lost, it connects again by itself.
        if self._board is None or not self._board.connected:
            raise BoardUnavailable("not connected to ZooKeeper")
        return self._board

    def _connect(self) -> None:
        """In a thread of its own: kazoo waits without end for a server that falls silent in the middle."""
        if self._connecting is not None and self._connecting.is_alive():
            return
        self._connecting = threading.Thread(target=self._replace, name="board-watch", daemon=True)
        self._connecting.start()
        self._connecting.join(_PATIENCE)

    def _replace(self) -> None:
        if self._board is not None:
            self._board.close()
            self._board = None
        board = self._boards.board(self._name)
        try:
            board.connect(_PATIENCE)
        except BoardUnavailable:
            board.close()
        else:
            self._board = board
