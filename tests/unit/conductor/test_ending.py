# SPDX-License-Identifier: Apache-2.0
"""How operations end, whatever their steps' failures say."""

import dataclasses

from taskflow import states
from taskflow.persistence import models
from taskflow.types import failure

from conductor.ending import on_end
from dbflow.notifications.outbox import Outbox
from dbflow.operations import State
from flows.registry import REGISTRY, Ending
from guest.datastores.base import DatastoreError
from tests.unit.conductor.conftest import World


def test_words_that_no_database_takes_end_it_all_the_same(world: World) -> None:
    """As a guest's answer, which is JSON, may hold them."""
    operation_id, _ = world.accept(post=False)
    operation, flow = world.operation(operation_id), models.FlowDetail("f", "f")
    atom = models.TaskDetail("install", "a")
    atom.failure = failure.Failure.from_exception(DatastoreError("no \ud800 room"))
    flow.add(atom)
    flow.state = states.REVERTED
    with world.database.write() as session:
        on_end(operation, REGISTRY._definitions["test.notes", 1], {}, Outbox())(session, flow)
    ended = world.operation(operation_id)
    assert (ended.state, ended.error) == (State.REVERTED, "step install: no ? room")


def test_what_is_left_of_an_operation_that_could_not_be_undone(world: World) -> None:
    operation_id, _ = world.accept(post=False)
    operation, flow = world.operation(operation_id), models.FlowDetail("f", "f")
    for number, state in enumerate((states.SUCCESS, states.PENDING, states.REVERTED, states.REVERT_FAILURE)):
        atom = models.TaskDetail(f"step-{number}", str(number))
        atom.state = state
        if state == states.REVERT_FAILURE:
            atom.revert_failure = failure.Failure.from_exception(DatastoreError("no"))
        flow.add(atom)
    flow.state = states.FAILURE
    told: list[Ending] = []
    definition = REGISTRY._definitions["test.notes", 1]
    with world.database.write() as session:
        told_to = dataclasses.replace(definition, ended=lambda _session, ending: told.append(ending))
        on_end(operation, told_to, {}, Outbox())(session, flow)
    assert told[0].left == {"step-0", "step-3"}
    assert told[0].refused == {"step-3": "guest.datastores.base.DatastoreError"}
