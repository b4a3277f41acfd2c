# SPDX-License-Identifier: Apache-2.0
"""An embedded broker that loses, doubles, delays and reorders messages, as its drawn lots say."""

import collections
import dataclasses
import heapq
import itertools
import random
import time
from typing import Any

from dbflow.messaging.embedded.broker import EmbeddedBroker
from dbflow.messaging.embedded.queues import Queue, Queues

DROP, DOUBLE, DELAY, REORDER = "drop", "double", "delay", "reorder"
FAULTS = (DROP, DOUBLE, DELAY, REORDER)
LATE = (0.2, 6.0)
"""Seconds by which a delayed message, or the second copy of a doubled one, comes late: more than the broker would keep
a request, more than it takes to ask again."""
OVERTAKEN_WITHIN = 1.0
"""Seconds that a message waits for the one that is to overtake it."""

Route = tuple[str, str]
"""(exchange, routing key)"""


@dataclasses.dataclass(frozen=True)
class Weather:
    """How bad it is."""

    faults: tuple[str, ...]
    rate: float
    """Of all messages, for each of the faults."""
    seed: int


@dataclasses.dataclass(order=True)
class _Held:
    due: float
    number: int
    route: Route = dataclasses.field(compare=False)
    message: dict[str, Any] = dataclasses.field(compare=False)
    gone: bool = dataclasses.field(default=False, compare=False)


class DisturbedQueues(Queues):
    """Does to each message that is published what its lot says; every kind of message is treated alike."""

    def __init__(self, weather: Weather) -> None:
        super().__init__()
        self._weather = weather
        self._draw = random.Random(weather.seed)
        self._held: list[_Held] = []
        self._waiting: dict[Route, _Held] = {}
        self._numbers = itertools.count()
        self.counts: collections.Counter[str] = collections.Counter()
        """What was done -> to how many messages; ``published`` is all of them, ``drop REQUEST`` of that type."""

    def publish(self, exchange: str, key: str, message: dict[str, Any]) -> list[Queue]:
        route = (exchange, key)
        fault = self._lot(str(message.get("properties", {}).get("type")))
        reached: list[Queue] = []
        if fault == REORDER and route not in self._waiting:
            self._waiting[route] = self._hold(OVERTAKEN_WITHIN, route, message)
            return []
        if fault == DELAY:
            self._hold(self._draw.uniform(*LATE), route, message)
        elif fault != DROP:
            reached += super().publish(exchange, key, message)
        if fault == DOUBLE:
            if self._draw.random() < 0.5:
                reached += super().publish(exchange, key, message)
            else:
                self._hold(self._draw.uniform(*LATE), route, message)
        overtaken = self._waiting.pop(route, None)
        if overtaken is not None and not overtaken.gone:
            overtaken.gone = True
            reached += super().publish(exchange, key, overtaken.message)
        return reached

    def _lot(self, kind: str) -> str | None:
        self.counts["published"] += 1
        fault = next((one for one in self._weather.faults if self._draw.random() < self._weather.rate), None)
        if fault is not None:
            self.counts[fault] += 1
            self.counts[f"{fault} {kind}"] += 1
        return fault

    def _hold(self, seconds: float, route: Route, message: dict[str, Any]) -> _Held:
        held = _Held(time.monotonic() + seconds, next(self._numbers), route, message)
        heapq.heappush(self._held, held)
        return held

    def next_due(self) -> float | None:
        """Seconds until a message that is held goes on its way."""
        return max(0.0, self._held[0].due - time.monotonic()) if self._held else None

    def release(self) -> list[Queue]:
        """Let go of what is due; the queues it reached."""
        reached: list[Queue] = []
        while self._held and self._held[0].due <= time.monotonic():
            held = heapq.heappop(self._held)
            if not held.gone:
                held.gone = True
                reached += super().publish(*held.route, held.message)
        return reached


class DisturbedBroker(EmbeddedBroker):
    """See the module."""

    def __init__(self, weather: Weather, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.disturbed = DisturbedQueues(weather)
        self._queues = self.disturbed

    def _next_event(self) -> float | None:
        waits = [one for one in (super()._next_event(), self.disturbed.next_due()) if one is not None]
        return min(waits, default=None)

    def _resume(self) -> None:
        for queue in self.disturbed.release():
            self._deliver(queue)
        super()._resume()
