# SPDX-License-Identifier: Apache-2.0
"""When a guest speaks, and what it says."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest

from guest.datastores.base import Health
from guest.heartbeat import Heart
from guest.volume import Usage
from tests.waiting import wait_for


class Server:
    """Stands for the plug-in's lifecycle."""

    status = "HEALTHY"
    locked_out = False

    def health(self) -> Health:
        if self.status == "broken":
            raise RuntimeError("the plug-in broke its word")
        return Health(
            service_status=self.status,
            version="10.11",
            position="0-1-2",
            load={"threads": 3.0},
            locked_out=self.locked_out,
            restart_required=True,
        )


class Agent:
    """Collects what it is told to send."""

    in_flight = 2

    @property
    def busy(self) -> bool:
        return bool(self.in_flight)

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.beats = 0
        self.revived = 0

    def revive(self) -> None:
        self.revived += 1

    def beat(self) -> None:
        self.beats += 1

    def heartbeat(self, body: dict[str, Any]) -> None:
        self.said.append(body)


class Parts:
    def __init__(self, interval: float) -> None:
        self.server, self.agent = Server(), Agent()
        self.pruned = threading.Event()
        self.usage_error: OSError | None = None
        self.heart = Heart(self.server, self._usage, self.pruned.set, 77, interval, 0.05)  # type: ignore[arg-type]
        self.heart.start(self.agent)

    def _usage(self) -> Usage:
        if self.usage_error:
            raise self.usage_error
        return Usage(1.5, 10.0)


@pytest.fixture
def parts() -> Iterator[Parts]:
    made = Parts(interval=60.0)
    yield made
    made.heart.stop()


def test_first_word_at_once(parts: Parts) -> None:
    wait_for(lambda: parts.agent.said, 30, "the first heartbeat")
    said = parts.agent.said[0]
    assert said["service_status"] == "HEALTHY"
    assert (said["volume_used"], said["volume_total"], said["in_flight"]) == (1.5, 10.0, 2)
    assert said["sequence"] == [77, 1]
    assert said["restart_required"] is True
    assert parts.pruned.wait(30)


def test_speaks_when_asked_and_in_sequence(parts: Parts) -> None:
    wait_for(lambda: parts.agent.said, 30, "the first heartbeat")
    parts.heart.speak()
    wait_for(lambda: len(parts.agent.said) == 2, 30, "the second")
    assert parts.agent.said[1]["sequence"] == [77, 2]


def test_speaks_when_the_status_changes(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    wait_for(lambda: parts.agent.said, 30, "the first heartbeat")
    parts.server.status = "CRASHED"
    wait_for(lambda: len(parts.agent.said) > 1, 30, "the change")
    assert parts.agent.said[1]["service_status"] == "CRASHED"


def test_speaks_every_so_often() -> None:
    parts = Parts(interval=0.1)
    wait_for(lambda: len(parts.agent.said) >= 4, 30, "four heartbeats")
    parts.heart.stop()


def test_signs_of_life_go_on_whatever_breaks(parts: Parts) -> None:
    parts.server.status = "broken"
    parts.heart.speak()
    count = parts.agent.beats
    wait_for(lambda: parts.agent.beats > count + 2, 30, "signs of life")
    parts.server.status, parts.usage_error = "HEALTHY", OSError("gone")
    parts.heart.speak()
    wait_for(lambda: parts.agent.said and parts.agent.said[-1]["volume_used"] is None, 30, "a heartbeat")


def test_logs_are_kept_small_at_every_look() -> None:
    parts, bounded = Parts(interval=0.05), threading.Event()
    parts.heart.stop()
    heart = Heart(parts.server, parts._usage, lambda: None, 77, 0.05, 0.05, bounded.set)  # type: ignore[arg-type]
    heart.start(parts.agent)
    assert bounded.wait(30)
    bounded.clear()
    assert bounded.wait(30)
    heart.stop()


def test_a_crashed_server_is_revived_when_nobody_works_on_it(parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guest.heartbeat.REVIVE_INTERVAL", 0.0)
    parts.server.status = "CRASHED"
    parts.heart.speak()
    wait_for(lambda: parts.agent.said and parts.agent.said[-1]["service_status"] == "CRASHED", 30, "the bad news")
    assert parts.agent.revived == 0
    parts.agent.in_flight = 0
    parts.heart.speak()
    wait_for(lambda: parts.agent.revived, 30, "the attempt")
    parts.heart.speak()
    wait_for(lambda: len(parts.agent.said) >= 3, 30, "one more look")
    assert parts.agent.revived == 1  # the next attempt is not due yet


def test_a_server_that_locks_the_agent_out_is_revived(parts: Parts) -> None:
    parts.agent.in_flight, parts.server.locked_out = 0, True
    parts.heart.speak()
    wait_for(lambda: parts.agent.revived, 30, "the attempt")
    assert {said["service_status"] for said in parts.agent.said} == {"HEALTHY"}


def test_a_server_stopped_on_purpose_stays_down(parts: Parts) -> None:
    parts.agent.in_flight, parts.server.status = 0, "SHUTDOWN"
    parts.heart.speak()
    wait_for(lambda: parts.agent.said and parts.agent.said[-1]["service_status"] == "SHUTDOWN", 30, "the news")
    assert parts.agent.revived == 0
