# SPDX-License-Identifier: Apache-2.0
"""What a task of the conductor sits out, and what it does not."""

import itertools
import pathlib
import time
import types
from collections.abc import Iterator
from typing import Any, cast

import pytest
import sqlalchemy as sa
from taskflow.types import failure

from conductor.local import Future, LocalExecutor
from conductor.pool import TaskPool
from dbflow.cloud.base import CloudError, Transient, Unavailable
from dbflow.fencing import StaleClaim
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.errors import BrokerUnavailable
from dbflow.waits import NotYet, Overdue
from flows.tasks.base import FlowContext, LocalTask
from flows.tasks.compute import NoteHost, NoteImage
from flows.tasks.tries import Tries


class Holds:
    """A claim that still stands."""

    def confirm(self, within: float) -> None:
        """Nothing to say."""


class Step(LocalTask):
    """Fails with what it is given, as often as there is something."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        cloud = types.SimpleNamespace(transient_retries=2)
        conf = types.SimpleNamespace(cloud=cloud)
        self.bind(cast(FlowContext, types.SimpleNamespace(fence=Holds(), conf=conf)))
        self.errors: Iterator[Exception | None] = itertools.chain(errors, itertools.repeat(None))

    def execute(self) -> str:
        return self._act()

    def revert(self, **_: Any) -> str:
        return self._act()

    def _act(self) -> str:
        error = next(self.errors)
        if error is not None:
            raise error
        return "done"


def _execute(step: Step) -> Any:
    """As a conductor does it: the result, or the failure's exception."""
    return _outcome(LocalExecutor(TaskPool(1)).execute_task(step, "uuid", {}))


def _revert(step: Step) -> Any:
    return _outcome(LocalExecutor(TaskPool(1)).revert_task(step, "uuid", {}, None, {}))


def _outcome(future: Future) -> Any:
    _, what = future.result(30)
    return what.exception if isinstance(what, failure.Failure) else what


def _lost(kind: type[sa.exc.DBAPIError] = sa.exc.OperationalError) -> sa.exc.DBAPIError:
    return kind("SELECT 1", {}, Exception("server has gone away"))


OUTAGES = [_lost(), _lost(sa.exc.InterfaceError), sa.exc.TimeoutError("no connection"), BrokerUnavailable("away")]


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
def test_outages_of_our_own_parts_are_sat_out(error: Exception) -> None:
    assert _execute(Step(error)) == "done"
    assert _revert(Step(error)) == "done"


def test_outages_use_up_no_tries_of_the_cloud() -> None:
    class Impatient(Step):
        tries = 2

    assert _execute(Impatient(_lost(), Unavailable("busy"), _lost())) == "done"


def test_a_cloud_that_does_not_answer_is_asked_so_many_times() -> None:
    class Impatient(Step):
        tries = 2

    assert _execute(Impatient(Unavailable("busy"))) == "done"
    assert isinstance(_execute(Impatient(Unavailable("busy"), Unavailable("busy"))), Unavailable)
    assert _revert(Impatient(CloudError("no"))) == "done"


@pytest.mark.parametrize("tries", [Step().executing(), Step().reverting()])
def test_what_is_transient_in_the_cloud_is_asked_for_anew_after_a_while(tries: Tries) -> None:
    """And its absence meanwhile is sat out besides; the pauses of a revert that is tried on are short."""
    for _ in range(2):
        pause = tries.pause_after(Transient("no host"))
        assert pause is not None
        assert 11 < pause < 19
        assert tries.pause_after(NotYet("away", after=3)) == 3
    last = tries.pause_after(Transient("no host"))
    assert last is None or last < 1


def test_what_is_asked_for_anew_may_take_as_long_again() -> None:
    tries = Step().executing()
    tries._began -= 2 * Step.deadline
    assert tries.pause_after(Transient("no host"))
    assert tries.pause_after(NotYet("x", after=1)) == 1


@pytest.mark.parametrize("task", [NoteHost, NoteImage])
def test_a_look_at_the_server_waits_as_long_as_what_follows(task: type[LocalTask]) -> None:
    tries, waited = task().executing(), 0.0
    while (pause := tries.pause_after(Unavailable("busy"))) is not None:
        waited += pause
    assert waited > 400


def test_what_is_not_there_yet_is_waited_for() -> None:
    step = Step(*[NotYet("server x is being built", after=0.001)] * 20, Unavailable("busy"), NotYet("x", after=0.001))
    assert _execute(step) == "done"


def test_what_does_not_come_is_overdue_after_a_last_look() -> None:
    class Impatient(Step):
        deadline = 0.2

    begun = time.monotonic()
    found = _execute(Impatient(*[NotYet("server x is being built", after=60)] * 3))
    assert time.monotonic() - begun < 30
    assert isinstance(found, Overdue)
    assert str(found) == "server x is being built (waited 0.2 s)"


def test_a_last_look_finds_what_came_meanwhile() -> None:
    class Patient(Step):
        deadline = 5.0

    begun = time.monotonic()
    assert _execute(Patient(NotYet("x", after=60))) == "done"
    assert time.monotonic() - begun < 30


def test_patience_ends() -> None:
    class Impatient(Step):
        patience = 0.01

    assert isinstance(_execute(Impatient(*[_lost()] * 100)), sa.exc.OperationalError)


@pytest.mark.parametrize("error", [CloudError("no"), _lost(sa.exc.ProgrammingError), ValueError()])
def test_all_else_fails_at_once(error: Exception) -> None:
    assert _execute(Step(error)) is error


@pytest.mark.parametrize("kind", ["amqp", "embedded"])
def test_a_broker_that_is_away_has_a_name(kind: str, tmp_path: pathlib.Path) -> None:
    url = f"dbflow+unix://{tmp_path}/none" if kind == "embedded" else "amqp://u:p@127.0.0.1:1//"
    dispatcher = Dispatcher(url, "dbflow", "me", lambda _: b"")
    for call in (dispatcher.declare_guest, dispatcher.delete_guest):
        with pytest.raises(BrokerUnavailable):
            call("instance")


def test_an_overtaken_claim_makes_nothing() -> None:
    class Overtaken:
        def confirm(self, within: float) -> None:
            raise StaleClaim("overtaken")

    step = Step()
    step.bind(cast(FlowContext, types.SimpleNamespace(fence=Overtaken())))
    step.errors = iter(())  # would end the test with StopIteration, were it reached
    assert isinstance(_execute(step), StaleClaim)
    assert isinstance(_revert(step), StaleClaim)
