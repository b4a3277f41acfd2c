# SPDX-License-Identifier: Apache-2.0
"""Coordinates for one level of a drawing: boxes in layers, edges bent where they pass a layer.

The horizontal positions of a layer are the least-squares answer to "each box under the middle of its neighbours",
subject to "no two boxes closer than the gap" (isotonic regression: pool adjacent violators), so boxes can't overlap.
"""

import dataclasses
from collections.abc import Sequence

from dbflow.console.drawing.graph import topological
from dbflow.console.drawing.ordering import arrange, ranks

GAP = 28.0
"""Between two boxes of a layer."""
LAYER_GAP = 34.0
"""Between two layers; the edges' curves lie here."""
BEND_GAP = 12.0
"""Around an edge that passes a layer."""
PORT_GAP = 14.0
"""Between a layer of ports and the next."""
PASSES = 2

Point = tuple[float, float]


@dataclasses.dataclass(frozen=True)
class Item:
    """A box to place. A box without height is a port (of the frame, or of an edge that passes a layer)."""

    width: float
    height: float
    pin: str | None = None
    """"top" or "bottom": a port of the frame."""


@dataclasses.dataclass(frozen=True)
class Link:
    """From the lower side of one item to the upper side of another; offsets count from the item's left side."""

    source: int
    source_offset: float
    target: int
    target_offset: float


@dataclasses.dataclass
class Placing:
    """Where everything is, from (0, 0)."""

    width: float
    height: float
    at: list[Point]
    """Upper left corner of each item."""
    layer: list[int]
    order: list[int]
    """Position of each item in its layer."""
    points: list[list[Point]]
    """Each link's way, downwards; straight (vertical) across layers, to be curved between them."""


def place(items: Sequence[Item], links: Sequence[Link]) -> Placing:
    """Place items and links (which must form a DAG)."""
    pairs = [(link.source, link.target) for link in links]
    rank = _pinned(items, ranks(topological(len(items), pairs), pairs, len(items)))
    level = _Level(list(items), rank)
    chains = [level.chain(link) for link in links]
    level.arrange()
    level.spread()
    return level.result(len(items), links, chains)


def _pinned(items: Sequence[Item], rank: list[int]) -> list[int]:
    """Ports of the upper frame alone in layer 0, ports of the lower frame alone in the last."""
    if any(item.pin == "top" for item in items):
        inner = [r for item, r in zip(items, rank, strict=True) if item.pin != "top"]
        shift = 1 - min(inner, default=0)
        rank = [0 if item.pin == "top" else r + shift for item, r in zip(items, rank, strict=True)]
    if any(item.pin == "bottom" for item in items):
        last = max((r for item, r in zip(items, rank, strict=True) if item.pin != "bottom"), default=-1) + 1
        rank = [last if item.pin == "bottom" else r for item, r in zip(items, rank, strict=True)]
    return rank


class _Level:
    """The items, and a bend wherever a link passes a layer."""

    def __init__(self, items: list[Item], rank: list[int]) -> None:
        self.items = items
        self.rank = rank
        self.edges: list[tuple[int, float, int, float]] = []
        self.layers: list[list[int]] = []
        self.x: list[float] = []

    def chain(self, link: Link) -> list[int]:
        """Add the bends of a link; returns source, bends, target."""
        chain = [link.source]
        for rank in range(self.rank[link.source] + 1, self.rank[link.target]):
            self.items.append(Item(0.0, 0.0))
            self.rank.append(rank)
            chain.append(len(self.items) - 1)
        chain.append(link.target)
        offsets = [link.source_offset] + [0.0] * (len(chain) - 2)
        ends = [0.0] * (len(chain) - 2) + [link.target_offset]
        self.edges += zip(chain, offsets, chain[1:], ends, strict=False)
        return chain

    def arrange(self) -> None:
        layers: list[list[int]] = [[] for _ in range(max(self.rank, default=-1) + 1)]
        for item, rank in enumerate(self.rank):
            layers[rank].append(item)
        self.layers = arrange(layers, [(a, b) for a, _, b, _ in self.edges], len(self.items))

    def spread(self) -> None:
        """Horizontal positions."""
        self.x = [0.0] * len(self.items)
        packed = [(layer, self._offsets(layer)) for layer in self.layers]
        for layer, offsets in packed:
            for item, offset in zip(layer, offsets, strict=True):
                self.x[item] = offset
        up: list[list[tuple[int, float]]] = [[] for _ in self.items]
        down: list[list[tuple[int, float]]] = [[] for _ in self.items]
        for a, a_offset, b, b_offset in self.edges:
            up[b].append((a, a_offset - b_offset))
            down[a].append((b, b_offset - a_offset))
        for _ in range(PASSES):
            for layer, offsets in packed:
                self._settle(layer, offsets, up)
            for layer, offsets in reversed(packed):
                self._settle(layer, offsets, down)
        left = min(self.x, default=0.0)
        self.x = [float(round(x - left)) for x in self.x]

    def _offsets(self, layer: list[int]) -> list[float]:
        """Left sides when the boxes stand as close as they may."""
        found = []
        at, before = 0.0, None
        for item in layer:
            box = self.items[item]
            if before is not None:
                at += before.width + (GAP if box.height and before.height else BEND_GAP)
            found.append(at)
            before = box
        return found

    def _settle(self, layer: list[int], offsets: list[float], neighbours: list[list[tuple[int, float]]]) -> None:
        """Move a layer's items under (or over) the middle of their neighbours, as far as the others let them."""
        x, items = self.x, self.items
        blocks: list[tuple[float, float, int]] = []  # weighted sum of wishes, weight, items
        for item, offset in zip(layer, offsets, strict=True):
            near = neighbours[item]
            total, weight, size = x[item] - offset, 1.0, 1
            if near:
                total = 0.0
                for other, apart in near:
                    total += x[other] + apart
                weight = float(len(near)) if items[item].height else 4.0
                total = (total / len(near) - offset) * weight
            else:
                total, weight = total * 0.01, 0.01
            while blocks and blocks[-1][0] * weight >= total * blocks[-1][1]:
                before = blocks.pop()
                total, weight, size = total + before[0], weight + before[1], size + before[2]
            blocks.append((total, weight, size))
        at = 0
        for total, weight, size in blocks:
            for i in range(at, at + size):
                x[layer[i]] = total / weight + offsets[i]
            at += size

    def result(self, count: int, links: Sequence[Link], chains: list[list[int]]) -> Placing:
        tops, bottoms = [], []
        y = 0.0
        for i, layer in enumerate(self.layers):
            height = max(self.items[item].height for item in layer)
            tops.append(y)
            bottoms.append(y + height)
            framed = not height or (
                i + 1 < len(self.layers) and not any(self.items[n].height for n in self.layers[i + 1])
            )
            y += height + (PORT_GAP if framed else LAYER_GAP)
        order = [0] * len(self.items)
        for layer in self.layers:
            for i, item in enumerate(layer):
                order[item] = i
        return Placing(
            width=max((self.x[i] + self.items[i].width for i in range(len(self.items))), default=0.0),
            height=bottoms[-1] if bottoms else 0.0,
            at=[(self.x[i], tops[self.rank[i]]) for i in range(count)],
            layer=self.rank[:count],
            order=order[:count],
            points=[self._way(link, chain, tops, bottoms) for link, chain in zip(links, chains, strict=True)],
        )

    def _way(self, link: Link, chain: list[int], tops: list[float], bottoms: list[float]) -> list[Point]:
        start, end = chain[0], chain[-1]
        x, top = self.x[start] + link.source_offset, tops[self.rank[start]]
        points = [(x, top + self.items[start].height), (x, bottoms[self.rank[start]])]
        for bend in chain[1:-1]:
            points += [(self.x[bend], tops[self.rank[bend]]), (self.x[bend], bottoms[self.rank[bend]])]
        points.append((self.x[end] + link.target_offset, tops[self.rank[end]]))
        return points
