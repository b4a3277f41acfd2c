# SPDX-License-Identifier: Apache-2.0
"""The guest agent's process: started detached, at most one a server.

The agent holds the lock of ``agent.lock`` for as long as it lives: the descriptor is opened and locked before the
process is made, and inherited. So whether it lives is never a guess from a process id, and a starter killed at
any point leaves either no agent and a free lock, or the agent and a held one. What the agent starts must not
inherit its descriptors (nor does it, with Python's subprocess).
"""

import contextlib
import fcntl
import os
import pathlib
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence

from dbflow.cloud.base import Unavailable
from dbflow.cloud.local.locks import try_flock

_children: dict[int, subprocess.Popen[bytes]] = {}
"""Agents started by this process, which must reap them when they end."""


class Agent:
    """The agent of the server in ``directory``."""

    def __init__(self, directory: pathlib.Path) -> None:
        self._directory = directory
        self._lock = directory / "agent.lock"
        self.config_dir = directory / "config"
        self.arguments = ["--config-dir", str(self.config_dir)]

    def boot(self) -> int | None:
        """Number of the boot that the living agent was started in; None when none lives."""
        try:
            descriptor = os.open(self._lock, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            # Shared, so that two who look do not take each other for the agent.
            if try_flock(descriptor, fcntl.LOCK_SH):
                return None
            return int(os.read(descriptor, 32) or b"0")
        finally:
            os.close(descriptor)

    def start(self, command: Sequence[str], environment: Mapping[str, str], boot: int) -> None:
        """Start it if none lives. The caller holds the instance's lock."""
        with self._hold() as descriptor, open(self._directory / "agent.log", "ab", opener=_private) as log:
            if descriptor is None:
                return
            os.ftruncate(descriptor, 0)
            os.write(descriptor, str(boot).encode())
            child = subprocess.Popen(
                [*command, *self.arguments],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[descriptor],
                start_new_session=True,
                cwd="/",
                umask=0o022,
                env={**environment, "HOME": str(self._directory)},
            )
            _children[child.pid] = child

    @contextlib.contextmanager
    def _hold(self) -> Iterator[int | None]:
        """The lock's descriptor, or None when an agent lives. Closing ours leaves the child its own."""
        descriptor = os.open(self._lock, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            yield descriptor if self._take(descriptor) else None
        finally:
            os.close(descriptor)

    def _take(self, descriptor: int) -> bool:
        if not try_flock(descriptor, fcntl.LOCK_SH):
            return False
        # Only those who look can be in the way now, and they are gone in a moment.
        deadline = time.monotonic() + 5.0
        while not try_flock(descriptor, fcntl.LOCK_EX):
            if time.monotonic() > deadline:
                raise Unavailable(f"{self._lock} is locked by another program")
            time.sleep(0.001)
        return True


def reap() -> None:
    """Take the exit status of agents that were started by this process and have ended."""
    for pid, child in list(_children.items()):
        if child.poll() is not None:
            _children.pop(pid, None)


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
