# SPDX-License-Identifier: Apache-2.0
"""Who floods is cut off; whoever is cut off is let back, also by another process."""

import collections
from collections.abc import Iterator

import pytest

from dbflow.messaging import warden
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.messaging.logins import SharedLogin
from dbflow.messaging.warden import FLOOD, LET_BACK, WINDOW, Warden
from tests.waiting import wait_for


class _Logins(SharedLogin):
    def __init__(self) -> None:
        super().__init__("amqp://nobody")
        self.away = False
        self.cut: list[str] = []

    def cut_off(self, instance_id: str) -> None:
        if self.away:
            raise BrokerUnavailable("away")
        self.cut.append(instance_id)

    def let_back(self) -> list[str]:
        if self.away:
            raise BrokerUnavailable("away")
        back, self.cut = self.cut, []
        return back


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def logins() -> _Logins:
    return _Logins()


@pytest.fixture
def stats() -> collections.Counter[str]:
    return collections.Counter()


@pytest.fixture
def clock() -> _Clock:
    return _Clock()


@pytest.fixture
def keeper(logins: _Logins, stats: collections.Counter[str], clock: _Clock) -> Iterator[Warden]:
    made = Warden(logins, stats, lets_back=False, clock=clock)
    made.start()
    yield made
    made.stop()


def _drop(keeper: Warden, instance_id: str, count: int) -> None:
    for _ in range(count):
        keeper.dropped(instance_id)


def test_only_who_floods(keeper: Warden, logins: _Logins, stats: collections.Counter[str], clock: _Clock) -> None:
    _drop(keeper, "busy", FLOOD - 1)
    clock.now += WINDOW + 0.1
    _drop(keeper, "busy", FLOOD - 1)
    _drop(keeper, "hostile", FLOOD + 10)
    wait_for(lambda: stats["cut_off"], 10, "the cut")
    assert logins.cut == ["hostile"]


def test_tried_again_while_the_flood_goes_on(
    keeper: Warden, logins: _Logins, stats: collections.Counter[str], clock: _Clock, caplog: pytest.LogCaptureFixture
) -> None:
    logins.away = True
    _drop(keeper, "hostile", FLOOD)
    wait_for(lambda: "not cut off" in caplog.text, 10, "the failure")
    logins.away = False
    clock.now += WINDOW + 0.1
    _drop(keeper, "hostile", FLOOD)
    wait_for(lambda: stats["cut_off"], 10, "the cut")


def test_a_new_process_lets_back(logins: _Logins, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warden, "LET_BACK", LET_BACK / 600)
    logins.cut.append("cut by one that died")
    logins.away = True
    keeper = Warden(logins, collections.Counter(), lets_back=True)
    keeper.start()
    logins.away = False
    wait_for(lambda: not logins.cut, 10, "its return")
    keeper.stop()
