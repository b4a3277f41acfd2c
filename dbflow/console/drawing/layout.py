# SPDX-License-Identifier: Apache-2.0
"""Where everything of a flow is drawn. Each group is laid out by itself, then placed as one box in the level around
it; an edge that crosses a group's frame does so at a port, so that it passes beside boxes and never through them."""

import dataclasses
import itertools
import unicodedata
from collections.abc import Mapping
from typing import Any

from dbflow.console.drawing.graph import Graph, Node, topological
from dbflow.console.drawing.placing import Item, Link, Placing, Point, place

MARGIN = 12.0
PAD = 14.0
HEADER = 24.0
"""Height of a group's title."""
NODE_HEIGHT = 46.0
CHAR = 7.6
"""Width of one column of text at the drawing's 13 px, a little generous."""
STATE_CHAR = 6.8
"""The same for the 12 px of the line of state."""
NODE_MIN, NODE_MAX = 226.0, 330.0

Key = tuple[str, str]
"""("node", name), ("group", name), or a port: ("out", source) or ("in", target)."""
End = tuple[Key, Key | None]
"""An item, and for a group the port of its frame."""


@dataclasses.dataclass(frozen=True)
class Box:
    """A rectangle in pixels, from the drawing's upper left corner."""

    x: float
    y: float
    width: float
    height: float


@dataclasses.dataclass(frozen=True)
class Layout:
    """A drawing without states: the same graph always gives the same one."""

    graph: Graph
    width: float
    height: float
    nodes: Mapping[str, Box]
    """In the order of the graph's nodes."""
    groups: Mapping[str, Box]
    """Outer groups before those within."""
    edges: Mapping[tuple[str, str], tuple[Point, ...]]
    """From the source's lower side to the target's upper side, never going up. Edges that others imply are left
    out."""


def columns(text: str) -> int:
    """Columns that a text takes where letters are of one width (wide characters take two)."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(char) else 2 if unicodedata.east_asian_width(char) in "WF" else 1 for char in text
    )


def shorten(text: str, limit: int) -> str:
    """At most ``limit`` columns, with an ellipsis where something was cut."""
    if columns(text) <= limit:
        return text
    while text and columns(text) > limit - 1:
        text = text[:-1]
    return text + "…" if limit > 0 else ""


def node_width(node: Node) -> float:
    """Wide enough for its label and for the longest line of state."""
    return min(NODE_MAX, max(NODE_MIN, float(round(columns(node.label) * CHAR + 52))))


def layout(data: Graph | Mapping[str, Any]) -> Layout:
    """Lay out a flow. Raises BadGraph. Groups whose boxes would need an edge to go up (because a way leads out of
    one and back into it) are not drawn as boxes."""
    graph = Graph.of(data)
    frames = _Frames(graph)
    root = frames.lay("")
    nodes: dict[str, Box] = {}
    groups: dict[str, Box] = {}
    origins: dict[str, Point] = {}

    def settle(group: str, x: float, y: float) -> None:
        origins[group] = (x, y)
        frame = frames.laid[group]
        for (kind, name), item in frame.index.items():
            dx, dy = frame.placing.at[item]
            if kind == "node":
                nodes[name] = Box(x + dx, y + dy, frame.items[item].width, frame.items[item].height)
            elif kind == "group":
                inner = frames.laid[name]
                groups[name] = Box(x + dx, y + dy, inner.width, inner.height)
                settle(name, x + dx + inner.inset, y + dy + HEADER)

    settle("", MARGIN, MARGIN)
    edges = {}
    for edge, steps in frames.ways.items():
        points: list[Point] = []
        for group, link in steps:
            x, y = origins[group]
            frame = frames.laid[group]
            points += [(x + dx, y + dy) for dx, dy in frame.placing.points[frame.links[link]]]
        edges[edge] = tuple(_straightened(points))
    return Layout(
        graph=graph,
        width=root.placing.width + 2 * MARGIN,
        height=root.placing.height + 2 * MARGIN,
        nodes={node.name: nodes[node.name] for node in graph.nodes},
        groups=groups,
        edges=edges,
    )


def _straightened(points: list[Point]) -> list[Point]:
    """Without repetitions."""
    return [point for i, point in enumerate(points) if i == 0 or point != points[i - 1]]


@dataclasses.dataclass
class _Frame:
    items: list[Item]
    index: dict[Key, int]
    links: dict[tuple[End, End], int]
    placing: Placing
    width: float
    height: float
    inset: float
    """From the frame's left side to its contents."""


class _Frames:
    """Every group (and "" for the whole) with what is directly in it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._nodes = {node.name: node for node in graph.nodes}
        self.laid: dict[str, _Frame] = {}
        self.ways: dict[tuple[str, str], list[tuple[str, tuple[End, End]]]] = {}
        self._paths = self._drawable_paths()
        self._children: dict[str, dict[Key, None]] = {"": {}}
        for path in self._paths.values():
            for around, item in itertools.pairwise(path):
                self._children.setdefault(around[1], {})[item] = None
        self._links: dict[str, dict[tuple[End, End], None]] = {group: {} for group in self._children}
        for a, b in graph.needed:
            self._route(a, b)

    def lay(self, group: str) -> _Frame:
        """Lay out a group after those within it."""
        items: list[Item] = []
        index: dict[Key, int] = {}
        for key in self._children[group]:
            index[key] = len(items)
            kind, name = key
            if kind == "node":
                items.append(Item(node_width(self._nodes[name]), NODE_HEIGHT))
            else:
                inner = self.lay(name)
                items.append(Item(inner.width, inner.height))
        for link in self._links[group]:
            for key, _ in link:
                if key not in index:
                    index[key] = len(items)
                    items.append(Item(0.0, 0.0, pin="top" if key[0] == "in" else "bottom"))
        links = [
            Link(index[a[0]], self._offset(a, items[index[a[0]]]), index[b[0]], self._offset(b, items[index[b[0]]]))
            for a, b in self._links[group]
        ]
        placing = place(items, links)
        width = float(round(max(placing.width + 2 * PAD, columns(group) * CHAR + 2 * PAD)))
        frame = _Frame(
            items=items,
            index=index,
            links={link: i for i, link in enumerate(self._links[group])},
            placing=placing,
            width=width,
            height=HEADER + placing.height + PAD,
            inset=float(round((width - placing.width) / 2)),
        )
        self.laid[group] = frame
        return frame

    def _offset(self, end: End, item: Item) -> float:
        (_, name), port = end
        if port is None:
            return float(round(item.width / 2))
        inner = self.laid[name]
        return inner.inset + inner.placing.at[inner.index[port]][0]

    def _route(self, a: str, b: str) -> None:
        """The links an edge is made of: out of its source's groups, across, and into its target's."""
        path_a, path_b = self._paths[a], self._paths[b]
        shared = _shared(path_a, path_b)
        out, into = ("out", a), ("in", b)
        steps: list[tuple[str, tuple[End, End]]] = []
        for i in range(len(path_a) - 2, shared - 1, -1):
            steps.append((path_a[i][1], (self._end(path_a, i + 1, out), (out, None))))
        steps.append((path_a[shared - 1][1], (self._end(path_a, shared, out), self._end(path_b, shared, into))))
        for i in range(shared, len(path_b) - 1):
            steps.append((path_b[i][1], ((into, None), self._end(path_b, i + 1, into))))
        self.ways[a, b] = steps
        for group, link in steps:
            self._links[group][link] = None

    @staticmethod
    def _end(path: list[Key], i: int, port: Key) -> End:
        return path[i], (port if path[i][0] == "group" else None)

    def _drawable_paths(self) -> dict[str, list[Key]]:
        """For each node ("group", "") … ("node", name), without the groups that can't be boxes."""
        dissolved: set[str] = set()
        while True:
            paths = {
                node.name: [
                    ("group", ""),
                    *(("group", group) for group in self.graph.group_path(node) if group not in dissolved),
                    ("node", node.name),
                ]
                for node in self.graph.nodes
            }
            tangled = self._tangled(paths)
            if not tangled:
                return paths
            dissolved |= tangled

    def _tangled(self, paths: dict[str, list[Key]]) -> set[str]:
        """Groups on a cycle of boxes."""
        levels: dict[Key, set[tuple[Key, Key]]] = {}
        for a, b in self.graph.edges:
            shared = _shared(paths[a], paths[b])
            levels.setdefault(paths[a][shared - 1], set()).add((paths[a][shared], paths[b][shared]))
        found: set[str] = set()
        for pairs in levels.values():
            keys = sorted({key for pair in pairs for key in pair})
            number = {key: i for i, key in enumerate(keys)}
            edges = [(number[a], number[b]) for a, b in pairs]
            behind = set(topological(len(keys), edges))
            before = set(topological(len(keys), [(b, a) for a, b in edges]))
            found |= {name for i, (kind, name) in enumerate(keys) if kind == "group" and i not in behind | before}
        return found


def _shared(a: list[Key], b: list[Key]) -> int:
    """How many outer groups two nodes' paths have in common (at least the whole drawing)."""
    return next(i for i, (left, right) in enumerate(zip(a, b, strict=False)) if left != right)
