# SPDX-License-Identifier: Apache-2.0
"""``steps``: durable steps a second of a 10-step flow, beside stock TaskFlow and DBOS, in turns."""

import argparse
import contextlib
import dataclasses
import itertools
import logging
import pathlib
import time
from collections.abc import Callable, Iterator

from tests.bench import contenders, report
from tests.bench.contenders import STEPS, Contender, Dbflow, Dbos, Stock, has_dbos, sqlite_url
from tests.bench.places import directory
from tests.bench.postgres import Postgres
from tests.servers import MariaDBServer

SLOW_SHARE = 5
"""Stock TaskFlow gets a fifth of the flows, so that its share of the time is bearable."""


@dataclasses.dataclass
class Case:
    """A contender on a database, so many flows at a time; its figures, one a round."""

    database: str
    contender: Contender
    in_flight: int
    rates: list[float] = dataclasses.field(default_factory=list)
    """Steps a second."""
    costs: list[float] = dataclasses.field(default_factory=list)
    """Seconds of this process's processor time a step."""

    def measure(self, flows: int) -> None:
        """One round."""
        if isinstance(self.contender, Stock):
            flows = max(self.in_flight, flows // SLOW_SHARE) if self.in_flight > 1 else max(1, flows // SLOW_SHARE)
        wall, processor = time.monotonic(), time.process_time()
        contenders.run(self.contender, flows, self.in_flight)
        steps = flows * STEPS
        self.rates.append(steps / (time.monotonic() - wall))
        self.costs.append((time.process_time() - processor) / steps)

    @property
    def rate(self) -> float:
        """Median."""
        return report.median(self.rates)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with every contender (%(default)s)")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 20], help="flows at a time (%(default)s)")
    parser.add_argument("--flows", type=int, default=40, help="flows of dbflow and DBOS a round (%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)
    with _cases(options.at_once) as groups:
        for case in itertools.chain(*groups.values()):
            contenders.run(case.contender, 1, 1)
        for _, cases in itertools.product(range(options.rounds), groups.values()):
            for case in cases:
                case.measure(options.flows)
    _print(groups)


@contextlib.contextmanager
def _cases(at_once: list[int]) -> Iterator[dict[str, list[Case]]]:
    """By where the state is kept: in a file, or by a server. DBOS has no MariaDB; PostgreSQL is its home."""
    with directory("steps") as base, MariaDBServer(base) as mariadb, contextlib.ExitStack() as stack:

        def in_file(name: str) -> str:
            return sqlite_url(base / f"{name}.sqlite")

        groups = {
            "file": _entrants("SQLite", in_file, base),
            "server": _entrants("MariaDB", mariadb.create_database, base),
        }
        if has_dbos():
            groups["file"].append(("SQLite", Dbos(in_file("dbos"))))
            if Postgres.installed():
                groups["server"].append(("PostgreSQL", Dbos(stack.enter_context(Postgres(base)).url)))
        for _, contender in itertools.chain(*groups.values()):
            stack.callback(contender.close)
        yield {
            group: [Case(database, one, in_flight) for database, one in entrants for in_flight in at_once]
            for group, entrants in groups.items()
        }


def _entrants(database: str, make: Callable[[str], str], base: pathlib.Path) -> list[tuple[str, Contender]]:
    return [
        (database, Dbflow(make("dbflow"), base / f"keys-{database}")),
        *((database, Stock(make(engine), engine)) for engine in ("serial", "parallel")),
    ]


def _print(groups: dict[str, list[Case]]) -> None:
    rows = [
        [f"{case.contender.name}, {case.database}", case.in_flight, case.rate, 1000 * report.median(case.costs)]
        for case in itertools.chain(*groups.values())
    ]
    columns = ["", "flows at once", "steps/s", "ms of CPU a step"]
    report.print_table(f"Durable steps, in flows of {STEPS}; medians", columns, rows)
    print(report.machine())
    figures: dict[str, object] = {"bench": "steps"}
    for key, rival in (("ratio_stock", Stock), ("ratio_dbos", Dbos)):
        ratios = _ratios(groups, rival)
        for name, ratio in ratios.items():
            print(f"{key} {name}: {ratio:.1f}")
            figures[f"{key}_{name}"] = ratio
        if ratios:
            figures[key] = min(ratios.values())
    for group, cases in groups.items():
        figures |= {f"steps_per_s_{group}_{case.in_flight}": case.rate for case in cases if _is(case, Dbflow)}
    report.print_json(figures)


def _ratios(groups: dict[str, list[Case]], rival: type) -> dict[str, float]:
    """dbflow's rate by the rival's (of several, the fastest), for each place and number of flows at a time."""
    found = {}
    for group, cases in groups.items():
        for in_flight in sorted({case.in_flight for case in cases}):
            these = [case for case in cases if case.in_flight == in_flight]
            rates = [case.rate for case in these if _is(case, rival)]
            ours = [case.rate for case in these if _is(case, Dbflow)]
            if rates:
                found[f"{group}_{in_flight}"] = ours[0] / max(rates)
    return found


def _is(case: Case, kind: type) -> bool:
    return isinstance(case.contender, kind)
