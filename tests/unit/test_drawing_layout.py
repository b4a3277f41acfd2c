# SPDX-License-Identifier: Apache-2.0
"""Boxes don't overlap, edges go down, the same graph is drawn the same way."""

import itertools
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbflow.console.drawing import BadGraph, Box, Graph, Layout, layout
from tests.unit.graphs import CREATE, graphs, node, wide


def overlap(a: Box, b: Box) -> bool:
    return a.x < b.x + b.width and b.x < a.x + a.width and a.y < b.y + b.height and b.y < a.y + a.height


def within(inner: Box, outer: Box) -> bool:
    return (
        outer.x <= inner.x
        and outer.y <= inner.y
        and inner.x + inner.width <= outer.x + outer.width
        and inner.y + inner.height <= outer.y + outer.height
    )


def problems(drawn: Layout) -> list[str]:
    """Everything that is wrong with a drawing."""
    found = []
    sheet = Box(0, 0, drawn.width, drawn.height)
    for (a, box_a), (b, box_b) in itertools.combinations(drawn.nodes.items(), 2):
        if overlap(box_a, box_b):
            found.append(f"{a} and {b} overlap")
    for name, box in [*drawn.nodes.items(), *drawn.groups.items()]:
        if not within(box, sheet):
            found.append(f"{name} is off the sheet")
    for name in drawn.nodes:
        node = next(node for node in drawn.graph.nodes if node.name == name)
        mine = drawn.graph.group_path(node)
        for group, box in drawn.groups.items():
            if group in mine and not within(drawn.nodes[name], box):
                found.append(f"{name} is outside of its group {group}")
            if group not in mine and overlap(drawn.nodes[name], box):
                found.append(f"{name} touches the group {group}, which is not its own")
    for (a, b), points in drawn.edges.items():
        found += edge_problems(drawn, a, b, points)
    return found


def edge_problems(drawn: Layout, a: str, b: str, points: tuple[tuple[float, float], ...]) -> list[str]:
    found = []
    source, target = drawn.nodes[a], drawn.nodes[b]
    if points[0][1] != source.y + source.height or points[-1][1] != target.y:
        found.append(f"{a} → {b} does not go from lower to upper side")
    if source.y + source.height >= target.y:
        found.append(f"{b} is not below {a}")
    for (x, y), (to_x, to_y) in itertools.pairwise(points):
        if to_y < y:
            found.append(f"{a} → {b} goes up")
        for name, box in drawn.nodes.items():
            beside = max(x, to_x) <= box.x or min(x, to_x) >= box.x + box.width
            apart = to_y <= box.y or y >= box.y + box.height
            if name not in (a, b) and not beside and not apart:
                found.append(f"{a} → {b} goes through {name}")
    return found


def test_a_real_flow() -> None:
    drawn = layout(CREATE)
    assert problems(drawn) == []
    assert list(drawn.groups) == ["network", "database"]
    assert ("port", "record") not in drawn.edges  # other edges say so already
    assert len(drawn.edges) == 10


@settings(max_examples=300, deadline=None)
@given(graphs())
def test_any_flow(graph: dict[str, Any]) -> None:
    drawn = layout(graph)
    assert problems(drawn) == []
    assert list(drawn.nodes) == [node["name"] for node in graph["nodes"]]


@settings(max_examples=100, deadline=None)
@given(graphs(), st.randoms())
def test_the_order_of_edges_changes_nothing(graph: dict[str, Any], random: Any) -> None:
    again = dict(graph, edges=random.sample(graph["edges"], len(graph["edges"])))
    assert layout(again) == layout(graph)


def test_siblings_stay_in_the_order_of_the_definition() -> None:
    names = ["c", "a", "d", "b"]
    graph = {
        "kind": "x",
        "nodes": [node("first", "First"), *(node(name, name) for name in names), node("last", "Last")],
        "edges": [edge for name in names for edge in (["first", name], [name, "last"])],
    }
    boxes = layout(graph).nodes
    assert sorted(names, key=lambda name: boxes[name].x) == names
    middle = (boxes["c"].x + boxes["b"].x + boxes["b"].width) / 2
    assert boxes["first"].x + boxes["first"].width / 2 == pytest.approx(middle, abs=2)


def test_crossings_are_undone() -> None:
    graph = {
        "kind": "x",
        "nodes": [node(name, name) for name in ("a", "b", "c", "x", "y", "z")],
        "edges": [["a", "z"], ["b", "y"], ["c", "x"]],
    }
    boxes = layout(graph).nodes
    assert all(boxes[a].x == boxes[b].x for a, b in graph["edges"])


def test_a_group_that_an_edge_leaves_and_enters_again_is_no_box() -> None:
    graph = {
        "kind": "x",
        "nodes": [node("a", "A", group="g"), node("b", "B"), node("c", "C", group="g")],
        "edges": [["a", "b"], ["b", "c"]],
        "groups": [{"name": "g"}],
    }
    drawn = layout(graph)
    assert not drawn.groups
    assert len(drawn.edges) == 2


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"edges": [["a", "b"], ["b", "a"]]}, "cycle"),
        ({"edges": [["a", "nobody"]]}, "nobody"),
        ({"nodes": [node("a", "A"), node("a", "B")]}, "same name"),
        ({"nodes": [node("a", "A", group="g")]}, "no group"),
        ({"groups": [{"name": "g", "parent": "h"}, {"name": "h", "parent": "g"}]}, "itself"),
    ],
)
def test_what_is_no_flow_is_refused(change: dict[str, Any], reason: str) -> None:
    graph = {"kind": "x", "nodes": [node("a", "A"), node("b", "B")], "edges": [], "groups": []} | change
    with pytest.raises(BadGraph, match=reason):
        layout(graph)


def test_a_flow_without_steps() -> None:
    drawn = layout({"kind": "x", "nodes": [], "edges": []})
    assert (drawn.nodes, drawn.edges) == ({}, {})


def test_implied_edges() -> None:
    graph = Graph.of({"kind": "x", "nodes": [node(n, n) for n in "abc"], "edges": [["a", "c"], ["b", "c"], ["a", "b"]]})
    assert graph.needed == (("a", "b"), ("b", "c"))


@pytest.mark.parametrize("groups", [1, 20])
def test_600_steps_are_quick(groups: int, capsys: pytest.CaptureFixture[str]) -> None:
    graph = Graph.of(wide(600, groups))
    spent = []
    for _ in range(5):
        start = time.process_time()
        drawn = layout(graph)
        spent.append(time.process_time() - start)
    with capsys.disabled():
        print(f"\nlayout of {len(drawn.nodes)} steps, {len(drawn.edges)} edges: {min(spent) * 1000:.1f} ms")
    # 28 ms on an idle machine; more than this would be another algorithm, not a busy neighbour.
    assert min(spent) < 0.2
