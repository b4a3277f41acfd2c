# SPDX-License-Identifier: Apache-2.0
"""What conductors tell Prometheus."""

import datetime
import re
from typing import cast

import pytest

from conductor.figures import Figures
from conductor.service import ConductorService
from dbflow.db.models import Health, Instance, utcnow
from dbflow.messaging.dispatcher import Dispatcher
from dbflow.operations import State
from tests.unit.api.test_metrics import samples
from tests.unit.conductor.conftest import GATE, World
from tests.waiting import wait_for


class Broker:
    """In the place of a dispatcher."""

    ready = True
    stats = {"answered": 7}


def _figures(world: World, *conductors: ConductorService) -> Figures:
    figures = Figures(conductors, cast(Dispatcher, Broker()), world.database, 90.0)
    figures.tell(world.metrics)
    return figures


def _ended(world: World) -> dict[str, float]:
    pattern = re.compile(r"dbflow_(operation|step)_seconds_count{(.*)}")
    found = {}
    for name, value in samples(world.metrics).items():
        match = pattern.fullmatch(name)
        if match:
            found[f"{match[1]} {match[2]}".replace('"', "").replace("kind=test.notes,", "")] = value
    return found


def test_an_operation_and_its_steps(world: World) -> None:
    world.conductor()
    operation_id, _ = world.accept()
    world.wait_state(operation_id, State.SUCCESS)
    wait_for(lambda: "operation state=SUCCESS" in _ended(world), 10, "the operation's end")
    assert _ended(world) == {"operation state=SUCCESS": 1, "step state=SUCCESS,step=note": 3}
    assert samples(world.metrics)['dbflow_operations_claimed_total{kind="test.notes"}'] == 1


@pytest.mark.parametrize(
    ("fail", "state", "steps"),
    [
        ("execute-2", State.REVERTED, {"SUCCESS": 2, "FAILURE": 1, "REVERTED": 3}),
        ("both-2", State.FAILED, {"SUCCESS": 3, "FAILURE": 1, "REVERTED": 1, "REVERT_FAILURE": 1}),
    ],
)
def test_one_that_fails(world: World, fail: str, state: State, steps: dict[str, int]) -> None:
    world.conductor()
    operation_id, _ = world.accept(fail=fail)
    world.wait_state(operation_id, state)
    wait_for(lambda: f"operation state={state}" in _ended(world), 10, "the operation's end")
    told = {name.split(",")[0].partition("=")[2]: count for name, count in _ended(world).items() if "step=" in name}
    assert told == steps


def test_of_the_whole_only_the_leader_tells(world: World) -> None:
    first = world.conductor()
    wait_for(lambda: first.leads, 10, "a leader")
    second = world.conductor()
    figures, idle = _figures(world, first), Figures([second], cast(Dispatcher, Broker()), world.database, 90.0)
    operation_id, instance_id = world.accept(gate=1)
    world.wait_state(operation_id, State.RUNNING)
    with world.database.write() as session:
        for number, age in enumerate((0, 3600)):
            version = session.get_one(Instance, instance_id).datastore_version_id
            more = Instance(name=f"g{number}", project_id="p", user_id="u", datastore_version_id=version, flavor_id="1")
            more.server_id = f"server-{number}"
            session.add(more)
            session.flush()
            seen = utcnow() - datetime.timedelta(seconds=age)
            session.add(Health(instance_id=more.id, seen=seen, service_status="HEALTHY", load={}, in_flight=0))
    figures.look()
    idle.look()
    found = samples(world.metrics)
    assert found["dbflow_leader"] == 1
    assert found["dbflow_broker_connected"] == 1
    assert found['dbflow_messages{fate="answered"}'] == 7
    assert found['dbflow_operations{kind="test.notes",state="RUNNING"}'] == 1
    assert (found['dbflow_guests{state="heard"}'], found['dbflow_guests{state="silent"}']) == (1, 1)
    assert found["dbflow_notifications_waiting"] == 0
    assert found['dbflow_jobs{state="claimed"}'] + found['dbflow_jobs{state="waiting"}'] == 1
    assert idle._of_sql("guests") == {}
    assert first.flows + second.flows == 1
    GATE.set()
    world.wait_state(operation_id, State.SUCCESS)


def test_what_was_seen_long_ago_is_not_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = world.conductor()
    wait_for(lambda: leader.leads, 10, "a leader")
    figures = _figures(world, leader)
    figures.look()
    assert samples(world.metrics)["dbflow_notifications_waiting"] == 0
    monkeypatch.setattr("conductor.figures._STALE", -1.0)
    assert "dbflow_notifications_waiting" not in samples(world.metrics)


def test_unposted_operations(world: World) -> None:
    leader = world.conductor()
    wait_for(lambda: leader.leads and leader.unposted is not None, 10, "the leader's look")
    _figures(world, leader)
    assert samples(world.metrics)["dbflow_operations_unposted"] == 0


def test_what_is_parked_counts_until_its_instance_is_deleted(world: World) -> None:
    leader = world.conductor()
    wait_for(lambda: leader.leads, 10, "a leader")
    figures, parked = _figures(world, leader), 'dbflow_operations{kind="test.notes",state="FAILED"}'
    operation_id, instance_id = world.accept(fail="both-2")
    world.wait_state(operation_id, State.FAILED)
    figures.look()
    assert samples(world.metrics)[parked] == 1
    with world.database.write() as session:
        session.get_one(Instance, instance_id).deleted = True
    figures.look()
    assert parked not in samples(world.metrics)
