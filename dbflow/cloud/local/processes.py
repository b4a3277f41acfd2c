# SPDX-License-Identifier: Apache-2.0
"""Processes of servers, found by the marks in their environment: children inherit them, whoever adopts them."""

import dataclasses
import os
import time
from collections.abc import Callable, Iterator

import psutil

from dbflow import faults
from dbflow.cloud.base import CloudError

_SERVER, _CLOUD, _BOOT = "DBFLOW_SERVER", "DBFLOW_CLOUD", "DBFLOW_BOOT"
_PASSED_ON = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TZ", faults.VARIABLE)
"""Nothing else of the control plane's environment, which may hold credentials, reaches a server."""
_REPEAT = 1.0
"""Seconds until a process is told again: one told between its fork and its exec never heard it."""
_KILL_TIMEOUT = 15.0
"""Seconds until a process that was sent SIGKILL must be gone."""


@dataclasses.dataclass(frozen=True)
class Found:
    """A living process of a server."""

    server: str
    boot: int
    """Number of the boot it belongs to."""
    process: psutil.Process

    def __str__(self) -> str:
        return f"{self.server} {self.name()} {self.process.pid}"

    def name(self) -> str:
        """Of its program; empty when it has just ended."""
        try:
            name: str = self.process.name()
        except psutil.Error:
            return ""
        return name

    def command(self) -> list[str]:
        """Its arguments; empty when it has just ended."""
        try:
            command: list[str] = self.process.cmdline()
        except psutil.Error:
            return []
        return command


class Processes:
    """All processes that were started for one cloud (named by its state directory)."""

    def __init__(self, cloud: str) -> None:
        self._cloud = cloud

    def environment(self, server: str, boot: int) -> dict[str, str]:
        """The whole environment to start a process of this server with."""
        passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        return passed_on | {_CLOUD: self._cloud, _SERVER: server, _BOOT: str(boot)}

    def all(self) -> Iterator[Found]:
        """Every living process of every server."""
        for pid in psutil.pids():
            try:
                process = psutil.Process(pid)
                environment = process.environ()
            except (psutil.Error, OSError):  # ended meanwhile, or another user's
                continue
            if environment.get(_CLOUD) == self._cloud and _SERVER in environment:
                yield Found(environment[_SERVER], int(environment.get(_BOOT, "0")), process)

    def of(self, server: str, before: int | None = None) -> list[Found]:
        """Every living process of one server, or only those of boots before ``before``."""
        return [found for found in self.all() if found.server == server and (before is None or found.boot < before)]


def end(find: Callable[[], list[psutil.Process]], grace: float, what: str) -> None:
    """SIGTERM to all that ``find`` finds, also later; SIGKILL to what is left after ``grace`` seconds.

    Returns when none is left. CloudError naming ``what`` and the processes that even SIGKILL did not end.
    """
    deadline = time.monotonic() + grace
    # A process may be born behind the back of one look by a parent that is gone at the next: so two empty looks.
    empty_looks = 0
    left: list[psutil.Process] = []
    while empty_looks < 2:
        # One that is exiting has lost its environment, but not yet its files and sockets: what was seen once counts.
        left = [process for process in {*left, *find()} if not _is_gone(process)]
        empty_looks = 0 if left else empty_looks + 1
        now = time.monotonic()
        if left and now > deadline + _KILL_TIMEOUT:
            raise CloudError(f"{what}: processes {sorted(process.pid for process in left)} do not end")
        for process in left:
            _send(process.terminate if now < deadline else process.kill)
        _wait_gone(left, min(deadline, now + _REPEAT) if now < deadline else now + _REPEAT)


def _send(signal: Callable[[], None]) -> None:
    try:
        signal()
    except psutil.NoSuchProcess:
        return
    except psutil.AccessDenied as error:
        raise CloudError(f"process {error.pid} belongs to another user and can't be ended") from error


def _wait_gone(processes: list[psutil.Process], deadline: float) -> None:
    pause = 0.005
    while not all(_is_gone(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def _is_gone(process: psutil.Process) -> bool:
    """Whether nothing of it runs: a zombie only waits for its parent, unless it still has other threads."""
    try:
        return not process.is_running() or (
            process.status() == psutil.STATUS_ZOMBIE and bool(process.num_threads() <= 1)
        )
    except psutil.NoSuchProcess:
        return True
