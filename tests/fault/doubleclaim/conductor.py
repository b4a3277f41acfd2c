# SPDX-License-Identifier: Apache-2.0
"""A conductor that is hard of hearing: it learns of a lost session some time after it could have known, and works on
until then. It tells the session that it has, so that another can end it."""

import json
import os
import pathlib
import random
import signal
import sys
import threading

from kazoo.protocol.states import KazooState

from dbflow import fencing, jobboard
from dbflow.cmd.wiring import Parts, configure
from tests.fault.doubleclaim import ledger

DEAF = 0.5
"""Seconds at most until it hears."""


class _Board(jobboard.Board):
    """Tells its session; hears late of its end."""

    tell: pathlib.Path

    def connect(self, timeout: float = 10.0) -> None:
        super().connect(timeout)
        session, password = self._client.client_id
        fresh = self.tell.with_suffix(".new")
        fresh.write_text(json.dumps([session, password.hex()]))
        fresh.rename(self.tell)

    def _on_state(self, state: str) -> None:
        if state == KazooState.LOST:
            hear = threading.Timer(random.uniform(0, DEAF), super()._on_state, [state])
            hear.daemon = True
            hear.start()


def main(arguments: list[str]) -> None:
    """CONFIGURATION SESSION-FILE [unfenced]: until SIGTERM."""
    conf_file, tell, *unfenced = arguments
    if unfenced:
        fencing.Fence.check = lambda self, connection: None  # type: ignore[method-assign]
    _Board.tell = pathlib.Path(tell)
    jobboard.Board = _Board  # type: ignore[misc]
    parts = Parts.from_conf(configure(["--config-file", conf_file]))
    ledger.register()
    dispatcher = parts.dispatcher()
    dispatcher.start()
    service = parts.conductor(dispatcher, None)
    signal.signal(signal.SIGTERM, lambda *_: service.stop())
    service.run()
    dispatcher.stop()
    os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1:])
