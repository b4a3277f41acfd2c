# SPDX-License-Identifier: Apache-2.0
"""Layers of a DAG and the order within each: longest paths, then barycentre sweeps that keep the fewest crossings."""

import bisect
import itertools
from collections.abc import Sequence

Pairs = Sequence[tuple[int, int]]

SWEEPS = 6
PATIENCE = 2
"""Sweeps without gain after which the rest is not tried."""


def ranks(order: Sequence[int], edges: Pairs, count: int) -> list[int]:
    """The layer of each item: one below the lowest of those before it. ``order`` is topological."""
    before: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        before[b].append(a)
    found = [0] * count
    for item in order:
        found[item] = max((found[a] + 1 for a in before[item]), default=0)
    return found


def arrange(layers: list[list[int]], edges: Pairs, count: int) -> list[list[int]]:
    """Each layer reordered so that edges (between neighbouring layers only) cross little.

    Deterministic; items that nothing tells apart stay in the given order, and so does everything when nothing
    crosses.
    """
    up: list[list[int]] = [[] for _ in range(count)]
    down: list[list[int]] = [[] for _ in range(count)]
    for a, b in edges:
        up[b].append(a)
        down[a].append(b)
    best, fewest = layers, crossings(layers, down)
    current, idle = layers, 0
    for sweep in range(SWEEPS):
        if fewest == 0 or idle == PATIENCE:
            break
        current = _sweep(current, up) if sweep % 2 == 0 else _sweep(current[::-1], down)[::-1]
        crossed = crossings(current, down)
        idle += 1
        if crossed < fewest:
            best, fewest, idle = current, crossed, 0
    return best


def _sweep(layers: list[list[int]], neighbours: list[list[int]]) -> list[list[int]]:
    """Order each layer by where its items' neighbours stand in the layer before it."""
    position: dict[int, float] = {}
    swept = []
    for layer in layers:
        middle = {}
        for i, item in enumerate(layer):
            at = [position[n] for n in neighbours[item]]
            middle[item] = sum(at) / len(at) if at else float(i)
        ordered = sorted(layer, key=middle.__getitem__)
        position |= {item: float(i) for i, item in enumerate(ordered)}
        swept.append(ordered)
    return swept


def crossings(layers: list[list[int]], down: list[list[int]]) -> int:
    """How many pairs of edges cross."""
    total = 0
    for upper, lower in itertools.pairwise(layers):
        position = {item: i for i, item in enumerate(lower)}
        seen: list[int] = []
        for item in upper:
            ends = [position[n] for n in down[item]]
            if seen:
                for end in ends:
                    total += len(seen) - bisect.bisect_right(seen, end)
            for end in ends:
                bisect.insort(seen, end)
    return total
