# SPDX-License-Identifier: Apache-2.0
"""Wishes, flavors and images: what is found before anything is made."""

from typing import Any

import pytest

from dbflow.cloud import base
from dbflow.cloud.openstack import OpenStackCloud
from tests.unit.openstack.conftest import World


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"volume_type": "gold"}, "volume.type"),
        ({"availability_zone": "mars"}, "availability_zone"),
        ({"nics": [{"network_id": "none"}]}, "nics.network_id"),
        ({"nics": [{"network_id": "net-2"}]}, "nics"),
        ({"nics": [{"network_id": "net-1", "subnet_id": "none"}]}, "nics.subnet_id"),
        ({"nics": [{"network_id": "net-3", "subnet_id": "sub-1"}]}, "nics.subnet_id"),
        ({"nics": [{"network_id": "net-1", "ip_address": "10.9.9.9"}]}, "nics.ip_address"),
        ({"nics": [{"ip_address": "10.0.0.5"}]}, "nics.ip_address"),
    ],
)
def test_wishes_that_can_not_be_granted(world: World, wish: dict[str, Any], field: str) -> None:
    _networks(world)
    cloud = world.cloud()
    world.done(cloud.networks.create_port, "11111111-0000-4000-8000-000000000001", [], {})
    world.neutron.things["ports"][next(iter(world.neutron.things["ports"]))]["network_id"] = "net-1"
    with pytest.raises(base.Unsuitable) as refused:
        cloud.check(base.Wish("p1", **wish))
    assert refused.value.field == field


@pytest.mark.parametrize(
    "nics",
    [[], [{"network_id": "net-1"}], [{"subnet_id": "sub-1", "ip_address": "10.0.0.9"}], [{"network_id": "net-3"}]],
)
def test_wishes_that_can(world: World, cloud: OpenStackCloud, nics: list[dict[str, str]]) -> None:
    _networks(world)
    cloud.check(base.Wish("p1", nics, {"is_public": True}, volume_type="ssd", availability_zone="nova"))


def test_network_that_its_owner_shares(world: World, cloud: OpenStackCloud) -> None:
    _networks(world)
    policy = {"object_id": "net-2", "object_type": "network", "action": "access_as_shared", "target_tenant": "p1"}
    world.neutron.things["rbac-policies"]["r"] = policy
    cloud.check(base.Wish("p1", [{"network_id": "net-2"}]))


def test_without_default_and_public_network(world: World) -> None:
    cloud = world.cloud(networks=None, public_network=None)
    cloud.check(base.Wish("p1"))
    with pytest.raises(base.Unsuitable) as refused:
        cloud.check(base.Wish("p1", []))
    assert refused.value.field == "nics"
    with pytest.raises(base.Unsuitable) as refused:
        cloud.check(base.Wish("p1", access={"is_public": True}))
    assert refused.value.field == "access.is_public"


def test_flavors(cloud: OpenStackCloud) -> None:
    assert [flavor.ram for flavor in cloud.flavors.list()] == [256, 512]
    assert cloud.flavors.get("1").name == "f1"
    with pytest.raises(base.NotFound):
        cloud.flavors.get("9")


def test_images_are_public_or_ours(world: World, cloud: OpenStackCloud) -> None:
    assert cloud.images.tagged(["x"]).id == "new"
    assert cloud.images.get("old").tags == {"x"}
    for image_id in ("foreign", "none"):
        with pytest.raises(base.NotFound):
            cloud.images.get(image_id)
    world.glance.images = world.glance.images[2:]
    with pytest.raises(base.NotFound, match="tagged x"):
        cloud.images.tagged(["x"])


def _networks(world: World) -> None:
    for number, project in (("2", "p2"), ("3", "p1")):
        network = {"id": f"net-{number}", "project_id": project, "shared": False, "subnets": []}
        world.neutron.things["networks"][network["id"]] = network
