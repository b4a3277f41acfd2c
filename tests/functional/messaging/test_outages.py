# SPDX-License-Identifier: Apache-2.0
"""The broker goes away and comes back, empty or not."""

import pathlib
import time
from collections.abc import Callable, Iterator

import pytest

from dbflow.messaging.embedded import EmbeddedBroker
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.messaging.link import BACK_OFF
from tests.guests.asking import PATIENCE, TASKS, Field, request
from tests.servers import RabbitMQ
from tests.waiting import wait_for

SECRET = "the same after a restart"
LOST_AFTER = 2 * BACK_OFF[1] + 4.0
"""Seconds: the guest may be back that much later than who asks it."""
Start = Callable[[], None]


class Broker:
    """A broker of this test's own that can be stopped and started."""

    def __init__(self, url: str, start: Start, stop: Start) -> None:
        self.url, self.start, self.stop = url, start, stop


def _embedded(socket_dir: pathlib.Path) -> Broker:
    running: list[EmbeddedBroker] = []

    def start() -> None:
        running.append(EmbeddedBroker(socket_dir / "broker", secret=SECRET))
        running[-1].start()

    def stop() -> None:
        for broker in running:
            broker.stop()
        running.clear()

    return Broker(EmbeddedBroker(socket_dir / "broker", secret=SECRET).url, start, stop)


@pytest.fixture(params=["embedded", "rabbitmq"])
def broker(request: pytest.FixtureRequest, socket_dir: pathlib.Path, servers_base: pathlib.Path) -> Iterator[Broker]:
    if request.param == "embedded":
        made = _embedded(socket_dir)
    else:
        server = RabbitMQ(servers_base, management=False)
        made = Broker(server.url(), server.start, server.stop)
    yield made
    made.stop()


@pytest.fixture
def outage_field(broker: Broker, tmp_path: pathlib.Path) -> Iterator[Field]:
    made = Field(tmp_path, broker.url)
    yield made
    made.close()


def lines(path: pathlib.Path) -> list[str]:
    return path.read_text().split() if path.exists() else []


def test_broker_restarts_while_a_task_runs(broker: Broker, outage_field: Field) -> None:
    broker.start()
    asker, guest = outage_field.dispatcher(guest_lost_after=LOST_AFTER), outage_field.guest()
    path, gate = outage_field.root / "trace", outage_field.root / "gate"
    future = asker.submit(request(guest.instance_id, "Slow", path=str(path), gate=str(gate)))
    wait_for(lambda: lines(path) == ["begin"], PATIENCE, "the slow task")
    broker.stop()
    gate.touch()
    wait_for(lambda: lines(path) == ["begin", "end"], PATIENCE, "the task to end without a broker")
    until = time.monotonic() + LOST_AFTER + 1  # no clock runs while the broker is away
    wait_for(lambda: time.monotonic() > until or future.done(), LOST_AFTER + 10, "the outage to last")
    assert not future.done()
    broker.start()
    assert future.result(PATIENCE) == "slow"
    assert lines(path) == ["begin", "end"]
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "again"}, PATIENCE) == "again"


def test_everything_starts_before_the_broker(broker: Broker, outage_field: Field) -> None:
    began = time.monotonic()
    asker, guest = outage_field.dispatcher(wait=False), outage_field.guest()
    future = asker.submit(request(guest.instance_id, "Write", path=str(outage_field.root / "f"), word="one"))
    with pytest.raises(BrokerUnavailable):
        asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, 0.2)
    assert time.monotonic() - began < 10, "nothing waits for the broker"
    broker.start()
    assert future.result(PATIENCE) == "one"


def test_heartbeats_go_on_after_an_outage(broker: Broker, outage_field: Field) -> None:
    broker.start()
    heard: list[float] = []
    outage_field.dispatcher(on_heartbeat=lambda _instance_id, body: heard.append(body["at"]))
    outage_field.guest()
    wait_for(lambda: heard, PATIENCE, "a heartbeat")
    broker.stop()
    broker.start()
    since = time.time()
    wait_for(lambda: heard[-1] > since, PATIENCE, "a heartbeat after the restart")


def test_stop_is_quick_without_a_broker(broker: Broker, outage_field: Field) -> None:
    def took() -> float:
        asker = outage_field.dispatcher(wait=False)
        began = time.monotonic()
        asker.stop()
        return time.monotonic() - began

    assert min(took() for _ in range(3)) < 1  # the machine may have something else to do once
