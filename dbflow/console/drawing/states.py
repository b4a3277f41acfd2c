# SPDX-License-Identifier: Apache-2.0
"""How the state of a step looks: a colour, a glyph and a word, so that no one of them carries it alone."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

from dbflow.console.drawing.graph import Node


@dataclasses.dataclass(frozen=True)
class Look:
    """One state's appearance."""

    word: str
    glyph: str
    ascii: str
    ansi: str
    """SGR parameters for the terminal."""
    light: str
    """Colour on a light background (at least 4.5:1 on white)."""
    dark: str
    """Colour on a dark background."""


LOOKS: Mapping[str, Look] = {
    "PENDING": Look("waiting", "○", ".", "2", "#57606a", "#9aa4af"),
    "RUNNING": Look("running", "▶", ">", "1;34", "#0550ae", "#6cb6ff"),
    "SUCCESS": Look("done", "✔", "+", "32", "#116329", "#6bc46d"),
    "FAILURE": Look("failed", "✘", "x", "1;31", "#a40e26", "#ff938a"),
    "REVERTING": Look("undoing", "◀", "<", "1;35", "#6639ba", "#dcbdfb"),
    "REVERTED": Look("undone", "↺", "u", "35", "#7d4e00", "#daaa3f"),
    "REVERT_FAILURE": Look("undo failed", "‼", "!", "1;31", "#a40e26", "#ff938a"),
    "RETRYING": Look("trying again", "↻", "r", "1;33", "#7d4e00", "#daaa3f"),
    "IGNORE": Look("skipped", "–", "-", "2", "#57606a", "#9aa4af"),
}

State = Mapping[str, Any]
"""{"state", "intention", "progress", "attempt", "started", "finished", "failure"}; every key may be missing."""
States = Mapping[str, State]


def state_of(states: States, name: str) -> str:
    """The state of a node; PENDING when nothing is known of it (or the word is new to us)."""
    found = states.get(name, {}).get("state") or "PENDING"
    return found if found in LOOKS else "PENDING"


def progress_of(states: States, name: str) -> float:
    """0 … 1."""
    return min(1.0, max(0.0, float(states.get(name, {}).get("progress") or 0.0)))


def summary(nodes: Iterable[Node], states: States) -> str:
    """Such as "12 steps: 5 done, 1 running (Create server), 6 waiting"."""
    labels: dict[str, list[str]] = {}
    for node in nodes:
        labels.setdefault(state_of(states, node.name), []).append(node.label)
    parts = []
    for state, look in LOOKS.items():
        if found := labels.get(state):
            named = "" if state in ("PENDING", "SUCCESS", "REVERTED", "IGNORE") else f" ({', '.join(found)})"
            parts.append(f"{len(found)} {look.word}{named}")
    total = sum(map(len, labels.values()))
    return f"{total} step{'' if total == 1 else 's'}: {', '.join(parts)}" if parts else "no steps"
