# SPDX-License-Identifier: Apache-2.0
"""Restart, resize, reset, delete."""

import pytest

from dbflow.db.models import Health, Operation
from dbflow.operations import State
from dbflow.status import Task
from tests.unit.api.world import World


def act(world: World, instance_id: str, body: object, token: str = "owner"):
    return world.ask("POST", f"instances/{instance_id}/action", token, json=body)


@pytest.mark.parametrize(
    ("body", "kind", "status", "arguments"),
    [
        ({"restart": {}}, "instance.restart", "REBOOT", {}),
        ({"restart": None}, "instance.restart", "REBOOT", {}),
        (
            {"resize": {"volume": {"size": 2}}},
            "instance.resize_volume",
            "RESIZE",
            {"volume_size": 2, "old_volume_size": 1},
        ),
        ({"resize": {"volume": 3}}, "instance.resize_volume", "RESIZE", {"volume_size": 3, "old_volume_size": 1}),
        (
            {"resize": {"flavorRef": "2"}},
            "instance.resize_flavor",
            "RESIZE",
            {
                "flavor_id": "2",
                "ram": 512,
                "vcpus": 1,
                "old_flavor_id": "1",
                "old_ram": 256,
                "old_vcpus": 1,
                "overrides": {},
            },
        ),
    ],
)
def test_actions(world: World, body: object, kind: str, status: str, arguments: object) -> None:
    instance_id = world.active()
    world.posted.clear()
    answer = act(world, instance_id, body)
    assert (answer.status_code, answer.data, answer.mimetype) == (202, b"", "application/json")
    row = world.instance(instance_id)
    operation = world.operation(row.operation_id or "")
    assert (operation.kind, world.keyring.unseal(operation.arguments)) == (kind, arguments)
    assert world.posted == [operation.id]
    assert operation.id in answer.headers["Link"]
    shown = world.ask("GET", f"instances/{instance_id}").json["instance"]
    assert (shown["status"], shown["operating_status"]) == (status, "")
    assert act(world, instance_id, body).status_code == 422


def test_a_resize_counts_at_once(world: World) -> None:
    instance_id = world.active()
    act(world, instance_id, {"resize": {"volume": {"size": 5}}})
    assert (world.instance(instance_id).volume_size, world.instance(instance_id).quota_volume) == (1, 5)
    world.finish(instance_id)
    act(world, instance_id, {"resize": {"flavorRef": "big"}})
    assert world.instance(instance_id).ram == 4096


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"resize": {"volume": {"size": 1}}}, 400),
        ({"resize": {"volume": {"size": 0}}}, 400),
        ({"resize": {"volume": {"size": "x"}}}, 400),
        ({"resize": {"volume": {"size": 11}}}, 413),
        ({"resize": {"volume": {"size": 10**30}}}, 413),
        ({"resize": {"volume": {}}}, 400),
        ({"resize": {"flavorRef": "1"}}, 400),
        ({"resize": {"flavorRef": "none"}}, 400),
        ({"resize": {"flavorRef": "2", "volume": {"size": 2}}}, 400),
        ({"resize": {}}, 400),
        ({"resize": None}, 400),
        ({"explode": {}}, 400),
        ({}, 400),
        ({"restart": {}, "resize": {"flavorRef": "2"}}, 400),
        ({"promote_to_replica_source": {}}, 400),
        ({"eject_replica_source": {}}, 400),
        ({"reset_status": {}}, 403),
    ],
)
def test_refused_actions_change_nothing(world: World, body: object, code: int) -> None:
    instance_id = world.active()
    before, operations = world.instance(instance_id), world.count(Operation)
    assert act(world, instance_id, body).status_code == code
    after = world.instance(instance_id)
    assert (after.task, after.operation_id, after.ram, after.quota_volume) == (
        before.task,
        None,
        before.ram,
        before.quota_volume,
    )
    assert world.count(Operation) == operations


def test_a_building_or_broken_server_can_not_act(world: World) -> None:
    answer = act(world, world.created(), {"restart": {}})
    assert answer.status_code == 422
    assert "instance status was BUILD" in answer.json["unprocessableEntity"]["message"]
    unknown = world.active()
    with world.database.write() as session:
        session.get_one(Health, unknown).service_status = "UNKNOWN"
    assert act(world, unknown, {"restart": {}}).status_code == 422


def test_delete_comes_after_what_it_cancels(world: World) -> None:
    instance_id = world.created()
    create = world.instance(instance_id).operation_id or ""
    world.posted.clear()
    answer = world.ask("DELETE", f"instances/{instance_id}")
    assert (answer.status_code, answer.data) == (202, b"")
    row = world.instance(instance_id)
    delete = world.operation(row.operation_id or "")
    assert (delete.kind, delete.after_id, row.task) == ("instance.delete", create, Task.DELETING)
    assert world.operation(create).requested == "cancel"
    assert world.posted == []
    assert world.ask("GET", f"instances/{instance_id}").json["instance"]["status"] == "SHUTDOWN"


def test_deleting_twice_is_one_delete(world: World) -> None:
    instance_id = world.active()
    world.posted.clear()
    first, second = (world.ask("DELETE", f"instances/{instance_id}") for _ in range(2))
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.headers["Link"] == second.headers["Link"]
    assert world.posted == [world.instance(instance_id).operation_id]
    with world.database.write() as session:
        session.merge(world.instance(instance_id)).deleted = True
    assert world.ask("DELETE", f"instances/{instance_id}").status_code == 404


def test_deleting_again_wakes_a_suspended_delete(world: World) -> None:
    instance_id = world.active()
    world.ask("DELETE", f"instances/{instance_id}")
    delete = world.instance(instance_id).operation_id or ""
    with world.database.write() as session:
        session.get_one(Operation, delete).state = State.SUSPENDED
    world.posted.clear()
    assert world.ask("DELETE", f"instances/{instance_id}").status_code == 202
    assert world.operation(delete).state == State.ACCEPTED
    assert world.posted == [delete]


def test_a_suspended_operation_is_woken_to_cancel(world: World) -> None:
    instance_id = world.created()
    create = world.instance(instance_id).operation_id or ""
    with world.database.write() as session:
        session.get_one(Operation, create).state = State.SUSPENDED
    world.posted.clear()
    world.ask("DELETE", f"instances/{instance_id}")
    assert (world.operation(create).state, world.operation(create).requested) == (State.ACCEPTED, "cancel")
    assert world.posted == [create]


def test_an_administrator_resets(world: World) -> None:
    instance_id = world.created()
    url = f"/v1.0/padmin/instances/{instance_id}/action"
    assert world.ask("POST", url, "admin", json={"reset_status": {}}).status_code == 202
    assert world.operation(world.instance(instance_id).operation_id or "").requested == "cancel"
    world.finish(instance_id, State.FAILED, Task.ERROR)
    assert world.ask("POST", url, "admin", json={"reset_status": {}}).status_code == 202
    assert world.instance(instance_id).task == Task.NONE
    assert world.ask("DELETE", f"/v1.0/padmin/instances/{instance_id}", "admin").status_code == 202


def test_the_board_may_be_away(world: World) -> None:
    def away(_operation_id: str) -> None:
        raise ConnectionError

    world.services.post = away
    assert world.create().status_code == 200


def test_access(world: World) -> None:
    instance_id = world.active()
    body = {"instance": {"access": {"is_public": True, "allowed_cidrs": ["10.0.0.0/24"]}, "name": "db2"}}
    answer = world.ask("PUT", f"instances/{instance_id}", json=body)
    assert (answer.status_code, answer.data) == (202, b"")
    operation = world.operation(world.instance(instance_id).operation_id or "")
    assert operation.id in answer.headers["Link"]
    assert operation.kind == "instance.update_access"
    assert world.keyring.unseal(operation.arguments) == {
        "access": {"is_public": True, "allowed_cidrs": ["10.0.0.0/24"]},
        "old_access": {"is_public": False},
    }
    shown = world.ask("GET", f"instances/{instance_id}").json["instance"]
    assert (shown["status"], shown["operating_status"], shown["name"]) == ("ACTIVE", "", "db2")
    assert world.ask("PUT", f"instances/{instance_id}", json=body).status_code == 422


@pytest.mark.parametrize("cidr", ["300.0.0.0/8", "10.0.0.0", "10.0.0.0/33", "x"])
def test_access_for_what_is_no_network(world: World, cidr: str) -> None:
    access = {"is_public": True, "allowed_cidrs": [cidr]}
    assert world.create(access=access).status_code == 400
    instance_id = world.active()
    assert world.ask("PUT", f"instances/{instance_id}", json={"instance": {"access": access}}).status_code == 400
    assert world.instance(instance_id).operation_id is None


def test_access_is_kept_as_a_firewall_takes_it(world: World) -> None:
    access = {"is_public": True, "allowed_cidrs": ["10.0.0.9/8", "10.1.2.3/8", "192.168.1.1/32"]}
    wanted = {"is_public": True, "allowed_cidrs": ["10.0.0.0/8", "192.168.1.1/32"]}
    assert world.instance(world.created(access=access)).access == wanted
    instance_id = world.active()
    assert world.ask("PUT", f"instances/{instance_id}", json={"instance": {"access": access}}).status_code == 202
    operation = world.operation(world.instance(instance_id).operation_id or "")
    assert world.keyring.unseal(operation.arguments)["access"] == wanted


def test_what_is_stopped_on_purpose_is_not_started_by_the_way(world: World) -> None:
    instance_id = world.active()
    with world.database.write() as session:
        session.get_one(Health, instance_id).service_status = "SHUTDOWN"
    answer = world.ask("POST", f"mgmt/instances/{instance_id}/action", "admin", json={"stop": {}})
    assert (answer.status_code, "restart it first" in answer.text) == (422, True)
    assert act(world, instance_id, {"resize": {"flavorRef": "2"}}).status_code == 422
    answer = world.ask("POST", f"mgmt/instances/{instance_id}/action", "admin", json={"reboot": {}})
    assert (answer.status_code, "restart it first" in answer.text) == (422, True)
    assert act(world, instance_id, {"restart": {}}).status_code == 202


def test_administrators_reboot_it(world: World) -> None:
    instance_id = world.active()
    path = f"mgmt/instances/{instance_id}/action"
    assert world.ask("POST", path, json={"reboot": {}}).status_code == 401
    answer = world.ask("POST", path, "admin", json={"reboot": {}})
    assert (answer.status_code, answer.data) == (202, b"")
    operation = world.operation(world.instance(instance_id).operation_id or "")
    assert operation.kind == "instance.reboot"
    assert world.ask("GET", f"instances/{instance_id}").json["instance"]["status"] == "REBOOT"
    assert world.ask("POST", path, "admin", json={"reboot": {}}).status_code == 422


def test_administrators_stop_it(world: World) -> None:
    instance_id = world.active()
    path = f"mgmt/instances/{instance_id}/action"
    assert world.ask("POST", path, json={"stop": {}}).status_code == 401
    for wrong in ({}, {"explode": {}}, {"stop": {}, "reset-task-status": {}}):
        assert world.ask("POST", path, "admin", json=wrong).status_code == 400
    answer = world.ask("POST", path, "admin", json={"stop": {}})
    assert (answer.status_code, answer.data) == (202, b"")
    operation = world.operation(world.instance(instance_id).operation_id or "")
    assert (operation.kind, operation.project_id) == ("instance.stop", "p1")
    assert world.ask("GET", f"instances/{instance_id}").json["instance"]["status"] == "SHUTDOWN"
    assert world.ask("POST", path, "admin", json={"stop": {}}).status_code == 422
    assert world.ask("POST", path, "admin", json={"reset-task-status": {}}).status_code == 202
    assert world.operation(operation.id).requested == "cancel"
