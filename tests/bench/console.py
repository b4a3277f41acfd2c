# SPDX-License-Identifier: Apache-2.0
"""``python -m tests.bench console``: pages over many operations, one operation with many viewers, large drawings"""

import argparse
import contextlib
import dataclasses
import http.client
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import psutil
import sqlalchemy as sa

from dbflow.console.drawing import Graph, layout, to_svg
from dbflow.db.models import Operation
from dbflow.db.session import Database
from dbflow.persistence.tables import ATOMS
from tests.bench import report
from tests.bench.places import directory
from tests.unit.graphs import wide

PAGES = {
    "table": "/operations",
    "a state of it": "/operations?state=FAILED",
    "text in it": "/operations?text=rack+17",
    "overview": "/",
    "operation": "/operations/{operation}",
}
STEP = "create-databases"
PATIENCE = 60.0


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--operations", type=int, default=10_000, metavar="N", help="in the table")
    parser.add_argument("--viewers", type=int, default=200, metavar="N", help="of one operation")
    parser.add_argument("--changes", type=int, default=20, metavar="N", help="that the viewers see")
    parser.add_argument("--requests", type=int, default=20, metavar="N", help="of each page")


def run(options: argparse.Namespace) -> None:
    with directory("console") as base, _serving(base, options) as server:
        cookie = _sign_in(server.port)
        pages = {name: _page(server, cookie, path, options.requests) for name, path in PAGES.items()}
        fan = _fan(server, cookie, options)
    laid = _layout()
    report.print_table(
        f"pages over {options.operations:,} operations (SQLite)",
        ["", "p50 ms", "p99 ms", "ms of CPU"],
        [[name, *figures] for name, figures in pages.items()],
    )
    report.print_table(
        f"{options.viewers} viewers of one operation",
        ["", "p50", "p99"],
        [["seconds from a change to its being seen", fan["delay_p50_s"], fan["delay_p99_s"]]],
    )
    print(f"CPU of the server meanwhile: {100 * fan['cpu']:.1f} % of a processor; {fan['events']} events")
    print(f"CPU of the server with as many viewers while nothing changes: {100 * fan['idle_cpu']:.1f} %")
    print(
        f"statements a second that the server sends to its database: {fan['statements_per_s']:.1f}; "
        f"while nothing changes: {fan['idle_statements_per_s']:.1f}"
    )
    print(f"600 steps: laid out in {laid[0]:.1f} ms of CPU, drawn in {laid[1]:.1f} ms")
    print(report.machine())
    figures = {
        "page_p50_ms": max(one[0] for one in pages.values()),
        "page_cpu_ms": max(one[2] for one in pages.values()),
        "viewers": options.viewers,
        **fan,
        "layout_600_ms": laid[0],
    }
    report.print_json({"bench": "console", **figures})


@dataclasses.dataclass
class Server:
    """What the other process told."""

    port: int
    operation: str
    url: str
    process: psutil.Process
    pipe: subprocess.Popen[str]

    def statements(self) -> int:
        """How many it has sent to its database so far."""
        assert self.pipe.stdin is not None
        assert self.pipe.stdout is not None
        self.pipe.stdin.write("\n")
        self.pipe.stdin.flush()
        return int(self.pipe.stdout.readline())

    def cpu(self) -> float:
        """Seconds of processor time so far."""
        times = self.process.cpu_times()
        return float(times.user + times.system)


@contextlib.contextmanager
def _serving(base: Any, options: argparse.Namespace) -> Iterator[Server]:
    argv = [sys.executable, "-m", "tests.bench.consoleserver", str(base), str(options.operations)]
    with subprocess.Popen(
        [*argv, str(options.viewers + 4)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield Server(**json.loads(process.stdout.readline()), process=psutil.Process(process.pid), pipe=process)
        process.stdin.close()
        process.terminate()


def _sign_in(port: int) -> str:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    connection.request("POST", "/console/signin", urlencode({"token": "admin"}), form)
    cookie = connection.getresponse().headers["Set-Cookie"]
    return cookie.partition(";")[0]


def _page(server: Server, cookie: str, path: str, requests: int) -> tuple[float, float, float]:
    """(p50 ms, p99 ms, ms of CPU) of a page, asked for on a kept connection."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
    took, used = [], 0.0
    for number in range(requests + 1):
        if number == 1:
            used = server.cpu()  # the first is to warm up
        began = time.perf_counter()
        connection.request("GET", f"/console{path.format(operation=server.operation)}", headers={"Cookie": cookie})
        answer = connection.getresponse()
        answer.read()
        took.append(1000 * (time.perf_counter() - began))
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")
    cpu = 1000 * (server.cpu() - used) / requests
    return report.percentile(took[1:], 50), report.percentile(took[1:], 99), cpu


def _fan(server: Server, cookie: str, options: argparse.Namespace) -> dict[str, float]:
    database = Database(server.url)
    request = (
        f"GET /console/operations/{server.operation}?task={STEP} HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n"
        f"Cookie: {cookie}\r\n\r\n"
    )
    with contextlib.closing(database), contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for _ in range(options.viewers):
            viewer = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), PATIENCE))
            viewer.sendall(request.encode())
            selector.register(viewer, selectors.EVENT_READ)
        _all_see(selector, options.viewers, b"event: part")
        idle = _idle(server)
        used, began, delays, asked = server.cpu(), time.monotonic(), [], server.statements()
        for number in range(options.changes):
            progress = (number + 1) / (options.changes + 1)
            _change(database, server.operation, progress)
            delays += _all_see(selector, options.viewers, f"{progress:.0%}".replace("%", " %").encode())
        elapsed, used, asked = time.monotonic() - began, server.cpu() - used, server.statements() - asked
    return {
        "delay_p50_s": report.percentile(delays, 50),
        "delay_p99_s": report.percentile(delays, 99),
        "cpu": used / elapsed,
        "cpu_ms_a_change": 1000 * used / options.changes,
        **idle,
        "statements_per_s": asked / elapsed,
        "events": len(delays),
    }


def _idle(server: Server) -> dict[str, float]:
    """While all look and nothing changes."""
    used, asked = server.cpu(), server.statements()
    time.sleep(3)
    return {"idle_cpu": (server.cpu() - used) / 3, "idle_statements_per_s": (server.statements() - asked) / 3}


def _change(database: Database, operation_id: str, progress: float) -> None:
    """A step comes further."""
    with database.write() as session:
        flow = session.scalar(sa.select(Operation.flow_uuid).where(Operation.id == operation_id))
        meta = {"progress": progress, "started": "2026-01-01T00:00:00", "attempt": 1}
        step = ATOMS.update().where(ATOMS.c.parent_uuid == flow, ATOMS.c.name == STEP)
        session.execute(step.values(state="RUNNING", meta=meta))


def _all_see(selector: selectors.BaseSelector, viewers: int, text: bytes) -> list[float]:
    """Seconds until each viewer has read ``text``."""
    began, seen, tails = time.monotonic(), {}, {}
    while len(seen) < viewers:
        if time.monotonic() - began > PATIENCE:
            raise RuntimeError(f"{len(seen)} of {viewers} viewers have seen {text!r}")
        for key, _ in selector.select(1.0):
            read = tails.get(key.fd, b"") + key.fileobj.recv(1 << 18)  # type: ignore[union-attr]
            tails[key.fd] = read[-len(text) :]
            if text in read:
                seen.setdefault(key.fd, time.monotonic() - began)
    return list(seen.values())


def _layout() -> tuple[float, float]:
    """(ms to lay out, ms to draw) 600 steps in groups of 20: processor time, the best of five."""
    graph = Graph.of(wide(600, 30))
    best = [float("inf"), float("inf")]
    for _ in range(5):
        began = time.thread_time()
        made = layout(graph)
        best[0] = min(best[0], 1000 * (time.thread_time() - began))
        began = time.thread_time()
        to_svg(made, {})
        best[1] = min(best[1], 1000 * (time.thread_time() - began))
    return best[0], best[1]
