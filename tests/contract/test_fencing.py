# SPDX-License-Identifier: Apache-2.0
"""The fence on the databases it must hold on: of two claims only the newer one writes."""

import contextlib
import threading
import time

import pytest
import sqlalchemy as sa

from dbflow.db import migrate
from dbflow.db.models import Operation, Quota, new_id
from dbflow.db.session import Database
from dbflow.fencing import AlreadyEnded, Fence, NotRunnable, StaleClaim, take
from dbflow.operations import State


def _operation(database: Database, **columns: object) -> str:
    with database.write() as session:
        row = Operation(
            id=new_id(), kind="k", version=1, target_type="instance", target_id=new_id(), project_id="p", user_id="u",
            arguments="", **columns,
        )  # fmt: skip
        session.add(row)
        return row.id


def _error(database: Database, operation_id: str) -> str | None:
    with database.read() as session:
        return session.scalar(sa.select(Operation.error).where(Operation.id == operation_id))


def test_take_raises_the_epoch_and_counts(database: Database) -> None:
    operation_id = _operation(database)
    fence, row = take(database, operation_id, 17, "one")
    assert (fence.epoch, row.attempts, row.state, row.conductor) == (17, 1, State.RUNNING, "one")
    _, row = take(database, operation_id, None, "two")
    assert (row.epoch, row.attempts, row.conductor) == (18, 2, "two")
    with pytest.raises(StaleClaim):
        take(database, operation_id, 17, "one")


def test_take_refuses_what_must_not_run(database: Database) -> None:
    with pytest.raises(AlreadyEnded):
        take(database, _operation(database, state=State.SUCCESS), 1, "c")
    with pytest.raises(AlreadyEnded):
        take(database, new_id(), 1, "c")
    with pytest.raises(NotRunnable):
        take(database, _operation(database, state=State.SUSPENDED), 1, "c")
    with pytest.raises(NotRunnable):
        take(database, _operation(database, after_id=_operation(database)), 1, "c")
    take(database, _operation(database, after_id=_operation(database, state=State.REVERTED)), 1, "c")


def test_a_claim_that_has_just_stood_is_taken_to_stand(database: Database) -> None:
    operation_id = _operation(database)
    fence, _ = take(database, operation_id, 1, "one")
    fence.confirm(60.0)  # nobody knows yet: it is asked for
    take(database, operation_id, 2, "two")
    fence.confirm(60.0)
    with pytest.raises(StaleClaim):
        fence.confirm()
    fence.stood -= 61.0
    with pytest.raises(StaleClaim):
        fence.confirm(60.0)


def test_a_stale_claim_writes_nothing(database: Database) -> None:
    operation_id = _operation(database)
    old, _ = take(database, operation_id, 1, "one")
    new, _ = take(database, operation_id, 2, "two")
    write = sa.update(Operation).where(Operation.id == operation_id)
    with pytest.raises(StaleClaim), old.write() as session:
        session.execute(write.values(error="old"))
    with new.write() as session:
        session.execute(write.values(error="new"))
    assert _error(database, operation_id) == "new"


def test_nothing_of_the_old_claim_lands_after_the_new_one_was_taken(database: Database) -> None:
    operation_id = _operation(database)
    with database.write() as session:
        session.add(Quota(project_id="p", resource="r", hard_limit=0))
    for round_ in range(1, 20):
        old, _ = take(database, operation_id, round_ * 10, "old")
        started, writers = threading.Barrier(4), []
        for _ in range(3):
            writers.append(threading.Thread(target=_write_until_stale, args=(old, started)))
            writers[-1].start()
        started.wait()
        new, _ = take(database, operation_id, round_ * 10 + 1, "new")
        with new.write() as session:
            session.execute(sa.update(Quota).values(hard_limit=round_))
        for writer in writers:
            writer.join(30)
            assert not writer.is_alive()
        with database.read() as session:
            assert session.scalar(sa.select(Quota.hard_limit)) == round_


def _write_until_stale(fence: Fence, started: threading.Barrier) -> None:
    started.wait()
    while True:
        try:
            with fence.write() as session:
                session.execute(sa.update(Quota).values(hard_limit=-1))
        except StaleClaim:
            return


def test_a_claim_that_fell_asleep_in_a_transaction_does_not_hold_up_the_next(mysql_url: str) -> None:
    """As a process does that is stopped, or whose machine is cut off, between two statements."""
    migrate.upgrade(mysql_url)
    asleep, awake = Database(mysql_url, idle_transaction_timeout=1), Database(mysql_url)
    operation_id = _operation(awake)
    old, _ = take(asleep, operation_id, 1, "asleep")
    with contextlib.suppress(sa.exc.DBAPIError), old.write() as session:  # the server has ended it meanwhile
        session.execute(sa.update(Operation).where(Operation.id == operation_id).values(error="old"))
        began = time.monotonic()
        new, _ = take(awake, operation_id, 2, "awake")
        assert time.monotonic() - began < 10
    with new.write():
        assert _error(awake, operation_id) is None
    with pytest.raises(StaleClaim), old.write():
        pass
    asleep.close()
    awake.close()
