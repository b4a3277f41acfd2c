# SPDX-License-Identifier: Apache-2.0
"""Named points at which a test makes a process fail; in production a point is one comparison.

Armed by the environment: ``DBFLOW_FAULTS`` names a directory, and a file in it, named after a point, says what is to
happen there, once: ``kill`` (SIGKILL this process), ``raise`` (an error that nothing expects), ``lose`` (what was
done stays done, but its caller sees what a lost answer looks like) or ``hold`` (wait until the test lets go). A point
that was reached leaves its file with ``.fired`` behind its name, so that the process that takes over passes; removing
that file lets go of a thread that is held. A file ``.passed`` in the directory gets a line for each point that any
process comes to, in order: the record of what was done how often.
"""

import contextlib
import os
import pathlib
import signal
import threading
import time
from collections.abc import Iterator

VARIABLE = "DBFLOW_FAULTS"
PASSED = ".passed"
_DIRECTORY = pathlib.Path(os.environ[VARIABLE]) if VARIABLE in os.environ else None

_WORK = threading.local()
_LOOK = 0.01
"""Seconds between two looks of a thread that is held."""


class Injected(Exception):
    """What a ``raise`` point raises."""


def point(name: str, lost: type[Exception] = Injected) -> None:
    """Fail here if a test asks for it. ``lost`` is what the caller sees when an answer is lost on its way."""
    if _DIRECTORY is not None:
        _note(_DIRECTORY / PASSED, name)
        _reach(_DIRECTORY / name, lost)


@contextlib.contextmanager
def inside(work: str) -> Iterator[None]:
    """What this thread does meanwhile is this work."""
    _WORK.name, _WORK.effects = work, 0
    try:
        yield
    finally:
        del _WORK.name


def within(lost: type[Exception] = Injected) -> None:
    """The point after one effect of this thread's work, when more may follow; each has its number, from 1."""
    if _DIRECTORY is not None and hasattr(_WORK, "name"):
        _WORK.effects += 1
        point(f"{_WORK.name}.within.{_WORK.effects}", lost)


def _note(record: pathlib.Path, name: str) -> None:
    with contextlib.suppress(FileNotFoundError):  # nobody keeps a record
        descriptor = os.open(record, os.O_WRONLY | os.O_APPEND)
        try:
            os.write(descriptor, f"{name}\n".encode())
        finally:
            os.close(descriptor)


def _reach(armed: pathlib.Path, lost: type[Exception]) -> None:
    fired = armed.with_name(f"{armed.name}.fired")
    try:
        what = armed.read_text().strip()
        armed.rename(fired)  # of several processes at the point, one fails
    except FileNotFoundError:
        return
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hold":
        while fired.exists():
            time.sleep(_LOOK)
        return
    raise (lost if what == "lose" else Injected)(f"injected at {armed.name}")
