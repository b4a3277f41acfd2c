# SPDX-License-Identifier: Apache-2.0
"""A layout as SVG: accessible, themable from the page around it, and safe with any text."""

import html
from collections.abc import Mapping, Sequence

from dbflow.console.drawing.graph import Node
from dbflow.console.drawing.layout import CHAR, STATE_CHAR, Box, Layout, shorten
from dbflow.console.drawing.placing import Point
from dbflow.console.drawing.states import LOOKS, States, progress_of, state_of, summary
from dbflow.persistence.busy import BUSY


def to_svg(
    layout: Layout,
    states: States | None = None,
    *,
    links: Mapping[str, str] | None = None,
    chosen: str | None = None,
    embed_style: bool = False,
    element_id: str = "flow",
) -> str:
    """One ``<svg>`` element.

    ``states`` (name -> state) may be left out for a drawing of the definition. ``links``: name of a node -> address
    that it leads to (http, https or relative; ValueError else). ``chosen``: the node that is looked at.
    ``embed_style`` puts :func:`style` inside, for a page without it; a page whose Content-Security-Policy forbids
    inline styles serves it as a file instead. ``element_id`` begins every id in the drawing, so that two fit on one
    page.
    """
    links = {name: _checked(address) for name, address in (links or {}).items()}
    graph = layout.graph
    title = f"{graph.title or graph.kind} ({graph.kind}, version {graph.version})"
    parts = [
        # An image hides what is in it from assistive technology, so one with links is a group.
        f'<svg xmlns="http://www.w3.org/2000/svg" class="flow" id={_quoted(element_id)}'
        f' role="{"group" if links else "img"}"'
        f" aria-labelledby={_quoted(f'{element_id}-title')} aria-describedby={_quoted(f'{element_id}-desc')}"
        f' viewBox="0 0 {layout.width:g} {layout.height:g}" width="{layout.width:g}" height="{layout.height:g}">',
        f"<title id={_quoted(f'{element_id}-title')}>{_text(title)}</title>",
        f"<desc id={_quoted(f'{element_id}-desc')}>{_text(_description(layout, states))}</desc>",
    ]
    if embed_style:
        parts.append(f"<style>{style()}</style>")
    parts += [_group(name, box) for name, box in layout.groups.items()]
    parts += [_edge(source, target, points) for (source, target), points in layout.edges.items()]
    parts += [
        _node(node, layout.nodes[node.name], states, links.get(node.name), f"{element_id}-{i}", node.name == chosen)
        for i, node in enumerate(graph.nodes)
    ]
    parts.append("</svg>")
    return "\n".join(parts)


def style() -> str:
    """The drawing's CSS. Every colour is a custom property that a page may set (``--flow-success`` …); by itself it
    follows the system's light or dark setting."""
    light = "".join(f"--flow-{_slug(state)}:{look.light};" for state, look in LOOKS.items())
    dark = "".join(f"--flow-{_slug(state)}:{look.dark};" for state, look in LOOKS.items())
    by_state = "".join(
        f".flow .{_slug(state)}{{color:var(--flow-{_slug(state)},{look.light})}}" for state, look in LOOKS.items()
    )
    return (
        f":root{{{light}--flow-ink:#1f2328;--flow-paper:#ffffff;--flow-line:#6e7781;--flow-frame:#8c959f}}"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}"
        "--flow-ink:#e6edf3;--flow-paper:#161b22;--flow-line:#8b949e;--flow-frame:#6e7681}}"
        ".flow{font:13px system-ui,sans-serif;max-width:100%;height:auto}"
        ".flow text{fill:var(--flow-ink,CanvasText)}"
        ".flow .state{fill:currentColor;font-size:12px}"
        ".flow .glyph{fill:currentColor;font-size:15px}"
        ".flow .box{fill:var(--flow-paper,Canvas);stroke:currentColor;stroke-width:1.5}"
        ".flow .guest .box{stroke-width:3}"
        ".flow .retry .box{stroke-dasharray:2 3}"
        ".flow .bar{fill:currentColor;opacity:.25}.flow .done{fill:currentColor}"
        ".flow .edge{fill:none;stroke:var(--flow-line,GrayText);stroke-width:1.3}"
        ".flow .arrow{fill:var(--flow-line,GrayText)}"
        ".flow .frame{fill:none;stroke:var(--flow-frame,GrayText);stroke-dasharray:5 4}"
        ".flow .frame-title{fill:var(--flow-line,GrayText);font-size:12px}"
        ".flow a:focus .box,.flow a:hover .box{stroke-width:4}" + by_state
    )


def _description(layout: Layout, states: States | None) -> str:
    if states is not None:
        return summary(layout.graph.nodes, states)
    return "Steps in order: " + ", ".join(node.label for node in layout.graph.order)


def _group(name: str, box: Box) -> str:
    label = shorten(name, int((box.width - 16) / CHAR))
    return (
        f'<g class="group"><rect class="frame" rx="8" {_rect(box)}/>'
        f'<text class="frame-title" x="{box.x + 10:g}" y="{box.y + 16:g}">{_text(label)}</text></g>'
    )


def _edge(source: str, target: str, points: Sequence[Point]) -> str:
    """Straight where it passes a layer, curved between two; an arrow's head at its end."""
    (x, y), rest = points[0], points[1:]
    path = [f"M{x:g},{y:g}"]
    for to_x, to_y in rest:
        middle = (y + to_y) / 2
        path.append(f"V{to_y:g}" if to_x == x else f"C{x:g},{middle:g} {to_x:g},{middle:g} {to_x:g},{to_y:g}")
        x, y = to_x, to_y
    head = f"{x:g},{y:g} {x - 4:g},{y - 7:g} {x + 4:g},{y - 7:g}"
    return (
        f"<g data-from={_quoted(source)} data-to={_quoted(target)}>"
        f'<path class="edge" d="{"".join(path)}"/><polygon class="arrow" points="{head}"/></g>'
    )


def _node(node: Node, box: Box, states: States | None, link: str | None, element_id: str, chosen: bool) -> str:
    state = state_of(states or {}, node.name)
    look = LOOKS[state]
    classes = " ".join(["node", _slug(state), node.where, node.type, *(["chosen"] if chosen else [])])
    label = shorten(node.label, int((box.width - 40) / CHAR))
    line = ["guest" if node.where == "guest" else "conductor"]
    if states is not None:
        attempt = int(states.get(node.name, {}).get("attempt") or 0)
        line = [look.word, *([f"try {attempt}"] if attempt > 1 else []), *line]
    below = shorten(" · ".join(line), int((box.width - 36) / STATE_CHAR))
    progress = progress_of(states or {}, node.name)
    inner = [
        f"<title>{_text(_tooltip(node, line, states))}</title>",
        f'<rect class="box" rx="6" {_rect(box)}/>',
        f'<text class="glyph" x="{box.x + 10:g}" y="{box.y + 20:g}" aria-hidden="true">{look.glyph}</text>',
        f'<text class="label" x="{box.x + 30:g}" y="{box.y + 19:g}">{_text(label)}</text>',
        f'<text class="state" x="{box.x + 30:g}" y="{box.y + 35:g}">{_text(below)}</text>',
    ]
    if state in BUSY:
        whole = box.width - 12
        inner += [
            f'<rect class="bar" x="{box.x + 6:g}" y="{box.y + box.height - 6:g}" width="{whole:g}" height="3"/>',
            f'<rect class="done" x="{box.x + 6:g}" y="{box.y + box.height - 6:g}"'
            f' width="{whole * progress:g}" height="3"/>',
        ]
    body = "".join(inner)
    if link is not None:
        body = f"<a href={_quoted(link)}>{body}</a>"
    return (
        f"<g class={_quoted(classes)} id={_quoted(element_id)} data-node={_quoted(node.name)}"
        f' data-state="{state}">{body}</g>'
    )


def _tooltip(node: Node, line: list[str], states: States | None) -> str:
    parts = [f"{node.label}: {', '.join(line)}", node.doc]
    failure = (states or {}).get(node.name, {}).get("failure")
    if failure:
        parts.append(str(failure))
    return "\n".join(part for part in parts if part)


def _checked(address: str) -> str:
    """Refuse javascript: and its like."""
    scheme = address.strip().split(":", 1)[0].lower() if ":" in address.split("/", 1)[0] else ""
    if scheme not in ("", "http", "https"):
        raise ValueError(f"a link of a drawing must be http, https or relative, not {scheme}:")
    return address


def _rect(box: Box) -> str:
    return f'x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}"'


def _slug(state: str) -> str:
    return state.lower().replace("_", "-")


def _text(text: str) -> str:
    return html.escape(_text_only(text))


def _quoted(text: str) -> str:
    """An attribute's value."""
    return f'"{_text(text)}"'


def _text_only(text: str) -> str:
    """Without the characters that XML can't hold."""
    return "".join(
        char if char in "\t\n" or (char >= " " and not 0xD800 <= ord(char) <= 0xDFFF and char not in "￾￿") else "�"
        for char in text
    )
