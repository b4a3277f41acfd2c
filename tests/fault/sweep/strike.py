# SPDX-License-Identifier: Apache-2.0
"""One point: prepare, arm, ask, let it strike, wait for the end, and look at everything."""

import contextlib
import dataclasses
from typing import Any

from tests.fault.sweep.ledger import Ledger, Starts, starts
from tests.fault.sweep.points import FAILED, Point, in_the_middle
from tests.fault.sweep.quota import quotas
from tests.fault.sweep.scenarios import Scenario
from tests.functional.stack import Stack
from tests.functional.stack.faults import Held
from tests.waiting import wait_for

PATIENCE = 90.0
SETTLED = 20.0


def strike(point: Point, scenario: Scenario, stack: Stack) -> list[str]:
    """The violations, with what happens that must not, or does not that must."""
    stack.start()
    scenario.prepare()
    stack.faults.record()
    violations: list[str] = []
    with scenario.watched() as watch:
        try:
            violations += _judged(point, scenario, stack)
        except Exception as error:  # what was seen until then is told, too
            violations.append(_words(error))
    return violations + watch


def _judged(point: Point, scenario: Scenario, stack: Stack) -> list[str]:
    before = starts(stack.cloud, scenario.instance_id)
    ended = struck(point, scenario, stack)
    violations = [] if ended["state"] == point.ends else [f"ended {ended['state']}: {ended.get('error')}"]
    point = _without_what_was_not_there(point, stack)
    violations += [f"never reached: {name}" for name, _ in point.armed if stack.faults.waits(name)]
    stack.start()
    after = starts(stack.cloud, scenario.instance_id)
    _let_agents_begin(stack, len(point.agent_kills) + (after.boot > before.boot))
    ledger = Ledger(point, stack.faults.passed())
    violations += ledger.steps(ended["state"])
    violations += _started(point, scenario, ledger, before, after, ended["state"])
    violations += quotas(scenario.client)
    try:
        violations += scenario.check(ended["state"])
        stack.wait_inventory(scenario.expected)
    except Exception as error:
        violations.append(_words(error))
    return violations


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:2000]}"


def _let_agents_begin(stack: Stack, agents: int) -> None:
    """Nobody waits for an agent that is started last of all; one that never begins is a violation later."""
    with contextlib.suppress(AssertionError):
        wait_for(lambda: stack.faults.passed().count("guest.started") >= agents, SETTLED, "the agents to begin")


def _without_what_was_not_there(point: Point, stack: Stack) -> Point:
    """The middle of a step that has none was not missed."""
    missed = {name for name, _ in point.armed if in_the_middle(name) and stack.faults.waits(name)}
    return dataclasses.replace(point, armed=tuple(one for one in point.armed if one[0] not in missed))


def struck(point: Point, scenario: Scenario, stack: Stack) -> dict[str, Any]:
    """The operation that was asked for and failed as the point says, at its end."""
    with contextlib.ExitStack() as exits:
        held = exits.enter_context(stack.faults.holding(point.held)) if point.held else None
        gate = exits.enter_context(stack.faults.holding(point.gate)) if point.gate else None
        for name, what in point.armed:
            stack.faults.arm(name, what)
        scenario.ask()
        if gate is not None:
            _wait_for_the_others(point, stack)
            gate.let_go()
        if held is None and point.deadly:
            _wait_for_death(point.deadly, stack)
        scenario.find()
        if held is not None:
            _cancel(point, held, scenario, stack)
        if point.parks:
            parked = _wait_for_end(point, scenario)
            assert parked["state"] == FAILED, f"not parked: {parked['state']}: {parked.get('error')}"
            assert "Could not be undone" in parked["error"]["message"], parked["error"]
            scenario.client.do(parked["id"], "retry")
        return _wait_for_end(point, scenario)


def _wait_for_the_others(point: Point, stack: Stack) -> None:
    wait_for(lambda: set(point.after) <= set(stack.faults.passed()), PATIENCE, f"{', '.join(point.after)}")


def _wait_for_death(name: str, stack: Stack) -> None:
    """Until the process at that point is dead; what can't go on without it is started again."""
    wait_for(lambda: stack.faults.fired(name), PATIENCE, f"somebody at {name}")
    stack.bury(name)


def _cancel(point: Point, held: Held, scenario: Scenario, stack: Stack) -> None:
    """Cancel the operation while one of its steps is held; whoever runs it knows before the step goes on."""
    held.reached()
    _wait_for_the_others(point, stack)
    operation_id = scenario.operation()["id"]
    scenario.client.do(operation_id, "cancel")
    if point.killed_held:
        stack.kill_runner(operation_id)
    else:
        wait_for(lambda: "operation.asked" in stack.faults.passed(), PATIENCE, "the engine to hear of it")
    held.let_go()
    if point.deadly:
        _wait_for_death(point.deadly, stack)


def _wait_for_end(point: Point, scenario: Scenario) -> dict[str, Any]:
    def done() -> dict[str, Any] | None:
        found = scenario.operation()
        return found if found["done"] else None

    return wait_for(done, PATIENCE, f"the end of {point.title}")


def _started(point: Point, scenario: Scenario, ledger: Ledger, before: Starts, after: Starts, state: str) -> list[str]:
    """Violations: machines, agents or databases started oftener than they should be, or not."""
    kills = len(point.agent_kills)
    gone = after.boot == 0
    boots, databases = after.boot - before.boot, after.database - before.database
    found = []
    if not gone and boots not in scenario.boots(state):
        found.append(f"the machine booted {boots} times instead of {scenario.boots(state)}")
    # A boot that another one follows at once may be over before its agent has begun.
    if not gone and not kills + bool(boots) <= ledger.agents <= kills + boots:
        found.append(f"{ledger.agents} agents were started in {boots} boots with {kills} killed")
    if gone and ledger.agents > scenario.most_agents + kills:
        found.append(f"{ledger.agents} agents were started for an instance that is gone, with {kills} killed")
    wanted = scenario.database_starts(state)
    if not gone and not min(wanted) <= databases <= max(wanted) + kills * (max(wanted) > 0):
        found.append(f"the database was started {databases} times instead of {sorted(wanted)}")
    return found
