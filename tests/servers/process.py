# SPDX-License-Identifier: Apache-2.0
"""One server process: started with a log, ready by a condition, ended by its pid."""

import abc
import pathlib
import re
import signal
import subprocess
import time
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Self

from tests.servers import pausing, ports

TRIES = 3
PORT_TAKEN = re.compile("address (is )?already in use|eaddrinuse", re.IGNORECASE)


class ServerError(Exception):
    """A server did not start, answer or stop; the text ends with the tail of its log."""


class Child:
    """A process in a session of its own whose output goes to ``log``; it dies with the thread that started it."""

    def __init__(self, argv: Sequence[str], log: pathlib.Path, env: Mapping[str, str], user: str | None = None) -> None:
        # setpriv (util-linux) becomes the server by exec: the pid is the server's.
        become = [f"--reuid={user}", f"--regid={user}", "--init-groups"] if user else []
        command = ["setpriv", "--pdeathsig", "KILL", *become, "--", *argv]
        self._log = log
        with log.open("ab") as out:
            self._popen = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=env,
                cwd=log.parent,
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        return self._popen.pid

    def alive(self) -> bool:
        return self._popen.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; a process that is gone is left in peace."""
        self._popen.send_signal(number)

    def end(self, grace: float) -> bool:
        """SIGTERM, then SIGKILL after ``grace`` seconds; returns when the process is gone, and whether by itself."""
        self.signal(signal.SIGCONT)
        self.signal(signal.SIGTERM)
        try:
            self._popen.wait(grace)
        except subprocess.TimeoutExpired:
            self.kill()
            return False
        return True

    def kill(self) -> None:
        """SIGKILL; returns when the process is gone."""
        self.signal(signal.SIGKILL)
        self._popen.wait()

    def tail(self, lines: int = 25) -> str:
        """The last lines of the log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:])

    def wait_ready(self, ready: Callable[[], bool], timeout: float, name: str) -> None:
        """Poll ``ready`` until it is true; ServerError when the process ends or ``timeout`` seconds pass first."""
        deadline = time.monotonic() + timeout
        while not ready():
            if not self.alive():
                raise ServerError(f"{name} ended with {self._popen.returncode} at its start\n{self.tail()}")
            if time.monotonic() > deadline:
                raise ServerError(f"{name} was not ready in {timeout:g} s\n{self.tail()}")
            time.sleep(0.02)


class Server(abc.ABC):
    """A server with a directory ``base/<name>-<port>`` and ports that stay its own over restarts.

    ``base`` must be a directory that other users may enter when root runs the tests. Use it as a context manager, or
    call ``start`` and ``stop``; both may be called again.
    """

    name: str
    #: Seconds until it must be ready, and until it must be gone after SIGTERM.
    ready_timeout = 60.0
    stop_timeout = 20.0
    #: How many ports it listens on; the first is the one for clients.
    port_count = 1
    #: Whether it ever was, by SIGKILL; it may have forgotten the last that it was told.
    killed = False

    def __init__(self, base: pathlib.Path) -> None:
        self._base = base
        self._child: Child | None = None
        self._choose_place()

    def _choose_place(self) -> None:
        self.ports = ports.free_ports(self.port_count)
        self.directory = self._base / f"{self.name}-{self.port}"

    @property
    def port(self) -> int:
        return self.ports[0]

    @property
    def pid(self) -> int:
        """The server's process id; ServerError when it is not running."""
        return self._running().pid

    @property
    def log_file(self) -> pathlib.Path:
        return self.directory / "log"

    @property
    def running(self) -> bool:
        """Whether the process lives; a paused one does."""
        return self._child is not None and self._child.alive()

    def _running(self) -> Child:
        if self._child is None:
            raise ServerError(f"{self.name} is not running")
        return self._child

    def start(self) -> Self:
        """Start it and return when it serves; a port that somebody took in the meantime is replaced at first start."""
        if self.running:
            return self
        killed = self.killed
        for left in reversed(range(TRIES)):
            first = not self.directory.exists()
            try:
                self._start_once(first)
                break
            except ServerError as error:
                self.kill()
                self.killed = killed  # it knew nothing yet
                if not (first and left and PORT_TAKEN.search(str(error))):
                    raise
                self._choose_place()
        return self

    def _start_once(self, first: bool) -> None:
        if first:
            self.directory.mkdir(parents=True)
            self._prepare()
        taken = [port for port in self.ports if not ports.is_free(port)]
        if taken:
            raise ServerError(f"{self.name}: address already in use: ports {taken}")
        self._child = self._spawn()
        self._child.wait_ready(self._ready, self.ready_timeout, self.name)

    def stop(self) -> None:
        """Orderly end; its data stay for the next ``start``."""
        if self._child:
            self.killed = not self._child.end(self.stop_timeout) or self.killed
        self._child = None

    def kill(self) -> None:
        """SIGKILL: what a crash does."""
        if self._child:
            self._child.kill()
            self.killed = True
        self._child = None

    def restart(self) -> None:
        """Stop and start on the same data and ports."""
        self.stop()
        self.start()

    def pause(self) -> None:
        """SIGSTOP: it keeps its connections and answers nothing."""
        pausing.pause(self._running().pid)

    def resume(self) -> None:
        """SIGCONT after ``pause``."""
        self._running().signal(signal.SIGCONT)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: types.TracebackType | None
    ) -> None:
        self.stop()

    @abc.abstractmethod
    def _prepare(self) -> None:
        """Fill the new directory: configuration, empty data."""

    @abc.abstractmethod
    def _spawn(self) -> Child:
        """Start the process."""

    @abc.abstractmethod
    def _ready(self) -> bool:
        """Whether it serves clients."""
