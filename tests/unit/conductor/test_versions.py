# SPDX-License-Identifier: Apache-2.0
"""Two versions of a kind side by side, and a conductor that knows one of them only."""

import dataclasses
import time
from collections.abc import Iterator
from typing import Any

import pytest
from taskflow.patterns import linear_flow

from dbflow.db.models import Operation
from dbflow.operations import State
from flows.registry import REGISTRY, UnknownOperation
from tests.unit.conductor.conftest import LOG, Note, World
from tests.waiting import wait_for

KIND = "test.notes"


def _build_second(_: dict[str, Any]) -> linear_flow.Flow:
    return linear_flow.Flow(KIND).add(Note(7, "", None), Note(8, "", None))


@pytest.fixture(autouse=True)
def _second(world: World) -> Iterator[None]:
    """Version 2 of the tests' operation, registered after the world's version 1."""
    first = REGISTRY.definition(KIND, 1)
    kind = dataclasses.replace(first.kind, version=2)
    REGISTRY.add(dataclasses.replace(first, kind=kind, build=_build_second))
    yield
    del REGISTRY._definitions[KIND, 2]


def _accept(world: World, version: int) -> str:
    """An operation accepted by the release that had this version."""
    operation_id, _ = world.accept(post=False)
    with world.database.write() as session:
        session.get_one(Operation, operation_id).version = version
    world.poster.post(world.operation(operation_id))
    return operation_id


def test_each_operation_runs_the_version_it_was_accepted_with(world: World) -> None:
    world.conductor()
    world.wait_state(_accept(world, 1), State.SUCCESS)
    assert LOG == ["+0", "+1", "+2"]
    world.wait_state(_accept(world, 2), State.SUCCESS)
    assert LOG[3:] == ["+7", "+8"]


def test_new_operations_get_the_newest_version_and_old_graphs_can_still_be_drawn(world: World) -> None:
    operation_id, _ = world.accept(post=False)
    assert world.operation(operation_id).version == 2
    assert [kind.version for kind in REGISTRY.kinds() if kind.name == KIND] == [2]
    names = [[node["name"] for node in REGISTRY.graph(KIND, version)["nodes"]] for version in (1, 2)]
    assert names == [["note-0", "note-1", "note-2"], ["note-7", "note-8"]]
    with pytest.raises(UnknownOperation):
        REGISTRY.graph(KIND, 3)


def test_what_a_conductor_does_not_know_it_never_claims(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor does it look for it again and again; a conductor that knows it takes it at once."""
    world.conf.set_override("outbox_interval", 60.0, group="conductor")  # the leader's looks are not the point
    knows = REGISTRY.knows
    monkeypatch.setattr(REGISTRY, "knows", lambda kind, version: knows(kind, version) and version != 2)
    old = world.conductor()
    board = wait_for(lambda: old._board, 10, "a board")
    looks: list[float] = []
    waiting = board.waiting

    def looked() -> list[Any]:
        looks.append(time.monotonic())
        return waiting()

    monkeypatch.setattr(board, "waiting", looked)
    monkeypatch.setattr(board, "claim", lambda job: pytest.fail(f"claimed {job}"))
    operation_id = _accept(world, 2)
    wait_for(lambda: operation_id in board._board._known_jobs.of_operation, 10, "the job on the board")
    wait_for(lambda: looks, 10, "a look at it")
    since = len(looks)
    wait_for(lambda: looks[-1] - looks[since - 1] > 1.5, 10, "more looks")
    assert len(looks) - since <= 4, "it looks once a second, and when something changes"
    operation = world.operation(operation_id)
    assert (operation.state, operation.attempts, LOG) == (State.ACCEPTED, 0, [])

    monkeypatch.setattr(REGISTRY, "knows", knows)
    world.conductor()
    operation = world.wait_state(operation_id, State.SUCCESS)
    assert (operation.attempts, LOG) == (1, ["+7", "+8"])
    assert operation.conductor != old.name
