# SPDX-License-Identifier: Apache-2.0
"""The whole life of an instance in an OpenStack, asked for by a plain member of a project, with real databases."""

import subprocess
import time
from collections.abc import Iterator
from typing import Any

import pytest

from devcloud.settings import ROOT
from tests.functional.stack import Client, new_password, query
from tests.functional.stack.client import operation_of
from tests.openstack.place import Place
from tests.openstack.stack import CloudStack
from tests.servers.devcloud import DevCloud
from tests.waiting import wait_for

ROWS = 1000


@pytest.fixture(scope="module")
def stack(cloud: DevCloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudStack]:
    place = Place.make(cloud)
    directory = tmp_path_factory.mktemp("image")
    path = directory / "guest.squashfs"
    subprocess.run([ROOT / "tools" / "build-image", path], check=True)
    form = {"disk_format": "raw", "container_format": "bare", "tags": ["dbflow", "mariadb"]}
    image = str(place.admin.image.create_image(name="guest", filename=str(path), **form).id)
    with CloudStack(directory, place, image) as made:
        yield made


@pytest.fixture
def password() -> str:
    return new_password()


class Clock:
    """Prints what each step took."""

    def __init__(self) -> None:
        self._began = time.monotonic()

    def __call__(self, what: str) -> None:
        now = time.monotonic()
        print(f"{now - self._began:6.1f} s  {what}")
        self._began = now


def make(client: Client, password: str, **more: Any) -> dict[str, Any]:
    """An instance with a user."""
    user = {"name": "u", "password": password, "databases": [{"name": "d"}]}
    return client.created("life", databases=[{"name": "d"}], users=[user], **more)


def replicate(client: Client, source_id: str) -> str:
    answer = client.raw("POST", "/instances", {"instance": {"name": "replica", "replica_of": source_id}})
    assert answer.status_code == 200, answer.text
    client.wait_operation(operation_of(answer))
    replica_id: str = answer.json()["instance"]["id"]
    client.wait_healthy(replica_id)
    return replica_id


def test_a_whole_life(stack: CloudStack, password: str) -> None:
    client, clock = stack.client(), Clock()
    with stack.nothing_left():
        source = make(client, password)
        clock("create")

        def count(instance_id: str) -> Any:
            with stack.mysql(client.show(instance_id), "u", password, "d") as connection:
                return query(connection, "SELECT COUNT(*), MAX(n) FROM t")

        with stack.mysql(source, "u", password, "d") as connection:
            query(connection, "CREATE TABLE t (n INT PRIMARY KEY)")
            query(connection, f"INSERT INTO t SELECT seq FROM seq_1_to_{ROWS}")

        client.wait_operation(client.act(source["id"], {"resize": {"flavorRef": "2"}}))
        client.wait_operation(client.act(source["id"], {"resize": {"volume": {"size": 2}}}))
        clock("resize")
        shown = client.wait_status(source["id"], "ACTIVE")
        assert (shown["flavor"]["id"], shown["volume"]["size"]) == ("2", 2)
        (volume,) = stack.place.admin.block_storage.volumes(name=f"dbflow-{source['id']}")
        assert (volume.size, volume.status) == (2, "in-use")
        assert count(source["id"]) == ((ROWS, ROWS),)
        wait_for(lambda: _total(stack, source["id"]) > 1.5, 60, "a larger file system")

        backup_id, operation = client.back_up(source["id"])
        client.wait_operation(operation)
        clock("backup")
        restored = client.created("restored", size=2, flavor="2", restorePoint={"backupRef": backup_id})
        clock("restore")
        assert count(restored["id"]) == ((ROWS, ROWS),)

        replica_id = replicate(client, source["id"])
        clock("replicate")
        wait_for(lambda: count(replica_id) == ((ROWS, ROWS),), 60, "the rows on the replica")
        client.wait_operation(client.act(replica_id, {"promote_to_replica_source": {}}))
        clock("promote")
        with stack.mysql(client.show(replica_id), "u", password, "d") as connection:
            query(connection, f"INSERT INTO t VALUES ({ROWS + 1})")
        wait_for(lambda: count(source["id"]) == ((ROWS + 1, ROWS + 1),), 60, "the row on the old source")

        _check_access(stack, client, restored, password)
        clock("access")

        client.delete_backup(backup_id)
        client.deleted(source["id"])
        client.deleted(replica_id, restored["id"])
        clock("delete")


def test_users_see_none_of_it(stack: CloudStack, password: str) -> None:
    client = stack.client()
    with stack.nothing_left():
        instance = make(client, password)
        tenant = stack.place.devcloud.openstack("tenant1")
        assert not list(tenant.compute.servers())
        assert not list(tenant.block_storage.volumes())
        assert not list(tenant.network.ports())
        stranger = stack.of("tenant2")
        stranger.ask("GET", f"/instances/{instance['id']}", status=404)
        stranger.ask("DELETE", f"/instances/{instance['id']}", status=404)
        client.ask("GET", "/mgmt/instances", status=401)
        client.deleted(instance["id"])


def test_what_the_cloud_can_not_do_is_refused(stack: CloudStack) -> None:
    client = stack.client()
    theirs = stack.place.devcloud.openstack("tenant2").network.create_network(name="theirs")
    wrong: dict[str, dict[str, Any]] = {
        "flavorRef": {"flavor": "99"},
        "volume.type": {"volume": {"size": 1, "type": "gold"}},
        "availability_zone": {"availability_zone": "mars"},
        "nics": {"nics": [{"net-id": theirs.id}]},
        "nics.subnet_id": {"nics": [{"subnet_id": theirs.id}]},
    }
    with stack.nothing_left():
        for field, change in wrong.items():
            wanted = {"name": "wrong", "flavorRef": change.pop("flavor", "1"), "volume": {"size": 1}, **change}
            answer = client.raw("POST", "/instances", {"instance": wanted})
            assert answer.status_code == 400, answer.text
            assert f"({field})" in answer.text
    stack.place.devcloud.openstack("tenant2").network.delete_network(theirs)


def _total(stack: CloudStack, instance_id: str) -> float:
    """GiB of the file system, as the guest says."""
    found = stack.admin().ask("GET", f"/mgmt/instances/{instance_id}")["instance"]
    return float((found.get("volume") or {}).get("total") or 0.0)


def _check_access(stack: CloudStack, client: Client, instance: dict[str, Any], password: str) -> None:
    """From the gateway, which is of neither network, nobody comes in; and everybody when all may."""

    def change(cidrs: list[str]) -> None:
        body = {"instance": {"access": {"allowed_cidrs": cidrs}}}
        answer = client.raw("PUT", f"/instances/{instance['id']}", body)
        assert answer.status_code == 202, answer.text
        client.wait_operation(operation_of(answer))

    def reached() -> bool:
        return stack.reaches(client.show(instance["id"]), "u", password, "d")

    change(["192.0.2.0/24"])
    wait_for(lambda: not reached(), 60, "the door to be shut")
    change([])
    wait_for(reached, 60, "the door to be open")
