# SPDX-License-Identifier: Apache-2.0
"""What a process tells Prometheus. No label holds an id or a name that a user chose, so that their number is bounded.

prometheus_client decides when it is imported whether it counts in memory or in files that several processes share
($PROMETHEUS_MULTIPROC_DIR), so that it is imported as late as here.
"""

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry
    from prometheus_client.core import GaugeMetricFamily

SHARED = "PROMETHEUS_MULTIPROC_DIR"
"""Variable that names the directory in which the workers of an API count together."""
Look = Callable[[], Mapping[tuple[str, ...], float]]
"""Values by their labels; none while they are not known. It must be quick."""

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_REQUEST = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60)
_OPERATION = (1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 4 * 3600)
_STEP = (0.01, 0.1, 1, 10, 60, 600)


class Metrics:
    """Of one process; every method may be called from any thread."""

    def __init__(self) -> None:
        from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

        self._registry = registry = CollectorRegistry()
        answered = ["method", "route", "status"]
        self._requests = Counter("dbflow_http_requests", "Requests answered.", answered, registry=registry)
        self._request_seconds = Histogram(
            "dbflow_http_request_seconds",
            "Seconds until the answer to a request began.",
            ["method", "route"],
            registry=registry,
            buckets=_REQUEST,
        )
        self._accepted = Counter(
            "dbflow_operations_accepted", "Operations accepted by an API.", ["kind"], registry=registry
        )
        self._claimed = Counter(
            "dbflow_operations_claimed", "Operations begun or gone on with.", ["kind"], registry=registry
        )
        self._operation_seconds = Histogram(
            "dbflow_operation_seconds",
            "Seconds from the acceptance of an operation to its end, by how it ended.",
            ["kind", "state"],
            registry=registry,
            buckets=_OPERATION,
        )
        self._step_seconds = Histogram(
            "dbflow_step_seconds",
            "Seconds that a step of a flow took, by how it ended.",
            ["kind", "step", "state"],
            registry=registry,
            buckets=_STEP,
        )
        self._connections = Gauge(
            "dbflow_sql_connections",
            "Connections to dbflow's database that are in use.",
            multiprocess_mode="livesum",
            registry=registry,
        )

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered; ``route`` is the pattern of its URL."""
        method = method if method in _METHODS else "other"
        self._requests.labels(method, route, str(status)).inc()
        self._request_seconds.labels(method, route).observe(seconds)

    def accepted(self, kind: str) -> None:
        """An operation was."""
        self._accepted.labels(kind).inc()

    def claimed(self, kind: str) -> None:
        """An operation is run here from now on."""
        self._claimed.labels(kind).inc()

    def ended(self, kind: str, state: str, seconds: float) -> None:
        """An operation did, so many seconds after its acceptance."""
        self._operation_seconds.labels(kind, state).observe(seconds)

    def step(self, kind: str, step: str, state: str, seconds: float) -> None:
        """A step of an operation ended."""
        self._step_seconds.labels(kind, step, state).observe(seconds)

    def connections(self, in_use: int) -> None:
        """To the database, of this process, now."""
        self._connections.set(in_use)

    def gauge(self, name: str, about: str, labels: Sequence[str], look: Look) -> None:
        """A figure that is looked up when somebody asks. Not for processes that count together."""
        self._registry.register(_Gauge(name, about, labels, look))

    def text(self) -> tuple[bytes, str]:
        """All of it, and its content type; of all processes that count together."""
        from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

        return generate_latest(self._gathered()), CONTENT_TYPE_LATEST

    def serve(self, host: str, port: int) -> threading.Thread:
        """Answer every GET on a port of its own, in threads that end with the process. OSError when it is taken."""
        from prometheus_client import start_http_server

        return start_http_server(port, host, self._gathered())[1]

    def _gathered(self) -> "CollectorRegistry":
        if SHARED not in os.environ:
            return self._registry
        from prometheus_client import CollectorRegistry
        from prometheus_client.multiprocess import MultiProcessCollector

        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return registry


class _Gauge:
    def __init__(self, name: str, about: str, labels: Sequence[str], look: Look) -> None:
        self._name, self._about, self._labels, self._look = name, about, labels, look

    def collect(self) -> "Iterator[GaugeMetricFamily]":
        """Called by prometheus_client."""
        from prometheus_client.core import GaugeMetricFamily

        family = GaugeMetricFamily(self._name, self._about, labels=self._labels)
        for values, figure in self._look().items():
            family.add_metric(values, figure)
        yield family
