# SPDX-License-Identifier: Apache-2.0
"""Small drawings beside numbers: how full something is, and how that was before."""

import datetime
import itertools
from collections.abc import Sequence

from markupsafe import Markup

from dbflow.console.history import FULL, Plot, Point

_WIDTH, _HEIGHT = 96.0, 10.0
_WIDE, _TALL, _BELOW = 300.0, 64.0, 16.0
_PAUSE = 900.0
"""Seconds without a sample in which nothing is known: no line is drawn over them."""
_SHORTEST = 60.0
"""Seconds that the width stands for, at least."""


def meter(share: float | None, words: str, *, scarce: bool = True) -> Markup:
    """A bar that is ``share`` (0 to 1) full; ``words`` say what it means to those who don't see it. When it is
    ``scarce``, nearly full is a warning."""
    if share is None:
        return Markup("")
    share = min(1.0, max(0.0, share))
    tone = "failure" if scarce and share >= FULL else "running"
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="meter {}" role="img" aria-label="{}" viewBox="0 0 {} {}"'
        ' width="{}" height="{}"><rect class="whole" x="0.5" y="0.5" width="{}" height="{}" rx="2"/>'
        '<rect class="part" x="0.5" y="0.5" width="{}" height="{}" rx="2"/></svg>'
    ).format(
        tone,
        words,
        *(f"{number:g}" for number in (_WIDTH, _HEIGHT, _WIDTH, _HEIGHT, _WIDTH - 1, _HEIGHT - 1)),
        f"{(_WIDTH - 1) * share:.1f}",
        f"{_HEIGHT - 1:g}",
    )


def figure(value: float) -> str:
    """A number as short as people need it."""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return "<\N{NO-BREAK SPACE}0.01" if 0 < value < 0.01 else f"{value:.3g}"


def history(plot: Plot, since: str) -> Markup:
    """A plot's line from zero up, with its newest point; a pause in it where nothing was heard. ``since``: what its
    left end is called. Empty with less than two points."""
    if len(plot.points) < 2:
        return Markup("")
    values = [value for _, value in plot.points]
    top = plot.most or max(values) or 1.0
    place = _Scale(plot.points[0][0], plot.points[-1][0], max(top, *values))
    said = (
        f"{plot.title} since {since}: least {figure(min(values))}, most {figure(max(values))}, now {figure(values[-1])}"
    )
    stretches = [[place(*point) for point in stretch] for stretch in _stretches(plot.points)]
    line = "".join(_path(stretch) for stretch in stretches)
    area = "".join(
        f"{_path(stretch)}L{stretch[-1][0]:.1f},{_TALL:g}L{stretch[0][0]:.1f},{_TALL:g}Z" for stretch in stretches
    )
    x, y = stretches[-1][-1]
    return Markup(
        '<svg xmlns="http://www.w3.org/2000/svg" class="history {}" role="img" aria-label="{}"'
        ' viewBox="0 -4 {} {}" width="{}" height="{}"><path class="grid" d="M0,0H{}M0,{}H{}"/>'
        '<path class="area" d="{}"/><path class="line" d="{}"/><circle class="point" cx="{}" cy="{}" r="2.5"/>'
        '<text class="tick" x="0" y="{}">{}</text><text class="tick" text-anchor="end" x="{}" y="{}">newest</text>'
        '<text class="tick" x="0" y="10">{}</text></svg>'
    ).format(
        "failure" if plot.scarce else "running",
        said,
        *(f"{number:g}" for number in (_WIDE, _TALL + _BELOW + 4, _WIDE, _TALL + _BELOW + 4, _WIDE, _TALL, _WIDE)),
        area,
        line,
        f"{x:.1f}",
        f"{y:.1f}",
        f"{_TALL + 13:g}",
        since,
        *(f"{number:g}" for number in (_WIDE, _TALL + 13)),
        f"{figure(top)} {plot.unit}".strip(),
    )


class _Scale:
    """Where a value of a moment lies."""

    def __init__(self, begin: datetime.datetime, end: datetime.datetime, top: float) -> None:
        self._end, self._top = end, top
        self._seconds = max((end - begin).total_seconds(), _SHORTEST)

    def __call__(self, at: datetime.datetime, value: float) -> tuple[float, float]:
        before = (self._end - at).total_seconds()
        return (_WIDE - 3) * (1 - before / self._seconds), _TALL * (1 - value / self._top)


def _stretches(points: Sequence[Point]) -> list[list[Point]]:
    found = [[points[0]]]
    for (before, _), point in itertools.pairwise(points):
        if (point[0] - before).total_seconds() > _PAUSE:
            found.append([])
        found[-1].append(point)
    return found


def _path(places: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in places)
