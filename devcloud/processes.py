# SPDX-License-Identifier: Apache-2.0
"""The cloud's processes: each a session of its own, known by process id and time of start, so never another's."""

import dataclasses
import json
import os
import pathlib
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from devcloud.settings import Settings

PATH = "/usr/sbin:/usr/bin:/sbin:/bin"
PYTHON = "/usr/bin/python3"
START_TIMEOUT, STOP_TIMEOUT = 300.0, 10.0


class Failed(Exception):
    """Something did not start, answer or end in time."""


@dataclasses.dataclass(frozen=True)
class Daemon:
    """A process to be."""

    name: str
    argv: Sequence[str]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)


def environment(settings: Settings) -> dict[str, str]:
    """Nothing of the caller's: a Python of another place in PATH, or PYTHON* variables, would hide Debian's modules.

    Python's warnings are off, since Cinder's are raised within its logging, hundreds of traces a start.
    """
    return {
        "PATH": PATH,
        "HOME": str(settings.directory),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(settings.directory / "lib"),
        "PYTHONSAFEPATH": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONWARNINGS": "ignore",
    }


def python(module: str, *arguments: object) -> list[str]:
    """The command that runs a module of this package."""
    return [PYTHON, "-m", module, *map(str, arguments)]


def call(function: str, *arguments: object) -> list[str]:
    """The command that calls ``module:function``, as the scripts of the service packages would."""
    module, name = function.split(":")
    return [PYTHON, "-c", f"import sys; from {module} import {name}; sys.exit({name}())", *map(str, arguments)]


def start_time(pid: int) -> str | None:
    """When a living process was started, in the kernel's ticks; None when there is none."""
    try:
        fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


class Process:
    """One of the cloud's processes, by the file that says which it is."""

    def __init__(self, settings: Settings, name: str) -> None:
        self.name = name
        self.log = settings.log / f"{name}.log"
        self._settings = settings
        self._file = settings.run / f"{name}.pid"

    @classmethod
    def all(cls, settings: Settings) -> list["Process"]:
        """Those that were started and have not been stopped."""
        return [cls(settings, path.stem) for path in sorted(settings.run.glob("*.pid"))]

    def start(self, daemon: Daemon) -> None:
        """Leave it alone if it lives."""
        if self.alive:
            return
        with self.log.open("ab") as log:
            started = subprocess.Popen(
                daemon.argv,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**environment(self._settings), **daemon.environment},
                cwd=self._settings.directory,
                start_new_session=True,
            )
        write_atomically(self._file, json.dumps([started.pid, start_time(started.pid)]))

    @property
    def pid(self) -> int | None:
        """None when it is gone."""
        known = self._known()
        # One that had ended before it was looked at has no time.
        return known[0] if known and known[1] is not None and start_time(known[0]) == known[1] else None

    @property
    def alive(self) -> bool:
        return self.pid is not None

    def signal(self, number: signal.Signals) -> None:
        """Send it to the process and what it has started, as far as they live. Failed when none was started."""
        if self._known() is None:
            raise Failed(f"no process {self.name} was started")
        for pid in self._session():
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                continue

    def forget(self) -> None:
        """The last step of stopping."""
        self._file.unlink(missing_ok=True)

    @property
    def gone(self) -> bool:
        """With all that it has started."""
        return not self._session()

    def wait_gone(self) -> None:
        """Return when all of it has ended. Failed when it does not."""
        wait_for(lambda: self.gone, f"the end of {self.name}", 10)

    def tail(self, lines: int = 15) -> str:
        """The end of its log."""
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def _known(self) -> tuple[int, str | None] | None:
        try:
            pid, started = json.loads(self._file.read_text())
        except FileNotFoundError:
            return None
        return pid, started

    def _session(self) -> list[int]:
        """Its processes. The system gives its number to nobody while the session has one."""
        known = self._known()
        if known is None or start_time(known[0]) not in (known[1], None):
            return []
        return list(_of_session(known[0]))


def _of_session(session: int) -> Iterator[int]:
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            yield int(path.parent.name)


def stop(processes: Iterable[Process], number: signal.Signals = signal.SIGTERM) -> None:
    """End them together, and kill what has not ended in time."""
    left = list(processes)
    for process in left:
        process.signal(number)
    deadline = time.monotonic() + STOP_TIMEOUT
    while not all(process.gone for process in left) and time.monotonic() < deadline:
        time.sleep(0.05)
    for process in left:
        process.signal(signal.SIGKILL)
    for process in left:
        process.wait_gone()
        process.forget()


def wait_for(
    condition: Callable[[], object],
    what: str,
    timeout: float = START_TIMEOUT,
    process: Process | None = None,
) -> None:
    """Until the condition is true. Failed after ``timeout`` seconds, or when the process is gone before that."""
    deadline = time.monotonic() + timeout
    while not condition():
        if process is not None and not process.alive:
            raise Failed(f"{process.name} ended at its start; the end of {process.log}:\n{process.tail()}")
        if time.monotonic() > deadline:
            detail = f"; the end of {process.log}:\n{process.tail()}" if process else ""
            raise Failed(f"waited {timeout:g} s for {what}{detail}")
        time.sleep(0.1)


def write_atomically(path: pathlib.Path, text: str) -> None:
    """Whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(text)
    part.rename(path)
