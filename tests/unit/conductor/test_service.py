# SPDX-License-Identifier: Apache-2.0
"""Operations from acceptance to their end, by one conductor or several."""

import threading
import time
from typing import cast
from unittest import mock

import pytest
import sqlalchemy as sa

from conductor.control import Control
from conductor.leader import Leader
from conductor.runner import Job
from dbflow.cloud.base import Cloud
from dbflow.db.models import Conductor, Operation
from dbflow.jobboard import Board
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.operations import State
from dbflow.persistence.steps import steps_of
from dbflow.persistence.tables import ATOMS
from dbflow.verbs import cancel, release, resume, retry, suspend
from tests.unit.conductor.conftest import GATE, LOG, NoCloud, World
from tests.waiting import wait_for


def test_runs_to_success(world: World) -> None:
    world.conductor()
    operation_id, instance_id = world.accept()
    operation = world.wait_state(operation_id, State.SUCCESS)
    assert LOG == ["+0", "+1", "+2"]
    assert operation.error is None
    assert operation.finished is not None
    instance = world.instance(instance_id)
    assert (instance.task, instance.flavor_id, instance.operation_id) == ("NONE", "done", None)
    wait_for(lambda: not world.conductors[0][0]._board.posted(), 30, "an empty board")


def test_failure_reverts_and_tells_no_secret(world: World) -> None:
    world.conductor()
    operation_id, instance_id = world.accept(fail="execute-2")
    operation = world.wait_state(operation_id, State.REVERTED)
    assert LOG == ["+0", "+1", "+2", "-2", "-1", "-0"]
    assert operation.error == "step note-2: internal error (ValueError)"
    instance = world.instance(instance_id)
    assert (instance.task, instance.flavor_id) == ("NONE", "undone")
    assert instance.fault is not None
    assert "hunter2" not in str(instance.fault)
    with world.database.read() as session:
        stored = str(session.execute(sa.select(ATOMS)).all())
        steps = steps_of(session, operation.flow_uuid, world.keyring)
    assert "hunter2" not in stored
    assert [(step.name, step.state, step.attempt) for step in steps] == [
        ("note-0", "REVERTED", 2),
        ("note-1", "REVERTED", 2),
        ("note-2", "REVERTED", 2),
    ]


def test_failing_revert_parks_and_retry_goes_on(world: World) -> None:
    world.conductor()
    operation_id, instance_id = world.accept(fail="both-1")
    operation = world.wait_state(operation_id, State.FAILED)
    assert "Could not be undone: step note-1" in (operation.error or "")
    assert world.instance(instance_id).task == "ERROR"
    assert LOG == ["+0", "+1", "+2", "+99", "-99", "-2", "-1"]
    with world.database.write() as session:  # what held the revert up is mended
        row = session.get_one(Operation, operation_id)
        row.arguments = world.keyring.seal({"fail": "both-none"})
        retry(session, row)
    world.poster.post(world.operation(operation_id))
    world.wait_state(operation_id, State.REVERTED)
    assert LOG[-2:] == ["-1", "-0"]
    assert world.instance(instance_id).task == "NONE"
    with world.database.read() as session:
        attempts = {step.name: step.attempt for step in steps_of(session, operation.flow_uuid)}
    assert (attempts["note-1"], attempts["note-2"]) == (3, 2)  # asked for the old attempt, a guest repeats its answer


def test_cancel_turns_a_running_flow_round(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 10, "the second step")
    with world.database.write() as session:
        cancel(session, session.get_one(Operation, operation_id))
    wait_for(lambda: world.conductors[0][0]._wishes.all()[0].wanted, 10, "the wish to arrive")
    time.sleep(0.2)  # the step in progress must not be cut off by it
    assert LOG == ["+0", "+1"]
    GATE.set()
    operation = world.wait_state(operation_id, State.REVERTED)
    assert LOG == ["+0", "+1", "-1", "-0"]
    assert operation.error is None


def test_cancel_before_the_first_step(world: World) -> None:
    operation_id, _ = world.accept()
    with world.database.write() as session:
        cancel(session, session.get_one(Operation, operation_id))
    world.conductor()
    world.wait_state(operation_id, State.REVERTED)
    assert LOG == []


def test_suspend_and_resume(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 10, "the second step")
    with world.database.write() as session:
        suspend(session, session.get_one(Operation, operation_id))
    wait_for(lambda: world.conductors[0][0]._wishes.all()[0].wanted, 30, "the wish to arrive")
    GATE.set()
    world.wait_state(operation_id, State.SUSPENDED)
    assert LOG == ["+0", "+1"]
    with world.database.write() as session:
        resume(session, session.get_one(Operation, operation_id))
    world.poster.post(world.operation(operation_id))
    world.wait_state(operation_id, State.SUCCESS)
    assert LOG == ["+0", "+1", "+2"]


def test_a_wish_taken_back_late_is_not_written_over(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 10, "the second step")
    with world.database.write() as session:
        suspend(session, session.get_one(Operation, operation_id))
    wait_for(lambda: world.conductors[0][0]._wishes.all()[0].wanted, 30, "the wish to arrive")
    with world.database.write() as session:
        resume(session, session.get_one(Operation, operation_id))
    GATE.set()
    world.wait_state(operation_id, State.SUCCESS)
    assert LOG == ["+0", "+1", "+2"]


def test_hand_over_repeats_nothing_that_was_saved(world: World) -> None:
    first = world.conductor()
    operation_id, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 10, "the second step")
    first.stop()
    world.conductors[0][1].join(10)
    assert not world.conductors[0][1].is_alive()  # it has not waited for the step
    assert world.operation(operation_id).state == State.RUNNING
    GATE.set()
    world.conductor()
    world.wait_state(operation_id, State.SUCCESS)
    assert LOG == ["+0", "+1", "+1", "+2"]


def test_leader_posts_what_is_not_on_the_board(world: World) -> None:
    operation_id, _ = world.accept(post=False)
    world.conductor()
    world.wait_state(operation_id, State.SUCCESS)


def test_one_of_two_conductors_leads(world: World) -> None:
    first, second = world.conductor(), world.conductor()
    wait_for(lambda: first._leads or second._leads, 30, "a leader")
    time.sleep(0.3)
    assert (first._leads is None) != (second._leads is None)
    leader, other = (first, second) if first._leads else (second, first)
    leader.stop()
    wait_for(lambda: other._leads, 30, "the other to lead")


def test_duties_that_outlive_their_session_do_not_end_a_later_lead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    conductor = world.conductor()
    former, latter = (world.boards.board(name) for name in ("former", "latter"))
    slow, quick = threading.Event(), threading.Event()

    def lead(board: Board, _: threading.Event) -> None:
        (slow if board is former else quick).wait(10)

    wait_for(lambda: conductor._leads, 30, "a leader")
    monkeypatch.setattr(conductor._leader, "lead", lead)
    threads = [threading.Thread(target=conductor._lead, args=(board,)) for board in (former, latter)]
    threads[0].start()
    wait_for(lambda: conductor._leads is former, 30, "the former")
    threads[1].start()
    wait_for(lambda: conductor._leads is latter, 30, "the latter")
    slow.set()
    threads[0].join(5)
    assert conductor._leads is latter
    quick.set()
    threads[1].join(5)
    assert conductor._leads is None


def test_a_look_for_orphans_that_outlives_its_session_tells_nothing_of_a_later_lead(world: World) -> None:
    leader = Leader(world.conf, world.database, world.keyring, cast(Cloud, NoCloud()), cast(Dispatcher, object()))
    looking, slow, over = threading.Event(), threading.Event(), threading.Event()
    leader._orphanage = mock.Mock(find=lambda: looking.set() or slow.wait(20))
    leader._book = mock.Mock(write=lambda _: 7)
    over.set()
    former, latter = (world.boards.board(name) for name in ("former", "latter"))
    leader.lead(former, over)
    look = threading.Thread(target=leader.look_for_orphans)
    look.start()
    assert looking.wait(10)
    leader.lead(latter, over)
    slow.set()
    look.join(10)
    assert leader.orphans(latter) is None
    leader.look_for_orphans()
    assert (leader.orphans(latter), leader.orphans(former), leader.orphans(None)) == (7, None, None)


def test_no_claim_before_sql_told_how_far_epochs_are(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    conductor, board = world.conductor(), mock.Mock(lost=threading.Event())
    wait_for(lambda: conductor._board, 10, "its own count")
    away = sa.exc.OperationalError("select", {}, Exception("away"))
    monkeypatch.setattr(conductor, "_newest_epoch", mock.Mock(side_effect=[away, 7]))
    conductor._count_on(board)
    assert board.count_on.mock_calls == [mock.call(7)]


def test_a_claim_that_was_overtaken_from_the_beginning_counts_again(world: World) -> None:
    """Another conductor may have found that ZooKeeper counts from an earlier number."""
    conductor, board, job = world.conductor(), mock.Mock(), mock.Mock()
    operation_id, _ = world.accept(post=False)
    with world.database.write() as session:
        row = session.get_one(Operation, operation_id)
        row.epoch, row.state = 2**48 + 1, State.SUSPENDED
    conductor._dispose(board, job, operation_id, Job.OVERTAKEN, Control())
    assert board.mock_calls == [mock.call.count_on(2**48 + 1), mock.call.abandon(job)]


def test_many_operations_on_two_conductors(world: World) -> None:
    world.conductor()
    world.conductor()
    accepted = [world.accept(steps=4)[0] for _ in range(30)]
    for operation_id in accepted:
        operation = world.wait_state(operation_id, State.SUCCESS, timeout=40)
        assert operation.attempts == 1
    assert len(LOG) == 120
    assert len({world.operation(operation_id).conductor for operation_id in accepted}) == 2


def test_stale_claim_writes_nothing(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 10, "the second step")
    with world.database.write() as session:  # a successor has claimed it
        session.get_one(Operation, operation_id).epoch += 7
    service = world.conductors[0][0]
    service._not_before[operation_id] = (0.0, 8)  # nor does this conductor claim it again before the test ends
    GATE.set()
    wait_for(lambda: not service.flows, 10, "the stale engine to stop")
    assert LOG == ["+0", "+1"]
    assert world.operation(operation_id).state == State.RUNNING
    with world.database.read() as session:
        states = {step.name: step.state for step in steps_of(session, world.operation(operation_id).flow_uuid)}
    assert states == {"note-0": "SUCCESS", "note-1": "RUNNING", "note-2": "PENDING"}


def test_wishes_at_every_moment_leave_no_step_undone(world: World) -> None:
    """Suspended or cancelled whenever: the flow ends only when every step is where it belongs."""
    world.conf.set_override("task_threads", 1, group="conductor")
    world.conductor()
    accepted = [world.accept(steps=4)[0] for _ in range(12)]
    for number, operation_id in enumerate(accepted):
        with world.database.write() as session:
            row = session.get_one(Operation, operation_id)
            if row.finished is None:
                (cancel if number % 2 else suspend)(session, row)
    for operation_id in accepted:
        _until_quiet(world, operation_id)
        operation = world.operation(operation_id)
        with world.database.read() as session:
            states = {step.state for step in steps_of(session, operation.flow_uuid)}
        wanted = {"SUCCESS": {"SUCCESS"}, "REVERTED": {"REVERTED", "PENDING"}}[operation.state]
        assert states <= wanted, (operation.state, states)


def _until_quiet(world: World, operation_id: str) -> None:
    """Until it has ended; what was suspended is sent on."""

    def ended() -> bool:
        with world.database.write() as session:
            row = session.get_one(Operation, operation_id)
            if row.state == State.SUSPENDED:
                resume(session, row)
        return row.state in (State.SUCCESS, State.REVERTED)

    wait_for(ended, 40, f"the end of {operation_id}")


def give_up(world: World, operation_id: str) -> None:
    with world.database.write() as session:
        release(session, session.get_one(Operation, operation_id))


def test_a_released_claim_is_anothers(world: World) -> None:
    """The step in progress ends first; what was saved is not done again, and it does not count as an attempt."""
    first = world.conductor()
    operation_id, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 10, "the second step")
    second = world.conductor()
    give_up(world, operation_id)
    wait_for(lambda: first._wishes.all()[0].released, 10, "the wish to arrive")
    assert world.operation(operation_id).conductor == first.name  # the step may not be begun beside itself
    GATE.set()
    operation = world.wait_state(operation_id, State.SUCCESS)
    assert (operation.conductor, operation.attempts) == (second.name, 1)
    assert LOG[:2] == ["+0", "+1"]
    assert LOG.count("+0") == 1


def test_a_claim_that_is_released_with_nobody_else_there_is_taken_again(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 10, "the second step")
    epoch = world.operation(operation_id).epoch
    give_up(world, operation_id)
    wait_for(lambda: world.conductors[0][0]._wishes.all()[0].released, 10, "the wish to arrive")
    GATE.set()
    operation = world.wait_state(operation_id, State.SUCCESS, timeout=30)
    assert operation.epoch > epoch  # once more, not again and again: the wish was about the claim before
    assert operation.attempts == 1


def test_a_released_claim_keeps_the_wish_to_cancel(world: World) -> None:
    first = world.conductor()
    operation_id, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 10, "the second step")
    world.conductor()
    with world.database.write() as session:
        cancel(session, session.get_one(Operation, operation_id))
    give_up(world, operation_id)
    wait_for(lambda: first._wishes.all()[0].released, 10, "the wish to arrive")
    GATE.set()
    world.wait_state(operation_id, State.REVERTED)
    assert "+2" not in LOG
    assert LOG[-1] == "-0"


def reported(world: World, name: str) -> Conductor | None:
    with world.database.read() as session:
        return session.get(Conductor, name)


def test_draining(world: World) -> None:
    """What runs ends; what comes waits for somebody else, or until it claims again."""
    first = world.conductor()
    running, _ = world.accept(gate=1)
    wait_for(lambda: "+1" in LOG, 10, "the second step")
    wait_for(lambda: reported(world, first.name), 10, "its report")

    def drain(wanted: bool) -> None:
        with world.database.write() as session:
            session.get_one(Conductor, first.name).draining = wanted
        wait_for(lambda: first._draining is wanted, 10, "it to obey")

    drain(True)
    waiting, _ = world.accept()
    GATE.set()
    world.wait_state(running, State.SUCCESS)
    assert world.operation(waiting).attempts == 0
    drain(False)
    world.wait_state(waiting, State.SUCCESS)


def test_a_drained_conductor_leaves_the_rest_to_others(world: World) -> None:
    first = world.conductor()
    wait_for(lambda: reported(world, first.name), 10, "its report")
    with world.database.write() as session:
        session.get_one(Conductor, first.name).draining = True
    wait_for(lambda: first._draining, 10, "it to obey")
    second = world.conductor()
    operation_id, _ = world.accept()
    assert world.wait_state(operation_id, State.SUCCESS).conductor == second.name


def test_who_leaves_in_good_order_is_not_missed(world: World) -> None:
    service = world.conductor()
    wait_for(lambda: reported(world, service.name), 10, "its report")
    service.stop()
    wait_for(lambda: reported(world, service.name) is None, 10, "its row to go")
