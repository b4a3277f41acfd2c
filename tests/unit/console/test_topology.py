# SPDX-License-Identifier: Apache-2.0
"""What replicates from what, drawn."""

import itertools
import re
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dbflow.console.looks import Look
from dbflow.console.topology import topology

HEALTHY = Look("healthy", "✔", "success")


def member(name: str, source: str | None = None, me: bool = False) -> Mapping[str, Any]:
    return {"id": name, "name": name, "source": source, "link": f"/i/{name}", "look": HEALTHY, "me": me}


def boxes(drawn: str) -> dict[str, tuple[float, float]]:
    """Name -> left upper corner."""
    found = {}
    for group in ET.fromstring(drawn).iter("{http://www.w3.org/2000/svg}g"):
        box = next(group.iter("{http://www.w3.org/2000/svg}rect"))
        title = next(group.iter("{http://www.w3.org/2000/svg}title")).text or ""
        found[title.rpartition(":")[0]] = (float(box.attrib["x"]), float(box.attrib["y"]))
    return found


def test_a_source_is_above_the_middle_of_its_replicas() -> None:
    drawn = topology([member("a", me=True), member("b", "a"), member("c", "a"), member("d", "c")])
    at = boxes(drawn)
    assert at["a"][1] < at["b"][1] == at["c"][1] < at["d"][1]
    assert at["a"][0] == (at["b"][0] + at["c"][0]) / 2
    assert drawn.count('class="edge"') == 3
    assert re.findall(r'href="([^"]+)"', drawn) == ["/i/b", "/i/c", "/i/d"]  # one's own page is this one
    assert drawn.count("replica · healthy") == 3


@given(st.lists(st.one_of(st.none(), st.integers(0, 12)), max_size=13))
def test_boxes_do_not_overlap_and_every_member_is_there(sources: list[int | None]) -> None:
    """Whatever the rows say, also that two replicate from each other."""
    drawn = topology([member(f"i{n}", None if source is None else f"i{source}") for n, source in enumerate(sources)])
    if not sources:
        assert drawn == ""
        return
    at = boxes(drawn)
    assert len(at) == len(sources)
    for (x, y), (other_x, other_y) in itertools.combinations(at.values(), 2):
        assert abs(x - other_x) >= 190 or abs(y - other_y) >= 44


def test_markup_in_names_stays_text() -> None:
    assert "<b>" not in topology([member("<b>"), member("c", "<b>")])
