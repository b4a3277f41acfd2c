# SPDX-License-Identifier: Apache-2.0
"""Operations whose steps wait, for minutes if need be: what they hold, and how they hear of wishes."""

from dbflow.db.models import Operation
from dbflow.operations import State
from dbflow.persistence.steps import steps_of
from dbflow.verbs import VERBS
from tests.unit.conductor.conftest import GATE, LOG, THERE, World
from tests.waiting import wait_for

MANY = 300
THREADS = 8


def wish(world: World, operation_id: str, verb: str) -> None:
    """As the API does it."""
    with world.database.write() as session:
        VERBS[verb](session, session.get_one(Operation, operation_id))
    if world.operation(operation_id).state == State.ACCEPTED:
        world.poster.post(world.operation(operation_id))


def waiting(world: World) -> int:
    """How many steps are between two tries, in all conductors."""
    pools = [service._runner._pool for service, _ in world.conductors]
    return sum(later._call is not None for pool in pools for _, _, later in pool._waiting)


def waits(world: World, count: int = 1) -> None:
    wait_for(lambda: waiting(world) == count, 200, f"{count} steps to wait")


def test_hundreds_that_wait_leave_the_threads_to_others(world: World) -> None:
    world.conf.set_override("task_threads", THREADS, group="conductor")
    world.conf.set_override("max_flows", MANY + 1, group="conductor")
    world.conductor()
    held = [world.accept(steps=2, wait=0)[0] for _ in range(MANY)]
    waits(world, MANY)
    other, _ = world.accept(steps=3)
    world.wait_state(other, State.SUCCESS, timeout=200)  # a thread in a pause would be back after 600
    assert {world.operation(operation_id).state for operation_id in held} == {State.RUNNING}
    assert waiting(world) == MANY


def test_hand_over_does_not_wait_for_a_pause(world: World) -> None:
    first = world.conductor()
    operation_id, _ = world.accept(wait=1)
    waits(world)
    first.stop()
    world.conductors[0][1].join(10)
    assert not world.conductors[0][1].is_alive()
    waits(world, 0)
    assert world.operation(operation_id).state == State.RUNNING
    THERE.set()
    world.conductor()
    world.wait_state(operation_id, State.SUCCESS)
    assert LOG == ["+0", "+?1", "+?1", "+2"]


def test_suspended_in_a_pause_and_begun_anew(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(wait=1)
    waits(world)
    wish(world, operation_id, "suspend")
    world.wait_state(operation_id, State.SUSPENDED)
    assert waiting(world) == 0
    THERE.set()
    wish(world, operation_id, "resume")
    world.wait_state(operation_id, State.SUCCESS)
    assert LOG == ["+0", "+?1", "+?1", "+2"]


def test_suspended_beside_a_step_in_progress(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(steps=2, side_by_side=True, wait=1, gate=0)
    waits(world)
    wait_for(lambda: "+0" in LOG, 10, "the step beside")
    wish(world, operation_id, "suspend")
    waits(world, 0)
    assert world.operation(operation_id).state == State.RUNNING
    GATE.set()
    world.wait_state(operation_id, State.SUSPENDED)
    assert sorted(LOG) == ["+0", "+?1"]
    THERE.set()
    wish(world, operation_id, "resume")
    world.wait_state(operation_id, State.SUCCESS)
    assert sorted(LOG) == ["+0", "+?1", "+?1"]


def test_cancelled_in_a_pause_is_undone_at_once(world: World) -> None:
    world.conductor()
    operation_id, instance_id = world.accept(wait=1)
    waits(world)
    wish(world, operation_id, "cancel")
    operation = world.wait_state(operation_id, State.REVERTED)
    assert LOG == ["+0", "+?1", "-?1", "-0"]
    assert operation.error is None
    fault = world.instance(instance_id).fault
    assert fault is not None
    assert fault["message"] == "Noting was cancelled."
    assert waiting(world) == 0


def test_suspended_in_a_pause_and_cancelled_then(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(wait=1)
    waits(world)
    wish(world, operation_id, "suspend")
    world.wait_state(operation_id, State.SUSPENDED)
    wish(world, operation_id, "cancel")
    world.wait_state(operation_id, State.REVERTED)
    assert LOG == ["+0", "+?1", "-?1", "-0"]


def test_cancel_overrules_a_suspend_that_waits_for_a_step(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(steps=2, side_by_side=True, wait=1, gate=0)
    waits(world)
    wait_for(lambda: "+0" in LOG, 10, "the step beside")
    wish(world, operation_id, "suspend")
    waits(world, 0)
    wish(world, operation_id, "cancel")
    wait_for(lambda: world.conductors[0][0]._wishes.all()[0].wanted == "cancel", 10, "the wish to arrive")
    GATE.set()
    world.wait_state(operation_id, State.REVERTED)
    assert sorted(LOG) == ["+0", "+?1", "-0", "-?1"]


def test_a_revert_that_waits_is_waited_for(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(wait=1, phase="-", after=0.05, fail="execute-2")
    wait_for(lambda: LOG.count("-?1") > 1, 15, "the revert to wait")
    wish(world, operation_id, "cancel")
    wait_for(lambda: world.conductors[0][0]._wishes.all()[0].wanted, 10, "the wish to arrive")
    seen = LOG.count("-?1")
    wait_for(lambda: LOG.count("-?1") > seen, 10, "the next look")
    THERE.set()
    world.wait_state(operation_id, State.REVERTED)
    assert LOG[-1] == "-0"


def test_what_never_comes_is_undone(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept(wait=1, deadline=2.0)
    operation = world.wait_state(operation_id, State.REVERTED)
    assert operation.error == "step wait-1: the test is not ready (waited 2 s)"
    assert LOG == ["+0", "+?1", "+?1", "-?1", "-0"]
    with world.database.read() as session:
        assert {step.state for step in steps_of(session, operation.flow_uuid)} == {"REVERTED", "PENDING"}
