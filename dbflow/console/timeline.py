# SPDX-License-Identifier: Apache-2.0
"""When the steps of an operation were at work, as bars over time; time in which nothing happened is squeezed."""

import dataclasses
import datetime
import html
from collections.abc import Sequence

from markupsafe import Markup

from dbflow.console.drawing.layout import shorten
from dbflow.console.looks import of_step

WIDTH = 960.0
LABEL = 190.0
ROW = 24.0
TOP = 30.0
GAP = 58.0
"""Width of a squeezed pause."""
SHORTEST_PAUSE = 2.0
"""Seconds; and a pause is squeezed only if it is longer than a tenth of the time at work."""


@dataclasses.dataclass(frozen=True)
class Span:
    """One step's time."""

    name: str
    state: str
    start: datetime.datetime
    end: datetime.datetime
    label: str = ""


@dataclasses.dataclass(frozen=True)
class Stretch:
    """A piece of time on the drawing."""

    start: float
    end: float
    """Seconds since the first start."""
    x: float
    width: float
    idle: bool

    def at(self, second: float) -> float:
        """Where a moment within it lies."""
        share = (second - self.start) / (self.end - self.start) if self.end > self.start else 0.0
        return self.x + share * self.width


def stretches(spans: Sequence[Span], width: float) -> list[Stretch]:
    """Time from the first start to the last end, left to right without a gap; long pauses have the width GAP."""
    zero = min(span.start for span in spans)
    pieces: list[list[float]] = []
    for start, end in sorted((_after(zero, span.start), _after(zero, span.end)) for span in spans):
        if pieces and start <= pieces[-1][1]:
            pieces[-1][1] = max(pieces[-1][1], end)
        else:
            pieces.append([start, end])
    worked = sum(end - start for start, end in pieces)
    merged = [pieces[0]]
    for piece in pieces[1:]:
        if piece[0] - merged[-1][1] > max(SHORTEST_PAUSE, worked / 10):
            merged.append(piece)
        else:
            merged[-1][1] = piece[1]
    shown = sum(end - start for start, end in merged)
    room = max(width - GAP * (len(merged) - 1), width / 4)
    gap = (width - room) / (len(merged) - 1) if len(merged) > 1 else 0.0
    found, x, last = [], 0.0, 0.0
    for number, (start, end) in enumerate(merged):
        if number:
            found.append(Stretch(last, start, x, gap, True))
            x += gap
        wide = room * (end - start) / shown if shown else room / len(merged)
        found.append(Stretch(start, end, x, wide, False))
        x, last = x + wide, end
    return found


def place(found: Sequence[Stretch], second: float) -> float:
    """Where a moment lies."""
    return next((one.at(second) for one in found if second <= one.end), found[-1].x + found[-1].width)


def _after(zero: datetime.datetime, moment: datetime.datetime) -> float:
    return max(0.0, (moment - zero).total_seconds())


def timeline_svg(spans: Sequence[Span], links: dict[str, str] | None = None) -> Markup:
    """One <svg>; a bar a step, named, with its time, each linking to its step."""
    if not spans:
        return Markup("")
    found = stretches(spans, WIDTH - LABEL - 12)
    zero = min(span.start for span in spans)
    height = TOP + ROW * len(spans) + 8
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow timeline" role="group" aria-label="Timeline"'
        f' viewBox="0 0 {WIDTH:g} {height:g}" width="{WIDTH:g}" height="{height:g}">'
    ]
    for one in found:
        parts += _pause(one, height) if one.idle else _ticks(one, height)
    for number, span in enumerate(spans):
        parts.append(_bar(span, number, found, zero, (links or {}).get(span.name)))
    return Markup("".join([*parts, "</svg>"]))  # nosec B704 - every text in it is escaped below


def _pause(one: Stretch, height: float) -> list[str]:
    x = LABEL + one.x
    return [
        f'<rect class="pause" x="{x:.1f}" y="{TOP - 6:g}" width="{one.width:.1f}" height="{height - TOP:g}">'
        f"<title>{_span(one.end - one.start)} without a step at work</title></rect>"
        f'<text class="tick" text-anchor="middle" x="{x + one.width / 2:.1f}" y="{TOP - 12:g}">'
        f"⋯ {_span(one.end - one.start)}</text>"
    ]


def _ticks(one: Stretch, height: float) -> list[str]:
    parts = []
    every = next((step for step in _STEPS if (one.end - one.start) / step * 70 <= one.width), _STEPS[-1])
    moment = -(-one.start // every) * every if every else one.start
    while moment <= one.end:
        x = LABEL + one.at(moment)
        parts.append(f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 6:g}" y2="{height - 4:g}"/>')
        if x < WIDTH - 40:
            parts.append(f'<text class="tick" x="{x + 3:.1f}" y="{TOP - 12:g}">{_span(moment)}</text>')
        moment += every
    return parts


_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 21600, 86400)


def _bar(span: Span, number: int, found: Sequence[Stretch], zero: datetime.datetime, link: str | None) -> str:
    look = of_step(span.state)
    y = TOP + ROW * number
    left, right = (place(found, _after(zero, moment)) for moment in (span.start, span.end))
    lasted = _span((span.end - span.start).total_seconds())
    where, text_x, anchor = "after", right + 6, "start"
    if right > WIDTH - LABEL - 90:
        where, text_x, anchor = ("before", left - 6, "end") if left > 90 else ("inside", left + 8, "start")
    name = html.escape(shorten(span.label or span.name, 26))
    body = (
        f"<title>{html.escape(span.label or span.name)}: {look.word}, {lasted}</title>"
        f'<text class="glyph" x="4" y="{y + 15:g}" aria-hidden="true">{look.glyph}</text>'
        f'<text class="label" x="24" y="{y + 15:g}">{name}</text>'
        f'<rect class="span" rx="3" x="{LABEL + left:.1f}" y="{y + 3:g}" width="{max(2.0, right - left):.1f}"'
        f' height="{ROW - 8:g}"/>'
        f'<text class="lasted {where}" text-anchor="{anchor}" x="{LABEL + text_x:.1f}" y="{y + 15:g}">{lasted}</text>'
    )
    if link is not None:
        body = f'<a href="{html.escape(link)}">{body}</a>'
    return f'<g class="{look.tone}" data-step="{html.escape(span.name)}">{body}</g>'


def _span(seconds: float) -> str:
    if 0 < seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 120:
        return f"{seconds:.3g} s"
    if seconds < 7200:
        return f"{seconds / 60:.3g} min"
    return f"{seconds / 3600:.3g} h"
