# SPDX-License-Identifier: Apache-2.0
"""A service of dbflow as a process: started with a log, stopped or killed by its pid."""

import os
import pathlib
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from tests.servers.process import Child

SCRIPTS = pathlib.Path(sys.executable).parent


class Service:
    """One console script with its arguments; may be started again after it ended."""

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        directory: pathlib.Path,
        ready: Callable[["Service"], bool],
        environment: Mapping[str, str],
    ) -> None:
        """``environment``: added to that of this process."""
        self.name = name
        self.log = directory / f"{name}.log"
        self._command = [str(SCRIPTS / arguments[0]), *arguments[1:]]
        self._ready = ready
        self._environment = environment
        self._child: Child | None = None

    @property
    def pid(self) -> int:
        """Of the running process."""
        return self._running().pid

    @property
    def alive(self) -> bool:
        """Whether it runs."""
        return self._child is not None and self._child.alive()

    def start(self, timeout: float = 60.0) -> None:
        """Start it and return when it serves."""
        self.begin()
        self.wait_ready(timeout)

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Until it serves."""
        self._running().wait_ready(lambda: self._ready(self), timeout, self.name)

    def begin(self) -> None:
        """Start it without waiting."""
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self._child = Child(self._command, self.log, {**os.environ, **self._environment})

    def stop(self, grace: float = 30.0) -> float:
        """SIGTERM; the seconds that it took to end. AssertionError when it had to be killed."""
        child = self._running()
        began = time.monotonic()
        child.end(grace)
        took = time.monotonic() - began
        if took >= grace:
            raise AssertionError(f"{self.name} did not end within {grace:g} s of SIGTERM\n{child.tail()}")
        return took

    def kill9(self) -> None:
        """SIGKILL."""
        self._running().kill()

    def text(self) -> str:
        """What it has written to its output, over all starts."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _running(self) -> Child:
        if self._child is None:
            raise AssertionError(f"{self.name} was not started")
        return self._child
