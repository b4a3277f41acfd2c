# SPDX-License-Identifier: Apache-2.0
"""Iterators that work ahead."""

import threading
from collections.abc import Iterator

import pytest

from guest.streams.ahead import ahead
from tests.waiting import wait_for


def threads() -> int:
    return sum(thread.name == "ahead" for thread in threading.enumerate())


def count(made: list[int], until: int) -> Iterator[int]:
    for number in range(until):
        made.append(number)
        yield number


def test_the_same_in_order() -> None:
    with ahead(iter(range(100)), 3) as numbers:
        assert list(numbers) == list(range(100))
        assert list(numbers) == []


def test_no_further_ahead_than_it_may() -> None:
    made: list[int] = []
    with ahead(count(made, 100), 3) as numbers:
        wait_for(lambda: len(made) == 3, 10, "three that wait")
        assert next(numbers) == 0
        wait_for(lambda: len(made) == 4, 10, "one more")
    wait_for(lambda: threads() == 0, 10, "the end of the thread")
    assert len(made) == 4


def test_errors_come_where_they_were() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise OSError("no more")

    with ahead(broken(), 3) as numbers:
        assert next(numbers) == 1
        with pytest.raises(OSError, match="no more"):
            next(numbers)


def test_one_upon_the_other_ends_too() -> None:
    """Whoever leaves in the middle leaves no thread behind, wherever it waits."""
    with ahead(iter(range(10**9)), 1) as numbers, ahead((2 * number for number in numbers), 2) as doubled:
        assert [next(doubled) for _ in range(3)] == [0, 2, 4]
    wait_for(lambda: threads() == 0, 10, "the end of both")
