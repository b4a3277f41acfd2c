# SPDX-License-Identifier: Apache-2.0
"""A graph in Graphviz's language, for whoever has other tools."""

from collections.abc import Mapping
from typing import Any

from dbflow.console.drawing.graph import Graph, Node
from dbflow.console.drawing.states import LOOKS, States, state_of


def to_dot(data: Graph | Mapping[str, Any], states: States | None = None) -> str:
    """A ``digraph``; groups are clusters, guest tasks have a double border, states a colour and a word."""
    graph = Graph.of(data)
    lines = [
        f"digraph {_quoted(f'{graph.kind} {graph.version}')} {{",
        f"  label={_quoted(graph.title)}; rankdir=TB; node [shape=box, fontname=sans];",
    ]
    members: dict[str | None, list[Node]] = {}
    for node in graph.nodes:
        members.setdefault(node.group, []).append(node)
    within: dict[str | None, list[str]] = {}
    for group, parent in graph.groups.items():
        within.setdefault(parent, []).append(group)

    def write(group: str | None, indent: str) -> None:
        for node in members.get(group, ()):
            lines.append(f"{indent}{_quoted(node.name)} [{_attributes(node, states)}];")
        for inner in within.get(group, ()):
            lines.append(f"{indent}subgraph {_quoted(f'cluster_{inner}')} {{")
            lines.append(f"{indent}  label={_quoted(inner)}; style=dashed;")
            write(inner, indent + "  ")
            lines.append(f"{indent}}}")

    write(None, "  ")
    lines += [f"  {_quoted(a)} -> {_quoted(b)};" for a, b in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _attributes(node: Node, states: States | None) -> str:
    label = node.label
    attributes = {"peripheries": "2"} if node.where == "guest" else {}
    if states is not None:
        look = LOOKS[state_of(states, node.name)]
        label = f"{label}\n{look.glyph} {look.word}"
        attributes["color"] = look.light
    if node.type == "retry":
        attributes["style"] = "dotted"
    attributes["tooltip"] = node.doc or node.name
    return ", ".join([f"label={_quoted(label)}", *(f"{key}={_quoted(value)}" for key, value in attributes.items())])


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\0", "")
    return f'"{escaped}"'
