# SPDX-License-Identifier: Apache-2.0
"""The guest's journal: what it says to each request that may come."""

import functools
import pathlib
import sqlite3
import stat
from collections.abc import Iterator
from typing import Any

import pytest

from dbflow.messaging.wire import RequestId
from guest.journal import Journal, Verdict, VolumeFull

ANSWER = {"state": "SUCCESS", "data": {"result": [1, None, "ü"]}}
EXECUTE = RequestId("atom", "execute", 1)
REVERT = RequestId("atom", "revert", 2)


@pytest.fixture
def path(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "journal.sqlite"


@pytest.fixture
def journal(path: pathlib.Path) -> Iterator[Journal]:
    made = Journal(path)
    yield made
    made.close()


def again(path: pathlib.Path) -> Journal:
    """The journal as the agent's next life finds it."""
    return Journal(path)


def test_a_new_request_is_run_once(journal: Journal) -> None:
    assert journal.admit(EXECUTE, 5).verdict is Verdict.RUN
    assert journal.admit(EXECUTE, 5).verdict is Verdict.RUNNING


def test_an_answered_request_is_answered_again(journal: Journal, path: pathlib.Path) -> None:
    journal.admit(EXECUTE, 5)
    journal.answer(EXECUTE, ANSWER)
    assert journal.admit(EXECUTE, 5).answer == ANSWER
    assert again(path).admit(EXECUTE, 6).answer == ANSWER


def test_a_request_of_an_earlier_life_is_resumed_once(journal: Journal, path: pathlib.Path) -> None:
    journal.admit(EXECUTE, 5)
    assert journal.begin(EXECUTE)
    later = again(path)
    assert later.admit(EXECUTE, 5).verdict is Verdict.RESUME
    assert later.admit(EXECUTE, 5).verdict is Verdict.RUNNING


def test_what_only_waited_its_turn_in_an_earlier_life_is_run(journal: Journal, path: pathlib.Path) -> None:
    journal.admit(EXECUTE, 5)
    later = again(path)
    assert later.admit(EXECUTE, 5).verdict is Verdict.RUN
    assert later.admit(EXECUTE, 5).verdict is Verdict.RUNNING
    assert later.begin(EXECUTE)
    assert again(path).admit(EXECUTE, 5).verdict is Verdict.RESUME


def test_what_an_agent_of_an_older_release_entered_may_have_begun(path: pathlib.Path) -> None:
    with sqlite3.connect(path) as old:
        old.execute(
            "create table requests (id text primary key, atom text not null, attempt integer not null,"
            " boot integer not null, answer text, at real not null) without rowid"
        )
        old.execute("insert into requests values (?, 'atom', 1, 7, null, 0)", (str(EXECUTE),))
    assert again(path).admit(EXECUTE, 5).verdict is Verdict.RESUME


def test_a_new_owner_asks_for_what_runs(journal: Journal) -> None:
    journal.admit(EXECUTE, 5)
    assert journal.admit(EXECUTE, 6).verdict is Verdict.RUNNING
    assert journal.admit(EXECUTE, 5).verdict is Verdict.STALE


@pytest.mark.parametrize(("epoch", "attempt"), [(4, 2), (4, 9), (5, 1), (0, 2)])
def test_older_epochs_and_attempts_are_stale(journal: Journal, epoch: int, attempt: int) -> None:
    journal.admit(REVERT, 5)
    assert journal.admit(RequestId("atom", "execute", attempt), epoch).verdict is Verdict.STALE
    assert journal.admit(REVERT, 5).verdict is Verdict.RUNNING


def test_a_later_attempt_is_another_request(journal: Journal) -> None:
    journal.admit(EXECUTE, 5)
    journal.answer(EXECUTE, ANSWER)
    assert journal.admit(REVERT, 5).verdict is Verdict.RUN
    assert journal.admit(RequestId("atom", "execute", 3), 5).verdict is Verdict.RUN


def test_atoms_do_not_know_each_other(journal: Journal) -> None:
    journal.admit(RequestId("one", "execute", 4), 9)
    assert journal.admit(RequestId("two", "execute", 1), 1).verdict is Verdict.RUN


def test_overtaken(journal: Journal) -> None:
    journal.admit(EXECUTE, 5)
    assert journal.begin(EXECUTE)
    journal.admit(EXECUTE, 6)
    assert journal.begin(EXECUTE), "a new owner wants the same"
    journal.admit(REVERT, 6)
    assert not journal.begin(EXECUTE)
    assert journal.begin(REVERT)


def test_prune_keeps_the_newest_answer_of_each_atom(journal: Journal) -> None:
    call = RequestId("call", "execute", 1)
    waits = RequestId("waits", "execute", 1)
    for request, epoch in ((EXECUTE, 5), (REVERT, 5), (call, 0), (waits, 0)):
        journal.admit(request, epoch)
    for request in (EXECUTE, REVERT, call):
        journal.answer(request, ANSWER)
    assert journal.prune() == 0, "all are new"
    assert journal.prune(retention=-1) == 2
    assert journal.admit(REVERT, 5).answer == ANSWER
    assert journal.admit(EXECUTE, 5).verdict is Verdict.STALE
    assert journal.admit(waits, 0).verdict is Verdict.RUNNING
    assert journal.admit(call, 0).verdict is Verdict.RUN, "entirely forgotten: the agent refuses it by its age"


def test_boots_grow_even_when_the_clock_went_back(
    journal: Journal, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guest.journal.time.time", lambda: 1.0)
    boots = [journal.boot, again(path).boot, again(path).boot]
    assert boots == sorted(set(boots))


def test_only_its_owner_reads_it_and_it_is_synchronous(journal: Journal, path: pathlib.Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert journal._db.execute("pragma synchronous").fetchone() == (2,)
    assert journal._db.execute("pragma journal_mode").fetchone() == ("wal",)


def test_a_failed_entry_leaves_no_trace(journal: Journal) -> None:
    journal._db.execute("create trigger no before insert on requests begin select raise(abort, 'full'); end")
    with pytest.raises(sqlite3.Error, match="full"):
        journal.admit(EXECUTE, 5)
    journal._db.execute("drop trigger no")
    assert journal.admit(EXECUTE, 4).verdict is Verdict.RUN


LONG = {"state": "SUCCESS", "data": {"result": "x" * 10_000}}


def fill(journal: Journal) -> None:
    """Until nothing more can be entered: as SQLite has it when the volume is full."""
    journal._db.execute("pragma max_page_count = 1")  # not below what it has
    for number in range(1000):
        try:
            journal.admit(RequestId(f"filler-{number}" + "x" * 500, "execute", 1), 1)
        except VolumeFull:
            return
    raise AssertionError("there is always room")


def make_room(journal: Journal) -> None:
    journal._db.execute("pragma max_page_count = 1000000")


def test_what_a_full_volume_can_not_take_is_refused(journal: Journal) -> None:
    fill(journal)
    request = RequestId("one" + "x" * 500, "execute", 1)
    with pytest.raises(VolumeFull, match="the data volume is full"):
        journal.admit(request, 5)
    journal.answer(request, ANSWER)
    assert journal.admit(request, 5).answer == ANSWER, "for good: whoever was refused has gone on"
    make_room(journal)
    assert journal.admit(request, 5).answer == ANSWER
    assert journal._unwritten == {}


def test_an_answer_that_can_not_be_written_is_repeated(journal: Journal, path: pathlib.Path) -> None:
    journal.admit(EXECUTE, 5)
    assert journal.begin(EXECUTE)
    fill(journal)
    journal.answer(EXECUTE, LONG)
    assert journal.admit(EXECUTE, 5).answer == LONG
    assert journal.admit(EXECUTE, 6).answer == LONG, "a new owner gets it, too"
    assert again(path).admit(EXECUTE, 6).verdict is Verdict.RESUME, "it is not on disk"
    make_room(journal)
    journal.admit(EXECUTE, 6)
    assert again(path).admit(EXECUTE, 6).answer == LONG


def test_what_makes_room_is_done_on_a_full_volume(journal: Journal, path: pathlib.Path) -> None:
    fill(journal)
    request = RequestId("grow" + "x" * 500, "execute", 1)
    assert journal.admit(request, 5, unwritten=True).verdict is Verdict.RUN
    assert journal.admit(request, 5, unwritten=True).verdict is Verdict.RUNNING
    assert journal.begin(request, unwritten=True)
    make_room(journal)
    journal.answer(request, ANSWER)
    assert again(path).admit(request, 5).answer == ANSWER


class Full(sqlite3.Connection):
    """Has no room from the first entry on."""

    def execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        if sql.startswith(("insert", "update", "replace")):
            super().execute("pragma max_page_count = 1")
            super().execute("create table filler as select zeroblob(1000000)")
        return super().execute(sql, *values)


def test_an_agent_starts_on_a_full_volume(
    journal: Journal, path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal.admit(EXECUTE, 5)
    monkeypatch.setattr("guest.journal.sqlite3.connect", functools.partial(sqlite3.connect, factory=Full))
    later = again(path)
    assert later.boot > 0
    with pytest.raises(VolumeFull):
        later.admit(EXECUTE, 5)
    with pytest.raises(VolumeFull):
        later.begin(EXECUTE)
    assert later.admit(EXECUTE, 5, unwritten=True).verdict is Verdict.RUN
