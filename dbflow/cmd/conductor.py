# SPDX-License-Identifier: Apache-2.0
"""dbflow-conductor: run operations. Start as many as you like; SIGTERM hands over."""

import signal
import sys

from conductor.health import HealthBook
from dbflow.cmd.wiring import Parts, configure


def main() -> int:
    """Serve until SIGTERM or SIGINT."""
    parts = Parts.from_conf(configure(sys.argv[1:]))
    health = HealthBook(parts.database)
    dispatcher = parts.dispatcher(health.note)
    dispatcher.start()
    service = parts.conductor(dispatcher, health)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: service.stop())
    service.run()
    dispatcher.stop()
    # Threads of tasks that were handed over must not hold the process back: their steps are done again elsewhere.
    sys.stdout.flush()
    import os

    os._exit(0)
