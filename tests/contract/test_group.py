# SPDX-License-Identifier: Apache-2.0
"""Group commit on the databases it must hold on: saves share a transaction, and nothing else."""

import threading
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from dbflow.db.models import Operation, new_id, utcnow
from dbflow.db.session import Database
from dbflow.fencing import Fence, StaleClaim, take
from dbflow.operations import State
from dbflow.persistence.group import GroupCommit
from dbflow.persistence.saves import Save
from dbflow.persistence.tables import FLOWS, LOGBOOKS
from tests.waiting import wait_for


class Commits:
    """Commits in threads; the transaction of the first is held until the others queue behind it."""

    def __init__(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        self.group = GroupCommit(database)
        self.transactions: list[int] = []
        """How many saves each of them had, in the order of their beginning."""
        self._go = threading.Event()
        self._write = self.group._write
        monkeypatch.setattr(self.group, "_write", self._counted)

    def _counted(self, members: Any) -> None:
        self.transactions.append(len(members))
        if len(self.transactions) == 1:
            assert self._go.wait(30)
        self._write(members)

    def together(self, first: Save, *others: Save) -> list[BaseException | None]:
        """What became of each: None where it was committed. The others share a transaction."""
        told: list[BaseException | None] = [None] * (1 + len(others))
        threads = []
        for number, save in enumerate((first, *others)):
            threads.append(threading.Thread(target=self._commit, args=(save, number, told)))
            threads[-1].start()
            wait_for(self._queued(number), 10, "the save to be queued")
        self._go.set()
        for thread in threads:
            thread.join(60)
            assert not thread.is_alive()
        return told

    def _queued(self, number: int) -> Callable[[], bool]:
        return lambda: len(self.transactions) == 1 and len(self.group._waiting) == number

    def _commit(self, save: Save, number: int, told: list[BaseException | None]) -> None:
        try:
            self.group.commit(save)
        except BaseException as error:
            told[number] = error


@pytest.fixture
def commits(database: Database, monkeypatch: pytest.MonkeyPatch) -> Commits:
    return Commits(database, monkeypatch)


def claimed(database: Database) -> Fence:
    """An operation that runs."""
    with database.write() as session:
        row = Operation(
            id=new_id(), kind="k", version=1, target_type="instance", target_id=new_id(), project_id="p", user_id="u",
            arguments="",
        )  # fmt: skip
        session.add(row)
    return take(database, row.id, None, "c")[0]


def save_of(fence: Fence, state: str = "RUNNING", **flow: Any) -> Save:
    """The first save of a flow."""
    made = {"name": "f", "meta": {}, "created_at": utcnow()}
    book = made | {"uuid": fence.operation_id}
    row = made | {"uuid": fence.operation_id, "parent_uuid": fence.operation_id, "state": state} | flow
    return Save(fence.operation_id, fence.epoch, logbook=book, flow=row)


def saved(database: Database, fence: Fence) -> str | None:
    """The flow's state in the database."""
    with database.read() as session:
        return session.scalar(sa.select(FLOWS.c.state).where(FLOWS.c.parent_uuid == fence.operation_id))


def test_those_that_wait_share_a_transaction(database: Database, commits: Commits) -> None:
    fences = [claimed(database) for _ in range(5)]
    assert commits.together(*map(save_of, fences)) == [None] * 5
    assert commits.transactions == [1, 4]
    assert [saved(database, fence) for fence in fences] == ["RUNNING"] * 5


def test_an_overtaken_claim_is_refused_and_the_others_pass(database: Database, commits: Commits) -> None:
    fences = [claimed(database) for _ in range(4)]
    take(database, fences[2].operation_id, fences[2].epoch + 1, "another")
    told = commits.together(*map(save_of, fences))
    assert [type(error) for error in told] == [type(None), type(None), StaleClaim, type(None)]
    assert commits.transactions == [1, 3]
    assert [saved(database, fence) for fence in fences] == ["RUNNING", "RUNNING", None, "RUNNING"]


def test_what_can_not_be_written_fails_alone(database: Database, commits: Commits) -> None:
    fences = [claimed(database) for _ in range(4)]
    saves = [save_of(fence) for fence in fences]
    saves[2].flow = saves[2].flow and saves[2].flow | {"parent_uuid": "no such logbook"}
    told = commits.together(*saves)
    assert [type(error) for error in told] == [type(None), type(None), sa.exc.IntegrityError, type(None)]
    assert commits.transactions == [1, 3, 1, 1, 1]
    assert [saved(database, fence) for fence in fences] == ["RUNNING", "RUNNING", None, "RUNNING"]


def test_a_row_that_is_no_row_fails_alone(database: Database, commits: Commits) -> None:
    fences = [claimed(database) for _ in range(3)]
    saves = [save_of(fence) for fence in fences]
    saves[2].flow = saves[2].flow and saves[2].flow | {"meta": {"not JSON": object()}}
    told = commits.together(*saves)
    assert [type(error) for error in told] == [type(None), type(None), TypeError]
    assert [saved(database, fence) for fence in fences] == ["RUNNING", "RUNNING", None]


def test_a_leader_that_dies_leaves_nobody_waiting(
    database: Database, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save whose fate is not known is never taken for committed."""
    fences = [claimed(database) for _ in range(3)]
    write, died = commits.group._write, threading.Event()

    def dying(members: Any) -> None:
        if len(members) == 2 and not died.is_set():
            died.set()
            raise SystemExit
        write(members)

    monkeypatch.setattr(commits.group, "_write", dying)
    told = commits.together(*map(save_of, fences))
    assert [type(error) for error in told] == [type(None), SystemExit, type(None)]
    assert saved(database, fences[2]) == "RUNNING"  # it wrote for itself; the leader's own save went with the leader


def test_saves_can_be_repeated(database: Database) -> None:
    """After a commit whose answer was lost the same save comes again."""
    group, fence = GroupCommit(database), claimed(database)
    for state in ("RUNNING", "RUNNING", "SUSPENDED"):
        group.commit(save_of(fence, state))
    assert saved(database, fence) == "SUSPENDED"
    with database.read() as session:
        assert session.scalar(sa.select(sa.func.count()).select_from(LOGBOOKS)) == 1


def test_an_operation_says_that_it_reverts(database: Database) -> None:
    fence = claimed(database)
    GroupCommit(database).commit(Save(fence.operation_id, fence.epoch, reverting=True))
    with database.read() as session:
        assert session.get_one(Operation, fence.operation_id).state == State.REVERTING


def test_many_flows_at_once_lose_nothing(database: Database) -> None:
    group, fences = GroupCommit(database), [claimed(database) for _ in range(8)]

    def many(fence: Fence) -> None:
        for number in range(25):
            group.commit(save_of(fence, str(number)))

    threads = [threading.Thread(target=many, args=(fence,)) for fence in fences]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert [saved(database, fence) for fence in fences] == ["24"] * 8
