# SPDX-License-Identifier: Apache-2.0
"""Hosts, as administrators see them, and moves from one to another, as they are asked for."""

import datetime
from typing import Any

import jsonschema
import pytest

from dbflow.api.schemas import mgmt as schemas
from dbflow.db.models import Health, Instance, Operation, utcnow
from dbflow.operations import State
from dbflow.status import Task
from tests.unit.api.world import World


def ask(world: World, instance_id: str, body: Any = None, token: str = "admin") -> Any:
    wanted = {"migrate": {} if body is None else body}
    return world.ask("POST", f"mgmt/instances/{instance_id}/action", token, json=wanted)


@pytest.mark.parametrize("body", [{}, {"host": None}, {"host": "two"}])
def test_it_is_accepted(world: World, body: dict[str, Any]) -> None:
    instance_id = world.active()
    answer = ask(world, instance_id, body)
    assert (answer.status_code, answer.data) == (202, b""), answer.text
    instance = world.instance(instance_id)
    operation = world.operation(instance.operation_id or "")
    assert (operation.kind, instance.task) == ("instance.migrate", Task.MIGRATING)
    assert world.keyring.unseal(operation.arguments) == {"host": body.get("host")}
    assert world.ask("GET", f"instances/{instance_id}").json["instance"]["status"] == "ACTIVE"
    assert ask(world, instance_id, body).status_code == 422


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"host": "nowhere"}, "Host 'nowhere' cannot be found. (host)"),
        ({"host": ""}, "(host)"),
        ({"host": "one"}, "on host 'one' already. (host)"),
        ({"host": 3}, "host"),
        ({"host": "x" * 256}, "host"),
        ({"host": "two", "force": True}, "force"),
        ([], "migrate"),
        ("two", "migrate"),
    ],
)
def test_what_makes_no_sense(world: World, body: Any, words: str) -> None:
    instance_id = world.active()
    answer = ask(world, instance_id, body)
    assert (answer.status_code, words in answer.text) == (400, True), answer.text
    assert world.count(Operation) == 1


def test_for_administrators_only(world: World) -> None:
    instance_id = world.active()
    for token in ("owner", "reader", "other", "legacy"):
        assert ask(world, instance_id, {"host": "two"}, token).status_code == 401
    assert world.count(Operation) == 1
    assert ask(world, "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11").status_code == 404


def test_not_now(world: World) -> None:
    source, replica = world.active(), world.active(name="replica")
    with world.database.write() as session:
        session.get_one(Instance, replica).replica_of_id = source
        session.get_one(Health, source).seen = utcnow() - datetime.timedelta(hours=1)
    answer = ask(world, replica)
    assert (answer.status_code, "Eject the source first" in answer.text) == (422, True)
    with world.database.write() as session:
        session.get_one(Health, source).service_status = "SHUTDOWN"
    answer = ask(world, source)
    assert (answer.status_code, "restart it first" in answer.text) == (422, True)
    building = world.created(name="new")
    world.machines.gone.add(building)
    assert ask(world, building, {"host": "nowhere"}).status_code == 422
    alone = world.active(name="alone")
    world.machines.names = ["one"]
    answer = ask(world, alone)
    assert (answer.status_code, "no other host" in answer.text) == (422, True)
    world.machines.silent = True
    assert ask(world, alone).status_code == 503


def test_the_way_back_of_an_old_one_is_gone_once_it_moved_again(world: World) -> None:
    instance_id = world.active()
    ask(world, instance_id)
    stuck = world.instance(instance_id).operation_id
    world.finish(instance_id, State.FAILED, Task.ERROR)
    assert world.ask(
        "POST", f"mgmt/instances/{instance_id}/action", "admin", json={"reset-task-status": {}}
    ).status_code
    assert ask(world, instance_id).status_code == 202
    moved = world.instance(instance_id).operation_id
    world.finish(instance_id)
    answer = world.ask("POST", f"operations/{stuck}/retry", "admin")
    assert (answer.status_code, f"operation {moved} has changed what" in answer.text) == (409, True), answer.text


def test_where_servers_are(world: World) -> None:
    placed, building, lost = world.active(), world.created(name="new"), world.active(name="lost")
    with world.database.write() as session:
        for instance_id in (placed, lost):
            session.get_one(Instance, instance_id).server_id = f"server of {instance_id}"
    world.machines.gone.add(lost)
    server = {
        "id": f"server of {placed}",
        "name": "its name",
        "status": "ACTIVE",
        "host": "one",
        "tenant_id": "p1",
        "addresses": [{"address": "127.0.3.1", "type": "private"}],
    }
    listed = world.ask("GET", "mgmt/instances", "admin").json
    jsonschema.validate(listed, schemas.INSTANCES)
    assert {one["id"]: one["server"] for one in listed["instances"]} == {placed: server, building: None, lost: None}
    assert world.ask("GET", f"mgmt/instances/{placed}", "admin").json["instance"]["server"] == server
    world.machines.silent = True
    shown = world.ask("GET", f"mgmt/instances/{placed}", "admin").json
    jsonschema.validate(shown, schemas.INSTANCE)
    assert shown["instance"]["server"] == server | {"name": "db1", "status": "UNKNOWN", "host": None}
    assert world.ask("GET", f"mgmt/instances/{building}", "admin").status_code == 200
