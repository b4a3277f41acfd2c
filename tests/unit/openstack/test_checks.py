# SPDX-License-Identifier: Apache-2.0
"""Wishes, flavors and images: what is found before anything is made."""

from typing import Any

import pytest

from dbflow.cloud import base
from dbflow.cloud.openstack import OpenStackCloud
from tests.unit.openstack.conftest import World
from tests.unit.openstack.http import PROJECT


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"volume_type": "gold"}, "volume.type"),
        ({"availability_zone": "mars"}, "availability_zone"),
        ({"nics": [{"network_id": "none"}]}, "nics.network_id"),
        ({"nics": [{"network_id": "net-2"}]}, "nics"),
        ({"nics": [{"network_id": "net-1", "subnet_id": "none"}]}, "nics.subnet_id"),
        ({"nics": [{"network_id": "net-3", "subnet_id": "sub-1"}]}, "nics.subnet_id"),
        ({"nics": [{"subnet_id": "sub-2"}]}, "nics.subnet_id"),
        ({"nics": [{"network_id": "net-1", "ip_address": "10.9.9.9"}]}, "nics.ip_address"),
        ({"nics": [{"ip_address": "10.0.0.5"}]}, "nics.ip_address"),
        ({"nics": [{"ip_address": "10.0.0.0"}]}, "nics.ip_address"),
        ({"nics": [{"ip_address": "10.0.0.255"}]}, "nics.ip_address"),
        ({"nics": [{"network_id": "net-4"}]}, "nics.network_id"),
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


def test_subnet_of_another_project(world: World, cloud: OpenStackCloud) -> None:
    """Tells as little as one that there is not."""
    _networks(world)
    for subnet_id in ("sub-2", "none"):
        with pytest.raises(base.Unsuitable) as refused:
            cloud.check(base.Wish("p1", [{"subnet_id": subnet_id}]))
        assert str(refused.value) == f"Subnet {subnet_id} cannot be found."


@pytest.mark.parametrize(
    "nics",
    [[], [{"network_id": "net-1"}], [{"subnet_id": "sub-1", "ip_address": "10.0.0.9"}], [{"network_id": "net-3"}]],
)
def test_wishes_that_can(world: World, cloud: OpenStackCloud, nics: list[dict[str, str]]) -> None:
    _networks(world)
    cloud.check(base.Wish("p1", nics, {"is_public": True}, volume_type="ssd", availability_zone="nova"))


@pytest.mark.parametrize("target", ["p1", "*"])
def test_network_that_its_owner_shares(world: World, cloud: OpenStackCloud, target: str) -> None:
    _networks(world)
    _share(world, target)
    cloud.check(base.Wish("p1", [{"network_id": "net-2"}]))


def test_network_that_its_owner_shares_with_dbflow_is_for_the_owner_only(world: World, cloud: OpenStackCloud) -> None:
    """Neutron calls it shared, since dbflow asks."""
    _networks(world)
    _share(world, PROJECT)
    cloud.check(base.Wish("p2", [{"network_id": "net-2"}]))
    with pytest.raises(base.Unsuitable, match="Network net-2 cannot be found") as refused:
        cloud.check(base.Wish("p1", [{"network_id": "net-2"}]))
    assert refused.value.field == "nics"


def test_network_of_the_management_is_for_nobody(world: World) -> None:
    cloud = world.cloud(management_network="net-2")
    _networks(world)
    _share(world, "*")
    for project in ("p1", "p2"):
        with pytest.raises(base.Unsuitable, match="Network net-2 cannot be found"):
            cloud.check(base.Wish(project, [{"network_id": "net-2"}]))


def test_default_network_without_subnets(world: World) -> None:
    _networks(world)
    with pytest.raises(base.Unsuitable, match="Network net-4 has no subnet") as refused:
        world.cloud(networks="net-4").check(base.Wish("p1", []))
    assert refused.value.field == "nics"


def test_without_default_and_public_network(world: World) -> None:
    cloud = world.cloud(networks=None, public_network=None)
    cloud.check(base.Wish("p1"))
    with pytest.raises(base.Unsuitable) as refused:
        cloud.check(base.Wish("p1", []))
    assert refused.value.field == "nics"
    with pytest.raises(base.Unsuitable) as refused:
        cloud.check(base.Wish("p1", access={"is_public": True}))
    assert refused.value.field == "access.is_public"


def test_what_the_configuration_names_is_there(world: World) -> None:
    world.neutron.things["networks"]["public"] = {"id": "public"}
    world.neutron.things["security-groups"]["guests"] = {"id": "guests"}
    there = {"management_security_groups": "guests", "volume_type": "ssd", "availability_zone": "nova"}
    assert world.cloud(**there, dns_zone="db.example.").missing() == []
    wrong = {
        "networks": "net-1,net-9",
        "management_network": "net-8",
        "management_security_groups": "nobody",
        "public_network": "net/7",
        "volume_type": "gold",
        "availability_zone": "moon",
        "dns_zone": "else.example.",
    }
    assert world.cloud(**wrong).missing() == [
        "networks: net-9",
        "management_network: net-8",
        "public_network: net/7",
        "management_security_groups: nobody",
        "volume_type: gold",
        "availability_zone: moon",
        "dns_zone: else.example.",
    ]


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


def _share(world: World, target: str) -> None:
    policy = {"object_id": "net-2", "object_type": "network", "action": "access_as_shared", "target_tenant": target}
    world.neutron.things["rbac-policies"]["r"] = policy
    world.neutron.things["networks"]["net-2"]["shared"] = target in (PROJECT, "*")


def _networks(world: World) -> None:
    for number, project, subnets in (("2", "p2", ["sub-2"]), ("3", "p1", ["sub-3"]), ("4", "p1", [])):
        network = {"id": f"net-{number}", "project_id": project, "shared": False, "subnets": subnets}
        world.neutron.things["networks"][network["id"]] = network
        for subnet in subnets:
            made = {"id": subnet, "network_id": network["id"], "cidr": f"10.0.{number}.0/24"}
            world.neutron.things["subnets"][subnet] = made
