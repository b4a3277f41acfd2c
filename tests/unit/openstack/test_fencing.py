# SPDX-License-Identifier: Apache-2.0
"""Sources that are ejected: on hosts that are up, down or away, and in whatever state."""

import pytest

from dbflow.cloud import base, guard
from dbflow.cloud.openstack import OpenStackCloud
from dbflow.waits import NotYet
from tests.unit.openstack.conftest import World


def test_a_fenced_server_has_no_data(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.done(cloud.servers.unfence, instance_id)
    assert world.nova.asked == []
    for _ in range(2):
        world.done(cloud.servers.fence, instance_id)
        (volume,), (port,) = world.cinder.volumes.values(), world.neutron.things["ports"].values()
        assert (volume["status"], volume["attachments"], port["admin_state_up"]) == ("available", [], False)
        assert cloud.servers.get(instance_id).status == "SHUTOFF"
    world.done(cloud.servers.unfence, instance_id)
    (volume,), (port,) = world.cinder.volumes.values(), world.neutron.things["ports"].values()
    assert (volume["status"], port["admin_state_up"]) == ("in-use", True)
    assert cloud.servers.get(instance_id).status == "ACTIVE"


@pytest.mark.parametrize("status", ["PAUSED", "SUSPENDED", "RESCUE", "VERIFY_RESIZE", "ERROR"])
def test_whatever_state_it_is_in(world: World, cloud: OpenStackCloud, status: str) -> None:
    instance_id = world.serve(cloud)
    (server,) = world.nova.servers.values()
    server["status"] = status
    world.done(cloud.servers.fence, instance_id)
    assert _fenced(world) == ("SHUTOFF", "available", False)


def test_a_volume_that_is_let_go_of_slowly_is_asked_for_once(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.done(cloud.servers.fence, instance_id)
    assert [str(wait) for wait in world.waited].count(f"server of instance {instance_id} to let go of its volume") == 2


def test_a_detach_that_failed_is_asked_for_again(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    (server,), (volume,) = world.nova.servers.values(), world.cinder.volumes.values()
    while volume["status"] != "detaching":
        with pytest.raises(NotYet):
            cloud.servers.fence(instance_id)
    del server["leaves"]
    volume["status"] = "in-use"
    world.done(cloud.servers.fence, instance_id)
    assert _fenced(world) == ("SHUTOFF", "available", False)
    world.done(cloud.servers.unfence, instance_id)
    volume["status"] = "error_detaching"
    world.done(cloud.servers.reboot, instance_id, "x")
    with pytest.raises(base.CloudError, match="in state error_detaching"):
        world.done(cloud.servers.fence, instance_id)


def test_who_is_not_wanted_any_more_takes_nothing_away(world: World, cloud: OpenStackCloud) -> None:
    """Paused between two calls, while others brought the source back."""
    instance_id = world.serve(cloud)
    (server,), (volume,) = world.nova.servers.values(), world.cinder.volumes.values()

    def overtaken() -> None:
        raise RuntimeError("overtaken")

    with guard.checking(overtaken), pytest.raises(RuntimeError, match="overtaken"):
        cloud.servers.fence(instance_id)
    assert _fenced(world) == ("ACTIVE", "in-use", True)
    (port,) = world.neutron.things["ports"].values()
    port["admin_state_up"], server["status"] = False, "SHUTOFF"
    with guard.checking(overtaken), pytest.raises(RuntimeError, match="overtaken"):
        cloud.servers.fence(instance_id)
    assert volume["status"] == "in-use"


def test_a_host_that_is_down_can_not_stop_it(world: World, cloud: OpenStackCloud) -> None:
    """Nova takes the order all the same, and carries it out when the host is back."""
    instance_id = world.serve(cloud)
    world.nova.down.add("one")
    with pytest.raises(base.CloudError, match="can't be fenced: its host is down") as refused:
        cloud.servers.fence(instance_id)
    assert not isinstance(refused.value, base.Unavailable)
    assert (world.nova.asked, _fenced(world)) == ([], ("ACTIVE", "in-use", True))
    cloud.servers.unfence(instance_id)
    assert world.nova.asked == []
    (server,) = world.nova.servers.values()
    server["OS-EXT-SRV-ATTR:host"] = "two"  # evacuated
    world.done(cloud.servers.fence, instance_id)
    assert _fenced(world) == ("SHUTOFF", "available", False)


def test_a_host_that_goes_down_meanwhile(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    with pytest.raises(NotYet, match="to stop"):
        cloud.servers.fence(instance_id)
    world.nova.down.add("one")
    with pytest.raises(base.CloudError, match="its host is down"):
        cloud.servers.fence(instance_id)
    cloud.servers.unfence(instance_id)
    assert _fenced(world) == ("ACTIVE", "in-use", True)


def test_a_host_that_goes_down_when_it_has_let_go_of_the_volume(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.done(cloud.servers.fence, instance_id)
    world.nova.down.add("one")
    cloud.servers.fence(instance_id)
    with pytest.raises(NotYet, match="host back"):
        cloud.servers.unfence(instance_id)
    world.nova.down.clear()
    world.done(cloud.servers.unfence, instance_id)
    assert _fenced(world) == ("ACTIVE", "in-use", True)


def test_a_cloud_that_does_not_tell_of_hosts(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.nova.admin = False
    world.nova.down.add("one")
    for _ in range(3):
        with pytest.raises(NotYet):
            cloud.servers.fence(instance_id)
    with pytest.raises(NotYet, match="stop-ing"):
        cloud.servers.unfence(instance_id)
    assert _fenced(world) == ("ACTIVE", "in-use", True)


def test_a_server_that_is_gone_is_fenced(world: World, cloud: OpenStackCloud) -> None:
    """Somebody removed it at Nova, maybe with its host: then Cinder still knows its attachment."""
    instance_id = world.serve(cloud)
    world.nova.servers.clear()
    world.done(cloud.servers.fence, instance_id)
    (volume,), (port,) = world.cinder.volumes.values(), world.neutron.things["ports"].values()
    assert (volume["status"], port["admin_state_up"]) == ("available", False)
    assert not world.cinder.attachments
    cloud.servers.unfence(instance_id)
    assert port["admin_state_up"] is True


def test_a_server_that_is_being_deleted_is_fenced_when_it_is_gone(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    with pytest.raises(NotYet):
        cloud.servers.delete(instance_id)
    cloud.servers.unfence(instance_id)
    world.done(cloud.servers.fence, instance_id)
    assert not world.nova.servers
    (volume,) = world.cinder.volumes.values()
    assert volume["status"] == "available"


def _fenced(world: World) -> tuple[str, str, bool]:
    """State of the server and of the volume, and whether the port is on."""
    (server,), (volume,) = world.nova.servers.values(), world.cinder.volumes.values()
    (port,) = world.neutron.things["ports"].values()
    return server["status"], volume["status"], port["admin_state_up"]
