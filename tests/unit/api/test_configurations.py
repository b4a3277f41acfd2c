# SPDX-License-Identifier: Apache-2.0
"""Configuration groups: on their own, on instances, and what their operations leave behind."""

import datetime
from collections.abc import Callable
from typing import Any

import pytest

from conductor.ending import finish
from dbflow.db.models import Configuration, Health, Instance, Operation, utcnow
from dbflow.operations import State
from dbflow.services.seed import ensure_datastore
from dbflow.status import Task
from flows.registry import REGISTRY
from tests.unit.api.world import TOKENS, World

VALUES = {"max_connections": 200, "back_log": 90, "autocommit": True, "sql_mode": "ANSI", "long_query_time": 0.5}
UUID = "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"


@pytest.fixture
def ends(world: World) -> Callable[[State, str | None], None]:
    """From now on every operation that is posted ends at once like that."""

    def so(state: State = State.SUCCESS, error: str | None = None, left: frozenset[str] | None = None) -> None:
        def end(posted: Operation) -> None:
            with world.database.write() as session:
                operation = session.get_one(Operation, posted.id)
                arguments = world.keyring.unseal(operation.arguments)
                finish(
                    session,
                    operation,
                    REGISTRY.definition(operation.kind),
                    arguments,
                    state,
                    error,
                    world.services.outbox,
                    left,
                )

        world.services.post = end

    return so


@pytest.fixture(autouse=True)
def _impatient(world: World) -> None:
    world.conf.set_override("max_wait", 0.05, "api")


def make(world: World, token: str = "owner", **changes: Any) -> Any:
    wanted = {"name": "busy", "values": VALUES, "datastore": {"type": "mariadb", "version": "10.11"}} | changes
    return world.ask("POST", "configurations", token, json={"configuration": wanted})


def made(world: World, **changes: Any) -> str:
    answer = make(world, **changes)
    assert answer.status_code == 200, answer.text
    group_id: str = answer.json["configuration"]["id"]
    return group_id


def put(world: World, instance_id: str, body: dict[str, Any], method: str = "PUT") -> Any:
    return world.ask(method, f"instances/{instance_id}", json={"instance": body})


def attach(world: World, instance_id: str, group_id: str | None) -> Any:
    return put(world, instance_id, {"configuration": group_id})


def change(world: World, method: str, group_id: str, **wanted: Any) -> Any:
    return world.ask(method, f"configurations/{group_id}", json={"configuration": wanted})


def row(world: World, group_id: str) -> Configuration:
    with world.database.read() as session:
        return session.get_one(Configuration, group_id)


def newest(world: World, kind: str) -> Operation:
    with world.database.read() as session:
        return session.query(Operation).filter_by(kind=kind).order_by(Operation.created.desc()).first()


def test_made_and_shown(world: World) -> None:
    shown = make(world, description="for the shop").json["configuration"]
    assert shown | {"id": "", "created": "", "updated": ""} == {
        "id": "",
        "name": "busy",
        "description": "for the shop",
        "created": "",
        "updated": "",
        "datastore_version_id": world.version_id,
        "datastore_name": "mariadb",
        "datastore_version_name": "10.11",
        "datastore_version_number": "10.11.14",
        "values": VALUES,
        "instance_count": 0,
    }
    assert world.ask("GET", f"configurations/{shown['id']}").json == {"configuration": shown}
    assert world.ask("GET", "configurations/busy").json == {"configuration": shown}
    (listed,) = world.ask("GET", "configurations").json["configurations"]
    assert listed == {name: shown[name] for name in listed}
    assert not listed.keys() & {"values", "instance_count", "datastore_version_number"}


def test_pages(world: World) -> None:
    ids = [made(world, name=f"g{number}") for number in range(3)]
    first = world.ask("GET", "configurations?limit=2").json
    assert [one["id"] for one in first["configurations"]] == [ids[2], ids[1]]
    assert f"marker={ids[1]}" in first["links"][0]["href"]
    rest = world.ask("GET", f"configurations?limit=2&marker={ids[1]}").json
    assert ([one["id"] for one in rest["configurations"]], "links" in rest) == ([ids[0]], False)
    assert world.ask("GET", f"configurations?marker={UUID}").status_code == 400


def test_a_group_is_its_projects(world: World) -> None:
    group_id = made(world)
    for method, body in (("GET", None), ("DELETE", None), ("PUT", {"values": {}}), ("PATCH", {"values": {}})):
        json = None if body is None else {"configuration": body}
        assert world.ask(method, f"configurations/{group_id}", "other", json=json).status_code == 404
        assert world.ask(method, f"configurations/{UUID}", json=json).status_code == 404
    assert world.ask("GET", f"configurations/{group_id}", "admin").status_code == 200
    assert world.ask("GET", "configurations", "admin").json == {"configurations": []}
    assert world.ask("GET", "configurations/busy", "admin").status_code == 404


def test_a_name_of_two_groups_names_none(world: World) -> None:
    made(world), made(world)
    assert world.ask("GET", "configurations/busy").status_code == 404


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"values": {"no_such_parameter": 1}}, 422, "no_such_parameter"),
        ({"values": {"port": 1}}, 422, "port"),
        ({"values": {"max_connections": "200"}}, 422, "max_connections is not of type integer"),
        ({"values": {"max_connections": 200.0}}, 422, "type integer"),
        ({"values": {"max_connections": True}}, 422, "type integer"),
        ({"values": {"max_connections": None}}, 422, "type integer"),
        ({"values": {"max_connections": 9}}, 422, "between 10 and 100000"),
        ({"values": {"max_connections": 10**30}}, 422, "between 10 and 100000"),
        ({"values": {"autocommit": 2}}, 422, "type boolean"),
        ({"values": {"autocommit": "maybe"}}, 422, "type boolean"),
        ({"values": {"long_query_time": "1"}}, 422, "type float"),
        ({"values": {"sql_mode": ["ANSI"]}}, 422, "type string"),
        ({"values": {"sql_mode": "ANSI,BOO"}}, 422, "sql_mode must be some of"),
        ({"values": {"thread_handling": "no-threads"}}, 422, "thread_handling must be one of"),
        ({"values": {"init_connect": 'SELECT "x"'}}, 422, "double quote"),
        ({"values": {"init_connect": "SELECT\n1"}}, 422, "control character"),
        ({"values": {"init_connect": "SELECT\u20281"}}, 422, "control character"),
        ({"values": {"init_connect": "x" * 1001}}, 422, "1000 characters"),
        ({"values": {"default_storage_engine": "BlackHole"}}, 422, "default_storage_engine must be one of"),
        ({"values": {"max_allowed_packet": 1024}}, 422, "between 1048576"),
        ({"values": []}, 400, "values"),
        ({"values": None}, 400, "values"),
        ({"name": ""}, 400, "name"),
        ({"name": 5}, 400, "name"),
        ({"description": 5}, 400, "description"),
        ({"datastore": {"type": "oracle"}}, 404, "oracle"),
        ({"datastore": {"type": "mariadb", "version": "1.0"}}, 400, "1.0"),
    ],
)
def test_bad_groups(world: World, changes: dict[str, Any], code: int, words: str) -> None:
    answer = make(world, **changes)
    assert (answer.status_code, words in answer.text) == (code, True), answer.text
    assert world.count(Configuration) == 0
    if "values" in changes:
        group_id = made(world)
        for method in ("PUT", "PATCH"):
            assert change(world, method, group_id, **changes).status_code == code
        assert row(world, group_id).settings == VALUES


def test_what_servers_call_on_is_true(world: World) -> None:
    group_id = made(world, values={"autocommit": "OFF", "userstat": 1, "long_query_time": 2})
    assert row(world, group_id).settings == {"autocommit": False, "userstat": True, "long_query_time": 2}


def test_changes_of_a_group_that_nobody_has(world: World) -> None:
    group_id = made(world)
    answer = change(world, "PATCH", group_id, values={"max_connections": 300, "back_log": 91})
    assert (answer.status_code, answer.data) == (200, b"")
    assert row(world, group_id).settings == VALUES | {"max_connections": 300, "back_log": 91}
    answer = change(world, "PUT", group_id, values={"back_log": 92}, name="idle", description="x")
    assert (answer.status_code, answer.data) == (202, b"")
    found = row(world, group_id)
    assert (found.settings, found.name, found.description) == ({"back_log": 92}, "idle", "x")
    assert change(world, "PUT", group_id, values={}).status_code == 202
    assert (row(world, group_id).settings, row(world, group_id).name) == ({}, "idle")
    assert world.count(Operation) == 0
    answer = world.ask("DELETE", f"configurations/{group_id}")
    assert (answer.status_code, answer.data) == (202, b"")
    assert world.ask("GET", f"configurations/{group_id}").status_code == 404


def test_attached(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id = made(world), world.active()
    ends()
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
def test_detached(world: World, ends: Callable[..., None], method: str, body: dict[str, Any]) -> None:
    group_id, instance_id = made(world), world.active()
    ends()
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


def test_a_name_and_a_group_at_once(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id = made(world), world.active()
    wanted = {"configuration": f"https://h/v1.0/p1/configurations/{group_id}", "name": "n2"}
    ends(State.REVERTED, "the server refused")
    assert put(world, instance_id, wanted).status_code == 422
    assert world.instance(instance_id).name == "db1", "all of it or nothing"
    ends()
    assert put(world, instance_id, wanted).status_code == 202
    assert (world.instance(instance_id).configuration_id, world.instance(instance_id).name) == (group_id, "n2")


def test_what_the_server_refuses_is_told_and_leaves_no_trace(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id = made(world), world.active()
    ends(State.REVERTED, "step check-configuration: The database server refused: no")
    answer = attach(world, instance_id, group_id)
    assert (answer.status_code, "refused: no" in answer.text) == (422, True)
    assert newest(world, "instance.attach_configuration").id in answer.headers["Link"]
    found = world.instance(instance_id)
    assert (found.configuration_id, found.operation_id, found.task) == (None, None, Task.NONE)
    assert world.ask("DELETE", f"configurations/{group_id}").status_code == 202


def test_a_group_that_could_not_be_taken_back_can_be_detached(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id = made(world), world.active()
    ends(State.FAILED, "Could not be undone")
    assert attach(world, instance_id, group_id).status_code == 422
    found = world.instance(instance_id)
    assert (found.configuration_id, found.task) == (group_id, Task.ERROR)
    url = f"/v1.0/padmin/instances/{instance_id}/action"
    assert world.ask("POST", url, "admin", json={"reset_status": {}}).status_code == 202
    ends()
    assert put(world, instance_id, {"configuration": None}).status_code == 202
    assert world.keyring.unseal(newest(world, "instance.detach_configuration").arguments)["old_overrides"] == VALUES
    assert world.instance(instance_id).configuration_id is None


def test_a_group_in_use_can_not_go_while_it_is_being_attached(world: World, ends: Callable[..., None]) -> None:
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


def test_a_failed_create_lets_go_of_it(world: World, ends: Callable[..., None]) -> None:
    group_id = made(world)
    ends(State.REVERTED, "no")
    instance_id = world.created(configuration=group_id)
    assert (world.instance(instance_id).task, world.instance(instance_id).configuration_id) == (Task.ERROR, None)


def test_a_change_goes_to_every_instance(world: World, ends: Callable[..., None]) -> None:
    group_id, ids = made(world), sorted(world.active(name=f"i{number}") for number in range(2))
    ends()
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


def test_a_change_that_a_server_refuses_is_none(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id = made(world), world.active()
    ends()
    attach(world, instance_id, group_id)
    ends(State.REVERTED, "the server refused")
    answer = change(world, "PUT", group_id, values={"back_log": 1}, name="other")
    assert (answer.status_code, "the server refused" in answer.text) == (422, True)
    found = row(world, group_id)
    assert (found.settings, found.name, found.operation_id) == (VALUES, "busy", None)
    instance = world.instance(instance_id)
    assert (instance.task, instance.operation_id, instance.configuration_id) == (Task.NONE, None, group_id)


def test_one_change_at_a_time(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id, second = made(world), world.active(), world.active()
    ends()
    attach(world, instance_id, group_id)
    world.services.post = lambda operation: world.posted.append(operation.id)
    assert change(world, "PATCH", group_id, values={"back_log": 1}).status_code == 200
    assert change(world, "PATCH", group_id, values={"back_log": 2}).status_code == 422
    assert attach(world, second, group_id).status_code == 422
    assert world.create(configuration=group_id).status_code == 422
    assert world.ask("POST", f"instances/{instance_id}/action", json={"restart": {}}).status_code == 422
    assert row(world, group_id).settings == VALUES, "not before it is true"


def test_a_busy_instance_puts_a_change_off(world: World, ends: Callable[..., None]) -> None:
    group_id, free, busy = made(world), world.active(), world.active()
    ends()
    for instance_id in (free, busy):
        attach(world, instance_id, group_id)
    world.services.post = lambda operation: world.posted.append(operation.id)
    world.ask("POST", f"instances/{busy}/action", json={"restart": {}})
    answer = change(world, "PATCH", group_id, values={"back_log": 1})
    assert (answer.status_code, busy in answer.text) == (422, True)
    assert (world.instance(free).operation_id, row(world, group_id).operation_id) == (None, None)


def test_a_parked_change_is_retried_on_all_its_instances(world: World, ends: Callable[..., None]) -> None:
    group_id, ids = made(world), [world.active(), world.active()]
    ends()
    for instance_id in ids:
        attach(world, instance_id, group_id)
    ends(State.FAILED, "Could not be undone")
    assert change(world, "PATCH", group_id, values={"back_log": 1}).status_code == 422
    assert [world.instance(one).task for one in ids] == [Task.ERROR] * 2
    world.services.post = lambda operation: world.posted.append(operation.id)
    operation = newest(world, "configuration.apply").id
    assert world.ask("POST", f"operations/{operation}/retry").status_code == 202
    assert [world.instance(one).operation_id for one in ids] == [operation] * 2
    assert row(world, group_id).operation_id == operation
    assert world.operation(operation).requested == "cancel"


def test_whoever_came_to_a_parked_change_is_let_go_with_the_others(world: World, ends: Callable[..., None]) -> None:
    group_id, first, second = made(world), world.active(), world.active()
    ends()
    attach(world, first, group_id)
    ends(State.FAILED, "Could not be undone")
    assert change(world, "PATCH", group_id, values={"back_log": 1}).status_code == 422
    ends()
    assert attach(world, second, group_id).status_code == 202
    ends(State.REVERTED, None)
    operation = newest(world, "configuration.apply").id
    assert world.ask("POST", f"operations/{operation}/retry").status_code == 202
    for instance_id in (first, second):
        found = world.instance(instance_id)
        assert (found.operation_id, found.task, found.configuration_id) == (None, Task.NONE, group_id)


def test_whoever_is_as_before_is_not_in_error(world: World, ends: Callable[..., None]) -> None:
    """One guest of the group could not be undone; the others were."""
    group_id, ids = made(world), sorted(world.active(name=f"i{number}") for number in range(3))
    ends()
    for instance_id in ids:
        attach(world, instance_id, group_id)
    ends(State.FAILED, "Could not be undone", frozenset({"apply-configuration-2", "check-configuration-1"}))
    assert change(world, "PATCH", group_id, values={"back_log": 1}).status_code == 422
    found = [world.instance(one) for one in ids]
    assert [one.task for one in found] == [Task.NONE, Task.ERROR, Task.NONE]
    assert [one.operation_id for one in found] == [None] * 3
    assert all("Could not be undone" in str(one.fault) for one in found)


@pytest.mark.parametrize("kind", ["restart", "apply", "attach"])
def test_the_owner_can_take_back_what_a_server_does_not_start_with(
    world: World, ends: Callable[..., None], kind: str
) -> None:
    group_id, instance_id = made(world), world.active()
    if kind != "attach":
        ends()
        attach(world, instance_id, group_id)
    ends(State.FAILED, "The database server does not start")
    if kind == "restart":
        world.ask("POST", f"instances/{instance_id}/action", json={"restart": {}})
    elif kind == "apply":
        change(world, "PATCH", group_id, values={"back_log": 1})
    else:
        attach(world, instance_id, group_id)
    assert world.instance(instance_id).task == Task.ERROR
    with world.database.write() as session:
        session.get_one(Health, instance_id).service_status = "CRASHED"
    ends()
    assert put(world, instance_id, {"configuration": None}).status_code == 202
    found = world.instance(instance_id)
    assert (found.task, found.configuration_id, found.operation_id) == (Task.NONE, None, None)


def test_what_is_broken_for_another_reason_is_not_detached(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id = made(world), world.active()
    ends()
    attach(world, instance_id, group_id)
    ends(State.FAILED, "no room")
    world.ask("POST", f"instances/{instance_id}/action", json={"resize": {"flavorRef": "2"}})
    ends()
    assert put(world, instance_id, {"configuration": None}).status_code == 400
    assert world.instance(instance_id).task == Task.ERROR


@pytest.mark.parametrize("since", ["detached", "patched"])
def test_a_parked_change_that_was_overtaken_is_not_undone_any_more(
    world: World, ends: Callable[..., None], since: str
) -> None:
    group_id, ids = made(world), [world.active(), world.active()]
    ends()
    for instance_id in ids:
        attach(world, instance_id, group_id)
    ends(State.FAILED, "Could not be undone")
    change(world, "PATCH", group_id, values={"back_log": 1})
    operation = newest(world, "configuration.apply").id
    for instance_id in ids:
        url = f"/v1.0/padmin/instances/{instance_id}/action"
        assert world.ask("POST", url, "admin", json={"reset_status": {}}).status_code == 202
    ends()
    if since == "detached":
        assert put(world, ids[1], {"configuration": None}).status_code == 202
    else:
        assert change(world, "PATCH", group_id, values={"back_log": 2}).status_code == 200
    answer = world.ask("POST", f"operations/{operation}/retry")
    assert (answer.status_code, "has changed what it would go back to" in answer.text) == (409, True)
    assert [world.instance(one).operation_id for one in ids] == [None, None]
    assert world.operation(operation).state == State.FAILED


def test_a_parked_resize_is_not_undone_over_a_newer_group(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id = made(world), world.active()
    ends(State.FAILED, "Could not be undone")
    world.ask("POST", f"instances/{instance_id}/action", json={"resize": {"flavorRef": "2"}})
    world.ask("POST", f"/v1.0/padmin/instances/{instance_id}/action", "admin", json={"reset_status": {}})
    ends()
    assert attach(world, instance_id, group_id).status_code == 202
    parked = newest(world, "instance.resize_flavor").id
    assert world.ask("POST", f"operations/{parked}/retry").status_code == 409


def test_a_change_is_refused_at_once_while_a_guest_is_silent(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id = made(world), world.active()
    ends()
    attach(world, instance_id, group_id)
    with world.database.write() as session:
        session.get_one(Health, instance_id).seen = utcnow() - datetime.timedelta(days=1)
    answer = change(world, "PATCH", group_id, values={"back_log": 1})
    assert (answer.status_code, "was last heard" in answer.text) == (422, True)
    assert world.instance(instance_id).operation_id is None


def test_a_restart_that_is_due_stays_due(world: World, ends: Callable[..., None]) -> None:
    instance_id = world.active()
    ends()
    with world.database.write() as session:
        session.get_one(Instance, instance_id).restart_required = True
    action = f"instances/{instance_id}/action"
    assert world.ask("POST", action, json={"resize": {"volume": {"size": 2}}}).status_code == 202
    shown = world.ask("GET", f"instances/{instance_id}").json["instance"]
    assert (shown["status"], shown["operating_status"]) == ("RESTART_REQUIRED", "RESTART_REQUIRED")
    assert world.ask("POST", action, json={"restart": {}}).status_code == 202
    assert world.ask("GET", f"instances/{instance_id}").json["instance"]["status"] == "ACTIVE"


def test_a_resize_keeps_the_groups_values(world: World, ends: Callable[..., None]) -> None:
    group_id, instance_id = made(world), world.active()
    ends()
    attach(world, instance_id, group_id)
    world.ask("POST", f"instances/{instance_id}/action", json={"resize": {"flavorRef": "2"}})
    assert world.keyring.unseal(newest(world, "instance.resize_flavor").arguments)["overrides"] == VALUES


def test_the_default_configuration(world: World) -> None:
    found = world.ask("GET", f"instances/{world.active()}/configuration").json["instance"]["configuration"]
    assert (found["max_connections"], found["innodb_buffer_pool_size"]) == (40, 64 << 20)
    assert world.ask("GET", f"instances/{UUID}/configuration").status_code == 404


def test_parameters(world: World) -> None:
    by_name = world.ask("GET", "datastores/mariadb/versions/10.11/parameters").json
    assert by_name == world.ask("GET", f"datastores/versions/{world.version_id}/parameters").json
    assert len(by_name["configuration-parameters"]) >= 100
    one = {
        "name": "max_connections",
        "datastore_version_id": world.version_id,
        "restart_required": False,
        "type": "integer",
        "max": 100000,
        "min": 10,
    }
    assert one in by_name["configuration-parameters"]
    for path in ("datastores/mariadb/versions/10.11", f"datastores/versions/{world.version_id}"):
        assert world.ask("GET", f"{path}/parameters/max_connections").json == one
        assert world.ask("GET", f"{path}/parameters/no_such_parameter").status_code == 404
    switch = world.ask("GET", "datastores/mariadb/versions/10.11/parameters/autocommit").json
    assert not switch.keys() & {"max", "min"}


def test_administrators_change_what_there_is(world: World) -> None:
    path = f"mgmt/datastores/versions/{world.version_id}/parameters"

    def ask(method: str, tail: str = "", **wanted: Any) -> Any:
        json = {"configuration-parameter": wanted} if wanted else None
        return world.ask(method, f"{path}{tail}", "admin", json=json)

    assert world.ask("GET", path).status_code == 401
    new = {"name": "my_parameter", "restart_required": 1, "data_type": "integer", "max_size": 9, "min_size": 3}
    shown = {
        "name": "my_parameter",
        "datastore_version_id": world.version_id,
        "restart_required": True,
        "type": "integer",
        "max_size": 9,
        "min_size": 3,
        "deleted": False,
        "deleted_at": None,
    }
    answer = ask("POST", **new)
    assert (answer.status_code, answer.json) == (200, shown)
    assert ask("POST", **new).status_code == 400
    assert ask("GET", "/my_parameter").json == shown
    assert shown in ask("GET").json["configuration-parameters"]
    assert make(world, values={"my_parameter": 10}).status_code == 422
    changed = ask("PUT", "/my_parameter", restart_required=0, data_type="integer", max_size="10")
    assert changed.json == {name: value for name, value in shown.items() if name != "min_size"} | {
        "restart_required": False,
        "max_size": 10,
    }
    assert make(world, values={"my_parameter": 10}).status_code == 200
    answer = ask("DELETE", "/my_parameter")
    assert (answer.status_code, answer.data) == (204, b"")
    assert ask("GET", "/my_parameter").json["deleted"] is True
    assert world.ask("GET", f"datastores/versions/{world.version_id}/parameters/my_parameter").status_code == 404
    assert make(world, values={"my_parameter": 10}).status_code == 422
    assert ask("DELETE", "/my_parameter").status_code == 404
    assert ask("POST", **new).status_code == 200
    for wrong in ({"data_type": "text"}, {"name": "A b"}, {"restart_required": 2}, {"max_size": "x"}, {"min_size": 10}):
        assert ask("POST", **new | {"name": "another"} | wrong).status_code == 400
    assert ask("POST", **new | {"name": "another", "data_type": "string"}).status_code == 400


def test_words_stay_when_an_administrator_changes_their_parameter(world: World) -> None:
    path = f"mgmt/datastores/versions/{world.version_id}/parameters/default_storage_engine"
    wanted = {"configuration-parameter": {"restart_required": 1, "data_type": "string"}}
    assert world.ask("PUT", path, "admin", json=wanted).status_code == 200
    assert make(world, values={"default_storage_engine": "BlackHole"}).status_code == 422
    assert make(world, values={"default_storage_engine": "InnoDB"}).status_code == 200


@pytest.mark.parametrize("name", ["skip_grant_tables", "plugin_load_add", "log_bin", "general_log_file", "port"])
def test_nobody_offers_what_is_dbflows_own(world: World, name: str) -> None:
    wanted = {"name": name, "restart_required": 1, "data_type": "string"}
    path = f"mgmt/datastores/versions/{world.version_id}/parameters"
    answer = world.ask("POST", path, "admin", json={"configuration-parameter": wanted})
    assert (answer.status_code, "dbflow's own" in answer.text) == (400, True)


def test_readers_may_look(world: World) -> None:
    group_id = made(world)
    assert TOKENS["reader"]["project_id"] == "p1"
    assert world.ask("GET", f"configurations/{group_id}", "reader").status_code == 200
    assert make(world, "reader").status_code == 403
    assert world.ask("DELETE", f"configurations/{group_id}", "reader").status_code == 403
