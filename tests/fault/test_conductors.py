# SPDX-License-Identifier: Apache-2.0
"""One conductor of two is killed, paused or stopped in the middle of its work: the other goes on."""

import os
import signal
import time
from collections.abc import Iterator

import pytest

from tests.functional.stack import Client, RealStack, mysql, new_password
from tests.functional.stack.fixtures import after_failure
from tests.functional.stack.process import Service
from tests.functional.stack.real import SESSION_TIMEOUT
from tests.waiting import wait_for


@pytest.fixture
def real(request: pytest.FixtureRequest, real_stack: RealStack) -> Iterator[RealStack]:
    yield real_stack
    after_failure(request, real_stack)
    real_stack.start()


def _begin(real: RealStack, password: str) -> tuple[str, str, Service]:
    """A create in its middle: instance, operation, and the conductor that runs it."""
    client = real.client()
    instance_id, create = client.create("handed-over", users=[{"name": "u", "password": password}])
    client.wait_step(create, "install-datastore")
    return instance_id, create, real.running_in(real.admin().operation(create))


def _taken_over(real: RealStack, create: str, from_whom: str) -> float:
    """Wait until another conductor has it; when that was."""
    admin = real.admin()

    def moved() -> bool:
        return bool(admin.operation(create)["conductor"] != from_whom)

    wait_for(moved, 60, "another conductor")
    return time.monotonic()


def _finish(client: Client, instance_id: str, create: str, password: str) -> None:
    ended = client.wait_operation(create)
    assert {step["state"] for step in ended["steps"]} == {"SUCCESS"}
    mysql(client.show(instance_id), "u", password).close()
    client.deleted(instance_id)


def test_killed(real: RealStack) -> None:
    password = new_password()
    with real.nothing_left():
        instance_id, create, runner = _begin(real, password)
        name = real.admin().operation(create)["conductor"]
        runner.kill9()
        began = time.monotonic()
        took = _taken_over(real, create, name) - began
        _finish(real.client(), instance_id, create, password)
    print(f"\ntaken over {took:.1f} s after SIGKILL, with sessions of {SESSION_TIMEOUT:g} s")
    assert took < 3 * SESSION_TIMEOUT + 5


def test_stopped(real: RealStack) -> None:
    password = new_password()
    with real.nothing_left():
        instance_id, create, runner = _begin(real, password)
        name = real.admin().operation(create)["conductor"]
        began = time.monotonic()
        took = runner.stop()
        moved = _taken_over(real, create, name) - began
        _finish(real.client(), instance_id, create, password)
    print(f"\nSIGTERM: gone after {took:.2f} s, taken over after {moved:.2f} s")
    assert took < 5.0


def test_paused_past_its_session(real: RealStack) -> None:
    """It wakes to find its claim gone, and does no harm."""
    password = new_password()
    with real.nothing_left():
        instance_id, create, runner = _begin(real, password)
        name = real.admin().operation(create)["conductor"]
        pid = runner.pid

        os.kill(pid, signal.SIGSTOP)
        try:
            _taken_over(real, create, name)
        finally:
            os.kill(pid, signal.SIGCONT)
        _finish(real.client(), instance_id, create, password)
        assert runner.alive
        _serves_again(real, runner)


def _serves_again(real: RealStack, runner: Service) -> None:
    """With every other conductor stopped it runs operations."""
    (other,) = [one for one in real.conductors if one is not runner]
    other.stop()
    client = real.client()
    client.deleted(client.created("alone")["id"])
