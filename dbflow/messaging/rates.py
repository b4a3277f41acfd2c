# SPDX-License-Identifier: Apache-2.0
"""How much one guest may send: token buckets."""

import time
from collections.abc import Callable

MESSAGES, BURST = 1000.0, 2000.0
"""Messages a second that are taken from one guest, and at once after a pause. A busy guest sends some hundreds."""
BYTES, BYTES_BURST = 8.0 * 1024 * 1024, 32.0 * 1024 * 1024
FORGET = 60.0
"""Seconds between two looks for buckets that are full again."""


class Bucket:
    """Holds ``burst`` tokens and gets ``rate`` new ones a second."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens, self._at = burst, clock()

    def take(self, tokens: float = 1.0) -> float:
        """Take them in any case; the seconds until the bucket is out of debt (0.0: it is not in debt)."""
        self._fill()
        self._tokens -= tokens
        return max(0.0, -self._tokens / self._rate)

    def allow(self, tokens: float = 1.0) -> bool:
        """Take them if they are there."""
        self._fill()
        if self._tokens < tokens:
            return False
        self._tokens -= tokens
        return True

    @property
    def full(self) -> bool:
        """Whether nothing has been taken for long: it is as good as a new one."""
        self._fill()
        return self._tokens >= self._burst

    def _fill(self) -> None:
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now


class Rates:
    """A bucket for messages and one for bytes for each guest that has sent something lately. For one thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: dict[str, tuple[Bucket, Bucket]] = {}
        self._looked = clock()

    def __len__(self) -> int:
        return len(self._buckets)

    def of(self, guest: str) -> tuple[Bucket, Bucket]:
        """Its buckets: messages, bytes."""
        self._forget()
        if guest not in self._buckets:
            self._buckets[guest] = Bucket(MESSAGES, BURST, self._clock), Bucket(BYTES, BYTES_BURST, self._clock)
        return self._buckets[guest]

    def allow(self, guest: str, size: int) -> bool:
        """Whether one more message of so many bytes is taken from this guest."""
        messages, octets = self.of(guest)
        return messages.allow() and octets.allow(size)

    def delay(self, guest: str, size: int) -> float:
        """For how many seconds nothing more should be read from this guest, after a message of so many bytes."""
        messages, octets = self.of(guest)
        return max(messages.take(), octets.take(size))

    def _forget(self) -> None:
        if self._clock() - self._looked > FORGET:
            self._looked = self._clock()
            self._buckets = {
                guest: pair for guest, pair in self._buckets.items() if not (pair[0].full and pair[1].full)
            }
