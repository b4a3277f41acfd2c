# SPDX-License-Identifier: Apache-2.0
"""Upgrade and rebuild, as they are asked for: everything that can be wrong is found before anything is recorded."""

import datetime
from typing import Any

import pytest

from dbflow.db.models import Configuration, DatastoreVersion, Health, Instance, Operation, utcnow
from dbflow.operations import State
from dbflow.services.seed import ensure_datastore
from dbflow.status import Task
from flows.registry import REGISTRY, Ending
from tests.unit.api.world import World

NEXT = ("mariadb", "11.8", "11.8.6", "mariadb", "img-2")


def offer(world: World, *version: Any) -> str:
    return ensure_datastore(world.database, *(version or NEXT), default=False)


def ask(world: World, instance_id: str, version: str = "11.8", token: str = "owner") -> Any:
    body = {"instance": {"datastore_version": version}}
    return world.ask("PATCH", f"instances/{instance_id}", token, json=body)


def test_it_is_accepted_with_what_comes_after_it(world: World) -> None:
    version_id, instance_id = offer(world), world.active()
    answer = ask(world, instance_id)
    assert answer.status_code == 202, answer.text
    operation = world.operation(world.instance(instance_id).operation_id or "")
    assert (operation.kind, world.instance(instance_id).task) == ("instance.upgrade", Task.UPGRADING)
    arguments = world.keyring.unseal(operation.arguments)
    assert arguments == {
        "datastore_version_id": version_id,
        "release": "11.8",
        "image": "img-2",
        "manager": "mariadb",
        "ram": 256,
        "vcpus": 1,
        "overrides": {},
        "point": arguments["point"],
    }
    following = world.operation(arguments["point"])
    assert (following.kind, following.after_id) == ("instance.drop_point", operation.id)
    assert operation.id in world.posted
    assert following.id not in world.posted
    shown = world.ask("GET", f"operations/{operation.id}").json["operation"]
    assert shown["note"].startswith("A major upgrade, from 10.11.14 to 11.8.6.")


def test_within_a_release_it_is_minor(world: World) -> None:
    offer(world, "mariadb", "10.11 patched", "10.11.19", "mariadb", None)
    instance_id = world.active()
    assert ask(world, instance_id, "10.11.19").status_code == 202
    note = world.operation(world.instance(instance_id).operation_id or "").note
    assert note is not None
    assert note.startswith("A minor upgrade")


@pytest.mark.parametrize(
    ("version", "number", "manager", "words"),
    [
        ("10.6", "10.6.20", "mariadb", "no upgrade from 10.11.14 to 10.6.20"),
        ("10.11 older", "10.11.9", "mariadb", "no upgrade"),
        ("12.0", "12.0.1", "mariadb", "no upgrade"),
    ],
)
def test_there_is_no_way(world: World, version: str, number: str, manager: str, words: str) -> None:
    offer(world, "mariadb", version, number, manager, None)
    answer = ask(world, world.active(), version)
    assert answer.status_code == 400
    assert words in answer.text
    assert "(datastore_version)" in answer.text


def test_versions_that_are_not_to_be_had(world: World) -> None:
    instance_id = world.active()
    for version in ("5.5", "10.11", "x" * 300):
        answer = ask(world, instance_id, version)
        assert (answer.status_code, "datastore_version" in answer.text) == (400, True)
    version_id = offer(world)
    with world.database.write() as session:
        session.get_one(DatastoreVersion, version_id).active = False
    assert "not active" in ask(world, instance_id).text
    offer(world, "mariadb", "11.8", "11.8.6", "mariadb", "gone")
    assert "Image 'gone' cannot be found" in ask(world, instance_id).text
    offer(world, "other", "11.8 other", "11.8.7", "mariadb", None)
    assert "of mariadb cannot be found" in ask(world, instance_id, "11.8 other").text
    assert world.count(Operation) == 1


def test_instances_that_are_not_ready_for_it(world: World) -> None:
    offer(world)
    instance_id, replica_id = world.active(), world.active(name="replica")
    with world.database.write() as session:
        session.get_one(Instance, replica_id).replica_of_id = instance_id
    answer = ask(world, instance_id)
    assert (answer.status_code, f"Replica {replica_id} must be of version 11.8" in answer.text) == (422, True)
    with world.database.write() as session:
        session.get_one(Health, instance_id).seen = utcnow() - datetime.timedelta(hours=1)
    answer = ask(world, replica_id)
    assert (answer.status_code, "Eject the source first" in answer.text) == (422, True)

    alone = world.active(name="alone")
    with world.database.write() as session:
        group = Configuration(name="g", project_id="p1", datastore_version_id=world.version_id, settings={})
        session.add(group)
        session.flush()
        session.get_one(Instance, alone).configuration_id = group.id
    answer = ask(world, alone)
    assert (answer.status_code, "detach it first" in answer.text) == (422, True)
    with world.database.write() as session:
        session.get_one(Instance, alone).configuration_id = None
        session.get_one(Health, alone).service_status = "SHUTDOWN"
    assert ask(world, alone).status_code == 422
    assert ask(world, world.created(name="new")).status_code == 422
    assert ask(world, alone, token="other").status_code in (403, 404)


def test_replicas_go_first(world: World) -> None:
    offer(world)
    source, replica = world.active(), world.active(name="replica")
    with world.database.write() as session:
        session.get_one(Instance, replica).replica_of_id = source
    assert ask(world, replica).status_code == 202


def test_what_comes_after_it_is_not_run_for_an_upgrade_that_was_not_done(world: World) -> None:
    offer(world)
    instance_id = world.active()
    ask(world, instance_id)
    operation = world.operation(world.instance(instance_id).operation_id or "")
    arguments = world.keyring.unseal(operation.arguments)
    ending = Ending(operation.id, operation.kind, instance_id, State.REVERTED, "no", arguments)
    with world.database.write() as session:
        REGISTRY.definition("instance.upgrade").ended(session, ending)
    assert world.operation(arguments["point"]).state == State.REVERTED
    instance = world.instance(instance_id)
    assert (instance.task, instance.operation_id, instance.datastore_version_id) == ("NONE", None, world.version_id)


def test_one_that_is_stuck_is_not_undone_once_the_server_served_again(world: World) -> None:
    offer(world)
    instance_id = world.active()
    ask(world, instance_id)
    stuck = world.instance(instance_id).operation_id
    world.finish(instance_id, State.FAILED, Task.ERROR)
    path = f"mgmt/instances/{instance_id}/action"
    assert world.ask("POST", path, "admin", json={"reset-task-status": {}}).status_code == 202
    answer = world.ask("POST", f"instances/{instance_id}/action", json={"restart": {}})
    assert answer.status_code == 202, answer.text
    restarted = world.instance(instance_id).operation_id
    world.finish(instance_id)
    answer = world.ask("POST", f"operations/{stuck}/retry")
    assert (answer.status_code, f"operation {restarted} has changed what" in answer.text) == (409, True), answer.text
    with world.database.write() as session:
        session.get_one(Operation, restarted).state = State.REVERTED
    assert world.ask("POST", f"operations/{stuck}/retry").status_code == 202


def stuck_upgrade(world: World) -> tuple[str, str]:
    """(instance, the operation that was parked)"""
    offer(world)
    instance_id = world.active()
    ask(world, instance_id)
    stuck = world.instance(instance_id).operation_id
    assert stuck is not None
    world.finish(instance_id, State.FAILED, Task.ERROR)
    reset(world, instance_id)
    return instance_id, stuck


def reset(world: World, instance_id: str) -> None:
    path = f"mgmt/instances/{instance_id}/action"
    assert world.ask("POST", path, "admin", json={"reset-task-status": {}}).status_code == 202


def test_room_may_be_made_for_one_that_is_stuck(world: World) -> None:
    instance_id, stuck = stuck_upgrade(world)
    answer = world.ask("POST", f"instances/{instance_id}/action", json={"resize": {"volume": {"size": 2}}})
    assert answer.status_code == 202, answer.text
    world.finish(instance_id)
    assert world.ask("POST", f"operations/{stuck}/retry").status_code == 202


def test_the_machine_of_one_that_is_stuck_is_not_made_anew(world: World) -> None:
    instance_id, stuck = stuck_upgrade(world)
    path, body = f"mgmt/instances/{instance_id}/action", {"rebuild": {"image_id": "img-2"}}
    answer = world.ask("POST", path, "admin", json=body)
    assert (answer.status_code, f"Upgrade {stuck}" in answer.text) == (422, True), answer.text


def test_what_was_parked_last_is_retried_first(world: World) -> None:
    """The end of the other would take the ERROR away."""
    offer(world)
    instance_id = world.active()
    world.ask("POST", f"instances/{instance_id}/action", json={"restart": {}})
    earlier = world.instance(instance_id).operation_id
    world.finish(instance_id, State.FAILED, Task.ERROR)
    reset(world, instance_id)
    ask(world, instance_id)
    later = world.instance(instance_id).operation_id
    world.finish(instance_id, State.FAILED, Task.ERROR)
    answer = world.ask("POST", f"operations/{earlier}/retry")
    assert (answer.status_code, f"operation {later} of the same" in answer.text) == (409, True), answer.text
    assert world.instance(instance_id).task == Task.ERROR
    assert world.ask("POST", f"operations/{later}/retry").status_code == 202


def end_parked(world: World, instance_id: str, refused: dict[str, str]) -> str:
    """The instance's upgrade, with open-upgraded left; the id of the operation that would drop the point."""
    operation = world.operation(world.instance(instance_id).operation_id or "")
    arguments = world.keyring.unseal(operation.arguments)
    told = (operation.id, operation.kind, instance_id, State.FAILED, "no", arguments)
    ending = Ending(*told, frozenset({"open-upgraded"}), refused)
    with world.database.write() as session:
        session.get_one(Operation, operation.id).state = State.FAILED
        REGISTRY.definition("instance.upgrade").ended(session, ending)
    point: str = arguments["point"]
    return point


def test_only_what_was_written_to_is_of_the_new_version(world: World) -> None:
    """Of a server that was not heard, or does not start, the backup point may be all there is."""
    version_id, instance_id = offer(world), world.active()
    ask(world, instance_id)
    point = end_parked(world, instance_id, {"open-upgraded": "dbflow.messaging.errors.GuestOverdue"})
    instance = world.instance(instance_id)
    assert (instance.task, instance.operation_id, instance.datastore_version_id) == ("ERROR", None, world.version_id)
    assert world.operation(point).state == State.REVERTED

    (stuck,) = (one for one in world.posted if world.operation(one).kind == "instance.upgrade")
    assert world.ask("POST", f"operations/{stuck}/retry").status_code == 202
    end_parked(world, instance_id, {"open-upgraded": "guest.datastores.base.WrittenSince"})
    instance = world.instance(instance_id)
    assert (instance.task, instance.operation_id, instance.datastore_version_id) == ("NONE", None, version_id)

    other = world.active(name="other")
    ask(world, other)
    point = end_parked(world, other, {"open-upgraded": "guest.datastores.base.WrittenSince"})
    instance = world.instance(other)
    assert (instance.task, instance.operation_id, instance.datastore_version_id) == ("UPGRADING", point, version_id)


def test_the_dropping_of_a_point_is_not_broken_off(world: World) -> None:
    offer(world)
    instance_id = world.active()
    ask(world, instance_id)
    point = end_parked(world, instance_id, {"open-upgraded": "guest.datastores.base.WrittenSince"})
    with world.database.write() as session:
        session.get_one(Operation, point).started = utcnow()
    reset(world, instance_id)
    assert world.operation(point).requested is None


def test_rebuild(world: World) -> None:
    instance_id = world.active()
    path = f"mgmt/instances/{instance_id}/action"
    for body, words in (
        ({"rebuild": {}}, "image_id"),
        ({"rebuild": {"image_id": 3}}, "image_id"),
        ({"rebuild": {"image_id": "img-2", "more": 1}}, "more"),
        ({"rebuild": {"image_id": "none"}}, "image_id"),
    ):
        answer = world.ask("POST", path, "admin", json=body)
        assert (answer.status_code, words in answer.text) == (400, True), answer.text
    wanted = {"rebuild": {"image_id": "img-2"}}
    assert world.ask("POST", f"mgmt/instances/{instance_id}/action", "owner", json=wanted).status_code == 401
    assert world.ask("POST", path, "admin", json=wanted).status_code == 202
    operation = world.operation(world.instance(instance_id).operation_id or "")
    expected = {"image": "img-2", "manager": "mariadb", "release": "10.11"}
    assert world.keyring.unseal(operation.arguments) == expected


def test_a_replica_of_another_version_is_not_promoted(world: World) -> None:
    version_id, source, replica = offer(world), world.active(), world.active(name="replica")
    with world.database.write() as session:
        row = session.get_one(Instance, replica)
        row.replica_of_id, row.datastore_version_id = source, version_id
    answer = world.ask("POST", f"instances/{replica}/action", json={"promote_to_replica_source": {}})
    assert (answer.status_code, "of another datastore version" in answer.text) == (422, True)
