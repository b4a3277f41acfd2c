# SPDX-License-Identifier: Apache-2.0
"""An instance's last day as small plots: its samples, and its newest heartbeat as the last point of each."""

import dataclasses
import datetime
import itertools
from collections.abc import Iterator, Sequence
from typing import Any

_COUNTERS = frozenset({"questions"})
"""Grow until the server restarts: what is of interest is how fast."""
_TITLES = {
    "questions": "Queries a second",
    "threads_connected": "Connections",
    "threads_running": "Connections at work",
}
_MOST = 12
"""Plots beside the volume's."""
FULL = 0.9
"""Share of what there is, from which on it is nearly all."""

Point = tuple[datetime.datetime, float]


@dataclasses.dataclass(frozen=True)
class Plot:
    """One number over time."""

    title: str
    points: tuple[Point, ...]
    """In order; empty while nothing was heard."""
    unit: str = ""
    most: float | None = None
    """What it can't exceed, where that is known."""

    @property
    def now(self) -> float | None:
        """The newest."""
        return self.points[-1][1] if self.points else None

    @property
    def scarce(self) -> bool:
        """Whether little is left of what there is."""
        return bool(self.most and self.now is not None and self.now >= FULL * self.most)


@dataclasses.dataclass(frozen=True)
class _Beat:
    at: datetime.datetime
    volume_used: float | None
    load: dict[str, Any]


def plots(samples: Sequence[Any], row: Any) -> tuple[Plot, ...]:
    """``samples``: rows of (at, volume_used, load), oldest first; ``row``: an instance with its newest heartbeat."""
    beats = [_Beat(one.at, one.volume_used, one.load or {}) for one in samples]
    if row.seen is not None and (not beats or beats[-1].at < row.seen):
        beats.append(_Beat(row.seen, row.volume_used, row.load or {}))
    found = []
    if row.volume_size or row.volume_used is not None:
        used = tuple((one.at, one.volume_used) for one in beats if one.volume_used is not None)
        found.append(Plot("Volume", used, "GiB", row.volume_total or row.volume_size))
    for name in _names(beats):
        title = _TITLES.get(name, name.replace("_", " ").capitalize())
        values = [(one.at, float(one.load[name])) for one in beats if one.load.get(name) is not None]
        found.append(Plot(title, tuple(_rates(values) if name in _COUNTERS else values)))
    return tuple(found)


def _names(beats: Sequence[_Beat]) -> Sequence[str]:
    """Of what the newest heartbeat with a load says: a guest that calls it something else each time makes no more."""
    newest = next((one.load for one in reversed(beats) if one.load), {})
    known = (name for name, value in newest.items() if value is not None)
    return sorted(known, key=lambda name: (name not in _TITLES, name))[:_MOST]


def _rates(values: Sequence[Point]) -> Iterator[Point]:
    """A second, between each two; none over a restart."""
    for (before, less), (at, more) in itertools.pairwise(values):
        seconds = (at - before).total_seconds()
        if seconds > 0 and more >= less:
            yield at, (more - less) / seconds
