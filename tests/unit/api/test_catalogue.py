# SPDX-License-Identifier: Apache-2.0
"""Datastores, versions, flavors, and the Swagger document."""

import jsonschema

from dbflow.api.schemas import datastores, instances, operations, quotas
from dbflow.cloud.base import Flavor
from dbflow.db.models import DatastoreVersion
from dbflow.services.seed import ensure_datastore
from tests.unit.api.world import World


def test_datastores(world: World) -> None:
    (datastore,) = world.ask("GET", "datastores").json["datastores"]
    assert set(datastore) == {"id", "name", "links", "versions", "default_version"}
    (version,) = datastore["versions"]
    assert set(version) == {"id", "name", "version", "links"}
    assert datastore["default_version"] == version["id"] == world.version_id
    for reference in (datastore["id"], "mariadb"):
        assert world.ask("GET", f"datastores/{reference}").json == {"datastore": datastore}
        versions = world.ask("GET", f"datastores/{reference}/versions").json["versions"]
        assert versions == [version | {"datastore": datastore["id"]}]
        for name in (version["id"], "10.11", "10.11.14"):
            shown = world.ask("GET", f"datastores/{reference}/versions/{name}").json
            assert shown == {"version": versions[0]}
    assert world.ask("GET", f"datastores/versions/{version['id']}").json == {"version": versions[0]}
    for path in ("oracle", "oracle/versions", "mariadb/versions/1", "versions/10.11", "mariadb/versions/1/flavors"):
        assert world.ask("GET", f"datastores/{path}").status_code == 404


def test_versions_that_are_not_active(world: World) -> None:
    with world.database.write() as session:
        session.get_one(DatastoreVersion, world.version_id).active = False
    (datastore,) = world.ask("GET", "datastores").json["datastores"]
    assert (datastore["versions"], "default_version" in datastore) == ([], False)
    assert world.ask("GET", "datastores/mariadb/versions/10.11").status_code == 404
    shown = world.ask("GET", "datastores/mariadb/versions/10.11", "admin").json["version"]
    assert {"active", "packages", "image", "registry_ext", "repl_strategy", "image_tags"} <= set(shown)
    assert shown["active"] is False
    assert world.create().status_code == 400


def test_making_a_version_known_twice(world: World) -> None:
    again = ensure_datastore(world.database, "mariadb", "10.11", "10.11.14", "mariadb", "img")
    assert (again, world.count(DatastoreVersion)) == (world.version_id, 1)
    ensure_datastore(world.database, "mariadb", "11.8", "11.8.3", "mariadb", None, default=False)
    assert world.ask("GET", "datastores/mariadb").json["datastore"]["default_version"] == world.version_id


def test_flavors(world: World) -> None:
    flavors = world.ask("GET", "flavors").json["flavors"]
    assert [(flavor["id"], flavor["str_id"]) for flavor in flavors] == [(1, "1"), (2, "2"), (None, "big")]
    assert set(flavors[0]) == {"id", "str_id", "name", "ram", "vcpus", "disk", "ephemeral", "links"}
    assert world.ask("GET", "flavors/1").json == {"flavor": flavors[0]}
    assert world.ask("GET", "datastores/mariadb/versions/10.11/flavors").json == {"flavors": flavors}
    assert world.ask("GET", "datastores/mariadb/versions/10.11/volume-types").json == {"volume_types": []}
    assert world.flavors.asked == 1
    assert world.ask("GET", "flavors/9").status_code == 404
    assert world.flavors.asked == 2


def test_a_flavor_that_is_new_is_found_at_once(world: World) -> None:
    assert world.create(flavorRef="new").status_code == 400
    world.flavors.offered.append(Flavor("new", "new", 512, 1))
    assert world.create(flavorRef="new").status_code == 200
    asked = world.flavors.asked
    assert "new" in [flavor["str_id"] for flavor in world.ask("GET", "flavors").json["flavors"]]
    assert world.flavors.asked == asked


def test_of_a_flavor_that_is_not_known_a_cloud_that_is_away_says_nothing(world: World) -> None:
    assert world.create().status_code == 200
    world.flavors.away = True
    assert world.create(flavorRef="9").status_code == 503
    assert world.create().status_code == 200


def test_answers_fit_their_schemas(world: World) -> None:
    instance_id = world.active()
    for path, schema in (
        ("instances", instances.INSTANCES),
        ("instances/detail", instances.INSTANCES_DETAIL),
        (f"instances/{instance_id}", instances.INSTANCE),
        ("datastores", datastores.DATASTORES),
        ("datastores/mariadb/versions", datastores.VERSIONS),
        ("flavors", datastores.FLAVORS),
        ("operations", operations.LIST),
        ("limits", quotas.LIMITS),
        ("mgmt/quotas/p1", quotas.QUOTAS),
    ):
        jsonschema.validate(world.ask("GET", path).json, schema, jsonschema.Draft4Validator)


def test_the_swagger_document(world: World) -> None:
    document = world.ask("GET", "/swagger.json", None).json
    paths = document["paths"]
    create = paths["/v1.0/{project}/instances"]["post"]
    assert {"200", "400", "401", "403", "404", "409", "413", "415"} <= set(create["responses"])
    (body,) = (parameter for parameter in create["parameters"] if parameter["in"] == "body")
    model = document["definitions"][body["schema"]["$ref"].rpartition("/")[2]]
    assert model["properties"]["instance"]["required"] == ["name"]
    described = [method for path in paths.values() for name, method in path.items() if name != "parameters"]
    assert all(len(method["responses"]) > 4 for method in described)
    assert len(described) == len({method["operationId"] for method in described}) > 35


def test_the_swagger_page_needs_nothing_from_outside(world: World) -> None:
    page = world.ask("GET", "/doc/", None).text
    assert "/swaggerui/" in page
    assert "//cdn" not in page
    assert "https://" not in page.replace("https://localhost", "")
    assert world.ask("GET", "/swaggerui/swagger-ui-bundle.js", None).status_code == 200
