# SPDX-License-Identifier: Apache-2.0
"""What replicates from what, as a drawing. Pure: instances in, SVG out."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from dbflow.console.drawing.layout import columns, shorten
from dbflow.console.looks import Look

_BOX, _TALL, _GAP, _DOWN = 190.0, 44.0, 18.0, 40.0


def topology(members: Sequence[Mapping[str, Any]]) -> Markup:
    """Sources above their replicas. Each member: {"id", "name", "source" (id or None), "link", "look", "me"}."""
    if not members:
        return Markup("")
    known = {member["id"] for member in members}
    at: dict[str, tuple[float, float]] = {}
    right = 0.0
    # Those that replicate from each other, which no row should say, come last.
    for top in sorted(members, key=lambda member: member["source"] in known):
        if top["id"] not in at:
            right = _place(top, members, at, right, 0.0) + _GAP
    width, height = right - _GAP + 2, max(y for _, y in at.values()) + _TALL + 2
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" class="flow topology" role="group" aria-label="Replication"'
        f' viewBox="-1 -1 {width:g} {height:g}" width="{width:g}" height="{height:g}">'
    ]
    for member in members:
        if member["source"] in known:
            (x, y), (above_x, above_y) = at[member["id"]], at[member["source"]]
            start, end, middle = above_x + _BOX / 2, x + _BOX / 2, above_y + _TALL + _DOWN / 2
            parts.append(
                f'<path class="edge" d="M{start:g},{above_y + _TALL:g}V{middle:g}H{end:g}V{y:g}"/>'
                f'<polygon class="arrow" points="{end:g},{y:g} {end - 4:g},{y - 7:g} {end + 4:g},{y - 7:g}"/>'
            )
    parts += [_member(member, *at[member["id"]], member["source"] in known) for member in members]
    return Markup("".join([*parts, "</svg>"]))  # nosec B704 - every text in it is escaped below


def _place(
    member: Mapping[str, Any],
    members: Sequence[Mapping[str, Any]],
    at: dict[str, tuple[float, float]],
    left: float,
    top: float,
) -> float:
    """Put a member above the middle of its replicas; returns where the room it needs ends."""
    if member["id"] in at:
        return left
    at[member["id"]] = (left, top)
    right = left
    replicas = [one for one in members if one["source"] == member["id"]]
    for replica in replicas:
        right = _place(replica, members, at, right, top + _TALL + _DOWN) + _GAP
    end = max(right - _GAP, left + _BOX)
    at[member["id"]] = ((left + end - _BOX) / 2, top)
    return end


def _member(member: Mapping[str, Any], x: float, y: float, replica: bool) -> str:
    look: Look = member["look"]
    name = member["name"] if columns(member["name"]) <= 20 else shorten(member["name"], 20)
    inner = (
        f"<title>{html.escape(member['name'])}: {look.word}</title>"
        f'<rect class="box" rx="6" x="{x:g}" y="{y:g}" width="{_BOX:g}" height="{_TALL:g}"/>'
        f'<text class="glyph" x="{x + 10:g}" y="{y + 19:g}" aria-hidden="true">{look.glyph}</text>'
        f'<text class="label" x="{x + 30:g}" y="{y + 18:g}">{html.escape(name)}</text>'
        f'<text class="state" x="{x + 30:g}" y="{y + 34:g}">{"replica" if replica else "source"} · {look.word}</text>'
    )
    if not member["me"]:
        inner = f'<a href="{html.escape(member["link"])}">{inner}</a>'
    return f'<g class="node {look.tone}{" chosen" if member["me"] else ""}">{inner}</g>'
