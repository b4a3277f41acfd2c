# SPDX-License-Identifier: Apache-2.0
"""What Prometheus gets of processes: of all workers of an API together, and of a conductor."""

import os
import pathlib
import signal
from collections.abc import Iterator

import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.functional.alone import Alone, all_workers
from tests.waiting import wait_for

ROUTE = "/v1.0/<project>/instances"


@pytest.fixture
def alone(open_tmp: pathlib.Path) -> Iterator[Alone]:
    with Alone(open_tmp) as made:
        yield made


def _samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _listed(alone: Alone) -> float:
    """How many lists of instances were counted."""
    labels = frozenset({"method": "GET", "route": ROUTE, "status": "200"}.items())
    return _samples(alone.figures(alone.api_metrics)).get(("dbflow_http_requests_total", labels), 0)


def test_workers_count_together_and_outlive_each_other(alone: Alone) -> None:
    api = alone.api()
    for _ in range(30):
        assert alone.get("/v1.0/p/instances").status_code == 200
    # A request is counted when it is over, which its client may learn a moment before.
    wait_for(lambda: _listed(alone) == 30, 10, "30 requests")
    workers = all_workers(api)
    os.kill(workers[0].pid, signal.SIGKILL)
    wait_for(lambda: len(psutil.Process(api.pid).children()) == 3 and not workers[0].is_running(), 30, "a new worker")
    assert [_listed(alone) for _ in range(6)] == [30] * 6
    for _ in range(10):
        assert alone.get("/v1.0/p/instances").status_code == 200
    wait_for(lambda: _listed(alone) == 40, 10, "40 requests")
    in_use = "dbflow_sql_connections", frozenset[tuple[str, str]]()  # told after the request is counted
    wait_for(lambda: _samples(alone.figures(alone.api_metrics))[in_use] == 0, 10, "no connection in use")


def test_figures_and_the_api_keep_to_their_ports(alone: Alone) -> None:
    alone.api()
    assert alone.get("/metrics").status_code == 404
    base = f"http://127.0.0.1:{alone.api_metrics}"
    for path in ("/", "/v1.0/p/instances", "/healthcheck", "/console/"):
        answer = requests.get(base + path, timeout=30)
        assert (answer.status_code, answer.text) == (404, "Only GET /metrics is answered here.\n")
    assert requests.post(f"{base}/metrics", timeout=30).status_code == 404
    # Whatever a client says of the port.
    assert alone.get("/metrics", Host=f"127.0.0.1:{alone.api_metrics}").status_code == 404


def test_a_conductor(alone: Alone) -> None:
    alone.conductor()
    found = _samples(alone.figures(alone.conductor_metrics))
    assert found["dbflow_claims_held", frozenset()] == 0
    assert found["dbflow_broker_connected", frozenset()] == 0

    def leads() -> bool:
        now = _samples(alone.figures(alone.conductor_metrics))
        return now["dbflow_leader", frozenset()] == 1 and ("dbflow_notifications_waiting", frozenset()) in now

    wait_for(leads, 60, "the figures of the leader")


def test_a_port_that_is_taken_stops_no_conductor(alone: Alone) -> None:
    alone.conductor()
    other = Alone.__new__(Alone)
    other.__dict__ |= alone.__dict__ | {"_started": []}
    with other:
        second = other.conductor()
        # It has yet to start: the first one's log, which is its own, says already that somebody leads.
        wait_for(lambda: "no figures for Prometheus: port" in second.text(), 60, "the reason")
        assert second.alive
