# SPDX-License-Identifier: Apache-2.0
"""Operations whose one step says when it begins, and a conductor that knows them.

``python -m tests.bench.jobflows --config-file …`` is dbflow-conductor with ``instance.create`` replaced by such a
step: what is measured ends where an operation's own work begins. Each step prints ``step OPERATION begun|ended
SECONDS`` by the clock that all processes of the machine share (CLOCK_MONOTONIC).
"""

import pathlib
import sys
import time

from taskflow.patterns import linear_flow

from dbflow.cmd import conductor
from dbflow.operations import Kind
from flows.registry import REGISTRY, Definition
from flows.tasks.base import LocalTask

CREATE = "instance.create"
PLAIN, HELD, URGENT = "bench.plain", "bench.held", "bench.urgent"
"""Ends at once; is at its step until its file appears; the same, of high priority."""
WORD = "step"
LOOK = 0.002


class Tell(LocalTask):
    """Say that it has begun."""

    def execute(self) -> None:
        self.tell("begun")

    def tell(self, what: str) -> None:
        """A whole line in one write: others print too."""
        sys.stdout.write(f"{WORD} {self.context.fence.operation_id} {what} {time.monotonic()}\n")
        sys.stdout.flush()


class Hold(Tell):
    """Be at work until ``gate``, a directory, has a file named after the operation."""

    def execute(self, gate: str) -> None:
        self.tell("begun")
        file = pathlib.Path(gate, self.context.fence.operation_id)
        while not file.exists():
            time.sleep(LOOK)
        self.tell("ended")


def register() -> None:
    """Make them known to this process."""
    version = REGISTRY.kind(CREATE).version  # loads the real ones, which are replaced then
    for name, number, step, priority in (
        (CREATE, version, Tell, "NORMAL"),
        (PLAIN, 1, Tell, "NORMAL"),
        (HELD, 1, Hold, "NORMAL"),
        (URGENT, 1, Hold, "HIGH"),
    ):
        kind = Kind(name, name, number, priority, "instance", "BUILDING")
        REGISTRY._definitions[name, number] = Definition(
            kind, lambda _, step=step: linear_flow.Flow("bench").add(step()), lambda _session, _ending: None, {}
        )


if __name__ == "__main__":
    register()
    sys.exit(conductor.main())
