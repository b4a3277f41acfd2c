# SPDX-License-Identifier: Apache-2.0
"""The server's process: a daemon that outlives the agent and is found again by the next one."""

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence

import psutil
import pymysql

from dbflow import faults
from guest.datastores.base import DatastoreError
from guest.datastores.mariadb import log, programs, release, role
from guest.datastores.mariadb.client import Client
from guest.datastores.mariadb.layout import Layout, write
from guest.datastores.mariadb.plain import opened

PROGRAM = "mariadbd"
_PAUSE = 0.01
"""Seconds between two looks at a server that starts."""
_KILLED_WITHIN = 15.0
"""Seconds a killed server may take to be gone; its kernel has files to close and memory to give back."""


class Server:
    """The one process that serves this instance's data directory."""

    def __init__(
        self, layout: Layout, client: Client, more_options: Callable[[Layout], list[str]] = lambda layout: []
    ) -> None:
        """``more_options``: for its start, asked for each time."""
        self._layout, self._more_options = layout, more_options
        self._client = client
        self._child: subprocess.Popen[bytes] | None = None
        self._mark = f"--datadir={layout.data}"

    def process(self) -> psutil.Process | None:
        """The running server, whoever started it; None when there is none."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
        return next((process for process in self._candidates() if self._is_ours(process)), None)

    def start(self, timeout: float, upgrading: Sequence[str] = ()) -> None:
        """Start it unless it runs, and wait until it answers. DatastoreError says what the log says, or that it is of
        another release than the data, unless it is ``upgrading`` that, with more options."""
        offset = self._layout.log.stat().st_size
        process = self.process()
        spawned = process is None
        if process is None:
            if not upgrading:
                release.must_fit(self._layout)
            process = self._spawn(upgrading)
        deadline = time.monotonic() + timeout
        while (version := self._version()) is None:
            if self._ended(process):
                raise DatastoreError(f"The database server does not start: {self._why(offset)}")
            if time.monotonic() > deadline:
                raise DatastoreError(f"The database server does not answer {timeout:g} s after its start.")
            time.sleep(_PAUSE)
        if not upgrading:
            release.note(self._layout, release.release_of(version), started=spawned)

    def stop(self, timeout: float) -> None:
        """End it cleanly, by force after ``timeout`` seconds."""
        process = self.process()
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            faults.within()
            try:
                process.wait(timeout)
            except psutil.TimeoutExpired:
                process.kill()
                process.wait(_KILLED_WITHIN)

    def stop_without_force(self, timeout: float) -> None:
        """End it cleanly. DatastoreError when it takes longer, and is on its way down still, or died of it."""
        process = self.process()
        if process is None:
            return
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
            faults.within()
            try:
                code = process.wait(timeout)  # None of one that another agent has started
            except psutil.TimeoutExpired:
                raise DatastoreError(f"The database server did not stop within {timeout:g} s.") from None
            if code:
                raise DatastoreError("The database server died while it stopped.")

    def answers(self) -> bool:
        """Whether it takes a connection now."""
        return self._version() is not None

    def _version(self) -> str | None:
        """As it tells whoever connects; None while it does not answer."""
        try:
            with contextlib.closing(self._client.connect(timeout=1.0)) as connection:
                version: str = connection.get_server_info()  # type: ignore[no-untyped-call]
        except (pymysql.Error, OSError):
            return None
        # Old releases put another one's number before theirs, for the sake of old clients.
        return version.removeprefix("5.5.5-")

    def _spawn(self, more: Sequence[str]) -> psutil.Process:
        for leftover in (self._layout.socket, self._layout.pid_file):
            leftover.unlink(missing_ok=True)
        write(self._layout.started, self._layout.config.read_text(encoding="utf-8"))
        with opened(self._layout.log, os.O_WRONLY | os.O_APPEND) as output:
            self._child = subprocess.Popen(
                [
                    self._layout.program(PROGRAM),
                    f"--defaults-file={self._layout.config}",
                    self._mark,
                    *role.load(self._layout).options(),
                    *self._more_options(self._layout),
                    *more,
                ],
                stdout=output,
                stderr=output,
                cwd="/",
                start_new_session=True,
                **programs.as_user(self._layout.owner),
            )
        faults.within()
        return psutil.Process(self._child.pid)

    def _candidates(self) -> Iterator[psutil.Process]:
        with contextlib.suppress(FileNotFoundError, ValueError, psutil.NoSuchProcess):
            yield psutil.Process(int(self._layout.pid_file.read_text()))
        # A server that still starts has written no pid file yet; one in a lost run directory has none any more.
        for process in psutil.process_iter(["name"]):
            if process.info["name"] == PROGRAM:
                yield process

    def _ended(self, process: psutil.Process) -> bool:
        # A child's arguments can't be read yet in the moment after its start.
        if self._child is not None and self._child.pid == process.pid:
            return self._child.poll() is not None
        return not self._is_ours(process)

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return self._mark in process.cmdline() and process.status() != psutil.STATUS_ZOMBIE
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            return False

    def _why(self, offset: int) -> str:
        said = log.reason(log.since(self._layout.log, offset))
        code = self._child.poll() if self._child is not None else None
        if said is None and code is not None and code < 0:
            return f"it was ended by signal {-code}."
        return said or "it ended without a word in its log."
