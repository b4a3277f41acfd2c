# SPDX-License-Identifier: Apache-2.0
"""``api``: requests a second and how long they take: list (20 of 100 … 100,000), show, POST to 202."""

import argparse
import contextlib
import dataclasses
import json
import pathlib
import subprocess
import sys
import time
from collections.abc import Iterator

from tests.bench import report
from tests.bench.apiserver import LISTED, POSTING, ApiServer
from tests.bench.contenders import sqlite_url
from tests.bench.load import Task
from tests.bench.places import directory
from tests.servers import MariaDBServer, ZooKeeper

TROVE_LIST, TROVE_SHOW = 2.7, 31.0
"""Requests a second of Trove 26 on this kind of machine: a list of 20 of 100 instances, a show."""
LEAD = 1.0
"""Seconds that the clients have to start."""
WARM_UP = 1.0
"""Seconds"""
DATABASES = ("SQLite", "MariaDB")
BODY = json.dumps({"instance": {"name": "bench", "flavorRef": "1", "volume": {"size": 1}}})


@dataclasses.dataclass(frozen=True)
class Measured:
    """One kind of request under load."""

    database: str
    what: str
    instances: int
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """Processor time of the server's workers a request."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--seconds", type=float, default=4.0, help="of load for each figure (%(default)s)")
    parser.add_argument("--clients", type=int, default=4, help="connections, each a process (%(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="of dbflow-api (%(default)s)")
    parser.add_argument("--instances", type=int, nargs="+", default=[100, 10_000, 100_000], help="sizes of the table")
    parser.add_argument("--databases", nargs="+", choices=DATABASES, default=DATABASES, help="which (%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    measured: list[Measured] = []
    statements: list[int] = []
    with directory("api") as base:
        for database in options.databases:
            with (
                _place(base / database, database) as (url, coordination),
                ApiServer(base / database, url, coordination, options.workers) as server,
            ):
                statements.append(server.statements_of(_list()))
                measured += _measure(server, database, options)
    _print(measured, max(statements), options)


@contextlib.contextmanager
def _place(base: pathlib.Path, database: str) -> Iterator[tuple[str, str]]:
    """(URL of the database, how jobs are posted): all embedded, or the servers of a real deployment."""
    base.mkdir(mode=0o755)
    if database == "SQLite":
        yield sqlite_url(base / "dbflow.sqlite"), "driver = embedded"
        return
    with MariaDBServer(base) as mariadb, ZooKeeper(base) as zookeeper:
        yield mariadb.create_database("dbflow"), f"driver = zookeeper\nhosts = {zookeeper.hosts}"


def _list() -> str:
    return f"/v1.0/{LISTED}/instances?limit=20"


def _measure(server: ApiServer, database: str, options: argparse.Namespace) -> Iterator[Measured]:
    own = server.tokens[LISTED]
    server.fill(options.instances[0])
    warm_up = argparse.Namespace(**vars(options) | {"seconds": WARM_UP})
    _load(server, warm_up, database, "warm-up", 0, "GET", [(_list(), own)])
    for count in options.instances:
        server.fill(count)
        yield _load(server, options, database, f"list 20 of {count:,}", count, "GET", [(_list(), own)])
    shown = [(f"/v1.0/{LISTED}/instances/{each}", own) for each in server.some_ids(200)]
    most = options.instances[-1]
    yield _load(server, options, database, f"show one of {most:,}", most, "GET", shown)
    posting = [(f"/v1.0/{project}/instances", server.tokens[project]) for project in POSTING]
    yield _load(server, options, database, f"POST beside {most:,}", most, "POST", posting, BODY)


def _load(
    server: ApiServer,
    options: argparse.Namespace,
    database: str,
    what: str,
    instances: int,
    method: str,
    targets: list[tuple[str, str]],
    body: str = "",
) -> Measured:
    begin = time.monotonic() + LEAD
    used = server.processor_time()
    tasks = [
        Task(server.port, method, targets[number:] + targets[:number], body, begin, options.seconds)
        for number in range(options.clients)
    ]
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(_client()) for _ in tasks]
        for client, task in zip(clients, tasks, strict=True):
            assert client.stdin is not None
            client.stdin.write(json.dumps(dataclasses.asdict(task)))
            client.stdin.close()
        answers = [json.loads(client.stdout.read()) for client in clients if client.stdout is not None]
    if refused := sum(answer["refused"] for answer in answers):
        raise RuntimeError(f"{refused} requests were refused: {what} on {database}")
    took = [seconds for answer in answers for seconds in answer["seconds"]]
    return Measured(
        database,
        what,
        instances,
        rps=len(took) / options.seconds,
        p50_ms=1000 * report.percentile(took, 50),
        p99_ms=1000 * report.percentile(took, 99),
        cpu_ms=1000 * (server.processor_time() - used) / len(took),
    )


def _client() -> "subprocess.Popen[str]":
    argv = [sys.executable, "-m", "tests.bench.load"]
    return subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _print(measured: list[Measured], statements: int, options: argparse.Namespace) -> None:
    columns = ["", "requests/s", "p50 ms", "p99 ms", "ms of CPU a request"]
    rows = [[f"{one.what}, {one.database}", one.rps, one.p50_ms, one.p99_ms, one.cpu_ms] for one in measured]
    title = f"dbflow-api, {options.workers} workers, {options.clients} clients on this machine too"
    report.print_table(title, columns, rows)
    print(f"SQL statements of a list: {statements}")
    lists = [one for one in measured if one.what.startswith("list")]
    largest = [one for one in lists if one.instances == options.instances[-1]]
    smallest = [one for one in lists if one.instances == options.instances[0]]
    shows = [one for one in measured if one.what.startswith("show")]
    posts = [one for one in measured if one.what.startswith("POST")]
    figures = {
        "list_rps": min(one.rps for one in largest),
        "list_p99_ms": max(one.p99_ms for one in largest),
        "list_flat": min(large.rps / small.rps for large, small in zip(largest, smallest, strict=True)),
        "list_statements": statements,
        "show_rps": min(one.rps for one in shows),
        "show_p99_ms": max(one.p99_ms for one in shows),
        "post_rps": min(one.rps for one in posts),
        "post_p99_ms": max(one.p99_ms for one in posts),
        "list_cpu_ms": max(one.cpu_ms for one in largest),
        "show_cpu_ms": max(one.cpu_ms for one in shows),
        "post_cpu_ms": max(one.cpu_ms for one in posts),
    }
    print(f"list {figures['list_rps'] / TROVE_LIST:.0f} x, show {figures['show_rps'] / TROVE_SHOW:.0f} x Trove's")
    print(report.machine())
    report.print_json({"bench": "api", **figures})
