# SPDX-License-Identifier: Apache-2.0
"""A running flow in the terminal: redrawn in place, or told line by line where there is no terminal."""

import dataclasses
import os
import shutil
import sys
import time
from collections.abc import Iterator
from typing import Any

from dbflow.cmd.manage.context import Context, ManageError, find_operation
from dbflow.console.drawing import LOOKS, Graph, to_text
from dbflow.crypto import BadSeal
from dbflow.db.models import Operation, utcnow
from dbflow.operations import ENDED, State, catalog
from dbflow.persistence.busy import BUSY
from dbflow.persistence.steps import steps_of

_INTERVAL = 0.2
"""Seconds between two looks."""
_BUSY = tuple(LOOKS[state].glyph for state in BUSY)


@dataclasses.dataclass(frozen=True)
class Look:
    """An operation at one moment."""

    operation: Operation
    states: dict[str, dict[str, Any]]


class Live:
    """One operation, looked at again and again."""

    def __init__(self, context: Context, reference: str) -> None:
        self._context = context
        with context.read() as session:
            operation = find_operation(session, reference)
        self.id = operation.id
        try:
            arguments = context.keyring.unseal(operation.arguments)
            self.graph = Graph.of(catalog().graph(operation.kind, operation.version, arguments))
        except (LookupError, BadSeal) as error:
            raise ManageError(f"the flow of operation {operation.id} can't be drawn: {error}") from None

    def look(self) -> Look:
        """How it stands now."""
        with self._context.read() as session:
            operation = find_operation(session, self.id)
            steps = steps_of(session, operation.flow_uuid, self._context.keyring)
        return Look(operation, {step.name: step.as_dict() for step in steps})

    def drawn(self, look: Look, *, color: bool, ascii_only: bool) -> str:
        """The flow, and below it the operation."""
        text = to_text(
            self.graph, look.states, width=screen().columns, color=color, ascii_only=ascii_only, now=utcnow()
        )
        return f"{text}\n{about(look.operation)}"


def about(operation: Operation) -> str:
    """Such as "operation 6f…: RUNNING on host:1:ab"."""
    line = f"operation {operation.id}: {operation.state}"
    if operation.conductor and operation.state not in ENDED:
        line += f" on {operation.conductor}"
    if operation.requested and operation.state not in ENDED:
        line += f", {operation.requested} requested"
    return f"{line}\n{operation.error}" if operation.error else line


def screen() -> os.terminal_size:
    """At least 40 columns; 100 where there is no terminal."""
    size = shutil.get_terminal_size((100, 50))
    return os.terminal_size((max(40, size.columns), size.lines))


def watch(live: Live, *, ascii_only: bool) -> int:
    """Show an operation until it ends: 0 for SUCCESS, 1 otherwise."""
    redraw = _Redraw(live, ascii_only) if sys.stdout.isatty() else _Tell(live)
    while True:
        look = live.look()
        redraw(look)
        if look.operation.state in ENDED:
            return 0 if look.operation.state == State.SUCCESS else 1
        time.sleep(_INTERVAL)


class _Redraw:
    def __init__(self, live: Live, ascii_only: bool) -> None:
        self._live = live
        self._ascii = ascii_only
        self._height = 0

    def __call__(self, look: Look) -> None:
        text = self._live.drawn(look, color=True, ascii_only=self._ascii)
        lines = text.split("\n")
        if look.operation.state not in ENDED:
            lines = fitted(lines, screen().lines - 1)
        back = f"\x1b[{self._height}F" if self._height else ""
        sys.stdout.write(f"{back}\x1b[J" + "\n".join(lines) + "\n")
        sys.stdout.flush()
        self._height = len(lines)


def fitted(lines: list[str], height: int) -> list[str]:
    """As much as a terminal holds, what is going on in the middle; the first two lines stay."""
    room = max(3, height - 3)
    if len(lines) <= height:
        return lines
    head, body = lines[:2], lines[2:]
    busy = next((i for i, line in enumerate(body) if any(glyph in line for glyph in _BUSY)), 0)
    first = min(max(0, busy - room // 2), len(body) - room)
    return [*head, f"… {first} lines above, {len(body) - first - room} below", *body[first : first + room]]


class _Tell:
    def __init__(self, live: Live) -> None:
        self._live = live
        self._before: Look | None = None

    def __call__(self, look: Look) -> None:
        for line in changes(self._live.graph, self._before, look):
            print(line, flush=True)
        self._before = look


def changes(graph: Graph, before: Look | None, now: Look) -> Iterator[str]:
    """One line for every step whose state, try or progress has changed, and one when the operation has."""
    for node in graph.order:
        state = now.states.get(node.name)
        if state is None or (before is None and state["state"] == "PENDING"):
            continue
        if before is None or _told(before.states.get(node.name)) != _told(state):
            look = LOOKS[state["state"]]
            progress = f" {state['progress']:.0%}" if 0 < state["progress"] < 1 else ""
            attempt = f" (try {state['attempt']})" if state["attempt"] > 1 else ""
            failure = f": {state['failure']}" if state["failure"] else ""
            yield f"{look.glyph} {node.label}: {look.word}{progress}{attempt}{failure}"
    if before is None or about(before.operation) != about(now.operation):
        yield about(now.operation)


def _told(state: dict[str, Any] | None) -> tuple[Any, ...] | None:
    return None if state is None else (state["state"], state["progress"], state["attempt"], state["failure"])
