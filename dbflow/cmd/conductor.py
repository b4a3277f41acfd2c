# SPDX-License-Identifier: Apache-2.0
"""dbflow-conductor: run operations. Start as many as you like; SIGTERM hands over."""

import os
import signal
import sys
import threading
from typing import Any

from conductor.health import HealthBook
from dbflow.cmd.wiring import Parts, configure
from dbflow.systemd import Systemd

_STOP_WITHIN = 5.0
"""Seconds; then what still hangs (a call of ZooKeeper that is away waits until it is back) ends with the process, and
the session with it, a time-out later."""


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    systemd = Systemd()
    parts = Parts.from_conf(configure(sys.argv[1:]))
    health = HealthBook(parts.database)
    dispatcher = parts.dispatcher(health.note)
    dispatcher.start()
    service = parts.conductor(dispatcher, health)
    parts.figures([service], dispatcher)

    def stop(*_: Any) -> None:
        systemd.stopping()
        service.stop()
        last = threading.Timer(_STOP_WITHIN, _exit)
        last.daemon = True
        last.start()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    systemd.watch(lambda: service.awake)
    systemd.ready()
    service.run()
    dispatcher.stop()
    # Threads of tasks that were handed over must not hold the process back: their steps are done again elsewhere.
    return _exit()


def _exit() -> int:
    sys.stdout.flush()
    os._exit(0)
