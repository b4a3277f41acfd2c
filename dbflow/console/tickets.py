# SPDX-License-Identifier: Apache-2.0
"""One-time links: a ticket is exchanged for a token once, soon, and by nobody who saw it afterwards."""

import hashlib
import secrets
import threading
import time


class Tickets:
    """Of one process. A ticket itself is kept nowhere, only its hash."""

    def __init__(self, lifetime: float) -> None:
        """``lifetime`` in seconds."""
        self._lifetime = lifetime
        self._lock = threading.Lock()
        self._good: dict[bytes, tuple[str, float]] = {}

    def issue(self, token: str) -> str:
        """A ticket for ``token``."""
        ticket = secrets.token_urlsafe(32)
        with self._lock:
            self._good[_hash(ticket)] = (token, time.monotonic() + self._lifetime)
        return ticket

    def redeem(self, ticket: str) -> str | None:
        """The token, the first time and in time; None otherwise."""
        with self._lock:
            self._good = {known: what for known, what in self._good.items() if what[1] > time.monotonic()}
            token, _ = self._good.pop(_hash(ticket), (None, 0.0))
        return token


def _hash(ticket: str) -> bytes:
    return hashlib.sha256(ticket.encode("utf-8", "replace")).digest()
