# SPDX-License-Identifier: Apache-2.0
"""SVG, text and DOT: right, readable by everyone, and safe with any name."""

import datetime
import re
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dbflow.console.drawing import LOOKS, layout, style, to_dot, to_svg, to_text
from dbflow.console.drawing.layout import columns
from tests.unit.graphs import CREATE, HALFWAY, graphs, node

NOW = datetime.datetime(2026, 1, 1, 0, 1, 3)
SVG = "{http://www.w3.org/2000/svg}"
EVIL = "<script>alert('x')</script>\"&]]>\x1b[2J\x00"


def evil_graph() -> dict[str, Any]:
    graph = {"kind": EVIL, "title": EVIL, "nodes": [node(EVIL, EVIL, group=EVIL)], "edges": []}
    return graph | {"groups": [{"name": EVIL}]}


def test_svg_says_each_state_by_class_glyph_and_word() -> None:
    nodes = [node(state, state.title()) for state in LOOKS]
    graph = {"kind": "x", "nodes": nodes, "edges": []}
    root = ElementTree.fromstring(to_svg(layout(graph), {state: {"state": state} for state in LOOKS}))
    for state, look in LOOKS.items():
        (drawn,) = (g for g in root.iter(f"{SVG}g") if g.get("data-node") == state)
        assert state.lower().replace("_", "-") in str(drawn.get("class")).split()
        assert drawn.get("data-state") == state
        texts = [text.text or "" for text in drawn.iter(f"{SVG}text")]
        assert look.glyph in texts
        assert any(text.startswith(look.word) for text in texts)
    assert len({look.glyph for look in LOOKS.values()}) == len({look.word for look in LOOKS.values()}) == len(LOOKS)


def test_svg_is_an_image_with_title_and_description() -> None:
    root = ElementTree.fromstring(to_svg(layout(CREATE), HALFWAY, element_id="one"))
    assert root.get("role") == "img"
    title, description = root[0], root[1]
    assert (title.tag, title.get("id")) == (f"{SVG}title", root.get("aria-labelledby"))
    assert title.text == "Create an instance (instance.create, version 1)"
    assert (description.tag, description.get("id")) == (f"{SVG}desc", root.get("aria-describedby"))
    assert description.text == "9 steps: 6 waiting, 1 running (Create volume), 2 done"


def test_svg_with_links_keeps_them_in_reach() -> None:
    root = ElementTree.fromstring(to_svg(layout(CREATE), HALFWAY, links={"port": "?step=port&tab=log"}))
    assert root.get("role") == "group"
    (link,) = root.iter(f"{SVG}a")
    assert link.get("href") == "?step=port&tab=log"


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", " JavaScript:x", "vbscript:x"])
def test_svg_refuses_links_that_run_code(address: str) -> None:
    with pytest.raises(ValueError, match="must be http"):
        to_svg(layout(CREATE), links={"port": address})


def test_svg_shows_progress() -> None:
    root = ElementTree.fromstring(to_svg(layout(CREATE), HALFWAY))
    (done,) = (rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "done")
    (bar,) = (rect for rect in root.iter(f"{SVG}rect") if rect.get("class") == "bar")
    assert float(str(done.get("width"))) == pytest.approx(0.43 * float(str(bar.get("width"))), rel=0.01)


def test_svg_carries_no_style_unless_asked() -> None:
    plain = to_svg(layout(CREATE), HALFWAY)
    assert "<style" not in plain
    assert " style=" not in plain
    assert f"<style>{style()}</style>" in to_svg(layout(CREATE), embed_style=True)


def test_svg_escapes_everything() -> None:
    states = {EVIL: {"state": "FAILURE", "failure": EVIL}}
    text = to_svg(layout(evil_graph()), states, element_id='"><script>', embed_style=True)
    root = ElementTree.fromstring(text)
    assert not list(root.iter(f"{SVG}script"))
    assert "\x1b" not in text
    assert "\x00" not in text


@settings(max_examples=100, deadline=None)
@given(graphs(), st.sampled_from(sorted(LOOKS)))
def test_svg_of_any_flow_is_well_formed(graph: dict[str, Any], state: str) -> None:
    states = {node["name"]: {"state": state, "progress": 0.5} for node in graph["nodes"]}
    root = ElementTree.fromstring(to_svg(layout(graph), states))
    assert len([g for g in root.iter(f"{SVG}g") if g.get("data-node")]) == len(graph["nodes"])


def test_contrast_of_the_states() -> None:
    for look in LOOKS.values():
        assert contrast(look.light, "#ffffff") >= 4.5
        assert contrast(look.dark, "#161b22") >= 4.5


def contrast(a: str, b: str) -> float:
    """As WCAG 2 defines it."""

    def luminance(color: str) -> float:
        parts = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
        red, green, blue = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    dark, light = sorted([luminance(a), luminance(b)])
    return (light + 0.05) / (dark + 0.05)


def test_text_of_a_running_flow() -> None:
    assert to_text(CREATE, HALFWAY, width=90, now=NOW).splitlines() == [
        "instance.create v1  Create an instance",
        "9 steps: 6 waiting, 1 running (Create volume), 2 done",
        "✔    Mark as building                             done                              0.25 s",
        "├─╮",
        "✔ │  Create port  [network]                       done",
        "│ ▶  Create volume                                running #2       ████░░░░░░  43%    1:03",
        "├─╯",
        "○    Create server                                waiting",
        "○    Wait for the guest                     guest waiting",
        "○    Install MariaDB  [database]            guest waiting",
        "├─╮",
        "○ │  Create databases  [database]           guest waiting",
        "│ ○  Create users  [database]               guest waiting",
        "├─╯",
        "○    Record the end                               waiting",
    ]


def test_text_of_a_definition() -> None:
    lines = to_text(CREATE, width=60).splitlines()
    assert lines[0] == "instance.create v1  Create an instance"
    assert lines[1] == "○    Mark as building"
    assert "waiting" not in "\n".join(lines)


def test_text_in_colour_is_the_same_text() -> None:
    colored = to_text(CREATE, HALFWAY, color=True)
    assert "\x1b[1;34m▶\x1b[0m" in colored
    assert re.sub(r"\x1b\[[\d;]*m", "", colored) == to_text(CREATE, HALFWAY)


@settings(max_examples=150, deadline=None)
@given(graphs(), st.integers(40, 120), st.booleans(), st.sampled_from(sorted(LOOKS)))
def test_text_of_any_flow_fits(graph: dict[str, Any], width: int, ascii_only: bool, state: str) -> None:
    states = {node["name"]: {"state": state, "progress": 0.5, "attempt": 3} for node in graph["nodes"]}
    text = to_text(graph, states, width=width, ascii_only=ascii_only)
    assert max(map(columns, text.split("\n"))) <= width
    assert text.isascii() or not ascii_only
    assert len(re.findall(re.escape(LOOKS[state].word), text)) >= len(graph["nodes"])
    assert all(char.isprintable() for line in text.split("\n") for char in line)


def test_text_of_a_fan_wider_than_the_terminal() -> None:
    leaves = [f"leaf {i}" for i in range(200)]
    edges = [["root", leaf] for leaf in leaves] + [[leaf, "end"] for leaf in leaves]
    graph = {"kind": "x", "nodes": [node(n, n) for n in ("root", *leaves, "end")], "edges": edges}
    text = to_text(graph, {}, width=80)
    assert all(leaf in text for leaf in leaves)
    assert max(map(columns, text.splitlines())) <= 80


def test_dot_has_clusters_states_and_guests() -> None:
    dot = to_dot(CREATE, HALFWAY)
    assert 'subgraph "cluster_database"' in dot
    assert '"volume" [label="Create volume\\n▶ running", color="#0550ae"' in dot
    assert re.search(r'"install" \[.*peripheries="2"', dot)
    assert '  "port" -> "server";' in dot


def test_dot_quotes_everything() -> None:
    graph = {"kind": 'a"b\\', "nodes": [node('x" -> "y', 'say "hi"\n\\')], "edges": []}
    dot = to_dot(graph)
    assert '"x\\" -> \\"y"' in dot
    assert 'label="say \\"hi\\"\\n\\\\"' in dot
    assert len(re.findall(r'(?<!\\)(?:\\\\)*"', dot)) % 2 == 0
