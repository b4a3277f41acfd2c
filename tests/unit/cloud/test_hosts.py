# SPDX-License-Identifier: Apache-2.0
"""Servers of the local cloud are on hosts, and move from one to another."""

import pathlib
import shutil
import uuid

import pytest

from dbflow.cloud.base import CloudError, NotFound, OutOfCapacity
from dbflow.cloud.local import LocalCloud
from tests.unit.cloud.conftest import MakeCloud, agents, boot, boots_of, leftovers, log_of
from tests.waiting import wait_for


def created(cloud: LocalCloud, state_dir: pathlib.Path, instance_id: str) -> str | None:
    """A server whose database is up: the host that it is on."""
    server = cloud.servers.create(boot(instance_id))
    wait_for(lambda: log_of(state_dir, instance_id, "starts"), 10, "the database to be up")
    return server.host


def place(state_dir: pathlib.Path, instance_id: str) -> pathlib.Path:
    """Where it really is, below ``hosts``."""
    return (state_dir / "servers" / instance_id).resolve().relative_to(state_dir / "hosts")


def test_a_new_one_goes_where_the_fewest_are(make_cloud: MakeCloud) -> None:
    cloud = make_cloud(hosts=["b", "a"])
    assert cloud.servers.hosts() == ["b", "a"]
    made = [cloud.servers.create(boot(str(uuid.uuid4()))) for _ in range(4)]
    assert [server.host for server in made] == ["b", "a", "b", "a"]
    cloud.servers.delete(made[0].id)
    assert cloud.servers.create(boot(str(uuid.uuid4()))).host == "b"
    found = cloud.servers.several([made[1].id, made[0].id, made[2].id])
    assert {instance_id: server.host for instance_id, server in found.items()} == {made[1].id: "a", made[2].id: "b"}


def test_it_moves_with_all_that_is_on_its_disk(
    make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str
) -> None:
    cloud = make_cloud(hosts=["a", "b", "c"])
    assert created(cloud, state_dir, instance_id) == "a"
    (agent,) = agents(cloud, instance_id)
    (state_dir / "servers" / instance_id / "data" / "mine").write_text("kept")
    machine = state_dir / "servers" / instance_id / "config" / "machine.conf"
    before = machine.read_text()
    for _ in range(2):  # asked for twice it is the same move
        server = cloud.servers.migrate(instance_id, "a", "c")
        assert (server.host, server.status) == ("c", "ACTIVE")
    cloud.servers.confirm_resize(instance_id)
    assert place(state_dir, instance_id) == pathlib.Path("c", instance_id)
    assert not (state_dir / "hosts" / "a" / instance_id).exists()
    assert (state_dir / "servers" / instance_id / "data" / "mine").read_text() == "kept"
    assert machine.read_text() == before, "a machine does not see which host it is on"
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "2"], 10, "one reboot")
    wait_for(lambda: log_of(state_dir, instance_id, "stops") == ["clean"], 10, "the database to have stopped")
    assert agent not in agents(cloud, instance_id)
    assert boots_of(cloud, instance_id) == {"2"}

    for _ in range(2):
        assert cloud.servers.revert_migration(instance_id, "a").host == "a"
    assert place(state_dir, instance_id) == pathlib.Path("a", instance_id)
    wait_for(lambda: log_of(state_dir, instance_id, "boots") == ["1", "2", "3"], 10, "one reboot more")
    cloud.servers.delete(instance_id)
    assert leftovers(state_dir) == []


def test_where_it_can_not_go(make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    cloud = make_cloud()
    assert created(cloud, state_dir, instance_id) == "local"
    with pytest.raises(NotFound, match="Host 'nowhere' cannot be found"):
        cloud.servers.migrate(instance_id, "local", "nowhere")
    with pytest.raises(OutOfCapacity, match="no host but local"):
        cloud.servers.migrate(instance_id, "local", None)
    with pytest.raises(NotFound):
        cloud.servers.migrate(str(uuid.uuid4()), "local", None)
    assert log_of(state_dir, instance_id, "boots") == ["1"]
    with pytest.raises(CloudError, match="none twice"):
        make_cloud(hosts=["a", "a"])
    with pytest.raises(CloudError, match="at least one"):
        make_cloud(hosts=[])


def test_a_host_that_is_not_named_any_more(make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str) -> None:
    """Its servers live on, and can be moved away; and back, when that is undone."""
    created(make_cloud(hosts=["old"]), state_dir, instance_id)
    cloud = make_cloud(hosts=["new"])
    cloud.servers.reboot(instance_id, "once")
    assert cloud.servers.get(instance_id).host == "old"
    assert cloud.servers.migrate(instance_id, "old", None).host == "new"
    (state_dir / "hosts" / "old").rmdir()
    assert cloud.servers.revert_migration(instance_id, "old").host == "old"
    assert place(state_dir, instance_id) == pathlib.Path("old", instance_id)


def test_one_that_was_made_before_there_were_hosts(
    make_cloud: MakeCloud, state_dir: pathlib.Path, instance_id: str
) -> None:
    created(make_cloud(), state_dir, instance_id)
    cloud, path = make_cloud(hosts=["local", "other"]), state_dir / "servers" / instance_id
    cloud.servers.fence(instance_id)
    there = path.resolve()
    path.unlink()
    there.rename(path)
    record = path / "server.json"
    record.write_text(record.read_text().replace('"host": "local"', '"rebuilt": ""'))
    shutil.rmtree(state_dir / "hosts")

    cloud = make_cloud(hosts=["local", "other"])
    cloud.servers.unfence(instance_id)
    assert (cloud.servers.get(instance_id).host, cloud.inventory()["servers"]) == ("local", [instance_id])
    assert path.resolve() == path
    assert cloud.servers.migrate(instance_id, "local", None).host == "other"
    assert place(state_dir, instance_id) == pathlib.Path("other", instance_id)
    assert cloud.servers.migrate(instance_id, "other", None).host == "local"
    assert place(state_dir, instance_id) == pathlib.Path("local", instance_id)
    cloud.servers.delete(instance_id)
    assert leftovers(state_dir) == []
