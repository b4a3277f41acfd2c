# SPDX-License-Identifier: Apache-2.0
"""The sweep's own judgement: it sees what was done twice, not at all, or not undone."""

import argparse

import pytest

from tests.fault.sweep import command
from tests.fault.sweep.ledger import Ledger
from tests.fault.sweep.points import REVERTED, SUCCESS, Point, points
from tests.fault.sweep.scenarios import Scenario

KIND = "instance.resize_flavor"
WORK = [
    "guest.stop-datastore.execute.after",
    "resize-server.execute.returned",
    "guest.apply-flavor.execute.after",
    "guest.start-datastore.execute.after",
    "guest.check-health.execute.after",
    "confirm-resize.execute.returned",
    "record-health.execute.returned",
]
UNDONE = [
    "guest.start-datastore.revert.after",
    "guest.apply-flavor.revert.after",
    "resize-server.revert.returned",
    "guest.stop-datastore.revert.after",
]


def _point(name: str, kind: str = KIND) -> Point:
    (found,) = (point for point in points(kind) if point.name == name)
    return found


def _judged(name: str, record: list[str], state: str = SUCCESS, kind: str = KIND) -> list[str]:
    return Ledger(_point(name, kind), record).steps(state)


def test_each_once_is_right() -> None:
    assert _judged("kill operation.claimed", WORK) == []
    assert _judged("raise record-health", WORK[:-1] + UNDONE, REVERTED) == []


@pytest.mark.parametrize("done", WORK)
def test_what_was_not_done(done: str) -> None:
    step = done.removeprefix("guest.").partition(".")[0]
    assert _judged("kill operation.claimed", [one for one in WORK if one != done]) == [f"{step} was not done"]


@pytest.mark.parametrize("undone", UNDONE)
def test_what_was_not_undone(undone: str) -> None:
    step = undone.removeprefix("guest.").partition(".")[0]
    record = [one for one in WORK + UNDONE if one != undone]
    assert _judged("raise record-health", record, REVERTED) == [f"{step} was not undone"]


@pytest.mark.parametrize(
    ("name", "done", "right"),
    [
        # A guest's work survives the death of any conductor.
        ("kill stop-datastore.execute.begun", "guest.stop-datastore.execute.after", False),
        ("kill stop-datastore.execute.done", "guest.stop-datastore.execute.after", False),
        ("agent stop-datastore.execute.before", "guest.stop-datastore.execute.after", False),
        ("agent stop-datastore.execute.after", "guest.stop-datastore.execute.after", True),
        ("agent stop-datastore.execute.reply", "guest.stop-datastore.execute.after", False),
        ("lose stop-datastore.execute", "guest.stop-datastore.execute.after", False),
        ("kill check-health.execute.done", "guest.check-health.execute.after", True),  # it only looks
        # A conductor's work may be done again as long as it is not saved.
        ("kill resize-server.execute.done", "resize-server.execute.returned", True),
        ("lose resize-server.execute", "resize-server.execute.returned", True),
        ("kill resize-server.execute.saved", "resize-server.execute.returned", False),
        ("kill apply-flavor.execute.begun", "resize-server.execute.returned", False),
    ],
)
def test_what_was_done_twice(name: str, done: str, right: bool) -> None:
    assert (_judged(name, [*WORK, done]) == []) is right


def test_steps_side_by_side_are_interrupted_together() -> None:
    """Only these: what came before was saved."""
    ledger = Ledger(_point("kill create-port.execute.done", "instance.create"), [])
    nodes = {node["name"]: node for node in ledger._graph["nodes"]}
    assert ledger._most(nodes["create-volume"], "execute") == 2
    assert ledger._most(nodes["create-server"], "execute") == 1
    assert ledger._most(nodes["create-volume"], "revert") == 1


def test_an_operation_without_a_scenario_fails_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(Scenario.known, KIND)
    options = argparse.Namespace(operation=None, points=["nothing is called so"], parallel=1, parts="embedded")
    outcome = command.run(options)
    assert f"{KIND}: no scenario" in outcome.violations  # other tests of this process may have kinds of their own
    assert not outcome.good
