# SPDX-License-Identifier: Apache-2.0
"""The cloud driver on the real services."""

import dataclasses
import functools
import pathlib
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dbflow.cloud import base
from dbflow.cloud.openstack import OpenStackCloud
from dbflow.waits import NotYet
from tests.lostanswers import LostAnswers
from tests.openstack.place import REACH, Place, done, remove
from tests.openstack.sweep.effects import EFFECTS
from tests.waiting import wait_for


@pytest.fixture(scope="module")
def driver(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenStackCloud]:
    """Whose tests leave nothing behind."""
    made = place.cloud(tmp_path_factory.mktemp("conf"))
    yield made
    assert all(not found for found in made.inventory().values()), made.inventory()


@pytest.fixture
def instance(place: Place, driver: OpenStackCloud) -> Iterator[str]:
    """Id of one with a server."""
    instance_id = place.serve(driver)
    yield instance_id
    remove(driver, instance_id)


def _rules(place: Place, instance_id: str) -> set[tuple[int, str]]:
    (group,) = place.admin.network.security_groups(name=f"dbflow-{instance_id}")
    rules = place.admin.network.security_group_rules(security_group_id=group.id, direction="ingress")
    return {(rule.port_range_min, rule.remote_ip_prefix or "peers") for rule in rules}


def test_everything_is_made_once_and_found_again(place: Place, driver: OpenStackCloud, instance: str) -> None:
    before = driver.inventory()
    boot = place.boot(driver, instance)
    server = done(driver.servers.create, boot)
    assert server.status == "ACTIVE"
    assert driver.inventory() == before
    assert before["servers"] == before["volumes"] == before["ports"] == [instance]
    assert driver.owned() == {"server": {instance}, "volume": {instance}, "port": {instance}}
    assert driver.servers.several([instance]) == {instance: server}
    shown = place.admin.compute.get_server(server.id)
    assert shown.has_config_drive
    (attached,) = place.admin.compute.volume_attachments(shown)
    assert boot.volume is not None
    assert attached.volume_id == boot.volume.id


def test_two_who_create_at_once_make_one(place: Place, driver: OpenStackCloud, tmp_path: pathlib.Path) -> None:
    """As two conductors may, of whom one has been asleep."""
    instance_id = "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a01"
    boot = place.boot(driver, instance_id)
    clouds = [driver, place.cloud(tmp_path)]
    found: list[Any] = []

    def create(cloud: OpenStackCloud) -> None:
        try:
            found.append(done(cloud.servers.create, boot).id)
        except base.CloudError as error:
            found.append(error)  # the port or the volume is the other's

    threads = [threading.Thread(target=create, args=(cloud,)) for cloud in clouds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    server = done(driver.servers.create, boot)
    assert server.id in found
    assert driver.inventory()["servers"] == [instance_id]
    remove(driver, instance_id)


def test_resize_confirm_and_revert(driver: OpenStackCloud, instance: str) -> None:
    assert done(driver.servers.resize, instance, "2").status == "VERIFY_RESIZE"
    assert done(driver.servers.resize, instance, "2").flavor_id == "2"
    back = done(driver.servers.revert_resize, instance, "1")
    assert (back.status, back.flavor_id) == ("ACTIVE", "1")
    done(driver.servers.resize, instance, "2")
    done(driver.servers.confirm_resize, instance)
    done(driver.servers.confirm_resize, instance)
    assert driver.servers.get(instance).flavor_id == "2"
    back = done(driver.servers.revert_resize, instance, "1")
    assert (back.status, back.flavor_id) == ("ACTIVE", "1")


def test_a_size_for_which_there_is_no_room(place: Place, driver: OpenStackCloud, instance: str) -> None:
    admin = place.devcloud.openstack("admin")
    huge = admin.compute.create_flavor(name="huge", ram=256, vcpus=1, disk=10**6)
    try:
        with pytest.raises(base.Transient, match="No valid host"):
            done(driver.servers.resize, instance, huge.id)
        assert done(driver.servers.revert_resize, instance, "1").flavor_id == "1"
        boot = place.boot(driver, "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a02", flavor_id=huge.id)
        with pytest.raises(base.Transient, match="No valid host"):
            done(driver.servers.create, boot)
        remove(driver, boot.instance_id)
    finally:
        admin.compute.delete_flavor(huge)


def test_a_volume_grows_in_use_and_at_rest(driver: OpenStackCloud, instance: str) -> None:
    assert done(driver.volumes.resize, instance, 2).size == 2
    assert done(driver.volumes.resize, instance, 1).size == 2
    done(driver.servers.delete, instance)
    assert done(driver.volumes.resize, instance, 3).size == 3


def test_a_volume_finds_no_room_to_grow(place: Place, driver: OpenStackCloud, instance: str) -> None:
    admin = place.devcloud.openstack("admin")
    project = place.admin.current_project_id
    before = admin.block_storage.get_quota_set(project).gigabytes
    admin.block_storage.update_quota_set(project, gigabytes=-1)
    try:
        for _ in range(2):
            with pytest.raises(base.Transient, match="could not be extended"):
                done(driver.volumes.resize, instance, 300000)
    finally:
        admin.block_storage.update_quota_set(project, gigabytes=before)
    assert done(driver.volumes.resize, instance, 1).size == 1
    assert done(driver.volumes.resize, instance, 2).size == 2
    (volume,) = place.admin.block_storage.volumes(name=f"dbflow-{instance}")
    assert "dbflow_extend" not in volume.metadata


def test_a_volume_with_a_snapshot_of_somebody_is_kept(place: Place, driver: OpenStackCloud) -> None:
    instance_id = "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a06"
    volume = done(driver.volumes.create, instance_id, 1, None)
    storage = place.admin.block_storage
    snapshot = storage.create_snapshot(volume_id=volume.id, name="by hand")
    storage.wait_for_status(snapshot, "available", ["error"])
    with pytest.raises(base.CloudError, match="snapshots"):
        done(driver.volumes.delete, instance_id)
    storage.delete_snapshot(snapshot)
    storage.wait_for_delete(snapshot)
    done(driver.volumes.delete, instance_id)


def test_who_may_reach_it(place: Place, driver: OpenStackCloud, instance: str) -> None:
    assert _rules(place, instance) == {(3306, "0.0.0.0/0"), (3306, "::/0"), (3306, "peers")}
    access = {"allowed_cidrs": ["10.1.0.0/16", "10.2.0.0/16"], "is_public": True}
    port = done(driver.networks.update_access, instance, access, REACH)
    assert _rules(place, instance) == {(3306, "10.1.0.0/16"), (3306, "10.2.0.0/16"), (3306, "peers")}
    assert [one["type"] for one in port.addresses] == ["private", "public"]
    assert done(driver.networks.update_access, instance, access, REACH) == port
    assert len(done(driver.networks.update_access, instance, {}, REACH).addresses) == 1
    assert not driver.inventory()["floating addresses"]


def test_reboot_and_rebuild_are_done_once(place: Place, driver: OpenStackCloud, instance: str) -> None:
    server_id = driver.servers.get(instance).id
    for once in ("a", "a"):
        done(driver.servers.reboot, instance, once)
    for once in ("b", "b", f"b{base.UNDONE}", "b"):
        done(driver.servers.rebuild, instance, place.image, {"guest.conf": once}, once)
    actions = [one.action for one in place.admin.compute.server_actions(server_id)]
    assert (actions.count("reboot"), actions.count("rebuild")) == (1, 2)
    assert driver.servers.get(instance).status == "ACTIVE"
    (volume,) = place.admin.block_storage.volumes(name=f"dbflow-{instance}")
    assert volume.status == "in-use"


def test_fence(place: Place, driver: OpenStackCloud, instance: str) -> None:
    for _ in range(2):
        done(driver.servers.fence, instance)
        assert driver.servers.get(instance).status == "SHUTOFF"
        (volume,) = place.admin.block_storage.volumes(name=f"dbflow-{instance}")
        assert volume.status == "available"
    for _ in range(2):
        done(driver.servers.unfence, instance)
        assert driver.servers.get(instance).status == "ACTIVE"
    (port,) = place.admin.network.ports(name=f"dbflow-{instance}")
    assert port.is_admin_state_up


def test_fence_on_a_host_that_is_down(place: Place, driver: OpenStackCloud, instance: str) -> None:
    compute = place.devcloud.openstack("admin").compute
    host = driver.servers.get(instance).host
    (service,) = compute.services(binary="nova-compute", host=host)
    compute.update_service_forced_down(service, forced=True)
    try:
        with pytest.raises(base.CloudError, match="its host is down"):
            done(driver.servers.fence, instance)
        driver.servers.unfence(instance)
    finally:
        compute.update_service_forced_down(service, forced=False)
    assert driver.servers.get(instance).status == "ACTIVE"
    (port,) = place.admin.network.ports(name=f"dbflow-{instance}")
    assert port.is_admin_state_up
    done(driver.servers.fence, instance)
    assert driver.servers.get(instance).status == "SHUTOFF"


def test_fence_of_one_that_is_gone(place: Place, driver: OpenStackCloud, instance: str) -> None:
    compute = place.admin.compute
    server = compute.get_server(driver.servers.get(instance).id)
    compute.delete_server(server)
    compute.wait_for_delete(server)
    for _ in range(2):
        done(driver.servers.fence, instance)
    (volume,) = place.admin.block_storage.volumes(name=f"dbflow-{instance}")
    (port,) = place.admin.network.ports(name=f"dbflow-{instance}")
    assert (volume.status, port.is_admin_state_up) == ("available", False)
    driver.servers.unfence(instance)


def test_management_port_is_nobody_to_come_to(place: Place, tmp_path: pathlib.Path) -> None:
    cloud = place.cloud(tmp_path, management_network=place.network)
    instance_id = "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a07"
    done(cloud.networks.create_port, instance_id, [], {}, REACH)
    network = place.admin.network
    (port,) = network.ports(name=f"dbflow-{instance_id}-management")
    (group,) = port.security_group_ids
    rules = network.security_group_rules(security_group_id=group)
    assert {(rule.direction, rule.ether_type) for rule in rules} == {("egress", "IPv4"), ("egress", "IPv6")}
    done(cloud.networks.delete_port, instance_id)


@pytest.mark.full
def test_an_answer_of_neutron_is_lost(place: Place, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whichever: everything is there once, and then nothing is left."""
    networks = place.cloud(tmp_path, management_network=place.network).networks
    instance_id, answers = "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a0a", LostAnswers(tmp_path / "faults", monkeypatch)
    make = functools.partial(networks.create_port, instance_id, [], {"is_public": True}, REACH)
    drop = functools.partial(networks.delete_port, instance_id)
    before = _in_neutron(place)
    made, whole, dropped = answers.done(make), _in_neutron(place), answers.done(drop)
    known = EFFECTS["instance.create"]["create-port"], EFFECTS["instance.delete"]["delete-port"]
    assert (made, dropped) == tuple(map(len, known))
    for number in range(1, max(made, dropped) + 1):
        answers.done(make, number if number <= made else 0)
        assert _in_neutron(place) == whole
        answers.done(drop, number if number <= dropped else 0)
        assert _in_neutron(place) == before


def _in_neutron(place: Place) -> list[str]:
    """Names and descriptions."""
    found, project = place.admin.network, {"project_id": place.admin.current_project_id}
    named = [one.name for kind in (found.ports, found.security_groups) for one in kind(**project)]
    return sorted([*named, *(one.description for one in found.ips(**project))])


def test_locality(place: Place, driver: OpenStackCloud) -> None:
    """Each on a host of its own, and for one more than there are hosts there is no room."""
    hosts = place.devcloud.settings.hosts
    source = place.serve(driver, locality="anti-affinity")
    members = [source, *(place.serve(driver, beside=source) for _ in hosts[1:])]
    assert sorted(str(driver.servers.get(one).host) for one in members) == hosts
    with pytest.raises(base.Transient, match="No valid host"):
        place.serve(driver, beside=source)
    (group,) = driver.inventory()["server groups"]
    assert group == f"dbflow-{source}"
    for instance_id in driver.inventory()["ports"]:
        remove(driver, instance_id)


def test_hosts_that_there_are_not(driver: OpenStackCloud, instance: str) -> None:
    host = driver.servers.get(instance).host
    assert host is not None
    assert host in driver.servers.hosts()
    with pytest.raises(base.NotFound, match="Host nowhere"):
        done(driver.servers.migrate, instance, host, "nowhere")
    assert done(driver.servers.migrate, instance, "where it was before", host).host == host
    assert done(driver.servers.revert_migration, instance, host).status == "ACTIVE"


def test_hosts(place: Place, driver: OpenStackCloud) -> None:
    hosts = place.devcloud.settings.hosts
    assert driver.servers.hosts() == hosts
    with place.without(hosts[0]):
        assert driver.servers.hosts() == hosts[1:]


@pytest.mark.full
def test_migration_to_the_other_host_and_back(place: Place, driver: OpenStackCloud, instance: str) -> None:
    here, there = _hosts(place, driver, instance)
    moved = done(driver.servers.migrate, instance, here, there)
    assert (moved.status, moved.host) == ("VERIFY_RESIZE", there)
    assert done(driver.servers.migrate, instance, here, there) == moved
    for _ in range(2):
        back = done(driver.servers.revert_migration, instance, here)
        assert (back.status, back.host) == ("ACTIVE", here)
    assert done(driver.servers.migrate, instance, here, None).host == there
    done(driver.servers.confirm_resize, instance)
    assert driver.servers.get(instance).host == there
    _assert_it_is_whole(place, instance)
    back = done(driver.servers.revert_migration, instance, here)
    assert (back.status, back.host) == ("ACTIVE", here)
    _assert_it_is_whole(place, instance)


@pytest.mark.full
def test_a_resize_that_finds_room_on_the_other_host_only(place: Place, driver: OpenStackCloud, instance: str) -> None:
    here, there = _hosts(place, driver, instance)
    with place.without(here):
        resized = done(driver.servers.resize, instance, "2")
        assert (resized.status, resized.host, resized.flavor_id) == ("VERIFY_RESIZE", there, "2")
        for _ in range(2):
            back = done(driver.servers.revert_resize, instance, "1")
            assert (back.status, back.host, back.flavor_id) == ("ACTIVE", here, "1")
        _assert_it_is_whole(place, instance)
        done(driver.servers.resize, instance, "2")
        done(driver.servers.confirm_resize, instance)
    server = driver.servers.get(instance)
    assert (server.status, server.host, server.flavor_id) == ("ACTIVE", there, "2")
    _assert_it_is_whole(place, instance)


def _hosts(place: Place, driver: OpenStackCloud, instance_id: str) -> tuple[str, str]:
    """Where it is, and the other one."""
    here = driver.servers.get(instance_id).host
    assert here is not None
    (there,) = set(place.devcloud.settings.hosts) - {here}
    return here, there


def _assert_it_is_whole(place: Place, instance_id: str) -> None:
    """Its volume is the server's that there is, and its port is bound to that one's host."""
    name = f"dbflow-{instance_id}"
    (server,) = place.admin.compute.servers(name=name, all_projects=True)
    (volume,) = place.admin.block_storage.volumes(name=name)
    assert (volume.status, [one["server_id"] for one in volume.attachments]) == ("in-use", [server.id])
    (port,) = place.admin.network.ports(name=name)
    assert (port.device_id, port.binding_host_id) == (server.id, server.compute_host)


def test_quota(place: Place, driver: OpenStackCloud) -> None:
    admin = place.devcloud.openstack("admin")
    project = place.admin.current_project_id
    instance_id = "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a03"
    before = admin.block_storage.get_quota_set(project).volumes
    admin.block_storage.update_quota_set(project, volumes=0)
    try:
        with pytest.raises(base.OutOfCapacity, match="quota"):
            done(driver.volumes.create, instance_id, 1, None)
    finally:
        admin.block_storage.update_quota_set(project, volumes=before)
    assert done(driver.volumes.create, instance_id, 1, None).size == 1
    done(driver.volumes.delete, instance_id)


@pytest.fixture
def gold(place: Place) -> Iterator[str]:
    """A type of volume."""
    storage = place.devcloud.openstack("admin").block_storage
    made = storage.create_type(name="gold")
    yield made.name
    storage.delete_type(made)


def test_what_is_refused_late(place: Place, driver: OpenStackCloud, gold: str) -> None:
    """It was there when it was looked for."""
    instance_id, admin = "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a0b", place.admin
    driver.check(base.Wish("x", volume_type=gold))
    volume = done(driver.volumes.create, instance_id, 1, gold)
    assert volume.type == gold
    gone = admin.image.create_image(name="gone", data=b"x", disk_format="raw", container_format="bare")
    boot = place.boot(driver, instance_id, image=gone.id)
    admin.image.delete_image(gone)
    with pytest.raises(base.CloudError, match="image"):
        done(driver.servers.create, boot)
    admin.network.update_port(boot.port.id, device_id="a router's", device_owner="network:x")
    with pytest.raises(base.CloudError, match="in use"):
        done(driver.servers.create, dataclasses.replace(boot, image=place.image))
    admin.block_storage.reset_volume_status(volume.id, "error", None, None)
    with pytest.raises(base.Transient, match="Cinder has given it up"):
        done(driver.volumes.create, instance_id, 1, gold)
    assert done(driver.volumes.create, instance_id, 1, gold).id != volume.id
    remove(driver, instance_id)


def test_a_port_of_a_server_that_is_no_more(place: Place, driver: OpenStackCloud) -> None:
    """Nova could not tell Neutron."""
    boot = place.boot(driver, "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a0c")
    gone = {"device_id": "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a0d", "device_owner": "compute:nova"}
    place.admin.network.update_port(boot.port.id, **gone)
    assert done(driver.servers.create, boot).status == "ACTIVE"
    remove(driver, boot.instance_id)


def test_a_port_that_somebody_else_has(place: Place, driver: OpenStackCloud, instance: str) -> None:
    """The address is asked for twice."""
    (port,) = place.admin.network.ports(name=f"dbflow-{instance}")
    nic = {"network_id": place.network, "ip_address": port.fixed_ips[0]["ip_address"]}
    with pytest.raises(base.Unsuitable) as refused:
        driver.check(base.Wish("tenant", [nic]))
    assert refused.value.field == "nics.ip_address"
    other = "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a04"
    with pytest.raises(base.CloudError):
        done(driver.networks.create_port, other, [nic], {}, REACH)
    done(driver.networks.delete_port, other)


def test_wishes(place: Place, driver: OpenStackCloud) -> None:
    tenant = place.devcloud.openstack("tenant1")
    theirs = tenant.network.create_network(name="theirs")
    wishes = {
        "volume.type": base.Wish("x", volume_type="gold"),
        "availability_zone": base.Wish("x", availability_zone="mars"),
        "nics": base.Wish("x", [{"network_id": theirs.id}]),
        "nics.network_id": base.Wish("x", [{"network_id": "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a05"}]),
    }
    for field, wish in wishes.items():
        with pytest.raises(base.Unsuitable) as refused:
            driver.check(wish)
        assert refused.value.field == field
    own = base.Wish(tenant.current_project_id, [{"network_id": theirs.id}], availability_zone="nova")
    with pytest.raises(base.Unsuitable, match="has no subnet"):
        driver.check(own)
    tenant.network.create_subnet(network_id=theirs.id, ip_version=4, cidr="10.77.0.0/24")
    driver.check(own)
    tenant.network.delete_network(theirs)


@pytest.fixture
def zones(place: Place) -> Iterator[tuple[str, str]]:
    """One with a host, and one without."""
    nova = place.devcloud.openstack("admin").compute
    made = [nova.create_aggregate(name=zone, availability_zone=zone) for zone in ("west", "north")]
    host = place.devcloud.settings.hosts[-1]
    nova.add_host_to_aggregate(made[0], host)
    yield made[0].name, made[1].name
    nova.remove_host_from_aggregate(made[0], host)
    for one in made:
        nova.delete_aggregate(one)


def test_a_zone(place: Place, driver: OpenStackCloud, tmp_path: pathlib.Path, zones: tuple[str, str]) -> None:
    west, north = zones
    driver.check(base.Wish("x", availability_zone=west))
    cloud = place.cloud(tmp_path, availability_zone=north)
    boot = place.boot(cloud, "0d0c7a3e-5a51-4b3c-8f0f-3f1b7d0c9a08")
    with pytest.raises(base.CloudError, match="zone is not available"):
        done(cloud.servers.create, boot)
    made = done(cloud.servers.create, dataclasses.replace(boot, availability_zone=west))
    assert place.admin.compute.get_server(made.id).availability_zone == west
    remove(cloud, boot.instance_id)


def test_images(place: Place, driver: OpenStackCloud) -> None:
    assert driver.images.get(place.image).name == "empty"
    tenant = place.devcloud.openstack("tenant1")
    form = {"disk_format": "raw", "container_format": "bare", "tags": ["dbflow-test"]}
    theirs = tenant.image.create_image(name="theirs", data=b"x", **form)
    for ask in (lambda: driver.images.get(theirs.id), lambda: driver.images.tagged(["dbflow-test"])):
        with pytest.raises(base.NotFound):
            ask()
    ours = place.admin.image.create_image(name="ours", data=b"x", **form)
    assert driver.images.tagged(["dbflow-test"]).id == ours.id
    wait_for(lambda: time.strftime("%S") != ours.created_at[17:19], 5, "another second, since Glance tells no less")
    newer = place.admin.image.create_image(name="newer", data=b"x", **form)
    assert driver.images.tagged(["dbflow-test"]).id == newer.id
    tenant.image.delete_image(theirs)
    for image in (ours, newer):
        place.admin.image.delete_image(image)


@pytest.mark.parametrize("service", ["cinder", "nova", "neutron"])
def test_a_service_that_is_stopped_and_comes_back(
    place: Place, driver: OpenStackCloud, instance: str, service: str
) -> None:
    """In the middle of an operation: nothing fails, nothing is made twice."""
    ask = {
        "cinder": lambda: driver.volumes.resize(instance, 2),
        "nova": lambda: driver.servers.resize(instance, "2"),
        "neutron": lambda: driver.networks.update_access(instance, {"is_public": True}, REACH),
    }[service]
    before = driver.inventory()
    place.devcloud.kill(service)
    for _ in range(3):
        with pytest.raises(NotYet):
            ask()
    place.devcloud.succeed("up")
    done(ask)
    done(driver.networks.update_access, instance, {}, REACH)
    done(driver.servers.confirm_resize, instance)
    assert driver.inventory() == before


def test_delete_is_whole_when_it_returns(place: Place, driver: OpenStackCloud) -> None:
    instance_id = place.serve(driver)
    done(driver.servers.delete, instance_id)
    assert not list(place.admin.compute.servers(name=f"dbflow-{instance_id}"))
    done(driver.servers.delete, instance_id)
    done(driver.volumes.delete, instance_id)
    assert not list(place.admin.block_storage.volumes(name=f"dbflow-{instance_id}"))
    done(driver.networks.delete_port, instance_id)
    assert all(not found for found in driver.inventory().values())
