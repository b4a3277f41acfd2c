# SPDX-License-Identifier: Apache-2.0
"""Configuration groups that change while instances have them."""

import datetime

import pytest

from dbflow.db.models import Health, utcnow
from dbflow.operations import State
from dbflow.status import Task
from tests.unit.api.configurations import VALUES, attach, change, made, newest, put, row
from tests.unit.api.endings import ending
from tests.unit.api.world import World

pytestmark = pytest.mark.usefixtures("impatient")


def test_a_change_goes_to_every_instance(world: World) -> None:
    group_id, ids = made(world), sorted(world.active(name=f"i{number}") for number in range(2))
    ending(world)
    for instance_id in ids:
        attach(world, instance_id, group_id)
    wanted = VALUES | {"max_connections": 300}
    answer = change(world, "PATCH", group_id, values={"max_connections": 300})
    assert (answer.status_code, answer.data) == (200, b"")
    operation = newest(world, "configuration.apply")
    assert (operation.target_type, operation.target_id) == ("configuration", group_id)
    found = world.keyring.unseal(operation.arguments)
    assert (found["overrides"], found["old_overrides"]) == (wanted, VALUES)
    sizes = {"ram": 256, "vcpus": 1, "restart_required": False}
    assert found["instances"] == [{"id": one, **sizes} for one in ids]
    assert (row(world, group_id).settings, row(world, group_id).operation_id) == (wanted, None)
    assert [world.instance(one).operation_id for one in ids] == [None, None]
    assert change(world, "PUT", group_id, values=wanted, name="new").status_code == 202
    assert (row(world, group_id).name, newest(world, "configuration.apply").id) == ("new", operation.id)


def test_a_change_that_a_server_refuses_is_none(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    ending(world)
    attach(world, instance_id, group_id)
    ending(world, State.REVERTED, "the server refused")
    answer = change(world, "PUT", group_id, values={"back_log": 1}, name="other")
    assert (answer.status_code, "the server refused" in answer.text) == (422, True)
    found = row(world, group_id)
    assert (found.settings, found.name, found.operation_id) == (VALUES, "busy", None)
    instance = world.instance(instance_id)
    assert (instance.task, instance.operation_id, instance.configuration_id) == (Task.NONE, None, group_id)


def test_one_change_at_a_time(world: World) -> None:
    group_id, instance_id, second = made(world), world.active(), world.active()
    ending(world)
    attach(world, instance_id, group_id)
    world.services.post = lambda operation: world.posted.append(operation.id)
    assert change(world, "PATCH", group_id, values={"back_log": 1}).status_code == 200
    assert change(world, "PATCH", group_id, values={"back_log": 2}).status_code == 422
    assert attach(world, second, group_id).status_code == 422
    assert world.create(configuration=group_id).status_code == 422
    assert world.ask("POST", f"instances/{instance_id}/action", json={"restart": {}}).status_code == 422
    assert row(world, group_id).settings == VALUES, "not before it is true"


def test_a_busy_instance_puts_a_change_off(world: World) -> None:
    group_id, free, busy = made(world), world.active(), world.active()
    ending(world)
    for instance_id in (free, busy):
        attach(world, instance_id, group_id)
    world.services.post = lambda operation: world.posted.append(operation.id)
    world.ask("POST", f"instances/{busy}/action", json={"restart": {}})
    answer = change(world, "PATCH", group_id, values={"back_log": 1})
    assert (answer.status_code, busy in answer.text) == (422, True)
    assert (world.instance(free).operation_id, row(world, group_id).operation_id) == (None, None)


def test_a_parked_change_is_retried_on_all_its_instances(world: World) -> None:
    group_id, ids = made(world), [world.active(), world.active()]
    ending(world)
    for instance_id in ids:
        attach(world, instance_id, group_id)
    ending(world, State.FAILED, "Could not be undone")
    assert change(world, "PATCH", group_id, values={"back_log": 1}).status_code == 422
    assert [world.instance(one).task for one in ids] == [Task.ERROR] * 2
    world.services.post = lambda operation: world.posted.append(operation.id)
    operation = newest(world, "configuration.apply").id
    assert world.ask("POST", f"operations/{operation}/retry").status_code == 202
    assert [world.instance(one).operation_id for one in ids] == [operation] * 2
    assert row(world, group_id).operation_id == operation
    assert world.operation(operation).requested == "cancel"


def test_whoever_came_to_a_parked_change_is_let_go_with_the_others(world: World) -> None:
    group_id, first, second = made(world), world.active(), world.active()
    ending(world)
    attach(world, first, group_id)
    ending(world, State.FAILED, "Could not be undone")
    assert change(world, "PATCH", group_id, values={"back_log": 1}).status_code == 422
    ending(world)
    assert attach(world, second, group_id).status_code == 202
    ending(world, State.REVERTED, None)
    operation = newest(world, "configuration.apply").id
    assert world.ask("POST", f"operations/{operation}/retry").status_code == 202
    for instance_id in (first, second):
        found = world.instance(instance_id)
        assert (found.operation_id, found.task, found.configuration_id) == (None, Task.NONE, group_id)


def test_whoever_is_as_before_is_not_in_error(world: World) -> None:
    """One guest of the group could not be undone; the others were."""
    group_id, ids = made(world), sorted(world.active(name=f"i{number}") for number in range(3))
    ending(world)
    for instance_id in ids:
        attach(world, instance_id, group_id)
    ending(world, State.FAILED, "Could not be undone", frozenset({"apply-configuration-2", "check-configuration-1"}))
    assert change(world, "PATCH", group_id, values={"back_log": 1}).status_code == 422
    found = [world.instance(one) for one in ids]
    assert [one.task for one in found] == [Task.NONE, Task.ERROR, Task.NONE]
    assert [one.operation_id for one in found] == [None] * 3
    assert all("Could not be undone" in str(one.fault) for one in found)


@pytest.mark.parametrize("since", ["detached", "patched"])
def test_a_parked_change_that_was_overtaken_is_not_undone_any_more(world: World, since: str) -> None:
    group_id, ids = made(world), [world.active(), world.active()]
    ending(world)
    for instance_id in ids:
        attach(world, instance_id, group_id)
    ending(world, State.FAILED, "Could not be undone")
    change(world, "PATCH", group_id, values={"back_log": 1})
    operation = newest(world, "configuration.apply").id
    for instance_id in ids:
        url = f"/v1.0/padmin/instances/{instance_id}/action"
        assert world.ask("POST", url, "admin", json={"reset_status": {}}).status_code == 202
    ending(world)
    if since == "detached":
        assert put(world, ids[1], {"configuration": None}).status_code == 202
    else:
        assert change(world, "PATCH", group_id, values={"back_log": 2}).status_code == 200
    answer = world.ask("POST", f"operations/{operation}/retry")
    assert (answer.status_code, "has changed what it would go back to" in answer.text) == (409, True)
    assert [world.instance(one).operation_id for one in ids] == [None, None]
    assert world.operation(operation).state == State.FAILED


def test_a_parked_resize_is_not_undone_over_a_newer_group(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    ending(world, State.FAILED, "Could not be undone")
    world.ask("POST", f"instances/{instance_id}/action", json={"resize": {"flavorRef": "2"}})
    world.ask("POST", f"/v1.0/padmin/instances/{instance_id}/action", "admin", json={"reset_status": {}})
    ending(world)
    assert attach(world, instance_id, group_id).status_code == 202
    parked = newest(world, "instance.resize_flavor").id
    assert world.ask("POST", f"operations/{parked}/retry").status_code == 409


def test_a_change_is_refused_at_once_while_a_guest_is_silent(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    ending(world)
    attach(world, instance_id, group_id)
    with world.database.write() as session:
        session.get_one(Health, instance_id).seen = utcnow() - datetime.timedelta(days=1)
    answer = change(world, "PATCH", group_id, values={"back_log": 1})
    assert (answer.status_code, "was last heard" in answer.text) == (422, True)
    assert world.instance(instance_id).operation_id is None
