# SPDX-License-Identifier: Apache-2.0
"""Which heartbeats are believed, and what is remembered of guests."""

import collections
from typing import Any

import pytest

from dbflow.crypto import new_message_key
from dbflow.messaging import heartbeats, wire
from dbflow.messaging.heartbeats import FORGET, MAX_AGE, UNKNOWN, Heartbeats

NOW = 1_800_000_000.0


class Ear:
    """Takes heartbeats at a time that the test says."""

    def __init__(self) -> None:
        self.now, self.heard, self.asked = NOW, list[Any](), list[str]()
        self.keys = {"a": new_message_key(), "b": new_message_key()}
        self.stats: collections.Counter[str] = collections.Counter()
        self.taking = Heartbeats(
            self._key_of, lambda _who, body: self.heard.append(body["sequence"]), self.stats, lambda: self.now
        )

    def _key_of(self, instance_id: str) -> bytes:
        self.asked.append(instance_id)
        return self.keys[instance_id]

    def take(self, sequence: Any, at: Any = None, instance_id: str = "a", key: bytes | None = None) -> bool:
        """Whether it was believed."""
        body = {"at": self.now if at is None else at, "sequence": sequence}
        message = wire.seal_heartbeat(key or self.keys[instance_id], body, instance_id)
        count = len(self.heard)
        try:
            self.taking._take(instance_id, message)
        except (wire.BadMessage, LookupError):
            assert len(self.heard) == count
            return False
        return len(self.heard) == count + 1


@pytest.fixture
def ear() -> Ear:
    return Ear()


def test_only_newer_ones(ear: Ear) -> None:
    boot = int(NOW)
    assert ear.take([boot, 1])
    assert not ear.take([boot, 1])
    assert ear.take([boot, 2])
    assert not ear.take([boot - 5, 9])
    assert ear.take([boot + 5, 1])


@pytest.mark.parametrize(
    ("sequence", "at"),
    [
        ([int(NOW), 2**60], NOW),
        ([int(NOW), -1], NOW),
        ([int(NOW), 1], NOW - 2 * MAX_AGE),
        ([int(NOW), 1], NOW + 2 * MAX_AGE),
        ([int(NOW), 1], float("nan")),
        ([int(NOW), 1], float("inf")),
    ],
)
def test_what_can_not_be_true(ear: Ear, sequence: list[int], at: float) -> None:
    assert not ear.take(sequence, at)
    assert ear.take([int(NOW), 1]), "and does not silence who tells the truth"


def test_a_clock_that_was_ahead_and_is_set_right(ear: Ear) -> None:
    ahead = int(NOW + 2 * 3600)
    assert not ear.take([ahead, 1], at=ahead), "while it is wrong"
    assert ear.take([ahead, 2]), "as soon as it is right"
    assert ear.take([ahead + 1, 1]), "an agent that starts anew, with its journal"


@pytest.mark.parametrize("boot", [int(NOW + 2 * 3600), 2**60, 10**4000], ids=["hours", "ages", "absurd"])
def test_who_lied_about_its_boot_is_heard_again(ear: Ear, boot: int) -> None:
    assert ear.take([boot, 2**40])
    silent = 0.0
    while not ear.take([int(ear.now), 1]):
        ear.now += 30
        silent += 30
    assert silent <= FORGET + 60


def test_an_old_heartbeat_is_not_believed_after_its_guest_was_forgotten(ear: Ear) -> None:
    boot, at = int(NOW), NOW + MAX_AGE
    assert ear.take([boot, 5], at)
    ear.now += FORGET + 1
    assert ear.take([int(ear.now), 1], instance_id="b")
    assert list(ear.taking._guests) == ["b"], "silent ones are forgotten"
    assert not ear.take([boot, 5], at)


def test_unknown_instances_cost_a_query_now_and_then(ear: Ear) -> None:
    key = new_message_key()
    for _ in range(1000):
        assert not ear.take([int(NOW), 1], instance_id="nobody", key=key)
    assert ear.asked == ["nobody"]
    ear.now += UNKNOWN + 1
    ear.keys["nobody"] = key
    assert ear.take([int(NOW), 1], instance_id="nobody")


def test_what_is_remembered_of_unknown_instances_is_bounded(ear: Ear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heartbeats, "MOST_UNKNOWN", 10)
    key = new_message_key()
    for number in range(100):
        assert not ear.take([int(NOW), 1], instance_id=str(number), key=key)
    assert len(ear.taking._unknown) == 10
    assert not ear.take([int(NOW), 1], instance_id="x" * 100_000, key=key)
    assert "x" * 100_000 not in ear.asked
