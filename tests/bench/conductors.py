# SPDX-License-Identifier: Apache-2.0
"""Conductor processes of a benchmark, and what their steps say."""

import collections
import contextlib
import pathlib
import queue
import subprocess
import sys
import threading
import time
import types
from typing import Self

import psutil

from dbflow.db.models import Conductor
from dbflow.db.session import Database
from tests.bench import jobflows
from tests.bench.standalone import STOP_TIMEOUT
from tests.waiting import wait_for

PATIENCE = 120.0


class Conductors:
    """As many as were added; all are stopped at the end of the block."""

    def __init__(self, conf: pathlib.Path, database: Database, max_flows: int) -> None:
        self._database = database
        self._settings = conf.with_name("conductors.conf")
        self._settings.write_text(f"[conductor]\nmax_flows = {max_flows}\n[DEFAULT]\ndebug = false\n")
        # A benchmark that is killed leaves none behind.
        self._argv = ["setpriv", "--pdeathsig", "TERM", "--", sys.executable, "-m", "tests.bench.jobflows"]
        self._argv += ["--config-file", str(conf), "--config-file", str(self._settings)]
        self._log = conf.with_name("conductors.log")
        self._said: collections.deque[str] = collections.deque(maxlen=20)
        self._processes: list[subprocess.Popen[str]] = []
        self._told: queue.SimpleQueue[tuple[str, str, float]] = queue.SimpleQueue()

    def add(self) -> None:
        """One more; returns when it claims jobs."""
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                self._argv, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, text=True
            )
        self._processes.append(process)
        threading.Thread(target=self._read, args=(process,), daemon=True).start()
        wait_for(lambda: self._reported(process.pid), PATIENCE, "a conductor")

    def next(self) -> tuple[str, str, float]:
        """What the next step to speak says: (operation id, begun | ended, when)."""
        try:
            return self._told.get(timeout=PATIENCE)
        except queue.Empty:
            said = "".join(self._said) + self._log.read_text(errors="replace")[-2000:]
            raise RuntimeError(f"no step begins: {said}") from None

    def begun(self, operation_id: str) -> float:
        """When that operation's step began; what others say until then is dropped."""
        while True:
            told, what, when = self.next()
            if (told, what) == (operation_id, "begun"):
                return when

    def forget(self) -> None:
        """Drop what was said so far."""
        with contextlib.suppress(queue.Empty):
            while True:
                self._told.get_nowait()

    def idle(self, seconds: float) -> tuple[float, float]:
        """(per cent of a processor, MiB) that a conductor uses in that time; of the largest."""
        used = [self._processor_time(process) for process in self._processes]
        time.sleep(seconds)
        used = [self._processor_time(process) - before for process, before in zip(self._processes, used, strict=True)]
        memory = [psutil.Process(process.pid).memory_info().rss for process in self._processes]
        return 100 * max(used) / seconds, max(memory) / 2**20

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: types.TracebackType | None
    ) -> None:
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            try:
                process.wait(STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _read(self, process: "subprocess.Popen[str]") -> None:
        assert process.stdout is not None
        for line in process.stdout:
            words = line.split()
            if words[:1] == [jobflows.WORD]:
                self._told.put((words[1], words[2], float(words[3])))
            else:
                self._said.append(line)

    def _reported(self, pid: int) -> bool:
        with self._database.read() as session:
            return any(row.pid == pid for row in session.query(Conductor))

    def _processor_time(self, process: "subprocess.Popen[str]") -> float:
        times = psutil.Process(process.pid).cpu_times()
        return times.user + times.system
