# SPDX-License-Identifier: Apache-2.0
"""A DAG as lanes beside a list, as `git log --graph` draws history: one row a node, edges in columns."""

import dataclasses

from dbflow.console.drawing.graph import Graph


@dataclasses.dataclass(frozen=True)
class Signs:
    """What lanes are drawn with."""

    line: str
    fork: str
    cross: str
    through: str
    join: tuple[str, str]
    """Where a lane in between, and the last one, comes from above."""
    split: tuple[str, str]
    """Where a lane in between, and the last one, goes on below."""


UNICODE = Signs(line="│", fork="├", cross="─", through="┼", join=("┴", "╯"), split=("┬", "╮"))
ASCII = Signs(line="|", fork="|", cross="-", through="+", join=("'", "'"), split=(".", "."))


@dataclasses.dataclass(frozen=True)
class Row:
    """One line: what is left of the text."""

    lanes: str
    node: int | None = None
    """Index in the graph's order; None for a line that only joins or splits lanes."""
    column: int = 0
    """Where in ``lanes`` the node's glyph goes."""


def rows(graph: Graph, signs: Signs = UNICODE, limit: int = 20) -> list[Row]:
    """The drawing, from top to bottom. Edges beyond ``limit`` lanes are left out."""
    index = {node.name: i for i, node in enumerate(graph.order)}
    after: list[list[int]] = [[] for _ in graph.order]
    for a, b in graph.needed:
        after[index[a]].append(index[b])
    lanes = _Lanes(signs, limit)
    for node, targets in enumerate(after):
        lanes.draw(node, sorted(targets))
    return lanes.rows


class _Lanes:
    def __init__(self, signs: Signs, limit: int) -> None:
        self.signs = signs
        self.limit = limit
        self.rows: list[Row] = []
        self.targets: list[int | None] = []
        """The node that each lane leads to."""

    def draw(self, node: int, after: list[int]) -> None:
        """Join the lanes that lead here, draw the node, open a lane for each of those after it."""
        mine = [i for i, target in enumerate(self.targets) if target == node]
        if len(mine) > 1:
            self._tie(mine[0], mine[1:], self.signs.join)
            self._close(mine[1:])
        lane = mine[0] if mine else self._free(0)
        if lane is None:
            self.rows.append(Row(self._plain(), node, 2 * self.limit))
            return
        self.targets[lane] = node
        self.rows.append(Row(self._plain(), node, 2 * lane))
        self._close([lane])
        self._branch(lane, after)
        while self.targets and self.targets[-1] is None:
            self.targets.pop()

    def _branch(self, lane: int, after: list[int]) -> None:
        if not after:
            return
        self.targets[lane] = after[0]
        opened: dict[int, int] = {}
        for target in after[1:]:
            free = self._free(lane + 1, taken=opened)
            if free is None:
                break
            opened[free] = target
        if opened:
            self._tie(lane, list(opened), self.signs.split)
        for free, target in opened.items():
            self.targets[free] = target

    def _close(self, lanes: list[int]) -> None:
        for lane in lanes:
            self.targets[lane] = None

    def _free(self, start: int, taken: dict[int, int] | None = None) -> int | None:
        for i in range(start, self.limit):
            if i == len(self.targets):
                self.targets.append(None)
            if self.targets[i] is None and i not in (taken or {}):
                return i
        return None

    def _plain(self) -> str:
        return " ".join(" " if target is None else self.signs.line for target in self.targets)

    def _tie(self, lane: int, others: list[int], ends: tuple[str, str]) -> None:
        """A line from ``lane`` to each of ``others``, which lie right of it."""
        last = max(others)
        cells = []
        for i, target in enumerate(self.targets):
            if i == lane:
                sign = self.signs.fork
            elif i in others:
                sign = ends[i == last]
            elif lane < i < last:
                sign = self.signs.cross if target is None else self.signs.through
            else:
                sign = " " if target is None else self.signs.line
            cells.append(sign + (self.signs.cross if lane <= i < last else " "))
        self.rows.append(Row("".join(cells).rstrip()))
