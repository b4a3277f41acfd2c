# SPDX-License-Identifier: Apache-2.0
"""What a task of the conductor sits out, and what it does not."""

import contextlib
import itertools
import pathlib
import types
from collections.abc import Iterator
from typing import Any, cast

import pytest
import sqlalchemy as sa

from dbflow.cloud.base import CloudError, Unavailable
from dbflow.fencing import StaleClaim
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.messaging.errors import BrokerUnavailable
from flows.tasks.base import FlowContext, LocalTask


class Holds:
    """A claim that still stands."""

    connection = contextlib.nullcontext


class Step(LocalTask):
    """Fails with what it is given, as often as there is something."""

    def __init__(self, *errors: Exception) -> None:
        super().__init__()
        self.bind(cast(FlowContext, types.SimpleNamespace(fence=Holds())))
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


def _lost(kind: type[sa.exc.DBAPIError] = sa.exc.OperationalError) -> sa.exc.DBAPIError:
    return kind("SELECT 1", {}, Exception("server has gone away"))


OUTAGES = [_lost(), _lost(sa.exc.InterfaceError), sa.exc.TimeoutError("no connection"), BrokerUnavailable("away")]


@pytest.mark.parametrize("error", OUTAGES, ids=lambda error: type(error).__name__)
def test_outages_of_our_own_parts_are_sat_out(error: Exception) -> None:
    assert Step(error).execute() == "done"
    assert Step(error).revert() == "done"


def test_outages_use_up_no_tries_of_the_cloud() -> None:
    class Impatient(Step):
        tries = 2

        def execute(self) -> str:
            return self._act()

    assert Impatient(_lost(), Unavailable("busy"), _lost()).execute() == "done"


def test_patience_ends() -> None:
    class Impatient(Step):
        patience = 0.01

        def execute(self) -> str:
            return self._act()

    with pytest.raises(sa.exc.OperationalError):
        Impatient(*[_lost()] * 100).execute()


@pytest.mark.parametrize("error", [CloudError("no"), _lost(sa.exc.ProgrammingError), ValueError()])
def test_all_else_fails_at_once(error: Exception) -> None:
    with pytest.raises(type(error)):
        Step(error).execute()


@pytest.mark.parametrize("kind", ["amqp", "embedded"])
def test_a_broker_that_is_away_has_a_name(kind: str, tmp_path: pathlib.Path) -> None:
    url = f"dbflow+unix://{tmp_path}/none" if kind == "embedded" else "amqp://u:p@127.0.0.1:1//"
    dispatcher = Dispatcher(url, "dbflow", "me", lambda _: b"")
    for call in (dispatcher.declare_guest, dispatcher.delete_guest):
        with pytest.raises(BrokerUnavailable):
            call("instance")


def test_an_overtaken_claim_makes_nothing() -> None:
    class Overtaken:
        def connection(self) -> contextlib.AbstractContextManager[None]:
            raise StaleClaim("overtaken")

    step = Step()
    step.bind(cast(FlowContext, types.SimpleNamespace(fence=Overtaken())))
    step.errors = iter(())  # would end the test with StopIteration, were it reached
    with pytest.raises(StaleClaim):
        step.execute()
    with pytest.raises(StaleClaim):
        step.revert()
