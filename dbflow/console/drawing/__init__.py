# SPDX-License-Identifier: Apache-2.0
"""One drawing of a flow for browser, terminal and documentation. Pure functions: plain data in, text out.

The graph, as the registry of flows gives it::

    {"kind": "instance.create", "version": 1, "title": "Create an instance",
     "nodes": [{"name": "port", "label": "Create port", "type": "task" | "retry", "where": "local" | "guest",
                "group": "network" | None, "requires": [...], "provides": [...], "doc": "…"}, …],
     "edges": [["port", "server"], …],
     "groups": [{"name": "network", "parent": None}, …]}

and what is known of its steps (everything may be missing)::

    {"port": {"state": "RUNNING", "intention": "EXECUTE", "progress": 0.4, "attempt": 1,
              "started": "2026-01-31T12:00:00.5", "finished": None, "failure": None}, …}

States are those of TaskFlow's atoms: PENDING, RUNNING, SUCCESS, FAILURE, REVERTING, REVERTED, REVERT_FAILURE,
RETRYING, IGNORE.
"""

from dbflow.console.drawing.dot import to_dot
from dbflow.console.drawing.graph import BadGraph, Graph, Node
from dbflow.console.drawing.layout import Box, Layout, layout
from dbflow.console.drawing.states import LOOKS, summary
from dbflow.console.drawing.svg import style, to_svg
from dbflow.console.drawing.text import to_text

__all__ = [
    "LOOKS",
    "BadGraph",
    "Box",
    "Graph",
    "Layout",
    "Node",
    "layout",
    "style",
    "summary",
    "to_dot",
    "to_svg",
    "to_text",
]
