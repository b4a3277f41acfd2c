# SPDX-License-Identifier: Apache-2.0
"""Whole lives of databases while something is killed all the time: every operation succeeds, nothing is left."""

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest

from tests.fault.persistent import Persistent, each
from tests.functional.stack import EmbeddedStack, RealStack, Stack, mysql, new_password, query
from tests.functional.stack.client import PATIENCE
from tests.functional.stack.fixtures import after_failure
from tests.waiting import wait_for

pytestmark = pytest.mark.sweep
LIVES, FAULTS = 10, 30


def _live(persistent: Persistent, name: str) -> None:
    """One whole life."""
    password = new_password()
    user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
    wanted = {"name": name, "flavorRef": "1", "volume": {"size": 1}, "databases": [{"name": "d"}], "users": [user]}
    made = persistent.must("create", "POST", "/instances", {"instance": wanted})
    path = f"/instances/{made.json()['instance']['id']}"
    instance = persistent.ask("show", "GET", path).json()["instance"]
    assert instance["status"] == "ACTIVE", instance
    with mysql(instance, "u", password, "d") as connection:
        query(connection, "CREATE TABLE t (n INT)")
        query(connection, "INSERT INTO t VALUES (1)")
    actions: list[dict[str, Any]] = [
        {"restart": {}},
        {"resize": {"flavorRef": "2"}},
        {"resize": {"volume": {"size": 2}}},
    ]
    for action in actions:
        persistent.must(next(iter(action)), "POST", f"{path}/action", action)
    with mysql(instance, "u", password, "d") as connection:
        assert query(connection, "SELECT n FROM t") == [(1,)]
    persistent.must("delete", "DELETE", path)


def _run(stack: Stack, faults: list[tuple[str, Callable[[random.Random], None]]]) -> None:
    seed = int(os.environ.get("DBFLOW_CHAOS_SEED", time.time()))
    draw, began, over = random.Random(seed), time.monotonic(), threading.Event()
    failures: list[str] = []

    def live() -> None:
        try:
            failures.extend(each(LIVES, lambda number: _live(Persistent(stack.client()), f"life-{number}")))
        finally:
            over.set()

    with stack.nothing_left():
        lives = threading.Thread(target=live)
        lives.start()
        told = []
        for _ in range(FAULTS):
            if over.wait(draw.uniform(0.2, 3.0)):  # the fault's moment is drawn
                break
            name, fault = draw.choice(faults)
            told.append(f"{time.monotonic() - began:.1f} {name}")
            fault(draw)
        lives.join()
        print(f"\nseed {seed}: {LIVES} lives in {time.monotonic() - began:.0f} s among: {', '.join(told)}")
        assert failures == []


def _kill_agent(stack: Stack) -> Callable[[random.Random], None]:
    def kill(draw: random.Random) -> None:
        servers = stack.inventory_of_cloud()["servers"]
        agent = stack.agent(draw.choice(servers)) if servers else None
        if agent is not None:
            with contextlib.suppress(psutil.NoSuchProcess):
                agent.kill()

    return kill


@pytest.fixture
def stack(request: pytest.FixtureRequest, embedded_stack: EmbeddedStack) -> Iterator[EmbeddedStack]:
    yield embedded_stack
    after_failure(request, embedded_stack)


@pytest.fixture
def real(request: pytest.FixtureRequest, real_stack: RealStack) -> Iterator[RealStack]:
    yield real_stack
    real_stack.start()
    after_failure(request, real_stack)


def test_embedded(stack: EmbeddedStack) -> None:
    def kill(_: random.Random) -> None:
        stack.process.kill9()
        stack.start()

    def stop(_: random.Random) -> None:
        stack.process.stop()
        stack.start()

    _run(stack, [("kill", kill), ("stop", stop), ("agent", _kill_agent(stack))])


def _connected(real: RealStack, ports: list[int]) -> bool:
    """Whether ZooKeeper has connections, which end with their session, from one of these ports."""
    connections = real.zookeeper.ask("cons")
    return any(f":{port}[" in connections for port in ports)


def test_real(real: RealStack) -> None:
    def conductor(draw: random.Random) -> None:
        draw.choice(real.conductors).kill9()
        real.start()

    def pause(draw: random.Random) -> None:
        paused = psutil.Process(draw.choice(real.conductors).pid)
        ports = [one.laddr.port for one in paused.net_connections() if one.raddr[1:] == (real.zookeeper.port,)]
        paused.suspend()
        try:
            wait_for(lambda: not _connected(real, ports), PATIENCE, "the end of its session")
        finally:
            paused.resume()

    def server(name: str) -> Callable[[random.Random], None]:
        def restart(_: random.Random) -> None:
            getattr(real, name).kill()
            getattr(real, name).start()

        return restart

    def api(_: random.Random) -> None:
        real.api.kill9()
        real.start()

    parts = [(name, server(name)) for name in ("zookeeper", "rabbitmq", "mariadb")]
    own = [("conductor", conductor), ("pause", pause), ("api", api), ("agent", _kill_agent(real))]
    _run(real, own + parts)
