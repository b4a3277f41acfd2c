# SPDX-License-Identifier: Apache-2.0
"""Looking at the jobboard from a process that claims nothing."""

import threading
from collections.abc import Sequence

from dbflow.jobboard import Board, Boards, BoardUnavailable, JobView

_PATIENCE = 3.0
"""Seconds that somebody who looks waits for a connection."""


class Watcher:
    """Connects when somebody looks for the first time, and anew after a lost session. Any thread may look."""

    def __init__(self, boards: Boards, name: str) -> None:
        self._boards, self._name = boards, name
        self._board: Board | None = None
        self._lock = threading.Lock()

    def jobs(self) -> Sequence[JobView]:
        """What is on the board now, in its order; BoardUnavailable when ZooKeeper does not answer."""
        with self._lock:
            try:
                return self._connected().jobs()
            except BoardUnavailable:
                self.close()
                raise

    def close(self) -> None:
        """Disconnect."""
        if self._board is not None:
            self._board.close()
            self._board = None

    def _connected(self) -> Board:
        if self._board is not None and self._board.lost.is_set():
            self.close()
        if self._board is None:
            self._board = self._boards.board(self._name)
            self._board.connect(_PATIENCE)
        return self._board
