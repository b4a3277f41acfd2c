# SPDX-License-Identifier: Apache-2.0
"""Who is elected."""

import types
from typing import Any, cast

import pytest

from dbflow.waits import Overdue
from flows.registry import REGISTRY
from flows.tasks.base import FlowContext
from flows.tasks.replicas import ElectSource, transactions


def elect(**positions: str | None) -> tuple[str, Any, int]:
    """Of replicas that are called by their names."""
    names = [f"settled_{number}" for number in range(1, len(positions) + 1)]
    task = ElectSource(requires=names)
    fence = types.SimpleNamespace(confirm=lambda within=0.0: None)
    task.bind(cast(FlowContext, types.SimpleNamespace(fence=fence)))
    answers = [None if one is None else {"position": one, "port": 3306} for one in positions.values()]
    return task.execute(list(positions), **dict(zip(names, answers, strict=True)))


def test_the_one_that_has_most() -> None:
    assert elect(a="0-1-9", b="0-1-10", c="0-1-2")[0] == "b"
    assert elect(a="0-7-9", b="0-1-9,1-1-3") == ("b", {"position": "0-1-9,1-1-3", "port": 3306}, 1)


def test_of_those_that_answer() -> None:
    elected, answer, others = elect(a=None, b="0-1-1", c=None)
    assert (elected, answer["position"], others) == ("b", "0-1-1", 0)
    with pytest.raises(Overdue, match="No replica answers"):
        elect(a=None)


def test_a_source_that_nobody_wrote_to() -> None:
    assert elect(a="", b="")[2] == 1
    assert transactions("") == () < transactions("0-1-1") < transactions("0-1-2")


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_step_for_each_replica(count: int) -> None:
    ids = [f"replica-{number}" for number in range(count)]
    arguments = REGISTRY.definition("instance.replicate").example | {"replica_ids": ids}
    names = {node["name"] for node in REGISTRY.graph("instance.replicate", arguments=arguments)["nodes"]}
    assert {f"begin-replica-{number}" for number in range(1, count + 1)} <= names
    assert f"begin-replica-{count + 1}" not in names
