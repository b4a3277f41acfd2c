# SPDX-License-Identifier: Apache-2.0
"""A contender in a process of its own: the threads of others, also those that only look around, are not beside it."""

import logging
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

from tests.bench import contenders
from tests.bench.contenders import STEPS, Contender

_SPAWN = multiprocessing.get_context("spawn")


class Apart:
    """Made and run over there. ``make`` can be pickled."""

    def __init__(self, make: Callable[..., Contender], *arguments: Any) -> None:
        self._pipe, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs, make, arguments), daemon=True)
        self._process.start()
        theirs.close()
        self.name: str = self._pipe.recv()

    def run(self, flows: int, in_flight: int) -> tuple[float, float]:
        """That many flows: (steps a second, seconds of the process's processor time a step)."""
        self._pipe.send((flows, in_flight))
        rate, cost = self._pipe.recv()
        return rate, cost

    def close(self) -> None:
        """End it."""
        self._pipe.close()
        self._process.join(30)


def _serve(pipe: Connection, make: Callable[..., Contender], arguments: tuple[Any, ...]) -> None:
    logging.disable(logging.CRITICAL)
    contender = make(*arguments)
    pipe.send(contender.name)
    while True:
        try:
            flows, in_flight = pipe.recv()
        except EOFError:
            break
        wall, processor = time.monotonic(), time.process_time()
        contenders.run(contender, flows, in_flight)
        steps = flows * STEPS
        pipe.send((steps / (time.monotonic() - wall), (time.process_time() - processor) / steps))
    contender.close()
