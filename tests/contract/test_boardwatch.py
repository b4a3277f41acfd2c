# SPDX-License-Identifier: Apache-2.0
"""Looking at the board while ZooKeeper is there, stands still, was never there, and is there again."""

import contextlib
import pathlib
import time
from collections.abc import Iterator, Sequence
from concurrent import futures

import pytest

from dbflow.boardwatch import Watcher
from dbflow.jobboard import Board, BoardUnavailable, JobView
from tests.contract.test_jobboard import _boards, _operation, _until
from tests.servers import ZooKeeper
from tests.servers.ports import free_ports
from tests.waiting import wait_for

SOON = 10.0
"""Seconds: those that the watcher has patience, and what a busy machine may add."""


@contextlib.contextmanager
def _within(seconds: float) -> Iterator[None]:
    began = time.monotonic()
    yield
    assert time.monotonic() - began < seconds


def _refused(watcher: Watcher) -> None:
    with pytest.raises(BoardUnavailable):
        watcher.jobs()


def _board(watcher: Watcher) -> Board:
    assert watcher._board is not None
    return watcher._board


def _again(watcher: Watcher) -> Sequence[JobView]:
    found: list[Sequence[JobView]] = []

    def looked() -> bool:
        with contextlib.suppress(BoardUnavailable):
            found.append(watcher.jobs())
        return bool(found)

    wait_for(looked, 30, "the board to be seen again")
    return found[0]


def test_the_embedded_board_is_seen() -> None:
    boards = _boards("embedded", "")
    watcher, board = Watcher(boards, "w"), boards.board("b")
    board.connect()
    assert watcher.jobs() == []
    board.post(_operation("k"))
    (job,) = _until(board, ["k"])
    assert [(view.kind, view.owner) for view in watcher.jobs()] == [("k", None)]
    assert board.claim(job)
    assert [(view.kind, view.owner) for view in watcher.jobs()] == [("k", "b")]
    board.close()


def test_nobody_waits_long_while_zookeeper_stands_still(servers_base: pathlib.Path) -> None:
    with ZooKeeper(servers_base) as server:
        boards = _boards("zookeeper", server.hosts)
        watcher, poster = Watcher(boards, "w"), boards.poster()
        poster.post(_operation("k"))
        assert [view.kind for view in _again(watcher)] == ["k"]
        server.pause()
        try:
            for _ in range(2):
                with _within(SOON):
                    _refused(watcher)
            wait_for(lambda: not _board(watcher).connected, 15, "the silence to be noticed")
            watcher._refusing_until = 0.0
            with _within(SOON), futures.ThreadPoolExecutor(8) as crowd:
                list(crowd.map(_refused, [watcher] * 8))
        finally:
            server.resume()
        assert [view.kind for view in _again(watcher)] == ["k"]
        poster.close()
        _board(watcher).close()


def test_nobody_waits_long_for_the_first_connection() -> None:
    watcher = Watcher(_boards("zookeeper", f"127.0.0.1:{free_ports(1)[0]}"), "w")
    for _ in range(2):
        with _within(SOON):
            _refused(watcher)
