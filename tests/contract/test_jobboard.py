# SPDX-License-Identifier: Apache-2.0
"""The jobboard on a real ZooKeeper and on the embedded one: order, claims, epochs, lost sessions, silence."""

import dataclasses
import functools
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from oslo_config import cfg

from dbflow.conf import register
from dbflow.db.models import Operation, new_id
from dbflow.jobboard import Board, Boards, BoardUnavailable
from tests.servers import ZooKeeper
from tests.servers.ports import free_ports
from tests.waiting import wait_for


def _boards(driver: str, hosts: str, timeout: float = 4.0) -> Boards:
    conf = register(cfg.ConfigOpts())
    conf([], project="dbflow", default_config_files=[])
    conf.set_override("driver", driver, group="coordination")
    conf.set_override("hosts", hosts, group="coordination")
    conf.set_override("session_timeout", timeout, group="coordination")
    return Boards(conf)


@dataclasses.dataclass
class Party:
    """Boards that are closed at the end."""

    boards: Boards
    opened: list[Board]

    def board(self, name: str) -> Board:
        """One more, connected."""
        board = self.boards.board(name)
        board.connect()
        self.opened.append(board)
        return board


@pytest.fixture(params=["embedded", "zookeeper"])
def party(request: pytest.FixtureRequest) -> Iterator[Party]:
    hosts = request.getfixturevalue("zookeeper_hosts") if request.param == "zookeeper" else ""
    party = Party(_boards(request.param, hosts), [])
    yield party
    for board in party.opened:
        board.close()


def _operation(kind: str, priority: str = "NORMAL") -> Operation:
    return Operation(id=new_id(), kind=kind, flow_uuid=new_id(), priority=priority)


def _names(board: Board) -> list[str]:
    return [job.name for job in board.waiting()]


def _until(board: Board, expected: list[str]) -> list[Any]:
    wait_for(lambda: _names(board) == expected, 10, f"the board to hand out {expected}")
    return list(board.waiting())


def test_urgent_jobs_first_then_the_oldest(party: Party) -> None:
    poster, board = party.boards.poster(), party.board("a")
    for number, priority in enumerate(("LOW", "NORMAL", "VERY_HIGH", "NORMAL", "HIGH", "VERY_LOW")):
        poster.post(_operation(f"{number}-{priority}", priority))
    _until(board, ["2-VERY_HIGH", "4-HIGH", "1-NORMAL", "3-NORMAL", "0-LOW", "5-VERY_LOW"])
    poster.close()


def test_a_job_has_one_owner_until_it_is_given_back(party: Party) -> None:
    one, other = party.board("one"), party.board("other")
    one.post(_operation("k"))
    (job,), (same,) = _until(one, ["k"]), _until(other, ["k"])
    assert one.claim(job)
    assert not other.claim(same)
    _until(other, [])
    assert [(view.kind, view.owner) for view in other.jobs()] == [("k", "one")]
    one.abandon(job)
    (again,) = _until(other, ["k"])
    assert other.claim(again)
    other.consume(again)
    assert one.posted() == set()


def test_the_end_of_an_owner_frees_its_jobs(party: Party) -> None:
    one, other = party.board("one"), party.board("other")
    one.post(_operation("k"))
    (job,) = _until(one, ["k"])
    assert one.claim(job)
    _until(other, [])
    one.close()
    _until(other, ["k"])


def test_an_operation_posted_twice_is_handed_out_once(party: Party) -> None:
    one, other = party.board("one"), party.board("other")
    operation = _operation("k")
    one.post(operation)
    one.post(operation)
    wait_for(lambda: len(other.jobs()) == 2, 10, "both jobs")
    (job,) = _until(one, ["k"])
    assert one.claim(job)
    _until(other, [])
    one.consume(job)
    _until(other, ["k"])


def test_what_is_gone_leaves_no_trace(party: Party) -> None:
    """However posting, watching and consuming cross."""
    one, other = party.board("one"), party.board("other")
    for number in range(20):
        one.post(_operation(str(number)))
    done = set()
    while len(done) < 20:
        for board in (one, other):
            for job in board.waiting():
                if board.claim(job):
                    board.consume(job)
                    done.add(job.name)
        other.jobs()
    for board in (one, other):
        known = board._board._known_jobs
        traces = (known, known.order, known.of_operation, board._board._locked, board._board._unread)
        wait_for(lambda traces=traces: not any(traces), 10, "all to be forgotten")


def test_a_board_reads_and_hands_out_what_fits(party: Party) -> None:
    poster, other = party.boards.poster(), party.board("other")
    board = party.boards.board("mine", lambda job: job.name == "fits")
    board.connect()
    party.opened.append(board)
    for kind in ("fits", "fits not", "fits"):
        poster.post(_operation(kind))
    _until(other, ["fits", "fits not", "fits"])
    jobs = _until(board, ["fits", "fits"])
    assert len(board.posted()) == 3
    assert board.claim(jobs[0])
    _until(board, ["fits"])
    board.consume(jobs[0])
    _until(other, ["fits not", "fits"])
    poster.close()


def test_what_is_no_job_of_ours_is_left_alone(party: Party) -> None:
    board = party.board("a")
    path = f"{board._board.path}/job"
    board._client.create(f"{path}-less", b"{}")
    for content in (b"\xff", b"[]", b'{"uuid": "u", "name": "n"}', b'{"uuid": "u", "name": "n", "details": []}'):
        board._client.create(path, content, sequence=True)
    for operation_id in (b"[]", b"7", b"null"):
        content = b'{"uuid": "u", "name": "n", "details": {"operation_id": ' + operation_id + b"}}"
        board._client.create(path, content, sequence=True)
    operation = _operation("k")
    board.post(operation)
    for one in (board, party.board("that learns of all at once")):
        _until(one, ["k"])
        assert [view.kind for view in one.jobs()] == ["k"]
        assert one.posted() == {operation.id}
        assert not one._board._unread


def test_change_wakes_who_waits(party: Party) -> None:
    board = party.board("a")
    board.wait(0)
    board.post(_operation("k"))
    wait_for(lambda: board.wait(5) is None and _names(board) == ["k"], 10, "the job")


def test_a_job_made_while_the_embedded_board_is_read_is_told_of() -> None:
    boards, told = _boards("embedded", ""), threading.Event()
    reader, maker = boards._client(), boards._client()
    for client in (reader, maker):
        client.start()
    maker.ensure_path("/jobs")
    other = threading.Thread(target=maker.create, args=("/jobs/job",))
    real = reader._watches_lock

    class Between:
        """Entered when the children are known and the watch is not set yet."""

        def __enter__(self) -> None:
            if other.ident is None:
                other.start()
                other.join(0.5)  # it must not get through before the watch is set
            real.acquire()

        def __exit__(self, *_: object) -> None:
            real.release()

    reader._watches_lock = Between()
    assert reader.get_children("/jobs", watch=lambda _: told.set()) == []
    other.join(10)
    assert told.wait(10)
    for client in (reader, maker):
        client.stop()


def test_epochs_grow_with_each_claim(zookeeper_hosts: str) -> None:
    boards = _boards("zookeeper", zookeeper_hosts)
    one, other = boards.board("one"), boards.board("other")
    one.connect()
    other.connect()
    one.post(_operation("k"))
    epochs = []
    for board in (one, other, one):
        (job,) = _until(board, ["k"])
        assert board.claim(job)
        epochs.append(board.epoch(job))
        board.abandon(job)
    assert epochs == sorted(set(epochs))
    assert epochs[0]
    with pytest.raises(BoardUnavailable):
        one.epoch(job)  # given back: it is nobody's claim
    one.close()
    other.close()


def test_epochs_grow_on_when_the_data_of_zookeeper_are_lost(servers_base: Any) -> None:
    with ZooKeeper(servers_base) as server:
        boards = _boards("zookeeper", server.hosts)
        epochs = [0]
        for _ in range(3):
            many = [boards.board(f"{number}") for number in range(3)]
            for board in many:
                board.connect()
            for _ in range(10 if len(epochs) == 1 else 0):
                many[0].count_on(epochs[-1])  # so that the next life's transactions are behind
            at_once = [threading.Thread(target=board.count_on, args=(epochs[-1],)) for board in many]
            for thread in at_once:
                thread.start()
            for thread in at_once:
                thread.join(10)
            many[0].post(_operation("k"))
            for board in many:
                (job,) = _until(board, ["k"])
                assert board.claim(job)
                epochs.append(board.epoch(job) or 0)
                board.abandon(job)
            for board in many:
                board.close()
            server.lose_data()
            server.start()
    assert epochs == sorted(set(epochs))
    assert [epoch // 2**48 for epoch in epochs[1::3]] == [0, 1, 2]
    assert epochs[-1] < 2**63


def test_a_lost_session_is_known_and_its_claims_are_free(servers_base: Any) -> None:
    with ZooKeeper(servers_base) as server:
        boards = _boards("zookeeper", server.hosts)
        one, other = boards.board("one"), boards.board("other")
        one.connect()
        other.connect()
        one.post(_operation("k"))
        (job,) = _until(one, ["k"])
        assert one.claim(job)
        _until(other, [])
        # Whom it is taken from comes back for it, and may be there before it is closed.
        wait_for(lambda: _expire(one) or one.lost.wait(2), 30, "the session to be lost")
        _until(other, ["k"])
        with pytest.raises(BoardUnavailable):
            one.epoch(job)
        one.close()
        other.close()


def _expire(board: Board) -> None:
    """Close the session from another connection, as ZooKeeper itself does after silence."""
    from kazoo.client import KazooClient

    client = board._client
    thief = KazooClient(",".join(f"{host}:{port}" for host, port in client.hosts), client_id=client.client_id)
    thief.start()
    thief.stop()
    thief.close()


def test_a_try_at_leading_that_was_cut_off_does_not_stand_in_the_way(zookeeper_hosts: str) -> None:
    boards = _boards("zookeeper", zookeeper_hosts)
    board, other = boards.board("one"), boards.board("other")
    for each in (board, other):
        each.connect()
        each._client.ensure_path(f"{each._root}/leader")
    board._client.create(f"{board._root}/leader/0__lock__", b"one", ephemeral=True, sequence=True)
    led: list[str] = []
    threads = [
        threading.Thread(target=each.lead, args=(functools.partial(led.append, each.name),), daemon=True)
        for each in (board, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(15)
    assert sorted(led) == ["one", "other"]
    board.close()
    other.close()


def test_a_poster_without_zookeeper_says_so() -> None:
    poster = _boards("zookeeper", f"127.0.0.1:{free_ports(1)[0]}").poster()
    with pytest.raises(BoardUnavailable):
        poster.post(_operation("k"))
    poster.close()


def test_an_idle_board_asks_nothing_beside_claimed_jobs(zookeeper: ZooKeeper, zookeeper_hosts: str) -> None:
    boards = _boards("zookeeper", zookeeper_hosts, timeout=10)
    owner, idle = boards.board("owner"), boards.board("idle")
    owner.connect()
    idle.connect()
    for number in range(50):
        owner.post(_operation(str(number)))
    wait_for(lambda: len(list(owner.waiting())) == 50, 15, "all jobs")
    for job in owner.waiting():
        assert owner.claim(job)
    wait_for(lambda: not list(idle.waiting()) and not list(owner.waiting()), 15, "all claims to be seen")
    asked = []
    real, idle._client._call = idle._client._call, lambda *args: asked.append(args) or real(*args)
    for _ in range(200):
        assert list(idle.waiting()) == []
    idle.wait(0.5)
    assert asked == []
    owner.close()
    idle.close()
