# SPDX-License-Identifier: Apache-2.0
"""Configuration groups on their own."""

from typing import Any

import pytest

from dbflow.db.models import Configuration, Operation
from tests.unit.api.configurations import UUID, VALUES, change, made, make, row
from tests.unit.api.world import TOKENS, World

pytestmark = pytest.mark.usefixtures("impatient")


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


def test_readers_may_look(world: World) -> None:
    group_id = made(world)
    assert TOKENS["reader"]["project_id"] == "p1"
    assert world.ask("GET", f"configurations/{group_id}", "reader").status_code == 200
    assert make(world, "reader").status_code == 403
    assert world.ask("DELETE", f"configurations/{group_id}", "reader").status_code == 403
