# SPDX-License-Identifier: Apache-2.0
"""Graphs to draw: one like a real flow, and whatever hypothesis thinks of."""

from typing import Any

from hypothesis import strategies as st


def node(name: str, label: str, where: str = "local", group: str | None = None) -> dict[str, Any]:
    return {"name": name, "label": label, "type": "task", "where": where, "group": group, "doc": f"{label}."}


CREATE: dict[str, Any] = {
    "kind": "instance.create",
    "version": 1,
    "title": "Create an instance",
    "nodes": [
        node("mark", "Mark as building"),
        node("port", "Create port", group="network"),
        node("volume", "Create volume"),
        node("server", "Create server"),
        node("await", "Wait for the guest", "guest"),
        node("install", "Install MariaDB", "guest", "database"),
        node("databases", "Create databases", "guest", "database"),
        node("users", "Create users", "guest", "database"),
        node("record", "Record the end"),
    ],
    "edges": [
        ["mark", "port"], ["mark", "volume"], ["port", "server"], ["volume", "server"], ["server", "await"],
        ["await", "install"], ["install", "databases"], ["install", "users"], ["databases", "record"],
        ["users", "record"], ["port", "record"],
    ],
    "groups": [{"name": "network", "parent": None}, {"name": "database", "parent": None}],
}  # fmt: skip

HALFWAY: dict[str, Any] = {
    "mark": {"state": "SUCCESS", "started": "2026-01-01T00:00:00", "finished": "2026-01-01T00:00:00.250"},
    "port": {"state": "SUCCESS"},
    "volume": {"state": "RUNNING", "progress": 0.43, "attempt": 2, "started": "2026-01-01T00:00:00"},
}


@st.composite
def graphs(draw: st.DrawFn, most: int = 24) -> dict[str, Any]:
    """A DAG with nested groups, its names in no helpful order and its texts anything at all."""
    count = draw(st.integers(1, most))
    groups = draw(st.integers(0, 4))
    parents = [draw(st.one_of(st.none(), st.integers(0, i - 1))) if i else None for i in range(groups)]
    shuffled = draw(st.permutations(range(count)))
    pairs = draw(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)), max_size=3 * count))
    group = st.one_of(st.none(), st.integers(0, groups - 1)) if groups else st.none()
    states = st.text(max_size=12)
    return {
        "kind": draw(st.text(max_size=8)),
        "version": 1,
        "title": draw(st.text(max_size=30)),
        "nodes": [
            node(f"n{i}", draw(states), draw(st.sampled_from(["local", "guest"])), _group(draw(group)))
            for i in range(count)
        ],
        "edges": [[f"n{shuffled[min(a, b)]}", f"n{shuffled[max(a, b)]}"] for a, b in sorted(pairs) if a != b],
        "groups": [{"name": f"g{i}", "parent": _group(parent)} for i, parent in enumerate(parents)],
    }


def _group(number: int | None) -> str | None:
    return None if number is None else f"g{number}"


def wide(count: int, groups: int) -> dict[str, Any]:
    """``count`` nodes in ``groups`` equal groups one after the other; each node follows two of the dozen before it."""
    edges = {(b - 1 - (7 * b + 5 * k) % min(b, 12), b) for b in range(1, count) for k in range(2)}
    return {
        "kind": "bench",
        "nodes": [node(f"n{i}", f"Task number {i}", group=f"g{i * groups // count}") for i in range(count)],
        "edges": [[f"n{a}", f"n{b}"] for a, b in sorted(edges)],
        "groups": [{"name": f"g{i}", "parent": None} for i in range(groups)],
    }
