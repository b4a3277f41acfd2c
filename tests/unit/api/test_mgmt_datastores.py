# SPDX-License-Identifier: Apache-2.0
"""Versions of datastores, as administrators make and change them."""

from typing import Any

import jsonschema
import pytest

from dbflow.api.schemas import mgmt as schemas
from dbflow.db.models import ConfigurationParameter, Datastore, DatastoreVersion, Instance
from tests.unit.api.world import World

_PATH = "mgmt/datastore-versions"
NEW = {
    "name": "11.8",
    "datastore_name": "mariadb",
    "datastore_manager": "mariadb",
    "image": "img-2",
    "active": True,
    "version": "11.8.3",
}


def _create(world: World, **changes: Any) -> Any:
    wanted = {name: value for name, value in (NEW | changes).items() if value is not None}
    return world.ask("POST", _PATH, "admin", json={"version": wanted})


def _created(world: World, **changes: Any) -> str:
    answer = _create(world, **changes)
    assert (answer.status_code, answer.data) == (202, b"")
    wanted = {name: value for name, value in (NEW | changes).items() if name in ("name", "version", "datastore_name")}
    wanted["version"] = wanted["version"] or wanted["name"]
    listed = world.ask("GET", _PATH, "admin").json["versions"]
    (made,) = [one["id"] for one in listed if wanted.items() <= one.items()]
    return str(made)


def test_only_for_administrators(world: World) -> None:
    one = f"{_PATH}/{world.version_id}"
    for method, path in (("GET", _PATH), ("POST", _PATH), ("GET", one), ("PATCH", one), ("DELETE", one)):
        assert world.ask(method, path, json={}).status_code == 401
    assert world.ask("DELETE", "datastores/mariadb").status_code == 403


def test_create_and_show(world: World) -> None:
    made = _created(world, default=True, image_tags=["a", "b"])
    shown = world.ask("GET", f"{_PATH}/{made}", "admin").json
    jsonschema.validate(shown, schemas.VERSION)
    assert {name: shown["version"][name] for name in NEW} == NEW
    assert shown["version"]["default"] is True
    assert shown["version"]["image_tags"] == ["a", "b"]
    listed = world.ask("GET", _PATH, "admin").json
    jsonschema.validate(listed, schemas.VERSIONS)
    assert {one["id"]: one["default"] for one in listed["versions"]} == {made: True, world.version_id: False}
    assert world.ask("GET", "datastores/mariadb").json["datastore"]["default_version"] == made
    parameters = world.ask("GET", f"datastores/versions/{made}/parameters").json["configuration-parameters"]
    assert len(parameters) > 100
    instance = world.created(datastore={"type": "mariadb", "version": "11.8"})
    assert world.instance(instance).datastore_version_id == made


def test_a_datastore_comes_with_its_first_version(world: World) -> None:
    made = _created(world, datastore_name="maria2", version=None)
    shown = world.ask("GET", f"{_PATH}/{made}", "admin").json["version"]
    assert (shown["datastore_name"], shown["version"]) == ("maria2", "11.8")
    assert {one["name"] for one in world.ask("GET", "datastores").json["datastores"]} == {"mariadb", "maria2"}


def test_pages(world: World) -> None:
    made = {world.version_id, *(_created(world, version=f"11.8.{number}") for number in range(3))}
    path, seen = f"{_PATH}?limit=2", []
    while path:
        page = world.ask("GET", path, "admin").json
        seen += [one["id"] for one in page["versions"]]
        path = page["links"][0]["href"].partition("/v1.0/padmin/")[2] if "links" in page else ""
    assert seen == sorted(made)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"datastore_manager": "oracle"}, "datastore_manager"),
        ({"image": None}, "image"),
        ({"image": ""}, "image"),
        ({"name": "10.11", "version": "10.11.14"}, "already exists"),
        ({"active": "yes"}, "active"),
        ({"name": None}, "name"),
        ({"colour": "red"}, "colour"),
        ({"image_tags": ["a"] * 6}, "image_tags"),
        ({"packages": "a"}, "packages"),
    ],
)
def test_versions_that_can_not_be(world: World, changes: dict[str, Any], word: str) -> None:
    answer = _create(world, **changes)
    assert answer.status_code == 400
    assert word in answer.json["badRequest"]["message"]
    assert world.count(DatastoreVersion) == 1


def test_change(world: World) -> None:
    path = f"{_PATH}/{world.version_id}"
    wanted = {"image": "img-3", "active": False, "name": "ten", "default": False, "packages": ["p"]}
    answer = world.ask("PATCH", path, "admin", json=wanted)
    assert (answer.status_code, answer.data) == (202, b"")
    shown = world.ask("GET", path, "admin").json["version"]
    assert {name: shown[name] for name in wanted} == wanted
    assert shown["version"] == "10.11.14"
    assert world.create().status_code == 400
    world.ask("PATCH", path, "admin", json={"default": True, "active": True})
    assert world.create(datastore=None).status_code == 200


def test_tags_instead_of_an_image(world: World) -> None:
    """An image would count first."""
    path = f"{_PATH}/{world.version_id}"
    world.ask("PATCH", path, "admin", json={"image": "img-3", "image_tags": ["a"]})
    shown = world.ask("GET", path, "admin").json["version"]
    assert (shown["image"], shown["image_tags"]) == ("img-3", ["a"])
    assert world.ask("PATCH", path, "admin", json={"image_tags": ["mariadb", "x"]}).status_code == 202
    shown = world.ask("GET", path, "admin").json["version"]
    assert (shown["image"], shown["image_tags"]) == (None, ["mariadb", "x"])


@pytest.mark.parametrize(
    ("wanted", "word"),
    [
        ({"datastore_manager": "oracle"}, "datastore_manager"),
        ({"name": "11.8"}, "already exists"),
        ({"version": "1"}, "version"),
        ({"image": None}, "image"),
        ({"image_tags": []}, "image"),
    ],
)
def test_changes_that_can_not_be(world: World, wanted: dict[str, Any], word: str) -> None:
    _created(world, version="10.11.14")
    before = world.ask("GET", f"{_PATH}/{world.version_id}", "admin").json
    answer = world.ask("PATCH", f"{_PATH}/{world.version_id}", "admin", json=wanted)
    assert answer.status_code == 400
    assert word in answer.json["badRequest"]["message"]
    assert world.ask("GET", f"{_PATH}/{world.version_id}", "admin").json == before


def test_delete(world: World) -> None:
    """What was made of it stays readable; made again, it is the same one."""
    instance = world.active()
    path = f"{_PATH}/{world.version_id}"
    answer = world.ask("DELETE", path, "admin")
    assert answer.status_code == 400
    assert "1 instances" in answer.json["badRequest"]["message"]
    assert world.ask("DELETE", "datastores/mariadb", "admin").status_code == 400
    with world.database.write() as session:
        session.get_one(Instance, instance).deleted = True
    assert world.ask("DELETE", path, "admin").status_code == 202
    for method in ("GET", "DELETE", "PATCH"):
        assert world.ask(method, path, "admin", json={}).status_code == 404
    assert world.ask("GET", f"datastores/versions/{world.version_id}", "admin").status_code == 404
    assert world.ask("GET", "datastores/mariadb").json["datastore"]["versions"] == []
    assert world.create().status_code == 400
    assert world.ask("GET", f"mgmt/instances/{instance}", "admin").json["instance"]["datastore"]["version"] == "10.11"
    assert world.ask("DELETE", "datastores/mariadb", "admin").status_code == 202
    assert world.ask("DELETE", "datastores/mariadb", "admin").status_code == 404
    assert world.ask("GET", "datastores").json == {"datastores": []}
    assert _created(world, name="10.11", version="10.11.14") == world.version_id
    assert world.count(Datastore) == 1
    assert world.ask("GET", f"{_PATH}/{world.version_id}", "admin").json["version"]["image"] == "img-2"
    assert world.count(ConfigurationParameter) > 100
