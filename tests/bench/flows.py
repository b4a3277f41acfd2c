# SPDX-License-Identifier: Apache-2.0
"""``flows``: the memory of a conductor with hundreds of flows in flight, each in the middle of a wait."""

import argparse
import functools
import logging
import threading
from concurrent import futures

import psutil
from taskflow.patterns import linear_flow

from dbflow.operations import Kind
from dbflow.waits import NotYet
from flows.registry import REGISTRY, Definition
from flows.tasks.base import LocalTask
from tests.bench import report
from tests.bench.contenders import STEPS, Dbflow, sqlite_url
from tests.bench.places import directory
from tests.waiting import wait_for

KIND = "bench.waits"
_THERE = threading.Event()
_LOOKED: set[int] = set()
"""The first steps, by identity, that found nothing there."""


class _Wait(LocalTask):
    """Is there when everything is."""

    def execute(self) -> None:
        if not _THERE.is_set():
            _LOOKED.add(id(self))
            raise NotYet("the end of the measurement", after=2.0)


class _Waiting(Dbflow):
    """Operations of as many steps as those of ``steps``, each of which waits."""

    kind = KIND

    def one(self) -> None:
        _register()
        super().one()


@functools.cache
def _register() -> None:
    def build(_arguments: object) -> linear_flow.Flow:
        return linear_flow.Flow(KIND).add(*(_Wait(f"wait-{number}") for number in range(STEPS)))

    kind = Kind(KIND, "Waits", 1, "NORMAL", "instance", "RESIZING")
    REGISTRY.add(Definition(kind, build, lambda _session, _ending: None, {}))


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of this benchmark."""
    parser.add_argument("--in-flight", type=int, default=200, help="flows that wait at the same time (%(default)s)")


def run(options: argparse.Namespace) -> None:
    """Measure and print."""
    logging.disable(logging.CRITICAL)
    count, process = options.in_flight, psutil.Process()
    with directory("flows") as base, futures.ThreadPoolExecutor(count) as pool:
        conductor = _Waiting(sqlite_url(base / "flows.sqlite"), base / "keys")
        before = process.memory_info().rss / 2**20
        running = [pool.submit(conductor.one) for _ in range(count)]
        try:
            wait_for(lambda: len(_LOOKED) == count, 300, f"{count} flows to wait")
            resident, threads = process.memory_info().rss / 2**20, threading.active_count()
        finally:
            _THERE.set()
        for one in running:
            one.result()
        conductor.close()
    rows = [["without flows", before, ""], [f"with {count} that wait", resident, threads]]
    report.print_table("Memory of a conductor", ["", "MiB resident", "threads"], rows)
    print(report.machine())
    figures: dict[str, object] = {"bench": "flows", "waiting": count, "ended": len(running), "threads": threads}
    report.print_json(figures | {"resident_mib": resident, "mib_a_flow": (resident - before) / count})
