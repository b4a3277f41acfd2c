# SPDX-License-Identifier: Apache-2.0
"""SIGSTOP that has taken effect: the signal is sent at once, and arrives when the system gets to it."""

import contextlib
import os
import pathlib
import signal

from tests.waiting import wait_for


def pause(pid: int) -> None:
    """Return when every thread of the process stands still."""
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: _states(pid) <= {"T", "t", "Z"}, 30, f"process {pid} to stand still")


def _states(pid: int) -> set[str]:
    """Of its threads, as the kernel writes them: after the name in parentheses."""
    found = set()
    for path in pathlib.Path(f"/proc/{pid}/task").glob("*/stat"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # a thread that has just ended
            found.add(path.read_text().rpartition(")")[2].split()[0])
    return found
