# SPDX-License-Identifier: Apache-2.0
"""``steps``: durable steps a second of a 10-step flow, beside stock TaskFlow and DBOS, in turns.

All on one machine, each in a process of its own, a round of each after the other, medians. Every commit is on disk
when it returns: SQLite in WAL mode with ``synchronous`` FULL for all (as the product sets it, and as SQLite does by
itself), PostgreSQL with ``fsync`` and ``synchronous_commit`` on and MariaDB with ``innodb_flush_log_at_trx_commit``
1, their defaults. What a flow is for each: dbflow accepts an operation, claims it, runs it fenced and sealed and ends
it; DBOS starts a workflow and returns its result; TaskFlow makes a logbook and runs an engine.
"""

import argparse
import contextlib
import dataclasses
import itertools
import logging
import pathlib
from collections.abc import Callable, Iterator, Sequence

from tests.bench import report
from tests.bench.apart import Apart
from tests.bench.contenders import STEPS, STOCK, Dbflow, Dbos, Stock, has_dbos, sqlite_url
from tests.bench.places import directory
from tests.bench.postgres import Postgres
from tests.servers import MariaDBServer

DATABASES = ("sqlite", "postgresql", "mariadb")
WARM_UP = 3
"""Flows before the first round."""
SLOW_SHARE = 5
"""Stock TaskFlow gets a fifth of the flows, so that its share of the time is bearable."""


@dataclasses.dataclass
class Case:
    """A contender on a database, so many flows at a time; its figures, one a round."""

    database: str
    contender: Apart
    in_flight: int
    slow: bool = False
    rates: list[float] = dataclasses.field(default_factory=list)
    """Steps a second."""
    costs: list[float] = dataclasses.field(default_factory=list)
    """Seconds of its process's processor time a step."""

    def measure(self, flows: int) -> None:
        """One round."""
        if self.slow:
            flows = max(self.in_flight, flows // SLOW_SHARE)
        rate, cost = self.contender.run(flows, self.in_flight)
        self.rates.append(rate)
        self.costs.append(cost)

    @property
    def rate(self) -> float:
        """Median."""
        return report.median(self.rates)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--rounds", type=int, default=3, help="rounds, each with every contender (%(default)s)")
    parser.add_argument("--at-once", type=int, nargs="+", default=[1, 20], help="flows at a time (%(default)s)")
    parser.add_argument(
        "--databases", nargs="+", choices=DATABASES, default=DATABASES, help="where the state is kept (%(default)s)"
    )
    parser.add_argument("--flows", type=int, default=40, help="flows of dbflow and DBOS a round (%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)
    with _cases(options.databases, options.at_once) as groups:
        for case in itertools.chain(*groups.values()):
            case.contender.run(WARM_UP, 1)
        for _, cases in itertools.product(range(options.rounds), groups.values()):
            for case in cases:
                case.measure(options.flows)
    _print(groups)


@contextlib.contextmanager
def _cases(databases: Sequence[str], at_once: list[int]) -> Iterator[dict[str, list[Case]]]:
    """By database; without PostgreSQL where this machine has none."""
    with directory("steps") as base, contextlib.ExitStack() as stack:
        groups = {}
        for database in databases:
            if database != "postgresql" or Postgres.installed():
                entrants = _entrants(base, database, _maker(database, base, stack))
                for one in entrants:
                    stack.callback(one.close)
                groups[database] = [
                    Case(database, one, in_flight, slow=one.name.startswith(STOCK))
                    for one in entrants
                    for in_flight in at_once
                ]
        yield groups


def _maker(database: str, base: pathlib.Path, stack: contextlib.ExitStack) -> Callable[[str], str]:
    """Makes an empty database of that name and returns its URL."""
    if database == "sqlite":
        return lambda name: sqlite_url(base / f"{name}.sqlite")
    server: Postgres | MariaDBServer = Postgres(base) if database == "postgresql" else MariaDBServer(base)
    stack.enter_context(server)
    return server.create_database


def _entrants(base: pathlib.Path, database: str, make: Callable[[str], str]) -> list[Apart]:
    """Stock TaskFlow runs on what dbflow itself is made for; DBOS has no MariaDB."""
    entrants = [Apart(Dbflow, make("dbflow"), base / f"keys-{database}")]
    if database != "postgresql":
        entrants += [Apart(Stock, make(engine), engine) for engine in ("serial", "parallel")]
    if database != "mariadb" and has_dbos():
        entrants.append(Apart(Dbos, make("dbos")))
    return entrants


def _print(groups: dict[str, list[Case]]) -> None:
    rows = [
        [f"{case.contender.name}, {case.database}", case.in_flight, case.rate, 1000 * report.median(case.costs)]
        for case in itertools.chain(*groups.values())
    ]
    columns = ["", "flows at once", "steps/s", "ms of CPU a step"]
    report.print_table(f"Durable steps, in flows of {STEPS}; medians", columns, rows)
    print(report.machine())
    figures: dict[str, object] = {"bench": "steps"}
    for key, rival in (("ratio_stock", STOCK), ("ratio_dbos", Dbos.name)):
        ratios = _ratios(groups, rival)
        for name, ratio in ratios.items():
            print(f"{key} {name}: {ratio:.1f}")
            figures[f"{key}_{name}"] = ratio
        if ratios:
            figures[key] = min(ratios.values())
    for group, cases in groups.items():
        figures |= {f"steps_per_s_{group}_{case.in_flight}": case.rate for case in cases if _is(case, Dbflow.name)}
    report.print_json(figures)


def _ratios(groups: dict[str, list[Case]], rival: str) -> dict[str, float]:
    """dbflow's rate by the rival's (of several, the fastest), for each place and number of flows at a time."""
    found = {}
    for group, cases in groups.items():
        for in_flight in sorted({case.in_flight for case in cases}):
            these = [case for case in cases if case.in_flight == in_flight]
            rates = [case.rate for case in these if _is(case, rival)]
            ours = [case.rate for case in these if _is(case, Dbflow.name)]
            if rates:
                found[f"{group}_{in_flight}"] = ours[0] / max(rates)
    return found


def _is(case: Case, name: str) -> bool:
    return case.contender.name.startswith(name)
