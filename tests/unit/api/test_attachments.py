# SPDX-License-Identifier: Apache-2.0
"""Configuration groups on instances, and what else is done to those."""

from typing import Any

import pytest

from dbflow.db.models import Configuration, Health, Instance, Operation
from dbflow.operations import State
from dbflow.services.seed import ensure_datastore
from dbflow.status import Task
from tests.unit.api.configurations import UUID, VALUES, attach, change, made, newest, put
from tests.unit.api.endings import ending
from tests.unit.api.world import World

pytestmark = pytest.mark.usefixtures("impatient")


def test_attached(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    ending(world)
    answer = attach(world, instance_id, group_id)
    assert (answer.status_code, answer.data) == (202, b"")
    operation = newest(world, "instance.attach_configuration")
    assert operation.id in answer.headers["Link"]
    assert world.keyring.unseal(operation.arguments) == {
        "ram": 256,
        "vcpus": 1,
        "overrides": VALUES,
        "old_overrides": {},
        "old_restart_required": False,
    }
    shown = world.ask("GET", f"instances/{instance_id}").json["instance"]
    assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
    assert (shown["configuration"]["id"], shown["configuration"]["name"]) == (group_id, "busy")
    assert f"/configurations/{group_id}" in shown["configuration"]["links"][0]["href"]
    assert "configuration" not in world.ask("GET", "instances").json["instances"][0]
    assert world.ask("GET", f"configurations/{group_id}").json["configuration"]["instance_count"] == 1
    listed = world.ask("GET", f"configurations/{group_id}/instances").json
    assert listed == {"instances": [{"id": instance_id, "name": "db1"}]}
    assert attach(world, instance_id, group_id).status_code == 400
    assert attach(world, instance_id, made(world)).status_code == 400
    assert world.ask("DELETE", f"configurations/{group_id}").status_code == 400


@pytest.mark.parametrize(
    ("method", "body"), [("PUT", {}), ("PUT", {"configuration": None}), ("PATCH", {"configuration": ""})]
)
def test_detached(world: World, method: str, body: dict[str, Any]) -> None:
    group_id, instance_id = made(world), world.active()
    ending(world)
    attach(world, instance_id, group_id)
    assert put(world, instance_id, {"name": "other"}).status_code == 202
    assert world.instance(instance_id).configuration_id == group_id, "a new name is no reason to detach"
    assert put(world, instance_id, body, method).status_code == 202
    found = world.keyring.unseal(newest(world, "instance.detach_configuration").arguments)
    assert (found["overrides"], found["old_overrides"]) == ({}, VALUES)
    shown = world.ask("GET", f"instances/{instance_id}").json["instance"]
    assert ("configuration" in shown, shown["name"]) == (False, "other")
    assert put(world, instance_id, body, method).status_code == 202, "nothing to detach is done"
    assert world.ask("DELETE", f"configurations/{group_id}").status_code == 202


def test_a_name_and_a_group_at_once(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    wanted = {"configuration": f"https://h/v1.0/p1/configurations/{group_id}", "name": "n2"}
    ending(world, State.REVERTED, "the server refused")
    assert put(world, instance_id, wanted).status_code == 422
    assert world.instance(instance_id).name == "db1", "all of it or nothing"
    ending(world)
    assert put(world, instance_id, wanted).status_code == 202
    assert (world.instance(instance_id).configuration_id, world.instance(instance_id).name) == (group_id, "n2")


def test_what_the_server_refuses_is_told_and_leaves_no_trace(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    ending(world, State.REVERTED, "step check-configuration: The database server refused: no")
    answer = attach(world, instance_id, group_id)
    assert (answer.status_code, "refused: no" in answer.text) == (422, True)
    assert newest(world, "instance.attach_configuration").id in answer.headers["Link"]
    found = world.instance(instance_id)
    assert (found.configuration_id, found.operation_id, found.task) == (None, None, Task.NONE)
    assert world.ask("DELETE", f"configurations/{group_id}").status_code == 202


def test_a_group_that_could_not_be_taken_back_can_be_detached(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    ending(world, State.FAILED, "Could not be undone")
    assert attach(world, instance_id, group_id).status_code == 422
    found = world.instance(instance_id)
    assert (found.configuration_id, found.task) == (group_id, Task.ERROR)
    url = f"/v1.0/padmin/instances/{instance_id}/action"
    assert world.ask("POST", url, "admin", json={"reset_status": {}}).status_code == 202
    ending(world)
    assert put(world, instance_id, {"configuration": None}).status_code == 202
    assert world.keyring.unseal(newest(world, "instance.detach_configuration").arguments)["old_overrides"] == VALUES
    assert world.instance(instance_id).configuration_id is None


def test_a_group_in_use_can_not_go_while_it_is_being_attached(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    assert attach(world, instance_id, group_id).status_code == 202, "accepted, though it takes long"
    assert world.ask("GET", f"instances/{instance_id}").json["instance"]["status"] == "RESTART_REQUIRED"
    assert world.ask("DELETE", f"configurations/{group_id}").status_code == 400
    assert change(world, "PATCH", group_id, values={"back_log": 1}).status_code == 422
    assert put(world, instance_id, {"configuration": None}).status_code == 400


def test_who_can_not_have_it(world: World) -> None:
    instance_id, group_id = world.active(), made(world)
    newer = ensure_datastore(world.database, "mariadb", "11.8", "11.8.3", "mariadb", None)
    assert attach(world, instance_id, UUID).status_code == 404
    assert attach(world, world.created(), group_id).status_code == 400
    with world.database.write() as session:
        other = session.get_one(Configuration, group_id)
        other.project_id = "p2"
    assert attach(world, instance_id, group_id).status_code == 404
    for_all = {"json": {"instance": {"configuration": group_id}}}
    answer = world.ask("PUT", f"/v1.0/padmin/instances/{instance_id}", "admin", **for_all)
    assert (answer.status_code, "configuration" in answer.text) == (404, True), "an administrator finds both"
    with world.database.write() as session:
        session.get_one(Configuration, group_id).project_id = "p1"
        session.get_one(Instance, instance_id).datastore_version_id = newer
    assert attach(world, instance_id, group_id).status_code == 400
    assert world.count(Operation) == 2, "two creates and nothing else"


def test_at_create(world: World) -> None:
    group_id = made(world)
    instance_id = world.created(configuration=group_id)
    arguments = world.keyring.unseal(newest(world, "instance.create").arguments)
    assert (arguments["overrides"], world.instance(instance_id).configuration_id) == (VALUES, group_id)
    assert world.ask("DELETE", f"configurations/{group_id}").status_code == 400
    assert world.ask("DELETE", f"instances/{instance_id}").status_code == 202
    assert world.ask("DELETE", f"configurations/{group_id}").status_code == 202
    assert world.create(configuration=group_id).status_code == 404


def test_a_failed_create_lets_go_of_it(world: World) -> None:
    group_id = made(world)
    ending(world, State.REVERTED, "no")
    instance_id = world.created(configuration=group_id)
    assert (world.instance(instance_id).task, world.instance(instance_id).configuration_id) == (Task.ERROR, None)


@pytest.mark.parametrize("kind", ["restart", "apply", "attach"])
def test_the_owner_can_take_back_what_a_server_does_not_start_with(world: World, kind: str) -> None:
    group_id, instance_id = made(world), world.active()
    if kind != "attach":
        ending(world)
        attach(world, instance_id, group_id)
    ending(world, State.FAILED, "The database server does not start")
    if kind == "restart":
        world.ask("POST", f"instances/{instance_id}/action", json={"restart": {}})
    elif kind == "apply":
        change(world, "PATCH", group_id, values={"back_log": 1})
    else:
        attach(world, instance_id, group_id)
    assert world.instance(instance_id).task == Task.ERROR
    with world.database.write() as session:
        session.get_one(Health, instance_id).service_status = "CRASHED"
    ending(world)
    assert put(world, instance_id, {"configuration": None}).status_code == 202
    found = world.instance(instance_id)
    assert (found.task, found.configuration_id, found.operation_id) == (Task.NONE, None, None)


def test_what_is_broken_for_another_reason_is_not_detached(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    ending(world)
    attach(world, instance_id, group_id)
    ending(world, State.FAILED, "no room")
    world.ask("POST", f"instances/{instance_id}/action", json={"resize": {"flavorRef": "2"}})
    ending(world)
    assert put(world, instance_id, {"configuration": None}).status_code == 400
    assert world.instance(instance_id).task == Task.ERROR


def test_a_restart_that_is_due_stays_due(world: World) -> None:
    instance_id = world.active()
    ending(world)
    with world.database.write() as session:
        session.get_one(Instance, instance_id).restart_required = True
    action = f"instances/{instance_id}/action"
    assert world.ask("POST", action, json={"resize": {"volume": {"size": 2}}}).status_code == 202
    shown = world.ask("GET", f"instances/{instance_id}").json["instance"]
    assert (shown["status"], shown["operating_status"]) == ("RESTART_REQUIRED", "RESTART_REQUIRED")
    assert world.ask("POST", action, json={"restart": {}}).status_code == 202
    assert world.ask("GET", f"instances/{instance_id}").json["instance"]["status"] == "ACTIVE"


def test_a_resize_keeps_the_groups_values(world: World) -> None:
    group_id, instance_id = made(world), world.active()
    ending(world)
    attach(world, instance_id, group_id)
    world.ask("POST", f"instances/{instance_id}/action", json={"resize": {"flavorRef": "2"}})
    assert world.keyring.unseal(newest(world, "instance.resize_flavor").arguments)["overrides"] == VALUES


def test_the_default_configuration(world: World) -> None:
    found = world.ask("GET", f"instances/{world.active()}/configuration").json["instance"]["configuration"]
    assert (found["max_connections"], found["innodb_buffer_pool_size"]) == (40, 64 << 20)
    assert world.ask("GET", f"instances/{UUID}/configuration").status_code == 404
