# SPDX-License-Identifier: Apache-2.0
"""The directive ``flows``: a section for each kind of operation in the registry, drawn when the docs are built."""

from typing import Any

from docutils import nodes
from docutils.parsers.rst import Directive
from sphinx.application import Sphinx

from dbflow.console.drawing import Graph, layout, to_svg
from dbflow.operations import catalog


class Flows(Directive):
    """``.. flows::`` takes nothing and stands between sections."""

    def run(self) -> list[nodes.Node]:
        return [_section(Graph.of(catalog().graph(kind.name, kind.version, None))) for kind in catalog().kinds()]


def _section(graph: Graph) -> nodes.section:
    section = nodes.section(ids=[nodes.make_id(f"flow-{graph.kind}")])
    section += nodes.title(text=f"{graph.kind}: {graph.title}")
    section += nodes.paragraph(text=f"Version {graph.version} of the definition.")
    svg = to_svg(layout(graph), embed_style=True, element_id=nodes.make_id(f"graph-{graph.kind}"))
    section += nodes.raw(text=svg, format="html")
    if not all(node.where == "local" for node in graph.nodes):
        section += nodes.paragraph(text="Steps with a thick border run on the guest.")
    section += _steps(graph)
    return section


def _steps(graph: Graph) -> nodes.definition_list:
    found = nodes.definition_list()
    for node in graph.order:
        item = nodes.definition_list_item()
        item += nodes.term(text=node.label)
        item += nodes.definition("", nodes.paragraph(text=_about(node.doc, node.requires, node.provides)))
        found += item
    return found


def _about(doc: str, requires: tuple[str, ...], provides: tuple[str, ...]) -> str:
    parts = [doc] if doc else []
    if requires:
        parts.append(f"Takes {', '.join(requires)}.")
    if provides:
        parts.append(f"Gives {', '.join(provides)}.")
    return " ".join(parts)


def setup(app: Sphinx) -> dict[str, Any]:
    """Called by Sphinx."""
    app.add_directive("flows", Flows)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
