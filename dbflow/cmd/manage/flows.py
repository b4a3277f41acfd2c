# SPDX-License-Identifier: Apache-2.0
"""flow list | show | dot | svg"""

import argparse
import dataclasses
import sys
from typing import Any

from dbflow.cmd.manage.context import Context, ManageError
from dbflow.cmd.manage.verbs import Commands, Noun
from dbflow.cmd.manage.watch import Live, screen, watch
from dbflow.console.drawing import layout, to_dot, to_svg, to_text
from dbflow.operations import catalog

_WHAT = "an operation's id (or its beginning, or its instance's id), or a kind such as instance.create"


def register(commands: Commands, shared: argparse.ArgumentParser) -> None:
    """Add the sub-commands."""
    noun = Noun(commands, shared, "flow", "the graphs of steps that operations run")
    noun.verb("list", show_list, "every kind of operation")
    show = noun.verb("show", draw, "draw a flow in the terminal, with the state of its steps")
    show.add_argument("what", help=_WHAT)
    show.add_argument("--watch", action="store_true", help="redraw until it ends; status 1 unless it succeeds")
    show.add_argument("--ascii", action="store_true", help="for terminals without Unicode")
    noun.verb("dot", dot, "print a flow in Graphviz's language").add_argument("what", help=_WHAT)
    noun.verb("svg", svg, "print a flow as SVG").add_argument("what", help=_WHAT)


def show_list(context: Context, _: argparse.Namespace) -> None:
    """The registry."""
    rows = [[kind.name, kind.version, kind.priority, kind.title] for kind in catalog().kinds()]
    context.table(["Kind", "Version", "Priority", "Title"], rows)


def draw(context: Context, arguments: argparse.Namespace) -> int:
    """The status says how a watched operation ended."""
    live = _live(context, arguments.what)
    if live is None:
        if arguments.watch:
            raise ManageError("--watch needs an operation, not a kind")
        graph = _graph(arguments.what)
        if context.as_json:
            context.json(graph)
        else:
            print(to_text(graph, width=screen().columns, color=sys.stdout.isatty(), ascii_only=arguments.ascii))
        return 0
    if arguments.watch:
        return watch(live, ascii_only=arguments.ascii)
    if context.as_json:
        context.json({"graph": dataclasses.asdict(live.graph), "steps": live.look().states})
    else:
        print(live.drawn(live.look(), color=sys.stdout.isatty(), ascii_only=arguments.ascii))
    return 0


def dot(context: Context, arguments: argparse.Namespace) -> None:
    """An operation with the states of its steps, a kind without."""
    live = _live(context, arguments.what)
    sys.stdout.write(to_dot(_graph(arguments.what)) if live is None else to_dot(live.graph, live.look().states))


def svg(context: Context, arguments: argparse.Namespace) -> None:
    """A whole file, style included."""
    live = _live(context, arguments.what)
    if live is None:
        print(to_svg(layout(_graph(arguments.what)), embed_style=True))
    else:
        print(to_svg(layout(live.graph), live.look().states, embed_style=True))


def _graph(kind: str) -> dict[str, Any]:
    """The newest definition's, whole."""
    return catalog().graph(kind, catalog().kind(kind).version, None)


def _live(context: Context, what: str) -> Live | None:
    """The operation that is meant; None for a kind."""
    return None if what in {kind.name for kind in catalog().kinds()} else Live(context, what)
