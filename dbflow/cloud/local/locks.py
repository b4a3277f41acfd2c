# SPDX-License-Identifier: Apache-2.0
"""Locks between threads and processes. The kernel drops them when their holder dies, however it dies."""

import contextlib
import fcntl
import os
import pathlib
import time
from collections.abc import Iterator

from dbflow.cloud import guard
from dbflow.cloud.base import Unavailable


class Locks:
    """Named locks: files of one directory that exist only while somebody holds or wants the lock."""

    def __init__(self, directory: pathlib.Path, timeout: float) -> None:
        self._directory = directory
        self._timeout = timeout

    @contextlib.contextmanager
    def hold(self, name: str, timeout: float | None = None) -> Iterator[None]:
        """Hold the lock in the block. Unavailable when it was not free within ``timeout`` seconds; what the guard
        raises when the block's work is not wanted any more."""
        wait = self._timeout if timeout is None else timeout
        path = self._directory / name
        descriptor = _acquire(path, time.monotonic() + wait)
        if descriptor is None:
            raise Unavailable(f"{name} is being worked on by another process (waited {wait:g} s)")
        try:
            # Whoever takes this over needs this lock as well: nothing comes between the answer and what is done.
            guard.still_wanted()
            yield
        finally:
            # Whoever waits on this very file sees that its name is gone and opens the next one.
            path.unlink(missing_ok=True)
            # A child forked by another thread may have a copy of the descriptor: closing ours would not release.
            fcntl.flock(descriptor, fcntl.LOCK_UN)
            os.close(descriptor)


def _acquire(path: pathlib.Path, deadline: float) -> int | None:
    pause = 0.002
    descriptor = _open(path)
    while True:
        if try_flock(descriptor, fcntl.LOCK_EX):
            if _is_named(descriptor, path):
                return descriptor
            os.close(descriptor)
            descriptor = _open(path)
            continue
        if time.monotonic() > deadline:
            os.close(descriptor)
            return None
        time.sleep(pause)
        pause = min(pause * 2, 0.1)


def _open(path: pathlib.Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT, 0o600)


def _is_named(descriptor: int, path: pathlib.Path) -> bool:
    try:
        named = path.stat()
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(descriptor), named)


def try_flock(descriptor: int, kind: int) -> bool:
    """Take a flock (fcntl.LOCK_EX or LOCK_SH) if it is free now."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
