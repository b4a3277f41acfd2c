# SPDX-License-Identifier: Apache-2.0
"""A request at work on this guest."""

import threading
import time
from typing import Any

from dbflow.messaging.wire import ALIVE

PROGRESS_INTERVAL = 0.3
"""Seconds between two reports of progress: each is a write in the control plane."""

Event = tuple[str, dict[str, Any]]


class Running:
    """Who asked last, and what is to be told next."""

    def __init__(self, asker: str, *, beside: bool = False) -> None:
        """``beside``: nobody waits for it."""
        self.asker, self.beside = asker, beside
        self.interrupted = threading.Event()
        self._told = 0.0
        self._news: Event | None = None

    def progress(self, event_type: str, details: dict[str, Any]) -> bool:
        """Note an event; whether it is time to tell. What is not told now goes with the next sign of life."""
        self._news = (event_type, details)
        return time.monotonic() - self._told >= PROGRESS_INTERVAL

    def news(self) -> Event:
        """The newest event that was not told yet, or that the guest is alive."""
        self._told = time.monotonic()
        event, self._news = self._news, None
        return event or (ALIVE, {})
