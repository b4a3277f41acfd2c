# SPDX-License-Identifier: Apache-2.0
"""Ports, and who reaches them."""

import functools
import pathlib

import pytest

from dbflow.cloud import base
from dbflow.cloud.openstack import OpenStackCloud
from dbflow.waits import NotYet
from tests.lostanswers import LostAnswers
from tests.openstack.sweep.effects import EFFECTS
from tests.unit.openstack.conftest import REACH, World
from tests.unit.openstack.http import PROJECT

ID = "11111111-0000-4000-8000-000000000001"
OTHER = "22222222-0000-4000-8000-000000000002"

_OURS = ("ports", "security-groups", "floatingips")


def _rules(world: World, instance_id: str = ID) -> set[tuple[int, str]]:
    """(port, from where), of an instance's group."""
    things = world.neutron.things
    (group,) = (one for one in things["security-groups"].values() if one["name"].endswith(instance_id))
    rules = [one for one in things["security-group-rules"].values() if one["security_group_id"] == group["id"]]
    assert {(one["direction"], one["protocol"]) for one in rules} == {("ingress", "tcp")}
    return {(one["port_range_min"], one["remote_ip_prefix"] or "peers") for one in rules}


def test_port_is_made_once(world: World, cloud: OpenStackCloud) -> None:
    world.fake.trouble("POST /network/v2.0/ports", lost=True)
    port = world.done(cloud.networks.create_port, ID, [], {}, REACH)
    assert world.done(cloud.networks.create_port, ID, [], {}, REACH) == port
    assert port.addresses == ({"address": "10.0.0.5", "type": "private", "network": "net-1"},)
    (made,) = world.neutron.things["ports"].values()
    assert made["network_id"] == "net-1"
    assert _rules(world) == {(3306, "0.0.0.0/0"), (3306, "::/0"), (3306, "peers")}


def test_whichever_answer_is_lost(world: World, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is there once, and then nothing is left."""
    networks = world.cloud(management_network="management").networks
    answers = LostAnswers(tmp_path / "faults", monkeypatch)
    make = functools.partial(networks.create_port, ID, [], {"is_public": True}, REACH)
    drop = functools.partial(networks.delete_port, ID)
    made, dropped = answers.done(make), answers.done(drop)
    known = EFFECTS["instance.create"]["create-port"], EFFECTS["instance.delete"]["delete-port"]
    assert (made, dropped) == tuple(map(len, known))
    things = world.neutron.things
    for number in range(1, max(made, dropped) + 1):
        answers.done(make, number if number <= made else 0)
        assert [len(things[kind]) for kind in _OURS] == [2, 3, 1]
        answers.done(drop, number if number <= dropped else 0)
        assert not any(things[kind] for kind in _OURS)


def test_where_its_owner_says(world: World, cloud: OpenStackCloud) -> None:
    nic = {"subnet_id": "sub-1", "ip_address": "10.0.0.77"}
    world.done(cloud.networks.create_port, ID, [nic], {}, REACH)
    (port,) = world.neutron.things["ports"].values()
    assert (port["network_id"], port["wished"]) == ("net-1", [nic])


def test_access_changes(world: World, cloud: OpenStackCloud) -> None:
    world.done(cloud.networks.create_port, ID, [], {"allowed_cidrs": ["10.1.0.0/16", "10.2.0.0/16"]}, REACH)
    assert _rules(world) == {(3306, "10.1.0.0/16"), (3306, "10.2.0.0/16"), (3306, "peers")}
    access = {"allowed_cidrs": ["10.2.0.0/16"], "is_public": True}
    port = world.done(cloud.networks.update_access, ID, access, REACH)
    assert _rules(world) == {(3306, "10.2.0.0/16"), (3306, "peers")}
    assert [one["type"] for one in port.addresses] == ["private", "public"]
    assert world.done(cloud.networks.update_access, ID, access, REACH) == port
    assert len(world.neutron.things["floatingips"]) == 1
    assert len(world.done(cloud.networks.update_access, ID, {}, REACH).addresses) == 1
    assert not world.neutron.things["floatingips"]


def test_groups_of_others_stay(world: World, cloud: OpenStackCloud) -> None:
    """An administrator has let one in."""
    world.done(cloud.networks.create_port, ID, [], {}, REACH)
    things = world.neutron.things
    ours = next(one["id"] for one in things["security-groups"].values() if one["name"] == f"dbflow-{ID}")
    bastion = {"id": "bastion", "name": "bastion", "project_id": PROJECT}
    things["security-groups"]["bastion"] = bastion
    rule = {"id": "r", "security_group_id": ours, "remote_group_id": "bastion", "direction": "egress"}
    things["security-group-rules"]["r"] = rule
    world.done(cloud.networks.delete_port, ID)
    assert list(things["security-groups"].values()) == [bastion]


def test_instances_of_a_project_reach_each_other_until_the_last_is_gone(world: World, cloud: OpenStackCloud) -> None:
    for instance_id in (ID, OTHER):
        world.done(cloud.networks.create_port, instance_id, [], {"allowed_cidrs": ["10.1.0.0/16"]}, REACH)
    groups = world.neutron.things["security-groups"]
    assert sorted(one["name"] for one in groups.values()) == ["dbflow-" + ID, "dbflow-" + OTHER, "dbflow-project-p1"]
    peers = next(one["id"] for one in groups.values() if "project" in one["name"])
    assert all(peers in port["security_groups"] for port in world.neutron.things["ports"].values())
    world.done(cloud.networks.delete_port, ID)
    assert (3306, "peers") in _rules(world, OTHER)
    world.done(cloud.networks.delete_port, OTHER)
    assert not groups
    assert not world.neutron.things["ports"]
    world.done(cloud.networks.delete_port, OTHER)


def test_management_port(world: World) -> None:
    cloud = world.cloud(management_network="net-m", management_security_groups="g1")
    world.neutron.things["security-groups"]["g1"] = {"id": "g1", "name": "managers", "project_id": "f" * 32}
    instance_id = world.serve(cloud)
    ports = {port["network_id"]: port for port in world.neutron.things["ports"].values()}
    assert ports["net-m"]["security_groups"] == ["g1"]
    (server,) = world.nova.servers.values()
    assert server["body"]["server"]["networks"] == [{"port": ports["net-1"]["id"]}, {"port": ports["net-m"]["id"]}]
    for kind in ("server", "volume", "port"):
        world.done(cloud.remove, kind, instance_id)
    assert not world.neutron.things["ports"]


def test_management_port_is_nobody_to_come_to(world: World) -> None:
    """Where no groups are named: not whom the instance lets in, who may be on that network too."""
    cloud = world.cloud(management_network="net-m")
    for _ in range(2):
        world.done(cloud.networks.create_port, ID, [], {}, REACH)
    groups, rules = world.neutron.things["security-groups"], world.neutron.things["security-group-rules"]
    (port,) = (one for one in world.neutron.things["ports"].values() if one["network_id"] == "net-m")
    (group,) = port["security_groups"]
    assert groups[group]["name"] == f"dbflow-{ID}-management"
    assert group not in {one["security_group_id"] for one in rules.values()}
    assert cloud.owned()["port"] == {ID}
    world.done(cloud.networks.delete_port, ID)
    assert not groups


def test_of_two_groups_of_a_project_all_are_in_the_older(world: World, cloud: OpenStackCloud) -> None:
    world.done(cloud.networks.create_port, ID, [], {}, REACH)
    groups = world.neutron.things["security-groups"]
    younger = next(one for one in groups.values() if "project" in one["name"])
    groups["older"] = {**younger, "id": "older", "created_at": "2025-01-01T00:00:00Z"}
    world.done(cloud.networks.update_access, ID, {}, REACH)
    (port,) = world.neutron.things["ports"].values()
    assert "older" in port["security_groups"]
    world.done(cloud.networks.create_port, OTHER, [], {}, REACH)
    assert younger["id"] not in groups
    assert all("older" in port["security_groups"] for port in world.neutron.things["ports"].values())


def test_project_group_that_can_not_be_deleted_just_now(world: World, cloud: OpenStackCloud) -> None:
    world.done(cloud.networks.create_port, ID, [], {}, REACH)
    world.fake.trouble("DELETE /network/v2.0/security-groups", 503)
    world.done(cloud.networks.delete_port, ID)
    assert world.waited
    assert not world.neutron.things["security-groups"]


def test_names(world: World) -> None:
    cloud = world.cloud(dns_zone="db.example.")
    port = world.done(cloud.networks.create_port, ID, [], {}, REACH)
    assert port.hostname == f"{ID}.db.example"
    (record,) = world.designate.records.values()
    assert record["records"] == ["10.0.0.5"]
    assert cloud.owned()["port"] == {ID}
    world.done(cloud.networks.update_access, ID, {"is_public": True}, REACH)
    (record,) = world.designate.records.values()
    assert record["records"] == ["198.51.100.5"]
    world.done(cloud.networks.delete_port, ID)
    assert not world.designate.records


def test_name_that_could_not_be_removed_is_removed_again(world: World) -> None:
    cloud = world.cloud(dns_zone="db.example.")
    world.done(cloud.networks.create_port, ID, [], {}, REACH)
    world.designate.fails = True
    world.done(cloud.networks.delete_port, ID)
    assert not world.designate.records


def test_name_that_could_not_be_published_is_tried_again(world: World) -> None:
    """By Designate itself, when its nameservers are back."""
    cloud = world.cloud(dns_zone="db.example.")
    with pytest.raises(NotYet):
        cloud.networks.create_port(ID, [], {}, REACH)
    (record,) = world.designate.records.values()
    record["status"] = "ERROR"
    with pytest.raises(NotYet, match="DNS service has failed to publish"):
        cloud.networks.create_port(ID, [], {}, REACH)
    assert world.done(cloud.networks.create_port, ID, [], {}, REACH).hostname == f"{ID}.db.example"


def test_a_rule_that_somebody_made_with_the_number_of_tcp(world: World, cloud: OpenStackCloud) -> None:
    world.done(cloud.networks.create_port, ID, [], {}, REACH)
    rules = world.neutron.things["security-group-rules"]
    before = dict(rules)
    for rule in rules.values():
        rule["protocol"] = "6"
    world.done(cloud.networks.update_access, ID, {}, REACH)
    assert rules == before


def test_a_group_that_goes_before_the_port_is_in_it(world: World, cloud: OpenStackCloud) -> None:
    """With the last other instance of the project."""
    world.done(cloud.networks.create_port, ID, [], {}, REACH)
    (port,) = world.neutron.things["ports"].values()
    port["security_groups"] = []
    message = "Security group 7 does not exist"
    world.fake.trouble(f"PUT /network/v2.0/ports/{port['id']}", 404, message)
    with pytest.raises(NotYet, match=message):
        cloud.networks.update_access(ID, {}, REACH)
    world.done(cloud.networks.update_access, ID, {}, REACH)
    assert port["security_groups"]


def test_zone_that_is_gone_with_its_names(world: World) -> None:
    cloud = world.cloud(dns_zone="db.example.")
    world.done(cloud.networks.create_port, ID, [], {}, REACH)
    world.designate.zones.clear()
    assert cloud.inventory()["names"] == []
    with pytest.raises(base.CloudError, match=r"DNS zone db\.example\. cannot be found") as told:
        world.done(cloud.networks.update_access, ID, {}, REACH)
    assert not isinstance(told.value, base.NotFound), "that is what a lost port is, of which nothing is undone"
    world.done(cloud.networks.delete_port, ID)
    assert not world.neutron.things["ports"]


def test_no_address_is_free(world: World, cloud: OpenStackCloud) -> None:
    message = "No more IP addresses available on network net-1."
    world.fake.trouble("POST /network/v2.0/ports", 409, message)
    with pytest.raises(base.OutOfCapacity, match="No more IP addresses"):
        world.done(cloud.networks.create_port, ID, [], {}, REACH)


@pytest.mark.parametrize("made", ["ports", "security-group-rules"])
def test_group_that_the_last_of_the_project_has_just_taken_with_it(
    world: World, cloud: OpenStackCloud, made: str
) -> None:
    world.fake.trouble(f"POST /network/v2.0/{made}", 404, "Security group x does not exist")
    assert world.done(cloud.networks.create_port, ID, [], {}, REACH).addresses


def test_port_without_an_address(world: World, cloud: OpenStackCloud) -> None:
    world.done(cloud.networks.create_port, ID, [], {}, REACH)
    (port,) = world.neutron.things["ports"].values()
    port["fixed_ips"] = []
    with pytest.raises(base.CloudError, match="no address in network net-1"):
        world.done(cloud.networks.create_port, ID, [], {}, REACH)


def test_access_of_what_has_no_port(world: World, cloud: OpenStackCloud) -> None:
    with pytest.raises(base.NotFound):
        world.done(cloud.networks.update_access, ID, {}, REACH)
