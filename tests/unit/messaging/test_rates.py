# SPDX-License-Identifier: Apache-2.0
"""What is taken from one guest."""

import pytest

from dbflow.messaging import rates
from dbflow.messaging.rates import Rates


class Clock:
    """Moves when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_and_then_the_rate() -> None:
    clock = Clock()
    made = Rates(clock)
    assert sum(made.allow("a", 10) for _ in range(10_000)) == rates.BURST
    clock.now += 1.0
    assert sum(made.allow("a", 10) for _ in range(10_000)) == rates.MESSAGES
    assert made.allow("b", 10), "another guest has its own"


def test_bytes_count_too() -> None:
    clock = Clock()
    made = Rates(clock)
    size = 1024 * 1024
    assert sum(made.allow("a", size) for _ in range(1000)) == rates.BYTES_BURST / size
    clock.now += 1.0
    assert sum(made.allow("a", size) for _ in range(1000)) == rates.BYTES / size


def test_debt_is_waited_for() -> None:
    clock = Clock()
    made = Rates(clock)
    assert [made.delay("a", 10) for _ in range(int(rates.BURST))][-1] == 0.0
    assert made.delay("a", 10) == pytest.approx(1 / rates.MESSAGES)
    clock.now += 1 / rates.MESSAGES
    assert made.delay("a", 10) == pytest.approx(1 / rates.MESSAGES)


def test_silent_guests_are_forgotten() -> None:
    clock = Clock()
    made = Rates(clock)
    for number in range(1000):
        made.allow(str(number), 10)
    assert len(made) == 1000
    clock.now += rates.FORGET + 1
    made.allow("x", 10)
    assert len(made) == 1
