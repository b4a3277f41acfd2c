# SPDX-License-Identifier: Apache-2.0
"""MariaDB's programs, and how they are run: as the server's user, with a bare environment."""

import functools
import os
import pathlib
import shutil
import subprocess
import threading
import time
from typing import TYPE_CHECKING, Any

from guest.datastores.base import DatastoreError, Interrupted, cloud_marks

if TYPE_CHECKING:
    from guest.datastores.mariadb.layout import Owner  # which looks for programs here

SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/usr/local/sbin", "/sbin"])

_LOOK = 0.5
"""Seconds between two looks at whether a program is still wanted."""


@functools.cache
def find(name: str, first: pathlib.Path | None = None) -> str:
    """The program's path: in the directory ``first``, or of this machine. Debian keeps mariadbd where an ordinary
    user's PATH does not look."""
    path = shutil.which(name, path=SEARCH_PATH if first is None else os.pathsep.join([str(first), SEARCH_PATH]))
    if path is None:
        raise DatastoreError(f"The program {name} is not installed on this machine.")
    return path


def as_user(owner: "Owner") -> dict[str, Any]:
    """Arguments of Popen: of the agent's environment only the cloud's marks, files that others may not read, and the
    server's user when the agent is root."""
    arguments: dict[str, Any] = {
        "env": {"PATH": SEARCH_PATH, "LC_ALL": "C", **cloud_marks()},
        "stdin": subprocess.DEVNULL,
        "umask": 0o027,
    }
    if owner.switch:
        arguments |= {"user": owner.uid, "group": owner.gid, "extra_groups": []}
    return arguments


def complete(
    command: list[str], interrupted: threading.Event, timeout: float, **arguments: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program that may take hours; ``arguments`` are Popen's. Its output and errors are one text. It is killed
    when it is not wanted any more (Interrupted), or after ``timeout`` seconds (subprocess.TimeoutExpired)."""
    end = time.monotonic() + timeout
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", **arguments
    ) as process:
        try:
            output = _output(process, interrupted, end)
        except BaseException:
            process.kill()
            raise
    return subprocess.CompletedProcess(command, process.returncode, output)


def _output(process: subprocess.Popen[str], interrupted: threading.Event, end: float) -> str:
    while True:
        try:
            return process.communicate(timeout=_LOOK)[0]
        except subprocess.TimeoutExpired:
            if interrupted.is_set():
                raise Interrupted("It was interrupted.") from None
            if time.monotonic() > end:
                raise
