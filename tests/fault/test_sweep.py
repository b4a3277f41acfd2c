# SPDX-License-Identifier: Apache-2.0
"""The kill sweep: a few points of each kind here, all of them by ``python -m tests.fault sweep``."""

import pathlib

import pytest

from flows.registry import REGISTRY
from tests.fault.sweep.points import Point, points
from tests.fault.sweep.run import sweep
from tests.fault.sweep.scenarios import Scenario

KINDS = [kind.name for kind in REGISTRY.kinds()]


PARTS = 4


def _few(kind: str) -> list[Point]:
    """A conductor killed on the way there or back, and another way to fail, which differ from kind to kind."""
    found, at = points(kind), KINDS.index(kind)
    way, word = ("execute", "revert")[at % 2], ("agent", "late", "park", "cancel")[at // 2 % 4]
    ways = [
        [point for point in found if point.name.startswith("kill") and f".{way}.done" in point.name],
        [point for point in found if point.name.startswith(word)] or found[:1],
    ]
    return [of_a_way[len(of_a_way) // 2] for of_a_way in ways]


def test_every_operation_has_a_scenario() -> None:
    assert sorted(Scenario.known) == sorted(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_step_has_points(kind: str) -> None:
    names = [name for point in points(kind) for name, _ in point.armed]
    for node in REGISTRY.graph(kind)["nodes"]:
        for verb in ("execute", "revert"):
            assert {f"{node['name']}.{verb}.{when}" for when in ("begun", "done", "saved")} <= set(names)


@pytest.mark.parametrize("part", range(PARTS))
def test_a_few_points_of_each_operation(part: int, images: pathlib.Path) -> None:
    kinds = KINDS[part::PARTS]
    chosen = [point for kind in kinds for point in _few(kind)]
    results = sweep(chosen, images, print)
    assert [(result.point.title, result.violations) for result in results if result.violations] == []
    assert len(results) == 2 * len(kinds)


@pytest.mark.sweep
@pytest.mark.timeout(7200)
def test_every_point_of_each_operation(images: pathlib.Path) -> None:
    chosen = [point for kind in KINDS for point in points(kind)]
    results = sweep(chosen, images, print, parallel=2)
    assert len(results) == len(chosen)
    assert [(result.point.title, result.violations) for result in results if result.violations] == []
