# SPDX-License-Identifier: Apache-2.0
"""One conductor of two is killed, stopped or paused in the middle of its work: the other goes on."""

import os
import signal
from collections.abc import Iterator

import pytest

from tests.fault.handover import HELD, hand_over
from tests.fault.succession import Arrival, held_create
from tests.fault.takeover import take_over
from tests.functional.stack import RealStack
from tests.functional.stack.fixtures import after_failure
from tests.functional.stack.process import Service


@pytest.fixture
def real(request: pytest.FixtureRequest, real_stack: RealStack) -> Iterator[RealStack]:
    yield real_stack
    after_failure(request, real_stack)
    real_stack.start()


@pytest.mark.parametrize("step", ["create-server", "install-datastore"])
def test_killed(real: RealStack, step: str) -> None:
    taken = take_over(real, step, grace=10.0)
    print(f"\nnext task {taken.seconds:.1f} s after SIGKILL, with sessions of {real.session_timeout:g} s")
    assert taken.violations == []


@pytest.mark.parametrize("place", HELD)
def test_stopped(real: RealStack, place: str) -> None:
    """How soon it is gone is measured by ``python -m tests.fault handover``."""
    handed = hand_over(real, place, within=10.0)
    print(f"\nSIGTERM: gone after {handed.gone:.2f} s, next task after {handed.first_task:.2f} s")
    assert handed.violations == []


def test_paused_past_its_session(real: RealStack) -> None:
    """It wakes to find its claim gone, and does no harm: what it asks the guest is refused or what was asked anyway."""
    point = "install-datastore.execute.begun"
    with real.nothing_left():
        with held_create(real, point) as (create, _):
            arrival = Arrival(real.faults, point)
            os.kill(create.owner.pid, signal.SIGSTOP)
            try:
                arrival.wait(60)
            finally:
                os.kill(create.owner.pid, signal.SIGCONT)
        assert create.finish() == []
        assert create.owner.alive
        _serves_again(real, create.owner)


def _serves_again(real: RealStack, runner: Service) -> None:
    """With every other conductor stopped it runs operations."""
    (other,) = [one for one in real.conductors if one is not runner]
    other.stop()
    client = real.client()
    client.deleted(client.created("alone")["id"])
