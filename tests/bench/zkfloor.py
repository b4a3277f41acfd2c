# SPDX-License-Identifier: Apache-2.0
"""The round trips to ZooKeeper between a job's posting and its first step, by bare kazoo clients."""

import threading
import time
from typing import Any

from kazoo.client import KazooClient

VALUE = b"x" * 250
"""About as long as a job."""


def round_trips(hosts: str, count: int) -> list[float]:
    """Seconds from posting to holding a claim, each: create a sequence node | a watch fires, list the children, read
    the node | check and lock it in a transaction, read the lock. Removing both is not counted."""
    poster, claimer = KazooClient(hosts), KazooClient(hosts)
    poster.start()
    claimer.start()
    try:
        poster.ensure_path("/floor")
        seen: set[str] = set()
        came = threading.Event()

        def look(children: list[str]) -> None:
            jobs = {child for child in children if not child.endswith(".lock")}
            if jobs - seen:
                claimer.get_async(f"/floor/{next(iter(jobs - seen))}").rawlink(lambda _: came.set())
            seen.clear()
            seen.update(jobs)

        claimer.ChildrenWatch("/floor", look)
        return [_one(poster, claimer, came) for _ in range(count)]
    finally:
        for client in (poster, claimer):
            client.stop()
            client.close()


def _one(poster: Any, claimer: Any, came: threading.Event) -> float:
    came.clear()
    begun = time.monotonic()
    path = poster.create("/floor/job", VALUE, sequence=True)
    if not came.wait(30):
        raise RuntimeError("the watch did not fire")
    _, stat = claimer.get(path)
    transaction = claimer.transaction()
    transaction.check(path, version=stat.version)
    transaction.create(f"{path}.lock", b"me", ephemeral=True)
    for result in transaction.commit():
        if isinstance(result, Exception):
            raise result
    claimer.get(f"{path}.lock")
    took = time.monotonic() - begun
    claimer.delete(f"{path}.lock")
    claimer.delete(path)
    return took
