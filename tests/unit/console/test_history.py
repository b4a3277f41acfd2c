# SPDX-License-Identifier: Apache-2.0
"""An instance's last day: from samples to plots."""

import datetime
import re
from types import SimpleNamespace
from typing import Any

import pytest

from dbflow.console.history import Plot, plots
from dbflow.console.plots import history
from dbflow.console.render import gib

NOON = datetime.datetime(2026, 5, 1, 12)


def at(minutes: float) -> datetime.datetime:
    return NOON + datetime.timedelta(minutes=minutes)


def beat(minutes: float, used: float | None = None, **load: float | None) -> Any:
    return SimpleNamespace(at=at(minutes), volume_used=used, load=load)


def row(minutes: float | None, used: float | None = None, total: float | None = None, **load: float) -> Any:
    seen = None if minutes is None else at(minutes)
    return SimpleNamespace(seen=seen, volume_used=used, volume_total=total, volume_size=2, load=load)


def test_the_newest_heartbeat_is_the_last_point() -> None:
    volume, busy = plots(
        [beat(0, 0.5, threads_running=1), beat(5, 0.6, threads_running=2)], row(6, 1.9, threads_running=7)
    )
    assert (volume.title, volume.most, volume.now, volume.scarce) == ("Volume", 2, 1.9, True)
    assert volume.points == ((at(0), 0.5), (at(5), 0.6), (at(6), 1.9))
    assert (busy.title, busy.now, busy.scarce) == ("Connections at work", 7.0, False)
    (again,) = plots([beat(6, 1.9)], row(6, 1.9))
    assert again.points == ((at(6), 1.9),)


def test_counters_are_rates_and_none_over_a_restart() -> None:
    beats = [beat(0, questions=0), beat(5, questions=300), beat(10, questions=60), beat(15, questions=None)]
    _, queries = plots(beats, row(16, questions=420))
    assert queries.title == "Queries a second"
    assert queries.points == ((at(5), 1.0), (at(16), 1.0))


def test_nothing_heard() -> None:
    (volume,) = plots([], row(None))
    assert (volume.points, volume.now, volume.scarce) == ((), None, False)
    assert history(volume, "x") == ""


def test_what_a_datastore_calls_its_load() -> None:
    assert [plot.title for plot in plots([], row(1, buffer_pool=3, threads_connected=1))] == [
        "Volume", "Connections", "Buffer pool",
    ]  # fmt: skip


def test_a_guest_has_a_few_plots_whatever_it_calls_its_load() -> None:
    beats = [beat(5 * number, **{f"a{number}-{other}": 1.0 for other in range(32)}) for number in range(200)]
    _, *found = plots(beats, row(1000, **{f"b-{other:02}": 2.0 for other in range(32)}))
    assert [plot.title for plot in found] == [f"B-{other:02}" for other in range(12)]


def test_what_a_server_was_doing_before_it_went_down() -> None:
    _, busy = plots([beat(0, threads_running=1), beat(5, threads_running=2)], row(6))
    assert busy.points == ((at(0), 1.0), (at(5), 2.0))


def numbers(path: str) -> list[list[tuple[float, float]]]:
    """The stretches of a line."""
    return [
        [tuple(map(float, point.split(","))) for point in stretch.split("L")]  # type: ignore[misc]
        for stretch in path.split("M")
        if stretch
    ]


def line(drawn: str) -> list[list[tuple[float, float]]]:
    found = re.search(r'class="line" d="([^"]+)"', drawn)
    assert found
    return numbers(found[1])


def test_a_line_goes_from_left_to_right_within_its_frame() -> None:
    points = tuple((at(5 * number), float(number % 4)) for number in range(9))
    (stretch,) = line(history(Plot("Load", points), "11:00"))
    xs, ys = zip(*stretch, strict=True)
    assert list(xs) == sorted(set(xs))
    assert (xs[0], xs[-1]) == (0, 297)
    assert (min(ys), max(ys)) == (0, 64)


def test_a_pause_is_no_line() -> None:
    points = ((at(0), 1.0), (at(5), 2.0), (at(60), 1.0), (at(65), 0.0))
    drawn = history(Plot("Load", points), "11:00")
    assert [len(stretch) for stretch in line(drawn)] == [2, 2]
    assert 'aria-label="Load since 11:00: least 0, most 2, now 0"' in drawn


def test_the_whole_volume_is_the_height() -> None:
    drawn = history(Plot("Volume", ((at(0), 0.5), (at(5), 1.0)), "GiB", 2.0), "11:00")
    assert [y for _, y in line(drawn)[0]] == [48, 32]
    assert "2 GiB" in drawn
    assert "failure" in history(Plot("Volume", ((at(0), 0.5), (at(5), 1.9)), "GiB", 2.0), "11:00")


def test_markup_in_a_title_stays_text() -> None:
    drawn = history(Plot("<script>", ((at(0), 0.0), (at(5), 0.0))), "11:00")
    assert "<script>" not in drawn


@pytest.mark.parametrize(
    ("size", "shown"),
    [(12.4, "12.4 GiB"), (0.05, "51.2 MiB"), (7.25e-05, "0.0742 MiB"), (0.0, "0 MiB"), (1e-7, "<\xa00.01 MiB")],
)
def test_sizes_as_people_read_them(size: float, shown: str) -> None:
    assert gib(size) == shown
