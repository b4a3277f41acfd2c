# SPDX-License-Identifier: Apache-2.0
"""Servers: made once whatever becomes of the answers, and told apart from those that failed."""

import base64
import configparser
import datetime
import json
from collections.abc import Callable
from typing import Any

import pytest

from dbflow.cloud import base
from dbflow.cloud.guard import checking
from dbflow.cloud.openstack import OpenStackCloud
from dbflow.waits import NotYet
from tests.unit.openstack.conftest import World

ID = "11111111-0000-4000-8000-000000000001"


def _status(cloud: OpenStackCloud, instance_id: str) -> tuple[str, str]:
    server = cloud.servers.get(instance_id)
    return server.status, server.flavor_id


def test_create_waits_and_finds_it_again(world: World, cloud: OpenStackCloud) -> None:
    boot = world.boot(cloud, instance_id := ID)
    server = world.done(cloud.servers.create, boot)
    assert (server.status, server.flavor_id, server.image, server.host) == ("ACTIVE", "1", "old", "one")
    assert world.done(cloud.servers.create, boot) == server == cloud.servers.get(instance_id)
    assert cloud.servers.several([instance_id, "22222222-0000-4000-8000-000000000002"]) == {instance_id: server}
    assert len(world.nova.servers) == 1


def test_user_data_is_what_the_guest_needs_and_nothing_else(world: World, cloud: OpenStackCloud) -> None:
    world.serve(cloud)
    (server,) = world.nova.servers.values()
    wanted = server["body"]["server"]
    text = base64.b64decode(wanted["user_data"]).decode()
    assert text.startswith("#cloud-config\n")
    document = json.loads(text.partition("\n")[2])
    files = {one["path"]: base64.b64decode(one["content"]).decode() for one in document["write_files"]}
    machine = files.pop("/etc/dbflow/guest/machine.conf")
    assert files == {"/etc/dbflow/guest/guest.conf": "[guest]\n", "/etc/dbflow/guest/message.key": "key\n"}
    (volume,) = world.cinder.volumes
    assert f"volume = {volume}\ndevice = /dev/disk/by-id/virtio-{volume[:20]}\n" in machine
    assert "run_as = mysql\n" in machine
    assert {one["permissions"] for one in document["write_files"]} == {"0600"}
    assert wanted["config_drive"] is True
    assert "secret" not in text


@pytest.mark.parametrize(
    ("configured", "asked", "sent"),
    [(None, None, None), ("az1", None, "az1"), (None, "az2", "az2"), ("az1", "az2", "az2")],
)
def test_nova_is_told_the_zone(world: World, configured: str | None, asked: str | None, sent: str | None) -> None:
    """The asked one before the configured one; where there is neither, Nova chooses."""
    world.serve(world.cloud(availability_zone=configured), availability_zone=asked)
    (server,) = world.nova.servers.values()
    assert server["body"]["server"].get("availability_zone") == sent
    (volume,) = world.cinder.volumes.values()
    assert volume.get("availability_zone") is None


def _blank_until(body: dict[str, Any]) -> datetime.datetime | None:
    """What a guest is told of its volume."""
    document = json.loads(base64.b64decode(body["user_data"]).decode().partition("\n")[2])
    (text,) = (one["content"] for one in document["write_files"] if one["path"].endswith("/machine.conf"))
    machine = configparser.ConfigParser()
    machine.read_string(base64.b64decode(text).decode())
    told = machine["machine"].get("blank_until")
    return None if told is None else datetime.datetime.fromisoformat(told)


def test_a_volume_is_new_for_a_day_from_its_first_server_on(world: World, cloud: OpenStackCloud) -> None:
    boot = world.boot(cloud, instance_id := ID)
    told = []
    for _ in range(2):
        world.done(cloud.servers.create, boot)
        (server,) = world.nova.servers.values()
        told.append(_blank_until(server["body"]["server"]))
        world.done(cloud.servers.delete, instance_id)
        for volume in world.cinder.volumes.values():  # as if a while had gone by
            volume["metadata"] = {
                key: value if key != "dbflow_new_until" else "2026-01-02T00:00:00+00:00"
                for key, value in volume["metadata"].items()
            }
    first, second = told
    assert first is not None
    left = first - datetime.datetime.now(datetime.UTC)
    assert datetime.timedelta(hours=23) < left <= datetime.timedelta(days=1)
    assert second == datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


def test_an_answer_that_is_lost_when_it_is_noted(world: World, cloud: OpenStackCloud) -> None:
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    assert boot.volume is not None
    world.fake.trouble(f"POST /volume/v3/volumes/{boot.volume.id}/metadata", lost=True)
    world.done(cloud.servers.create, boot)
    (server,), (volume,) = world.nova.servers.values(), world.cinder.volumes.values()
    told = _blank_until(server["body"]["server"])
    assert told is not None
    assert volume["metadata"]["dbflow_new_until"] == told.isoformat()


def test_a_server_made_anew_is_told_that_its_volume_is_not(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.done(cloud.servers.rebuild, instance_id, "new", {}, "once")
    (server,) = world.nova.servers.values()
    assert "imageRef" in server["body"]["server"]
    assert _blank_until(server["body"]["server"]) is None


def test_an_answer_that_is_lost_makes_no_second_server(world: World, cloud: OpenStackCloud) -> None:
    world.fake.trouble("POST /compute/v2.1/servers", lost=True)
    world.serve(cloud)
    assert len(world.nova.servers) == 1


def test_a_request_that_failed_leaves_a_reservation(world: World, cloud: OpenStackCloud) -> None:
    """Nova reserves the volume before it has noted the server, and forgets it when it fails in between."""
    boot = world.boot(cloud, instance_id := ID)
    assert boot.volume is not None
    world.cinder.hold(boot.volume.id, "33333333-0000-4000-8000-000000000003", "reserved")
    world.done(cloud.servers.create, boot)
    (held,) = world.cinder.attachments.values()
    assert held["instance"] == cloud.servers.get(instance_id).id


def test_a_request_that_may_still_go_on_keeps_its_reservation(world: World, cloud: OpenStackCloud) -> None:
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    assert boot.volume is not None
    world.cinder.hold(boot.volume.id, "33333333-0000-4000-8000-000000000003", "reserved")
    now = datetime.datetime.now(datetime.UTC).replace(tzinfo=None)
    world.cinder.volumes[boot.volume.id]["updated_at"] = now.isoformat()
    with pytest.raises(NotYet, match="reserved, to be free"):
        cloud.servers.create(boot)
    assert world.cinder.attachments
    assert not world.nova.servers


def test_a_volume_that_another_server_has_is_waited_for(world: World, cloud: OpenStackCloud) -> None:
    """Nova would refuse it for good. Whoever reads why knows where to look."""
    world.serve(cloud)
    (other,) = world.nova.servers
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    assert boot.volume is not None
    world.cinder.hold(boot.volume.id, other)
    for _ in range(2):
        with pytest.raises(NotYet, match=rf"in-use \(server {other}\), to be free"):
            cloud.servers.create(boot)
    assert list(world.nova.servers) == [other]
    world.cinder.free(boot.volume.id)
    world.done(cloud.servers.create, boot)


@pytest.mark.parametrize("status", ["detaching", "reserved"])
def test_a_volume_that_nobody_has_any_more_is_waited_for(world: World, cloud: OpenStackCloud, status: str) -> None:
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    assert boot.volume is not None
    volume = world.cinder.volumes[boot.volume.id]
    volume["status"] = status
    for _ in range(2):
        with pytest.raises(NotYet, match=f"which is {status}, to be free"):
            cloud.servers.create(boot)
    assert not world.nova.servers
    volume["status"] = "available"
    world.done(cloud.servers.create, boot)


def test_a_claim_that_is_lost_before_nova_is_asked(world: World, cloud: OpenStackCloud) -> None:
    """What comes before takes a while, and whoever has the claim now makes the server."""
    boot = world.boot(cloud, "11111111-0000-4000-8000-000000000001")
    server = "POST /compute/v2.1/servers"

    def overtaken() -> None:
        if any("/metadata" in request for request in world.fake.seen):  # the last thing that comes before
            raise Overtaken

    with checking(overtaken), pytest.raises(Overtaken):
        cloud.servers.create(boot)
    assert server not in world.fake.seen
    world.done(cloud.servers.create, boot)
    assert server in world.fake.seen


class Overtaken(Exception):
    """Another conductor has the claim."""


def test_what_is_being_deleted_is_not_taken_for_the_new_one(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    boot = world.boot(cloud, instance_id)
    (old,) = world.nova.servers
    with pytest.raises(NotYet):
        cloud.servers.delete(instance_id)
    assert world.done(cloud.servers.create, boot).id != old
    assert len(world.nova.servers) == 1


def test_of_two_servers_the_older_stays(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    (older,) = world.nova.servers.values()
    world.nova.servers["z"] = {**older, "id": "z", "created": "2026-02-02T00:00:00Z"}
    assert cloud.servers.get(instance_id).id == older["id"]
    world.done(cloud.servers.reboot, instance_id, "once")
    assert list(world.nova.servers) == [older["id"]]


def test_quota(world: World, cloud: OpenStackCloud) -> None:
    world.fake.trouble("POST /compute/v2.1/servers", 403, "Quota exceeded for instances: Requested 1")
    with pytest.raises(base.OutOfCapacity, match="Quota exceeded"):
        world.serve(cloud)


def test_port_in_use(world: World, cloud: OpenStackCloud) -> None:
    world.fake.trouble("POST /compute/v2.1/servers", 409, "Port 12 is still in use.")
    with pytest.raises(base.CloudError, match="still in use"):
        world.serve(cloud)


def test_image_that_is_gone(world: World, cloud: OpenStackCloud) -> None:
    world.fake.trouble("POST /compute/v2.1/servers", 400, "Image old could not be found.")
    with pytest.raises(base.CloudError, match="Image old could not be found"):
        world.serve(cloud)


def test_resize_and_confirm(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    assert world.done(cloud.servers.resize, instance_id, "2").status == "VERIFY_RESIZE"
    assert world.done(cloud.servers.resize, instance_id, "2").flavor_id == "2"
    world.done(cloud.servers.confirm_resize, instance_id)
    world.done(cloud.servers.confirm_resize, instance_id)
    assert _status(cloud, instance_id) == ("ACTIVE", "2")
    assert world.nova.asked == ["resize", "confirmResize"]


def test_revert_before_and_after_it_is_confirmed_or_began(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.done(cloud.servers.revert_resize, instance_id, "1")
    assert world.nova.asked == []
    world.done(cloud.servers.resize, instance_id, "2")
    world.done(cloud.servers.revert_resize, instance_id, "1")
    assert _status(cloud, instance_id) == ("ACTIVE", "1")
    world.done(cloud.servers.resize, instance_id, "2")
    world.done(cloud.servers.confirm_resize, instance_id)
    world.done(cloud.servers.revert_resize, instance_id, "1")
    assert _status(cloud, instance_id) == ("ACTIVE", "1")


def test_revert_while_it_is_confirmed(world: World, cloud: OpenStackCloud) -> None:
    """Nova has accepted the confirm, shows VERIFY_RESIZE as before, and refuses to revert."""
    instance_id = world.serve(cloud)
    world.done(cloud.servers.resize, instance_id, "2")
    with pytest.raises(NotYet, match="be confirmed"):
        cloud.servers.confirm_resize(instance_id)
    world.done(cloud.servers.revert_resize, instance_id, "1")
    assert any("be reverted" in str(wait) for wait in world.waited)
    assert _status(cloud, instance_id) == ("ACTIVE", "1")
    world.done(cloud.servers.migrate, instance_id, "one", "two")
    with pytest.raises(NotYet, match="be confirmed"):
        cloud.servers.confirm_resize(instance_id)
    world.done(cloud.servers.revert_migration, instance_id, "one")
    assert cloud.servers.get(instance_id).host == "one"
    assert "revertResize" not in world.nova.asked


def test_a_resize_that_failed_is_told_once(world: World, cloud: OpenStackCloud) -> None:
    """Nova leaves the server as it was: what tells that from one that was never asked is its list of actions."""
    instance_id = world.serve(cloud)
    world.nova.fails = "No valid host was found."
    with pytest.raises(base.Transient, match="No valid host"):
        world.done(cloud.servers.resize, instance_id, "2")
    assert world.nova.asked == ["resize"]
    assert world.done(cloud.servers.resize, instance_id, "2").flavor_id == "2"


def test_why_a_resize_failed_is_told_administrators_only(world: World, cloud: OpenStackCloud) -> None:
    """It may be what passes."""
    instance_id = world.serve(cloud)
    world.nova.fails, world.nova.admin = "No valid host was found.", False
    with pytest.raises(base.Transient, match="Nova could not resize it"):
        world.done(cloud.servers.resize, instance_id, "2")
    assert world.done(cloud.servers.resize, instance_id, "2").flavor_id == "2"


def test_a_resize_whose_answer_is_lost_is_not_asked_twice(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.fake.trouble("/action", lost=True)
    world.done(cloud.servers.resize, instance_id, "2")
    assert world.nova.asked == ["resize"]


def test_reboot_once(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.fake.trouble("/action", lost=True)
    for once in ("a", "a", "b", "b"):
        world.done(cloud.servers.reboot, instance_id, once)
    assert world.nova.asked == ["reboot", "reboot"]


def test_rebuild_once_and_back(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.done(cloud.servers.rebuild, instance_id, "new", {}, "op")
    world.done(cloud.servers.rebuild, instance_id, "new", {}, "op")
    assert cloud.servers.get(instance_id).image == "new"
    world.done(cloud.servers.rebuild, instance_id, "old", {}, f"op{base.UNDONE}")
    world.done(cloud.servers.rebuild, instance_id, "new", {}, "op")
    assert cloud.servers.get(instance_id).image == "old"
    assert world.nova.asked == ["rebuild", "rebuild"]


def test_a_rebuild_that_failed_can_be_taken_back(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    world.nova.fails = "the image is broken"
    with pytest.raises(base.CloudError, match="the image is broken"):
        world.done(cloud.servers.rebuild, instance_id, "new", {}, "op")
    world.done(cloud.servers.rebuild, instance_id, "old", {}, f"op{base.UNDONE}")
    assert cloud.servers.get(instance_id).status == "ACTIVE"


@pytest.mark.parametrize(("once", "why"), [("op", "No valid host was found."), (f"op{base.UNDONE}", "who knows")])
def test_a_rebuild_that_failed_is_asked_for_anew_by_who_asks_again(
    world: World, cloud: OpenStackCloud, once: str, why: str
) -> None:
    """Of a server in ERROR nothing tells that the failure was told."""
    instance_id = world.serve(cloud)
    world.nova.fails = why
    with pytest.raises(base.CloudError, match=why):
        world.done(cloud.servers.rebuild, instance_id, "new", {}, once)
    assert world.nova.asked == ["rebuild"]
    world.done(cloud.servers.rebuild, instance_id, "new", {}, once)
    assert cloud.servers.get(instance_id).image == "new"
    assert world.nova.asked == ["rebuild", "rebuild"]


def test_migrate_and_back(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    assert cloud.servers.hosts() == ["one", "two"]
    moved = world.done(cloud.servers.migrate, instance_id, "one", None)
    assert (moved.host, moved.status) == ("two", "VERIFY_RESIZE")
    world.done(cloud.servers.revert_migration, instance_id, "one")
    world.done(cloud.servers.migrate, instance_id, "one", "two")
    world.done(cloud.servers.confirm_resize, instance_id)
    back = world.done(cloud.servers.revert_migration, instance_id, "one")
    assert (back.host, back.status) == ("one", "ACTIVE")


def test_migrations_that_can_not_be(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud)
    with pytest.raises(base.NotFound, match="Host three cannot be found"):
        world.done(cloud.servers.migrate, instance_id, "one", "three")
    world.nova.fails = "No valid host was found."
    with pytest.raises(base.Transient, match="No valid host"):
        world.done(cloud.servers.migrate, instance_id, "one", "two")
    world.done(cloud.servers.revert_migration, instance_id, "one")
    assert world.nova.asked == ["migrate"]


def test_replicas_are_placed_beside_their_source(world: World, cloud: OpenStackCloud) -> None:
    source = world.serve(cloud, locality="anti-affinity")
    replica = world.serve(cloud, beside=source)
    (group,) = world.nova.groups.values()
    assert (group["policy"], len(group["members"])) == ("anti-affinity", 2)
    for kind in ("server", "volume", "port"):
        world.done(cloud.remove, kind, source)
    assert len(world.nova.groups) == 1
    world.done(cloud.servers.delete, replica)
    assert not world.nova.groups


def test_many_server_groups(world: World, cloud: OpenStackCloud) -> None:
    sources = [world.serve(cloud, locality="affinity") for _ in range(3)]
    world.nova.page = 2
    assert len(cloud.inventory()["server groups"]) == 3
    replica = world.serve(cloud, beside=sources[2])
    assert sorted(len(group["members"]) for group in world.nova.groups.values()) == [1, 1, 2]
    for instance_id in (*sources, replica):
        for kind in ("server", "volume", "port"):
            world.done(cloud.remove, kind, instance_id)
    assert not world.nova.groups


def test_delete_is_asked_for_again_when_the_host_died_with_it(world: World, cloud: OpenStackCloud) -> None:
    """Before Nova knew."""
    instance_id = world.serve(cloud)
    (server,) = world.nova.servers.values()
    server["updated"] = datetime.datetime.now(datetime.UTC).isoformat()
    world.nova.dying.add("one")
    for _ in range(3):
        with pytest.raises(NotYet, match="to be deleted"):
            cloud.servers.delete(instance_id)
    assert world.nova.asked == ["forceDelete"]
    world.nova.down.add("one")
    server["updated"] = (datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=61)).isoformat()
    world.done(cloud.servers.delete, instance_id)
    assert not world.nova.servers


def test_delete_waits_until_it_is_gone(world: World, cloud: OpenStackCloud) -> None:
    instance_id = world.serve(cloud, locality="affinity")
    world.done(cloud.servers.delete, instance_id)
    assert world.waited
    assert not world.nova.servers
    world.done(cloud.servers.delete, instance_id)
    with pytest.raises(base.NotFound):
        cloud.servers.get(instance_id)
    for kind in ("volume", "port"):
        world.done(cloud.remove, kind, instance_id)
    assert all(not found for found in cloud.inventory().values())
    assert all(not found for found in cloud.owned().values())


@pytest.mark.parametrize(
    "message",
    ["Block Device Mapping is Invalid: failed to get volume 1.", "Not authorized for image new."],
)
def test_what_nova_makes_of_a_cinder_or_glance_that_does_not_answer(
    world: World, cloud: OpenStackCloud, message: str
) -> None:
    boot = world.boot(cloud, ID)
    world.fake.trouble("POST /compute/v2.1/servers", 400, message)
    with pytest.raises(NotYet, match=message.split()[-2]):
        cloud.servers.create(boot)
    before = set(world.fake.tokens)
    assert world.done(cloud.servers.create, boot).status == "ACTIVE"
    assert world.fake.tokens - before, "the token that one of them may have refused was used again"


def test_a_cell_that_does_not_answer(world: World, cloud: OpenStackCloud) -> None:
    """Nova's lists have its servers no more, as if they were gone."""
    boot = world.boot(cloud, ID)
    world.done(cloud.servers.create, boot)
    world.nova.blind = True
    calls: list[tuple[Callable[..., object], tuple[object, ...]]] = [
        (cloud.servers.create, (boot,)),
        (cloud.servers.resize, (ID, "2")),
        (cloud.servers.fence, (ID,)),
        (cloud.servers.delete, (ID,)),
    ]
    for call, arguments in calls:
        with pytest.raises(NotYet, match="HTTP 500"):
            call(*arguments)
    world.nova.blind = False
    world.done(cloud.servers.delete, ID)
    assert (world.nova.servers, len(world.cinder.volumes)) == ({}, 1)


@pytest.mark.parametrize("status", ["RESCUE", "SHELVED_OFFLOADED"])
def test_states_in_which_nova_does_nothing(world: World, cloud: OpenStackCloud, status: str) -> None:
    """Somebody has put it there: it is told at once, and not waited for."""
    instance_id = world.serve(cloud)
    (server,) = world.nova.servers.values()
    server["status"] = status
    for call, more in ((cloud.servers.reboot, ("once",)), (cloud.servers.resize, ("2",))):
        with pytest.raises(base.CloudError, match=f"it is in state {status}"):
            call(instance_id, *more)
    with pytest.raises(base.CloudError, match=f"it is in state {status}"):
        cloud.servers.rebuild(instance_id, "new", {}, "once")
    assert world.nova.asked == []
