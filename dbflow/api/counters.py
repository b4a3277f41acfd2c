# SPDX-License-Identifier: Apache-2.0
"""Counters of the rate limits in this process. The limits package's own memory storage starts a thread at
almost every request to forget what has expired; this one forgets as it counts."""

import threading
import time

from limits.storage import Storage

_CLEAN_AT = 10_000


class ProcessStorage(Storage):
    """Fixed windows in a dictionary."""

    STORAGE_SCHEME = ["process"]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions=wrap_exceptions, **options)
        self._lock = threading.Lock()
        self._windows: dict[str, tuple[float, int]] = {}

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing here fails."""
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Count; a window begins with its first request and lasts ``expiry`` seconds."""
        now = time.time()
        with self._lock:
            if len(self._windows) > _CLEAN_AT:
                self._windows = {name: window for name, window in self._windows.items() if window[0] > now}
            until, count = self._windows.get(key, (0.0, 0))
            if until <= now:
                until, count = now + expiry, 0
            self._windows[key] = (until, count + amount)
            return count + amount

    def get(self, key: str) -> int:
        """Counted in the present window."""
        until, count = self._windows.get(key, (0.0, 0))
        return count if until > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """When the present window ends."""
        return max(self._windows.get(key, (0.0, 0))[0], time.time())

    def check(self) -> bool:
        """Always works."""
        return True

    def reset(self) -> int | None:
        """Forget everything."""
        with self._lock:
            forgotten, self._windows = len(self._windows), {}
        return forgotten

    def clear(self, key: str) -> None:
        """Forget one counter."""
        with self._lock:
            self._windows.pop(key, None)
