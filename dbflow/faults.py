# SPDX-License-Identifier: Apache-2.0
"""Named points at which a test makes a process fail; in production a point is one comparison.

Armed by the environment: ``DBFLOW_FAULTS`` names a directory, and a file in it, named after a point, says what is to
happen there, once: ``kill`` (SIGKILL this process), ``raise`` (an error that nothing expects), ``lose`` (what was
done stays done, but its caller sees what a lost answer looks like) or ``hold`` (wait until the test lets go). A point
that was reached leaves its file with ``.fired`` behind its name, so that the process that takes over passes; removing
that file lets go of a thread that is held.
"""

import os
import pathlib
import signal
import time

VARIABLE = "DBFLOW_FAULTS"
_DIRECTORY = pathlib.Path(os.environ[VARIABLE]) if VARIABLE in os.environ else None

_LOOK = 0.01
"""Seconds between two looks of a thread that is held."""


class Injected(Exception):
    """What a ``raise`` point raises."""


def point(name: str, lost: type[Exception] = Injected) -> None:
    """Fail here if a test asks for it. ``lost`` is what the caller sees when an answer is lost on its way."""
    if _DIRECTORY is not None:
        _reach(_DIRECTORY / name, lost)


def _reach(armed: pathlib.Path, lost: type[Exception]) -> None:
    fired = armed.with_name(f"{armed.name}.fired")
    try:
        armed.rename(fired)  # of several processes at the point, one fails
    except FileNotFoundError:
        return
    what = fired.read_text().strip()
    if what == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == "hold":
        while fired.exists():
            time.sleep(_LOOK)
        return
    raise (lost if what == "lose" else Injected)(f"injected at {armed.name}")
