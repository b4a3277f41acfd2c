# SPDX-License-Identifier: Apache-2.0
"""A request and its reply over a broker by kombu alone.

``python -m tests.bench.bare``: the one that replies. Its broker's URL is the first line of standard input; it goes
when standard input ends.
"""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import kombu

from dbflow.messaging.connection import opened

BODY = {"sealed": "x" * 600}
"""About as long as a sealed request of few arguments."""
_EXCHANGE = kombu.Exchange("bench.bare", type="direct", durable=True, auto_delete=False)


def _queue(name: str) -> kombu.Queue:
    return kombu.Queue(f"bench.bare.{name}", exchange=_EXCHANGE, routing_key=name, durable=True)


@contextlib.contextmanager
def _ends(
    url: str, take: str, send: str, on_message: Callable[[Any], None]
) -> Iterator[tuple[Any, Callable[[], None]]]:
    """(connection that receives, how to send): two connections, as the product's ends have."""
    with opened(url) as incoming, opened(url) as outgoing:
        channel = incoming.channel()
        for name in (take, send):
            _queue(name)(channel).declare()
        producer = kombu.Producer(outgoing.channel())

        def publish() -> None:
            producer.publish(BODY, exchange=_EXCHANGE.name, routing_key=send, serializer="json")

        with kombu.Consumer(channel, queues=[_queue(take)], on_message=on_message, no_ack=True):
            yield incoming, publish


def round_trips(url: str, count: int) -> list[float]:
    """Seconds of each, one after the other."""
    came: list[Any] = []
    took = []
    with _ends(url, "replies", "requests", came.append) as (incoming, publish):
        for _ in range(count + 1):
            came.clear()
            sent = time.monotonic()
            publish()
            while not came:
                incoming.drain_events(timeout=30)
            took.append(time.monotonic() - sent)
    return took[1:]


def main() -> None:
    """Reply."""
    url = sys.stdin.readline().strip()
    threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
    ends: list[Callable[[], None]] = []
    with _ends(url, "requests", "replies", lambda _: ends[0]()) as (incoming, publish):
        ends.append(publish)
        print("ready", flush=True)
        while True:
            with contextlib.suppress(TimeoutError):
                incoming.drain_events(timeout=30)


if __name__ == "__main__":
    main()
