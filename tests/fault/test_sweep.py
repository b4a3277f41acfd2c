# SPDX-License-Identifier: Apache-2.0
"""The kill sweep: a point of each kind here, all of them by ``python -m tests.fault sweep``."""

import pathlib

import pytest

from flows.registry import REGISTRY
from tests.fault.sweep.points import Point, points
from tests.fault.sweep.run import sweep
from tests.fault.sweep.scenarios import Scenario

KINDS = [kind.name for kind in REGISTRY.kinds()]


PARTS = 4


WAYS = ("kill", "agent", "kill", "late", "kill", "park", "kill", "cancel")


def _one(kind: str) -> Point:
    """A way to fail, which differs from kind to kind: half of them are a conductor killed, on the way there or back."""
    found, at = points(kind), KINDS.index(kind)
    word, verb = WAYS[at % len(WAYS)], ("execute", "revert")[at // 2 % 2]
    of_a_way = [
        point for point in found if point.name.startswith(word) and (word != "kill" or f".{verb}.done" in point.name)
    ]
    return (of_a_way or found)[len(of_a_way) // 2]


def test_every_operation_has_a_scenario() -> None:
    assert sorted(Scenario.known) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_has_points(kind: str) -> None:
    names = [name for point in points(kind) for name, _ in point.armed]
    for node in REGISTRY.graph(kind)["nodes"]:
        for verb in ("execute", "revert"):
            assert {f"{node['name']}.{verb}.{when}" for when in ("begun", "done", "saved")} <= set(names)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_point_of_each_operation(part: int, images: pathlib.Path) -> None:
    kinds = KINDS[part::PARTS]
    results = sweep([_one(kind) for kind in kinds], images, print)
    assert [(result.point.title, result.violations) for result in results if result.violations] == []
    assert len(results) == len(kinds)


@pytest.mark.sweep
@pytest.mark.timeout(7200)
def test_every_point_of_each_operation(images: pathlib.Path) -> None:
    chosen = [point for kind in KINDS for point in points(kind)]
    results = sweep(chosen, images, print, parallel=2)
    assert len(results) == len(chosen)
    assert [(result.point.title, result.violations) for result in results if result.violations] == []
