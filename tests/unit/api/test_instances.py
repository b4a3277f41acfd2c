# SPDX-License-Identifier: Apache-2.0
"""Instances: shapes, irregular codes, pages, statements."""

import re

import pytest
import sqlalchemy as sa

from tests.unit.api.world import World

SUMMARY = {
    "id", "name", "status", "operating_status", "links", "flavor", "datastore", "region", "access", "volume",
}  # fmt: skip
DETAIL = SUMMARY | {"created", "updated", "service_status_updated", "encrypted_rpc_messaging"}
PLACED = {"ip", "addresses"}
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def test_a_created_instance_builds(world: World) -> None:
    answer = world.create()
    assert answer.status_code == 200
    instance = answer.json["instance"]
    assert set(instance) == DETAIL
    assert instance["status"] == "BUILD"
    assert instance["operating_status"] == ""
    assert instance["datastore"] == {"type": "mariadb", "version": "10.11", "version_number": "10.11.14"}
    assert instance["volume"] == {"size": 1}
    assert instance["access"] == {"is_public": False}
    assert TIMESTAMP.fullmatch(instance["created"])
    row = world.instance(instance["id"])
    assert answer.headers["Link"] == f'<https://localhost/v1.0/p1/operations/{row.operation_id}>; rel="operation"'
    assert world.posted == [row.operation_id]
    assert (row.ram, row.quota_volume, row.project_id, row.user_id) == (256, 1, "p1", "u1")


def test_create_tells_the_flow_everything(world: World) -> None:
    instance_id = world.created(
        databases=[{"name": "shop", "character_set": "utf8mb4", "collate": "utf8mb4_bin"}, {"name": "other"}],
        users=[{"name": "app", "password": "s3cret", "databases": [{"name": "shop"}]}],
        nics=[{"net-id": "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"}],
        volume={"size": "2", "type": "fast"},
        access={"is_public": True, "allowed_cidrs": ["10.0.0.0/24"]},
        locality="anti-affinity",
    )
    operation = world.operation(world.instance(instance_id).operation_id or "")
    assert "s3cret" not in operation.arguments
    assert world.keyring.unseal(operation.arguments) == {
        "flavor_id": "1",
        "ram": 256,
        "vcpus": 1,
        "volume_size": 2,
        "volume_type": "fast",
        "nics": [{"network_id": "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11"}],
        "access": {"is_public": True, "allowed_cidrs": ["10.0.0.0/24"]},
        "availability_zone": None,
        "locality": "anti-affinity",
        "manager": "mariadb",
        "image": None,
        "overrides": {},
        "databases": [
            {"name": "shop", "character_set": "utf8mb4", "collate": "utf8mb4_bin"},
            {"name": "other", "character_set": None, "collate": None},
        ],
        "users": [{"name": "app", "password": "s3cret", "host": "%", "databases": ["shop"]}],
        "modules": [],
    }


def test_the_datastore_may_be_named_in_every_way(world: World) -> None:
    for datastore in (
        None,
        {},
        {"type": "mariadb"},
        {"type": "mariadb", "version": world.version_id},
        {"type": "mariadb", "version": "10.11", "version_number": "10.11.14"},
        {"version_number": "10.11.14"},
    ):
        assert world.create(datastore=datastore).status_code == 200


@pytest.mark.parametrize("reference", ["1", 1, "https://h/v1.0/p1/flavors/1"])
def test_the_flavor_may_be_named_in_every_way(world: World, reference: object) -> None:
    assert world.create(flavorRef=reference).json["instance"]["flavor"]["id"] == "1"
    assert world.create(flavorRef=None, flavor=reference).json["instance"]["flavor"]["id"] == "1"


def test_show_and_list_have_their_own_keys(world: World) -> None:
    instance_id = world.active()
    shown = world.ask("GET", f"instances/{instance_id}").json["instance"]
    assert set(shown) == DETAIL | PLACED
    assert (shown["status"], shown["operating_status"]) == ("ACTIVE", "HEALTHY")
    assert shown["volume"] == {"size": 1, "used": 0.12, "used_percent": 12.0}
    assert shown["ip"] == ["127.0.3.1"]
    (listed,) = world.ask("GET", "instances").json["instances"]
    assert set(listed) == SUMMARY | PLACED
    assert listed["datastore"] == {"type": "mariadb", "version": "10.11"}
    assert listed["volume"] == {"size": 1}
    (detailed,) = world.ask("GET", "instances/detail").json["instances"]
    assert detailed == shown


def test_links_are_https_of_the_host_asked(world: World) -> None:
    instance_id = world.created()
    shown = world.ask("GET", f"instances/{instance_id}", headers={"Host": "db.example:8779"}).json["instance"]
    assert shown["links"] == [
        {"rel": "self", "href": f"https://db.example:8779/v1.0/p1/instances/{instance_id}"},
        {"rel": "bookmark", "href": f"https://db.example:8779/instances/{instance_id}"},
    ]
    world.conf.set_override("public_endpoint", "https://public/", "api")
    shown = world.ask("GET", f"instances/{instance_id}").json["instance"]
    assert shown["flavor"]["links"][0]["href"] == "https://public/v1.0/p1/flavors/1"


def test_administrators_see_more_and_everyones(world: World) -> None:
    instance_id = world.created()
    shown = world.ask("GET", f"instances/{instance_id}", "admin").json["instance"]
    assert set(shown) == DETAIL | {"tenant_id"}
    assert shown["tenant_id"] == "p1"
    assert world.ask("GET", "instances", "admin").json == {"instances": []}


def test_the_fault_tells_its_details_to_administrators_only(world: World) -> None:
    instance_id = world.created()
    with world.database.write() as session:
        row = session.merge(world.instance(instance_id))
        row.fault = {"message": "no room", "details": "operation x", "created": "2026-01-01T00:00:00"}
    fault = {"message": "no room", "created": "2026-01-01T00:00:00", "details": None}
    assert world.ask("GET", f"instances/{instance_id}").json["instance"]["fault"] == fault
    shown = world.ask("GET", f"instances/{instance_id}", "admin").json["instance"]
    assert shown["fault"] == fault | {"details": "operation x"}


def test_pages_follow_each_other(world: World) -> None:
    world.conf.set_override("max_instances_per_tenant", -1, "quota")
    world.conf.set_override("max_volumes_per_tenant", -1, "quota")
    made = [world.created(name=f"db{number}") for number in range(7)]
    seen, url = [], "instances?limit=3"
    sizes = []
    while url:
        page = world.ask("GET", url).json
        sizes.append(len(page["instances"]))
        seen += [instance["id"] for instance in page["instances"]]
        url = page["links"][0]["href"].removeprefix("http://localhost") if "links" in page else ""
    assert seen == made[::-1]
    assert sizes == [3, 3, 1]


def test_a_page_is_capped(world: World) -> None:
    world.conf.set_override("instances_page_size", 2, "api")
    for _ in range(3):
        world.created()
    assert len(world.ask("GET", "instances?limit=1000").json["instances"]) == 2


@pytest.mark.parametrize("query", ["limit=x", "limit=-1", "limit=1.5", "limit=٣", "limit=99999999999999999999"])
def test_a_bad_limit_is_named(world: World, query: str) -> None:
    answer = world.ask("GET", f"instances?{query}")
    assert answer.status_code == 400
    assert "limit" in answer.json["badRequest"]["message"]


@pytest.mark.parametrize("marker", ["x", "0e7a1b6c-33c5-4c4a-8e5d-4f3b8f4e6a11", "%00", "%ff"])
def test_a_bad_marker_is_named(world: World, marker: str) -> None:
    answer = world.ask("GET", f"instances?marker={marker}")
    assert answer.status_code == 400
    assert "marker" in answer.json["badRequest"]["message"]


def test_a_list_costs_three_statements_at_most_and_no_call(world: World) -> None:
    world.conf.set_override("max_instances_per_tenant", -1, "quota")
    world.conf.set_override("max_volumes_per_tenant", -1, "quota")
    made = [world.active() for _ in range(21)]
    world.flavors.asked = 0
    statements: list[str] = []
    sa.event.listen(world.database.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    for url in ("instances", "instances/detail", f"instances?marker={made[-1]}"):
        statements.clear()
        assert len(world.ask("GET", url).json["instances"]) == 20
        assert len([statement for statement in statements if not statement.startswith("BEGIN")]) <= 3
    statements.clear()
    world.ask("GET", f"instances/{made[0]}")
    assert len([statement for statement in statements if not statement.startswith("BEGIN")]) <= 3
    assert world.guests.calls == []
    assert world.flavors.asked == 0


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_rename(world: World, method: str) -> None:
    instance_id = world.created()
    answer = world.ask(method, f"instances/{instance_id}", json={"instance": {"name": "new"}})
    assert (answer.status_code, answer.data, answer.mimetype) == (202, b"", "application/json")
    assert world.instance(instance_id).name == "new"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, 202),
        ({"configuration": None}, 202),
        ({"configuration": "x"}, 404),
        ({"replica_of": None}, 400),
        ({"replica_of": ""}, 400),
        ({"slave_of": ""}, 400),
        ({"access": {"is_public": True}}, 422),
        ({"access": {"is_public": True, "x": 1}}, 400),
        ({"datastore_version": "11"}, 400),
        ({"unknown": 1}, 400),
        ({"name": "n", "configuration": None}, 202),
        ({"access": {}, "configuration": None}, 400),
        ({"name": ""}, 400),
        ({"name": "n" * 256}, 400),
        ({"name": None}, 400),
    ],
)
def test_other_changes(world: World, change: dict[str, object], code: int) -> None:
    instance_id = world.created()
    assert world.ask("PUT", f"instances/{instance_id}", json={"instance": change}).status_code == code
    if code >= 400:
        assert world.instance(instance_id).name == "db1"


def test_only_one_attribute_at_a_time(world: World) -> None:
    body = {"instance": {"access": {}, "configuration": None}}
    answer = world.ask("PUT", f"instances/{world.created()}", json=body)
    assert answer.json["badRequest"]["message"] == "Only one attribute (except 'name') is allowed to update."
