# SPDX-License-Identifier: Apache-2.0
"""Every call killed before each of its effects, then made again by another process (or undone instead)."""

import functools
import pathlib
import uuid
from collections.abc import Callable, Iterator

import pytest

from dbflow.cloud.base import NotFound
from dbflow.cloud.local import LocalCloud
from tests.unit.cloud.conftest import MakeCloud, agents, boot, boots_of, leftovers, log_of
from tests.unit.cloud.forked import killed_at
from tests.waiting import wait_for


def every_moment(
    make_cloud: MakeCloud, prepare: Callable[[LocalCloud, str], object], doomed: Callable[[LocalCloud, str], object]
) -> Iterator[str]:
    """For each moment: a new instance, prepared, on which ``doomed`` was killed then. Yields its id."""
    moment = 0
    while True:
        instance_id = str(uuid.uuid4())
        cloud = make_cloud()
        prepare(cloud, instance_id)
        killed = killed_at(moment, functools.partial(doomed, cloud, instance_id))
        yield instance_id
        if not killed:
            break
        moment += 1
    assert moment >= 3, "the sweep saw too few effects to mean anything"


def nothing(cloud: LocalCloud, instance_id: str) -> None:
    """No preparation."""


def create_server(cloud: LocalCloud, instance_id: str) -> None:
    cloud.servers.create(boot(instance_id))


def create_started_server(cloud: LocalCloud, instance_id: str) -> None:
    create_server(cloud, instance_id)
    state_dir = pathlib.Path(cloud._prepared._layout.root)
    wait_for(lambda: log_of(state_dir, instance_id, "starts"), 10, "the database to start")


def create_port(cloud: LocalCloud, instance_id: str) -> str:
    return cloud.networks.create_port(instance_id, [], {}).id


def create_volume(cloud: LocalCloud, instance_id: str) -> None:
    cloud.volumes.create(instance_id, 1, None)


def test_create_port(make_cloud: MakeCloud, state_dir: pathlib.Path) -> None:
    for instance_id in every_moment(make_cloud, nothing, create_port):
        address = create_port(make_cloud(), instance_id)
        assert make_cloud().inventory()["ports"] == [f"{instance_id} {address}"]
        make_cloud().networks.delete_port(instance_id)
        assert leftovers(state_dir) == []


def test_delete_port(make_cloud: MakeCloud, state_dir: pathlib.Path) -> None:
    for instance_id in every_moment(make_cloud, create_port, lambda c, i: c.networks.delete_port(i)):
        make_cloud().networks.delete_port(instance_id)
        assert leftovers(state_dir) == []


def test_create_volume(make_cloud: MakeCloud, state_dir: pathlib.Path) -> None:
    for instance_id in every_moment(make_cloud, nothing, create_volume):
        create_volume(make_cloud(), instance_id)
        volume = make_cloud().volumes.get(instance_id)
        assert volume.size == 1
        assert list(pathlib.Path(volume.device).iterdir()) == []
        make_cloud().volumes.delete(instance_id)
        assert leftovers(state_dir) == []


def test_resize_volume(make_cloud: MakeCloud) -> None:
    for instance_id in every_moment(make_cloud, create_volume, lambda c, i: c.volumes.resize(i, 2)):
        assert make_cloud().volumes.get(instance_id).size in (1, 2)
        assert make_cloud().volumes.resize(instance_id, 2).size == 2


def test_delete_volume_never_leaves_half_of_one(make_cloud: MakeCloud, state_dir: pathlib.Path) -> None:
    def with_data(cloud: LocalCloud, instance_id: str) -> None:
        create_volume(cloud, instance_id)
        for name in ("a", "b"):
            (pathlib.Path(cloud.volumes.get(instance_id).device) / name).write_text("data")

    for instance_id in every_moment(make_cloud, with_data, lambda c, i: c.volumes.delete(i)):
        try:
            device = pathlib.Path(make_cloud().volumes.get(instance_id).device)
        except NotFound:
            pass
        else:
            assert sorted(path.name for path in device.iterdir()) == ["a", "b"]
        make_cloud().volumes.delete(instance_id)
        assert leftovers(state_dir) == []


@pytest.mark.parametrize("kept", [False, True], ids=["at once", "after keep()"])
def test_create_server(make_cloud: MakeCloud, state_dir: pathlib.Path, kept: bool) -> None:
    for instance_id in every_moment(make_cloud, nothing, create_server):
        cloud = make_cloud()
        if kept:
            cloud.keep()
        assert cloud.servers.create(boot(instance_id)).status == "ACTIVE"
        cloud.keep()
        assert (state_dir / "servers" / instance_id / "config" / "guest.conf").read_text() == "[guest]\n"
        assert "127.77.0.1" in (state_dir / "servers" / instance_id / "config" / "machine.conf").read_text()
        wait_for(lambda c=cloud, i=instance_id: agents(c, i), 10, "the agent to run")
        assert len(agents(cloud, instance_id)) == 1
        cloud.servers.delete(instance_id)
        assert not cloud.inventory()["processes"]
        assert leftovers(state_dir) == []


def test_create_server_undone(make_cloud: MakeCloud, state_dir: pathlib.Path) -> None:
    for instance_id in every_moment(make_cloud, nothing, create_server):
        make_cloud().servers.delete(instance_id)
        assert not make_cloud().inventory()["processes"]
        assert leftovers(state_dir) == []


def test_delete_server(make_cloud: MakeCloud, state_dir: pathlib.Path) -> None:
    for instance_id in every_moment(make_cloud, create_server, lambda c, i: c.servers.delete(i)):
        make_cloud().keep()
        make_cloud().servers.delete(instance_id)
        assert not make_cloud().inventory()["processes"]
        assert leftovers(state_dir) == []


def test_create_after_an_unfinished_delete(make_cloud: MakeCloud) -> None:
    for instance_id in every_moment(make_cloud, create_server, lambda c, i: c.servers.delete(i)):
        cloud = make_cloud()
        assert cloud.servers.create(boot(instance_id)).status == "ACTIVE"
        wait_for(lambda c=cloud, i=instance_id: agents(c, i), 10, "the agent to run")
        assert len(agents(cloud, instance_id)) == 1
        cloud.servers.delete(instance_id)
        assert not cloud.inventory()["processes"]


def test_resize_server_reboots_once(make_cloud: MakeCloud) -> None:
    for instance_id in every_moment(make_cloud, create_started_server, lambda c, i: c.servers.resize(i, "2")):
        cloud = make_cloud()
        server = cloud.servers.resize(instance_id, "2")
        assert (server.status, server.flavor_id) == ("ACTIVE", "2")
        wait_for(lambda c=cloud, i=instance_id: agents(c, i), 10, "the agent to run")
        assert boots_of(cloud, instance_id) == {"2"}
        assert len(agents(cloud, instance_id)) == 1
        cloud.servers.delete(instance_id)


def test_migrate_server(make_cloud: MakeCloud, state_dir: pathlib.Path) -> None:
    """Made again at once, made again after keep(), and undone, in turn."""
    make = functools.partial(make_cloud, hosts=["a", "b"])
    moments = every_moment(make, create_started_server, lambda c, i: c.servers.migrate(i, "a", None))
    for number, instance_id in enumerate(moments):
        cloud = make()
        assert cloud.inventory()["servers"] == [instance_id]
        meant = cloud.servers.get(instance_id).host
        if number % 3 == 1:
            cloud.keep()
            wanted = {"a": "1", "b": "2"}[meant or ""]
            wait_for(lambda c=cloud, i=instance_id, w=wanted: boots_of(c, i) == {w}, 10, "that boot alone")
        if number % 3 < 2:
            (host, boots), server = ("b", "2"), cloud.servers.migrate(instance_id, "a", None)
        else:
            (host, boots), server = (
                ("a", "1" if meant == "a" else "3"),
                cloud.servers.revert_migration(instance_id, "a"),
            )
        assert (server.status, server.host) == ("ACTIVE", host)
        assert (state_dir / "servers" / instance_id).resolve() == state_dir / "hosts" / host / instance_id
        wait_for(lambda c=cloud, i=instance_id: agents(c, i), 10, "the agent to run")
        assert boots_of(cloud, instance_id) == {boots}
        assert len(agents(cloud, instance_id)) == 1
        cloud.servers.delete(instance_id)
        assert leftovers(state_dir) == []


def test_an_interrupted_resize_is_finished_by_keep(make_cloud: MakeCloud) -> None:
    for instance_id in every_moment(make_cloud, create_started_server, lambda c, i: c.servers.resize(i, "2")):
        cloud = make_cloud()
        cloud.keep()
        server = cloud.servers.get(instance_id)
        assert server.status == "ACTIVE"
        wait_for(lambda c=cloud, i=instance_id: agents(c, i), 10, "the agent to run")
        assert boots_of(cloud, instance_id) == {server.flavor_id}, "flavor 1 is boot 1 and flavor 2 is boot 2 here"
        cloud.servers.delete(instance_id)
