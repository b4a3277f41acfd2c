# SPDX-License-Identifier: Apache-2.0
"""One guest sends as much as it can; calls to another go on."""

import contextlib
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from dbflow.messaging import rates, warden
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.layout import HEARTBEAT
from dbflow.messaging.logins import RabbitLogins
from tests.guests.asking import PATIENCE, TASKS, Field
from tests.guests.attacker import Attacker
from tests.waiting import wait_for

QUIET, LOUD = 0.5, 3.0
"""Seconds of calls without the flood, and during it."""
SLOWEST = 30.0
"""Seconds that a call may take meanwhile, on a machine whose every core is busy with the flood and other tests."""


class Flood:
    """A process that sends until it is stopped."""

    def __init__(self, attacker: Attacker, keys: list[str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.guests.flood"],
            cwd=pathlib.Path(__file__).parents[3],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        told = {
            "url": attacker.url,
            "exchange": attacker.layout.up.name,
            "keys": keys,
            "user": attacker.user,
            "instance_id": attacker.instance_id,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(told) + "\n")
        self._process.stdin.flush()
        assert self._process.stdout.readline() == "ready\n"
        self._began = time.monotonic()

    def stop(self) -> float:
        """Messages that it got rid of a second."""
        said, _ = self._process.communicate(timeout=60)
        return int(said) / (time.monotonic() - self._began)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait(10)


@contextlib.contextmanager
def flooding(attacker: Attacker, keys: list[str]) -> Iterator[Flood]:
    flood = Flood(attacker, keys)
    try:
        yield flood
    finally:
        flood.kill()


def _latencies(asker: Dispatcher, instance_id: str, seconds: float) -> list[float]:
    found: list[float] = []
    until = time.monotonic() + seconds
    while (began := time.monotonic()) < until:
        number = len(found)
        assert asker.call(instance_id, f"{TASKS}.Echo", {"text": str(number)}, SLOWEST) == str(number)
        found.append(time.monotonic() - began)
    return found


def _narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood is known by what is taken of it: much less where other tests have the machine. Then RabbitMQ may be too
    busy to cut it off at the first window."""
    monkeypatch.setattr(rates, "MESSAGES", 100.0)
    monkeypatch.setattr(warden, "FLOOD", 500)
    monkeypatch.setattr(warden, "WINDOW", 5.0)


def test_a_flood_does_not_stop_others(field: Field, monkeypatch: pytest.MonkeyPatch) -> None:
    if cuts_off := isinstance(field.logins, RabbitLogins):
        _narrow(monkeypatch)
    heard: list[str] = []
    asker = field.dispatcher(on_heartbeat=lambda instance_id, _body: heard.append(instance_id))
    guest = field.guest()
    attacker = Attacker(field, field.guest(start=False))
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "x"}, PATIENCE) == "x"
    quiet = _latencies(asker, guest.instance_id, QUIET)
    with flooding(attacker, [HEARTBEAT, asker._name]) as flood:
        count = len(heard)
        loud = _latencies(asker, guest.instance_id, LOUD)
        wait_for(lambda: heard[count:], PATIENCE, "a heartbeat of the honest guest")
        if cuts_off:
            wait_for(lambda: asker.stats["cut_off"], 2 * PATIENCE, "the flood to be cut off")
        rate = flood.stop()
    figures = {
        "sent_per_s": round(rate),
        "calls": (len(quiet), len(loud)),
        "quiet_p50_ms": round(1000 * statistics.median(quiet), 1),
        "loud_p50_ms": round(1000 * statistics.median(loud), 1),
        "loud_max_ms": round(1000 * max(loud), 1),
        "stats": dict(asker.stats),
    }
    print(figures)
    assert max(loud) < SLOWEST
    assert bool(asker.stats["cut_off"]) is cuts_off, "the embedded one reads it slowly"
    assert asker.call(guest.instance_id, f"{TASKS}.Echo", {"text": "after"}, SLOWEST) == "after"
