# SPDX-License-Identifier: Apache-2.0
"""The graph that is drawn, read from the registry's plain data and checked."""

import dataclasses
import functools
import heapq
from collections.abc import Iterable, Mapping
from typing import Any


class BadGraph(ValueError):
    """Not a graph that can be drawn: a name twice, an unknown name, a cycle."""


@dataclasses.dataclass(frozen=True)
class Node:
    """One task or retry controller."""

    name: str
    label: str
    type: str = "task"
    """"task" or "retry"."""
    where: str = "local"
    """"local" (on a conductor) or "guest"."""
    group: str | None = None
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    doc: str = ""


@dataclasses.dataclass(frozen=True)
class Graph:
    """A flow: nodes and groups in the order of the definition, edges without repetition in the nodes' order."""

    kind: str
    version: int
    title: str
    nodes: tuple[Node, ...]
    edges: tuple[tuple[str, str], ...]
    groups: Mapping[str, str | None]
    """Name of each group -> name of the group it lies in."""

    @classmethod
    def of(cls, data: "Graph | Mapping[str, Any]") -> "Graph":
        """Read the registry's form (see :mod:`dbflow.console.drawing`). Raises BadGraph."""
        if isinstance(data, Graph):
            return data
        nodes = tuple(_node(node) for node in data["nodes"])
        graph = cls(
            kind=str(data.get("kind", "")),
            version=int(data.get("version", 1)),
            title=str(data.get("title", "")),
            nodes=nodes,
            edges=_edges(nodes, data.get("edges", ())),
            groups={group["name"]: group.get("parent") for group in data.get("groups", ())},
        )
        _check_groups(graph)
        if len(graph.order) < len(nodes):
            raise BadGraph("the edges form a cycle")
        return graph

    @functools.cached_property
    def order(self) -> tuple[Node, ...]:
        """Topological order; nodes that could come in any order keep that of the definition."""
        index = {node.name: i for i, node in enumerate(self.nodes)}
        return tuple(self.nodes[i] for i in topological(len(self.nodes), [(index[a], index[b]) for a, b in self.edges]))

    @functools.cached_property
    def needed(self) -> tuple[tuple[str, str], ...]:
        """The edges that other edges don't imply: a drawing with fewer lines says as much."""
        index = {node.name: i for i, node in enumerate(self.order)}
        after: list[list[int]] = [[] for _ in index]
        for a, b in self.edges:
            after[index[a]].append(index[b])
        reach = [0] * len(after)  # a bit for each node that can be reached
        implied = set()
        for node in reversed(range(len(after))):
            seen = 0
            for target in sorted(after[node]):
                if seen >> target & 1:
                    implied.add((self.order[node].name, self.order[target].name))
                seen |= reach[target] | 1 << target
            reach[node] = seen
        return tuple(edge for edge in self.edges if edge not in implied)

    def group_path(self, node: Node) -> list[str]:
        """The groups a node lies in, outermost first."""
        path: list[str] = []
        group = node.group
        while group is not None:
            path.insert(0, group)
            group = self.groups[group]
        return path


def topological(count: int, edges: Iterable[tuple[int, int]]) -> list[int]:
    """0 … count-1 so that edges go forward, the lowest number first; shorter than ``count`` if there is a cycle."""
    after: list[list[int]] = [[] for _ in range(count)]
    missing = [0] * count
    for a, b in edges:
        after[a].append(b)
        missing[b] += 1
    ready = [i for i in range(count) if not missing[i]]
    found = []
    while ready:
        i = heapq.heappop(ready)
        found.append(i)
        for j in after[i]:
            missing[j] -= 1
            if not missing[j]:
                heapq.heappush(ready, j)
    return found


def _node(data: Mapping[str, Any]) -> Node:
    return Node(
        name=data["name"],
        label=data.get("label") or data["name"],
        type=data.get("type", "task"),
        where=data.get("where", "local"),
        group=data.get("group"),
        requires=tuple(data.get("requires", ())),
        provides=tuple(data.get("provides", ())),
        doc=data.get("doc") or "",
    )


def _edges(nodes: tuple[Node, ...], edges: Iterable[Iterable[str]]) -> tuple[tuple[str, str], ...]:
    index = {node.name: i for i, node in enumerate(nodes)}
    if len(index) < len(nodes):
        raise BadGraph("two nodes have the same name")
    try:
        numbered = {(index[a], index[b]) for a, b in edges}
    except KeyError as error:
        raise BadGraph(f"an edge names {error}, which is no node") from None
    return tuple((nodes[a].name, nodes[b].name) for a, b in sorted(numbered))


def _check_groups(graph: Graph) -> None:
    for group in (*graph.groups.values(), *(node.group for node in graph.nodes)):
        if group is not None and group not in graph.groups:
            raise BadGraph(f"{group!r} is no group")
    for group in graph.groups:
        seen = {group}
        parent = graph.groups[group]
        while parent is not None:
            if parent in seen:
                raise BadGraph(f"the group {parent!r} lies in itself")
            seen.add(parent)
            parent = graph.groups[parent]
