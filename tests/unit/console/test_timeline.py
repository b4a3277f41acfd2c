# SPDX-License-Identifier: Apache-2.0
"""Time on a line: in order, without gaps, pauses squeezed."""

import datetime
import itertools

from hypothesis import given
from hypothesis import strategies as st

from dbflow.console.timeline import GAP, Span, place, stretches, timeline_svg

ZERO = datetime.datetime(2026, 1, 1)
TIMES = st.floats(0, 1e5, allow_nan=False)


def span(start: float, end: float, name: str = "s") -> Span:
    return Span(name, "SUCCESS", ZERO + datetime.timedelta(seconds=start), ZERO + datetime.timedelta(seconds=end))


def test_a_long_pause_is_squeezed() -> None:
    first, pause, last = stretches([span(0, 10), span(3600, 3610)], 500)
    assert (first.idle, pause.idle, last.idle) == (False, True, False)
    assert pause.width == GAP
    assert first.width == last.width == (500 - GAP) / 2
    assert "60 min without a step at work" in timeline_svg([span(0, 10), span(3610, 3620)])


def test_a_short_pause_is_not() -> None:
    assert len(stretches([span(0, 10), span(11, 20)], 500)) == 1


@given(st.lists(st.tuples(TIMES, TIMES), min_size=1, max_size=20))
def test_nothing_overlaps_and_order_stays(times: list[tuple[float, float]]) -> None:
    spans = [span(min(pair), max(pair)) for pair in times]
    found = stretches(spans, 700)
    assert abs(sum(one.width for one in found) - 700) < 0.01
    for a, b in itertools.pairwise(found):
        assert a.end == b.start
        assert abs(a.x + a.width - b.x) < 0.01
    zero = min(one.start for one in spans)
    moments = sorted((moment - zero).total_seconds() for one in spans for moment in (one.start, one.end))
    at = [place(found, moment) for moment in moments]
    assert at == sorted(at)
    assert at[0] >= -0.01
    assert at[-1] <= 700.01
    assert timeline_svg(spans).count("data-step=") == len(spans)
