# SPDX-License-Identifier: Apache-2.0
"""Whole lives of databases while something is killed all the time: every operation succeeds, nothing is left."""

import contextlib
import os
import random
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import psutil
import pytest
import requests

from tests.functional.stack import Client, EmbeddedStack, RealStack, Stack, mysql, new_password, operation_of, query
from tests.functional.stack.fixtures import after_failure
from tests.waiting import wait_for

pytestmark = pytest.mark.sweep
LIVES, FAULTS = 10, 30
LONG = 400.0
"""Seconds for one operation, however often it is disturbed."""


class Persistent:
    """A client that asks again, with the same Idempotency-Key, until it is answered."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        """The first answer that is not a failure of the server."""
        key = str(uuid.uuid4())

        def answered() -> requests.Response | None:
            try:
                answer = self._client.raw(method, path, body, **{"Idempotency-Key": key})
            except requests.RequestException:
                return None
            return answer if answer.status_code < 500 and answer.status_code not in (409, 429) else None

        return wait_for(answered, LONG, f"an answer to {method} {path}")

    def end(self, answer: requests.Response) -> None:
        """Wait for the operation of an answer; it must succeed."""
        assert answer.status_code < 300, answer.text
        operation_id = operation_of(answer)

        def ended() -> dict[str, Any] | None:
            found: dict[str, Any] = self.ask("GET", f"/operations/{operation_id}").json()["operation"]
            return found if found["done"] else None

        found = wait_for(ended, LONG, f"the end of {operation_id}")
        assert found["state"] == "SUCCESS", found

    def live(self, name: str) -> None:
        """One whole life."""
        password = new_password()
        user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
        wanted = {"name": name, "flavorRef": "1", "volume": {"size": 1}, "databases": [{"name": "d"}], "users": [user]}
        made = self.ask("POST", "/instances", {"instance": wanted})
        self.end(made)
        path = f"/instances/{made.json()['instance']['id']}"
        instance = self.ask("GET", path).json()["instance"]
        assert instance["status"] == "ACTIVE", instance
        with mysql(instance, "u", password, "d") as connection:
            query(connection, "CREATE TABLE t (n INT)")
            query(connection, "INSERT INTO t VALUES (1)")
        changes: list[dict[str, Any]] = [{"flavorRef": "2"}, {"volume": {"size": 2}}]
        for action in ({"restart": {}}, *({"resize": change} for change in changes)):
            self.end(self.ask("POST", f"{path}/action", action))
        with mysql(instance, "u", password, "d") as connection:
            assert query(connection, "SELECT n FROM t") == [(1,)]
        self.end(self.ask("DELETE", path))


def _run(stack: Stack, faults: list[tuple[str, Callable[[random.Random], None]]]) -> None:
    seed = int(os.environ.get("DBFLOW_CHAOS_SEED", time.time()))
    draw, began, done = random.Random(seed), time.monotonic(), threading.Event()
    failures: list[str] = []

    def live(number: int) -> None:
        try:
            Persistent(stack.client()).live(f"life-{number}")
        except Exception as error:
            failures.append(f"life {number}: {error!r}")

    with stack.nothing_left():
        threads = [threading.Thread(target=live, args=(number,)) for number in range(LIVES)]
        for thread in threads:
            thread.start()
        told = []
        for _ in range(FAULTS):
            done.wait(draw.uniform(0.2, 3.0))  # not a wait for anything: the fault's moment is drawn
            if not any(thread.is_alive() for thread in threads):
                break
            name, fault = draw.choice(faults)
            told.append(f"{time.monotonic() - began:.1f} {name}")
            fault(draw)
        for thread in threads:
            thread.join()
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


def test_real(real: RealStack) -> None:
    def conductor(draw: random.Random) -> None:
        draw.choice(real.conductors).kill9()
        real.start()

    def pause(draw: random.Random) -> None:
        pid = draw.choice(real.conductors).pid
        os.kill(pid, signal.SIGSTOP)
        threading.Event().wait(5.0)  # longer than its session
        os.kill(pid, signal.SIGCONT)

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
