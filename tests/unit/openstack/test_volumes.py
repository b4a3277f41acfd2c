# SPDX-License-Identifier: Apache-2.0
"""Volumes."""

import pytest

from dbflow.cloud import base
from dbflow.cloud.openstack import OpenStackCloud
from dbflow.waits import NotYet
from tests.unit.openstack.conftest import World

ID = "11111111-0000-4000-8000-000000000001"


def test_create_find_extend_delete(world: World, cloud: OpenStackCloud) -> None:
    volume = world.done(cloud.volumes.create, ID, 1, "ssd")
    assert (volume.size, volume.type) == (1, "ssd")
    assert volume.device == f"/dev/disk/by-id/virtio-{volume.id[:20]}"
    assert world.done(cloud.volumes.create, ID, 1, "ssd") == volume == cloud.volumes.get(ID)
    assert world.done(cloud.volumes.resize, ID, 3).size == 3
    assert world.done(cloud.volumes.resize, ID, 1).size == 3
    world.done(cloud.volumes.delete, ID)
    assert world.waited
    world.done(cloud.volumes.delete, ID)
    with pytest.raises(base.NotFound):
        cloud.volumes.get(ID)


def test_an_answer_that_is_lost_makes_no_second_volume(world: World, cloud: OpenStackCloud) -> None:
    world.fake.trouble("POST /volume", lost=True)
    world.done(cloud.volumes.create, ID, 1, None)
    assert len(world.cinder.volumes) == 1


def test_two_at_once_are_one_in_the_end(world: World, cloud: OpenStackCloud) -> None:
    first = world.done(cloud.volumes.create, ID, 1, None)
    volume = world.cinder.volumes[first.id]
    world.cinder.volumes["z"] = {**volume, "id": "z", "created_at": "2026-02-02T00:00:00Z"}
    assert world.done(cloud.volumes.create, ID, 1, None).id == first.id
    world.done(cloud.volumes.resize, ID, 2)
    assert list(world.cinder.volumes) == [first.id]


@pytest.mark.parametrize(
    "why",
    [
        "schedule allocate volume: Could not find any available weighted backend.",
        "create volume: Driver is not initialized at present.",
        "",  # cinder-volume was started anew
    ],
)
def test_one_that_could_not_be_made_says_why_and_is_asked_for_anew(
    world: World, cloud: OpenStackCloud, why: str
) -> None:
    world.cinder.fails = why
    with pytest.raises(base.Transient, match=why or "given it up"):
        world.done(cloud.volumes.create, ID, 1, None)
    (bad,) = world.cinder.volumes
    world.cinder.fails = None
    assert world.done(cloud.volumes.create, ID, 1, None).id != bad
    assert len(world.cinder.volumes) == 1


def test_one_that_can_not_be_made_stays_and_can_be_deleted(world: World, cloud: OpenStackCloud) -> None:
    world.cinder.fails = "create volume from backend storage: Driver initialization failed."
    for _ in range(2):
        with pytest.raises(base.CloudError, match="Driver initialization failed"):
            world.done(cloud.volumes.create, ID, 1, None)
    assert len(world.cinder.volumes) == 1
    world.done(cloud.volumes.delete, ID)
    assert not world.cinder.volumes


def test_one_that_is_being_made_is_deleted_when_it_is(world: World, cloud: OpenStackCloud) -> None:
    """Cinder deletes it no sooner."""
    with pytest.raises(NotYet, match="which is creating"):
        cloud.volumes.create(ID, 1, None)
    (volume,) = world.cinder.volumes.values()
    volume["next"] = "creating"
    for _ in range(2):
        with pytest.raises(NotYet, match="to be deleted"):
            cloud.volumes.delete(ID)
        assert volume["status"] == "creating"
    volume["status"] = "available"
    world.done(cloud.volumes.delete, ID)
    assert not world.cinder.volumes


def test_one_that_is_just_being_attached_is_not_taken_for_extended(world: World, cloud: OpenStackCloud) -> None:
    world.done(cloud.volumes.create, ID, 1, None)
    (volume,) = world.cinder.volumes.values()
    volume["status"] = "attaching"
    with pytest.raises(NotYet, match="which is attaching"):
        cloud.volumes.resize(ID, 2)
    assert cloud.volumes.resize(ID, 1).size == 1
    volume["status"] = "in-use"
    assert world.done(cloud.volumes.resize, ID, 2).size == 2


def test_quota(world: World, cloud: OpenStackCloud) -> None:
    """Cinder says when to try again, as one who is busy does."""
    message = "VolumeLimitExceeded: Maximum number of volumes allowed (0) exceeded for quota 'volumes'."
    world.fake.trouble("POST /volume", 413, message, headers={"Retry-After": "0"})
    with pytest.raises(base.OutOfCapacity, match="Maximum number of volumes allowed exceeded for quota 'volumes'"):
        world.done(cloud.volumes.create, ID, 1, None)


def test_one_that_could_not_be_extended_is_of_use_again(world: World, cloud: OpenStackCloud) -> None:
    world.done(cloud.volumes.create, ID, 1, None)
    world.cinder.fails = "the pool is full"
    with pytest.raises(base.CloudError, match="the pool is full"):
        world.done(cloud.volumes.resize, ID, 2)
    world.cinder.fails = None
    assert world.done(cloud.volumes.resize, ID, 1).size == 1


def test_one_that_finds_no_room_says_so_and_is_tried_again(world: World, cloud: OpenStackCloud) -> None:
    """Cinder leaves it as it was."""
    world.done(cloud.volumes.create, ID, 1, None)
    world.cinder.full = True
    for _ in range(2):
        with pytest.raises(base.Transient, match=r"not be extended\. .*available weighted backend"):
            world.done(cloud.volumes.resize, ID, 2)
    assert world.cinder.extended == [2, 2]
    assert world.done(cloud.volumes.resize, ID, 1).size == 1
    world.cinder.full = False
    assert world.done(cloud.volumes.resize, ID, 2).size == 2
    (volume,) = world.cinder.volumes.values()
    assert volume["metadata"] == {"dbflow_instance": ID}


def test_what_became_of_an_extension_that_was_cancelled_is_nothing_to_the_next(
    world: World, cloud: OpenStackCloud
) -> None:
    world.done(cloud.volumes.create, ID, 1, None)
    world.cinder.full = True
    with pytest.raises(NotYet, match="to be extended"):
        cloud.volumes.resize(ID, 2)
    world.done(cloud.volumes.resize, ID, 1)
    world.cinder.full = False
    assert world.done(cloud.volumes.resize, ID, 2).size == 2


def test_an_extension_whose_answer_is_lost_is_not_asked_twice(world: World, cloud: OpenStackCloud) -> None:
    world.done(cloud.volumes.create, ID, 1, None)
    world.fake.trouble("/action", lost=True)
    assert world.done(cloud.volumes.resize, ID, 2).size == 2
    assert world.cinder.extended == [2]


@pytest.mark.parametrize("status", ["reserved", "attaching", "in-use"])
def test_one_that_is_held_for_a_server_that_never_was_can_be_deleted(
    world: World, cloud: OpenStackCloud, status: str
) -> None:
    volume = world.done(cloud.volumes.create, ID, 1, None)
    world.cinder.hold(volume.id, "33333333-0000-4000-8000-000000000003", status)
    world.done(cloud.volumes.delete, ID)
    assert not world.cinder.volumes
    assert not world.cinder.attachments


def test_one_that_a_server_has_is_not_taken_away(world: World, cloud: OpenStackCloud) -> None:
    """Whatever that server is called."""
    world.serve(cloud)
    (server,) = world.nova.servers
    volume = world.done(cloud.volumes.create, ID, 1, None)
    world.cinder.hold(volume.id, server)
    with pytest.raises(NotYet, match="to be deleted"):
        cloud.volumes.delete(ID)
    assert world.cinder.volumes[volume.id]["status"] == "in-use"


def test_one_of_which_somebody_has_made_a_snapshot_is_kept(world: World, cloud: OpenStackCloud) -> None:
    volume = world.done(cloud.volumes.create, ID, 1, None)
    world.cinder.snapshots.add(volume.id)
    with pytest.raises(base.CloudError, match="have snapshots"):
        world.done(cloud.volumes.delete, ID)
    assert volume.id in world.cinder.volumes


def test_options(world: World) -> None:
    cloud = world.cloud(volume_type="slow", volume_availability_zone="az2")
    assert world.done(cloud.volumes.create, ID, 1, None).type == "slow"
    (volume,) = world.cinder.volumes.values()
    assert (volume["availability_zone"], volume["metadata"]) == ("az2", {"dbflow_instance": ID})
