# SPDX-License-Identifier: Apache-2.0
"""An operation that loses its conductor: when the next one begins its first task, and what must not change."""

import contextlib
import dataclasses
import time
from collections.abc import Iterator
from typing import Any

from tests.functional.stack import Client, RealStack, mysql, new_password
from tests.functional.stack.faults import Faults, Held, arm_file
from tests.functional.stack.process import Service
from tests.waiting import wait_for


class Arrival:
    """The next arrival at a point, though somebody may still be held there. Whoever arrives goes on at once when
    it has been seen."""

    def __init__(self, faults: Faults, point: str) -> None:
        self._armed = faults.directory / point
        self._fired = self._armed.with_name(f"{point}.fired")
        arm_file(self._armed, "hold")

    def wait(self, timeout: float) -> float:
        """When it was (seconds since 1970): the file system's own note of the renaming."""
        wait_for(lambda: not self._armed.exists(), timeout, f"somebody at {self._armed.name}")
        when = self._fired.stat().st_ctime
        self._fired.unlink(missing_ok=True)
        return when


@dataclasses.dataclass
class Succession:
    """A create, held or not, and the conductor that runs it."""

    stack: RealStack
    instance_id: str
    operation_id: str
    password: str
    owner: Service
    done: dict[str, Any]
    """Steps that were done when the conductor was found, with all that is told of them."""

    @property
    def client(self) -> Client:
        """Whose instance it is."""
        return self.stack.client()

    def steps(self) -> dict[str, Any]:
        """Those that are done, as they are now."""
        found = self.client.operation(self.operation_id)["steps"]
        return {step["name"]: step for step in found if step["state"] == "SUCCESS"}

    def finish(self) -> list[str]:
        """Wait for the end and delete the instance: violations. What was done has not been touched since; no step
        was begun twice (the attempt counts reverts too)."""
        ended = self.client.wait_operation(self.operation_id)
        mysql(self.client.show(self.instance_id), "u", self.password).close()
        steps = {step["name"]: step for step in ended["steps"]}
        violations = [f"{name} was done again" for name, step in self.done.items() if steps[name] != step]
        violations += [
            f"{name}: {step['state']}, attempt {step['attempt']}"
            for name, step in steps.items()
            if (step["state"], step["attempt"]) != ("SUCCESS", 1)
        ]
        self.client.deleted(self.instance_id)
        return violations


@contextlib.contextmanager
def held_create(stack: RealStack, point: str) -> Iterator[tuple[Succession, Held]]:
    """A create in which somebody is held at ``point`` for the length of the block."""
    with stack.faults.holding(point) as held:
        instance_id, operation_id, password = _ask(stack, point)
        held.reached()
        yield _found(stack, instance_id, operation_id, password), held


def create_at(stack: RealStack, step: str) -> Succession:
    """A create that has come to a step, and goes on meanwhile."""
    instance_id, operation_id, password = _ask(stack, step)
    stack.client().wait_step(operation_id, step)
    return _found(stack, instance_id, operation_id, password)


def _ask(stack: RealStack, where: str) -> tuple[str, str, str]:
    password = new_password()
    instance_id, operation_id = stack.client().create(f"to-{where}", users=[{"name": "u", "password": password}])
    return instance_id, operation_id, password


def _found(stack: RealStack, instance_id: str, operation_id: str, password: str) -> Succession:
    owner = stack.running_in(stack.admin().operation(operation_id))
    made = Succession(stack, instance_id, operation_id, password, owner, {})
    made.done = made.steps()
    return made


def now() -> float:
    """By the clock that files are dated with."""
    return time.time()
