# SPDX-License-Identifier: Apache-2.0
"""Telling systemd how a service is (sd_notify(3)), where systemd has started it; else nothing happens."""

import contextlib
import logging
import os
import socket
import threading
import time
from collections.abc import Callable, MutableMapping

LOG = logging.getLogger(__name__)

_SOCKET, _WATCHDOG, _WATCHED = "NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"
_BEATS = 3
"""Within the time after which systemd kills a service that it has not heard of."""


class Systemd:
    """Of this process. What it was told by is taken out of the environment: a database server that is started later
    would speak in its name."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        self._address = environment.pop(_SOCKET, None)
        microseconds, watched = environment.pop(_WATCHDOG, None), environment.pop(_WATCHED, None)
        meant = watched is None or watched == str(os.getpid())
        self._patience = int(microseconds) / 1e6 if microseconds and meant else None

    def ready(self) -> None:
        """It serves, or looks for work: whether all that it needs is there or not."""
        self._tell("READY=1")

    def stopping(self) -> None:
        """It was asked to end, and is about to."""
        self._tell("STOPPING=1")

    def watch(self, alive: Callable[[], bool]) -> None:
        """Let systemd start the service anew when it is not ``alive`` for WatchdogSec, or stands still as a whole."""
        if self._address is not None and self._patience is not None:
            threading.Thread(target=self._beat, args=(alive, self._patience), name="watchdog", daemon=True).start()

    def _beat(self, alive: Callable[[], bool], patience: float) -> None:
        while True:
            try:
                there = alive()
            except Exception:
                LOG.exception("whether the service lives can't be told")
                there = False
            if there:
                self._tell("WATCHDOG=1")
            time.sleep(patience / _BEATS)

    def _tell(self, state: str) -> None:
        if self._address is None:
            return
        # An @ stands for the zero byte that begins the name of an abstract socket.
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        # A systemd that does not listen must not keep the service from its work.
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.settimeout(1.0)
            channel.connect(address)
            channel.sendall(state.encode())
