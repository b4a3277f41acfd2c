# SPDX-License-Identifier: Apache-2.0
"""A flow in the terminal: one line a step, with its lanes, state and progress."""

import datetime
from collections.abc import Mapping
from typing import Any

from dbflow.console.drawing import lanes
from dbflow.console.drawing.graph import Graph, Node
from dbflow.console.drawing.layout import Layout, columns, shorten
from dbflow.console.drawing.states import LOOKS, States, progress_of, state_of, summary
from dbflow.persistence.busy import BUSY

BAR = 10
STATE = 16
"""Columns of the state: its word and the number of the try."""
ROOMY = 80
"""Columns from which there is room for progress and time."""


def to_text(
    data: Graph | Layout | Mapping[str, Any],
    states: States | None = None,
    *,
    width: int = 80,
    color: bool = False,
    ascii_only: bool = False,
    now: datetime.datetime | None = None,
) -> str:
    """The flow as lines of at most ``width`` columns (40 or more; below 80 without progress and times).

    ``states`` may be left out for a drawing of the definition. ``now`` (UTC, without zone) is what running steps'
    times are counted to; without it they show none. ``ascii_only`` is for terminals without Unicode.
    """
    graph = data.graph if isinstance(data, Layout) else Graph.of(data)
    pen = _Pen(graph, states, width, color=color, ascii_only=ascii_only, now=now)
    title = f"{graph.kind} v{graph.version}"
    head = [pen.clean(shorten(f"{title}  {graph.title}", width))]
    if states is not None:
        head.append(pen.clean(shorten(summary(graph.nodes, states), width)))
    return "\n".join([*head, *pen.lines()])


class _Pen:
    def __init__(
        self,
        graph: Graph,
        states: States | None,
        width: int,
        *,
        color: bool,
        ascii_only: bool,
        now: datetime.datetime | None,
    ) -> None:
        self.graph = graph
        self.states = states
        self.width = width
        self.color = color
        self.ascii = ascii_only
        self.now = now
        signs = lanes.ASCII if ascii_only else lanes.UNICODE
        self.rows = lanes.rows(graph, signs, limit=max(1, min(20, width // 8)))
        self.margin = max((max(len(row.lanes), row.column + 1) for row in self.rows), default=0) + 2

    def lines(self) -> list[str]:
        return [row.lanes if row.node is None else self._step(row, self.graph.order[row.node]) for row in self.rows]

    def clean(self, text: str) -> str:
        """One printable line: a name must not steer the terminal."""
        text = "".join(char if char.isprintable() else "�" for char in text)
        if self.ascii:
            text = text.replace("…", "~").encode("ascii", "replace").decode()
        return text

    def _step(self, row: lanes.Row, node: Node) -> str:
        state = state_of(self.states or {}, node.name)
        look = LOOKS[state]
        glyph = look.ascii if self.ascii else look.glyph
        cells = row.lanes.ljust(self.margin)
        lane = cells[: row.column] + self._painted(glyph, look.ansi) + cells[row.column + 1 :]
        tail = self._tail(node, state)
        room = max(8, self.width - self.margin - (self._tail_width() + 1))
        label = self.clean(shorten(self._label(node), room))
        padded = label + " " * (room - columns(label))
        return (lane + padded + (" " + self._painted(tail, look.ansi) if tail else "")).rstrip()

    def _label(self, node: Node) -> str:
        return f"{node.label}  [{' / '.join(path)}]" if (path := self.graph.group_path(node)) else node.label

    def _tail(self, node: Node, state: str) -> str:
        """Where it runs, state and try, progress, time: each in columns of its own."""
        where = "guest" if node.where == "guest" else "     "
        if self.states is None:
            return where.rstrip()
        known = self.states.get(node.name, {})
        attempt = int(known.get("attempt") or 0)
        word = LOOKS[state].word + (f" #{attempt}" if attempt > 1 else "")
        bar = self._bar(progress_of(self.states, node.name)) if state in BUSY else " " * (BAR + 5)
        if self.width < ROOMY:
            return word[:STATE]
        return f"{where} {word[:STATE]:<{STATE}} {bar} {self._time(known):>7}".rstrip()

    def _tail_width(self) -> int:
        if self.states is None:
            return 5
        return STATE if self.width < ROOMY else 5 + 1 + STATE + 1 + BAR + 5 + 1 + 7

    def _bar(self, progress: float) -> str:
        full, empty = ("#", ".") if self.ascii else ("█", "░")
        done = round(progress * BAR)
        return f"{full * done}{empty * (BAR - done)} {progress:>4.0%}"

    def _time(self, known: Mapping[str, Any]) -> str:
        if not known.get("started"):
            return ""
        started = _parse(known["started"])
        end = _parse(known["finished"]) if known.get("finished") else self.now
        if end is None:
            return ""
        seconds = max(0.0, (end - started).total_seconds())
        return f"{seconds:.2f} s" if seconds < 60 else f"{int(seconds) // 60}:{int(seconds) % 60:02d}"

    def _painted(self, text: str, ansi: str) -> str:
        return f"\x1b[{ansi}m{text}\x1b[0m" if self.color and text.strip() else text


def _parse(iso: str) -> datetime.datetime:
    return datetime.datetime.fromisoformat(iso).replace(tzinfo=None)
