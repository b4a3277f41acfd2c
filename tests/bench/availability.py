# SPDX-License-Identifier: Apache-2.0
"""``availability``: how long nobody can write or read while something is done to their servers, and what is lost."""

import argparse
import dataclasses
import functools
import time
from collections.abc import Callable

from tests.bench import report
from tests.bench.changes import PATIENCE, Changes
from tests.bench.places import directory
from tests.bench.standalone import Standalone
from tests.bench.traffic import Reader, Traffic, Writer, acknowledged_but_lost
from tests.waiting import wait_for

EXPIRY = 4.0
"""Seconds of silence after which a source counts as dead here; 90 by default."""
_SETTINGS = f"[messaging]\nheartbeat_interval = 1\nheartbeat_expiry = {EXPIRY}\n"


@dataclasses.dataclass(frozen=True)
class Passage:
    """Of a writer and a reader through one operation."""

    operation: str
    seconds: float
    """From its request to its end."""
    write_gap: float
    """The longest time, seconds, in which nothing was acknowledged."""
    read_gap: float
    """The same of reads, from whichever server answers."""
    acknowledged: int
    """Rows."""
    lost: int
    """Of those."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--times", type=int, default=3, help="of what can be repeated (default: %(default)s)")
    parser.add_argument("--replicas", type=int, default=2, help="of the source (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=3.0, help="of writing before and after each (%(default)s)")
    parser.add_argument("--data", type=int, default=256, help="MiB beside what is written (default: %(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print. The single server comes first, since with replicas a reader has elsewhere to go."""
    with directory("availability") as base, Standalone(base, _SETTINGS) as standalone:
        changes = Changes(standalone, options.data)
        through = functools.partial(_through, changes, seconds=options.seconds)
        single = (changes.restart, changes.resize_flavor, changes.resize_volume, changes.backup)
        passages = [through(change.__name__, change) for change in single for _ in range(options.times)]
        passages.append(through("replicate", functools.partial(changes.replicate, options.replicas)))
        passages += [through("promote", changes.promote) for _ in range(options.times)]
        passages.append(through("eject", changes.eject))
    _print(passages, options.replicas)


def _through(changes: Changes, operation: str, change: Callable[[], float], seconds: float) -> Passage:
    writer, reader = Writer(changes.hosts), Reader(changes.hosts)
    with writer.at_work(), reader.at_work():
        _go_on(writer, seconds)
        asked = change()
        took = time.monotonic() - asked
        _go_on(writer, seconds)
    lost = acknowledged_but_lost(changes.hosts[0], writer)
    return Passage(operation, took, writer.longest, reader.longest, len(writer.acknowledged), lost)


def _go_on(traffic: Traffic, seconds: float) -> None:
    """So long, and until something was done meanwhile."""
    until, done = time.monotonic() + seconds, traffic.done
    wait_for(lambda: time.monotonic() > until and traffic.done > done, PATIENCE, "somebody to get through")


def _print(passages: list[Passage], replicas: int) -> None:
    print(report.machine())
    columns = ("operation", "seconds", "write gap s", "read gap s", "acknowledged", "lost")
    rows = [dataclasses.astuple(one) for one in passages]
    report.print_table("A writer and a reader, whatever happens to their servers", columns, rows)
    figures: dict[str, object] = {"bench": "availability", "replicas": replicas}
    for operation in dict.fromkeys(one.operation for one in passages):
        of = [one for one in passages if one.operation == operation]
        figures[f"{operation}_s"] = max(one.seconds for one in of)
        figures[f"{operation}_gap_s"] = max(one.write_gap for one in of)
        figures[f"{operation}_read_gap_s"] = max(one.read_gap for one in of)
        figures[f"{operation}_lost"] = sum(one.lost for one in of)
    report.print_json(figures)
