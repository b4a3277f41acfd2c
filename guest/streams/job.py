# SPDX-License-Identifier: Apache-2.0
"""The agent's side of a stream: start its process, find it again after a restart of the agent, wait for it, end it.

A lock that the process and every program it runs inherit tells whether any of them lives, so nothing is started twice
and nobody else's process is ever taken for ours.
"""

import contextlib
import fcntl
import json
import logging
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from typing import IO, Any, cast

import psutil

from dbflow import logcontext
from guest.datastores.base import DatastoreError, Interrupted, Progress, cloud_marks
from guest.streams.files import LOCK, PROGRESS, RESULT, SESSION, WORKER_LOG

LOG = logging.getLogger(__name__)
_LOOK = 0.05
"""Seconds between two looks at a stream."""
_DIE_WITHIN = 30.0
_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class StreamFailed(DatastoreError):
    """What the stream's process says."""


class StreamDied(StreamFailed):
    """Its process was killed before it could say anything."""


class StreamJob:
    """One stream, named by its directory."""

    def __init__(self, directory: pathlib.Path) -> None:
        self.directory = directory
        self._child: subprocess.Popen[bytes] | None = None

    def ended(self) -> bool:
        """Whether there is a result."""
        return (self.directory / RESULT).exists()

    def alive(self) -> bool:
        """Whether its process, or a program that it started, runs."""
        if self._child is not None:
            self._child.poll()
        try:
            lock = os.open(self._lock, os.O_RDONLY)
        except FileNotFoundError:
            return False
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def start(self, order: Mapping[str, Any]) -> None:
        """Begin. What an earlier one left must have been removed."""
        with self._held() as lock, (self.directory / WORKER_LOG).open("ab") as log:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "guest.streams.worker", str(self.directory), str(lock)],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=log,
                pass_fds=[lock],
                start_new_session=True,
                cwd="/",
                env={"PATH": _PATH, "LC_ALL": "C", **cloud_marks()},
            )
        with contextlib.suppress(BrokenPipeError), cast(IO[bytes], self._child.stdin) as pipe:
            pipe.write(json.dumps({**order, "about": logcontext.current().told()}).encode())

    def wait(self, progress: Progress, interrupted: threading.Event) -> dict[str, Any]:
        """Its result. StreamFailed, StreamDied, or Interrupted as soon as the event is set; then it may still run."""
        while self.alive() and not self.ended():
            if interrupted.wait(_LOOK):
                raise Interrupted("It was interrupted.")
            with contextlib.suppress(OSError, ValueError):
                progress(float((self.directory / PROGRESS).read_text()))
            if not self._leads() and not self.ended():
                self.kill()
        if not self.ended():
            raise StreamDied(f"The stream's process died: {self._last_words()}")
        result: dict[str, Any] = json.loads((self.directory / RESULT).read_text())
        if "error" in result:
            raise StreamFailed(result["error"])
        return result

    def kill(self) -> None:
        """End it and all that it started."""
        deadline = time.monotonic() + _DIE_WITHIN
        while self.alive():
            for pid in self._session():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if time.monotonic() > deadline:
                raise DatastoreError("A stream's process does not end.")
            time.sleep(0.02)

    def remove(self) -> None:
        """End it, and forget it."""
        self.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def _lock(self) -> pathlib.Path:
        return self.directory / LOCK

    @contextlib.contextmanager
    def _held(self) -> Any:
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield lock
        finally:
            os.close(lock)

    def _leads(self) -> bool:
        """Whether the process itself lives; one that was killed may leave programs behind."""
        try:
            return psutil.Process(int(self._leader)).status() != psutil.STATUS_ZOMBIE
        except ValueError:  # it has not said its number yet
            return True
        except psutil.NoSuchProcess:
            return False

    def _session(self) -> list[int]:
        """Its processes: while one of them lives, nobody else's session has this number."""
        found, leader = [], self._leader
        for pid in psutil.pids():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                if str(os.getsid(pid)) == leader:
                    found.append(pid)
        return found

    @property
    def _leader(self) -> str:
        """Its number; empty in its first moment."""
        try:
            return (self.directory / SESSION).read_text()
        except FileNotFoundError:
            return ""

    def _last_words(self) -> str:
        try:
            lines = (self.directory / WORKER_LOG).read_text(errors="replace").splitlines()
        except OSError:
            lines = []
        return lines[-1][-300:] if lines else "it did not say why."
