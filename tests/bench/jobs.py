# SPDX-License-Identifier: Apache-2.0
"""``jobs``: jobs posted a second, and from POST to an operation's first step, also beside 10,000 jobs."""

import argparse
import contextlib
import dataclasses
import functools
import http.client
import logging
import pathlib
import time
from collections.abc import Iterator, Sequence
from concurrent import futures

import sqlalchemy as sa
from kazoo.client import KazooClient
from oslo_config import cfg

from dbflow.conf import register
from dbflow.crypto import Keyring
from dbflow.db.models import Operation, new_id, utcnow
from dbflow.jobboard import Boards, BoardUnavailable, Poster
from tests.bench import jobflows, report
from tests.bench.api import BODY
from tests.bench.apiserver import POSTING, ApiServer
from tests.bench.conductors import Conductors
from tests.bench.places import directory
from tests.bench.zkfloor import round_trips
from tests.servers import MariaDBServer, ZooKeeper
from tests.servers.ports import LOOPBACK
from tests.waiting import wait_for

FULL = 4
"""Flows that a conductor runs at once where it is to be full."""
ROOT = "/dbflow"
BOARD = f"{ROOT}/board/jobs"
BATCH = 200
TRIES = 10
UNKNOWN = 99
"""A version of flows that no conductor of this release knows."""


@dataclasses.dataclass(frozen=True)
class Latency:
    """From a request's sending to the first step's beginning."""

    what: str
    seconds: list[float]

    @property
    def p50_ms(self) -> float:
        return 1000 * report.percentile(self.seconds, 50)

    @property
    def p99_ms(self) -> float:
        return 1000 * report.percentile(self.seconds, 99)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--requests", type=int, default=100, help="for each figure (%(default)s)")
    parser.add_argument("--conductors", type=int, nargs="+", default=[1, 2, 4], help="how many (%(default)s)")
    parser.add_argument("--crowd", type=int, default=10_000, help="jobs on the crowded board (%(default)s)")
    parser.add_argument("--idle", type=float, default=10.0, help="seconds of idleness (%(default)s)")
    parser.add_argument("--urgent", type=int, default=20, help="urgent jobs for full conductors (%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)
    jobflows.register()
    with directory("jobs") as base, MariaDBServer(base) as mariadb, ZooKeeper(base) as zookeeper:
        coordination = f"driver = zookeeper\nhosts = {zookeeper.hosts}"
        with ApiServer(base, mariadb.create_database("dbflow"), coordination, workers=2) as server:
            place = Place(base, server, zookeeper)
            figures: dict[str, object] = {"bench": "jobs"}
            floor = Latency("bare ZooKeeper round trips", round_trips(zookeeper.hosts, options.requests))
            for threads in (1, 8):
                figures[f"posts_per_s_{threads}"] = place.posts_a_second(options.requests * 5, threads)
            alone = _alone(place, options)
            crowded, idle = _crowded(place, options)
            urgent, full = _urgent(place, options)
    _print(floor, [*alone, crowded, urgent], {"of other versions": idle, "behind full conductors": full}, figures)


class Place:
    """The servers, and what the benchmark does to them beside the API."""

    def __init__(self, base: pathlib.Path, server: ApiServer, zookeeper: ZooKeeper) -> None:
        self.base, self.server, self.zookeeper = base, server, zookeeper
        self._keyring = Keyring.from_file(base / "keys")
        self._posted = 0

    def conductors(self, max_flows: int) -> Conductors:
        """None yet."""
        return Conductors(self.server.conf, self.server.database, max_flows)

    def post(self) -> tuple[str, float]:
        """POST to the API: (operation id, when it was sent)."""
        self._posted += 1
        project = POSTING[self._posted % len(POSTING)]
        headers = {"X-Auth-Token": self.server.tokens[project], "Content-Type": "application/json"}
        sent = time.monotonic()
        with contextlib.closing(http.client.HTTPConnection(LOOPBACK, self.server.port, timeout=60)) as connection:
            connection.request("POST", f"/v1.0/{project}/instances", BODY, headers)
            answer = connection.getresponse()
            text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"POST: {answer.status} {text.decode(errors='replace')[:300]}")
        link = answer.headers["Link"]
        return link.partition("/operations/")[2].partition(">")[0], sent

    def latency(self, what: str, conductors: Conductors, count: int) -> Latency:
        """Of that many requests, one after the other."""
        conductors.begun(self.post()[0])  # the first of a process makes its connections
        took = []
        for _ in range(count):
            operation_id, sent = self.post()
            took.append(conductors.begun(operation_id) - sent)
        return Latency(what, took)

    def posts_a_second(self, count: int, threads: int) -> float:
        """Of a poster by itself, on a board of its own that nobody watches."""
        with self._poster(f"/posts-{threads}") as poster, futures.ThreadPoolExecutor(threads) as pool:
            operations = [self._operation(jobflows.PLAIN) for _ in range(count)]
            poster.post(operations[0])
            begun = time.monotonic()
            for done in [pool.submit(poster.post, operation) for operation in operations]:
                done.result()
            return count / (time.monotonic() - begun)

    def accepted(self, kind: str, count: int = 1, version: int = 1) -> list[Operation]:
        """Operations in SQL and their jobs on the board."""
        operations = [self._operation(kind, version) for _ in range(count)]
        with self._poster(ROOT) as poster, futures.ThreadPoolExecutor(32) as pool:
            # In parts, as they come in life: what is in SQL for seconds and has no job is posted by the leader, too.
            for first in range(0, count, BATCH):
                part = operations[first : first + BATCH]
                with self.server.database.write() as session:
                    session.execute(sa.insert(Operation), [_row(operation) for operation in part])
                list(pool.map(functools.partial(_post, poster), part))
        return operations

    def release(self, operation: Operation) -> None:
        """Let a held one end."""
        (self.base / operation.id).touch()

    def clear(self) -> None:
        """No operation, and an empty board."""
        with self.server.database.write() as session:
            session.execute(sa.delete(Operation))
        client = KazooClient(self.zookeeper.hosts)
        client.start()
        gone = [client.delete_async(f"{BOARD}/{child}") for child in client.get_children(BOARD)]
        for one in gone:
            one.get()
        client.stop()
        client.close()

    def requests(self) -> int:
        """Packets that ZooKeeper has received so far."""
        return int(self.zookeeper.counters()["zk_packets_received"])

    def settled(self) -> None:
        """Until nobody asks ZooKeeper much: those who look at a new crowd have seen it."""

        def quiet() -> bool:
            before = self.requests()
            time.sleep(0.5)
            return self.requests() - before < 50

        wait_for(quiet, 120, "ZooKeeper to be quiet")

    def _operation(self, kind: str, version: int = 1) -> Operation:
        return Operation(
            id=new_id(),
            kind=kind,
            version=version,
            target_type="instance",
            target_id=new_id(),
            project_id="bench",
            user_id="bench",
            priority="HIGH" if kind == jobflows.URGENT else "NORMAL",
            state="ACCEPTED",
            epoch=0,
            attempts=0,
            arguments=self._keyring.seal({"gate": str(self.base)}),
            flow_uuid=new_id(),
            created=utcnow(),
        )

    @contextlib.contextmanager
    def _poster(self, root: str) -> Iterator[Poster]:
        conf = register(cfg.ConfigOpts())
        conf([], project="dbflow", default_config_files=[str(self.server.conf)])
        conf.set_override("root", root, group="coordination")
        with contextlib.closing(Boards(conf).poster()) as poster:
            yield poster


def _post(poster: Poster, operation: Operation) -> None:
    """Again until it is there: a second job for an operation does no harm."""
    for left in reversed(range(TRIES)):
        try:
            poster.post(operation)
            return
        except BoardUnavailable:
            if not left:
                raise


def _row(operation: Operation) -> dict[str, object]:
    now = utcnow()
    row = {column.name: getattr(operation, column.key) for column in Operation.__table__.columns}
    return row | {"created": now}


@dataclasses.dataclass(frozen=True)
class Idle:
    """What conductors cost while nothing happens."""

    requests: float
    """To ZooKeeper, a second, of all together."""
    processor: float
    """Per cent, of the busiest."""
    memory: float
    """MiB, of the largest."""


def _idle(place: Place, conductors: Conductors, seconds: float) -> Idle:
    place.settled()
    before, began = place.requests(), time.monotonic()
    processor, memory = conductors.idle(seconds)
    return Idle((place.requests() - before) / (time.monotonic() - began), processor, memory)


def _alone(place: Place, options: argparse.Namespace) -> list[Latency]:
    """With nothing else on the board."""
    found = []
    with place.conductors(max_flows=64) as conductors:
        started = 0
        for count in options.conductors:
            for _ in range(count - started):
                conductors.add()
            started = count
            found.append(place.latency(f"POST to first step, conductors: {count}", conductors, options.requests))
    return found


def _crowded(place: Place, options: argparse.Namespace) -> tuple[Latency, Idle]:
    """Beside jobs that wait for conductors of another release."""
    with place.conductors(max_flows=64) as conductors:
        place.accepted(jobflows.PLAIN, options.crowd, UNKNOWN)
        conductors.add()
        conductors.add()
        idle = _idle(place, conductors, options.idle)
        what = f"POST to first step, conductors: 2, and {options.crowd:,} jobs of other versions"
        found = place.latency(what, conductors, options.requests)
    place.clear()
    return found, idle


def _urgent(place: Place, options: argparse.Namespace) -> tuple[Latency, Idle]:
    """Jobs wait since all conductors are full. An urgent one comes, a flow ends: how long until the urgent begins?"""
    with place.conductors(max_flows=FULL) as conductors:
        held = place.accepted(jobflows.HELD, FULL)
        conductors.add()
        for _ in held:
            conductors.next()
        place.accepted(jobflows.PLAIN, options.crowd)
        idle = _idle(place, conductors, options.idle)
        took = []
        for _ in range(options.urgent):
            (urgent,) = place.accepted(jobflows.URGENT)
            place.settled()
            conductors.forget()
            place.release(held.pop(0))
            _, _, ended = conductors.next()
            took.append(conductors.begun(urgent.id) - ended)
            held.append(urgent)
        for operation in held:
            place.release(operation)
    return Latency(f"end of a flow to first step of an urgent one, {options.crowd:,} jobs wait", took), idle


def _print(floor: Latency, latencies: Sequence[Latency], idle: dict[str, Idle], figures: dict[str, object]) -> None:
    rows = [[one.what, one.p50_ms, one.p99_ms, one.p50_ms - floor.p50_ms] for one in (floor, *latencies)]
    report.print_table("Latency", ["", "p50 ms", "p99 ms", "p50 over bare"], rows)
    rows = [[what, one.requests, one.processor, one.memory] for what, one in idle.items()]
    columns = ["jobs", "ZooKeeper requests/s", "CPU % of a conductor", "MiB"]
    report.print_table("Conductors that look at a crowded board and have nothing to do", columns, rows)
    print(f"\nJobs posted a second: {figures['posts_per_s_1']:.0f}; by 8 threads: {figures['posts_per_s_8']:.0f}")
    print(report.machine())
    figures |= {
        "floor_p50_ms": floor.p50_ms,
        "first_step_p50_ms": latencies[0].p50_ms,
        "first_step_p99_ms": latencies[0].p99_ms,
        "over_floor_p50_ms": max(one.p50_ms for one in latencies) - floor.p50_ms,
        "crowded_p50_ms": latencies[-2].p50_ms,
        "urgent_p50_ms": latencies[-1].p50_ms,
        "idle_requests_per_s": max(one.requests for one in idle.values()),
        "idle_cpu_percent": max(one.processor for one in idle.values()),
        "idle_memory_mib": max(one.memory for one in idle.values()),
    }
    report.print_json(figures)
